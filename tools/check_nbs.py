"""Look at the notebooks without running them, in a few seconds, and name the notebook and the cell of what is wrong:

what is no notebook or not Python, directives that nobody knows, pictures and links that lead nowhere, figures without a
description, times in outputs of cells that are not marked, an export out of step with the package, a public name without an
entry in the reference, a page outside the navigation. Needs the extras dev and docs."""
import argparse, ast, difflib, json, re, shutil, sys, tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt

root = Path(__file__).resolve().parent.parent
nbs, lib = root/'nbs', root/'fastgroundup'
timed = '# timed: the figures differ from run to run'
trained = '# trained: the figures differ from machine to machine' # by rounding, which some hundred steps make large
directives = {'default_exp', 'export', 'exporti', 'exports', 'hide', 'eval', 'notest', 'exec_doc', 'filter_stream', # nbdev's
              'echo', 'output', 'warning', 'label', 'code-fold', 'code-summary', 'fig-cap', 'fig-alt'} # Quarto's

def notebooks(): return sorted(p for p in nbs.rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
def source(cell): return ''.join(cell['source'])
def where(path, i, cell): return f"{path.relative_to(root).as_posix()}, cell {i} ({cell.get('id', 'no id')})"

def cell_with(path, text):
    "Where the first cell of the notebook at `path` stands whose source holds `text`; None if there is none"
    for i,cell in enumerate(json.loads(path.read_text(encoding='utf-8'))['cells']):
        if text in source(cell): return where(path, i, cell)

def in_code(cell):
    "What is wrong with a code cell, a sentence each"
    text = source(cell)
    lines = text.splitlines()
    top = next((i for i,line in enumerate(lines) if not line.startswith('#|') and line.strip()), len(lines))
    options = {}
    for line in lines[:top]:
        name, _, value = (re.match(r'#\|\s*([^\s:]*)(:?)\s*(.*)', line) or ['']*4).groups() if line.strip() else ('', '', '')
        options[name] = value
        if not name or name in directives: continue
        near = difflib.get_close_matches(name, directives, 1)
        yield f'unknown directive {name}' + (f'; is it {near[0]}?' if near else '; check_nbs.py lists those that are known')
    for line in lines[top:]:
        if re.match(r'#\|\s*\w', line): yield f'{line.strip()} below the first line of code is not read; wanted at the top'
    try: ast.parse(TransformerManager().transform_cell(text))
    except SyntaxError as e: yield f"syntax error in line {e.lineno}: {e.msg}: {(e.text or '').strip()}"
    outputs = cell.get('outputs', [])
    shown = [k for o in outputs for k in o.get('data', {})]
    if any(k.startswith('image/') for k in shown):
        yield from (f'a figure without {k}' for k in ('fig-alt', 'fig-cap') if not options.get(k))
    if any(o['output_type'] == 'error' for o in outputs): yield 'it holds an error'
    texts = [''.join(o.get('text', '')) + ''.join(o.get('data', {}).get('text/plain', '')) for o in outputs]
    took = next(filter(None, (re.search(r'(?<![\w.])[\d.]+ (ns|µs|ms)\b.*', t) for t in texts)), None)
    if took and timed not in text: yield f'it prints a time ({took[0][:40]}); wanted the line {timed}'
    if '# timed' in text and timed not in text: yield f'marked as timed in other words; wanted {timed}'

def in_prose(path, cell):
    "What is wrong with a Markdown cell, a sentence each"
    if re.match('`?(<{7}|={7}|>{7})', source(cell)): yield 'a conflict that is not settled; wanted one side of it, without the marks'
    tokens = [t for block in MarkdownIt('commonmark').enable('table').parse(source(cell)) for t in [block, *(block.children or [])]]
    html = ' '.join(t.content for t in tokens if t.type.startswith('html'))
    links = [('link', t.attrs['href']) for t in tokens if t.type == 'link_open']
    links += [('image', t.attrs['src']) for t in tokens if t.type == 'image']
    links += [('image', a) for a in re.findall(r'<img[^>]*\ssrc="([^"]*)"', html)]
    links += [('link', a) for a in re.findall(r'<a[^>]*\shref="([^"]*)"', html)]
    for kind,address in links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not parts.path: continue # check_site.py looks at anchors, nobody at other sites
        if not (path.parent/unquote(parts.path)).exists(): yield f'the {kind} {address} leads nowhere'
    yield from (f"the image {t.attrs['src']} has no description" for t in tokens if t.type == 'image' and not t.content.strip())
    yield from (f'{tag} has no alt' for tag in re.findall('<img[^>]*>', html) if not re.search(r'\salt="[^"]+"', tag))

def in_notebook(path):
    "What is wrong with the notebook at `path`, where it stands first"
    name = path.relative_to(root).as_posix()
    try: cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    except (ValueError, KeyError, TypeError) as e:
        conflict = '<<<<<<<' in path.read_text(encoding='utf-8', errors='replace')
        return [f'{name}: no notebook ({e})' + (f'; nbdev_fix {name} mends a conflict' if conflict else '')]
    found = [f'{where(path, i, cell)}: {words}' for i,cell in enumerate(cells)
             for words in (in_code(cell) if cell['cell_type'] == 'code' else in_prose(path, cell))]
    if not cells or not re.fullmatch(r'# [^\n]+\n> [^\n]+', source(cells[0]).strip()):
        found.insert(0, f'{name}, cell 0: wanted "# title" and "> subtitle" in it, and nothing else')
    return found

def chunks(path):
    "`{'notebook #cell': code}` of a module, in order"
    parts = re.split(r'^# %% (auto|\S+) #(\w+)$', path.read_text(encoding='utf-8'), flags=re.M)
    return {f'{Path(nb).name} #{cell}': code.strip() for nb,cell,code in zip(parts[1::3], parts[2::3], parts[3::3])}

def entries(path):
    "The public names of the module at `path`, and the methods that have a docstring, as `Class.method`"
    tree = ast.parse(path.read_text(encoding='utf-8'))
    public = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == '__all__')
    methods = [f'{c.name}.{f.name}' for c in tree.body if isinstance(c, ast.ClassDef) and c.name in public
               for f in c.body if isinstance(f, ast.FunctionDef) and not f.name.startswith('_') and ast.get_docstring(f)]
    return public + methods

