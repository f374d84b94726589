"""Look at every page of the site in _docs with headless Chromium, wide and narrow, light and dark, and say what is wrong:

errors on the console, requests that fail or leave this machine, formulas that are not set, links and anchors that lead nowhere,
figures without a description, names of the package that prose mentions without a link, pages that scroll sideways on a phone or
weigh over 1.5 MB, what axe-core calls serious, a search that does not find lin_grad, pages that the keyboard does not reach,
players that do not play, and sums in them that are not what they say; chapters longer than fifteen screens, and more than ten blocks
that are cut at the right.
Build the site first: python tools/docs.py. Needs the extras dev and docs, Chromium, and axe-core (npm ci --prefix tools)."""
import argparse, functools, html, math, os, re, shutil, sys, time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import check_nbs, docs
from docs import root

axe = root/'tools'/'node_modules'/'axe-core'/'axe.min.js'
out = root/'_docs'
limit = 1_500_000 # bytes of a page with all that it loads, unpacked
screens, cut = 15, 10 # most screens of 900 pixels of a chapter, and blocks that are cut at the right in all pages, at 1280

look = """() => ({
  links: [...document.querySelectorAll('a[href]')].map(e => [e.getAttribute('href'), e.textContent.trim()]),
  raw: [...document.querySelectorAll('.math')].filter(e => !e.querySelector('.katex')).map(e => e.textContent),
  wrong: [...document.querySelectorAll('.katex-error')].map(e => e.textContent),
  tex: [...document.querySelectorAll('main p, main li, main td')].filter(e => !e.querySelector('.katex, pre, table'))
       .map(e => [...e.childNodes].filter(n => n.nodeType == 3).map(n => n.data).join(' ')).filter(t => /\\$\\$|\\\\\\(|\\\\\\[/.test(t)),
  images: [...document.querySelectorAll('main img')].map(e => [e.getAttribute('src'), e.alt.trim(), e.naturalWidth]),
  screens: document.documentElement.scrollHeight/900,
  cut: [...document.querySelectorAll('main pre, main table:not(.m), main .cell-output-display')].filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).length,
  drawings: [...document.querySelectorAll('main svg')].filter(e => !e.closest('.katex') && !e.getAttribute('aria-label')).length,
  cards: [...document.querySelectorAll('meta[property="og:image"], meta[name="twitter:image"]')].map(e => e.content),
  broken: [...document.querySelectorAll('main p, main li, main td')].map(e => e.textContent.match(/\\[[^\\]]*\\]\\([\\w./#-]+\\)/)?.[0]).filter(t => t),
  code: [...document.querySelectorAll('main pre')].filter(e => !e.closest('.cell-output-stdout')).map(e => e.textContent.match(/\\S*\\]\\(http\\S*/)?.[0]).filter(t => t),
  names: [...document.querySelectorAll('main p code, main li code')].filter(e => !e.closest('a, pre')).map(e => e.textContent),
})"""

