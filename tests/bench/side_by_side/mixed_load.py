# SPDX-License-Identifier: Apache-2.0
"""A mixed load, for a while: mixed_load.cc."""
import contextlib
import subprocess

from recorder import BIN


@contextlib.contextmanager
def mixed_load(seconds, tasks, scratch):
    """Processes that sleep, wake, compute, fork, read and write in the directory `scratch`, for so many seconds at most."""
    load = subprocess.Popen([f"{BIN}/mixed_load", str(seconds), str(tasks), scratch])
    try:
        yield
    finally:
        load.kill()
        load.wait()
