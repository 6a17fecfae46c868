# SPDX-License-Identifier: Apache-2.0
"""Programs that live for a moment, as many as the machine can make: recorded or counted, and the books closed."""
import json
import os
import subprocess

from recorder import BIN

from .recording import ALL_THREADS, recording
from .table import Budget, Row

TITLE = "fork storm"
LOSSES = ("ring_exec", "ring_final", "lives", "process", "unstored_events")


def measure(scale):
    with recording(ALL_THREADS, warm_ticks=1) as recorder:
        command = [f"{BIN}/storm", "forks", str(scale.storm_s), str(os.cpu_count()), f"{BIN}/storm_leaf"]
        storm = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        recorder.ticks(2)
        status = recorder.status()
        recorder.stop()
        recorded = count_ends(recorder)
    lost = sum(status["dropped"][kind] for kind in LOSSES)
    yield Row("programs born and gone", storm["done"] / storm["seconds"], "a second")
    yield Row("  neither recorded nor counted as lost", max(0, storm["done"] - recorded - lost), "",
              budget=Budget("0", most=0))
    yield Row("  counted as lost", lost, "")
    if status["accounted_cpu_percent"] is not None:
        yield Row("  books: CPU time that has no task, or two", abs(status["accounted_cpu_percent"] - 100), "%",
                  budget=Budget("≤ 1 %", most=1), judged=scale.judged)
    yield Row("  ticks late", status["late_ticks"], "")
    yield Row("  resident memory", status["rss_bytes"] / 2**20, "MiB")


def count_ends(recorder):
    command = [f"{BIN}/taskmonctl", "events", "comm == storm_leaf", "--type", "exit", "-b", "1h", "-o", "jsonl",
               "--file", f"{recorder.state}/history.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as events:
        return sum(1 for _ in events.stdout)
