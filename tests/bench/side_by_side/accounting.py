# SPDX-License-Identifier: Apache-2.0
"""What programs cost, by the kernel's own accounting."""
import contextlib
import glob
import json
import os
import re
import statistics
import subprocess
import time

BPF_STATISTICS = "/proc/sys/kernel/bpf_stats_enabled"
PASSES = ("tm_iterate", "tm_walk_stretch")
CPUCLOCK_SCHED = 2


def cpu_ns(tgid):
    """CPU time of a process, all its threads, dead ones included: its own clock (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~tgid << 3) | CPUCLOCK_SCHED)


def spent_by(process):
    """CPU ns and bytes at most resident of a program that ends by itself."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (usage.ru_utime + usage.ru_stime) * 1e9, usage.ru_maxrss * 1024


def resident_bytes(tgid, kind="VmRSS"):
    with open(f"/proc/{tgid}/status", encoding="utf-8") as file:
        return int(re.search(rf"{kind}:\s+(\d+)", file.read())[1]) * 1024


@contextlib.contextmanager
def bpf_statistics():
    """The kernel times each run of each BPF program, which costs some nanoseconds a run itself."""
    with open(BPF_STATISTICS, encoding="utf-8") as file:
        before = file.read()
    write_statistics("1")
    try:
        yield
    finally:
        write_statistics(before)


def write_statistics(value):
    with open(BPF_STATISTICS, "w", encoding="utf-8") as file:
        file.write(value)


def program_ids(tgid):
    """Of the BPF programs that a process holds."""
    ids = set()
    for path in glob.glob(f"/proc/{tgid}/fdinfo/*"):
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            ids.update(int(number) for number in re.findall(r"^prog_id:\s+(\d+)$", file.read(), re.MULTILINE))
    return ids


def hooks_ns(tgid):
    """Run time, while statistics were on, of a process's programs in other tasks' time; a pass runs in its own."""
    shown = subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, text=True, check=True)
    ids = program_ids(tgid)
    return sum(program.get("run_time_ns", 0) for program in json.loads(shown.stdout)
               if program["id"] in ids and program.get("name") not in PASSES)


def hooks_ns_per_second(tgid, seconds):
    with bpf_statistics():
        before, began = hooks_ns(tgid), time.monotonic()
        time.sleep(seconds)
        return (hooks_ns(tgid) - before) / (time.monotonic() - began)


def cpu_ns_per_second(tgid, seconds):
    before, began = cpu_ns(tgid), time.monotonic()
    time.sleep(seconds)
    return (cpu_ns(tgid) - before) / (time.monotonic() - began)


median = statistics.median
