# SPDX-License-Identifier: Apache-2.0
"""Hooks come when somebody watches what they fill and go when nobody does; longest waits carry their witnesses."""
import json
import os
import signal
import subprocess
import sys
import unittest

from recorder import BIN, RecorderCase, wait_for

# Fails a hundred calls for each line that it reads.
FAILING = ("import os,sys\n"
           "for line in sys.stdin:\n"
           "    for _ in range(100):\n"
           "        try: os.close(-1)\n"
           "        except OSError: pass\n"
           "    print('done', flush=True)\n")


class OnDemand(RecorderCase):
    def setUp(self):
        self.failing = subprocess.Popen([sys.executable, "-c", FAILING], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.recorder.ticks(2)

    def tearDown(self):
        self.failing.kill()
        self.failing.communicate()

    def hook(self):
        found, = [hook for hook in self.recorder.status()["hooks"] if hook["name"] == "sys_exit"]
        return found

    def fail_hundred_calls(self):
        self.failing.stdin.write("\n")
        self.failing.stdin.flush()
        self.assertEqual(self.failing.stdout.readline(), "done\n")

    def watch(self):
        return subprocess.Popen([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "watch",
                                 f"tid == {self.failing.pid}", "-f", "task_syscall_fails", "-o", "jsonl"],
                                stdout=subprocess.PIPE, text=True)

    def test_watching_a_metric_attaches_its_hook_for_as_long_as_it_is_watched(self):
        before = wait_for(lambda: not (h := self.hook())["attached"] and h, "the hook of an earlier test to be detached")
        self.assertTrue(before["reason"].startswith("not wanted"), before)
        row, = self.recorder.json("ps", f"tid == {self.failing.pid}", "-f", "task_syscall_fails")
        self.assertEqual(row["unavailable"], ["task_syscall_fails"])
        self.assertNotIn("task_syscall_fails", row)

        watch = self.watch()
        try:
            rows = map(json.loads, watch.stdout)
            first = next(row for row in rows if "task_syscall_fails" in row)
            self.assertNotIn("task_syscall_fails", first.get("unavailable", []))
            during = self.hook()
            self.assertTrue(during["attached"])
            self.assertEqual(during["reason"], "wanted by 1 watcher")
            self.fail_hundred_calls()
            counted = next(row for row in rows if row["task_syscall_fails"] >= first["task_syscall_fails"] + 100)
            self.assertEqual(counted["task_syscall_fails"], first["task_syscall_fails"] + 100)
            self.assertTrue(any(hook["name"] == "sys_exit" and hook["attached"]
                                for hook in self.recorder.status()["hooks"]))
            self.assertNotIn("sys_exit is not attached", self.recorder.ctl("doctor").stdout)
        finally:
            watch.send_signal(signal.SIGINT)
            watch.communicate()

        # Somebody who asks again soon finds it attached still; then it goes.
        wait_for(lambda: self.hook()["reason"] == "not wanted any more", "the watcher to be gone")
        wait_for(lambda: not self.hook()["attached"], "the hook to be detached")
        self.recorder.ticks(1)
        row, = self.recorder.json("ps", f"tid == {self.failing.pid}", "-f", "task_syscall_fails")
        self.assertEqual(row["unavailable"], ["task_syscall_fails"])
        self.assertIn("sys_exit is not attached", self.recorder.ctl("doctor").stdout)

    def test_expression_is_a_wish_as_well(self):
        watch = subprocess.Popen([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "watch",
                                  "total(task_syscall_fails) >= 100", "-f", "comm", "-o", "jsonl"],
                                 stdout=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: self.hook()["attached"], "the hook to be attached")
            self.recorder.ticks(1)
            self.fail_hundred_calls()
            self.assertTrue(any(json.loads(line)["tid"] == self.failing.pid for line in watch.stdout))
        finally:
            watch.send_signal(signal.SIGINT)
            watch.communicate()


class Witnesses(RecorderCase):
    """Two that burn one CPU: each waits for the other, for milliseconds at a time."""

    @classmethod
    def command_of(cls):
        cpu = min(os.sched_getaffinity(0))
        # So nice that, whatever else runs, it is mostly the other one that has the CPU.
        return ["nice", "-n", "-20", "taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"]

    def setUp(self):
        self.burners = [subprocess.Popen(self.command_of()) for _ in range(2)]

    def tearDown(self):
        for burner in self.burners:
            burner.kill()
            burner.wait()

    def test_longest_wait_tells_when_where_and_behind_whom_live_and_stored(self):
        fields = ["task_switch_offcpu_time_max" + ending for ending in ("", "_at", "_cpu", "_by")]
        tid = self.burners[0].pid

        def witnessed():
            rows = self.recorder.json("ps", f"tid == {tid}", "-f", ",".join(fields))
            return rows[0] if rows and rows[0].get("task_switch_offcpu_time_max_by") else None
        row = wait_for(witnessed, "a wait of a millisecond")
        self.assertGreaterEqual(row["task_switch_offcpu_time_max"], 1_000_000)
        self.assertEqual(row["task_switch_offcpu_time_max_cpu"], min(os.sched_getaffinity(0)))
        self.assertGreater(row["task_switch_offcpu_time_max_by"], 0)

        def shown():
            text = self.recorder.ctl("show", str(tid)).stdout
            return text if "preempted by" in text else None
        text = wait_for(shown, "show to name who had the CPU")
        self.assertRegex(text, r"Longest waits of the tick\n(?s:.*)offcpu_max +\S+  until \S+ on CPU \d+, preempted by \d+")

        def stored():
            return [r for r in self.recorder.json("history", "--tid", str(tid), "-f", ",".join(fields), "-b", "1m")
                    if r.get("task_switch_offcpu_time_max_by")]
        partner = self.burners[1].pid
        wait_for(lambda: partner in {r["task_switch_offcpu_time_max_by"] for r in stored()}, "a wait for the other one")
        for r in stored():
            self.assertGreaterEqual(r["task_switch_offcpu_time_max"], 1_000_000)
            self.assertEqual(r["task_switch_offcpu_time_max_cpu"], min(os.sched_getaffinity(0)))


if __name__ == "__main__":
    unittest.main()
