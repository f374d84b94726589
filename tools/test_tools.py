"The tools find what is wrong: each mistake is planted in a scratch copy, and is named with its notebook and its cell."
import json, os, re, shutil, subprocess, sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent

def copy_to(folder):
    "A copy of the project in `folder`, without what git ignores"
    command = ['git', 'ls-files', '-co', '--exclude-standard', '-z']
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split('\0')):
        if not (root/name).is_file(): continue
        (folder/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root/name, folder/name)
    return folder

@pytest.fixture
def scratch(tmp_path): return copy_to(tmp_path)

def tool(folder, name, *args, **env):
    "What the tool `name` of the copy in `folder` says, and its exit status"
    command, environ = [sys.executable, folder/'tools'/f'{name}.py', *args], {**os.environ, 'PYTHONPATH': str(folder), **env}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environ)
    return done.returncode, done.stdout + done.stderr

def read(path): return json.loads(path.read_text(encoding='utf-8'))
def write(path, nb): path.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
def new(path, *cells): write(path, {'cells': [*cells], 'metadata': {}, 'nbformat': 4, 'nbformat_minor': 5})

def cell(kind, source, outputs=None, id='planted0'):
    code = {'execution_count': None, 'outputs': outputs or []} if kind == 'code' else {}
    return {'cell_type': kind, 'id': id, 'metadata': {}, 'source': source, **code}

def plant(path, *cells):
    "Put `cells` at the end of the notebook at `path`; where the first of them stands, as the tools say it"
    nb = read(path)
    nb['cells'] += cells
    write(path, nb)
    return f"nbs/{path.name}, cell {len(nb['cells']) - len(cells)} ({cells[0]['id']})"

printed = [{'name': 'stdout', 'output_type': 'stream', 'text': 'it took 12.5 ms'}]
picture = [{'output_type': 'display_data', 'metadata': {}, 'data': {'image/svg+xml': '<svg></svg>'}}]

def test_nothing_is_wrong(scratch):
    notebooks = len(list((scratch/'nbs').rglob('*.ipynb')))
    assert notebooks > 20 and tool(scratch, 'check_nbs') == (0, f'{notebooks} notebooks, 0 problems\n')

@pytest.mark.parametrize('planted, words', [
    (cell('code', 'def f(:\n    pass'), 'syntax error in line 1'),
    (cell('code', 'return 5'), "syntax error in line 1: 'return' outside function"),
    (cell('code', '#| exprot\nx = 1'), 'unknown directive exprot; is it export?'),
    (cell('code', '#| hide\nx = 1'), 'folded on the page and open in JupyterLab'),
    (cell('code', 'x = 1\n#| hide'), '#| hide below the first line of code is not read'),
    (cell('markdown', '![a drawing](images/none.svg)'), 'the image images/none.svg leads nowhere'),
    (cell('markdown', '`<<<<<<< HEAD`'), 'a conflict that is not settled'),
    (cell('markdown', '![](images/favicon.svg)'), 'the image images/favicon.svg has no description'),
    (cell('markdown', '<img src="images/favicon.svg">'), 'has no alt'),
    (cell('markdown', 'See [there](01_foward.ipynb).'), 'the link 01_foward.ipynb leads nowhere'),
    (cell('code', '#| fig-cap: A drawing\nf()', picture), 'a figure without fig-alt'),
    (cell('code', '#| fig-alt: A drawing\nf()', picture), 'a figure without fig-cap'),
    (cell('code', '#| fig-cap: Two: a and b\n#| fig-alt: A drawing\nf()', picture), 'fig-cap is no text in YAML; wanted quotes'),
    (cell('code', 'f()', printed), 'it prints a time (12.5 ms)'),
    (cell('code', '#| export\ndef unseen(x): return x'), 'not what fastgroundup/forward.py holds; nbdev_export writes it'),
])
def test_check_nbs_names(scratch, planted, words):
    place = plant(scratch/'nbs'/'01_forward.ipynb', planted)
    status, said = tool(scratch, 'check_nbs')
    assert status == 1 and any(line.startswith(f'{place}: ') and words in line for line in said.splitlines()), said

