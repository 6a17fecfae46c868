# SPDX-License-Identifier: Apache-2.0
"""Resident memory of taskmond beside so many idle threads, and beside as many idle processes, which have more to tell.

"Its own" leaves out what is file: programs, libraries, and the ring buffer."""
import time

from population import population

from .accounting import resident_bytes
from .recording import recording
from .table import Budget, Row

TITLE = "resident memory with the shipped rules"
BUDGETS = {10_000: Budget("≤ 64 MiB", most=64)}


def measure(scale):
    for tasks in scale.memory_populations:
        for kind, threads in (("threads", 20), ("processes", 1)):
            with population(tasks, threads=threads), recording(warm_ticks=scale.warm_ticks) as recorder:
                time.sleep(scale.memory_s)
                resident = resident_bytes(recorder.process.pid)
                own = resident_bytes(recorder.process.pid, "RssAnon")
            yield Row(f"{tasks:,} {kind}", resident / 2**20, "MiB", budget=BUDGETS.get(tasks), judged=scale.judged)
            yield Row("  of these its own", own / 2**20, "MiB")
