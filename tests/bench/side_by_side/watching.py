# SPDX-License-Identifier: Apache-2.0
"""Many watchers with the same question (watchers.cc): what each further one costs, and whether ticks stay on time."""
import json
import subprocess
import time

from recorder import BIN

from .accounting import cpu_ns, median
from .population import population
from .recording import recording
from .table import Budget, Row

TITLE = "watchers"
TASKS = 1_000
INTERVAL_NS = 1_000_000_000
# More watchers than one user gets by default are one's own wish; root gets all that there are.
CONFIG = "[access]\nmax_subscriptions = 512\n"


def measure(scale):
    with population(TASKS, TASKS // 10), recording(config=CONFIG, warm_ticks=scale.warm_ticks) as recorder:
        idle = cost_without(recorder, scale.watch_ticks)
        one, calm = watch(recorder, 1, scale.watch_ticks)
        many, busy = watch(recorder, scale.watchers, scale.watch_ticks)
        status = recorder.status()
    further = (many - one) / (scale.watchers - 1)
    yield Row("CPU of a tick, nobody watches", idle / 1e6, "ms")
    yield Row(f"  the first watcher adds, {one_answer(calm)}", (one - idle) / 1e6, "ms")
    yield Row(f"  each further one adds, of {scale.watchers}", further / 1e6, "ms", judged=scale.judged,
              budget=Budget("≤ 1/4 of the first", most=(one - idle) / 4e6))
    late = lateness_ms(busy["ticks"])
    calm_late = lateness_ms(calm["ticks"])
    yield Row("how late a tick is, one watcher, median", median(calm_late), "ms")
    yield Row(f"  {scale.watchers} watchers, median", median(late), "ms", judged=scale.judged,
              budget=Budget("unchanged (+ 1 ms)", most=median(calm_late) + 1))
    yield Row(f"  {scale.watchers} watchers, at most", max(late), "ms")
    yield Row("late ticks", status["late_ticks"], "", budget=Budget("0", most=0), judged=scale.judged)
    yield Row("ticks that a watcher missed", busy["missed"], "")


def one_answer(got):
    answers = max(got["answers"], 1)
    return f"{got['rows'] // answers:,} rows, {got['bytes'] // answers // 1024:,} KiB"


def cost_without(recorder, seconds):
    before, began = cpu_ns(recorder.process.pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_ns(recorder.process.pid) - before) / (time.monotonic() - began)


def watch(recorder, watchers, ticks):
    """CPU ns of a tick, and what the watchers got."""
    before, began = cpu_ns(recorder.process.pid), time.monotonic()
    command = [f"{BIN}/watchers", recorder.socket, str(watchers), str(ticks), "comm == population"]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    spent = (cpu_ns(recorder.process.pid) - before) / ((time.monotonic() - began))
    got = json.loads(out)
    if got["failed"]:
        raise SystemExit(f"{got['failed']} of {watchers} watchers were turned away")
    return spent, got


def lateness_ms(ticks):
    """Against the earliest beat that the ticks allow."""
    phase = min((tick - ticks[0]) - INTERVAL_NS * round((tick - ticks[0]) / INTERVAL_NS) for tick in ticks)
    return [((tick - ticks[0] - phase) % INTERVAL_NS) / 1e6 for tick in ticks]