def test_check_nbs_names_what_is_not_there(scratch):
    for path,there,instead,words in (('fastgroundup/norm.py', '        _refuse_unlike(w, b)', '        _refuse_unheard(w, b)', 'fastgroundup/norm.py: uses _refuse_unheard'),
                                     ('nbs/02_backward.ipynb', 'out.g * (inp > 0)', 'out.g.where(inp > 0, 0.)', 'of 02_backward stands in 0 exported cells')):
        text = (scratch/path).read_text(encoding='utf-8')
        assert there in text
        (scratch/path).write_text(text.replace(there, instead), encoding='utf-8')
        status, said = tool(scratch, 'check_nbs')
        assert status == 1 and words in said, said
        (scratch/path).write_text(text, encoding='utf-8')

def test_check_nbs_names_what_is_no_notebook(scratch):
    path = scratch/'nbs'/'01_forward.ipynb'
    path.write_text(path.read_text(encoding='utf-8').replace('"cells": [', '<<<<<<< HEAD\n"cells": [', 1), encoding='utf-8')
    status, said = tool(scratch, 'check_nbs')
    assert status == 1 and 'nbs/01_forward.ipynb: no notebook' in said
    assert 'nbdev_fix nbs/01_forward.ipynb mends a conflict' in said

def test_check_nbs_leaves_right_ones_alone(scratch):
    for source in ('$f[i](x)$ and $$g[j](y)$$', '<!-- <img src="none.png"> -->', '`[x](none.ipynb)`'):
        plant(scratch/'nbs'/'01_forward.ipynb', cell('markdown', source, id=f'p{len(source)}'))
    plant(scratch/'nbs'/'01_forward.ipynb', cell('code', '%timeit -n1 1\n!true\nawait f()', id='magic'))
    status, said = tool(scratch, 'check_nbs')
    assert status == 0, said
    (scratch/'a b').mkdir()
    assert tool(copy_to(scratch/'a b'), 'check_nbs')[0] == 0 # a path with a space

def test_check_nbs_names_what_nobody_can_look_up(scratch):
    plant(scratch/'nbs'/'01_forward.ipynb', cell('code', '#| export\ndef unseen(x): return x'))
    new(scratch/'nbs'/'09_alone.ipynb', cell('markdown', '# Alone\n> Nobody links here'), cell('code', '#| export\nx = 1'))
    said = tool(scratch, 'check_nbs')[1]
    assert 'nbs/09_alone.ipynb: it exports without saying where to' in said
    new(scratch/'nbs'/'09_alone.ipynb', cell('markdown', '# Alone\n> Nobody links here'), cell('markdown', 'x'))
    (scratch/'fastgroundup'/'orphan.py').write_text('x = 1\n')
    said = tool(scratch, 'check_nbs')[1]
    assert 'nbs/reference/forward.ipynb: no show_doc of unseen' in said
    assert 'nbs/09_alone.ipynb: not in the sidebar' in said
    assert 'fastgroundup/orphan.py: no notebook exports it' in said
    assert 'nbs/09_alone.ipynb: 2 cells have the id planted0' in said

def test_docs_refuses_and_keeps_the_site_before(scratch):
    (scratch/'_docs').mkdir()
    (scratch/'_docs'/'before').touch()
    place = plant(scratch/'nbs'/'01_forward.ipynb', cell('code', 'def f(:'))
    status, said = tool(scratch, 'docs')
    assert status == 1 and place in said and 'Traceback' not in said and (scratch/'_docs'/'before').exists()

