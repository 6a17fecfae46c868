#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory.py [--seconds S] [TASKS…]: resident memory of taskmond beside so many idle threads, and as many processes.

Of what is resident, the file part is programs, libraries and the ring buffer, which the kernel shows twice; the other
part is taskmond's own. "Most" is the largest it ever was, which is at the start. Prints; judges nothing. Needs root, BTF
and TASKMON_BIN."""
import argparse
import contextlib
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from recorder import BIN, Recorder  # noqa: E402


@contextlib.contextmanager
def crowd(kind, count):
    if count == 0:
        yield
        return
    with subprocess.Popen([f"{BIN}/storm", kind, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as storm:
        try:
            storm.stdout.readline()
            yield
        finally:
            storm.kill()


def sizes_mib(tgid):
    with open(f"/proc/{tgid}/status", encoding="utf-8") as file:
        text = file.read()
    return {key: int(re.search(rf"{key}:\s+(\d+)", text)[1]) / 1024 for key in ("VmRSS", "RssAnon", "RssFile", "VmHWM")}


def measure(kind, count, seconds):
    with crowd(kind, count):
        recorder = Recorder("1s").start()
        try:
            time.sleep(seconds)
            size, tasks = sizes_mib(recorder.process.pid), recorder.status()["tasks"]
        finally:
            recorder.remove()
    print(f"  {count:>7,} {kind:<10} {tasks:>8,} {size['VmRSS']:8.1f} {size['RssFile']:8.1f} {size['RssAnon']:8.1f} "
          f"{size['VmHWM']:8.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("tasks", type=int, nargs="*", default=[100, 1000, 10_000])
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("memory.py: needs root")
    print(f"\nresident memory after {arguments.seconds} s, MiB\n"
          f"  {'beside':<18} {'tasks':>8} {'all':>8} {'file':>8} {'own':>8} {'most':>8}")
    for count in arguments.tasks:
        for kind in ("crowd", "family"):
            measure(kind, count, arguments.seconds)


if __name__ == "__main__":
    main()
