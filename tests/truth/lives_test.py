# SPDX-License-Identifier: Apache-2.0
"""The hard lives: leaders that go first, exec by others, numbers used twice, threads of 100 microseconds."""
import os
import subprocess
import unittest

from harness import TruthCase, boot_ns, wait_for


class Lives(TruthCase):
    def events(self, expression, types, threads=True):
        events = self.recorder.json("events", *(["-H"] if threads else []), expression, "--type", types, "-b",
                                    self.since)
        return [event for event in events if event["start_ns"] >= self.since_boot_ns]

    def ends(self, work, count):
        """All final records of a workload and its threads, when there are as many as expected."""
        def find():
            ended = getattr(work, "ended_boot_ns", boot_ns())  # afterwards the number may be someone else's
            ends = [e for e in self.events(f"tgid == {work.pid}", "exit")
                    if work.started_boot_ns <= e["start_ns"] <= ended]
            return ends if len(ends) >= count else None
        return wait_for(find, f"{count} final records of {work.pid}")

    def test_leader_that_exits_before_its_threads(self):
        work = self.workload("burn_user", 100, options=["--leader-exits"])
        self.recorder.ticks(2)
        process = self.process_row(work.pid)
        self.assertEqual((process["task_thread_count"], process["task_state"]), (2, "S"))
        early = self.events(f"tgid == {work.pid}", "exit")
        self.assertEqual([(e["tid"], e["thread"]) for e in early], [(work.pid, True)], "only the leader has ended")
        work.go()
        self.recorder.ticks(2)
        row = self.process_row(work.pid)
        self.assertGreaterEqual(row["task_runtime_ns"] - process["task_runtime_ns"], work.did["cpu_ns"])
        self.assertEqual(row["start_ns"], process["start_ns"])
        self.assertEqual(self.thread_row(work.tid)["tgid"], work.pid)
        work.finish()
        ends = self.ends(work, 3)
        self.assertEqual(sorted((e["tid"], e["thread"]) for e in ends),
                         sorted([(work.pid, True), (work.tid, True), (work.pid, False)]))
        final, = [e for e in ends if not e["thread"]]
        self.assertEqual((final["exit_code"], final["exit_signal"], final["start_ns"]), (0, 0, process["start_ns"]))
        self.assertEqual(final["task_runtime_ns"], sum(e["task_runtime_ns"] for e in ends if e["thread"]))
        self.same_cpu_as_wait4(final, work)

    def same_cpu_as_wait4(self, final, work, threads=1):
        # wait4 cuts each part to whole microseconds. The kernel adds a thread's time to its process before the
        # thread's last switch, up to which taskmon counts: what a thread runs after it last looked at its own clock,
        # which is its end, is missing in wait4's sum. 100 us for each.
        cpu_ns = (work.usage.ru_utime + work.usage.ru_stime) * 1e9
        self.assertGreater(final["task_runtime_ns"], cpu_ns - 500_000)
        self.assertLess(final["task_runtime_ns"], cpu_ns + 500_000 + (threads - 1) * 100_000)

    def on_a_busy_machine(self, batches, *arguments, options, hogs):
        """Works of six at a time, and the ends told of them once all are."""
        for _ in range(hogs):
            hog = subprocess.Popen(["sh", "-c", "while :; do ls >/dev/null; done"])
            self.addCleanup(hog.wait)
            self.addCleanup(hog.kill)
        works = []
        for _ in range(batches):
            batch = [self.workload(*arguments, options=options) for _ in range(6)]
            for work in batch:
                work.go()
            for work in batch:
                work.finish()
            works += batch
        # One question about all of them: there are many events to look through.
        def all_ended():
            ended = self.events(f"ppid == {os.getpid()}", "exit")
            return ended if {w.pid for w in works} <= {e["tid"] for e in ended if not e["thread"]} else None
        return works, wait_for(all_ended, "the ends of all")

    def test_leaders_that_exit_first_end_once_on_a_busy_machine(self):
        # The leader may be reaped and freed while its last thread has not left the CPU for good.
        works, ended = self.on_a_busy_machine(10, "burn_user", 20, options=["--leader-exits"], hogs=2 * os.cpu_count())
        for work in works:
            ends = [e for e in ended if e["tgid"] == work.pid and
                    work.started_boot_ns <= e["start_ns"] <= work.ended_boot_ns]
            self.assertEqual(sorted((e["tid"], e["thread"]) for e in ends),
                             sorted([(work.pid, True), (work.tid, True), (work.pid, False)]))
            final, = [e for e in ends if not e["thread"]]
            self.assertEqual(final["task_runtime_ns"], sum(e["task_runtime_ns"] for e in ends if e["thread"]))

    def test_exec_by_a_thread_other_than_the_leader(self):
        work = self.workload("execs", 1, options=["--thread"])
        self.recorder.ticks(2)
        before, leader = self.process_row(work.pid), self.thread_row(work.pid)
        work.go()
        self.recorder.ticks(2)
        self.assertEqual((work.did["pid"], work.did["tid"]), (work.pid, work.pid), "it has become the leader")
        self.assertNotEqual(work.tid, work.pid)
        after = self.process_row(work.pid)
        self.assertEqual(after["start_ns"], before["start_ns"], "the same process")
        self.assertEqual(after["task_exec_count"] - before["task_exec_count"], 1)
        self.assertEqual(after["task_thread_count"], 1)
        self.assertEqual(self.recorder.json("ps", "-H", f"tid == {work.tid}"), [], "its old number is gone")
        moved, = [e for e in self.events(f"tgid == {work.pid}", "exit") if e["tid"] == work.tid]
        self.assertEqual(moved["detail"], f"became TID {work.pid} by exec")
        line = self.thread_row(work.pid)
        self.assertGreaterEqual(line["task_runtime_ns"], leader["task_runtime_ns"], "the leader's line goes on")
        exec_event = self.events(f"tgid == {work.pid}", "exec", threads=False)[-1]
        self.assertEqual((exec_event["tid"], exec_event["start_ns"]), (work.pid, before["start_ns"]))
        work.finish()
        ends = self.ends(work, 3)
        self.assertEqual(len(ends), 3, [(e["tid"], e["thread"]) for e in ends])
        final, = [e for e in ends if not e["thread"]]
        self.assertEqual((final["start_ns"], final["task_exec_count"]), (before["start_ns"], 2))
        self.assertEqual(final["task_runtime_ns"], sum(e["task_runtime_ns"] for e in ends if e["thread"]))
        self.same_cpu_as_wait4(final, work)
        self.one_end_for_each_beginning(self.events(f"tgid == {work.pid}", "fork"), ends)

    def one_end_for_each_beginning(self, forks, ends):
        """Of a process, of each further thread, and of the leading thread, whose beginning is the process's."""
        begun = [(e["tid"], e["start_ns"], e["thread"]) for e in forks]
        process, = [key for key in begun if not key[2]]
        begun.append((*process[:2], True))
        self.assertEqual(sorted(begun), sorted((e["tid"], e["start_ns"], e["thread"]) for e in ends))

    def test_each_number_ends_once_when_threads_exec_on_a_busy_machine(self):
        works, ended = self.on_a_busy_machine(5, "execs", 3, options=["--thread"], hogs=os.cpu_count())
        begun = self.events(f"ppid == {os.getpid()}", "fork")
        for work in works:
            # Its number may have been someone else's before or after.
            forks, ends = [[e for e in events if e["tgid"] == work.pid and
                            work.started_boot_ns <= e["start_ns"] <= work.ended_boot_ns] for events in (begun, ended)]
            self.one_end_for_each_beginning(forks, ends)
            final, = [e for e in ends if not e["thread"]]
            self.assertEqual(final["task_runtime_ns"], sum(e["task_runtime_ns"] for e in ends if e["thread"]))
            self.assertEqual(final["task_exec_count"], 4)

    def test_vfork_child_has_a_life_of_its_own(self):
        work = self.workload("vfork_sleep", 3000)
        work.start()
        self.recorder.ticks(2)
        child, = self.recorder.json("ps", f"ppid == {work.pid}")
        self.assertEqual(self.process_row(work.pid)["task_state"], "D")
        self.assertEqual(child["task_state"], "S")
        self.assertNotEqual(child["tgid"], work.pid)
        work.did = work.line()
        self.assertEqual(child["tid"], work.did["child"])
        final = self.exit_of(child["tid"])
        self.assertGreaterEqual(final["duration_ns"], 3_000_000_000)
        self.assertEqual((final["exit_code"], final["ppid"], final["start_ns"]), (0, work.pid, child["start_ns"]))
        self.assertEqual(final["task_vm_size"], child["task_vm_size"])
        work.finish()
        self.assertEqual(self.exit_of(work.pid)["task_fork_count"], 1)

    def test_500_threads_of_100_microseconds(self):
        lost = self.recorder.lost()
        work = self.workload("short_threads", 500, 100)
        work.go()
        tids = work.did["tids"]
        ends = self.ends(work, 500)
        threads = [e for e in ends if e["thread"] and e["tid"] != work.pid]
        self.assertEqual(sorted(e["tid"] for e in threads), sorted(tids))
        short = [e["tid"] for e in threads if e["task_runtime_ns"] < 100_000]
        self.assertEqual(short, [], "each burnt 100 us by its own clock")
        own = sum(e["task_runtime_ns"] for e in threads)
        # Their own clocks stop before they end: 100 us more for each end, on a machine that does other things too.
        self.assertGreaterEqual(own, work.did["threads_cpu_ns"])
        self.assertLess(own, work.did["threads_cpu_ns"] + 500 * 100_000)
        self.recorder.ticks(2)
        live = self.process_row(work.pid)
        self.assertEqual(live["task_thread_create_count"], 500)
        self.assertEqual(live["task_thread_count"], 1)
        work.finish()
        final = self.exit_of(work.pid)
        self.same_cpu_as_wait4(final, work, threads=501)
        # The sums of dead threads that the kernel keeps are wait4's.
        self.assertEqual(final["task_minor_pagefault_count"], work.usage.ru_minflt)
        self.assertEqual(final["task_major_pagefault_count"], work.usage.ru_majflt)
        self.sums_of_switches(final, work, 501)
        self.assertEqual(self.recorder.lost(), lost)

    def sums_of_switches(self, final, work, threads):
        # The kernel adds a thread's switches to its process before the thread's very last one.
        self.assertGreaterEqual(final["task_voluntary_switch_count"], work.usage.ru_nvcsw)
        self.assertLessEqual(final["task_voluntary_switch_count"], work.usage.ru_nvcsw + threads)
        self.assertGreaterEqual(final["task_involuntary_switch_count"], work.usage.ru_nivcsw)
        self.assertLessEqual(final["task_involuntary_switch_count"], work.usage.ru_nivcsw + threads)

    def test_one_number_for_many_lives(self):
        work = self.workload("reuse_tid", 20)
        work.go()
        tid = work.did["child"]
        ends = wait_for(lambda: len(found := self.events(f"tid == {tid}", "exit")) >= 20 and found, "20 ends")
        self.assertEqual(len(ends), 20)
        self.assertEqual(len({e["start_ns"] for e in ends}), 20, "each life has a beginning of its own")
        ends.sort(key=lambda e: e["start_ns"])
        for life, end in enumerate(ends, start=1):
            self.assertEqual((end["comm"], end["exit_code"]), (f"life-{life}", life))
            self.assertEqual(end["task_syscall_fails"], life, "counts of one life are not carried over to the next")
            self.assertEqual(end["ppid"], work.pid)
            self.assertFalse(end["thread"])
        for before, after in zip(ends, ends[1:]):
            self.assertLessEqual(before["start_ns"] + before["duration_ns"], after["start_ns"], "one after the other")
        forks = [e for e in self.events(f"tid == {tid}", "fork")]
        self.assertEqual(sorted(e["start_ns"] for e in forks), [e["start_ns"] for e in ends])
        work.finish()

    def test_number_of_a_thread_taken_over_by_a_process(self):
        work = self.workload("reuse_thread")
        work.go()
        tid = work.did["child"]
        ends = wait_for(lambda: len(found := self.events(f"tid == {tid}", "exit")) >= 2 and found, "two ends")
        self.assertEqual(len(ends), 2)
        thread, process = sorted(ends, key=lambda e: e["start_ns"])
        self.assertEqual((thread["tgid"], thread["thread"], thread["task_syscall_fails"]), (work.pid, True, 0))
        self.assertEqual((process["tgid"], process["thread"], process["comm"]), (tid, False, "life-2"))
        self.assertEqual((process["ppid"], process["task_syscall_fails"]), (work.pid, 2))
        work.finish()


if __name__ == "__main__":
    unittest.main()
