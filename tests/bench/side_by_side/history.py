# SPDX-License-Identifier: Apache-2.0
"""How large a recording of the same tasks over the same seconds becomes, every metric of every thread in ours, and what
recording costs when full chunks are closed and their coarser forms written, too."""
import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

from recorder import wait_for

from . import peers
from .accounting import cpu_ns, hooks_ns_per_second, spent_by
from .mixed_load import mixed_load
from .recording import ALL_METRICS, recording
from .table import Budget, Row

TITLE = "history of a mixed load, side by side"
SETTLE_S = 2
SLACK_S = 120


def measure(scale):
    with tempfile.TemporaryDirectory(prefix="taskmon-bench-") as scratch, \
            mixed_load(scale.history_s + SLACK_S, scale.history_tasks, scratch):
        time.sleep(SETTLE_S)
        yield from record(scale, scratch)


def record(scale, scratch):
    peer = peers.ATOP if shutil.which(peers.ATOP.program) else None
    with recording(ALL_METRICS) as recorder:
        tgid = recorder.process.pid
        before = cpu_ns(tgid)
        began_ticks = recorder.status()["ticks"]
        if peer:
            process = subprocess.Popen(peer.command(scratch, scale.history_s), **peers.QUIET)
            their_ns, _ = spent_by(process)
        target = began_ticks + scale.history_s
        wait_for(lambda: recorder.status()["ticks"] >= target, "ticks", deadline_s=scale.history_s + SLACK_S, pause_s=1)
        status = recorder.status()
        ticks = status["ticks"] - began_ticks
        own = (cpu_ns(tgid) - before) / ticks
        hooks = hooks_ns_per_second(tgid, scale.window_s)
        status = recorder.status()
        recorder.stop()  # closes the last chunk
        database = os.path.join(recorder.state, "history.db")
        parts, size = parts_of(database), os.path.getsize(database)
    rows = status["tasks"] * status["ticks"]
    theirs = {"peer": peer.name, "theirs": os.path.getsize(f"{scratch}/atop-{scale.history_s}.raw") /
              (status["tasks"] * scale.history_s)} if peer else {}
    yield Row(f"bytes a task and tick, {status['tasks']:,} tasks", parts["as sampled"] / rows, "B", judged=scale.judged,
              budget=Budget("≤ 2.5 B", most=2.5))
    for name, size_of_part in parts.items():
        yield Row(f"  {name}", size_of_part / rows, "B")
    yield Row("the whole file", size / rows, "B", **theirs, judged=scale.judged,
              budget=Budget("≥ 10 x", least=10, of="ratio"))
    yield Row("CPU of a tick, chunks closed", (own + hooks) / 1e6, "ms", peer and peer.name,
              peer and their_ns / scale.history_s / 1e6, judged=scale.judged)
    yield Row("  of these hooks", hooks / 1e6, "ms")


def parts_of(path):
    """Bytes of a history file by what they are for."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        def ask(question):
            return database.execute(question).fetchone()[0]
        sampled = ask("SELECT coalesce(sum(bytes), 0) FROM chunk WHERE tier = 0")
        coarser = ask("SELECT coalesce(sum(bytes), 0) FROM chunk WHERE tier IN (1, 2)")
        free = ask("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
    rest = os.path.getsize(path) - sampled - coarser - free
    return {"as sampled": sampled, "10 s and 1 min": coarser, "names, births and ends": rest, "free pages": free}
