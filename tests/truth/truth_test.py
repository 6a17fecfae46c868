# SPDX-License-Identifier: Apache-2.0
"""Every metric of the catalogue against counted work and witnesses that taskmon did not write.

Each check compares taskmond's word (live: a process; thread: one of its threads, with -H; final: the exit event) with
what the workload counted, what the kernel told it, or what /proc says of the sleeping workload. Prints all in a table.
"""
import json
import os
import subprocess
import sys
import time
import unittest

from harness import (BIN, PAGE, KernelTrace, Proc, TruthCase, boot_ns, read_text, state_of, wait_for)

MIB = 1 << 20
JIFFY_NS = 10_000_000
TICK_TAKES_NS = 50_000_000  # from its time to the last task's numbers
# mm_counters are percpu_counters since 6.2: each CPU holds back up to max(32, 2 * CPUs) pages of each counter, which
# nobody can read without adding up all CPUs, as /proc does and BPF cannot.
RSS_SLACK = max(32, 2 * os.cpu_count()) * os.cpu_count() * PAGE
RSS_WHY = "pages held back per CPU"
# ext4 dirties blocks of its own beside the file's pages: bitmaps, descriptors, inode, directory.
METADATA_PAGES = 12
METADATA_WHY = "file system's own blocks"


class Subject:
    """A process or a thread, before and after the workload acted, and at its end."""

    def __init__(self, where, work, before, after, proc):
        self.where, self.work, self.before, self.after, self.proc = where, work, before, after, proc
        self.final = None

    def change(self, metric):
        return self.after[metric] - self.before[metric]

    @property
    def final_where(self):
        return self.where.replace("live", "final") if "live" in self.where else "final " + self.where


class Observing(TruthCase):
    def observe(self, thing, *args, trace=None):
        """Plays a thing in the only thread of a process, and in a thread beside the leader of another."""
        works = [self.workload(thing, *args), self.workload(thing, *args, options=["--thread"])]
        self.recorder.ticks(2)
        plain, threaded = works
        befores = [self.process_row(plain.pid), self.thread_row(threaded.tid), self.process_row(threaded.pid)]
        if trace and KernelTrace.available():
            with KernelTrace(trace, [work.tid for work in works]) as self.trace:
                for work in works:
                    work.go()
        else:
            self.trace = None
            for work in works:
                work.go()
        self.recorder.ticks(2)
        tid = threaded.did.get("tid", threaded.tid)  # exec changes it
        afters = [self.process_row(plain.pid), self.thread_row(tid), self.process_row(threaded.pid)]
        procs = [Proc(plain.pid), Proc(threaded.pid, tid), Proc(threaded.pid)]
        subjects = [Subject(where, work, before, after, proc) for where, work, before, after, proc in
                    zip(("live", "thread", "live+threads"), (plain, threaded, threaded), befores, afters, procs)]
        for work in works:
            work.until_wall_ns = time.time_ns()  # what comes after belongs to its end: deleting its file, for one
            work.finish()
        finals = [self.exit_of(plain.pid), self.exit_of(tid, thread=True), self.exit_of(threaded.pid)]
        for subject, final in zip(subjects, finals):
            subject.final = final
        return subjects

    def observe_between_ticks(self, thing, *args, trace=None):
        """The same, played again where a tick came in the middle of it: what is told of each tick cannot be judged then."""
        for _ in range(5):
            subjects = self.observe(thing, *args, trace=trace)
            begin, end = (pick(s.work.did[name] for s in subjects) for pick, name in
                          ((min, "begin_wall_ns"), (max, "end_wall_ns")))
            if not self.rows(subjects[0], "cpu", begin - TICK_TAKES_NS, end):
                break
        return subjects

    def counts(self, subjects, metric, count, witness, low=0, high=0, why="", at_exit=0):
        """The counter grew by so much; in the final record, by what the exit adds more."""
        for s in subjects:
            expected = count(s) if callable(count) else count
            self.equal(metric, s.where, expected, s.change(metric), witness, low, high, why)
            self.equal(metric, s.final_where, expected + at_exit, s.final[metric] - s.before[metric], witness, low,
                       high, why)

    def agrees(self, subjects, metric, value, witness, slack=0, why="", final=False):
        """The value is /proc's."""
        for s in subjects:
            self.equal(metric, s.where, value(s.proc), s.after[metric], witness, slack, slack, why)
            if final:
                self.equal(metric, s.final_where, value(s.proc), s.final[metric], witness, slack, slack, why)

    def rows(self, subject, fields, begin_ns=None, end_ns=None):
        """The subject's ticks from when it was told to go to when it was told to end."""
        did = subject.work.did
        tid = subject.work.tid if subject.where == "thread" else subject.work.pid
        return self.recorder.history(tid, fields, begin_ns or did["begin_wall_ns"],
                                     end_ns or subject.work.until_wall_ns,
                                     threads=subject.where == "thread")


