"""What happens to long trainings, on purpose: `python tools/faults.py`, or with the names of some of the faults.

kills: kill -9 at fifty random moments of a training with checkpoints, each resumed; the end is that of one that nobody
killed. interrupts: Ctrl-C at random moments of fastgroundup_train, from its first import on; each ends with a sentence,
and no saved model is replaced by a half-trained one. ranks: one of two ranks killed, one hung, with torchrun and without,
a Ctrl-C; a sentence within 30 seconds and a whole checkpoint. disk: no room, no permission. Needs the extra train."""
import argparse, os, random, re, resource, signal, socket, subprocess, sys, tempfile, time
from pathlib import Path

quiet = {**os.environ, 'OMP_NUM_THREADS': '1', 'OMP_WAIT_POLICY': 'PASSIVE'}
scripts = Path(sys.executable).parent

def kills(folder, say, n=50):
    import torch
    from fastgroundup.checkpoint import Checkpoints
    from fastgroundup.norm import Dropout
    from fastgroundup.train import Adam, classifier, fit, one_cycle
    torch.set_num_threads(1)
    x, y = torch.randn(2000, 30, generator=torch.Generator().manual_seed(1)), torch.arange(2000) % 7
    def train(checkpoint=None, resume=False):
        torch.manual_seed(3)
        model = classifier(30, 20, 7)
        model.layers.insert(1, Dropout(0.2))
        keep = checkpoint and Checkpoints(checkpoint, seconds=0.03)
        history = fit(model, (x, y, x, y), 600, Adam(model.params(), 1e-3), 32, one_cycle(1e-3), verbose=False, augment=shifted,
                      checkpoint=keep, resume=resume)
        return [p.tolist() for p in model.params()], history.losses
    def shifted(xb): return xb + 0.1*torch.randn_like(xb)
    def child(f): # a fork, as importing torch fifty times would take minutes
        pid = os.fork()
        if pid: return pid
        try: f()
        except BaseException as e:
            print(repr(e), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    run, pick, resumed, whole, torn = folder/'run', random.Random(7), 0, train(), 0
    def last(): return max((int(p.name[5:]) for p in run.glob('step-*')), default=0)
    while resumed < n:
        before = last()
        pid = child(lambda: train(run, resume=before > 0))
        time.sleep(pick.uniform(0.1, 0.5))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f'it ended with {status}, before it was killed'
        torn += any(run.glob('.step-*.part'))
        assert last() >= before, f'from step {before} to step {last()}'
        resumed += before > 0
    steps = last()
    end = train(run, resume=True)
    assert end == whole, 'the end is another than that of the training that was not killed'
    assert len(list(run.iterdir())) == 2, [*run.iterdir()]
    say(f'{resumed} kills, {resumed} resumes; {torn} in the middle of a save; the last at step {steps} of {len(whole[1])}; difference 0')

def started(command, **kw):
    "A process that has come to our own code: it catches SIGTERM, which Python by itself does not"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet, **kw)
    while process.poll() is None:
        caught = re.search(r'^SigCgt:\s*(\w+)', Path(f'/proc/{process.pid}/status').read_text(), re.M)[1]
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1: break
    return process

def interrupts(folder, say, n=24):
    saved, older = folder/'model.safetensors', b'an older model'
    command = [scripts/'fastgroundup_train', '--epochs', '25', '--hidden', '32', '--bs', '256', '--save', saved]
    begun = time.monotonic()
    done = started(command)
    begun = time.monotonic()
    assert not done.wait(), done.stderr.read()
    seconds, trained, pick, ends = time.monotonic() - begun, saved.read_bytes(), random.Random(11), {}
    for i in range(n):
        saved.write_bytes(older)
        for beside in folder.glob('*.interrupted*'): beside.unlink()
        process = started(command)
        at = seconds*(i + pick.random())/n
        time.sleep(at)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        words = f'Ctrl-C after {at:.2f} s: status {process.returncode}\n{out}{err}'
        assert 'Traceback' not in err and process.returncode in (0, 1, 130), words
        assert not process.returncode or 'interrupted' in err.splitlines()[-1], words
        now = saved.read_bytes()
        assert now == older or now == trained, words
        assert process.returncode or now == trained, words
        assert {p.name for p in folder.iterdir()} <= {saved.name, 'model.interrupted.safetensors'}, [*folder.iterdir()]
        kind = err.splitlines()[-1].split(';')[0] if process.returncode else 'it had ended'
        ends[kind] = ends.get(kind, 0) + 1
    say(f'{n} times Ctrl-C within {seconds:.1f} s, each ended with a sentence: ' + ', '.join(f'{v} "{k}"' for k,v in ends.items()))

