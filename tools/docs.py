"""Build the site into _docs without Quarto: nbdev processes the notebooks, smalldocs renders them. --serve previews it.

What is done beside: pages get the names that nbdev's links have, and links among them stay on the site; figures become
files with their descriptions; KaTeX is served from the site, and letters are in the reader's own fonts; styles and icons
that no page uses are left out. Needs the extras dev and docs."""
import argparse, html, http.server, logging, os, re, shutil, subprocess, sys, tempfile, threading, time
from configparser import ConfigParser
from pathlib import Path

from check_nbs import cells, problems, root

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

def renamed(proc):
    "`{stem that smalldocs gives a page: stem that nbdev's links have}`, where the two differ"
    found = {}
    for path in proc.rglob('*.ipynb'):
        raw = [''.join(c['source']) for c in cells(path) if c['cell_type'] == 'raw']
        name = re.search(r'^output-file: (\S+)\.html', '\n'.join(raw), re.M)
        if name and name[1] != path.stem: found[path.stem] = name[1]
    return found

def figures(path, text, folder):
    "`text` of the page of the notebook at `path` with each inline picture written to `folder`, and shown from there"
    shown = [c for c in cells(path) if not re.search(r'^#\|\s*(output|include):\s*false', ''.join(c['source']), re.M)]
    alts = [''.join(re.findall(r'^#\|\s*fig-alt:\s*(.*)', ''.join(c['source']), re.M)).strip().strip('"')
            for c in shown for o in c.get('outputs', []) if 'image/svg+xml' in o.get('data', {})]
    # one that says its role is part of a player, and stays in it
    picture = re.compile(r'(?:<p>)?\s*((?:<\?xml[^>]*>\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg (?!role).*?</svg>)\s*(?:</p>)?', re.S)
    if len(picture.findall(text)) != len(alts):
        raise RuntimeError(f'{path.name}: {len(picture.findall(text))} drawings in the page and {len(alts)} in outputs of '
                           'its cells; wanted each drawing to be the output of a cell, which has its description')
    numbers = iter(range(len(alts)))
    def rounded(path): return re.sub(r'-?\d+\.\d{3,}', lambda n: f'{float(n[0]):.2f}', path[0])
    def file(match):
        i = next(numbers)
        name = f'{path.stem}-{i+1}.svg'
        (folder/name).write_text(re.sub(r' d="[^"]*"', rounded, match[1].strip()), encoding='utf-8')
        return f'<img src="{folder.name}/{name}" class="figure-img" alt="{html.escape(alts[i], quote=True)}">'
    return picture.sub(file, text)

def used(css, words):
    "The minified `css` without the selectors whose classes are not among `words`"
    kept, i = [], 0
    while (start := css.find('{', i)) >= 0:
        head, depth, end = css[i:start], 1, start + 1
        while depth:
            depth += {'{': 1, '}': -1}.get(css[end], 0)
            end += 1
        body, i = css[start+1:end-1], end
        if head.startswith(('@media', '@supports')): body = used(body, words)
        elif not head.lstrip().startswith('@'):
            parts = re.split(r',(?![^(]*\))', head) # at no comma inside brackets
            head = ','.join(s for s in parts if set(re.findall(r'\.(-?[_a-zA-Z][\w-]*)', s)) <= words)
        if head.strip() and body: kept.append(f'{head}{{{body}}}')
    return ''.join(kept)

def slim(libs, pages):
    "Leave out of the themes and the icons in `libs` what none of `pages` uses"
    from fontTools.subset import Options, Subsetter, load_font, save_font
    sources = [*pages, *libs.rglob('*.js'), libs/'smalldocs.css']
    words = set(re.findall(r'[\w-]+', ' '.join(p.read_text(encoding='utf-8') for p in sources)))
    for path in libs.glob('themes/*.css'):
        text = path.read_text(encoding='utf-8')
        licences = ''.join(re.findall(r'/\*!.*?\*/', text, re.S))
        text = re.sub(r'@import url\([^)]*\);?|@charset[^;]*;|/\*.*?\*/', '', text, flags=re.S)
        path.write_text(licences + used(text, words), encoding='utf-8')
    icons, folder = libs/'bootstrap-icons'/'bootstrap-icons.min.css', libs/'bootstrap-icons'/'fonts'
    styles = (libs/'smalldocs.css').read_text(encoding='utf-8')
    whole = icons.read_text(encoding='utf-8')
    css = used(re.sub(r'/\*.*?\*/', '', whole, flags=re.S), words)
    css = re.sub(r'src:[^}]*', 'src:url("fonts/bootstrap-icons.woff") format("woff")', css)
    icons.write_text(''.join(re.findall(r'/\*!.*?\*/', whole, re.S)) + css, encoding='utf-8')
    options = Options()
    options.flavor = 'woff'
    logging.getLogger('fontTools').setLevel(logging.ERROR) # it warns of two bytes too many in the font
    font = load_font(folder/'bootstrap-icons.woff', options)
    few = Subsetter(options)
    few.populate(unicodes=[int(code, 16) for code in re.findall(r'\\([0-9a-fA-F]{4})', css + styles)])
    few.subset(font)
    save_font(font, folder/'bootstrap-icons.woff', options)
    (folder/'bootstrap-icons.woff2').unlink()

