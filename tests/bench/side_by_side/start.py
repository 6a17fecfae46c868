# SPDX-License-Identifier: Apache-2.0
"""From start to ready, by taskmond's own word to the service manager (sd_notify(3)), and from SIGTERM to the end."""
import os
import signal
import socket
import tempfile
import time

from population import population
from recorder import Recorder

from .accounting import median
from .table import Budget, Row

TITLE = "start and end"
DEADLINE_S = 60
ONE_SECOND = Budget("≤ 1 s", most=1)


def measure(scale):
    tasks = 10_000 if 10_000 in scale.populations else scale.populations[-1]
    with population(tasks):
        times = [start_and_stop() for _ in range(scale.starts)]
    yield Row(f"start to ready, {tasks:,} tasks", median([start for start, _ in times]), "s", budget=ONE_SECOND,
              judged=scale.judged)
    yield Row("  the longest", max(start for start, _ in times), "s")
    yield Row("end, history closed", median([end for _, end in times]), "s")


def start_and_stop():
    with tempfile.TemporaryDirectory(prefix="taskmon-bench-") as scratch, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.path.join(scratch, "notify"))
        manager.settimeout(DEADLINE_S)
        recorder = Recorder("1s")
        recorder.popen = {"env": os.environ | {"NOTIFY_SOCKET": manager.getsockname()}}
        try:
            began = time.monotonic()
            recorder.launch(answering=False)
            while b"READY=1" not in manager.recv(4096):
                pass
            ready = time.monotonic()
            recorder.ticks(1)
            stopping = time.monotonic()
            recorder.stop(signal.SIGTERM)
            return ready - began, time.monotonic() - stopping
        finally:
            recorder.remove()
