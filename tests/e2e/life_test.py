# SPDX-License-Identifier: Apache-2.0
"""Births and deaths: complete records, also of the shortest lives."""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

from recorder import BIN, RecorderCase, wait_for


class Lives(RecorderCase):
    def events(self, expression, *args):
        return self.recorder.json("events", expression, "-b", "1m", *args)

    def exits_of(self, tgid):
        return wait_for(lambda: self.events(f"tgid == {tgid}", "--type", "exit"), f"the exit of {tgid}")

    def test_shell_and_its_child_are_told_with_exit_codes_and_totals(self):
        shell = subprocess.Popen(["sh", "-c", "sleep 0.05; exit 7"])
        self.assertEqual(shell.wait(), 7)
        exit_event, = self.exits_of(shell.pid)
        self.assertEqual((exit_event["type"], exit_event["comm"]), ("exit", "sh"))
        self.assertEqual((exit_event["exit_code"], exit_event["exit_signal"]), (7, 0))
        self.assertEqual(exit_event["ppid"], os.getpid())
        self.assertGreater(exit_event["duration_ns"], 50e6)
        self.assertGreater(exit_event["task_runtime_ns"], 0)
        self.assertEqual(exit_event["task_fork_count"], 1)
        child, = [e for e in self.events("comm == sleep", "--type", "exit") if e["ppid"] == shell.pid]
        self.assertEqual(child["exit_code"], 0)
        self.assertEqual(child["cmdline"], "sleep 0.05")
        execs = self.events(f"tgid == {shell.pid} || tgid == {child['tgid']}", "--type", "exec")
        self.assertEqual([(e["tgid"], e["comm"]) for e in execs], [(shell.pid, "sh"), (child["tgid"], "sleep")])

    def test_final_totals_are_those_that_wait4_reports(self):
        code = ("x=0\nfor i in range(300000): x+=i\n"
                "print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0])")
        reading, writing = os.pipe()
        child = os.posix_spawn("/usr/bin/python3", ["python3", "-S", "-c", code], os.environ,
                               file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)])
        os.close(writing)
        with os.fdopen(reading) as output:
            peak_rss = int(output.read().split()[1]) * 1024
        _, status, usage = os.wait4(child, 0)
        event, = self.exits_of(child)
        self.assertEqual(status, 0)
        self.assertEqual(event["task_minor_pagefault_count"], usage.ru_minflt)
        # The last switch away from the CPU comes after the kernel has summed up for wait4.
        self.assertIn(event["task_voluntary_switch_count"] - usage.ru_nvcsw, (0, 1))
        # After it looked, it could only grow, by what printing and leaving take. (wait4's ru_maxrss is no witness: it
        # counts the address space of the parent in which a spawned child begins.)
        # The kernel holds up to 64 pages of each of the three counters back per CPU, and VmHWM adds them.
        slack = 3 * 64 * 4096
        self.assertGreaterEqual(event["task_peak_pm_size"], peak_rss - slack)
        self.assertLess(event["task_peak_pm_size"], peak_rss + (1 << 20) + slack)
        cpu_ns = (usage.ru_utime + usage.ru_stime) * 1e9
        # wait4's figure is taken at the reaping of the zombie, ours at its last switch; both are exact run time, the
        # former in whole microseconds.
        self.assertAlmostEqual(event["task_runtime_ns"], cpu_ns, delta=0.5e6)

    def test_killed_process_names_its_signal(self):
        child = subprocess.Popen(["sleep", "1000"])
        self.recorder.ticks(1)
        child.send_signal(signal.SIGKILL)
        child.wait()
        event, = self.exits_of(child.pid)
        self.assertEqual((event["exit_code"], event["exit_signal"]), (0, signal.SIGKILL))

    def test_thousand_short_lives_are_all_recorded(self):
        before = self.recorder.lost()
        script = "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done"
        shell = subprocess.Popen(["sh", "-c", script])
        shell.wait()
        self.exits_of(shell.pid)
        exits = self.events(f"ppid == {shell.pid}", "--type", "exit")
        self.assertEqual(len(exits), 1000)
        self.assertTrue(all(event["task_runtime_ns"] > 0 for event in exits))
        self.assertTrue(all(event["comm"] == "true" for event in exits))
        self.assertEqual(self.recorder.lost(), before)

    def test_a_thread_that_is_over_has_the_family_of_its_process(self):
        code = ("import os, threading, time, subprocess\n"
                "def work():\n"
                "  child = subprocess.Popen(['sleep', '2.5'])\n"
                "  print(threading.get_native_id(), child.pid, flush=True)\n"
                "  child.wait()\n"
                "thread = threading.Thread(target=work); thread.start(); thread.join()")
        process = subprocess.Popen(["python3", "-S", "-c", code], stdout=subprocess.PIPE, text=True)
        thread, child = map(int, process.stdout.readline().split())
        process.stdout.close()
        process.wait()
        self.exits_of(process.pid)
        for tid, is_thread in ((process.pid, False), (thread, True)):
            life, = self.recorder.json("show", str(tid))
            self.assertEqual((life["tid"], life["tgid"], life["thread"]), (tid, process.pid, is_thread))
            self.assertEqual(life["parent"]["tid"], os.getpid())
            self.assertEqual([each["tid"] for each in life["children"]], [child])

    def test_follow_streams_events_as_they_come(self):
        follower = subprocess.Popen([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "events", "-F", "-b", "1s",
                                     "--type", "exit", "comm == sleep", "-o", "jsonl"], stdout=subprocess.PIPE, text=True)
        try:
            self.recorder.ticks(3)
            child = subprocess.Popen(["sleep", "0.01"])
            child.wait()
            for line in follower.stdout:
                if json.loads(line)["tgid"] == child.pid:
                    break
            else:
                self.fail("the stream ended")
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()

    def follow(self, out, test):
        return subprocess.Popen([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "events", "-F", "-b", "2s",
                                 "--type", "exit", test, "-o", "jsonl"], stdout=out)

    def test_a_follower_is_told_of_each_event_once(self):
        shell = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])
        files, followers = [], []
        try:
            for i in range(24):
                files.append(tempfile.TemporaryFile("w+"))
                self.addCleanup(files[-1].close)
                # Every other one looks back over the stored part first, which takes a while.
                test = f"ppid == {shell.pid}"
                followers.append(self.follow(files[-1], test if i % 2 else f"{test} && (tid > 0 || tid > 0 for 1h)"))
                time.sleep(0.11)
            wait_for(lambda: all(os.fstat(file.fileno()).st_size > 0 for file in files), "events for all of them")
            self.recorder.ticks(4)
        finally:
            for follower in followers:
                follower.terminate()
                follower.wait()
            shell.kill()
            shell.wait()
        told = []
        for file in files:
            file.seek(0)
            told.append([event["tid"] for event in map(json.loads, file)])
        all_of_them = [event["tid"] for event in self.events(f"ppid == {shell.pid}", "--type", "exit")]
        for tids in told:
            self.assertEqual(len(tids), len(set(tids)), "told twice")
            # Where the time asked for begins, the order of times is not that of the record.
            first = all_of_them.index(tids[10])
            self.assertEqual(tids[10:], all_of_them[first:first + len(tids) - 10])


if __name__ == "__main__":
    unittest.main()
