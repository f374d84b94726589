"""Plant a fault in an exported cell, run a notebook, and see that a test in it notices: `python tools/mutations.py`, or with the
names of some notebooks; `--minutes 12` plants for so long, in an order that each commit draws anew. Each fault is one that reads
well and is wrong. A notebook defines some functions itself and has others from the package, so the fault is planted in both, as
if somebody had written it and exported. It stands in the notebook under whose name it is listed here, or else in the one other
notebook that has that text: a chapter and its appendix test each other. Needs the extra dev."""
import argparse, json, math, os, random, re, shutil, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

root = Path(__file__).resolve().parent.parent
faults = { # notebook: [(what stands there, what is planted)]
    '14e_processes': [
        ("            if id(p) not in given: send(p)", "            pass"),
        ("        for p,ranks in zip(self.params, had): p.g = self.places[id(p)][1] if ranks else None", "        for p in self.params: p.g = self.places[id(p)][1]"),
        ("    if len(found) > 1 and room > size/2 and", "    if False and"),
    ],
    '00_data': [
        ('if own and n_train == 50_000: n_train = own', 'if own: n_train = 50'),
    ],
    '01_forward': [
        ("            arrow((x+0.85,y+under-0.12), (x-0.85,y+under-0.12), color=orange", "            arrow((x-0.85,y+under-0.12), (x+0.85,y+under-0.12), color=orange"),
        ("    return (output - as_target(output, targ)).pow(2).mean()", "    return (output - as_target(output, targ)).pow(2).mean(0).mean()*1.0001"),
    ],
    '02_backward': [
        ('    t.g = value if g is None else g + value', '    t.g = value'),
        ('    if not wants(t): return\n', ''),
        ("    add_grad(inp, out.g * (inp > 0))", "    add_grad(inp, out.g * (inp >= 0))"),
        ("    add_grad(b, out.g.sum(0))", "    add_grad(b, out.g.mean(0))"),
    ],
    '03_refactor': [
        ("    def bwd(self, out, a, b):\n        add_grad(a, out.g)\n        add_grad(b, out.g)", "    def bwd(self, out, a, b):\n        add_grad(a, out.g)\n        add_grad(b, out.g*(a is not b))"),
        ("        add_product(self.w, units, rows)", "        add_grad(self.w, torch.mm(units, rows).t()/len(x))"),
        ("    elif t.is_contiguous(): add_grad(t, torch.mm(b.t(), a.t()))\n", ""),
        ('        return self.add(x, h)', '        return self.add(h, h)'),
        ("        if a.shape != b.shape: raise ValueError", "        if a.ndim < b.ndim: raise ValueError"),
    ],
    '03d_refused': [
        ("        here.tape = tape = [] if outer is None or leaf else outer", "        here.tape = tape = []"),
        ("    if [*map(_version, c.tensors)] != c.versions:\n        raise", "    if False:\n        raise"),
        ("        if not ids.isdisjoint(_busy):", "        if False:"),
        ("                if t is out: out = _view(out)", "                if False: out = _view(out)"),
        ("and name not in self.buffers:\n            self.__note.kept[name] = value", "and name in self.buffers:\n            self.__note.kept[name] = value"),
        ("        if _opens(value): self.__note.opens = True", "        if False: self.__note.opens = True"),
        ("            if changed is not None and g._version != changed: _refuse", "            if False: _refuse"),
        ("        self.__note.opens = any(map(_opens, held.values()))", "        self.__note.opens = False"),
        ("k[0] != '_' and k not in self.buffers}", "k not in self.buffers}"),
        ("        if thread != threading.get_ident():", "        if False:"),
        ("        found.extend((label(root, layer), k, a.grad_fn) for k,a in asked_args(layer, given) if a.grad_fn)", "        pass"),
        ("    except BaseException as e:\n        _begin(calls, ends, old, out, seed)\n", "    except BaseException as e:\n"),
        ("            if t.g is not None and getattr(t.g, 'shape', None) != t.shape:", "            if False:"),
        ("            if g is None or getattr(g, 'shape', None) != made.shape:", "            if g is None:"),
        ('        if fresh: zero_grad(*wrote)\n        _begin(', '        _begin('),
        ("            if g is None and _unasked(tape, c, skipped): continue", "            if g is None: continue"),
        ("    for c in calls: c.out.g = None\n", "    pass\n"),
        ("    params.update((id(t), t) for t in strangers)", "    pass"),
        ("            if t._version != version: _refuse_written(self, t)", "            pass"),
        ("            if t.grad_fn: t.detach_()\n            t.data.copy_(then)", "            pass"),
        ("        if not torch.is_grad_enabled(): quiet.append(label(root, layer))\n", ""),
        ("        if type(e) is ValueError: raise", "        if False: raise"),
    ],
    '03e_more_layers': [
        ("                if held.get(k) is not v: held[k] = v", "                pass"),
    ],
    '03c_torch': [
        ("        for p in ctx.params: p.g = None\n", ""),
    ],
    '03b_tape': [
        ('        for c in reversed(tape):', '        for c in tape:'),
        ("    old = {} if fresh else", "    old = {} if not fresh else"),
        ("        for t in unwanted: t.g = old.get(id(t))", "        for t in unwanted: t.g = None"),
        ("    for w in _thread.here.watchers: f = partial(w, way, layer, f)", "    for w in _thread.here.watchers: w(way, layer, f, *args)"),
    ],
    '09_conv': [
        ("add_grad(w, met[:, :, :kh, :kw].transpose(0, 1))", "add_grad(w, met[:, :, -kh:, -kw:].transpose(0, 1))"),
        ("largest*(out.g/largest.sum((4, 5)))[..., None, None]", "largest*out.g[..., None, None]"),
    ],
    '10_norm': [
        ("self.running_var.lerp_(var.flatten()*(n/(n-1)), self.momentum)", "self.running_var.lerp_(var.flatten(), self.momentum)"),
        ("        else: c, own = x - mean, None", "        else: c, own = x - mean, x[:, 0].numel()"),
        ("gh.mul_(self.w).mean(-1, keepdim=True)", "gh.mean(-1, keepdim=True)"),
    ],
    '11_recurrent': [
        ("        add_grad(h, out.g*u)", "        add_grad(h, out.g*(1 - u))"),
        ("        gc = gc + gh*o*(1 - k*k)", "        gc = gh*o*(1 - k*k)"),
    ],
    '12_attention': [
        (" or x.shape[1] > most: raise", " or False: raise"),
        ("s_grad.mT @ q", "s_grad @ q"),
        ("        if low < 0 or high >= len(self.w):", "        if high >= len(self.w):"),
    ],
    '13_gpt': [
        ("        add_grad(self.w, out.g.flatten(0, -2).t() @ x.flatten(0, -2))", "        add_grad(self.w, (1 + 1e-6)*out.g.flatten(0, -2).t() @ x.flatten(0, -2))"),
        ("''.join(w[n:] for w,n in cut)", "''.join(w[n-1:] for w,n in cut)"),
    ],
    '02b_compare': [
        ('        many = 2*(up + down) > len(share) and min(up, down) >= (up + down)//5', '        many = True'),
        ('        if len(share) < 16: many = torch.equal(a.to(dtype).to(a.dtype), a)', '        pass'),
        ('    if actual.shape != expected.shape: return math.inf', '    if actual.numel() != expected.numel(): return math.inf'),
        ('torch.float32: 1e-5', 'torch.float32: 1e-1'),
        ("    yield 2, 'factor', f'a factor 2 too many", "    yield 1/2, 'factor', f'a factor 2 too many"),
        ("            if same(a.sum(axes, keep), e):", "            if same(a.sum(axes, not keep), e):"),
    ],
    '04_gradcheck': [
        ("        if grads[k] is None and auto[k] is None: continue", "        if grads[k] is None: continue"),
        ("            report.notes += other_upstreams(step, *case)", "            pass"),
    ],
    '04d_cases': [
        ("    case.blurs = case.blurs | nothing\n", ""),
        ("    if noise > max(1e-3, 64*eps):", "    if False:"),
        ("        if kink and eps < 1e-12 and not bends(*sides([i], h/1000)[:2]):", "        if False:"),
    ],
    '04b_functions': [
        ('        return apart.topk(many).indices.tolist()', '        return []'),
        ('all(slopes.agree(i, e.flatten()[i].item()) for i in {*far, *slopes.entries[:50]})', 'False'),
        ("    if isinstance(fn, Module):\n        raise", "    if False:\n        raise"),
        ("        if r.autograd <= _gross[dtype]: continue", "        continue"),
    ],
    '04c_judge': [
        ("        slack = rtol*max(abs(low), abs(high)) + 1e-300", "        slack = 10*max(abs(low), abs(high)) + 1e-300"),
        ("        if apart or between(sum(values[i] for i in entries), *both)", "        if True"),
        ("            if choices is not None: e = torch.where(choices, a, e) # what", "            if False: e = torch.where(choices, a, e) # what"),
        ("        if error is not None and error > max(1e-3, 1e4*case.rough):", "        if False:"),
        ("    return low - slack <= total <= high + slack", "    return True"),
        ("    for times in (-3, 4) if", "    for times in (1,) if False else (1,) if"),
        ("    wide[...,1:-2] = t\n    return wide[...,1:-2]", "    wide[...,1:-2] = t\n    return wide[...,:-3]"),
    ],
    '04e_measure': [
        ("    with _one_thread:", "    with nullcontext():"),
        ("        elif self.at <= len(self.drawn):", "        elif False:"),
        ("            t.mul_(noise.mul_(2*self.size).add_(1 - self.size))", "            pass"),
        ("    def change(a, b): return torch.where(a == b, 0, a - b)/h", "    def change(a, b): return (a - b)/h"),
        ("        if not (u*(one + other - whole)).abs().sum() <= most: return False", "        pass"),
    ],
    '04f_names': [
        ("belongs', e*(m/n)", "belongs', e*(n/m)"),
        ('            if m > 1 and m != t.numel(): sums', '            if False: sums'),
        ("known = {0: 'not taken away', 2: 'taken away twice'", "known = {2: 'not taken away', 0: 'taken away twice'"),
        ("        yield from _of_product(case, k, e)", "        pass"),
        ("        if there is None: continue", "        continue"),
        ("    for over in (c for n in range(len(axes)) for c in itertools.combinations(axes, n)):", "    for over in ((),):"),
        ("    if rel_error(e*(e*other).sum()/(e*e).sum(), other) <= 1e-6: return", "    if False: return"),
    ],
    '04g_report': [
        ("    def ok(self): return bool(self.rows) and not self.notes and", "    def ok(self): return not self.notes and"),
        ("r.verdict in ('WRONG', 'DISPUTED')]", "r.verdict in ('WRONG',)]"),
    ],
    '04h_steps': [
        ('        for k,g in there.items(): targets[k].g = g.clone()', '        pass'),
        ('        if case.eps > 1e-12 and not all(map(all_finite, self.right.values())):', '        if False:'),
        ("found[k].verdict == 'DISPUTED' and self.case.by_buffers()", "found[k].verdict == 'DISPUTED'"),
        ("        self.begin()\n        with step.luck.again()", "        with step.luck.again()"),
        ("    if k is None or case.eps > 1e-5 or not kept: return", "    return"),
        ("copies.get(id(a), a), self.args)", "a.clone() if isinstance(a, Tensor) else a, self.args)"),
        ("    share = min(0.5, max(1e-3, 10*eps**0.5))", "    share = 1e-3"),
        ("        except Exception as e: wrong, why = [*wrong, words], raised(e)", "        except Exception: continue"),
        ("    except Exception as e: grows, why = False, raised(e)", "    except Exception: grows = True"),
        ("    if out.numel() == 1: return torch.full_like(out, _start)", "    if out.numel() == 1: return torch.ones_like(out)"),
        ("        if [t._version for t in given] != before:", "        if False:"),
        ("        if off(after, g, room).any() or not", "        if True or not"),
        ("            with next(calls).luck.again(): return", "            if next(calls): return"),
        ("        if not lost > max(_loses.get(dtype, 1), 8*theirs): return None", "        return None"),
    ],
    '04n_slopes': [
        ("max(abs(e), abs(value)) # a slope", "abs(e) # a slope"),
        ("            u = (by/typical(by)).to(u)", "            u = torch.ones_like(u)"),
        ("        if way == 'gradient': v = torch.where", "        if False: v = torch.where"),
        ("        ways = ['gradient', 'outputs', 'chance'] if self.case.out.numel() > 1 else ['gradient', 'chance']", "        ways = ['gradient']"),
        ("            far, cut = (4*apart[:,i+1] - apart[:,i])/3, apart[:,i+1] - apart[:,i] # extrapolated", "            far, cut = apart[:,i+1] - apart[:,i], apart[:,i+1] - apart[:,i] # extrapolated"),
    ],
    '04i_calls': [
        ("        if off := [l for l in looks if l.off]: return self.row('WRONG'", "        if off := [l for l in looks if l.off and not l.part]: return self.row('WRONG'"),
        ("t.grad_fn.name().startswith('CloneBackward')", "False"),
        ("        yield from self.tried('retained'", "        if False: yield from self.tried('retained'"),
        ("        if wrong: yield Diagnosis('layout'", "        if False: yield Diagnosis('layout'"),
        ("            except Problem as e:\n                yield Diagnosis('none'", "            except Problem as e:\n                continue; yield Diagnosis('none'"),
        ("leaf.data = leaf.data*0.75", "pass"),
    ],
    '04m_promises': [
        ("                follows[id(t)] = step.name", "                pass"),
    ],
    '04j_sweep': [
        ("    return check_function(fn, *inputs, reference=fn, dtype=dtype) if report.ok else report", "    return check_function(fn, *inputs, reference=fn, dtype=dtype)"),
        ("over(lambda s, m=m: s % m != 0)", "over(lambda s, m=m: s % m != 1)"),
        ("if all(i == [*range(n - len(i), n)] for i,n in at)", "if all(i == [*range(len(i))] for i,n in at)"),
    ],
    '04k_shell': [
        ("    if isinstance(f, FunctionType) and _all_autograd(f, made):", "    if False:"),
        ("f'{hand/auto:.2f} of its time", "f'{auto/hand:.2f} of its time"),
        ("    print(report)\n    return 0 if report.ok else 1", "    print(report)\n    return 0"),
    ],
    '04l_paste': [
        ("    return 10.**round(math.log10(torch.finfo(dtype).eps)/3)", "    return 1e-6"),
        ("        if apart > best[0]: best = apart,", "        if True: best = apart,"),
        ("    mine, first, number = f'[{keys.index(k)}]'*(len(keys) > 1)", "    mine, first, number = '[0]'*(len(keys) > 1)"),
    ],
    '04o_again': [
        ("s[v] = -was if way.whole or way.past else c - was", "s[v] = c"),
        ("self.arrived[of] + away[of][v] if of in away else self.arrived[of]", "self.arrived[of]"),
        ("        was = self.now(m.first, at)\n", "        was = m.first\n"),
        ("t.storage_offset() - x.storage_offset()), x.shape)", "0), x.shape)"),
        ("        found = m.fresh.get(id(t), m.fresh.get(_spot(t)))", "        found = m.fresh.get(id(t), t)"),
        ("arrived[id(t)] + c if id(t) in arrived else c", "c"),
        ("        found = {k: self.base[k] + away.get(", "        found = {k: 0*self.base[k] + away.get("),
        ("        if v is numpy: return by_torch\n", ""),
    ],
    '04p_ways': [
        ('return g*(1 - mask(r, x, y, env))', 'return g*mask(r, x, y, env)'),
        ('rel_error(g, u*(p - hot)) > 1e-6 or not (run := region(i)): continue', 'rel_error(g, u*(p - hot)) > -1 or not (run := region(i)): continue'),
        ('lambda r, x, env, a=a, b=b: {id(a): env[id(b)]}', 'lambda r, x, env, a=a, b=b: {id(a): env[id(a)]}'),
        ('            if len(paths[r.site]) > 1: merged', '            if False: merged'),
        ('            yield from _later_terms(s)', '            pass'),
        ('_factors, _indexed, _late)\n', '_factors, _indexed)\n'),
        ("c*r.again(env, {self.to(r): x}), runs)", "(c or 1)*r.again(env, {self.to(r): x}), runs)"),
        ("(('last', s.runs[:-1]), ('first', s.runs[1:]))", "(('first', s.runs[:-1]), ('last', s.runs[1:]))"),
        ("if not s or k not in s.a or not rel_error(s.f.base[k], right[k].to(s.f.base[k])) <= 1e-4: continue", "if not s or k not in s.a: continue"),
        ("        if not self.done(): self.two()", "        pass"),
        ("(_inverted, _derivatives, _turned, _exchanged, _moved,", "(_inverted, _derivatives, _exchanged, _moved,"),
        ("    for site,runs in f.sites.items(): yield from _another(f, site, runs, [s for s in slots if s.site == site])", "    pass"),
        ("            if at and where and at[:3] != where[:3]:", "            if False:"),
        ("        if n > 2: yield from _written_over(s)\n", ""),
        ("own(r, torch.ones_like(g), *a)", "own(r, g, *a)"),
        ("        for to in _before(f, runs):\n", "        for to in ():\n"),
        ("itertools.product((_confused, _skips), slots)", "itertools.product((_confused,), slots)"),
        ("    yield from _parts_swapped(f)\n", ""),
        ("r.again(env, {s.to(r): x}).transpose(i, j))", "r.again(env, {s.to(r): x}))"),
    ],
    '05m_verdicts': [
        ("        verdict = 'REFUTED' if refuted else 'not shown' if missing or not path or off else 'proved'", "        verdict = 'REFUTED' if refuted else 'proved'"),
        ("        part = Step(c.layer, c.args, {i for i,n in uses.items() if n > 1})", "        part = Step(c.args[0], c.args, set())"),
        ("        if name in meant:\n            todo.append(name)", "        if name in meant and False:\n            todo.append(name)"),
    ],
    '05b_algebra': [
        ("return s[0]*c[1] + s[1]*c[0] if name == 'sin'", "return s[0]*c[1] - s[1]*c[0] if name == 'sin'"),
        ("            if applied(b[1], number(d)) == one: kept.pop(b)", "            if True: kept.pop(b)"),
        ("            if (u := next(twins, v)) != v: return [], {v: u}", "            pass"),
        ("put_atom(a, {v: L}) == one or follows(a[1], v, L) for", "put_atom(a, {v: L}) == one for"),
        ("            if same: return [], {v: other}", "            if same: return [atom(d)], {v: other}"),
        ("        if is_switch(a): p = min(p, 1)", "        if a[0] in facts01: p = min(p, 1)"),
        ("    if not rough(rest) and sign(rest) < 0:", "    if sign(rest) < 0:"),
        ("    return at_least(low, 0) and at_least(minus(size, high), 1)", "    return at_least(low, 0)"),
        ("if p := tidy(kept.pop(S) + kept.pop(a, 0)):", "if p := tidy(kept.pop(S) - kept.pop(a, 0)):"),
    ],
    '05k_named': [
        ("        few = [*(i for i in b if is_few(i, most)), *own]", "        few = [i for i in b if is_few(i, most)]"),
        ("'cos': lambda z: -applied('sin', z),", "'cos': lambda z: applied('sin', z),"),
        ("else 1 - step(entry(name, own) - e)\n", "else one\n"),
        ("            share = entry(name, own)/e if kind == 'prod'", "            share = entry(name, own) if kind == 'prod'"),
        ("    try: return s*at(1) + (1 - s)*at(0)", "    try: return s*at(1) + s*at(0)"),
    ],
    '05j_paper': [
        ("down = [power_(a, -p, at) for a,p in fs if p < 0]", "down = [power_(a, p, at) for a,p in fs if p < 0]"),
    ],
    '05c_operations': [
        ("            if a and lengths(a) != lengths(full): raise Unknown('axes that are merged in two ways')\n            m.update(zip(a, full))", "            m.update(zip(a, a))"),
        ("form, step = [*form, (i, step)], step*dict(i[1]).get(1, 0)", "form, step = [*form, (i, step)], step*1"),
        ("and abs(float(q) - v) <= math.ulp(v): return number(q)", "and abs(float(q) - v) <= 1e-6: return number(q)"),
        ("to != torch.bool and n in range(128): return v", "to != torch.bool and n is not None: return v"),
    ],
    '05f_walk': [
        ("        if write or 'out' in n.kwargs:", "        if write:"),
        ("        before, whole_ = self.now(pieces)[:k], self.now(p)", "        before, whole_ = [], self.now(p)"),
        ("        if whose and whose not in self.buffers: raise Unknown", "        if False: raise Unknown"),
        ("        if n in self.base and (v := self.version(self.base[n])) != self.seen[n]:", "        if False:"),
        ("        return linear([*form_of(n), *form]) if at_least(negative(form), 1) else form", "        return form"),
    ],
    '05g_elementwise': [
        ("    if found: w.assume(", "    if False: w.assume("),
        ("    if not left: return number(not e.terms)", "    if not left: return number(0)"),
        ("    e = x.e.sum(i for k in ds for i in x.axes[k])*product(x.sizes[k] for k in ds if not x.axes[k])", "    e = x.e.sum(i for k in ds for i in x.axes[k])"),
        ("op('tril', walk=True)(triangle(1)); op('triu', walk=True)(triangle(-1))", "op('tril', walk=True)(triangle(-1)); op('triu', walk=True)(triangle(1))"),
        ("table['lt'] = comparison(lambda x, y: step(y - x)", "table['lt'] = comparison(lambda x, y: step(x - y)"),
        ("w.names.taken(kind, own, [j], -x.e if down else x.e)", "w.names.taken(kind, own, [j], x.e)"),
        ("    so_far = from0(minus([(i, 1)], [(j, 1)]))", "    so_far = from0(minus([(j, 1)], [(i, 1)]))"),
        ("def argmin_(w, sizes, x, d=None, keepdim=False): return argmax_(w, sizes, table['neg'](x), d, keepdim)", "def argmin_(w, sizes, x, d=None, keepdim=False): return argmax_(w, sizes, x, d, keepdim)"),
    ],
    '05h_products': [
        ("(i, s.number()), (j, 1)]))).sum([old])", "(i, 1), (j, 1)]))).sum([old])"),
        ("def reduced_by(x, how): return mean_(x) if how == 1", "def reduced_by(x, how): return sum_(x) if how == 1"),
        ("-y*log(x) - (1 - y)*log(1 - x)", "-y*log(x) - (1 + y)*log(1 - x)"),
        ("        if any(pads) and (len(plain) == 2 or", "        if any(pads) and (False or"),
    ],
    '05i_shapes': [
        ("    if not (accumulate or alone and not any(", "    if not (True or alone and not any("),
        ("circular=[*(minus(n, l) if before else ()), (q, 1)],", "circular=[(q, 1)],"),
        ("    if train and p: raise Unknown", "    if False: raise Unknown"),
        ("            if src.sizes[k] != y.sizes[k] or a and b", "            if a and b"),
        ("    if value: # the difference is padded with 0", "    if False:"),
        ("        if not (add or reduce or differ) and y.sizes[d] != one:", "        if False:"),
    ],
    '05d_every_size': [
        ("    return bool((both := sympy.expand(d + e)).is_Integer and both < m + n)", "    return bool((both := sympy.expand(d + e)).is_Integer and both <= m + n)"),
        ("            value = rest if 'Mod' in type(parts[0]).__name__ else", "            value = rest if True else"),
        ("is (not q.answer) and all(", "is (not q.answer) or all("),
        ("        if not (isinstance(v, int) or v.is_Integer) or not 0 < v < 10**8: return None\n", ""),
    ],
    '05l_examined': [
        ("sure = settle(r, asked=False, guards=False)\n", "sure = settle(r, asked=False)\n"),
        ("need = settle(r, asked=False, guards=False, before=q)", "need = settle(r, asked=False)"),
        ("    return not bool(((g - e).abs() <= eps*(e.abs().max() + e.abs()) + least).all())", "    return bool(((g - e).abs() > eps*(e.abs().max() + e.abs()) + least).any())"),
        ("        if not self.wrong and self.paths: self.try_zeros()", "        pass"),
        ("        if failed and shapes != self.step.shapes and", "        if False and"),
        ("            if shapes and any(self.same_way(path, shapes) for path in self.paths): continue", "            if shapes and self.paths: continue"),
        ("if any(found) or implied(need(q.expr), q.answer): continue", "if True: continue"),
        ("                    todo += [(s, (r, q)) for s in {str(s): s for s in found if s}.values()]", "                    pass"),
        ("            if shapes := other_work(self.step, path, self.rng):", "            if False:"),
        ("                if fact == 'dtype' and self.same_in_float32(path): continue", "                continue"),
        ("            if not (looser := loosened(step, r, self.rng)): break", "            break"),
        ("        if k in self.wrong: return 'REFUTED'", "        if False: return 'REFUTED'"),
    ],
    '06e_formulas': [
        ("    if op in ('t', 'transpose') and matrix and given.numel() == 1: return args[0]", "    if False: return args[0]"),
        ("    if op == 'rsub' and len(args) == 2 and not kwargs: return _expr('-', args[1], args[0])", "    if op == 'rsub' and len(args) == 2 and not kwargs: return _expr('-', args[0], args[1])"),
    ],
    '06f_watched': [
        ("'added to' if f'{k}.g' in e.names else 'overwritten'", "'overwritten' if f'{k}.g' in e.names else 'added to'"),
        ("        if not back: self.outs.append(out)", "        if not back: self.outs.insert(0, out)"),
    ],
    '06d_play': [
        ("        if whole <= _heaviest: break", "        if True: break"),
        ("            value = _kept(t.g if run.back else t, self.most)", "            value = t.g if run.back else t"),
        ("        finally: part.unlink(missing_ok=True)", "        finally: pass"),
        (".replace('<', '&lt;').replace(\"'\", '&#39;')", ".replace('<', '&lt;')"),
    ],
    '06g_terms': [
        ("        if not _alike(f(ts), value): return stage", "        if False: return stage"),
        ("_alike(sums(others), f(others).double())", "True"),
        ("note(at((o, i), (p, k)) - one[o,i] - one[p,k], (o, i), (p, k))", "note(at((o, i), (p, k)), (o, i), (p, k))"),
    ],
    '06b_draw': [
        ("        back.append(f'{len(groups)-i}.  '", "        back.append(f'{i+1}.  '"),
        ("    for r in reversed(rows):\n        whose", "    for r in rows:\n        whose"),
        ("            if name in new: look = dict(mfc='#B34700'", "            if name not in new: look = dict(mfc='#B34700'"),
    ],
    '07_train': [
        ("        each = out.g / n", "        each = out.g / len(x)"),
        ("else: log_p = rows.t().log_softmax(0).t()", "else: log_p = rows.t().log_softmax(1).t()"),
        ("(('train_loss', 'training, mean of the epoch', 'o-'), ('valid_loss', 'validation', 's--'))", "(('valid_loss', 'training, mean of the epoch', 'o-'), ('train_loss', 'validation', 's--'))"),
        ("        v.mul_(self.momentum).add_(g)", "        v.mul_(self.momentum).add_(g, alpha=1-self.momentum)"),
        ("over=v.sqrt().add_(self.eps*c)", "over=v.sqrt().add_(self.eps)"),
    ],
    '07d_fit': [
        ("    if getattr(found, 'shape', None) == xb.shape: return found", '    if True: return found'),
        ("        model.eval()\n", "        pass\n"),
        ("    share = (most/(norm + 1e-6)).clamp(max=1.)", "    share = most/(norm + 1e-6)"),
        ("    if math.isfinite(loss):\n        model.backward", "    if True:\n        model.backward"),
        ("            mean = sum(l*n for l,n in zip(history.losses[-run.taken:], counts))/sum(counts)", "            mean = sum(history.losses[-run.taken:])/run.taken"),
        ("        if len(wrong): return name, rows[wrong[0]].item(), wrong[0].item()", "        if len(wrong): return name, wrong[0].item(), rows[wrong[0]].item()"),
        ("                    for (held,k),(b,before) in zip(buffers, kept): held[k] = b.copy_(before)\n", ""),
    ],
    '07b_checkpoint': [
        ('        if k in note and note[k] != now: raise', '        if k in note and note[k] < now and False: raise'),
        ('            if type(v) is int and n in asked(m)}', '            if type(v) is int}'),
        ('        try: fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)', '        try: pass'),
        ('                try: self.folder.mkdir(exist_ok=self.there)', '                try: self.folder.mkdir(exist_ok=True)'),
        ("    hyper['the parameters of opt'] = ', '.join(", "    hyper['the parameters of opt'] = len("),
        ("isinstance(v, (int, float, tuple)) and k != 'started'}", "isinstance(v, (float, tuple)) and k != 'started'}"),
        ("    return tensors | data | kinds | plain | tied | numbers | own | hyper", "    return tensors | data | kinds | plain | numbers | own | hyper"),
        ("                    self.folder.rmdir()\n", "                    pass\n"),
        ("            os.replace(name, path)", "            Path(path).write_bytes(data)"),
        ("    for k,p in params.items(): p.copy_(found[k])", "    for k,p in params.items(): p.copy_(found[k].round())"),
        ("return hashlib.sha256(data + text.encode()).hexdigest()", "return hashlib.sha256(data).hexdigest()"),
        ("        for path in reversed(found):", "        for path in found:"),
        ("            for old in self.found()[:-2]:", "            for old in self.found()[:-1]:"),
        ("                if _ours(old.name): shutil.rmtree(old)", "                pass"),
        ("    if t.stride() != strides and t.numel():", "    if False:"),
        ("                shutil.rmtree(part, ignore_errors=True)\n", "                pass\n"),
        ("            if strange: raise ValueError", "            if False: raise ValueError"),
        ("        if found: raise ValueError(f'{folder} holds", "        if False: raise ValueError(f'{folder} holds"),
    ],
    '07c_command': [
        (", about=dict(seed=seed, shift=shift))", ")"),
        ("    return 1 if interrupted or keep and keep.problem else 0", "    return 0"),
        ("    if interrupted and path and path.exists():", "    if False:"),
        ("        except (OSError, ValueError, ImportError) as e: problem, status = e, 2", "        except (OSError, ValueError, ImportError) as e: problem, status = e, 1"),
    ],
    '08_bench': [
        ("    return (time.thread_time() - own)/", "    return own/"),
        ("        return rows[peer]['median']/rows[of or rows[peer]['reference']]['median']", "        return rows[of or rows[peer]['reference']]['median']/rows[peer]['median']"),
        ("    work = {'product': 2*2048**3,", "    work = {'product': 2048**3,"),
        ("        if a.shape != b.shape or not rel_error(a, b) <= 1e-4:", "        if a.shape != b.shape or not rel_error(a, b) <= 1e-1:"),
    ],
    '08b_compile': [
        ("            for t,v in zip(s, now): t.copy_(torch.as_tensor(v))\n", ""),
        ("                pairs.append((t, new))\n", "                pass\n"),
        ("        try: return self.run(x.contiguous(), targ.contiguous(), *self.tensors)", "        try: return self.run(x, targ, *self.tensors)"),
        ("            for old,new in pairs: old.copy_(torch.where(finite, new, old))", "            for old,new in pairs: old.copy_(new)"),
        ("        if lr != self.rate: self.lr.fill_(lr)\n", ""),
        ("        key = (kind, n if usual.setdefault(kind, rows or n) == n else None)", "        key = (kind, n)"),
        ("        if isinstance(e, sympy.Eq) and all(a.is_Symbol for a in e.args): continue", "        if isinstance(e, sympy.Eq): continue"),
    ],
    '14_ranks': [
        ("    elif room is not None and g is room: room.addmm_(b.t(), a.t())\n", "    elif room is not None and g is room: torch.mm(b.t(), a.t(), out=room)\n"),
        ("    how = getattr(getattr(model, 'loss', last), 'reduction', None)", "    how = getattr(last, 'reduction', None)"),
        ("total = total + part_backward(model, loss, len(part)/n,", "total = total + part_backward(model, loss, size/n,"),
        ("        if _holders(x) == _nobody_else: return x.g", "        return x.g"),
        ("len(part)/n, i == 0, input_grad)", "len(part)/n, True, input_grad)"),
        ("if known.pop(id(t), None) is None: continue", "if known.get(id(t), None) is None: continue"),
        ("            for t in (*c.params, *_tensors(c.args)):", "            for t in c.params:"),
        ("    return slice(n*rank//ranks, n*(rank+1)//ranks)", "    return slice(n//ranks*rank, n//ranks*(rank+1))"),
        ("            if input_grad and part.g is not place: place.copy_(part.g)", "            pass"),
        ("        if m.whole_batch:\n", "        if False:\n"),
    ],
}

