#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tick_cost.py [--samples S] [--rounds R] [THREADS…]: what taskmond costs, by the kernel's accounting, beside its peers.

For each number of sleeping threads (1,000 and 10,000), taskmond at 1 Hz, storing included, runs side by side with
`atop -a -w` and `pidstat -t -u -r -d -w` where they are installed, which are told to take S samples a second apart.
CPU time is that of /proc/TID/schedstat, summed over threads, for taskmond, and wait4's, start and end included, for its
peers. Then the pipe ping-pong of `perf bench`, with and without taskmond in turns. Prints; judges nothing.
Needs root, BTF and TASKMON_BIN; a busy machine makes all figures larger."""
import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from recorder import Recorder  # noqa: E402

THREADS_PER_PROCESS = 1000
SLEEPERS = ("import sys,threading\n"
            "threading.stack_size(65536)\n"
            "never=threading.Event()\n"
            "for _ in range(int(sys.argv[1])-1): threading.Thread(target=never.wait,daemon=True).start()\n"
            "print('ready',flush=True)\n"
            "never.wait()\n")


def cpu_ns(tgid):
    """Of all threads alive; these programs end none while they are measured."""
    total = 0
    for tid in os.listdir(f"/proc/{tgid}/task"):
        with open(f"/proc/{tgid}/task/{tid}/schedstat", encoding="utf-8") as file:
            total += int(file.read().split()[0])
    return total


def resident_mib(tgid):
    with open(f"/proc/{tgid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024


def end(process):
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


@contextlib.contextmanager
def sleepers(count):
    started = []
    try:
        for begin in range(0, count, THREADS_PER_PROCESS):
            threads = min(THREADS_PER_PROCESS, count - begin)
            started.append(subprocess.Popen([sys.executable, "-c", SLEEPERS, str(threads)], stdout=subprocess.PIPE))
        for process in started:
            if process.stdout.readline() != b"ready\n":
                raise SystemExit(f"cannot start {count} threads; raise the limit of tasks or ask for fewer")
        yield
    finally:
        for process in started:
            end(process)


def peers(scratch, samples):
    """Programs that look at the same tasks at the same pace, so many times."""
    commands = {"atop -a -w": ["atop", "-a", "-w", os.path.join(scratch, "atop.raw"), "1", str(samples)],
                "pidstat -t -u -r -d -w": ["pidstat", "-t", "-u", "-r", "-d", "-w", "1", str(samples)]}
    return {name: command for name, command in commands.items() if shutil.which(command[0])}


def usage_of(process):
    """CPU ns and MiB at most resident of a program, once it has ended."""
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return (usage.ru_utime + usage.ru_stime) * 1e9, usage.ru_maxrss / 1024


def measure_tick(threads, samples):
    with contextlib.ExitStack() as stack:
        stack.enter_context(sleepers(threads))
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="taskmon-bench-"))
        recorder = Recorder("1s").start()
        stack.callback(recorder.remove)
        ours = recorder.process.pid
        recorder.ticks(5)  # the first ticks store everything
        before, ticks, began = cpu_ns(ours), recorder.status()["ticks"], time.monotonic()
        started = {name: subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for name, command in peers(scratch, samples).items()}
        others = {name: usage_of(process) for name, process in started.items()}
        if not others:
            time.sleep(samples)
        after, status, passed = cpu_ns(ours), recorder.status(), time.monotonic() - began
        ticks = status["ticks"] - ticks
        print(f"\n{threads:,} sleeping threads ({status['tasks']:,} tasks in all), load {os.getloadavg()[0]:.1f}; "
              f"taskmond: {ticks} ticks in {passed:.0f} s, others: {samples} samples")
        each = (after - before) / max(1, ticks) / 1e6
        print(f"  {'taskmond':<24} {each:9.2f} ms CPU a sample            {resident_mib(ours):7.1f} MiB")
        for name, (used_ns, mib) in others.items():
            print(f"  {name:<24} {used_ns / samples / 1e6:9.2f} ms CPU a sample  {used_ns / samples / 1e6 / each:7.1f} x"
                  f"  {mib:7.1f} MiB")


def ping_pong(loops):
    """Nanoseconds for a message there and back."""
    out = subprocess.run(["perf", "bench", "sched", "pipe", "-l", str(loops)], capture_output=True, text=True,
                         check=True).stdout
    return float(re.search(r"([\d.]+) usecs/op", out)[1]) * 1000


def measure_ping_pong(rounds):
    if not shutil.which("perf"):
        print("\npipe ping-pong: perf is not installed (apt: linux-perf)")
        return
    without, beside = [], []
    for _ in range(rounds):
        without.append(ping_pong(100_000))
        recorder = Recorder("1s").start()
        try:
            beside.append(ping_pong(100_000))
        finally:
            recorder.remove()
    ratios = [b / a for a, b in zip(without, beside)]
    print(f"\npipe ping-pong, {rounds} rounds in turns, load {os.getloadavg()[0]:.1f}")
    print(f"  without taskmond {statistics.median(without):8.0f} ns   {[round(ns) for ns in without]}")
    print(f"  with taskmond    {statistics.median(beside):8.0f} ns   {[round(ns) for ns in beside]}")
    print(f"  ratio            {statistics.median(ratios):8.3f}      {[round(ratio, 3) for ratio in ratios]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=30, help="for each number of threads, one a second")
    parser.add_argument("--rounds", type=int, default=5, help="of the ping-pong; 0: none")
    parser.add_argument("threads", type=int, nargs="*", default=[1000, 10000])
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("tick_cost.py: needs root")
    missing = [name for name in ("atop", "pidstat") if not shutil.which(name)]
    if missing:
        print(f"not installed, so left out: {', '.join(missing)}")
    for threads in arguments.threads:
        measure_tick(threads, arguments.samples)
    if arguments.rounds:
        measure_ping_pong(arguments.rounds)


if __name__ == "__main__":
    main()
