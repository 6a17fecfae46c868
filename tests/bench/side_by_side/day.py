# SPDX-License-Identifier: Apache-2.0
"""A made-up day in the history (storage_bench.cc): what it takes, and how soon it answers."""
import json
import subprocess

from recorder import BIN

from .table import Budget, Row

TITLE = "looking back over a day of made-up tasks, 1 s apart"
FIFTY_MS = Budget("≤ 50 ms", most=50)
BUDGETS = {"rss of one task over all of it, median": FIFTY_MS, "run time of one task over all of it, median": FIFTY_MS,
           "off-CPU time of one task over all of it, median": FIFTY_MS, "the world at a random moment, median": FIFTY_MS,
           "bytes a task and tick, as sampled": Budget("≤ 2.5 B", most=2.5)}


def measure(scale):
    command = [f"{BIN}/storage_bench", "--json", str(scale.day_hours), str(scale.day_tasks)]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in map(json.loads, out.splitlines()):
        yield Row(line["name"], line["value"], line["unit"], budget=BUDGETS.get(line["name"].strip()), judged=scale.judged)