class LifeCycle(Observing):
    def test_forks(self):
        subjects = self.observe("forks", 5, 2)
        self.counts(subjects, "task_fork_count", lambda s: s.work.did["children"], "children reaped by waitpid")
        self.counts(subjects, "task_thread_create_count", 0, "no thread was created")

    def test_threads(self):
        subjects = self.observe("threads", 6)
        self.counts(subjects, "task_thread_create_count", lambda s: s.work.did["threads"], "pthread_create")
        self.counts(subjects, "task_fork_count", 0, "no process was created")
        self.agrees(subjects, "task_thread_count", lambda proc: proc.threads, "/proc/PID/stat num_threads")

    def test_execs(self):
        # In the second workload a thread other than the leader calls exec. It goes on in the leader's line, which has
        # the exec that began the program; its own line had none.
        self.counts(self.observe("execs", 3), "task_exec_count", lambda s: 3 + (s.where == "thread"),
                    "times that execv led to main")

    def test_states(self):
        kthread = next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and state_of(pid) == "I")
        sleeper, stopped = self.workload("nothing"), self.workload("nothing")
        spinner, threaded = self.workload("spinner"), self.workload("nothing", options=["--thread"])
        zombie, traced, parent = self.workload("zombie"), self.workload("traced"), self.workload("vfork_sleep", 4000)
        for work in (sleeper, spinner, threaded, zombie, traced):
            work.go()
        os.kill(stopped.pid, 19)
        parent.start()
        spinning = next(int(tid) for tid in os.listdir(f"/proc/{spinner.pid}/task") if int(tid) != spinner.pid)
        wait_for(lambda: state_of(parent.pid) == "D", "the parent to wait for its vfork child")
        self.recorder.ticks(2)
        for letter, tid in (("S", sleeper.pid), ("T", stopped.pid), ("Z", zombie.did["child"]), ("D", parent.pid),
                            ("t", traced.did["child"]), ("I", kthread), ("R", spinner.pid)):
            witness = "its threads in /proc/PID/task/*/stat" if letter == "R" else "/proc/PID/stat"
            expected = letter if letter == "R" else state_of(tid)
            self.equal_text(letter, expected, self.process_row(tid)["task_state"], witness, "live")
        self.equal_text("R", state_of(spinning), self.thread_row(spinning)["task_state"], "/proc/PID/task/TID/stat",
                        "thread")
        self.equal_text("S", state_of(threaded.tid), self.thread_row(threaded.tid)["task_state"],
                        "/proc/PID/task/TID/stat", "thread")
        os.kill(stopped.pid, 18)

    def equal_text(self, letter, expected, seen, witness, where):
        self.found("task_state", expected, seen, "exact", f"{witness}, made to be {letter}", where,
                   letter == expected == seen)


class Signals(Observing):
    def test_delivered_signals_count_and_ignored_and_merged_ones_do_not(self):
        subjects = self.observe("signals", 5, 7, 6)
        self.assertEqual([s.work.did["handled"] for s in subjects], [6] * 3)
        self.counts(subjects, "task_signal_count", lambda s: s.work.did["handled"], "runs of the handler")


class FailedCalls(Observing):
    def test_failed_calls(self):
        subjects = self.observe("fails", 5)
        self.assertEqual([s.work.did["failed"] for s in subjects], [20] * 3)
        self.counts(subjects, "task_syscall_fails", lambda s: s.work.did["failed"], "calls that returned -1")

    def test_empty_socket_is_a_failed_call_and_carries_nothing(self):
        subjects = self.observe("empty_recv", 5)
        self.counts(subjects, "task_syscall_fails", 5, "recv that returned -1 (EAGAIN)")
        self.counts(subjects, "task_net_rx_bytes", 0, "recv that returned -1 (EAGAIN)")

    def test_restarted_call_has_not_failed(self):
        subjects = self.observe("restarts", 3)
        self.assertEqual([s.work.did["restarted"] for s in subjects], [3] * 3)
        self.counts(subjects, "task_syscall_fails", 0, "read that SA_RESTART resumed")

    def test_failed_call_that_brings_a_signal_is_one_failed_call(self):
        # The handler ends with rt_sigreturn, which "returns" what the interrupted call had returned.
        subjects = self.observe("broken_pipe", 3)
        self.counts(subjects, "task_signal_count", 3, "runs of the SIGPIPE handler")
        self.counts(subjects, "task_syscall_fails", lambda s: s.work.did["failed"], "write that returned -1 (EPIPE)")

    def test_interrupted_call_has_failed(self):
        subjects = self.observe("interrupts", 3)
        self.counts(subjects, "task_syscall_fails", lambda s: s.work.did["failed"], "read that returned -1 (EINTR)")


