#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""churn.py [--seconds S] [--tasks N]: whether taskmond's memory stays what it is while tasks and clients come and go.

A mixed load (mixed_load.cc) of N processes forks all the time; clients ask, look back and follow, and go away again.
Plots resident memory over the time. The first third fills caches and the first chunks; then memory must stay: prints the
median of the middle third and of the last, and the growth of a line fitted to both together. Exits 1 when either is
more than a twentieth. What is larger for a moment, while answers are made, is printed as the peak. Memory is of the
machine's tasks, whose number is printed beside it: nothing else should run. Where it rose, growth is told as not judged
(exit 1, too). Needs root, BTF and TASKMON_BIN."""
import argparse
import collections
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from recorder import BIN  # noqa: E402
from side_by_side.mixed_load import mixed_load  # noqa: E402
from side_by_side.recording import recording  # noqa: E402

SLACK_S = 60
ROWS = 24
BAR = 50
TOLERANCE = 0.05
TASKS_TOLERANCE = 0.25
QUESTIONS = (("ps", "-H"), ("history", "cpu > 1%", "-b", "2m"), ("events", "-b", "1m"), ("ps", "-b", "5m", "--by", "comm"),
             ("show", "1"), ("watch", "--count", "2"), ("rule", "test", "cpu > 50%", "-b", "2m"), ("ps", "nonsense ==="),
             ("diff", "--before", "4m..2m", "--after", "2m..now"))

# Seconds since the load began, resident bytes of taskmond, tasks on the machine.
Sample = collections.namedtuple("Sample", "passed resident tasks")


def ask(recorder):
    for question in QUESTIONS:
        subprocess.run([f"{BIN}/taskmonctl", "--socket", recorder.socket, *question], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


def plot(samples):
    """One line for each part of the time: least and largest of it, and the largest number of tasks."""
    top = max(sample.resident for sample in samples)
    for row in range(ROWS):
        part = samples[row * len(samples) // ROWS:(row + 1) * len(samples) // ROWS]
        if not part:
            continue
        least, largest = (pick(sample.resident for sample in part) for pick in (min, max))
        tasks = max(sample.tasks for sample in part)
        print(f"{part[0].passed / 60:6.1f} min {least / 2**20:7.1f} … {largest / 2**20:6.1f} MiB {tasks:8,} tasks  "
              f"{'#' * (BAR * largest // top)}")


def fitted_growth(samples):
    """By how many bytes the line of least squares through the samples rises from the first to the last."""
    mean_time = statistics.fmean(sample.passed for sample in samples)
    mean_size = statistics.fmean(sample.resident for sample in samples)
    spread = sum((sample.passed - mean_time) ** 2 for sample in samples)
    slope = sum((sample.passed - mean_time) * (sample.resident - mean_size) for sample in samples) / spread
    return slope * (samples[-1].passed - samples[0].passed)


def judge(samples):
    third = len(samples) // 3
    if third < 2:
        raise SystemExit("churn.py: too short to tell")
    settled = samples[third:]
    middle, last = (statistics.median(sample.resident for sample in part) for part in (settled[:third], settled[-third:]))
    peak = max(sample.resident for sample in settled)
    mean = statistics.fmean(sample.resident for sample in settled)
    usual, most = (pick(sample.tasks for sample in samples) for pick in (statistics.median, max))
    growth = fitted_growth(settled)
    print(f"median of the middle third {middle / 2**20:.1f} MiB, of the last {last / 2**20:.1f} MiB; the fitted line "
          f"through both rises by {growth / 2**20:+.2f} MiB, {growth / mean:+.1%} of the mean; peak {peak / 2**20:.1f} MiB")
    if last > (1 + TOLERANCE) * middle or growth > TOLERANCE * mean:
        if most > (1 + TASKS_TOLERANCE) * usual:
            raise SystemExit(f"churn.py: not judged: usually {usual:,.0f} tasks, but {most:,} for a time, and resident memory "
                             "with them; run it with nothing beside it")
        raise SystemExit("churn.py: resident memory grows")
    print("resident memory is flat")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--tasks", type=int, default=300)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("churn.py: needs root")
    with tempfile.TemporaryDirectory(prefix="taskmon-churn-") as scratch, \
            mixed_load(arguments.seconds + SLACK_S, arguments.tasks, scratch), recording() as recorder:
        samples = []
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < arguments.seconds:
            ask(recorder)
            status = recorder.status()
            samples.append(Sample(passed, status["rss_bytes"], status["tasks"]))
            time.sleep(2)
        lives = recorder.ctl("events", "-b", "10s", "--type", "exit").stdout.count("\n")
        print(f"{status['tasks']:,} tasks, {status['ticks']:,} ticks, about {lives / 10:.0f} lives a second, "
              f"{len(samples) * len(QUESTIONS):,} questions")
        plot(samples)
        judge(samples)


if __name__ == "__main__":
    main()
