# SPDX-License-Identifier: Apache-2.0
"""Whether cost grows with activity rather than with population: the same number of tasks wakes, among more and more."""
import itertools
import shutil
import statistics
import tempfile

from population import population

from . import peers
from .accounting import cpu_ns_per_second, median
from .recording import ALL_THREADS, recording
from .table import Budget, Row

TITLE = "CPU a tick of each further idle task"
PEERS_UP_TO = 10_000  # a sample of more takes a peer longer than the second it has


def measure(scale):
    active = scale.constant_active
    ours, theirs = {}, {}
    with tempfile.TemporaryDirectory(prefix="taskmon-bench-") as scratch:
        for tasks in scale.slope_populations:
            with population(tasks, active):
                with recording(ALL_THREADS, warm_ticks=scale.warm_ticks) as recorder:
                    turns = [cpu_ns_per_second(recorder.process.pid, scale.window_s) for _ in range(2)]
                ours[tasks] = median(turns)
                if tasks <= PEERS_UP_TO and shutil.which(peers.ATOP.program):
                    theirs[tasks] = peers.ATOP.cost(scratch, scale.samples).ns
    slope = statistics.linear_regression(list(ours), list(ours.values())).slope
    peer = {}
    if len(theirs) > 1:
        peer = {"peer": peers.ATOP.name,
                "theirs": statistics.linear_regression(list(theirs), list(theirs.values())).slope}
    first, last = min(ours), max(ours)
    yield Row(f"{active:,} tasks wake, {first:,} to {last:,} are there", slope, "ns", **peer)
    for (fewer, less), (more, cost) in itertools.pairwise(ours.items()):
        yield Row(f"  from {fewer:,} to {more:,}", (cost - less) / (more - fewer), "ns")
    each = ours[first] / first
    yield Row(f"  of each task at {last:,}", ours[last] / last, "ns", judged=scale.judged,
              budget=Budget(f"≤ the {each:,.0f} ns at {first:,}", most=each))