def torchrun(folder, *args):
    "Two ranks that train, once the first checkpoint is there: the process, and the pids of the ranks"
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2', '-m', 'fastgroundup', 'train', '--hidden', '16',
               '--epochs', '500', '--checkpoint', folder/'run', *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet, start_new_session=True)
    while not any((folder/'run').glob('step-*')) and process.poll() is None: time.sleep(0.1)
    ranks = {}
    for p in Path('/proc').glob('[0-9]*'):
        try: words = (p/'environ').read_bytes().split(b'\0'), (p/'stat').read_text().split()[3]
        except OSError: continue
        if words[1] == str(process.pid): ranks |= {w[5:].decode(): int(p.name) for w in words[0] if w.startswith(b'RANK=')}
    assert sorted(ranks) == ['0', '1'], (ranks, process.poll())
    return process, ranks

def ranks(folder, say):
    for i,(name, rank, signum, other, words) in enumerate((
            ('rank 1 killed', '1', signal.SIGKILL, '0', 'rank 1 ended; wanted all 2 ranks until the end'),
            ('rank 0 killed', '0', signal.SIGKILL, '1', 'rank 0 ended; wanted all 2 ranks until the end'),
            ('rank 1 hung, --patience 5', '1', signal.SIGSTOP, '0', 'no answer from rank 1 for 5 s; wanted all 2 ranks'),
            ('Ctrl-C', None, signal.SIGINT, '0', 'interrupted; --resume goes on from'))):
        own = folder/str(i)
        own.mkdir()
        process, pids = torchrun(own, '--patience', '5')
        begun = time.monotonic()
        if rank: os.kill(pids[rank], signum)
        else: os.killpg(process.pid, signum) # as a terminal does
        while Path(f'/proc/{pids[other]}').exists() and 'Z' not in Path(f'/proc/{pids[other]}/stat').read_text().split()[2]: time.sleep(0.05)
        seconds = time.monotonic() - begun
        if signum == signal.SIGSTOP: os.kill(pids[rank], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        said = [l for l in err.splitlines() if l.startswith('fastgroundup_train:')]
        assert len(said) == 1 and words in said[0], err
        assert seconds < 30, seconds
        done = subprocess.run([sys.executable, '-c', 'import sys; from fastgroundup.checkpoint import Checkpoints; '
                               'print(len(Checkpoints(sys.argv[1]).load()["losses"]))', own/'run'], capture_output=True, text=True)
        assert int(done.stdout) > 0 and not done.stderr, done
        say(f'{name}: rank {other} ended after {seconds:.1f} s, "{said[0].split(": ", 1)[1]}"; whole checkpoint of step {done.stdout.strip()}')

    # without torchrun the store that all ask is in rank 0: while that hangs, nobody answers
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]
    command = [sys.executable, '-m', 'fastgroundup', 'train', '--hidden', '16', '--epochs', '500', '--patience', '5', '--checkpoint', folder/'own']
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=quiet | {'RANK': r, 'LOCAL_RANK': r, 'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)})
            for r in '01']
    try:
        while not any((folder/'own').glob('step-*')) and both[0].poll() is None: time.sleep(0.1)
        both[0].send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        _, err = both[1].communicate(timeout=30)
    finally:
        for process in both: process.kill()
    assert err.splitlines() == ['fastgroundup_train: no answer from rank 0 for 5 s; wanted all 2 ranks until the end'], err
    say(f'rank 0 hung, without torchrun: rank 1 ended after {time.monotonic() - begun:.1f} s, "{err.split(": ", 1)[1].strip()}"')

def disk(folder, say):
    def small(): resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)) # as a disk without room for more
    command = [scripts/'fastgroundup_train', '--epochs', '1', '--bs', '500']
    for name,args,words,status,limit in (
            ('no room for checkpoints', ['--checkpoint', folder/'run'], 'cannot be written: File too large; the training goes on', 1, small),
            ('no room for the model', ['--save', folder/'m'], 'cannot be written: File too large', 1, small),
            ('a read-only folder', ['--checkpoint', '/proc/run'], 'cannot be written', 1, None),
            ('a read-only folder', ['--save', '/proc/m'], 'cannot be written', 1, None)):
        done = subprocess.run([*command, *args], capture_output=True, text=True, env=quiet, preexec_fn=limit)
        lines = done.stderr.splitlines()
        assert done.returncode == status and lines and words in lines[-1] and 'Traceback' not in done.stderr, done
        assert not any(folder.rglob('*.part')) and not (folder/'m').exists(), [*folder.rglob('*')]
        say(f'{name}: status {status}, "{lines[-1]}"')

faults = dict(kills=kills, interrupts=interrupts, ranks=ranks, disk=disk)

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('names', nargs='*', choices=[[], *faults], help='those to try; none: all')
    for name in parser.parse_args().names or faults:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            faults[name](folder, lambda words: print(f'{name}: {words.replace(str(folder), "…")}', flush=True))
        print(f'{name}: ok ({time.monotonic() - begun:.0f} s)', flush=True)
