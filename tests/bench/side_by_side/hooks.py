# SPDX-License-Identifier: Apache-2.0
"""How much more what hooks see takes: with taskmond and without, and with tools that hook the same, in turns.

Each round has all conditions, every other one in reverse, so that whatever else the machine does meets all of them.
Ratios are of one round; printed is the median of the rounds."""
import contextlib
import operator
import time

from . import hook_peers
from .accounting import median
from .hook_loads import NAMES, run, scratch_device
from .recording import ALL_METRICS, recording
from .table import Budget, Row

TITLE = "what the hooks see: more than without, in CPU time of all that take part"
NOTHING, UNTRACKED, TRACKED = "nothing", "untracked", "tracked"
LABELS = {UNTRACKED: "untracked (the shipped rules)", TRACKED: "tracked, every metric and hook"}
CPU, CLOCK = operator.attrgetter("cpu"), operator.attrgetter("clock")
NOISE_PERCENT = 0.5
SETTLE_TICKS = 2  # the first one finds everything new
BUDGETS = {("pipe", UNTRACKED): Budget("≤ 3 %", most=3), ("pipe", TRACKED): Budget("≤ 8 %", most=8),
           ("syscall", UNTRACKED): Budget(f"0 % (± {NOISE_PERCENT})", most=NOISE_PERCENT)}


def measure(scale):
    tools, _ = hook_peers.usable()
    with scratch_device() as device:
        rounds = [take_round(scale, tools, device, number % 2 == 1) for number in range(scale.hook_rounds)]
    for load in NAMES:
        if load in rounds[0][NOTHING]:
            yield from rows_of(scale, load, rounds, tools.get(load, []))


def rows_of(scale, load, rounds, tools):
    def more(condition, by):
        return median([100 * (by(one[condition][load]) / by(one[NOTHING][load]) - 1) for one in rounds])
    yield Row(NAMES[load], median([CPU(one[NOTHING][load]) for one in rounds]), "ns")
    # The cheapest tool: what hooks of this kind need not exceed.
    tool = min(tools, key=lambda tool: more(tool, CPU), default=None)
    for condition, label in LABELS.items():
        peer = {"peer": " ".join(tool), "theirs": more(tool, CPU)} if tool else {}
        yield Row(f"  {label}", more(condition, CPU), "%", **peer, budget=BUDGETS.get((load, condition)), judged=scale.judged)
        yield Row("    by the clock", more(condition, CLOCK), "%", budget=BUDGETS.get((load, condition)), judged=scale.judged)


def take_round(scale, tools, device, backwards):
    """{condition: {load: Taken}}."""
    conditions = [(NOTHING, contextlib.nullcontext, list(NAMES)),
                  (UNTRACKED, lambda: recording(warm_ticks=SETTLE_TICKS), list(NAMES)),
                  (TRACKED, lambda: recording(ALL_METRICS, warm_ticks=SETTLE_TICKS), list(NAMES))]
    conditions += [(tool, lambda tool=tool: hook_peers.running(tool), [load])
                   for load, usable in tools.items() for tool in usable]
    taken = {}
    for condition, context, loads in reversed(conditions) if backwards else conditions:
        with context():
            taken[condition] = {load: one for load in loads if (one := run(load, scale, device)) is not None}
        time.sleep(0.2)  # what ends takes a moment
    return taken
