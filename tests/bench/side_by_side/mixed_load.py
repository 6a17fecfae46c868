# SPDX-License-Identifier: Apache-2.0
"""Tasks to look at, for a while: sleeping and waking ones (population.cc), or a mixed load (mixed_load.cc)."""
import contextlib
import json
import subprocess

from recorder import BIN
from task_limit import room_for


@contextlib.contextmanager
def population(tasks, active=0, hz=1, threads=20):
    """So many tasks in processes of so many threads, of which `active` wake `hz` times a second."""
    with room_for(tasks):
        process = subprocess.Popen([f"{BIN}/population", str(tasks), str(active), str(hz), str(threads)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            made = json.loads(process.stdout.readline())
            if made["failed"]:
                raise SystemExit(f"cannot make {tasks:,} tasks: {made['done']:,} came to be")
            yield process
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait()


@contextlib.contextmanager
def mixed_load(seconds, tasks, scratch):
    """Processes that sleep, wake, compute, fork, read and write in the directory `scratch`, for so many seconds at most."""
    load = subprocess.Popen([f"{BIN}/mixed_load", str(seconds), str(tasks), scratch])
    try:
        yield
    finally:
        load.kill()
        load.wait()
