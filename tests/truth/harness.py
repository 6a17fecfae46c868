# SPDX-License-Identifier: Apache-2.0
"""What the truth tests share: the workload, witnesses that taskmon did not write, and the table of what was found."""
import contextlib
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from recorder import BIN, DEADLINE_S, Recorder, wait_for  # noqa: E402

PAGE = os.sysconf("SC_PAGE_SIZE")
WORKLOAD = os.path.join(BIN, "truth_workload")
ALL_HOOKS = ["sched", "signal", "syscall", "oom", "page_cache", "page_cache_lookup", "block", "net", "connect"]
TRACEFS = "/sys/kernel/tracing"


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def scratch_directory():
    """On a disk: what is in memory only has no device, no write-back and no major faults."""
    for directory in (os.environ.get("TRUTH_SCRATCH"), "/var/tmp", os.path.dirname(BIN)):
        if directory and os.path.isdir(directory) and filesystem_of(directory) not in ("tmpfs", "ramfs", "overlay"):
            return directory
    raise unittest.SkipTest("needs a directory on a disk: set TRUTH_SCRATCH")


def filesystem_of(directory):
    result = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True, check=True)
    return {"overlayfs": "overlay"}.get(result.stdout.strip(), result.stdout.strip())


class TruthRecorder(Recorder):
    """A taskmond with every hook attached."""
    config = ""  # further sections

    def command(self):
        config = os.path.join(self.directory, "taskmond.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[kernel]\nhooks = {json.dumps(ALL_HOOKS)}\n{self.config}")
        return [f"{BIN}/taskmond", "--config", config, "--socket", self.socket, "--state-dir", self.state,
                "--interval", self.interval, *self.extra]

    def remove(self):
        if "panic" in (text := self.log_text()) or "error" in text:
            sys.stderr.write(text)
        super().remove()

    def history(self, tid, fields, begin_ns, end_ns, threads=False):
        """The rows of one task with begin < time <= end, in order."""
        rows = self.json("history", *(["-H"] if threads else []), "--tid", str(tid), "-f", fields, "-b", "10m")
        return [row for row in rows if begin_ns < row["time_ns"] <= end_ns]

    def exits(self, expression, since):
        return self.json("events", "-H", expression, "--type", "exit", "-b", since)


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def colon_table(path):
    """Lines of "name: number …": the number, in bytes where the unit is kB."""
    table = {}
    for line in read_text(path).splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].lstrip("-").isdigit():
            table[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return table


class Proc:
    """/proc's word on a task that is at rest: a process, or with tid one of its threads."""

    def __init__(self, pid, tid=None):
        self.directory = f"/proc/{pid}" if tid is None else f"/proc/{pid}/task/{tid}"
        fields = read_text(self.directory + "/stat").rpartition(")")[2].split()
        self.state, self.minflt, self.majflt = fields[0], int(fields[7]), int(fields[9])
        self.utime, self.stime = int(fields[11]), int(fields[12])
        self.priority, self.nice, self.threads = int(fields[15]), int(fields[16]), int(fields[17])
        self.cpu = int(fields[36])
        self.status = colon_table(self.directory + "/status")
        self.io = colon_table(self.directory + "/io")
        tids = os.listdir(f"/proc/{pid}/task") if tid is None else [tid]
        each = [read_text(f"/proc/{pid}/task/{t}/schedstat").split() for t in tids]  # the process's own is its leader's
        self.runtime_ns, self.run_delay_ns, self.slices = (sum(int(words[i]) for words in each) for i in range(3))
        switches = [colon_table(f"/proc/{pid}/task/{t}/status") for t in tids]
        self.voluntary = sum(table["voluntary_ctxt_switches"] for table in switches)
        self.involuntary = sum(table["nonvoluntary_ctxt_switches"] for table in switches)
        with contextlib.suppress(FileNotFoundError):
            self.migrations = sum(colon_of_sched(f"/proc/{pid}/task/{t}/sched") for t in tids)
        self.fds = os.listdir(f"/proc/{pid}/fd")
        self.smaps = colon_table(f"/proc/{pid}/smaps_rollup") if tid is None and "VmRSS" in self.status else {}

    migrations = None


def colon_of_sched(path):
    for line in read_text(path).splitlines():
        if line.startswith("se.nr_migrations"):
            return int(line.split(":")[1])
    raise FileNotFoundError(path)


def state_of(tid):
    return read_text(f"/proc/{tid}/stat").rpartition(")")[2].split()[0]


class Workload:
    """A truth_workload that waits for the word to go."""

    def __init__(self, scratch, thing, *args, options=(), **popen):
        command = [WORKLOAD, *options, "--dir", scratch, thing, *map(str, args)]
        self.threaded = "--thread" in options or "--leader-exits" in options
        self.started_boot_ns = boot_ns()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)
        self.pid = self.process.pid
        self.ready = self.line()
        self.tid = self.ready["tid"]
        self.did = None

    def line(self):
        self.text = self.process.stdout.readline()
        if not self.text:
            raise AssertionError(f"the workload ended: {self.process.wait()}")
        return json.loads(self.text)

    def go(self):
        """Lets it act and waits until it has done so and sleeps again."""
        self.start()
        self.did = self.line()
        self.settle()
        return self.did

    def start(self):
        self.process.stdin.write("g")
        self.process.stdin.flush()

    def settle(self):
        tid = (self.did or {}).get("tid", self.tid)  # exec by a thread changes it
        wait_for(lambda: state_of(tid) == "S", "the workload to sleep")

    def finish(self):
        if self.process.stdin.closed:
            return
        self.closed_boot_ns = boot_ns()
        self.process.stdin.close()
        self.last_words = self.process.stdout.read()
        self.process.stdout.close()
        _, status, self.usage = os.wait4(self.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.ended_boot_ns = boot_ns()


class KernelTrace:
    """The kernel's own trace of some events, with their times on the boot clock, in an instance apart."""

    def __init__(self, events, tids):
        self.path = os.path.join(TRACEFS, "instances", f"taskmon-truth-{os.getpid()}")
        self.events, self.tids = events, tids

    @staticmethod
    def available():
        if not os.path.exists(f"{TRACEFS}/instances"):
            subprocess.run(["mount", "-t", "tracefs", "nodev", TRACEFS], check=False, capture_output=True)
        return os.path.exists(f"{TRACEFS}/instances")

    def set(self, file, value):
        with open(os.path.join(self.path, file), "w", encoding="utf-8") as handle:
            handle.write(value)

    def __enter__(self):
        os.mkdir(self.path)
        try:
            self.set("trace_clock", "boot")
            self.set("buffer_size_kb", "4096")
            for event, only_ours in self.events.items():
                if only_ours:
                    self.set(f"events/{event}/filter", " || ".join(f"common_pid == {tid}" for tid in self.tids))
                self.set(f"events/{event}/enable", "1")
        except BaseException:
            os.rmdir(self.path)
            raise
        return self

    def __exit__(self, *_):
        self.lines = []
        try:
            for event in self.events:
                self.set(f"events/{event}/enable", "0")
            for line in read_text(os.path.join(self.path, "trace")).splitlines():
                if line.startswith("#"):
                    continue
                head, _, rest = line.partition("] ")
                words = rest.split(": ", 2)
                stamp, event = words[0].split()[-1], words[1]
                task, _, cpu = head.rpartition("[")
                self.lines.append((int(task.strip().rpartition("-")[2]), event, round(float(stamp) * 1e6) * 1000,
                                   words[2] if len(words) > 2 else "", int(cpu)))
        finally:
            os.rmdir(self.path)

    def of(self, event, tid):
        return [(stamp, text) for by, name, stamp, text, _ in self.lines if name == event and by == tid]


class Table:
    """metric | expected | seen | tolerance | witness | where"""
    HEAD = ("metric", "expected", "seen", "tolerance", "witness", "where", "")

    def __init__(self):
        self.rows = []

    def add(self, metric, expected, seen, tolerance, witness, where, ok):
        self.rows.append((metric, str(expected), str(seen), tolerance, witness, where, "ok" if ok else "FALSE"))

    def text(self, order):
        rank = {name: i for i, name in enumerate(order)}
        rows = [self.HEAD, *sorted(self.rows, key=lambda row: rank.get(row[0], len(rank)))]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.HEAD))]
        return "".join(" | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() + "\n"
                       for row in rows)