def test_docs_wants_each_drawing_described(scratch):
    plant(scratch/'nbs'/'06c_explore.ipynb', cell('markdown', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'))
    status, said = tool(scratch, 'docs')
    assert status == 1 and '06c_explore.ipynb: 1 drawings in the page and 0 in outputs' in said, said

def test_outputs(scratch):
    path = scratch/'nbs'/'99_planted.ipynb'
    cells = [cell('code', source, id=f'planted{i}') for i,source in enumerate((
        'import matplotlib.pyplot as plt', '0.12345678', '["a", 1000, 3.5]', 'print("three words here")',
        'fig, ax = plt.subplots()\nplt.close(fig)\nfig', 'object()',
        '# timed: the figures differ from run to run\nimport time\nprint(f"{time.perf_counter():.2f} ms (50, 784)")', '1 + 1',
        '(3e-12, 40000)'))]
    new(path, cell('markdown', '# Planted\n> For a test', id='title'), *cells)
    assert tool(scratch, 'outputs', '--update', path)[0] == 0
    true = path.read_bytes()
    assert tool(scratch, 'outputs', path)[0] == 0
    assert tool(scratch, 'outputs', '--update', path)[0] == 0 and path.read_bytes() == true # again changes nothing
    def falsified(i, change):
        nb = json.loads(true)
        change(nb['cells'][i+1]['outputs'])
        write(path, nb)
        status, said = tool(scratch, 'outputs', path)
        return status == 1 and f'nbs/99_planted.ipynb, cell {i+1} (planted{i}): not what it prints' in said, said
    def put(key, value): return lambda outputs: outputs[0].get('data', outputs[0]).update({key: value})
    for i,change in ((1, put('text/plain', '0.12445678')), (2, put('text/plain', "['a', 1001, 3.5]")),
                     (2, put('text/plain', "['b', 1000, 3.5]")), (3, put('text', 'three other words')),
                     (4, lambda outputs: outputs.clear()), (5, put('text/plain', '<list at 0x7f00>')),
                     (6, put('text', 'no time at all')), (6, put('text', 'nan ms (50, 784)')),
                     (6, put('text', '2.0 ms (50, 783)')), (6, put('text', '2.0 kB (50, 784)')), (7, put('text/plain', '3')),
                     (8, put('text/plain', '(9e-07, 40000)')), (8, put('text/plain', '(3e-12, 40001)'))):
        assert falsified(i, change)[0], falsified(i, change)[1]
    assert tool(scratch, 'outputs', '--update', path)[0] == 0
    assert re.sub(rb'0x\w+|[\d.]+ ms', b'', path.read_bytes()) == re.sub(rb'0x\w+|[\d.]+ ms', b'', true)

def test_outputs_names_the_cell_that_does_not_run(scratch):
    path = scratch/'nbs'/'reference'/'explore.ipynb'
    before = path.read_bytes()
    for source,words in (('1/0', 'ZeroDivisionError'), ('def f(:', 'SyntaxError'), ('raise SystemExit(0)', 'SystemExit')):
        path.write_bytes(before)
        place = plant(path, cell('code', source)).replace('nbs/', 'nbs/reference/')
        planted = path.read_bytes()
        status, said = tool(scratch, 'outputs', path)
        assert status == 1 and f'{place}: it does not run: {words}' in said, said
        assert tool(scratch, 'outputs', '--update', path)[0] == 1 and path.read_bytes() == planted # nothing is written

def test_check_site(scratch):
    (scratch/'tools'/'node_modules').symlink_to(root/'tools'/'node_modules')
    path = scratch/'nbs'/'06c_explore.ipynb'
    places = [plant(path, cell('markdown', source, id=f'planted{i}')) for i,source in enumerate((
        'See [there](01_forward.ipynb#no-such-heading).', r'The formula $\frac{1$ is not closed.',
        f'<div style="width: 900px">{"wide " * 60}</div>', '<p><span style="color: #bbb">pale words</span></p>'))]
    status, said = tool(scratch, 'docs')
    assert status == 0, said
    page = scratch/'_docs'/'index.html'
    text = page.read_text(encoding='utf-8')
    text = re.sub(r'(<img src="figures/[^>]*) alt="[^"]*"', r'\1', text, count=1)
    text = text.replace('</body>', '<img src="https://example.com/x.png" alt="x"><img src="none.png" alt="x">'
                        '<script>console.error("planted words"); missing.call()</script></body>')
    text = re.sub('<a (href="train.html" class="sidebar-item-text)', r'<a tabindex="-1" \1', text)
    played = scratch/'_docs'/'play.html'
    shown = played.read_text(encoding='utf-8')
    assert '<td>2<td>−1</table>' in shown
    shown = shown.replace('<td>2<td>−1</table>', '<td>7<td>−1</table>', 1).replace('</main>', '<p>See [there](data.html).</p></main>')
    played.write_text(shown, encoding='utf-8')
    (scratch/'_docs'/'leftover.html').write_text('<!DOCTYPE html><title>x</title>', encoding='utf-8')
    (scratch/'_docs'/'search.json').write_text('[]', encoding='utf-8')
    page.write_text(text + f'<!-- {"x" * 1_500_000} -->', encoding='utf-8')
    status, said = tool(scratch, 'check_site', 'explore.html', 'index.html', 'data.html', 'play.html')
    assert status == 1
    for words in (f'explore.html ({places[0]}): the link forward.html#no-such-heading leads to no such place',
                  f'explore.html ({places[1]}): the formula', f'explore.html ({places[2]}): wider than a phone',
                  'color-contrast (serious, light)', 'leftover.html: no notebook makes this page',
                  'has no description', 'it asks another machine for https://example.com/x.png', '404 for none.png',
                  'the console says: planted words', 'an error on the page: missing is not defined', 'MB with all that it loads',
                  'says out[0, 0] = 1 × 1 + 2 × 0.5 + 0 = 7, which is 2', 'a link that is none, [there](data.html)',
                  'searching for lin_grad shows nothing', 'train.html (nbs/07_train.ipynb): Tab does not reach it in the sidebar'):
        assert any(words in line for line in said.splitlines()), (words, said)
    assert not re.search(r'^data\.html', said, re.M), said # which has nothing planted in it

def test_sums_in_players():
    from check_site import unequal
    def line(text): # numbers in brackets
        return [[p] if i % 2 else p for i,p in enumerate(re.split(r'[⟨⟩]', text))]
    for right in ('a[0] = ⟨1.23⟩ × ⟨4.56⟩ = ⟨5.61⟩', 'a = (⟨1⟩ + ⟨2⟩) / 2 = ⟨1.5⟩', 'a = the largest of ⟨1⟩, ⟨−2⟩ = ⟨1⟩', 'a = (⟨−3⟩) ** 2 = ⟨9⟩',
                  'a = ⟨2⟩ × (⟨0.1⟩ > 0) = ⟨2⟩', 'a = ⟨1⟩', 'a = ⟨1⟩ + … 40 more = ⟨99⟩', 'a = exp(⟨1⟩) = ⟨2.72⟩'):
        assert unequal(line(right)) is None, right
    for wrong in ('a[0] = ⟨1.23⟩ × ⟨4.56⟩ = ⟨5.7⟩', 'a = ⟨1⟩ + ⟨2⟩ = ⟨3.1⟩', 'a = the largest of ⟨1⟩, ⟨−2⟩ = ⟨−2⟩', 'a = ⟨−3⟩ ** 2 = ⟨−9⟩', 'a = ⟨2⟩ × (⟨−0.1⟩ > 0) = ⟨2⟩'):
        assert unequal(line(wrong)), wrong

def test_pandoc(scratch):
    (scratch/'_proc').mkdir()
    new(scratch/'_proc'/'01_a.ipynb', cell('markdown', 'A [link](02_b.ipynb), `[code](x)` and $f](x)$.'))
    new(scratch/'_proc'/'02_b.ipynb', cell('markdown', 'Text.'))
    status, said = tool(scratch, 'pandoc')
    assert status == 0, said
    new(scratch/'_proc'/'02_b.ipynb', cell('markdown', '::: {.note}\n\nnever closed\n\n[`a`](b)](c)\n\n[gone](03_c.ipynb)'))
    status, said = tool(scratch, 'pandoc')
    assert status == 1 and 'wanted a link' in said and 'the link 03_c.ipynb leads to no page' in said, said

def test_check_site_says_what_is_missing(scratch):
    status, said = tool(scratch, 'check_site', PATH='')
    assert status == 1 and said.startswith('no Chromium here; wanted one to look at the pages with: apt-get install chromium')
    status, said = tool(scratch, 'check_site', PATH='', CHROMIUM=sys.executable)
    assert status == 1 and 'no axe-core' in said and 'apt-get install npm, then npm ci --prefix tools' in said
    assert 'Traceback' not in said

def test_readme_is_seen_to_differ(scratch):
    (scratch/'README.md').write_text('# other\n')
    status, said = tool(scratch, 'readme', '--check')
    assert status == 1 and 'README.md: not what nbs/index.ipynb gives; run: python tools/readme.py' in said
