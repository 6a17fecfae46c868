#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py EXPECTED WORK KERNEL…: reads each kernel's console, prints the table, compares it with EXPECTED.

Exit code: 0 as expected, 1 something differs, 2 a kernel could not be run at all."""
import json
import pathlib
import re
import sys

# What a metric comes to on one kernel.
WORKS, SILENT, DEGRADED, UNAVAILABLE, NOT_RUN = "works", "silent", "degraded", "unavailable", "-"
# The workload cannot make these move everywhere: no swap, programs in memory, an idle machine. bpf.* tests see to most.
MAY_STAY_ZERO = {
    "task_swap_data_size", "task_swap_data_pss_size", "task_oom_count", "task_lazyfree_size", "task_nice",
    "task_cancelled_write_bytes", "task_migration_count", "task_thread_create_count", "task_shared_dirty_size",
    "task_rss_shmem_size", "task_iowait_since", "task_udp_used", "task_involuntary_switch_count", "task_cpu_id",
    "task_page_cache_hit_percent", "task_major_pagefault_count",
}
# CPU 0, or nobody.
MAY_BE_ZERO = re.compile(r"_max_(cpu|by)$")
CLEAR_LINES = {
    "refuse_caps": r"CAP_PERFMON",
    "refuse_user": r"CAP_BPF and CAP_PERFMON",
    "refuse_btf": r"CONFIG_DEBUG_INFO_BTF",
}


class Console:
    """One run: sections by name, with exit codes and seconds; notes; how it ended."""

    def __init__(self, path):
        self.sections, self.codes, self.seconds, self.notes = {}, {}, {}, []
        self.ready_s, self.done = None, False
        name, lines = None, []
        for line in path.read_text(errors="replace").replace("\r", "").splitlines():
            end = re.match(r"@@end (\S+) (\d+) (\d+)", line)
            if line.startswith("@@begin "):
                name, lines = line.split()[1], []
            elif end:
                self.sections[end[1]] = "\n".join(lines)
                self.codes[end[1]], self.seconds[end[1]] = int(end[2]), int(end[3])
                name = None
            elif name:
                lines.append(line)
                self.sections[name] = "\n".join(lines)
            elif line.startswith("@@note "):
                self.notes.append(line[7:])
            elif line.startswith("@@ready "):
                self.ready_s = int(line.split()[1])
            elif line == "@@done":
                self.done = True

    def json(self, name):
        try:
            return json.loads(self.sections.get(name, ""))
        except json.JSONDecodeError:
            return None


class Kernel:
    def __init__(self, name, work):
        self.name, self.problems = name, []
        path = work / name / "console"
        self.console = Console(path) if path.exists() else None
        self.states, self.reasons = {}, {}
        if self.console:
            self.read_metrics()
            self.read_tests()
            self.check_daemon()

    def read_metrics(self):
        doctor = self.console.json("doctor") or {"metrics": []}
        seen = self.moved()
        for metric in doctor["metrics"]:
            name, state = metric["name"], metric["health"]
            if state == WORKS and name not in seen and name not in MAY_STAY_ZERO and not MAY_BE_ZERO.search(name):
                state = SILENT
                self.reasons[name] = "said to work, yet never above 0 here"
            elif metric["reason"]:
                self.reasons[name] = metric["reason"]
            self.states[name] = state

    def moved(self):
        """Metrics that some task had a value above 0 of."""
        rows = sum((self.console.json(section) or [] for section in ("ps", "ps_worker", "events", "exit_worker")), [])
        return {name for row in rows for name, value in row.items() if name.startswith("task_") and value}

    def read_tests(self):
        self.tests = {}
        for section, text in self.console.sections.items():
            if not section.startswith("test_"):
                continue
            for outcome, test in re.findall(r"^\[ *(OK|FAILED|SKIPPED) *\] (\S+?)(?:,.*)? \(\d+ ms\)", text, re.M):
                self.tests[test] = outcome
            running = re.findall(r"^\[ RUN +\] (\S+)", text, re.M)
            for test in running:
                self.tests.setdefault(test, "FAILED")
            if not running:
                self.problems.append(f"{section} did not run: {text.strip()[-200:]}")

    def check_daemon(self):
        console = self.console
        if not console.done:
            self.problems.append("the virtual machine did not come to its end: " +
                                 (list(console.sections) or ["nothing on the console"])[-1])
        for section, pattern in CLEAR_LINES.items():
            lines = [line for line in console.sections.get(section, "").splitlines() if line]
            if len(lines) != 1 or not re.search(pattern, lines[0]) or console.codes.get(section) in (None, 0):
                self.problems.append(f"{section}: not one clear line: {lines[:3]}")
        if console.ready_s is None:
            return
        worker = console.json("ps_worker") or []
        if len(worker) != 1 or worker[0]["comm"] != "workload":
            self.problems.append("ps does not show the workload")
        ends = console.json("exit_worker") or []
        if len(ends) != 1 or ends[0]["exit_code"] != 7:
            self.problems.append("events do not show the workload's exit code 7")
        elif ends[0]["task_fork_count"] < 20 or ends[0].get("task_signal_count", 20) < 20:
            self.problems.append("the workload's forks or signals are not all counted")
        if len(console.json("history") or []) < 4:
            self.problems.append("history has fewer than 4 ticks of the workload")
        lost = {name: count for name, count in (console.json("status") or {}).get("dropped", {}).items() if count}
        if lost:
            self.problems.append(f"dropped: {lost}")
        if "taskmond ended with 0" not in console.notes:
            self.problems.append("taskmond did not end cleanly: " + "; ".join(console.notes))

    def refusal(self):
        """Why taskmond does not run on this kernel; empty when it does."""
        if self.console.ready_s is not None:
            return ""
        return " / ".join(line for line in self.console.sections.get("log", "").splitlines() if line) or "no word"

    def facts(self):
        """What `expected` lines can be about, with what was found."""
        facts = {("daemon", "taskmond"): "refuses" if self.refusal() else "runs"}
        facts.update({("metric", name): state for name, state in self.states.items()})
        if not self.refusal():
            facts.update({("test", test): outcome for test, outcome in self.tests.items()})
        return facts


def read_expected(path):
    """{kernel: {(kind, name): outcomes}}; what is not listed has to be as in DEFAULTS."""
    expected = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].split()
        if line:
            for kernel in line[0].split(","):
                expected.setdefault(kernel, {})[line[1], line[2]] = line[3].split("|")
    return expected


DEFAULTS = {"daemon": ["runs"], "metric": [WORKS], "test": ["OK"]}


def compare(kernel, expected):
    found = kernel.facts()
    differences = list(kernel.problems)
    for key in sorted(found.keys() | expected.keys()):
        want, got = expected.get(key, DEFAULTS[key[0]]), found.get(key, "missing")
        if got not in want:
            differences.append(f"{key[0]} {key[1]}: {got}, expected {' or '.join(want)}")
    return differences


def print_table(kernels):
    notes = {}

    def cell(kernel, metric):
        state = kernel.states.get(metric, NOT_RUN)
        reason = kernel.reasons.get(metric)
        if state in (WORKS, NOT_RUN) or not reason:
            return state
        return f"{state} [{notes.setdefault(reason, len(notes) + 1)}]"

    metrics = list(dict.fromkeys(name for kernel in kernels for name in kernel.states))
    if not metrics:
        return
    rows = [["metric", *(kernel.name if kernel.console else f"{kernel.name}: not reachable here" for kernel in kernels)]]
    rows += [[metric, *(cell(kernel, metric) for kernel in kernels)] for metric in metrics]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    print()
    for reason, number in notes.items():
        print(f"[{number}] {reason}")
    print()


def print_kernel(kernel):
    if not kernel.console:
        print(f"{kernel.name}: not reachable here")
        return
    console = kernel.console
    release = console.sections.get("kernel", "?").strip()
    if refusal := kernel.refusal():
        print(f"{kernel.name} ({release}): taskmond does not run: {refusal}")
        return
    outcomes = list(kernel.tests.values())
    print(f"{kernel.name} ({release}): taskmond ready after {console.ready_s} s; bpf.* tests: "
          f"{outcomes.count('OK')} passed, {outcomes.count('SKIPPED')} skipped, {outcomes.count('FAILED')} failed")
    for test, outcome in sorted(kernel.tests.items()):
        if outcome != "OK":
            print(f"    {outcome.lower()}: {test}")


def main(expected_path, work, *names):
    expected = read_expected(pathlib.Path(expected_path))
    kernels = [Kernel(name, pathlib.Path(work)) for name in names]
    print_table(kernels)
    for kernel in kernels:
        print_kernel(kernel)
    code = 0
    for kernel in kernels:
        differences = compare(kernel, expected.get(kernel.name, {})) if kernel.console else ["not reachable here"]
        for difference in differences:
            print(f"NOT AS EXPECTED: {kernel.name}: {difference}")
        if differences:
            code = max(code, 1 if kernel.console else 2)
    if code == 0:
        print("All as expected.")
    return code


sys.exit(main(*sys.argv[1:]))