def exported(notebook):
    nb = json.loads((root/'nbs'/f'{notebook}.ipynb').read_text(encoding='utf-8'))
    return nb, [c for c in nb['cells'] if c['cell_type'] == 'code' and '#| export' in ''.join(c['source'])]

def place(notebook, there):
    "The notebook, this one or else another, and the exported cell in which `there` stands, once"
    def found(name): return [(name, c['id']) for c in exported(name)[1] for _ in range(''.join(c['source']).count(there))]
    places = found(notebook) or [f for p in sorted((root/'nbs').glob('*.ipynb')) for f in found(p.stem)]
    if len(places) != 1: raise ValueError(f'{notebook}: {there!r} stands in {len(places)} exported cells; wanted one place')
    return places[0]

def planted(notebook, there, instead):
    "`(path in the project, its text with instead in the place of there)`: the notebook that has it, and the module that it exports to"
    name, cell = place(notebook, there)
    nb, cells = exported(name)
    found = next(c for c in cells if c['id'] == cell)
    found['source'] = ''.join(found['source']).replace(there, instead)
    compile('\n'.join(l for l in found['source'].splitlines() if not l.startswith('#|')), name, 'exec')
    yield Path('nbs')/f'{name}.ipynb', json.dumps(nb)
    for path in (root/'fastgroundup').glob('*.py'):
        parts = re.split(rf'^(# %% \S+/{name}\.ipynb #{cell}$)', path.read_text(encoding='utf-8'), flags=re.M)
        if len(parts) == 1: continue
        own, *rest = re.split('^(?=# %% )', parts[2], maxsplit=1, flags=re.M)
        if there not in own: raise ValueError(f'{path.name}: not what {name} exports; nbdev_export writes it')
        yield path.relative_to(root), ''.join([*parts[:2], own.replace(there, instead), *rest])

