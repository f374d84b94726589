"""Build the site into _docs, without Quarto: nbdev processes the notebooks, smalldocs renders them; --serve previews it.

What is done beside: pages get the names that nbdev's links have, figures become files with their descriptions, and KaTeX is
served from the site. Needs the extras dev and docs: pip install -c constraints.txt -e '.[dev,docs]'"""
import argparse, functools, html, http.server, json, os, re, shutil, subprocess, sys, threading, time
from pathlib import Path

root = Path(__file__).resolve().parent.parent
katex = 'https://cdn.jsdelivr.net/npm/katex@0.16.11/dist' # where smalldocs 0.5.4 says it is

def process():
    "Let nbdev process the notebooks into _proc"
    import nbdev.doclinks, nbdev.serve
    from nbdev.quarto import refresh_quarto_yml
    shutil.rmtree(root/'_proc', ignore_errors=True)
    os.chdir(root)
    refresh_quarto_yml()
    nbdev.doclinks._build_modidx()
    nbdev.serve.proc_nbs(n_workers=2, force=True)

def names(proc):
    "`{name that smalldocs gives a page: name that nbdev's links have}`"
    found = {}
    for path in proc.glob('*.ipynb'):
        sources = (''.join(c['source']) for c in json.loads(path.read_text(encoding='utf-8'))['cells'] if c['cell_type'] == 'raw')
        name = re.search(r'^output-file: (\S+)', '\n'.join(sources), re.M)
        found[f'{path.stem}.html'] = name[1] if name else f'{path.stem}.html'
    return found

def alts(path):
    "The descriptions of the figures in the processed notebook at `path`, in order"
    for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] != 'code' or not any('image/svg+xml' in o.get('data', {}) for o in cell.get('outputs', [])): continue
        alt = re.search(r'^#\|\s*fig-alt:\s*(.*)', source, re.M)
        if not alt: sys.exit(f'{path.name}: a figure without fig-alt, in the cell\n{source[:300]}')
        yield alt[1].strip().strip('"')

def figures(page, text, described, folder):
    "`text` of `page` with each inline picture written to `folder` and shown from there with its description"
    def file(match):
        name = f'{page.stem}-{next(numbers)}.svg'
        (folder/name).write_text(match[1].strip(), encoding='utf-8')
        return f'<img src="{folder.name}/{name}" class="figure-img" alt="{html.escape(next(described), quote=True)}">'
    numbers = iter(range(1, 1000))
    try: return re.sub(r'(?:<p>)?\s*((?:<\?xml[^>]*>\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg .*?</svg>)\s*(?:</p>)?', file, text, flags=re.S)
    except RuntimeError: sys.exit(f'{page.name}: more pictures than cells with figures')

def build():
    "Build the site and put it in place of the one before"
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, '--process'], check=True)
    proc = root/'_proc'
    made = subprocess.run([Path(sys.executable).parent/'smalldocs', 'render'], cwd=proc, capture_output=True, text=True)
    if made.returncode: sys.exit(f'smalldocs: {made.stdout}{made.stderr}')
    out, renamed = proc/'_docs', names(proc)
    (out/'figures').mkdir()
    links = re.compile('|'.join(rf'(?<![\w/-]){re.escape(k)}' for k in sorted(renamed, key=len, reverse=True)))
    for path in [*out.glob('*.html'), out/'search.json', out/'sitemap.xml']:
        text = path.read_text(encoding='utf-8')
        source = proc/f'{path.stem}.ipynb'
        if source.exists(): text = figures(path, text, alts(source), out/'figures')
        path.write_text(links.sub(lambda m: renamed[m[0]], text.replace(katex, 'katex')), encoding='utf-8')
        if path.name in renamed: path.rename(out/renamed[path.name])
    shutil.copytree(root/'tools'/'katex', out/'katex')
    old = root/'_docs.old'
    shutil.rmtree(old, ignore_errors=True)
    if (root/'_docs').exists(): (root/'_docs').rename(old)
    out.rename(root/'_docs')
    shutil.rmtree(old, ignore_errors=True)
    print(f'{len(renamed)} pages in _docs, in {time.perf_counter()-start:.0f} s')

def serve(port):
    "Serve _docs on localhost, and build it again when a notebook changes"
    def state(): return {p: p.stat().st_mtime for p in (root/'nbs').glob('*.*')}
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root/'_docs')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f'http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)')
    seen = state()
    while True:
        time.sleep(1)
        if state() == seen: continue
        seen = state()
        try: build()
        except (SystemExit, subprocess.CalledProcessError) as e: print(f'not built: {e}')

def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--serve', action='store_true', help='preview the site on localhost and build it again when a notebook changes')
    parser.add_argument('--port', type=int, default=8000, help='of the preview')
    parser.add_argument('--process', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.process: return process()
    build()
    if args.serve:
        try: serve(args.port)
        except KeyboardInterrupt: print()

if __name__ == '__main__': main()
