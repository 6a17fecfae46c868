#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""history_size.py [--tasks N] [--seconds S]: how large a recording of the same tasks over the same seconds becomes.

A mixed load (mixed_load.cc) of N processes runs; taskmond at 1 Hz and, where it is installed, `atop -a -w` record it side
by side. Prints bytes per task and tick, of taskmond by what they are for. Needs root, BTF and TASKMON_BIN."""
import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from recorder import BIN, Recorder  # noqa: E402

SETTLE_S = 3
PAUSE_TICKS = 10
CLOSE_TICKS = 310  # a chunk of the history is closed after about so many


def parts_of(path):
    """Bytes of a history file: chunks as sampled, coarser chunks, and the rest, which is names, lives and free pages."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    sampled, = database.execute("SELECT coalesce(sum(bytes), 0) FROM chunk WHERE tier = 0").fetchone()
    coarser, = database.execute("SELECT coalesce(sum(bytes), 0) FROM chunk WHERE tier IN (1, 2)").fetchone()
    lives, = database.execute("SELECT count(*) FROM task WHERE duration_ns IS NOT NULL").fetchone()
    free, = database.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size").fetchone()
    database.close()
    return sampled, coarser, lives, free


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=2 * CLOSE_TICKS)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("history_size.py: needs root")
    with tempfile.TemporaryDirectory(prefix="taskmon-bench-") as scratch:
        load = subprocess.Popen([f"{BIN}/mixed_load", str(arguments.seconds + 60), str(arguments.tasks), scratch])
        raw = os.path.join(scratch, "atop.raw")
        atop = recorder = None
        try:
            time.sleep(SETTLE_S)
            recorder = Recorder("1s").start()
            if shutil.which("atop"):
                atop = subprocess.Popen(["atop", "-a", "-w", raw, "1", str(arguments.seconds)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(0, arguments.seconds, PAUSE_TICKS):
                recorder.ticks(PAUSE_TICKS)  # which waits for so many at most
            status = recorder.status()
            rows = status["tasks"] * status["ticks"]
            recorder.stop()  # closes the last chunk
            database = os.path.join(recorder.state, "history.db")
            sampled, coarser, lives, free = parts_of(database)
            size = os.path.getsize(database)
            print(f"{status['tasks']:,} tasks, {status['ticks']:,} ticks, load {os.getloadavg()[0]:.1f}")
            print(f"  taskmond, as sampled         {sampled / rows:8.2f} bytes a task and tick")
            print(f"  taskmond, 10 s and 1 min     {coarser / rows:8.2f}")
            print(f"  taskmond, names and lives    {(size - sampled - coarser - free) / rows:8.2f}   "
                  f"({lives:,} lives ended, {(size - sampled - coarser - free) / max(lives, 1):.0f} bytes each)")
            print(f"  taskmond, the whole file     {size / rows:8.2f}")
            if atop:
                atop.wait()
                log = os.path.getsize(raw)
                print(f"  atop -a -w                   {log / rows:8.2f}   {log / size:.1f} x the whole file")
            else:
                print("  atop is not installed, so left out")
        finally:
            if recorder:
                recorder.remove()
            for process in (load, atop):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()


if __name__ == "__main__":
    main()