def noticed(copy, notebook, there, instead):
    "What the notebook's first failing test says; None where all of it passes"
    faulty = dict(planted(notebook, there, instead))
    for path,text in faulty.items(): (copy/path).write_text(text, encoding='utf-8')
    environ = {**os.environ, 'PYTHONPATH': f"{copy}{os.pathsep}{copy/'tools'}", 'OMP_NUM_THREADS': '1', 'PYTHONDONTWRITEBYTECODE': '1'}
    run = 'import sys, pathlib, outputs; print(outputs.fresh(pathlib.Path(sys.argv[1]))["error"] or "")'
    try: done = subprocess.run([sys.executable, '-c', run, copy/'nbs'/f'{notebook}.ipynb'], cwd=copy, env=environ, capture_output=True, text=True, timeout=1200)
    finally:
        for path in faulty: shutil.copy(root/path, copy/path)
    if done.returncode: raise RuntimeError(f'{notebook} could not be run: {done.stderr[-2000:]}') # which is no test that fails
    return done.stdout.strip()

def main(names, minutes):
    "Plant every fault in turn, two at a time, or as many as can begin within some minutes; 0 where all of these are noticed"
    todo, missed, start, done = [(k, *f) for k,fs in faults.items() if not names or k in names for f in fs], [], time.time(), []
    for fault in todo: dict(planted(*fault))
    commit = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=root, capture_output=True, text=True).stdout
    if minutes < math.inf: random.Random(commit).shuffle(todo)
    with tempfile.TemporaryDirectory() as folder:
        free = [Path(folder)/str(i) for i in range(2)]
        for copy in free:
            for part in ('nbs', 'fastgroundup', 'tools'):
                shutil.copytree(root/part, copy/part, ignore=shutil.ignore_patterns('node_modules', '__pycache__'))
            shutil.copy(root/'settings.ini', copy)
        def one(fault):
            if time.time() - start > 60*minutes: return
            copy, began = free.pop(), time.time()
            try: said = noticed(copy, *fault)
            finally: free.append(copy)
            notebook, there, instead = fault
            words = ' '.join((said or 'NOT NOTICED').split(': ', 1)[-1].split())[:70]
            print(f'{notebook}: {there.strip().splitlines()[0][:60]} … {words} ({time.time() - began:.0f} s)', flush=True)
            done.append(fault)
            if not said: missed.append(fault)
        with ThreadPoolExecutor(2) as pool: list(pool.map(one, todo))
    for notebook,there,instead in missed: print(f'{notebook}: nothing notices that {there!r} has become {instead!r}')
    print(f'{len(done)} of {len(todo)} faults planted, {len(missed)} not noticed ({time.time() - start:.0f} s)')
    return len(missed) > 0

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', help='notebooks; all of them if none is given')
    parser.add_argument('--minutes', type=float, default=math.inf, help='how long to plant anew')
    given = parser.parse_args()
    sys.exit(main(given.names, given.minutes))
