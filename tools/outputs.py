"""Run the notebooks from top to bottom in Jupyter's kernel, as `jupyter nbconvert --execute` does, and compare each stored output
with the fresh one; with --update, where one differs, store the fresh ones of the notebook, cleaned: what one page shows comes of
one run, figures and tables alike.

Compared are the texts, without addresses, paths and line numbers of sources. Whole numbers are equal, others within a
thousandth, and those that are rounding alone (below 1e-5) within a factor of 100. Of figures, that there is one and of which
kind. In a cell marked as timed or trained any number may stand for a number, but for shapes, nan and inf. Needs the extras
dev and bench, as what is not installed is not in the tables."""
import argparse, difflib, json, math, os, re, shutil, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4.rwbase import split_lines

from check_nbs import in_notebook, notebooks, root, source, timed, trained, where

number = re.compile(r'(?<![\w.])[-−+]?\d[\d,]*(?:\.\d*)?(?:e[-+]?\d+)?(?![\w.]*\w)')
units = re.compile(r'\b(?:(ns|µs|ms|s)|(B|kB|MB|GB))\b')

def fresh(path):
    "What the cells of the notebook at `path` print, run from top to bottom in a kernel of Jupyter's: {'error', 'outputs', 'seconds'}"
    start, env = time.perf_counter(), {'OMP_WAIT_POLICY': 'PASSIVE', **os.environ, 'PYTHONPATH': str(root), 'PYDEVD_DISABLE_FILE_VALIDATION': '1'}
    nb, error = nbformat.read(path, as_version=4), None
    client = NotebookClient(nb, timeout=1200, kernel_name='python3', resources={'metadata': {'path': str(path.parent)}}, coalesce_streams=True)
    cells = [c for c in nb.cells if c.cell_type == 'code']
    for c in cells: c.outputs = []
    try: client.execute(env=env, stderr=subprocess.DEVNULL) # what cells write there comes by messages
    except CellExecutionError as e:
        at = next(c for c in cells if any(o.output_type == 'error' for o in c.outputs))
        cells = cells[:cells.index(at)]
        error = f'{where(path, nb.cells.index(at), at)}: it does not run: {e.ename}: {e.evalue}'
    except (CellTimeoutError, DeadKernelError, RuntimeError) as e: error, cells = f'{path.relative_to(root).as_posix()}: it does not run: {e}', []
    kept = [c.id for c in cells if re.search(r'^#\|\s*eval:\s*false', c.source, re.M)] # what such a cell holds stays
    split_lines(nb)
    shown = {c.id: c.outputs for c in cells if c.id not in kept}
    return {'error': error, 'outputs': shown, 'seconds': time.perf_counter() - start}

def texts(outputs):
    "`(kind, text)` of what a cell shows, streams joined, figures without their contents"
    found = []
    for out in outputs:
        if out['output_type'] == 'stream':
            text = ''.join(out['text'])
            if found and found[-1][0] == out['name']: text = found.pop()[1] + text
            found.append((out['name'], text))
        elif out['output_type'] == 'error': found.append(('error', f"{out['ename']}: {out['evalue']}"))
        else:
            figures = [k for k in out['data'] if k.startswith('image/')]
            kinds = figures or [k for k in out['data'] if k.startswith('text/')]
            found += [(k, '' if figures else ''.join(out['data'][k])) for k in sorted(kinds)]
    return [(kind, plain(text)) for kind,text in found]

def plain(text):
    "`text` without what differs from one run, or one machine, to the next"
    text = re.sub(r'\x1b\[[\d;]*m', '', text)
    text = re.sub(r'( at)? 0x[0-9a-f]{4,}\b', '', text) # nbdev_clean takes addresses away
    text = re.sub(r'(\.py)(#L\w+|:\d+)', r'\1', text) # the line, of a link to the source or of a place in it
    text = text.replace(str(root), '…')
    text = re.sub(r'^.+, threads \d+, .+, torch .+$', 'the machine', text, flags=re.M) # as `bench` names it
    text = re.sub(r'/(?:tmp|var/folders)/[\w./-]+', '…', text)
    return '\n'.join(line.rstrip() for line in text.strip().splitlines())

def value(s): return float(s.replace(',', '').replace('−', '-'))

