#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py [--json FILE] [--quick] [--only NAME,…]: what taskmon costs, beside its peers, held against its budgets.

Ours and theirs take turns in one run; CPU time is the kernel's own accounting of whole processes, and what taskmon's
hooks take of other tasks' time is on its bill. Needs root, BTF and TASKMON_BIN; what else runs on the machine shows."""
import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True

from side_by_side import (day, history, hook_peers, hooks, machine, memory, peers, rules, slope, start,  # noqa: E402
                          storm, ticks, watching)
from side_by_side.scale import FULL, QUICK  # noqa: E402
from side_by_side.table import render  # noqa: E402

MEASUREMENTS = {"tick": ticks, "slope": slope, "hooks": hooks, "rules": rules, "start": start, "memory": memory,
                "watch": watching, "storm": storm, "history": history, "day": day}
PACKAGES = [peer.package for peer in peers.ALL] + [hook_peers.PACKAGE, "linux-perf"]


def arguments_of(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", metavar="FILE", help="the same for programs")
    parser.add_argument("--quick", action="store_true", help="for a moment each, to see that it works; judges nothing")
    parser.add_argument("--only", metavar="NAME,…", help=", ".join(MEASUREMENTS),
                        type=lambda text: text.split(","), default=list(MEASUREMENTS))
    arguments = parser.parse_args(argv)
    unknown = set(arguments.only) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    return arguments


def absent_peers(names):
    """{peer: why it was left out}."""
    absent = {peer.name: f"{peer.package} is not installed" for peer in peers.ALL if peer not in peers.present()}
    return absent | (hook_peers.usable()[1] if "hooks" in names else {})


def take(name, scale):
    """The rows of one measurement, told as they come, and why it broke off; what came before then is kept."""
    print(f"measuring: {name}", file=sys.stderr, flush=True)
    began, rows = time.monotonic(), []
    try:
        for row in MEASUREMENTS[name].measure(scale):
            rows.append(row)
            print("  " + "  ".join(filter(None, row.cells())), file=sys.stderr, flush=True)
    except (Exception, SystemExit) as error:  # whatever it was, the others are still wanted
        return rows, f"{type(error).__name__}: {error}"
    finally:
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows, None


def main(argv):
    arguments = arguments_of(argv)
    if os.geteuid() != 0:
        raise SystemExit("bench.py: needs root")
    facts = machine.describe(PACKAGES)
    print(machine.text(facts), flush=True)
    absent = absent_peers(arguments.only)
    parts, failures = [], {}
    for name in arguments.only:
        rows, failure = take(name, QUICK if arguments.quick else FULL)
        parts.append((MEASUREMENTS[name].TITLE, rows))
        if failure:
            failures[name] = failure
    print("\n" + render(parts))
    print("\nwhat peers do not have, and ours has in these figures:")
    for peer in peers.present():
        print(f"  {peer.name}: {peer.lacks}")
    if absent:
        print("peers that cannot run here:")
        for peer, why in absent.items():
            print(f"  {peer}: {why}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": facts, "absent": absent, "lacks": {peer.name: peer.lacks for peer in peers.present()},
                       "quick": arguments.quick, "failures": failures,
                       "parts": [{"title": title, "rows": [row.as_json() for row in rows]} for title, rows in parts]},
                      file, indent=1)
    if failures:
        raise SystemExit("bench.py: " + "; ".join(f"{name} broke off: {why}" for name, why in failures.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
