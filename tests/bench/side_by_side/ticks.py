# SPDX-License-Identifier: Apache-2.0
"""What a tick costs at so many tasks, storing every thread included, beside what a sample costs the peers.

taskmond runs all the time, its peers take turns beside it: the same tasks in the same seconds. What its hooks take of
other tasks' time is on its bill, measured apart with the kernel's BPF statistics."""
import tempfile
import time

from population import population

from . import peers
from .accounting import cpu_ns, cpu_ns_per_second, hooks_ns_per_second, median, resident_bytes
from .recording import ALL_THREADS, recording
from .table import Budget, Row

TITLE = "CPU of one tick at 1 Hz, every thread stored, hooks' time in other tasks included (up to 20,000 wakes a second)"
TENTH, ALL, NONE = "10 % wake", "all wake", "idle"
TEN_MS = Budget("≤ 10 ms", most=10)
SIXTIETH = Budget("≥ 60 x", least=60, of="ratio")
SIX_PERCENT = Budget("≤ 6 % of a core", most=60)
MEMORY = Budget("≤ 64 MiB", most=64)


def measure(scale):
    for tasks in scale.populations:
        for activity, active in ((NONE, 0), (TENTH, tasks // 10), (ALL, tasks)):
            if active <= scale.most_wakes:
                yield from measure_one(scale, tasks, activity, active)


def measure_one(scale, tasks, activity, active):
    label = f"{tasks:,} tasks, {activity}"
    others = peers.present() if tasks in scale.compared and activity == TENTH else []
    with population(tasks, active), recording(ALL_THREADS, warm_ticks=scale.warm_ticks) as recorder, \
            tempfile.TemporaryDirectory(prefix="taskmon-bench-") as scratch:
        tgid = recorder.process.pid
        began, spent = time.monotonic(), cpu_ns(tgid)
        alone, beside = [], {peer: [] for peer in others}
        for _ in range(scale.rounds if others else 2):
            alone.append(cpu_ns_per_second(tgid, scale.window_s))
            for peer in others:
                beside[peer].append(turn(peer, tgid, scratch, scale.samples))
        mean = (cpu_ns(tgid) - spent) / (time.monotonic() - began)
        hooks = hooks_ns_per_second(tgid, scale.window_s)
        resident = resident_bytes(tgid)
    yield from tick_rows(scale, label, tasks, activity, median(alone), hooks)
    for peer, turns in beside.items():
        ratios = [cost.ns / (ours + hooks) for cost, ours in turns]
        yield Row(f"{label}, beside", (median([ours for _, ours in turns]) + hooks) / 1e6, "ms", peer.name,
                  median([cost.ns for cost, _ in turns]) / 1e6, median(ratios),
                  SIXTIETH if peer is peers.ATOP and tasks == 10_000 else None, scale.judged)
    if others:
        yield Row(f"{label}, mean of all turns", (mean + hooks) / 1e6, "ms", judged=scale.judged,
                  budget=TEN_MS if tasks == 10_000 else None)
    largest = max(others, key=lambda peer: beside[peer][-1][0].resident_bytes, default=None)
    yield Row(f"{label}, resident memory", resident / 2**20, "MiB", largest and largest.name,
              largest and beside[largest][-1][0].resident_bytes / 2**20, judged=scale.judged,
              budget=MEMORY if tasks == 10_000 else None)


def tick_rows(scale, label, tasks, activity, own, hooks):
    budget = None
    if activity != ALL:
        budget = {10_000: TEN_MS, 100_000: SIX_PERCENT}.get(tasks)
    yield Row(label, (own + hooks) / 1e6, "ms", budget=budget, judged=scale.judged)
    yield Row("  of these hooks", hooks / 1e6, "ms")


def turn(peer, tgid, scratch, samples):
    """A peer's cost, and ours a second in the same seconds."""
    began, before = time.monotonic(), cpu_ns(tgid)
    cost = peer.cost(scratch, samples)
    return cost, (cpu_ns(tgid) - before) / (time.monotonic() - began)