class Scheduling(Observing):
    def test_migrations(self):
        subjects = self.observe("migrations", 15)
        if os.cpu_count() < 2:
            self.skipTest("needs two CPUs")
        # The threads' process has a leader that nobody pinned: it may move when it wakes to end.
        self.counts(subjects[:2], "task_migration_count", lambda s: s.work.did["moves"], "sched_getcpu after each move")
        for s in subjects[:2]:  # a process shows its leader's
            self.equal("task_cpu_id", s.where, s.work.did["cpu"], s.after["task_cpu_id"], "sched_getcpu")
            self.equal("task_cpu_id", s.final_where, s.work.did["cpu"], s.final["task_cpu_id"], "sched_getcpu")
        self.agrees(subjects, "task_cpu_id", lambda proc: proc.cpu, "/proc/PID/stat processor")
        if subjects[0].proc.migrations is not None:
            self.agrees(subjects, "task_migration_count", lambda proc: proc.migrations, "/proc/PID/task/*/sched")

    def test_switches(self):
        subjects = self.observe("switches", 200)
        # One more: the wait for the next word of the test.
        self.counts(subjects[:2], "task_voluntary_switch_count", lambda s: s.work.did["nvcsw"] + 1, "getrusage",
                    high=3, why="exit: the last switch, waits for locks")
        self.agrees(subjects, "task_voluntary_switch_count", lambda proc: proc.voluntary, "/proc/PID/task/*/status")
        self.off_cpu_fills_what_cpu_leaves(subjects)

    def off_cpu_fills_what_cpu_leaves(self, subjects):
        # Of a thread's time between two ticks, what it did not run it was off the CPU. The kernel's clock of run time
        # and the hook's stop at different points of a switch, and what runs between them, other programs on the
        # tracepoint among it, is counted by both or by neither: 100 us for each switch.
        for s in subjects[:2]:
            rows = self.rows(s, "offcpu", s.work.did["begin_wall_ns"] - int(1e9))
            first = [row for row in rows if row["time_ns"] < s.work.did["begin_wall_ns"]][-1]
            span_ns = rows[-1]["time_ns"] - first["time_ns"]
            cpu_ns = s.proc.runtime_ns - s.before["task_runtime_ns"]
            slack = 100_000 * (s.change("task_voluntary_switch_count") + s.change("task_involuntary_switch_count"))
            self.equal("task_offcpu_time", s.where, span_ns - cpu_ns, rows[-1]["task_offcpu_time"] -
                       first["task_offcpu_time"], "wall time less schedstat's CPU time", slack, slack,
                       "100 us for each switch")

    def test_contention_makes_run_queue_waits_and_involuntary_switches(self):
        work = self.workload("contend", 300)
        self.recorder.ticks(1)
        work.go()
        self.recorder.ticks(2)
        row, proc = self.process_row(work.pid), Proc(work.pid)
        self.equal("task_runq_wait_time", "live", proc.run_delay_ns, row["task_runq_wait_time"], "/proc/*/schedstat")
        self.equal("task_involuntary_switch_count", "live", proc.involuntary, row["task_involuntary_switch_count"],
                   "/proc/PID/task/*/status")
        longest = 0
        for tid in work.did["tids"]:
            longest = max(longest, self.contender(work, tid))
        seen = max(each["task_runq_wait_time_max"] for each in
                   self.recorder.history(work.pid, "runq_max", work.did["begin_wall_ns"], time.time_ns()))
        self.between("task_runq_wait_time_max", "live", longest, seen, proc.run_delay_ns,
                     "longest of its threads, all waits of schedstat")
        work.finish()
        final = self.exit_of(work.pid)
        # Each of the four threads waits once more for a CPU, to end.
        self.between("task_runq_wait_time", "final", proc.run_delay_ns, final["task_runq_wait_time"],
                     proc.run_delay_ns + 4 * (work.ended_boot_ns - work.closed_boot_ns), "schedstat before, its end")
        self.between("task_involuntary_switch_count", "final", proc.involuntary,
                     final["task_involuntary_switch_count"], proc.involuntary + 8, "/proc before, and a few at the end")

    def contender(self, work, tid):
        row, proc = self.thread_row(tid), Proc(work.pid, tid)
        self.equal("task_runq_wait_time", "thread", proc.run_delay_ns, row["task_runq_wait_time"],
                   "/proc/PID/task/TID/schedstat")
        self.equal("task_involuntary_switch_count", "thread", proc.involuntary, row["task_involuntary_switch_count"],
                   "/proc/PID/task/TID/status")
        rows = self.recorder.history(tid, "runq_max", work.did["begin_wall_ns"], time.time_ns(), threads=True)
        seen = max(each["task_runq_wait_time_max"] for each in rows)
        # The longest of n waits is at least their mean and at most their sum.
        self.between("task_runq_wait_time_max", "thread", proc.run_delay_ns // proc.slices, seen, proc.run_delay_ns,
                     "schedstat: mean and sum of its waits")
        return seen

    def test_run_queue_wait_at_the_end_of_a_life(self):
        work = self.workload("contend", 20, options=["--last"])
        work.start()
        self.recorder.ticks(2)
        closed = time.time_ns()
        work.finish()
        final = self.exit_of(work.pid)
        self.between("task_runq_wait_time_max", "final", 1, self.last_max(work, "runq_max", final, closed),
                     final["task_runq_wait_time"], "two threads wanted one CPU: > 0, and at most all waits")

    def last_max(self, work, name, final, closed_ns):
        """A tick may fall between the act and the end, and then has the maximum."""
        metric = {"runq_max": "task_runq_wait_time_max", "iowait_max": "task_io_wait_time_max",
                  "ioreq_max": "task_io_request_time_max", "offcpu_max": "task_switch_offcpu_time_max"}[name]
        rows = self.recorder.history(work.pid, name, closed_ns, time.time_ns())
        return max([final[metric], *(row[metric] for row in rows)])

    def test_nice_and_priority(self):
        subjects = self.observe("nice", 7)
        for s in subjects[:2]:
            self.equal("task_nice", s.where, 7, s.after["task_nice"], "setpriority(7)")
            self.equal("task_nice", s.final_where, 7, s.final["task_nice"], "setpriority(7)")
        self.agrees(subjects, "task_nice", lambda proc: proc.nice, "/proc/PID/stat nice")
        self.agrees(subjects, "task_priority", lambda proc: proc.priority, "/proc/PID/stat priority", final=True)

    def test_real_time_priority(self):
        subjects = self.observe("real_time", 5)
        for s in subjects[:2]:
            self.equal("task_priority", s.where, -6, s.after["task_priority"], "SCHED_FIFO 5")
        self.agrees(subjects, "task_priority", lambda proc: proc.priority, "/proc/PID/stat priority", final=True)