played = """async () => { // for each player what its lines say, as text and numbers, and what does not work
  const found = [], parts = e => [...e.childNodes].flatMap(n => n.nodeType == 3 ? [n.data] : n.matches('.num') ? [[n.textContent]] : parts(n))
  for (const root of document.querySelectorAll('.player')) {
    const lines = [], wrong = [], at = () => root.querySelector('.step.at'), bar = s => root.querySelector('.bar ' + s)
    const press = word => [...root.querySelectorAll('.bar button')].find(b => b.textContent.includes(word)).click()
    found.push({ lines, wrong, name: root.getAttribute('aria-label') })
    if (!root.classList.contains('on')) { wrong.push('does not start'); continue }
    const n = +bar('[type=range]').max
    for (let i = 0; i < n; i++) {
      if (bar('.no').textContent != `${i + 1} / ${n}` || [...root.querySelectorAll('.step')].indexOf(at()) != i) wrong.push(`Next does not lead to step ${i + 1}`)
      if (!root.querySelector('.map .now')) wrong.push(`nothing lights up in step ${i + 1}`)
      for (const st of at().querySelectorAll('.st')) for (const td of st.querySelectorAll('.res td')) {
        td.click()
        const line = st.querySelector('.x')
        if (line?.childNodes.length) lines.push(parts(line))
      }
      if (i < n - 1) press('Next')
    }
    bar('[type=checkbox]').click()
    const shape = at().querySelectorAll('.st').length && JSON.parse([...at().querySelectorAll('.st')].at(-1).dataset.f).s
    if (shape?.length) {
      const picks = [...at().querySelectorAll('.guess button')], right = picks.find(b => b.textContent == (shape.length == 1 ? `(${shape},)` : `(${shape.join(', ')})`))
      if (!right || !at().querySelector('.blank')) wrong.push('Guess first hides nothing, or does not offer the shape')
      picks.find(b => b != right)?.click()
      if (!at().querySelector('.blank')) wrong.push('a wrong guess is taken for a right one')
      right?.click()
      if (at().querySelector('.blank')) wrong.push('a right guess changes nothing')
    }
    bar('[type=checkbox]').click()
    root.querySelector('.map').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home', bubbles: true }))
    if (bar('.no').textContent != `1 / ${n}`) wrong.push('Home does not lead to the first step')
    press('Play')
    if (bar('button:nth-of-type(3)').textContent != 'Pause') wrong.push('Play does not play')
    press('Pause')
  }
  return found }"""

class Functions(dict):
    "Names in a formula: torch's, on numbers"
    def __missing__(self, name):
        import torch
        return {'max': max, 'masked_fill': lambda a, m, v: v if m else a, 'where': lambda m, a, b: a if m else b}.get(name) or getattr(torch, name)

def unequal(line):
    """What is wrong with a line such as `out[0, 1] = 1 × −2 + 2 × 0.5 = −1`, None for nothing: its numbers, lists of one
    text, are rounded to three digits, so that their sum is right within what that can make of it"""
    import torch
    values = [float(p[0].replace('−', '-')) for p in line if isinstance(p, list)]
    places = iter(range(len(values)))
    formula = ''.join(f'v[{next(places)}]' if isinstance(p, list) else p for p in line).split(' = ')
    if len(formula) != 3 or '…' in formula[1]: return
    text = formula[1].replace('×', '*').replace('−', '-')
    if text.startswith('the largest of '): text = f"max([{text.removeprefix('the largest of ')}])"
    def result(values): return float(eval(text, Functions(v=[torch.tensor(v, dtype=torch.float64) for v in values])))
    def half(v): return 0.5*10**(math.floor(math.log10(abs(v))) - 2) if v and math.isfinite(v) else 0
    *values, said = values
    is_ = result(values)
    if is_ == said: return
    moved = [[abs(result([*values[:i], v + sign*half(v), *values[i+1:]]) - is_) for sign in (-1, 1)] for i,v in enumerate(values)]
    if not abs(is_ - said) <= 1.5*(sum(map(max, moved)) + half(said)) + 1e-12: return f'{is_:.6g}'

