"""What the peers in Python share: the other end of tools/bench/child.c, and the data of tools/bench/data.c.

A peer is a program that sets up its net for BENCH_THREADS threads, does the first steps and says

    ready MEAN LAST

(the losses of these steps, on average and of the last one), then answers each line "run" with the
microseconds of a step, averaged over about a tenth of a second. A peer that cannot run here says
"absent: WHY" instead and ends.
"""
import argparse
import os
import resource
import sys
import time



def clock():
    """Seconds; with BENCH_CLOCK, of the processors in this process and those it has started."""
    if "BENCH_CLOCK" not in os.environ:
        return time.perf_counter()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


THREADS = int(os.environ.get("BENCH_THREADS", "1"))
SECONDS = 0.1

_parser = argparse.ArgumentParser()
_parser.add_argument("--variant", default="default")
VARIANT = _parser.parse_args().variant


def absent(why):
    print("absent:", why, flush=True)
    sys.exit(0)


def numpy():
    try:
        import numpy
    except ImportError:
        absent("python3-numpy is not installed")
    return numpy


def torch():
    numpy()
    try:
        import torch
    except ImportError:
        absent("python3-torch is not installed")
    torch.set_num_threads(THREADS)
    # As all others here, which flush denormal numbers to zero.
    torch.set_flush_denormal(True)
    return torch


def serve(step, compared, together=1, update=None):
    """step(i) is step i and returns its loss, anything that float() takes; update() what follows untimed."""
    losses = []
    at = 0

    def steps(n):
        nonlocal at
        total = 0
        for _ in range(n):
            start = clock()
            step(at)
            total += clock() - start
            at += 1
            update()
        return total

    def steps_alone(n):
        nonlocal at
        start = clock()
        for _ in range(n):
            step(at)
            at += 1
        return clock() - start

    timed = steps if update else steps_alone
    for _ in range(compared):
        losses.append(float(step(at)))
        at += 1
        if update:
            update()
    n = together
    end = clock() + 2 * SECONDS
    while clock() < end:
        timed(n)
    while timed(n) < SECONDS:
        n *= 2
    print("ready %.12g %.12g" % (sum(losses) / len(losses), losses[-1]), flush=True)
    for _ in sys.stdin:
        print("%.9g" % (timed(n) / n * 1e6), flush=True)


def classes(np, rs, batch, pixels=784, batches=10):
    """Images and labels of W1, W2, W3."""
    x = rs.rand(batches, batch, pixels).astype(np.float32)
    return x, rs.randint(0, 10, (batches, batch))