def in_package():
    "Which cells are not what the package holds, and which public names have no entry in the reference"
    from nbdev.export import nb_export
    found, folder = [], Path(tempfile.mkdtemp())
    fresh = folder/lib.name # nbdev writes imports of the package itself as relative ones
    try:
        for path in notebooks(): nb_export(path, lib_path=fresh)
        made = {p.relative_to(fresh): p for p in fresh.rglob('*.py')}
        for path in sorted(lib.glob('*.py')):
            if path.relative_to(lib) not in made and path.stem not in ('__init__', '_modidx'):
                found.append(f'{path.relative_to(root).as_posix()}: no notebook exports it')
        for name,new in sorted(made.items()):
            old = chunks(lib/name) if (lib/name).exists() else {}
            for key,code in chunks(new).items():
                if old.pop(key, None) == code or key.startswith('auto'): continue
                notebook, cell = key.split(' #')
                place = next((cell_place(p, cell) for p in notebooks() if p.name == notebook), key)
                found.append(f'{place}: not what fastgroundup/{name} holds; nbdev_export writes it')
            found += [f'fastgroundup/{name}: no cell {key} gives the code it has from there' for key in old if not key.startswith('auto')]
            page = nbs/'reference'/f'{name.stem}.ipynb'
            shown = '\n'.join(source(c) for c in json.loads(page.read_text(encoding='utf-8'))['cells']) if page.exists() else ''
            missing = [k for k in entries(new) if not re.search(rf'^(show_doc\({re.escape(k)}[,)]|### {re.escape(k)}$)', shown, re.M)]
            if missing: found.append(f"{page.relative_to(root).as_posix()}: no show_doc of {', '.join(missing)}")
    finally: shutil.rmtree(folder)
    return found

def cell_place(path, id):
    "Where the cell with `id` stands"
    for i,cell in enumerate(json.loads(path.read_text(encoding='utf-8'))['cells']):
        if cell.get('id') == id: return where(path, i, cell)

def in_navigation():
    "Which pages the navigation in _quarto.yml leaves out, or has without there being any"
    def pages(items):
        for item in items:
            if isinstance(item, str): yield item
            elif 'contents' in item: yield from pages(item['contents'])
            else: yield item['href']
    listed = list(pages(yaml.safe_load((nbs/'_quarto.yml').read_text(encoding='utf-8'))['website']['sidebar']['contents']))
    there = [p.relative_to(nbs).as_posix() for p in notebooks()]
    return ([f'nbs/{p}: not in the sidebar of nbs/_quarto.yml' for p in there if p not in listed] +
            [f'nbs/_quarto.yml: {p} in the sidebar is no notebook' for p in listed if p not in there])

def problems():
    "All that is wrong, a line each"
    found = [line for path in notebooks() for line in in_notebook(path)]
    if not any('no notebook (' in line or 'syntax error' in line for line in found): found += in_package()
    return found + in_navigation()

def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    found = problems()
    for line in found: print(line)
    print(f'{len(notebooks())} notebooks, {len(found)} problem{"s"*(len(found) != 1)}')
    sys.exit(bool(found))

if __name__ == '__main__': main()
