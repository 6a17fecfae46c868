# SPDX-License-Identifier: Apache-2.0
"""What rules cost the hooks (rules_cost.cc), a run, by the kernel's BPF statistics."""
import json
import subprocess

from recorder import BIN

from .table import Row

TITLE = "hooks under rules, a run (statistics, which cost a run some ns themselves, included)"


def measure(scale):
    command = [f"{BIN}/rules_cost", "--json", *(["1"] if scale.quick else [])]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in map(json.loads, out.splitlines()):
        yield Row(line["name"], line["value"], line["unit"])