class Waits(Observing):
    """Waits of known length. The workload runs before and after, so that a tick closes every other wait it had."""
    RUN_MS = 900
    WAIT_MS = 500

    def wait_of_known_length(self, thing, metric, name, total, total_name):
        subjects = self.observe(thing, self.WAIT_MS, self.RUN_MS)
        for s in subjects[:2]:
            did = s.work.did
            witnesses = [f"{metric}_at", f"{metric}_cpu"]
            rows = self.rows(s, ",".join([name, total_name, *witnesses, "task_switch_offcpu_time_max_by"]))
            quiet = [row for row in rows if row["time_ns"] < did["wait_begin_wall_ns"]]
            self.assertTrue(quiet, "no tick in 900 ms: this machine is too busy")
            window = [row for row in rows if did["wait_begin_wall_ns"] < row["time_ns"] < did["end_wall_ns"]]
            longest = max(window, key=lambda row: row[metric])
            seen = longest[metric]
            self.between(metric, s.where, self.WAIT_MS * 1_000_000, seen, did["wait_ns"],
                         "length asked for, clock around the call")
            ends = [row for row in window if row[metric] == seen and witnesses[0] in row]
            self.assertTrue(ends, f"{witnesses[0]} is told by no row: {longest}")
            self.between(witnesses[0], s.where, did["wait_begin_boot_ns"] + self.WAIT_MS * 1_000_000,
                         ends[0][witnesses[0]], did["wait_begin_boot_ns"] + did["wait_ns"], "clock around the wait")
            self.equal(witnesses[1], s.where, 0, ends[0][witnesses[1]], "sched_setaffinity to CPU 0")
            if thing == "sleep":
                self.equal("task_switch_offcpu_time_max_by", s.where, 0, ends[0].get("task_switch_offcpu_time_max_by"),
                           "it went to sleep by itself")
            growth = window[-1][total] - quiet[-1][total]
            self.between(total, s.where, self.WAIT_MS * 1_000_000, growth,
                         window[-1]["time_ns"] - quiet[-1]["time_ns"], "length asked for, time between the ticks")
            life_ns = s.work.ended_boot_ns - s.work.started_boot_ns
            self.between(total, s.final_where, self.WAIT_MS * 1_000_000, s.final[total], life_ns,
                         "length asked for, length of life")
        return subjects

    def test_sleep_is_off_cpu(self):
        self.wait_of_known_length("sleep", "task_switch_offcpu_time_max", "offcpu_max", "task_offcpu_time", "offcpu")

    def test_io_wait(self):
        subjects = self.wait_of_known_length("iowait", "task_io_wait_time_max", "iowait_max", "task_io_wait_time",
                                             "iowait")
        for s in subjects[:2]:
            # One wait in all its act: the sum is the wait. Before, it may have waited for its own pages from disk.
            self.between("task_io_wait_time", s.where, self.WAIT_MS * 1_000_000, s.change("task_io_wait_time"),
                         s.work.did["wait_ns"], "timeout of io_uring, clock around the wait")
            self.between("task_io_wait_time", s.final_where, self.WAIT_MS * 1_000_000,
                         s.final["task_io_wait_time"] - s.before["task_io_wait_time"], s.work.did["wait_ns"],
                         "timeout of io_uring, clock around the wait")
            rows = [row for row in self.rows(s, "iowait_since") if row["task_iowait_since"]]
            self.assertTrue(rows, "no tick in a wait of 500 ms: this machine is too busy")
            did = s.work.did
            # It began before there was only the wait left of the time around it; 50 ms for a preemption before it.
            latest = did["wait_begin_boot_ns"] + did["wait_ns"] - self.WAIT_MS * 1_000_000 + 50_000_000
            for row in rows[:1]:
                self.between("task_iowait_since", s.where, did["wait_begin_boot_ns"], row["task_iowait_since"], latest,
                             "boot clock before the wait")
            self.equal("task_iowait_since", s.where, 0, s.after["task_iowait_since"], "it waits for no I/O")

    def test_preemption_by_a_known_thread(self):
        work = self.workload("preempted", 100, self.RUN_MS)
        self.recorder.ticks(2)
        work.go()
        self.recorder.ticks(2)
        did = work.did
        kinds = ("task_switch_offcpu_time_max", "task_runq_wait_time_max")
        fields = ",".join(f"{kind}{part}" for kind in kinds for part in ("", "_at", "_cpu", "_by"))
        rows = self.recorder.history(work.tid, fields, did["begin_wall_ns"], did["end_wall_ns"], threads=True)
        for kind in kinds:
            # The first tick may still have the wait for the word to go.
            row = max(rows[1:], key=lambda row: row[kind])
            self.between(kind, "thread, preempted", 100_000_000, row[kind], did["back_boot_ns"] - did["begin_boot_ns"],
                         "CPU time that the other thread burnt")
            self.between(kind + "_at", "thread", did["hog_end_boot_ns"], row.get(kind + "_at"), did["back_boot_ns"],
                         "boot clock: the other's end, its own return")
            self.equal(kind + "_cpu", "thread", 0, row.get(kind + "_cpu"), "sched_setaffinity to CPU 0")
            self.equal(kind + "_by", "thread", did["hog"], row.get(kind + "_by"), "gettid of the real-time thread")

    def test_io_wait_at_the_end_of_a_life(self):
        work = self.workload("iowait", 100, 0, options=["--last"])
        work.start()
        self.recorder.ticks(2)
        closed = time.time_ns()
        work.finish()
        did = json.loads(work.last_words)
        rows = self.recorder.history(work.pid, "iowait_max", closed, time.time_ns())
        seen = max([self.exit_of(work.pid)["task_io_wait_time_max"], *(row["task_io_wait_time_max"] for row in rows)])
        self.between("task_io_wait_time_max", "final", 100_000_000, seen, did["wait_ns"],
                     "timeout of io_uring, clock around the wait")

    def test_waiting_for_the_test_is_off_cpu_since_a_known_time(self):
        for options, where in (((), "live"), (("--thread",), "thread")):
            work = self.workload("nothing", options=options)
            work.go()
            time.sleep(0.02)  # the state is set a moment before the switch
            asleep_ns = boot_ns()
            self.recorder.ticks(2)
            row = self.thread_row(work.tid) if options else self.process_row(work.pid)
            self.between("task_offcpu_since", where, work.did["end_boot_ns"], row["task_offcpu_since"], asleep_ns,
                         "boot clock before it slept, /proc said S after")
            self.between("task_switch_offcpu_time_max", where + ", open", 1, row["task_switch_offcpu_time_max"],
                         boot_ns() - work.did["end_boot_ns"], "boot clock since it slept")
            closing = time.time_ns()
            work.finish()
            final = self.exit_of(work.tid, thread=bool(options))
            rows = self.recorder.history(work.tid, "offcpu_max", closing, time.time_ns(), threads=bool(options))
            seen = max([final["task_switch_offcpu_time_max"], *(row["task_switch_offcpu_time_max"] for row in rows)])
            self.between("task_switch_offcpu_time_max", "final" if not options else "final thread",
                         work.closed_boot_ns - asleep_ns, seen, work.ended_boot_ns - work.did["end_boot_ns"],
                         "boot clock from sleep to the end of file")


