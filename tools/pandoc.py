"""What Quarto will make of the pages, as far as pandoc, which is its engine, can tell: `python tools/pandoc.py`.

Each notebook of _proc, which is what nbdev hands to Quarto, is read as Quarto reads it: its Markdown and the Markdown that its
cells gave. Said are warnings, links and fences that pandoc takes for plain text, and addresses that lead to no page. Build the site
first: python tools/docs.py. Needs the extra docs."""
import json, re, subprocess, sys
from pathlib import Path

import pypandoc

from docs import cells, root

def text(path):
    "The Markdown of the notebook at `path`"
    for c in cells(path):
        if c['cell_type'] == 'markdown': yield ''.join(c['source'])
        for out in c.get('outputs', []):
            if 'text/markdown' in out.get('data', {}): yield ''.join(out['data']['text/markdown'])

def strings(tree):
    "The texts and the addresses of links in a document of pandoc's: `('text', …)`, `('link', …)`; code and formulas left out"
    if isinstance(tree, list):
        for t in tree: yield from strings(t)
    elif isinstance(tree, dict):
        kind = tree.get('t')
        if kind in ('Code', 'CodeBlock', 'Math', 'RawInline', 'RawBlock'): return
        if kind == 'Str': yield 'text', tree['c']
        if kind == 'Link': yield 'link', tree['c'][2][0]
        yield from strings([v for k,v in tree.items() if k != 't'])

def problems(path, pages):
    done = subprocess.run([pypandoc.get_pandoc_path(), '--from', 'markdown', '--to', 'json'], input='\n\n'.join(text(path)), capture_output=True, text=True)
    yield from done.stderr.splitlines()
    for kind,s in strings(json.loads(done.stdout or '{}').get('blocks', [])):
        if kind == 'text' and re.search(r'\]\(|^:{3,}', s): yield f'"{s}" is plain text to pandoc; wanted a link, or a fence that is closed'
        target = re.fullmatch(r'([\w./-]+?)\.(ipynb|html)(#.*)?', s) if kind == 'link' else None
        if target and Path(target[1]).name not in pages: yield f'the link {s} leads to no page'

def main():
    paths = sorted((root/'_proc').rglob('*.ipynb'))
    if not paths: sys.exit('no notebooks in _proc; python tools/docs.py puts them there')
    pages = {p.stem for p in paths} | {re.sub(r'^\d+[a-z]?_', '', p.stem) for p in paths} | {p.stem for p in (root/'_docs').rglob('*.html')}
    lines = [f'{p.relative_to(root/"_proc")}: {words}' for p in paths for words in problems(p, pages)]
    print('\n'.join([*lines, f'{len(paths)} pages, {len(lines)} problem{"s"*(len(lines) != 1)}']))
    sys.exit(bool(lines))

if __name__ == '__main__': main()
