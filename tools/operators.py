"""Check torch's own operators with `check_function`, and mistakes planted in some of them beside torch's gradcheck:
`python tools/operators.py [samples] [operator ...]`, one sample an operator unless more are asked for. Torch's database of
operators knows inputs for each. An alarm that is not explained below makes the status 1. Needs the extra ci."""
import random, sys, warnings
from collections import Counter
from itertools import islice

import torch
from torch import Tensor
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_unflatten
from fastgroundup.functions import check_function

explained = { # operators whose own gradient is not that of their forward, for the inputs that the database has
    'native_group_norm': 'the gradient through mean and rstd alone is not that of those outputs',
    'as_strided_scatter': 'a gradient comes back for what is written over',
    'nn.functional.max_unpool1d': 'indices that repeat: one value wins, and each gets a gradient',
    'nn.functional.max_unpool2d': 'as max_unpool1d', 'nn.functional.max_unpool3d': 'as max_unpool1d',
    'normal': 'a gradient of zero by definition, where the outputs move with the mean',
    'nn.functional.ctc_loss': 'a gradient that holds for log_softmax inputs, of which the sum over classes is fixed',
    'as_strided': 'inputs that are a part of a longer memory, and an offset beyond them',
    'to_sparse': 'an output that is sparse', '__rpow__': 'outputs that are not finite',
}

def cases(op, samples):
    "`(function, tensors)` for the first `samples` of an operator that have a gradient"
    try: found = list(islice(op.sample_inputs('cpu', torch.float64, requires_grad=True), samples))
    except Exception: return # an operator that cannot make its own inputs here
    for s in found:
        leaves, spec = tree_flatten(((s.input, *s.args), s.kwargs))
        at = [i for i,t in enumerate(leaves) if isinstance(t, Tensor)]
        def f(*tensors, s=s, leaves=leaves, spec=spec, at=at):
            given = list(leaves)
            for i,t in zip(at, tensors): given[i] = t
            args, kwargs = tree_unflatten(given, spec)
            out = op.gradcheck_wrapper(op.get_op(), *args, **kwargs)
            return s.output_process_fn_grad(out) if s.output_process_fn_grad else out
        f.__name__ = op.name
        tensors = [leaves[i] for i in at]
        try: outs = [t for t in tree_flatten(f(*tensors))[0] if isinstance(t, Tensor)]
        except Exception: outs = []
        if any(t.requires_grad for t in tensors) and all(t.numel() for t in outs): yield f, tensors

def differentiable(names=()):
    return [op for op in op_db if op.supports_autograd and torch.float64 in op.dtypes and (not names or op.name in names)]

def false_alarms(samples, names):
    "Check every operator: how many runs, and the alarms that nothing explains"
    seen, alarms = Counter(), []
    for op in differentiable(names):
        for f,tensors in cases(op, samples):
            try: report = check_function(f, *tensors)
            except ValueError: seen['refused'] += 1; continue # an empty input, a sparse one
            seen['runs'] += 1
            if report.ok: continue
            seen['explained' if op.name in explained else 'alarms'] += 1
            if op.name not in explained:
                alarms.append(op.name)
                print(f'{op.name}, {[tuple(t.shape) for t in tensors]}\n{report}\n')
    return seen, alarms

def nth(gen, g):
    "`g` with about a tenth of its entries zeroed"
    keep = torch.rand(g.shape, generator=gen) > 0.1
    keep.view(-1)[int(torch.rand((), generator=gen)*g.numel())] = False
    return g*keep
planted = { # what is done to the gradient of the first input
    'sign': lambda g, x, gen: -g, 'twice': lambda g, x, gen: 2*g, '4% more': lambda g, x, gen: 1.04*g, 'zero': lambda g, x, gen: 0*g,
    'a tenth zeroed': lambda g, x, gen: nth(gen, g), 'rows reversed': lambda g, x, gen: g.flip(0), 'plus the input': lambda g, x, gen: g + x,
}

def with_mistake(f, change):
    "`f` with a mistake in the gradient of its first input"
    class Changed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x): ctx.save_for_backward(x); return x.clone()
        @staticmethod
        def backward(ctx, g): return change(g.contiguous(), ctx.saved_tensors[0], torch.Generator().manual_seed(1))
    return lambda x, *more: f(Changed.apply(x), *more)

def caught(most=58):
    "Plant each mistake in operators of one output: how many `check_function` catches, how many gradcheck, how many are named"
    ops = sorted({op.name for op in differentiable() if '.' not in op.name and '_' not in op.name and op.name not in explained})
    found, named, total, done = Counter(), Counter(), Counter(), 0
    for name in random.Random(5).sample(ops, len(ops)):
        op = differentiable([name])[0]
        f, tensors = next(((f, t) for f,t in cases(op, 4) if t[0].requires_grad and t[0].ndim > 1 and t[0].numel() < 60), (None, None))
        if f is None or done == most: continue
        x = tensors[0].detach().clone().requires_grad_()
        try:
            out = f(x, *tensors[1:])
            g, = torch.autograd.grad(out, x, torch.randn_like(out))
        except Exception: continue # several outputs, or none that depends on the first
        if x.is_complex() or not g.numel() or not g.abs().min() > 1e-6: continue # each mistake has to change something
        right = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in tensors]
        try: torch.autograd.gradcheck(f, right)
        except Exception: continue # one that cannot be told apart from a mistake
        done += 1
        for kind,change in planted.items():
            wrong, given = with_mistake(f, change), [t.detach().clone().requires_grad_(t.is_floating_point()) for t in tensors]
            if torch.allclose(change(g, x, torch.Generator().manual_seed(1)), g): continue
            total[kind] += 1
            report = check_function(wrong, *given)
            found[kind, 'ours'] += not report.ok
            named[kind] += any(r.diagnosis.kind not in ('unknown', 'right') for r in report.wrong)
            try: torch.autograd.gradcheck(wrong, given)
            except Exception: found[kind, 'gradcheck'] += 1
    return done, total, found, named

if __name__ == '__main__':
    warnings.filterwarnings('ignore')
    torch.set_num_threads(1)
    samples, names = int((sys.argv[1:] or ['1'])[0]), sys.argv[2:]
    seen, alarms = false_alarms(samples, names)
    print(f'{seen["runs"]} runs on {len(differentiable(names))} operators: {seen["alarms"]} alarms, {seen["explained"]} explained, {seen["refused"]} refused')
    worse = []
    if not names:
        done, total, found, named = caught()
        for kind in total:
            print(f'{kind}: of {total[kind]} caught {found[kind, "ours"]}, by gradcheck {found[kind, "gradcheck"]}, named {named[kind]}')
        worse = [kind for kind in total if found[kind, 'ours'] < found[kind, 'gradcheck']]
        print(f'{sum(total.values())} mistakes in {done} operators: caught {sum(found[k, "ours"] for k in total)}, '
              f'by gradcheck {sum(found[k, "gradcheck"] for k in total)}, named {sum(named.values())}')
    sys.exit(f'alarms: {Counter(alarms)}; fewer caught than by gradcheck: {worse}' if len(alarms) > 2*seen['runs']/1000 or worse else 0)