class Cpu(Observing):
    def burn(self, thing):
        subjects = self.observe(thing, 1000)
        self.agrees(subjects, "task_runtime_ns", lambda proc: proc.runtime_ns, "/proc/PID/task/*/schedstat")
        # What the workload spends outside its act: two clocks, a line of text.
        self.counts(subjects, "task_runtime_ns", lambda s: s.work.did["cpu_ns"], "CLOCK_THREAD_CPUTIME_ID",
                    high=5_000_000, why="reading the word, writing the line, ending")
        usage = subjects[0].work.usage
        self.equal("task_runtime_ns", "final", int((usage.ru_utime + usage.ru_stime) * 1e9),
                   subjects[0].final["task_runtime_ns"], "wait4 rusage", 500_000, 500_000,
                   "whole us; the zombie's last steps")
        # /proc cuts to jiffies, the split follows samples of 4 ms, and each side keeps its parts from falling.
        for metric, part in (("task_utime_jiffies", "utime"), ("task_stime_jiffies", "stime")):
            self.agrees(subjects, metric, lambda proc, part=part: getattr(proc, part), f"/proc/PID/stat {part}", 2,
                        "jiffies cut, 4 ms samples", final=True)
            for s in subjects[:2]:
                self.equal(metric, s.where, s.work.did[part + "_us"] // 10_000, s.change(metric), "getrusage", 2, 2,
                           "jiffies cut, 4 ms samples")
        return subjects

    def test_user_time(self):
        for s in self.burn("burn_user"):
            # The clock that tells it when to stop is a system call: a part of it is system time.
            self.between("task_utime_jiffies", s.where, 75, s.change("task_utime_jiffies"), 101,
                         "1 s burnt by arithmetic, clock reads beside it")
            self.percentages(s)

    def test_system_time(self):
        for s in self.burn("burn_system"):
            self.between("task_stime_jiffies", s.where, 75, s.change("task_stime_jiffies"), 130,
                         "1 s burnt by filling pages with zeros")

    def percentages(self, subject):
        begin = subject.work.did["begin_wall_ns"]
        rows = self.rows(subject, "cpu", begin - int(1e9))
        before = max(i for i, row in enumerate(rows) if row["time_ns"] < begin)
        # The share of each tick times its length, added up, is the time burnt. Shares are in thousandths of a percent.
        seen = sum(row["task_cpu_percent"] / 100 * (row["time_ns"] - last["time_ns"])
                   for last, row in zip(rows[before:], rows[before + 1:]))
        span = rows[-1]["time_ns"] - rows[before]["time_ns"]
        expected = subject.proc.runtime_ns - subject.before["task_runtime_ns"]
        self.equal("task_cpu_percent", subject.where, round(100 * expected / span, 3), round(100 * seen / span, 3),
                   "schedstat's CPU time over wall time", 0.01, 0.01, "thousandths of a percent, tick by tick")


class Faults(Observing):
    def test_minor_faults(self):
        subjects = self.observe("minor", 500)
        self.agrees(subjects[:1], "task_minor_pagefault_count", lambda proc: proc.minflt, "/proc/PID/stat minflt")
        self.agrees(subjects[1:2], "task_minor_pagefault_count", lambda proc: proc.minflt, "/proc/TID/stat minflt")
        self.counts(subjects, "task_minor_pagefault_count", lambda s: s.work.did["pages"], "pages touched", high=10,
                    why="code run for the first time")
        self.assertTrue(all(s.work.did["minflt"] >= 500 for s in subjects))

    def test_major_faults(self):
        subjects = self.observe("major", 50)
        self.counts(subjects, "task_major_pagefault_count", lambda s: s.work.did["pages"], "cold pages touched")
        self.counts(subjects, "task_major_pagefault_count", lambda s: s.work.did["majflt"], "getrusage")
        self.agrees(subjects, "task_major_pagefault_count", lambda proc: proc.majflt, "/proc/PID/stat majflt")
        self.counts(subjects, "task_read_bytes", lambda s: s.work.did["pages"] * PAGE, "cold pages touched")


class Memory(Observing):
    SIZES = (("task_pm_size", "VmRSS", 3), ("task_rss_anon_size", "RssAnon", 1), ("task_rss_file_size", "RssFile", 1),
             ("task_rss_shmem_size", "RssShmem", 1), ("task_peak_pm_size", "VmHWM", 3))

    def test_sizes(self):
        subjects = self.observe("hold", 16, 8, 4)
        self.agrees(subjects, "task_vm_size", lambda proc: proc.status["VmSize"], "/proc/PID/status VmSize", final=True)
        for metric, name, parts in self.SIZES:
            # A thread's and a process's memory is one. The final record has what was there when the task ended.
            self.agrees(subjects, metric, lambda proc, name=name: proc.status[name], f"/proc/PID/status {name}",
                        parts * RSS_SLACK, RSS_WHY, final=True)
        for metric, mib in (("task_rss_anon_size", 16), ("task_rss_file_size", 8), ("task_rss_shmem_size", 4),
                            ("task_pm_size", 28)):
            for s in subjects:
                self.equal(metric, s.where, mib * MIB, s.change(metric), "MiB touched", 6 * RSS_SLACK, 6 * RSS_SLACK,
                           RSS_WHY + ", before and after; code and stack")
        total = 1024 * int(read_text("/proc/meminfo").split()[1])
        for s in subjects:
            self.equal("task_mem_percent", s.where, round(100 * s.proc.status["VmRSS"] / total, 3),
                       s.after["task_mem_percent"], "VmRSS over MemTotal",
                       *[round(300 * RSS_SLACK / total, 3) + 0.001] * 2,
                       RSS_WHY)

    def test_peak_stays_when_memory_is_given_back(self):
        subjects = self.observe("peak", 32)
        self.agrees(subjects, "task_peak_pm_size", lambda proc: proc.status["VmHWM"], "/proc/PID/status VmHWM",
                    3 * RSS_SLACK, RSS_WHY, final=True)
        for s in subjects:
            self.between("task_peak_pm_size", s.where, 32 * MIB - RSS_SLACK, s.after["task_peak_pm_size"], 34 * MIB,
                         "32 MiB touched and unmapped")
            self.between("task_pm_size", s.where, 0, s.after["task_pm_size"], 2 * MIB + 3 * RSS_SLACK,
                         "32 MiB touched and unmapped")


