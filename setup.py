"Packaging for fastgroundup: every value comes from settings.ini."
from configparser import ConfigParser
from pathlib import Path
import re, shlex
from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=['='])
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
lib = cfg['lib_name']

def absolute(match): # addresses that lead somewhere from anywhere
    return f"{match[1]}{cfg['git_url']}/{'raw' if match[1][0] == '!' else 'blob'}/{cfg['branch']}/{match[2]}"
readme = re.sub(r'(!?\[[^\]]*\]\()((?!https?:|#)[^)]+)', absolute, (here/'README.md').read_text(encoding='utf-8'))

setup(
    name=lib, version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'], license=cfg['license'],
    author=cfg['author'], author_email=cfg['author_email'], url=cfg['git_url'],
    classifiers=[f"Intended Audience :: {cfg['audience']}", f"Natural Language :: {cfg['language']}"],
    long_description=readme, long_description_content_type='text/markdown',
    python_requires=f">={cfg['min_python']}",
    packages=find_packages(include=[lib, f'{lib}.*']), include_package_data=False,
    package_data={lib: shlex.split(cfg['package_data'])},
    install_requires=shlex.split(cfg['requirements']),
    extras_require={k.removesuffix('_requirements'): shlex.split(v) for k,v in cfg.items() if k.endswith('_requirements')},
    entry_points={'console_scripts': shlex.split(cfg['console_scripts']), 'nbdev': [f'{lib}={lib}._modidx:d']},
    zip_safe=False,
)
