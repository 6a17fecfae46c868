#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""churn.py [--seconds S] [--tasks N]: whether taskmond's memory stays what it is while tasks and clients come and go.

A mixed load (mixed_load.cc) of N processes forks all the time; clients ask, look back and follow, and go away again.
Plots resident memory over the time, and says how much of it came after the first quarter, when caches and the first
chunks are full. Exits 1 when that is more than a tenth. Needs root, BTF and TASKMON_BIN."""
import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from recorder import BIN, Recorder  # noqa: E402

ROWS = 24
BAR = 50
QUESTIONS = (("ps", "-H"), ("history", "cpu > 1%", "-b", "2m"), ("events", "-b", "1m"), ("ps", "-b", "5m", "--by", "comm"),
             ("show", "1"), ("watch", "--count", "2"), ("rule", "test", "cpu > 50%", "-b", "2m"), ("ps", "nonsense ==="),
             ("diff", "--before", "4m..2m", "--after", "2m..now"))


def ask(recorder):
    for question in QUESTIONS:
        subprocess.run([f"{BIN}/taskmonctl", "--socket", recorder.socket, *question], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


def plot(samples):
    """One line for each part of the time: least and largest of it."""
    top = max(size for _, size in samples)
    for row in range(ROWS):
        part = samples[row * len(samples) // ROWS:(row + 1) * len(samples) // ROWS]
        if not part:
            continue
        least, largest = (pick(size for _, size in part) for pick in (min, max))
        print(f"{part[0][0] / 60:6.1f} min {least / 2**20:7.1f} … {largest / 2**20:6.1f} MiB  {'#' * (BAR * largest // top)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--tasks", type=int, default=300)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("churn.py: needs root")
    with tempfile.TemporaryDirectory(prefix="taskmon-churn-") as scratch:
        load = subprocess.Popen([f"{BIN}/mixed_load", str(arguments.seconds + 60), str(arguments.tasks), scratch])
        recorder = None
        samples = []
        try:
            recorder = Recorder("1s").start()
            begin = time.monotonic()
            while (passed := time.monotonic() - begin) < arguments.seconds:
                ask(recorder)
                samples.append((passed, recorder.status()["rss_bytes"]))
                time.sleep(2)
            status = recorder.status()
            lives = recorder.ctl("events", "-b", "10s", "--type", "exit").stdout.count("\n")
            print(f"{status['tasks']:,} tasks, {status['ticks']:,} ticks, about {lives / 10:.0f} lives a second, "
                  f"{len(samples) * len(QUESTIONS):,} questions")
            plot(samples)
            early = max(size for _, size in samples[:max(1, len(samples) // 4)])
            late = max(size for _, size in samples[-max(1, len(samples) // 4):])
            print(f"largest in the first quarter {early / 2**20:.1f} MiB, in the last {late / 2**20:.1f} MiB")
            if late > 1.1 * early:
                raise SystemExit("churn.py: resident memory grows")
        finally:
            if recorder:
                recorder.remove()
            load.kill()
            load.wait()


if __name__ == "__main__":
    main()