class Smaps(TruthCase):
    FIELDS = {"task_shared_dirty_size": "Shared_Dirty", "task_shared_clean_size": "Shared_Clean",
              "task_private_dirty_size": "Private_Dirty", "task_private_clean_size": "Private_Clean",
              "task_referenced_size": "Referenced", "task_lazyfree_size": "LazyFree", "task_pss_size": "Pss",
              "task_swap_data_pss_size": "SwapPss"}
    # What the workload made of each, in MiB: at least so much. Pages freed lazily are clean: 4 + 3.
    MADE = {"task_shared_dirty_size": 6, "task_shared_clean_size": 5, "task_private_clean_size": 7,
            "task_lazyfree_size": 3}

    def test_smaps(self):
        works = [self.workload("every_kind", 6, 5, 4, 3, 2, options=options) for options in ((), ("--thread",))]
        for work in works:
            work.go()
        settled = time.monotonic()
        self.recorder.ticks(2)
        for work, where in zip(works, ("live", "live+threads")):
            row = self.fresh_row(work.pid, settled)
            proc = Proc(work.pid)
            self.compare(row, proc, where)
            self.equal("task_swap_data_size", where, proc.status["VmSwap"], row["task_swap_data_size"],
                       "/proc/PID/status VmSwap", RSS_SLACK if proc.status["VmSwap"] else 0,
                       RSS_SLACK if proc.status["VmSwap"] else 0, RSS_WHY)
        row = self.thread_row(works[1].tid, "-f", ",".join([*self.FIELDS, "task_swap_data_size"]))
        self.compare(row, Proc(works[1].pid), "thread")
        for work in works:
            swapped = Proc(work.pid).status["VmSwap"]
            work.finish()
            self.equal("task_swap_data_size", "final", swapped, self.exit_of(work.pid)["task_swap_data_size"],
                       "/proc/PID/status VmSwap", RSS_SLACK if swapped else 0, RSS_SLACK if swapped else 0, RSS_WHY)

    def fresh_row(self, pid, settled):
        """A row whose values were read after the process had come to rest."""
        def find():
            asked = time.monotonic()
            row = self.process_row(pid, "-f", ",".join([*self.FIELDS, "task_swap_data_size"]))
            ages = row.get("ages", {})
            fresh = all(name in row and ages.get(name, 0) < asked - settled for name in self.FIELDS)
            return row if fresh else None
        return wait_for(find, f"the smaps metrics of {pid}")

    def compare(self, row, proc, where):
        for metric, name in self.FIELDS.items():
            self.equal(metric, where, proc.smaps[name], row.get(metric), f"/proc/PID/smaps_rollup {name}")
        for metric, mib in self.MADE.items():
            self.between(metric, where, mib * MIB, row.get(metric), (mib + 2) * MIB, f"{mib} MiB made so; its own code")