def published():
    "The address of the published site"
    config = ConfigParser(delimiters=['='])
    config.read(root/'settings.ini', encoding='utf-8')
    return config['DEFAULT']['doc_host'] + config['DEFAULT']['doc_baseurl']

def mended(text, up, site):
    "`text` of a page, `up` from the root of `site`, with addresses that hold wherever the site is"
    def line(match): # nbdev knows the lines of what a chapter exports, and not of what the reference shows
        number = _get_exps(match[2]).get(match[5])
        return f"{match[1]}{match[2]}{f'#L{number}' if number else ''}{match[3]}{match[4]}{match[5]}"
    from nbdev.doclinks import _get_exps
    text = text.replace(katex, f'{up}katex').replace(f'href="{site}/', f'href="{up}')
    text = re.sub(rf'content="{site}/[^"]*?(images/card\.png)"', rf'content="{site}/\1"', text) # it looks beside the page
    return re.sub(r'(href="[^"]*?)(fastgroundup/\w+\.py)#LNone(")([^>]*>source</a></p>\s*<h3[^>]*>)([\w.]+)', line, text)

def build(strict=True):
    "Build the site and put it in place of the one before; if `strict`, not where `check_nbs.py` finds something wrong"
    start, found = time.perf_counter(), problems()
    if found and strict: raise RuntimeError('\n'.join(found))
    print(*found, sep='\n', end='\n' if found else '', flush=True)
    made = subprocess.run([sys.executable, '-W', 'ignore', __file__, '--process'], capture_output=True, text=True)
    if made.returncode: raise RuntimeError(f'nbdev: {made.stderr[-3000:]}')
    proc = root/'_proc'
    smalldocs = Path(sys.executable).parent/'smalldocs'
    if not smalldocs.exists():
        raise RuntimeError("no smalldocs here; wanted for the pages: pip install -c constraints.txt -e '.[dev,docs]'")
    made = subprocess.run([smalldocs, 'render'], cwd=proc, capture_output=True, text=True)
    if made.returncode: raise RuntimeError(f'smalldocs: {made.stdout}{made.stderr}')
    out, new, site = proc/'_docs', renamed(proc), published()
    old = re.compile(rf"(?<![\w-])({'|'.join(new)})(?=\.(?:html|llms\.md)\b)")
    (out/'figures').mkdir()
    for path in sorted(p for p in out.rglob('*') if p.suffix in ('.html', '.md', '.txt', '.json', '.xml')):
        text = before = path.read_text(encoding='utf-8')
        if 'site_libs' not in path.parts: text = old.sub(lambda m: new[m[1]], text)
        if path.suffix == '.html':
            up, source = '../'*(len(path.relative_to(out).parts) - 1), proc/path.relative_to(out).with_suffix('.ipynb')
            text = mended(text, up, site)
            if source.exists(): text = figures(source, text, out/'figures')
        if text != before: path.write_text(text, encoding='utf-8')
        name = old.sub(lambda m: new[m[1]], path.name)
        if name != path.name: path.rename(path.with_name(name))
    shutil.copytree(root/'tools'/'katex', out/'katex')
    slim(out/'site_libs', out.rglob('*.html'))
    aside = Path(tempfile.mkdtemp(dir=root, prefix='.docs-'))
    if (root/'_docs').exists(): (root/'_docs').rename(aside/'_docs')
    out.rename(root/'_docs')
    shutil.rmtree(aside)
    pages = list((root/'_docs').rglob('*.html'))
    print(f'{len(pages)} pages in _docs, in {time.perf_counter()-start:.0f} s', flush=True)

def server(port=0):
    "Serve _docs on localhost, in a thread; port 0: any that is free"
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args): super().__init__(*args, directory=root/'_docs')
        def log_message(self, *args): pass
    found = http.server.ThreadingHTTPServer(('127.0.0.1', port), Quiet)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    return found

def state():
    "When each file of the notebooks and the package changed, but for the two that a build writes"
    paths = (p for folder in ('nbs', 'fastgroundup') for p in (root/folder).rglob('*.*'))
    return {p: p.stat().st_mtime for p in paths if p.is_file() and p.name not in ('nbdev.yml', '_modidx.py')}

def watch(seen):
    "Build the site again whenever `state()` is not what was `seen`"
    while True:
        time.sleep(1)
        if state() == seen: continue
        seen = state()
        try: build(strict=False)
        except (RuntimeError, OSError) as e: print(f'not built: {e}', flush=True)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--serve', action='store_true', help='preview it on localhost, built again when a notebook changes')
    parser.add_argument('--port', type=int, default=8000, help='of the preview')
    parser.add_argument('--process', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.process: return process()
    if args.serve:
        try: served = server(args.port)
        except (OSError, OverflowError) as e: sys.exit(f'port {args.port}: {e}; --port takes another')
    try:
        seen = state()
        build(strict=not args.serve)
        if not args.serve: return
        print(f'http://127.0.0.1:{served.server_port}/ (Ctrl-C ends)', flush=True)
        watch(seen)
    except RuntimeError as e: sys.exit(str(e))
    except KeyboardInterrupt: print()

if __name__ == '__main__': main()
