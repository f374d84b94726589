"""Run the notebooks as nbdev_test does and compare each stored output with the fresh one; with --update, store the fresh
ones, cleaned.

Compared are the texts, without addresses, paths and line numbers of sources. Whole numbers are equal, others within a
thousandth, and those that are rounding alone (below 1e-5) within a factor of 100. Of figures, that there is one and of which
kind. In a cell marked as timed or trained any number may stand for a number, but for shapes, nan and inf. Needs the extras
dev and bench, as what is not installed is not in the tables."""
import argparse, difflib, json, math, os, re, shutil, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from check_nbs import in_notebook, notebooks, root, source, timed, trained, where

number = re.compile(r'(?<![\w.])[-−+]?\d[\d,]*(?:\.\d*)?(?:e[-+]?\d+)?(?![\w.]*\w)')
units = re.compile(r'\b(?:(ns|µs|ms|s)|(B|kB|MB|GB))\b')

def not_run(cell): return cell.cell_type != 'code' or bool(re.search(r'^#\|\s*(eval:\s*false|notest)', cell.source, re.M))

def run(path, to):
    "Run the notebook at `path` in this process and write its cells' outputs to `to`, with the error that ended it"
    from execnb.nbio import read_nb
    from execnb.shell import CaptureShell
    nb = read_nb(path)
    os.chdir(path.parent)
    shell = CaptureShell(path)
    error = at = None
    def skipped(cell):
        nonlocal at
        at = cell
        return not_run(cell)
    for cell in nb.cells: # what is not run keeps what it has
        if not not_run(cell): cell.outputs = []
    try: shell.run_all(nb, exc_stop=True, preproc=skipped)
    except BaseException as e: error = f'{where(path, nb.cells.index(at), at)}: it does not run: {type(e).__name__}: {e}'
    ran = [c for c in nb.cells if not not_run(c)]
    if error: ran = ran[:[c.id for c in ran].index(at.id)]
    to.write_text(json.dumps({'error': error, 'outputs': {c.id: list(c.outputs) for c in ran}}), encoding='utf-8')

def fresh(path):
    "What `run` says of the notebook at `path`, in a process of its own, and how many seconds it took"
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        to, name = Path(folder)/'outputs.json', path.relative_to(root).as_posix()
        command = [sys.executable, __file__, '--run', str(path), str(to)]
        environ = {'OMP_WAIT_POLICY': 'PASSIVE', **os.environ, 'PYTHONPATH': str(root)} # two share the cores
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environ)
        if to.exists(): found = json.loads(to.read_text(encoding='utf-8'))
        else: found = {'error': f'{name}: it ended with status {done.returncode} {done.stderr[-2000:]}'.strip(), 'outputs': {}}
    return found | {'seconds': time.perf_counter() - start}

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
        return '\n'.join(('  stored  ' if l[0] == '-' else '  fresh   ') + l[2:202] for l in lines[:8])

def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('notebooks', nargs='*', type=Path, help='those to run; none: all')
    parser.add_argument('--update', action='store_true', help='store the fresh outputs of the cells that differ, cleaned')
    parser.add_argument('--run', nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run: return run(*args.run)
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
                if args.update: cell['outputs'] = result['outputs'][cell['id']]
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