class Files(Observing):
    PAGES = 64
    EVENTS = {"filemap/mm_filemap_add_to_page_cache": True, "writeback/writeback_dirty_folio": True,
              "filemap/mm_filemap_get_pages": True}

    def traced(self, subjects, metric, *events):
        if self.trace is None:
            return
        for s in subjects:
            expected = sum(len(self.trace.of(event, s.work.tid)) for event in events)
            self.equal(metric, s.where, expected, s.change(metric), "tracefs " + " + ".join(events))

    def calls_and_characters(self, subjects, reads=0, writes=0):
        """Beside the act: one read of one byte, one write of the report, and at the end a read of nothing."""
        bytes_read, bytes_written = reads * PAGE, writes * PAGE
        self.counts(subjects, "task_rchar_bytes", bytes_read + 1, "bytes that read returned")
        self.counts(subjects, "task_wchar_bytes", lambda s: bytes_written + len(s.work.text), "bytes that write took")
        self.counts(subjects, "task_syscr_count", reads + 1, "calls of read", at_exit=1)
        self.counts(subjects, "task_syscw_count", writes + 1, "calls of write")
        for metric, name in (("task_rchar_bytes", "rchar"), ("task_wchar_bytes", "wchar"),
                             ("task_syscr_count", "syscr"), ("task_syscw_count", "syscw"),
                             ("task_read_bytes", "read_bytes"),
                             ("task_write_bytes", "write_bytes"), ("task_cancelled_write_bytes",
                                                                   "cancelled_write_bytes")):
            self.agrees(subjects, metric, lambda proc, name=name: proc.io[name], f"/proc/PID/io {name}")

    def test_buffered_write(self):
        subjects = self.observe("write", self.PAGES, trace=self.EVENTS)
        self.calls_and_characters(subjects, writes=self.PAGES)
        self.counts(subjects, "task_write_bytes", self.PAGES * PAGE, "pages written", high=METADATA_PAGES * PAGE,
                    why=METADATA_WHY)
        self.counts(subjects, "task_page_cache_count", 2 * self.PAGES, "pages added + pages dirtied",
                    high=METADATA_PAGES, why=METADATA_WHY)
        self.traced(subjects, "task_page_cache_count", "mm_filemap_add_to_page_cache", "writeback_dirty_folio")

    def test_cold_read(self):
        subjects = self.observe_between_ticks("read_cold", self.PAGES, trace=self.EVENTS)
        self.calls_and_characters(subjects, reads=self.PAGES)
        self.counts(subjects, "task_read_bytes", self.PAGES * PAGE, "cold pages read")
        self.counts(subjects, "task_page_cache_count", self.PAGES, "pages added", high=METADATA_PAGES, why=METADATA_WHY)
        self.traced(subjects, "task_page_cache_count", "mm_filemap_add_to_page_cache", "writeback_dirty_folio")
        self.counts(subjects, "task_page_cache_lookup_count", self.PAGES, "pages read")
        self.hits(subjects, 0, "cold pages read")

    def test_hot_read(self):
        subjects = self.observe_between_ticks("read_hot", self.PAGES, trace=self.EVENTS)
        self.calls_and_characters(subjects, reads=self.PAGES)
        self.counts(subjects, "task_read_bytes", 0, "cached pages read")
        self.counts(subjects, "task_page_cache_lookup_count", self.PAGES, "pages read")
        self.hits(subjects, 100, "cached pages read")

    def test_large_cold_read(self):
        subjects = self.observe_between_ticks("read_large", 256, trace=self.EVENTS)
        self.counts(subjects, "task_read_bytes", 256 * PAGE, "cold pages read, one call")
        self.counts(subjects, "task_page_cache_lookup_count", 256, "pages read, one call")
        # Read-ahead brings them in by folios of several pages: the metric is of pages.
        self.counts(subjects, "task_page_cache_count", 256, "pages added, one call", high=METADATA_PAGES,
                    why=METADATA_WHY)
        self.hits(subjects, 0, "cold pages read, one call")

    def hits(self, subjects, expected, witness):
        for s in subjects[:2]:
            rows = self.rows(s, "pghit", s.work.did["begin_wall_ns"])
            seen = {row["task_page_cache_hit_percent"] for row in rows if "task_page_cache_hit_percent" in row}
            self.found("task_page_cache_hit_percent", {expected}, seen or None, "exact, each tick that has it", witness,
                       s.where, seen == {expected})

    def test_direct_read(self):
        subjects = self.observe("direct_read", self.PAGES, trace={"block/block_io_start": False,
                                                                  "block/block_io_done": False})
        self.calls_and_characters(subjects, reads=self.PAGES)
        self.counts(subjects, "task_read_bytes", self.PAGES * PAGE, "pages read around the cache")
        self.request_times(subjects)

    def test_direct_write(self):
        subjects = self.observe("direct_write", self.PAGES, trace={"block/block_io_start": False,
                                                                   "block/block_io_done": False})
        self.calls_and_characters(subjects, writes=self.PAGES)
        self.counts(subjects, "task_write_bytes", self.PAGES * PAGE, "pages written around the cache",
                    high=METADATA_PAGES * PAGE, why=METADATA_WHY)
        self.request_times(subjects)

    def request_times(self, subjects):
        for s in subjects[:2]:
            rows = self.rows(s, "ioreq_max,iowait_max")
            longest = max(row["task_io_request_time_max"] for row in rows)
            self.between("task_io_request_time_max", s.where, 1, longest, s.work.did["longest_ns"],
                         "clock around the longest call")
            self.between("task_io_wait_time_max", s.where, 1, max(row["task_io_wait_time_max"] for row in rows),
                         s.work.did["longest_ns"], "clock around the longest call")
            if self.trace is not None:
                # Both sides stamp in the same tracepoint, one after the other; the hypervisor may come between.
                self.equal("task_io_request_time_max", s.where, self.longest_request(s.work.tid), longest,
                           "tracefs block_io_start, block_io_done", 1_000_000, 1_000_000,
                           "two stamps in one tracepoint")

    def test_witness_of_a_long_request(self):
        # Only maxima of 1 ms and more have a witness: one call, 64 MiB, many requests in the device's queue at once.
        subjects = self.observe("direct_large", 16384, trace={"block/block_io_start": False,
                                                              "block/block_io_done": False})
        device = os.stat(self.scratch).st_dev
        for s in subjects[:2]:
            rows = self.rows(s, ",".join("task_io_request_time_max" + part for part in ("", "_at", "_cpu", "_device")))
            row = max(rows, key=lambda row: row["task_io_request_time_max"])
            at = row.get("task_io_request_time_max_at")
            did = s.work.did
            self.between("task_io_request_time_max", s.where, 1_000_000, row["task_io_request_time_max"],
                         did["end_boot_ns"] - did["begin_boot_ns"], "clock around the call")
            self.between("task_io_request_time_max_at", s.where, did["begin_boot_ns"], at, did["end_boot_ns"],
                         "boot clock around the call")
            self.equal("task_io_request_time_max_device", s.where, os.major(device) << 20 | os.minor(device),
                       row.get("task_io_request_time_max_device"), "stat of the directory: st_dev")
            if self.trace is None:
                self.between("task_io_request_time_max_cpu", s.where, 0, row.get("task_io_request_time_max_cpu"),
                             os.cpu_count() - 1, "CPUs there are")
                continue
            done = [line for line in self.trace.lines if line[1] == "block_io_done"]
            nearest = min(done, key=lambda line: abs(line[2] - (at or 0)))
            self.equal("task_io_request_time_max_at", s.where, nearest[2], at, "tracefs block_io_done", 1_000_000,
                       1_000_000, "two stamps in one tracepoint")
            self.equal("task_io_request_time_max_cpu", s.where, nearest[4], row.get("task_io_request_time_max_cpu"),
                       "tracefs block_io_done")

    def longest_request(self, tid):
        open_requests, longest = {}, 0
        for by, event, stamp, text, _ in sorted(self.trace.lines, key=lambda line: line[2]):
            words = text.split()
            key = (words[0], words[words.index("+") - 1])
            if event == "block_io_start" and by == tid:
                open_requests[key] = stamp
            elif event == "block_io_done" and key in open_requests:
                longest = max(longest, stamp - open_requests.pop(key))
        return longest

    def test_fsync(self):
        subjects = self.observe("fsync", 5)
        for s in subjects[:2]:
            rows = self.rows(s, "ioreq_max,iowait_max")
            for metric in ("task_io_request_time_max", "task_io_wait_time_max"):
                self.between(metric, s.where, 1, max(row[metric] for row in rows), s.work.did["longest_ns"],
                             "clock around the longest fsync")

    def test_request_at_the_end_of_a_life(self):
        for options, final_where in ((("--last",), "final"), (("--last", "--thread"), "final thread")):
            work = self.workload("direct_read", 8, options=options)
            work.start()
            self.recorder.ticks(2)
            closed = time.time_ns()
            work.finish()
            longest = json.loads(work.last_words)["longest_ns"]
            final = self.exit_of(work.tid, thread="--thread" in options)
            rows = self.recorder.history(work.tid, "ioreq_max,iowait_max", closed, time.time_ns(),
                                         threads="--thread" in options)
            for metric in ("task_io_request_time_max", "task_io_wait_time_max"):
                seen = max([final[metric], *(row[metric] for row in rows)])
                self.between(metric, final_where, 1, seen, longest, "clock around the longest read, its last act")

    def test_cancelled_write(self):
        subjects = self.observe("cancel", 32)
        self.calls_and_characters(subjects, writes=32)
        self.counts(subjects, "task_cancelled_write_bytes", 32 * PAGE, "dirty pages truncated")

    def test_descriptors(self):
        subjects = self.observe("fds", 20)
        self.counts(subjects, "task_fd_count", 20, "calls of open")
        self.agrees(subjects, "task_fd_count", lambda proc: len(proc.fds), "/proc/PID/fd", final=True)

    def test_descriptor_limit(self):
        for s in self.observe("fd_limit", 777):
            self.equal("task_fd_limit", s.where, 777, s.after["task_fd_limit"], "setrlimit")
            self.equal("task_fd_limit", s.final_where, 777, s.final["task_fd_limit"], "setrlimit")