def near(x, y):
    "Whether two numbers, as they are written, are near enough to come of the same computation on another machine"
    if x == y: return True
    if re.fullmatch(r'[-−+]?[\d,]+', x + y): return False
    small, large = sorted((abs(value(x)), abs(value(y))))
    if large < 1e-5: return large <= 100*small or large < 1e-12
    return math.isclose(value(x), value(y), rel_tol=1e-3)

def same(a, b, loose):
    "Whether two texts say the same: words alike, numbers near each other or, if `loose`, any number for a number"
    if loose: # tables of times change their width, and their units, with them
        shape = re.compile(r'\(\d+(?:, ?\d+)*,?\)')
        words = [units.sub(lambda m: 'time' if m[1] else 'size', number.sub('#', t)) for t in (a, b)]
        return (shape.findall(a) == shape.findall(b) and
                re.sub(r'[ \-─]+', '', words[0]) == re.sub(r'[ \-─]+', '', words[1]))
    return number.sub('#', a) == number.sub('#', b) and all(map(near, number.findall(a), number.findall(b)))

def differences(cell, outputs):
    "In words, how `outputs` differ from those stored in `cell`; None where they do not"
    loose = timed in source(cell) or trained in source(cell)
    stored, new = texts(cell['outputs']), texts(outputs)
    if [k for k,_ in stored] != [k for k,_ in new]:
        return f'stored {[k for k,_ in stored] or "nothing"}, fresh {[k for k,_ in new] or "nothing"}'
    for (kind,a),(_,b) in zip(stored, new):
        if same(a, b, loose): continue
        lines = [l for l in difflib.ndiff(a.splitlines(), b.splitlines()) if l[0] in '-+']
        at = max(0, len(os.path.commonprefix([l[2:] for l in lines[:2]])) - 80) # near where they part
        return '\n'.join(('  stored  ' if l[0] == '-' else '  fresh   ') + l[2:][at if len(l) > 200 else 0:][:200] for l in lines[:8])

def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('notebooks', nargs='*', type=Path, help='those to run; none: all')
    parser.add_argument('--update', action='store_true', help='store the fresh outputs of notebooks of which a cell differs, cleaned')
    args = parser.parse_args()
    paths = [p.resolve() for p in args.notebooks] or notebooks()
    for path in paths:
        if not path.is_file() or not path.is_relative_to(root/'nbs'): sys.exit(f'{path}: no such notebook in {root/"nbs"}')
    wrong = [line for path in paths for line in in_notebook(path) if 'no notebook (' in line or 'have the id' in line]
    if wrong: sys.exit('\n'.join(wrong))
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for path,result in zip(paths, pool.map(fresh, paths)):
            nb, stale = json.loads(path.read_text(encoding='utf-8')), 0
            for i,cell in enumerate(nb['cells']):
                if cell['cell_type'] != 'code' or cell['id'] not in result['outputs']: continue
                words = differences(cell, result['outputs'][cell['id']])
                if not words: continue
                stale += 1
                print(f'{where(path, i, cell)}: {"updated" if args.update else "not what it prints"}\n{words}')
            for cell in nb['cells'] if args.update and stale else ():
                if cell['cell_type'] == 'code' and cell['id'] in result['outputs']: cell['outputs'] = result['outputs'][cell['id']]
            if result['error']: print(result['error'])
            elif args.update:
                with tempfile.TemporaryDirectory(dir=root, prefix='.outputs-') as folder:
                    part, clean = Path(folder)/path.name, Path(sys.executable).with_name('nbdev_clean')
                    part.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
                    subprocess.run([clean, '--fname', part], check=True, cwd=root)
                    shutil.copymode(path, part)
                    os.replace(part, path)
            failed += bool(result['error']) or stale > 0 and not args.update
            words = 'does not run' if result['error'] else f'{stale} stale' if stale else 'ok'
            print(f'{path.relative_to(root)}: {words} ({result["seconds"]:.0f} s)', flush=True)
    if failed: sys.exit(f'{failed} of {len(paths)} notebooks do not run, or hold what they do not print; '
                        'python tools/outputs.py --update stores what they do')

if __name__ == '__main__':
    try: main()
    except KeyboardInterrupt: sys.exit(130)
