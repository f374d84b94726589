// What makes the HTML of `play` move. Without it, every step stands below the one before.
// One `.player` holds: `.bar` for the buttons, `.map` with a lamp (`data-n`: its name) for each value and gradient, and
// `.step`s, with `data-w`, the name of what it writes, and `data-r`, those of what it reads.
// A `.st` in a step is one formula; its `data-f` says which entries of its operands make which entry of its result:
//   n, s  name and shape of the result
//   t     for each entry its terms, each a list [operand, entry, operand, entry, …]; with pre, sep, post around them
//   e, i  or the formula in pieces, a number in it for an operand, and for each operand which entry of it goes into which
//         entry of the result, null where it is its own
(() => {
const make = (tag, props, ...inner) => { const e = Object.assign(document.createElement(tag), props); e.append(...inner); return e }
const start = root => {
  if (root.started) return
  root.started = true
  const all = (s, e = root) => [...e.querySelectorAll(s)], json = (e, k) => JSON.parse(e.dataset[k] || 'null')
  const steps = all('.step').map(e => ({ e, r: json(e, 'r'), w: e.dataset.w, l: e.querySelector('.t').textContent })), n = steps.length
  const lamps = all('.map [data-n]').map(e => ({ e, n: e.dataset.n })), first = {}
  steps.forEach((s, i) => first[s.w] ??= i)
  const map = root.querySelector('.map'), svg = map.firstElementChild, bar = root.querySelector('.bar')
  const button = (text, f, cls) => make('button', { type: 'button', textContent: text, onclick: f, className: cls || '' })
  const said = make('p', { className: 'vh' }), count = make('span', { className: 'no' })
  const slider = make('input', { type: 'range', min: 1, max: n })
  const guess = make('input', { type: 'checkbox' })
  slider.setAttribute('aria-label', 'Step')
  said.setAttribute('role', 'status')
  let at = 0, timer = 0, flight = []

  // from the lamps that are read to the one that is written
  const arrows = () => {
    flight.forEach(e => e.remove())
    const where = l => { const b = l.e.getBBox(); return [b.x + b.width/2, b.y + b.height/2] }, lit = c => lamps.filter(l => l.e.classList.contains(c)).map(l => [...where(l), l.n])
    const from = lit('rd'), far = a => from.reduce((d, b) => d + Math.hypot(a[0] - b[0], a[1] - b[1]), 0)
    const to = lit('now').sort((a, b) => far(a) - far(b))[0] // what is used twice has several
    const apart = a => Math.hypot(to[0] - a[0], to[1] - a[1]), near = {} // of what is used twice, what stands nearer
    if (to) from.sort((a, b) => apart(b) - apart(a)).forEach(a => near[a[2]] = a)
    flight = to ? Object.values(near).filter(([x, y]) => x != to[0] || y != to[1]).map(([x, y]) => {
      const d = Math.hypot(to[0] - x, to[1] - y), u = (to[0] - x)/d, v = (to[1] - y)/d
      const bend = Math.abs(v) < 0.1 ? (u > 0 ? -1 : 1)*Math.min(30, d/4) : 0
      const ex = to[0] - u*12, ey = to[1] - v*12, cx = (x + ex)/2, cy = (y + ey)/2 + bend, a = Math.atan2(ey - cy, ex - cx)
      const p = document.createElementNS('http://www.w3.org/2000/svg', 'path'), tip = b => `${ex - 8*Math.cos(a + b)} ${ey - 8*Math.sin(a + b)}`
      p.setAttribute('d', `M${x + u*9} ${y + v*9}Q${cx} ${cy} ${ex} ${ey}M${tip(-0.5)}L${ex} ${ey}L${tip(0.5)}`)
      p.setAttribute('class', 'fly')
      p.setAttribute('pathLength', 1)
      return p
    }) : []
    svg.append(...flight)
    if (to && map.scrollWidth > map.clientWidth) map.scrollLeft = to[0]*svg.clientWidth/svg.viewBox.baseVal.width - map.clientWidth/2
  }

  const go = (i, quiet) => {
    at = Math.max(0, Math.min(n - 1, i))
    const s = steps[at]
    steps.forEach((t, j) => t.e.classList.toggle('at', j == at))
    lamps.forEach(({ e, n }) => {
      e.classList.toggle('now', n == s.w)
      e.classList.toggle('rd', s.r.includes(n))
      e.classList.toggle('had', e.classList.contains('given') || first[n] < at)
    })
    slider.value = at + 1
    slider.setAttribute('aria-valuetext', `${at + 1} of ${n}: ${s.l}`)
    count.textContent = `${at + 1} / ${n}`
    back.setAttribute('aria-disabled', at == 0)
    next.setAttribute('aria-disabled', at == n - 1)
    if (!quiet) said.textContent = `Step ${at + 1} of ${n}. ${s.l}`
    arrows()
    ask(s.e)
  }
  const stop = () => { clearInterval(timer); timer = 0; run.textContent = 'Play' }
  const to = i => { stop(); go(i) }
  const back = button('‹ Back', () => to(at - 1)), next = button('Next ›', () => to(at + 1), 'go')
  const run = button('Play', () => {
    if (timer) return stop()
    if (at == n - 1) go(0)
    run.textContent = 'Pause'
    timer = setInterval(() => { go(at + 1); if (at == n - 1) stop() }, 1800)
  })
  slider.oninput = () => { stop(); go(slider.value - 1, true) }
  // JupyterLab looks for this on what has the focus, before it takes a key for itself
  root.addEventListener('focusin', e => e.target.dataset.lmSuppressShortcuts = 'true')
  root.addEventListener('keydown', k => {
    if (k.target == slider || k.target.closest('td') || k.ctrlKey || k.metaKey || k.altKey) return
    const i = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: n - 1 }[k.key]
    if (i !== undefined) { k.preventDefault(); to(i) }
  })
  lamps.forEach(l => { if (l.n in first) { l.e.classList.add('door'); l.e.addEventListener('click', () => to(first[l.n])) } })

  // Guess first: what the step writes is blank until its shape is picked
  const shape = s => s.length == 1 ? `(${s[0]},)` : `(${s.join(', ')})`
  const ask = step => {
    all('.guess').forEach(e => e.remove())
    all('.blank').forEach(e => e.classList.remove('blank'))
    const forms = all('.st', step), last = forms.at(-1), right = last && json(last, 'f').s
    if (!guess.checked || !right?.length) return
    const others = [[...right].reverse(), ...all('.op[data-s]', last).map(e => json(e, 's')), right.slice(1), [...right, 1]]
    const choices = [...new Set([right, ...others].map(shape))].slice(0, 4).sort()
    const told = make('span', { className: 'told' }), line = make('p', { className: 'guess' }, 'Which shape will it have? ')
    told.setAttribute('role', 'status')
    for (const c of choices) line.append(button(c, e => {
      if (c == shape(right)) {
        all('.blank', step).forEach(e => e.classList.remove('blank'))
        told.textContent = `Yes, ${c}.`
        line.replaceChildren(told)
        next.focus()
      } else { e.target.setAttribute('aria-disabled', true); e.target.classList.add('no'); told.textContent = ` Not ${c}. What does the formula put together, and what is added up?` }
    }), ' ')
    line.append(told)
    forms.forEach(e => e.classList.add('blank'))
    forms[0].before(line)
  }
  guess.onchange = () => ask(steps[at].e)
  bar.append(back, next, run, slider, count, make('label', {}, guess, ' Guess first'))
  bar.before(said)
  bar.hidden = false

  // which entries made an entry
  all('.st').forEach(st => {
    const f = json(st, 'f'), table = st.querySelector('.res table'), line = st.querySelector('.x')
    if (!table || !f.t && !f.e) return
    const cells = all('td', table)
    const tables = all('.op:not(.res) table', st), ops = all('.op[data-s]:not(.res)', st).map(e => all('td', e))
    const whole = f.t ? null : f.i.map((at, o) => cells.map((_, j) => [o, at ? at[j] : j])) // of the formula, [operand, entry] for each entry
    const used = j => f.t ? f.t[j].map(t => t.flatMap((v, k) => k % 2 ? [] : [[v, t[k + 1]]])) : [whole.map(o => o[j])]
    const number = (o, i) => make('span', { className: 'num o' + o % 4 }, ops[o][i].textContent)
    const name = j => {
      const place = []
      for (let k = f.s.length - 1, left = j; k >= 0; left = Math.floor(left/f.s[k]), k--) place.unshift(left % f.s[k])
      return f.n + (place.length ? `[${place.join(', ')}]` : '')
    }
    let here = 0, pinned = false // by a click, until the next
    const show = (j, mark) => {
      here = j
      all('.hi, .k', st).forEach(e => e.classList.remove('hi', 'k'))
      cells[j].classList.add('hi')
      const terms = used(j), parts = [name(j) + ' = ']
      terms.flat().forEach(([o, i]) => ops[o][i].classList.add('hi'))
      const light = (t, e) => { all('.k', st).forEach(e => e.classList.remove('k')); e?.classList.add('k'); t.forEach(([o, i]) => ops[o][i].classList.add('k')) }
      const alone = f.e ? f.e.length == 3 && !f.e[0] && !f.e[2] : !f.pre && !f.post && terms.length == 1 && terms[0].length == 1
      if (alone) { // nothing to work out
      } else if (f.e) { parts.push(...f.e.map((p, k) => {
          if (typeof p == 'string') return p.replaceAll(' * ', ' × ')
          const e = number(...whole[p][j]) // a power of a negative number wants brackets
          return f.e[k + 1].startsWith(' **') && e.textContent[0] == '−' ? make('span', {}, '(', e, ')') : e
        }), ' = ') }
      else if (f.sep) {
        const few = terms.length > 12 ? terms.slice(0, 8) : terms
        parts.push(f.pre)
        few.forEach((t, k) => {
          const e = make('span', { className: 'term' }, ...t.flatMap(([o, i], m) => m ? [' × ', number(o, i)] : [number(o, i)]))
          e.onpointerenter = () => light(t, e)
          if (k == mark) light(t, e)
          parts.push(...k ? [f.sep, e] : [e])
        })
        if (few.length < terms.length) parts.push(`${f.sep}… ${terms.length - few.length} more`)
        if (!terms.length) parts.push('0')
        parts.push(f.post, ' = ')
      }
      line.replaceChildren(...parts, make('b', { className: 'num res' }, cells[j].textContent))
    }
    const find = (o, i) => { // an entry that (o, i) is in, the one that is shown before the others, and the term there
      for (const j of [here, ...cells.keys()]) {
        const k = used(j).findIndex(t => t.some(([p, q]) => p == o && q == i))
        if (k >= 0) return [j, k]
      }
    }
    const grid = (table, cells, look) => { // one stop for Tab, arrow keys inside
      const width = table.rows[0].cells.length
      table.setAttribute('role', 'grid')
      all('tr', table).forEach(r => r.setAttribute('role', 'row'))
      cells.forEach((c, j) => {
        c.setAttribute('role', 'gridcell')
        c.tabIndex = j ? -1 : 0
        c.onpointerenter = e => { if (e.pointerType == 'mouse' && !pinned) look(j) }
        c.onclick = () => {
          pinned = pinned != c && c
          look(j)
        }
        c.onfocus = () => { if (!pinned) look(j) }
        c.onkeydown = k => {
          const i = { ArrowUp: j - width, ArrowDown: j + width, ArrowLeft: j - 1, ArrowRight: j + 1 }[k.key]
          if (i === undefined) return
          k.preventDefault()
          k.stopPropagation()
          if (!cells[i]) return
          pinned = false
          cells.forEach(c => c.tabIndex = -1)
          cells[i].tabIndex = 0
          cells[i].focus()
        }
      })
    }
    grid(table, cells, show)
    ops.forEach((tds, o) => { if (tds.length) grid(tables.find(t => t.contains(tds[0])), tds, i => { const found = find(o, i); if (found) show(...found) }) })
    line.setAttribute('aria-live', 'polite')
    show(0)
  })
  root.classList.add('on')
  go(0, true)

  // all steps as tall as the tallest, so that what stands below does not move
  let wide = 0
  new ResizeObserver(() => {
    if (root.clientWidth == wide) return
    wide = root.clientWidth
    const tall = steps.map(({ e }) => {
      const was = e.className
      e.style.minHeight = ''
      e.classList.add('at')
      const h = e.offsetHeight
      e.className = was
      return h
    })
    steps.forEach(({ e }) => e.style.minHeight = Math.max(...tall) + 'px')
  }).observe(root)
}
document.querySelectorAll('.player').forEach(start)
})()