def chromium():
    "The path of a Chromium; exits, saying how to get one, where there is none"
    names = [os.environ.get('CHROMIUM', ''), 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
    path = next(filter(None, map(shutil.which, filter(None, names))), None)
    return path or sys.exit('no Chromium here; wanted one to look at the pages with: apt-get install chromium, or set CHROMIUM to one')

def have_axe():
    "Exits, saying how to get it, where there is no axe-core"
    if axe.exists(): return
    npm = 'npm ci --prefix tools' if shutil.which('npm') else 'there is no npm either: apt-get install npm, then npm ci --prefix tools'
    sys.exit(f'no axe-core in tools/node_modules; wanted for the checks of contrast and landmarks: {npm}')

@functools.cache
def made_from():
    "`{page: notebook that it was made from}`"
    new = docs.renamed(root/'_proc')
    paths = {p.relative_to(check_nbs.nbs): p for p in check_nbs.notebooks()}
    return {name.with_name(new.get(name.stem, name.stem) + '.html').as_posix(): path for name,path in paths.items()}

class Pages:
    "What was found, page by page"
    def __init__(self, base):
        self.base, self.found, self.seen = base, defaultdict(list), {}
        self.pages = sorted(p.relative_to(out).as_posix() for p in out.rglob('*.html'))

    def say(self, page, words, *texts):
        "Note `words` about `page`, with the cell whose source holds the first of `texts` that any does"
        path = made_from().get(page)
        found = (check_nbs.place(path, lambda c: t in check_nbs.source(c)) for t in texts if path and t and t.strip())
        place = next(filter(None, found), path and path.relative_to(root).as_posix())
        line = f'{page} ({place}): {words}' if place else f'{page}: {words}'
        if line not in self.found[page]: self.found[page].append(line)

    def open(self, page, context):
        "A tab with `page` in it, watched from before it loads"
        tab, size = context.new_page(), []
        def asked(route):
            url = route.request.url
            if url.startswith((self.base, 'data:', 'blob:')): return route.continue_()
            self.say(page, f'it asks another machine for {url}', urlsplit(url).netloc)
            route.abort()
        def answered(response):
            name = response.url.removeprefix(self.base)
            if response.status >= 400: self.say(page, f'{response.status} for {name}', name.split('/')[-1])
            try: size.append(len(response.body()))
            except Exception: pass # an answer without a body
        tab.route('**/*', asked)
        tab.on('response', answered)
        def failed(request):
            if request.url.startswith(self.base): self.say(page, f'{request.url} failed: {request.failure}')
        def printed(message):
            if message.type == 'error' and 'Failed to load resource' not in message.text: # which is said above
                self.say(page, f'the console says: {message.text}')
        tab.on('requestfailed', failed)
        tab.on('console', printed)
        tab.on('pageerror', lambda e: self.say(page, f'an error on the page: {e}'))
        tab.goto(self.base + page, wait_until='load')
        return tab, size

    def look_at(self, page, context):
        "All that one page shows, wide and narrow, light and dark"
        tab, size = self.open(page, context)
        tab.wait_for_function("document.fonts.status == 'loaded'")
        seen = self.seen[page] = tab.evaluate(look)
        for text in seen['raw'] + seen['wrong'] + seen['tex']:
            self.say(page, f'the formula {text.strip()[:80]} is not set', re.sub(r'^\s*(\\[(\[]|\$+)|(\\[)\]]|\$+)\s*$', '', text))
        for src,alt,width in seen['images']:
            if not alt: self.say(page, f'the figure {src} has no description', src)
            if not width: self.say(page, f'the picture {src} does not show', src)
        for text in seen['broken']: self.say(page, f'a link that is none, {text}: nbdev puts its own round a name in backquotes', text)
        for text in seen['code']:
            self.say(page, f'a link inside code, {text}: nbdev puts it round a name of the package in backquotes')
        if seen['drawings']: self.say(page, f"{seen['drawings']} drawings inside the page have no description")
        if sum(size) > limit: self.say(page, f'{sum(size)/1e6:.2f} MB with all that it loads; wanted at most {limit/1e6} MB')
        seen['size'] = sum(size)
        if seen['screens'] > screens and 'reference' not in page: self.say(page, f"{seen['screens']:.1f} screens; wanted at most {screens}")
        seen['sums'] = self.play(page, tab)
        tab.add_style_tag(content='* { transition: none !important }') # colours on their way are nobody's
        self.axe(page, tab, 'light')
        tab.emulate_media(color_scheme='dark')
        try: tab.wait_for_selector('.quarto-dark', timeout=60_000) # a busy machine takes its time
        except Exception: self.say(page, 'it is not dark where dark is preferred')
        self.axe(page, tab, 'dark', "runOnly: ['color-contrast']")
        tab.set_viewport_size({'width': 390, 'height': 844})
        tab.evaluate('() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))') # it has answered
        self.narrow(page, tab)
        self.axe(page, tab, 'on a phone', "rules: {'color-contrast': {enabled: false}}")
        tab.close()

    def play(self, page, tab):
        "Click through every player, and work out every sum that it shows; how many"
        found = tab.evaluate(played)
        for player in found:
            for words in player['wrong']: self.say(page, f"the player of {player['name']}: {words}")
            for line in player['lines']:
                if not (value := unequal(line)): continue
                text = ''.join(p if isinstance(p, str) else p[0] for p in line)
                self.say(page, f"the player of {player['name']} says {text}, which is {value}")
        return sum(len(player['lines']) for player in found)

    def narrow(self, page, tab):
        "Nothing is wider than the page but what scrolls inside itself"
        wide = tab.evaluate("""() => {
            const w = document.documentElement.clientWidth, inside = e => {
              for (let p = e.parentElement; p && p.tagName != 'MAIN'; p = p.parentElement)
                if (['auto', 'scroll'].includes(getComputedStyle(p).overflowX)) return true }
            const over = [...document.querySelectorAll('main *')].find(e => e.getBoundingClientRect().right > w + 1
              && !e.parentElement.closest('.katex') && !inside(e))
            return over || document.scrollingElement.scrollWidth > w ? (over?.textContent || over?.outerHTML || '').trim() : null }""")
        if wide is None: return
        self.say(page, f'wider than a phone of 390 pixels, and does not scroll: "{wide[:60]}"', wide.split('\n')[0][:40])

    def axe(self, page, tab, how, options=''):
        "What axe-core calls serious or critical"
        if not tab.evaluate('"axe" in window'): tab.add_script_tag(path=axe)
        for v in tab.evaluate(f"axe.run({{resultTypes: ['violations'], {options}}})")['violations']:
            if v['impact'] not in ('serious', 'critical'): continue
            node = v['nodes'][0]
            why = ' '.join(node['failureSummary'].split())[:160]
            self.say(page, f"{v['id']} ({v['impact']}, {how}), {len(v['nodes'])} times, first at {node['html'][:120]}: {why}")

    def age(self):
        "Pages that are not of the notebooks as they are"
        for page,path in made_from().items():
            if page not in self.pages: self.say(page, 'there is no such page; python tools/docs.py makes it')
            elif (out/page).stat().st_mtime < path.stat().st_mtime:
                self.say(page, 'older than its notebook; python tools/docs.py builds it')
        for page in set(self.pages) - set(made_from()): self.say(page, 'no notebook makes this page')

    def links(self):
        "Links and anchors inside the site"
        texts = {p: (out/p).read_text(encoding='utf-8') for p in self.pages}
        ids = {p: {unquote(html.unescape(i)) for i in re.findall(r'\sid="([^"]*)"', text)} for p,text in texts.items()}
        for page,seen in self.seen.items():
            for href,text in seen['links']:
                url, anchor = urldefrag(urljoin(self.base + page, href))
                if anchor == 'LNone': self.say(page, f'the link {href} names no line', text)
                if not url.startswith(self.base): continue
                target = unquote(urlsplit(url).path).lstrip('/') or 'index.html'
                if not (out/target).is_file(): self.say(page, f'the link {href} leads nowhere', href, text)
                elif anchor and target.endswith('.html') and unquote(anchor) not in ids[target]:
                    self.say(page, f'the link {href} leads to no such place in {target}', f'#{anchor}', text)

    def cards(self):
        "The picture that stands beside a link to a page"
        for page,seen in self.seen.items():
            for url in seen['cards'] or ['none']:
                if not (out/url.removeprefix(f'{docs.published()}/')).is_file():
                    self.say(page, f'its social card is {url}, which is not on the site')

    def names(self):
        "Names of the package in prose that lead nowhere"
        from fastgroundup._modidx import d # what nbdev can link to
        public = {name for p in check_nbs.lib.glob('[a-z]*.py') for name in check_nbs.entries(p)
                  if f'fastgroundup.{p.stem}.{name}' in d['syms'][f'fastgroundup.{p.stem}']}
        for page,seen in self.seen.items():
            for name in sorted(set(seen['names']) & public): self.say(page, f'{name} has no link in the prose', f'`{name}`')

    def search(self, context):
        "Searching for lin_grad finds it"
        tab, _ = self.open('index.html', context)
        tab.locator('input[type=search]').first.fill('lin_grad')
        hits = tab.locator('.smalldocs-search-results a')
        try: hits.first.wait_for(state='visible', timeout=60_000)
        except Exception: self.say('index.html', 'searching for lin_grad shows nothing')
        else:
            for scheme in ('light', 'dark'): # on a page of either colour the hits can be read
                tab.emulate_media(color_scheme=scheme)
                tab.add_style_tag(content='* { transition: none !important }')
                tab.wait_for_timeout(200)
                self.axe('index.html', tab, f'{scheme}, with the search open', "runOnly: ['color-contrast']")
            hits.first.click()
            tab.wait_for_load_state()
            if 'lin_grad' not in tab.locator('main').inner_text():
                self.say('index.html', f'searching for lin_grad leads to {tab.url}, which does not have it')
        tab.close()

    def keyboard(self, context):
        "Tab, and Enter where a section is closed, reaches every page in the sidebar"
        tab, _ = self.open('index.html', context)
        reached = set()
        for _ in range(200):
            tab.keyboard.press('Tab')
            at = tab.evaluate("""() => { const e = document.activeElement
                return [!!e.closest('#quarto-sidebar'), e.href || '', e.getAttribute('aria-expanded'), e.offsetParent !== null] }""")
            if at[0] and at[2] == 'false':
                tab.keyboard.press('Enter')
                tab.wait_for_timeout(500)
            if at[0] and at[1] and at[3]: reached.add(urldefrag(at[1])[0].removeprefix(self.base) or 'index.html')
            if reached and not at[0]: break
        for page in self.pages:
            if page not in reached: self.say(page, 'Tab does not reach it in the sidebar')
        tab.close()

def share(task):
    "What one browser finds on a share of the pages, with the search and the sidebar where the first page is among them"
    from playwright.sync_api import sync_playwright
    browser, base, wanted, number, of = task
    with sync_playwright() as p:
        chrome = p.chromium.launch(executable_path=browser, args=['--no-sandbox', '--disable-gpu', '--disable-background-networking'])
        pages = Pages(base)
        context = chrome.new_context(viewport={'width': 1280, 'height': 900}, color_scheme='light')
        mine = (wanted or pages.pages)[number::of]
        for page in mine: pages.look_at(page, context)
        if 'index.html' in mine:
            pages.search(context)
            pages.keyboard(context)
        chrome.close()
    return pages.found, pages.seen

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pages', nargs='*', help='pages below _docs, such as forward.html; none: all of them')
    wanted = parser.parse_args().pages
    start, browser = time.perf_counter(), chromium()
    have_axe()
    if not (out/'index.html').exists(): sys.exit('no site in _docs; python tools/docs.py builds it')
    base = f'http://127.0.0.1:{docs.server().server_port}/'
    pages = Pages(base)
    if missing := [p for p in wanted if p not in pages.pages]: sys.exit(f'{missing[0]}: no such page in _docs')
    with ProcessPoolExecutor(2) as pool:
        for found,seen in pool.map(share, [(browser, base, wanted, i, 2) for i in range(2)]):
            for page,lines in found.items(): pages.found[page] += lines
            pages.seen |= seen
    pages.age()
    pages.links()
    pages.cards()
    pages.names()
    lines = [line for page in sorted(pages.found) for line in pages.found[page]]
    for line in lines: print(line)
    largest = max(pages.seen, key=lambda p: pages.seen[p]['size'])
    if (blocks := sum(seen['cut'] for seen in pages.seen.values())) > cut:
        lines.append(f'{blocks} blocks are cut at the right; wanted at most {cut}: ' + ', '.join(p for p,seen in pages.seen.items() if seen['cut']))
        print(lines[-1])
    print(f"{sum(seen['sums'] for seen in pages.seen.values())} sums worked out in players")
    print(f"{len(pages.seen)} pages, {len(lines)} problem{'s'*(len(lines) != 1)}; the largest is {largest} "
          f"with {pages.seen[largest]['size']/1e6:.2f} MB; {time.perf_counter()-start:.0f} s")
    sys.exit(bool(lines))

if __name__ == '__main__': main()
