# SPDX-License-Identifier: Apache-2.0
"""Tasks to look at, for a while: population.cc."""
import contextlib
import json
import subprocess

from recorder import BIN
from task_limit import room_for


@contextlib.contextmanager
def population(tasks, active=0, hz=1, threads=20):
    """So many tasks in processes of so many threads, of which `active` wake `hz` times a second. Its standard input
    keeps them alive."""
    with room_for(tasks):
        process = subprocess.Popen([f"{BIN}/population", str(tasks), str(active), str(hz), str(threads)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            made = json.loads(process.stdout.readline())
            if made["failed"]:
                raise RuntimeError(f"cannot make {tasks:,} tasks: {made['done']:,} came to be")
            yield process
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait()
