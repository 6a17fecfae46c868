# SPDX-License-Identifier: Apache-2.0
"""What hooks see, done again and again: perf bench's loops, and those of hook_load.cc."""
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import tempfile

from recorder import BIN

from .accounting import spent_by

PERF = {"pipe": ("sched", "pipe", 200_000), "syscall": ("syscall", "basic", 10_000_000)}  # about a second each
NAMES = {"pipe": "pipe ping-pong (perf bench sched pipe)", "syscall": "system call (perf bench syscall basic)",
         "life": "fork, exec and exit of a program without a library",
         "block": "direct read of 4 KiB, loop device in memory", "tcp": "round trip over TCP, loopback"}
DEVICE_BYTES = 64 << 20
QUICKER = 20


@dataclasses.dataclass(frozen=True)
class Taken:
    """Nanoseconds of one: by the clock, and of CPU time of all that took part, which others on the CPU do not prolong."""
    clock: float
    cpu: float


def run(load, scale, device):
    """None: it cannot be done here."""
    if load in PERF:
        return run_perf(scale, *PERF[load])
    what = {"life": [f"{BIN}/storm_leaf"], "block": [device], "tcp": []}[load]
    if what == [None]:
        return None
    out, cpu_ns = output_of([f"{BIN}/hook_load", load, str(scale.hook_s), *what])
    did = json.loads(out)
    return Taken(did["median_ns"], cpu_ns / did["operations"])


def run_perf(scale, suite, which, loops):
    loops //= QUICKER if scale.quick else 1
    out, cpu_ns = output_of(["perf", "bench", suite, which, "-l", str(loops)])
    return Taken(float(re.search(r"([\d.]+) usecs/op", out)[1]) * 1000, cpu_ns / loops)


def output_of(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        out = process.stdout.read()
        cpu_ns, _ = spent_by(process)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return out, cpu_ns


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