class Network(Observing):
    TRAFFIC = ("task_net_tx_bytes", "task_net_rx_bytes", "task_unix_tx_bytes", "task_unix_rx_bytes")

    def traffic(self, thing, size, family, tcp, udp):
        subjects = self.observe(thing, size)
        for metric in self.TRAFFIC:
            mine = metric.startswith(f"task_{family}")
            part = "sent" if "_tx_" in metric else "received"
            self.counts(subjects, metric, (lambda s, part=part: s.work.did[part]) if mine else 0,
                        f"{thing}: bytes that the calls returned" + ("" if "_tx_" in metric else ", peeks left out"))
        for s in subjects:
            for metric, used in (("task_tcp_used", tcp), ("task_udp_used", udp)):
                self.equal(metric, s.where, used, s.after[metric], f"only {thing} was used")
                self.equal(metric, s.final_where, used, s.final[metric], f"only {thing} was used")

    def test_tcp(self):
        self.traffic("tcp", 2500, "net", 1, 0)

    def test_udp(self):
        self.traffic("udp", 1111, "net", 0, 1)

    def test_unix(self):
        self.traffic("unix", 3333, "unix", 0, 0)

    def test_connections(self):
        self.counts(self.observe("connects", 9), "task_connect_count", 9, "calls of connect that returned 0")


class MemoryGroup:
    """A memory cgroup of 32 MiB: version 1 or 2, whichever has the controller."""
    LIMIT = 32 * MIB

    def __init__(self, name):
        self.version, root = self.find()
        self.path = os.path.join(root, name)
        os.mkdir(self.path)
        self.write("memory.limit_in_bytes" if self.version == 1 else "memory.max", self.LIMIT)
        if self.version == 2:
            self.write("memory.swap.max", 0)

    @staticmethod
    def find():
        for line in read_text("/proc/mounts").splitlines():
            _, path, kind, options = line.split()[:4]
            if kind == "cgroup" and "memory" in options.split(","):
                return 1, path
            if kind == "cgroup2" and "memory" in read_text(path + "/cgroup.controllers").split():
                with open(path + "/cgroup.subtree_control", "w", encoding="utf-8") as file:
                    file.write("+memory")
                return 2, path
        raise AssertionError("NO MEMORY CGROUP, neither version 1 nor 2: task_oom_count CANNOT BE TESTED HERE")

    def write(self, file, value):
        with open(os.path.join(self.path, file), "w", encoding="utf-8") as handle:
            handle.write(str(value))

    def join(self):
        self.write("cgroup.procs", os.getpid())

    def kills(self):
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        return dict(line.split() for line in read_text(os.path.join(self.path, file)).splitlines())["oom_kill"]

    def remove(self):
        os.rmdir(self.path)


class Oom(TruthCase):
    def test_victim_of_the_oom_killer(self):
        for options, where in (((), "final"), (("--thread",), "final+threads")):
            group = MemoryGroup(f"taskmon-truth-{os.getpid()}")
            self.addCleanup(group.remove)
            work = self.workload("eat", 64, options=options, preexec_fn=group.join)
            self.recorder.ticks(2)
            self.equal("task_oom_count", where.replace("final", "live"), 0,
                       self.process_row(work.pid)["task_oom_count"], "still alive")
            work.start()
            self.assertEqual(work.process.wait(timeout=30), -9)
            final = self.exit_of(work.pid)
            self.equal("task_oom_count", where, int(group.kills()), final["task_oom_count"],
                       f"oom_kill of the memory cgroup (version {group.version})")
            self.equal("task_oom_count", where + ", events", 1, len(self.recorder.json(
                "events", f"tgid == {work.pid}", "--type", "oom", "-b", self.since)), "oom_kill of the memory cgroup")
            self.assertEqual((final["exit_code"], final["exit_signal"]), (0, 9))
            self.doCleanups()


def catalogue():
    output = subprocess.run([f"{BIN}/taskmonctl", "metrics", "-o", "json"], capture_output=True, text=True, check=True)
    return [metric["name"] for metric in json.loads(output.stdout)]


def main():
    whole = len(sys.argv) == 1
    result = unittest.main(exit=False, verbosity=2).result
    names = catalogue()
    text = TruthCase.table.text(names)
    print(text)
    if whole:
        with open(os.environ.get("TRUTH_TABLE", "truth_table.txt"), "w", encoding="utf-8") as file:
            file.write(text)
    missing = [name for name in names if name not in {row[0] for row in TruthCase.table.rows}]
    if whole and missing and not result.skipped:
        print("FAILED: no truth was told about:", *missing, sep="\n  ")
    sys.exit(not result.wasSuccessful() or (whole and bool(missing) and not result.skipped))


if __name__ == "__main__":
    main()