class TruthCase(unittest.TestCase):
    """One recorder for all tests of a class, and one table for all classes."""
    table = Table()

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise unittest.SkipTest("needs root and a kernel with BTF")
        cls.scratch = scratch_directory()
        cls.recorder = TruthRecorder().start()

    @classmethod
    def tearDownClass(cls):
        cls.recorder.remove()

    def setUp(self):
        # Numbers are used again within a minute on a machine with many short lives: look back no further than this.
        self.since_boot_ns = boot_ns()
        # Two seconds earlier, because to ask for a time that is not stored yet is an error.
        self.since = f"@{time.time() - 2:.3f}"

    def workload(self, thing, *args, options=(), **popen):
        workload = Workload(self.scratch, thing, *args, options=options, **popen)

        def end():
            workload.process.kill()
            workload.process.wait()
            for stream in (workload.process.stdin, workload.process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self.addCleanup(end)
        return workload

    def process_row(self, pid, *args):
        row, = self.recorder.json("ps", f"tid == {pid}", *args)
        return row

    def thread_row(self, tid, *args):
        row, = self.recorder.json("ps", "-H", f"tid == {tid}", *args)
        return row

    def exit_of(self, tid, thread=False):
        """The final record of a process, or of one of its threads.

        Of threads, the latest: a leader whose number another thread took over by exec has ended under it before.
        """
        def find():
            ends = self.recorder.exits(f"tid == {tid}", self.since)
            ends = [end for end in ends if end["start_ns"] >= self.since_boot_ns]
            return [end for end in ends if end["tid"] == tid and end["thread"] == thread]
        events = wait_for(find, f"the final record of {tid}")
        if not thread and len(events) != 1:
            raise AssertionError(f"{len(events)} final records of process {tid}")
        return events[-1]

    # Checks: each is a row of the table and a subtest, so that one that fails does not hide the others.

    def equal(self, metric, where, expected, seen, witness, low=0, high=0, why=""):
        """seen lies within expected - low and expected + high."""
        ok = seen is not None and expected - low <= seen <= expected + high
        tolerance = "exact" if not low and not high else f"-{low} +{high}" + (f" ({why})" if why else "")
        self.found(metric, expected, seen, tolerance, witness, where, ok)

    def between(self, metric, where, least, seen, most, witness, why=""):
        ok = seen is not None and least <= seen <= most
        self.found(metric, f"{least}..{most}", seen, "bounds" + (f" ({why})" if why else ""), witness, where, ok)

    def found(self, metric, expected, seen, tolerance, witness, where, ok):
        self.table.add(metric, expected, seen, tolerance, witness, where, ok)
        with self.subTest(metric=metric, where=where):
            self.assertTrue(ok, f"{metric} ({where}): expected {expected} {tolerance}, seen {seen}; witness: {witness}")
