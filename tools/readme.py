"Write README.md, and the pictures in it, from nbs/index.ipynb; with --check, say whether they are what the notebook gives."
import argparse, os, re, sys
from pathlib import Path
import yaml
from execnb.nbio import read_nb
from nbdev.processors import FilterDefaults

root = Path(__file__).resolve().parent.parent

def markdown(nb):
    "The Markdown of the processed notebook `nb`, and `{path: text}` of its pictures"
    parts, pictures = [], {}
    for cell in nb.cells:
        if cell.cell_type == 'raw':
            about = yaml.safe_load(cell.source.strip().strip('-'))
            parts.append(f"# {about['title']}\n\n> {about['description']}")
        elif cell.cell_type == 'markdown':
            plain = re.sub(r'(\]\([^)]*\))\{\.\w+\}', r'\1', cell.source.strip()) # a class of a link is for the site
            parts.append(re.sub(r'\]\(([\w/]+\.ipynb)\)', r'](nbs/\1)', plain))
        else:
            options = dict(re.findall(r'^#\|\s*([\w-]+):\s*(.*)$', cell.source, flags=re.M))
            code = re.sub(r'^#\|.*\n', '', cell.source, flags=re.M).strip()
            if options.get('echo') != 'false': parts.append(f'```python\n{code}\n```')
            for out in cell.get('outputs', []):
                data = out.get('data', {'text/plain': out.get('text', '')})
                if 'image/svg+xml' in data:
                    path = f'nbs/images/readme-{len(pictures)+1}.svg'
                    pictures[path] = ''.join(data['image/svg+xml'])
                    parts.append(f"![{options['fig-alt']}]({path})\n\n*{options['fig-cap']}*")
                else: parts.append(f"```text\n{''.join(data['text/plain']).strip()}\n```")
    return '\n\n'.join(parts) + '\n', pictures

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 if anything would change')
    check = parser.parse_args().check
    os.chdir(root)
    processor = FilterDefaults().nb_proc(read_nb('nbs/index.ipynb'))
    processor.process()
    text, files = markdown(processor.nb)
    files['README.md'] = text
    stale = [p for p,s in files.items() if not Path(p).exists() or Path(p).read_text(encoding='utf-8') != s]
    if check and stale: sys.exit(f"{', '.join(stale)}: not what nbs/index.ipynb gives; run: python tools/readme.py")
    for p in stale:
        part = Path(f'{p}.part')
        part.write_text(files[p], encoding='utf-8')
        os.replace(part, p)
        print(f'wrote {p}')

if __name__ == '__main__': main()
