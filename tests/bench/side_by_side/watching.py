# SPDX-License-Identifier: Apache-2.0
"""Many watchers (watchers.cc): what one costs who asks what others ask, too, and whether ticks stay on time."""
import json
import subprocess
import time

from population import population
from recorder import BIN

from .accounting import cpu_ns, median
from .recording import recording
from .table import Budget, Row

TITLE = "watchers"
TASKS = 1_000
TURNS = 2
INTERVAL_NS = 1_000_000_000
# More watchers than one user gets by default are one's own wish; root gets all that there are.
CONFIG = "[access]\nmax_subscriptions = 512\n"


def measure(scale):
    with population(TASKS, TASKS // 10), recording(config=CONFIG, warm_ticks=scale.warm_ticks) as recorder:
        one, calm = watch(recorder, 1, scale.watch_ticks)
        turns = [[watch(recorder, scale.watchers, scale.watch_ticks, *own) for own in ((), ("own",))] for _ in range(TURNS)]
        status = recorder.status()
    shared, separate = ([(turn[which][0] - one) / (scale.watchers - 1) for turn in turns] for which in (0, 1))
    yield Row(f"CPU a tick of each of {scale.watchers} watchers, {one_answer(calm)}", median(shared) / 1e6, "ms",
              "each with a question of its own", median(separate) / 1e6,
              median([theirs / ours for ours, theirs in zip(shared, separate)]), judged=scale.judged,
              budget=Budget("encoded once: ≥ 3 x", least=3, of="ratio"))
    yield Row("CPU of a tick, one watcher", one / 1e6, "ms")
    calm_late = lateness_ms(calm["ticks"])
    late = [ms for turn in turns for ms in lateness_ms(turn[0][1]["ticks"])]
    yield Row("how late a tick is, one watcher, median", median(calm_late), "ms")
    yield Row(f"  {scale.watchers} watchers, median", median(late), "ms", judged=scale.judged,
              budget=Budget("unchanged (+ 1 ms)", most=median(calm_late) + 1))
    yield Row(f"  {scale.watchers} watchers, at most", max(late), "ms")
    yield Row("late ticks", status["late_ticks"], "", budget=Budget("0", most=0), judged=scale.judged)
    yield Row("ticks that watchers missed", sum(turn[0][1]["missed"] for turn in turns), "")


def one_answer(got):
    answers = max(got["answers"], 1)
    return f"{got['rows'] // answers:,} rows, {got['bytes'] // answers // 1024:,} KiB"


def watch(recorder, watchers, ticks, *own):
    """CPU ns of a tick, and what the watchers got."""
    before, began = cpu_ns(recorder.process.pid), time.monotonic()
    command = [f"{BIN}/watchers", recorder.socket, str(watchers), str(ticks), "comm == population", *own]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    spent = (cpu_ns(recorder.process.pid) - before) / (time.monotonic() - began)
    got = json.loads(out)
    if got["failed"]:
        raise SystemExit(f"{got['failed']} of {watchers} watchers were turned away")
    return spent, got


def lateness_ms(ticks):
    """Against the earliest beat that the ticks allow."""
    phase = min((tick - ticks[0]) - INTERVAL_NS * round((tick - ticks[0]) / INTERVAL_NS) for tick in ticks)
    return [((tick - ticks[0] - phase) % INTERVAL_NS) / 1e6 for tick in ticks]
