# SPDX-License-Identifier: Apache-2.0
"""How much slower what hooks see becomes: with taskmond and without, and with tools that hook the same, in turns.

Each round has all conditions, every other one in reverse, so that whatever else the machine does meets all of them.
Ratios are of one round; printed is the median of the rounds."""
import contextlib
import os
import re
import subprocess
import tempfile
import time

from recorder import BIN

from . import hook_peers
from .accounting import median
from .recording import ALL_METRICS, recording
from .table import Budget, Row

TITLE = "what the hooks see, slower than without"
NOTHING, UNTRACKED, TRACKED = "nothing", "untracked", "tracked"
NAMES = {"pipe": "pipe ping-pong (perf bench sched pipe)", "syscall": "system call (perf bench syscall basic)",
         "life": "fork, exec and exit of a program without a library", "block": "direct read of 4 KiB, loop device in memory",
         "tcp": "round trip over TCP, loopback"}
BUDGETS = {("pipe", UNTRACKED): 3, ("pipe", TRACKED): 8, ("syscall", UNTRACKED): 0}
NOISE_PERCENT = 0.5  # what is not there at all is found to be so much at most
DEVICE_BYTES = 64 << 20
PERF_LOOPS = {"pipe": 200_000, "syscall": 10_000_000}  # about a second


def measure(scale):
    found, _ = hook_peers.usable()
    with scratch_device() as device:
        rounds = [take_round(scale, found, device, number % 2 == 1) for number in range(scale.hook_rounds)]
    for workload, name in NAMES.items():
        nothing = [one[NOTHING][workload] for one in rounds if workload in one[NOTHING]]
        if nothing:
            yield from rows_of(scale, workload, name, rounds, found.get(workload, []))


def rows_of(scale, workload, name, rounds, tools):
    def slower(condition):
        return median([100 * (one[condition][workload] / one[NOTHING][workload] - 1) for one in rounds])
    peer = min(tools, key=lambda tool: slower(tool), default=None)  # the cheapest one
    yield Row(f"{name}, without", median([one[NOTHING][workload] for one in rounds]), "ns")
    for condition in (UNTRACKED, TRACKED):
        most = BUDGETS.get((workload, condition))
        budget = most is not None and Budget(f"≤ {most} %" if most else f"0 % (± {NOISE_PERCENT})", most=most or NOISE_PERCENT)
        yield Row(f"  {condition}", slower(condition), "%", peer and " ".join(peer), peer and slower(peer), None,
                  budget or None, scale.judged)


def take_round(scale, tools, device, backwards):
    """{condition: {workload: ns}}."""
    conditions = [(NOTHING, lambda: contextlib.nullcontext(), list(NAMES)),
                  (UNTRACKED, lambda: recording(), list(NAMES)),
                  (TRACKED, lambda: recording(ALL_METRICS), list(NAMES))]
    conditions += [(tool, lambda tool=tool: hook_peers.running(tool), [workload])
                   for workload, usable in tools.items() for tool in usable]
    taken = {}
    for condition, context, workloads in reversed(conditions) if backwards else conditions:
        with context():
            taken[condition] = {workload: ns for workload in workloads
                                if (ns := run(workload, scale, device)) is not None}
        time.sleep(0.2)  # what ends takes a moment
    return taken


def run(workload, scale, device):
    """Nanoseconds of one; None: it cannot be done here."""
    if workload in PERF_LOOPS:
        loops = PERF_LOOPS[workload] // (20 if scale.quick else 1)
        which = {"pipe": ("sched", "pipe"), "syscall": ("syscall", "basic")}[workload]
        out = subprocess.run(["perf", "bench", *which, "-l", str(loops)], capture_output=True, text=True, check=True).stdout
        return float(re.search(r"([\d.]+) usecs/op", out)[1]) * 1000
    what = {"life": [f"{BIN}/storm_leaf"], "block": [device], "tcp": []}[workload]
    if what == [None]:
        return None
    out = subprocess.run([f"{BIN}/hook_load", workload, str(scale.hook_s), *what], capture_output=True, text=True,
                         check=True).stdout
    return float(out)


@contextlib.contextmanager
def scratch_device():
    """A loop device over a file in memory: block requests without the whims of a disk. None where there is none."""
    with tempfile.TemporaryDirectory(prefix="taskmon-bench-", dir="/dev/shm") as directory:
        path = os.path.join(directory, "disk")
        with open(path, "wb") as file:
            file.truncate(DEVICE_BYTES)
        made = subprocess.run(["losetup", "--find", "--show", path], capture_output=True, text=True, check=False)
        device = made.stdout.strip() or None
        try:
            yield device
        finally:
            if device:
                subprocess.run(["losetup", "--detach", device], check=False)
