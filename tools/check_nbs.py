"""Look at the notebooks without running them, in a few seconds, and name the notebook and the cell of what is wrong:

what is no notebook or not Python, directives that nobody knows, pictures and links that lead nowhere, figures without
a description, times in outputs of cells that are not marked, cells that are folded on the page and not in JupyterLab, an
export out of step with the package, a name that the package uses and does not have, a public name without an entry in
the reference, a page outside the navigation, a planted fault that stands nowhere any more. With --fold, fold in
JupyterLab what is folded on the page. Needs the extras dev and docs."""
import argparse, ast, builtins, difflib, json, os, re, shutil, symtable, sys, tempfile, warnings
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt

root = Path(__file__).resolve().parent.parent
nbs, lib = root/'nbs', root/'fastgroundup'
timed = '# timed: the figures differ from run to run'
trained = '# trained: the figures differ from machine to machine' # by rounding, which some hundred steps make large
directives = {'default_exp', 'export', 'exporti', 'exports', 'hide', 'eval', 'notest', 'exec_doc', 'filter_stream',
              'echo', 'output', 'warning', 'label', 'code-fold', 'code-summary', 'fig-cap', 'fig-alt'} # nbdev's, and Quarto's

def notebooks(): return sorted(p for p in nbs.rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
def cells(path): return json.loads(path.read_text(encoding='utf-8'))['cells']
def source(cell): return ''.join(cell['source'])
def where(path, i, cell): return f"{path.relative_to(root).as_posix()}, cell {i} ({cell.get('id', 'no id')})"

def place(path, test):
    "Where the first cell of the notebook at `path` stands for which `test` is true; None if there is none"
    return next((where(path, i, cell) for i,cell in enumerate(cells(path)) if test(cell)), None)

def folded(cell):
    "Whether the page hides a code cell, or folds it"
    return bool(re.search(r'^#\|\s*(hide|code-fold:\s*true)\s*$', source(cell), re.M))

def fold(path):
    "Hide in JupyterLab the sources of the cells that the page hides or folds, and no others"
    nb = json.loads(path.read_text(encoding='utf-8'))
    for cell in nb['cells']:
        if cell['cell_type'] != 'code': continue
        cell['metadata'].pop('jupyter', None)
        if folded(cell): cell['metadata']['jupyter'] = {'source_hidden': True}
    with tempfile.TemporaryDirectory(dir=root, prefix='.fold-') as folder:
        part = Path(folder)/path.name
        part.write_text(json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + '\n', encoding='utf-8')
        shutil.copymode(path, part)
        os.replace(part, path)

def in_code(cell):
    "What is wrong with a code cell, a sentence each"
    text = source(cell)
    lines = text.splitlines()
    directive = re.compile(r'\s*#\s*\|\s*([^\s:]+):?\s*(.*)')
    top = next((i for i,line in enumerate(lines) if line.strip() and not directive.match(line)), len(lines))
    options = dict(directive.match(line).groups() for line in lines[:top] if line.strip())
    for name in options:
        if name in directives: continue
        near = difflib.get_close_matches(name, directives, 1)
        yield f'unknown directive {name}' + (f'; is it {near[0]}?' if near else '; check_nbs.py lists those that are known')
    for name in ('fig-cap', 'fig-alt', 'code-summary'): # as Quarto reads them
        try: read = yaml.safe_load(f'{name}: {options.get(name, "none")}')[name]
        except yaml.YAMLError: read = None
        if not isinstance(read, str): yield f'{name} is no text in YAML; wanted quotes around it'
    for line in lines[top:]:
        if re.match(r'#\s*\|\s*\w', line): yield f'{line.strip()} below the first line of code is not read; wanted at the top'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            compile(TransformerManager().transform_cell(text), 'cell', 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as e:
        line = (getattr(e, 'lineno', 1) or 1) + len(text) - len(text.lstrip('\n')) # which IPython takes away
        yield f"syntax error in line {line}: {getattr(e, 'msg', e)}: {(getattr(e, 'text', '') or '').strip()}"
    if folded(cell) != (cell['metadata'].get('jupyter', {}).get('source_hidden') is True):
        yield ('folded on the page and open in JupyterLab' if folded(cell) else 'folded in JupyterLab alone') + '; check_nbs.py --fold mends it'
    outputs, marked = cell.get('outputs', []), re.search(f'^{timed}$', text, re.M)
    shown = [k for o in outputs for k in o.get('data', {})]
    if any(k.startswith('image/') for k in shown):
        yield from (f'a figure without {k}' for k in ('fig-alt', 'fig-cap') if not options.get(k, '').strip('"\' '))
    if any(o['output_type'] == 'error' for o in outputs): yield 'it holds an error'
    texts = [''.join(t) for o in outputs for t in (o.get('text', ''), *(v for k,v in o.get('data', {}).items() if 'text/' in k))]
    took = next(filter(None, (re.search(r'(?<![\w.])([\d.]+ ?(ns|[µμ]s|ms)|\d+\.\d+ s)\b.*', t) for t in texts)), None)
    if took and not marked: yield f'it prints a time ({took[0][:40]}); wanted the line {timed}'
    if '# timed' in text and not marked: yield f'marked as timed in other words; wanted {timed}'

def in_prose(path, cell):
    "What is wrong with a Markdown cell, a sentence each"
    if re.search('^`?(<{7}|>{7}) ?', source(cell), re.M): yield 'a conflict that is not settled; wanted one side of it'
    text = re.sub(r'<!--.*?-->|\$\$[^`]*?\$\$|\$[^$`\n]+\$', '', source(cell), flags=re.S) # in formulas, brackets are brackets
    tokens = [t for block in MarkdownIt('commonmark').enable('table').parse(text) for t in [block, *(block.children or [])]]
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
    yield from (f'{tag} has no alt' for tag in re.findall('<img[^>]*>', html)
                if not re.search(r'''\salt=("[^"]+|'[^']+)''', tag))

def in_notebook(path):
    "What is wrong with the notebook at `path`, where it stands first"
    name = path.relative_to(root).as_posix()
    try:
        found, book = [], cells(path)
        ids = Counter(cell['id'] for cell in book)
        found += [f'{name}: {n} cells have the id {id}; wanted one of its own for each' for id,n in ids.items() if n > 1]
        for i,cell in enumerate(book):
            words = {'code': in_code, 'markdown': lambda cell: in_prose(path, cell)}.get(cell['cell_type'], lambda cell: ())(cell)
            found += [f'{where(path, i, cell)}: {w}' for w in words]
    except (ValueError, LookupError, TypeError, AttributeError) as e:
        conflict = '<<<<<<<' in path.read_text(encoding='utf-8', errors='replace')
        return [f'{name}: no notebook ({e})' + (f'; nbdev_fix {name} mends a conflict' if conflict else '')]
    exports = [cell for cell in book if re.search(r'^#\|\s*exports?\s*$', source(cell), re.M)]
    if exports and not any('#| default_exp' in source(cell) for cell in book):
        found.append(f'{name}: it exports without saying where to; wanted #| default_exp and a name, or #| export and a name')
    if not book or not re.fullmatch(r'# [^\n]+\n> [^\n]+', source(book[0]).strip()):
        found.insert(0, f'{name}, cell 0: wanted "# title" and "> subtitle" in it, and nothing else')
    return found

def chunks(path):
    "`{'notebook #cell': code}` of a module, in order"
    parts = re.split(r'^# %% (.+?) #([\w-]+)$', path.read_text(encoding='utf-8'), flags=re.M)
    return {'top': re.sub('^#.*', '', parts[0], flags=re.M).strip()} | {
        f'{Path(nb).name} #{cell}': code.strip() for nb,cell,code in zip(parts[1::3], parts[2::3], parts[3::3])}

def entries(path):
    "The public names of the module at `path`, and the methods that have a docstring, as `Class.method`"
    tree = ast.parse(path.read_text(encoding='utf-8'))
    public = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == '__all__')
    methods = [f'{c.name}.{f.name}' for c in tree.body if isinstance(c, ast.ClassDef) and c.name in public
               for f in c.body if isinstance(f, ast.FunctionDef) and not f.name.startswith('_') and ast.get_docstring(f)]
    return public + methods

def in_package():
    "Which cells are not what the package holds, and which public names have no entry in the reference"
    from nbdev.export import nb_export
    found, folder, by_name = [], Path(tempfile.mkdtemp()), {p.name: p for p in reversed(notebooks())}
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
                if old.pop(key, None) == code: continue
                if ' #' not in key or key.startswith('auto'):
                    found.append(f'fastgroundup/{name}: its first lines are not what the notebooks give; nbdev_export writes them')
                    continue
                notebook, cell = key.split(' #')
                at = place(by_name[notebook], lambda c: c.get('id') == cell)
                found.append(f'{at}: not what fastgroundup/{name} holds; nbdev_export writes it')
            found += [f'fastgroundup/{name}: no cell {key} gives the code it has from there' for key in old]
            page = nbs/'reference'/f'{name.stem}.ipynb'
            shown = '\n'.join(source(c) for c in cells(page)) if page.exists() else ''
            missing = [k for k in entries(new)
                       if not re.search(rf'^(show_doc\({re.escape(k)}[,)]|### {re.escape(k)}$)', shown, re.M)]
            if missing: found.append(f"{page.relative_to(root).as_posix()}: no show_doc of {', '.join(missing)}")
    finally: shutil.rmtree(folder)
    return found

def names_that_are_not_there():
    "Names that a module of the package uses, and neither makes nor imports"
    for path in sorted(lib.glob('*.py')):
        top = symtable.symtable(path.read_text(encoding='utf-8'), path.name, 'exec')
        def tables(t): return [t, *(u for c in t.get_children() for u in tables(c))]
        symbols = [(t is top, s) for t in tables(top) for s in t.get_symbols()]
        has = {s.get_name() for own,s in symbols if own and (s.is_assigned() or s.is_imported()) or s.is_declared_global() and s.is_assigned()}
        used = {s.get_name() for own,s in symbols if s.is_referenced() and (own or s.is_global())}
        for name in sorted(used - has - {*dir(builtins), '__file__'}):
            yield f'fastgroundup/{path.name}: uses {name}, which no exported cell makes or imports'

def in_faults():
    "Faults of tools/mutations.py that can't be planted, since the code is another one now"
    from mutations import faults
    text = {p.stem: '\n'.join(source(c) for c in cells(p) if '#| export' in source(c)) for p in notebooks()}
    for name,planted in faults.items():
        for there,_ in planted:
            n = text.get(name, '').count(there) or sum(t.count(there) for t in text.values())
            if n != 1: yield f'tools/mutations.py: {there.strip()[:60]!r} of {name} stands in {n} exported cells; wanted it in one: it follows the code'

def in_navigation():
    "Which pages the navigation in _quarto.yml leaves out, or has without there being any"
    def entries(items):
        for item in items:
            if isinstance(item, str): yield item, ''
            elif 'contents' in item: yield from entries(item['contents'])
            else: yield item['href'], item['text']
    try: described = yaml.safe_load((nbs/'_quarto.yml').read_text(encoding='utf-8'))
    except yaml.YAMLError as e: return [f'nbs/_quarto.yml: {e}']
    listed = dict(entries(described['website']['sidebar']['contents']))
    there, pages = [p.relative_to(nbs).as_posix() for p in notebooks()], {}
    for p in there: pages.setdefault(re.sub(r'(^|/)\d+[a-z]?_', r'\1', p), []).append(p) # nbdev takes the number away
    return ([f'nbs/{ps[1]}: its page has the name of that of nbs/{ps[0]}' for ps in pages.values() if len(ps) > 1] +
            [f'nbs/{p}: not in the sidebar of nbs/_quarto.yml' for p in there if p not in listed] +
            [f'nbs/_quarto.yml: {p} in the sidebar is no notebook' for p in listed if p not in there] +
            [f'nbs/_quarto.yml: {p} is called "{text}" in the sidebar; wanted its number first, {m[1]}, as chapters refer to it'
             for p,text in listed.items() if (m := re.match(r'(\d+[a-z]?)_', p)) and not text.startswith(f'{m[1]} ')])

def problems():
    "All that is wrong, a line each"
    found = [line for path in notebooks() for line in in_notebook(path)]
    if not any(w in line for line in found for w in ('no notebook (', 'syntax error', 'exports without')):
        found += [*in_package(), *names_that_are_not_there(), *in_faults()]
    return found + in_navigation()

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--fold', action='store_true', help='first fold in JupyterLab what is folded on the page')
    if parser.parse_args().fold:
        for path in notebooks(): fold(path)
    found = problems()
    for line in found: print(line)
    print(f'{len(notebooks())} notebooks, {len(found)} problem{"s"*(len(found) != 1)}')
    sys.exit(bool(found))

if __name__ == '__main__': main()
