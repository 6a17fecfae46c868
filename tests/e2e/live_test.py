# SPDX-License-Identifier: Apache-2.0
"""What taskmonctl says of the present, against what this test and /proc know."""
import csv
import io
import json
import os
import subprocess
import sys
import threading
import unittest

from recorder import BIN, DEADLINE_S, Recorder, RecorderCase, wait_for

ATTRIBUTES = {"tid", "tgid", "ppid", "comm", "cmdline", "exe", "start_time", "start_ns", "uid", "user", "state", "app",
              "cgroup", "unit", "container", "tracked", "rules"}


def threads_in_proc():
    """Threads of all processes; of kernels that hide some from other observers, only those that may be looked into."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                os.readlink(f"/proc/{name}/ns/pid")
                count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                pass
    return count


class Ps(RecorderCase):
    def setUp(self):
        self.sleeper = subprocess.Popen(["sleep", "1000"])
        self.recorder.ticks(2)

    def tearDown(self):
        self.sleeper.kill()
        self.sleeper.wait()

    def row(self, *args):
        rows = self.recorder.json("ps", f"tid == {self.sleeper.pid}", *args)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_names_and_owner_of_a_process_are_those_of_proc(self):
        row = wait_for(lambda: (r := self.row()) and r["exe"] == os.readlink(f"/proc/{self.sleeper.pid}/exe") and r,
                       "the executable's path")
        self.assertEqual(row["comm"], "sleep")
        self.assertEqual(row["cmdline"], "sleep 1000")
        self.assertEqual((row["tid"], row["tgid"], row["ppid"]), (self.sleeper.pid, self.sleeper.pid, os.getpid()))
        self.assertEqual(row["uid"], 0)
        self.assertEqual(row["user"], "root")
        self.assertEqual(row["state"], "S")
        self.assertLessEqual(ATTRIBUTES, set(row))

    def test_memory_and_faults_are_those_of_proc(self):
        row = self.row()
        with open(f"/proc/{self.sleeper.pid}/status", encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        self.assertEqual(row["task_vm_size"], int(status["VmSize"].split()[0]) * 1024)
        # The kernel's per-CPU remainders: 64 pages for each of three counters on a machine with few CPUs.
        slack = 3 * 64 * 4096 * max(1, os.cpu_count() // 16)
        self.assertAlmostEqual(row["task_pm_size"], int(status["VmRSS"].split()[0]) * 1024, delta=slack)
        with open(f"/proc/{self.sleeper.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        self.assertEqual(row["task_minor_pagefault_count"], int(fields[7]))
        self.assertEqual(row["task_thread_count"], 1)
        self.assertEqual(row["task_fd_count"], len(os.listdir(f"/proc/{self.sleeper.pid}/fd")))

    def test_waiting_task_is_off_cpu_up_to_the_tick(self):
        first = self.row()["task_switch_offcpu_time_max"]
        self.recorder.ticks(3)
        self.assertGreater(self.row()["task_switch_offcpu_time_max"], first)

    def test_unfilled_metrics_are_listed_as_unavailable_and_never_zero(self):
        row = self.row()
        self.assertIn("task_syscall_fails", row["unavailable"])
        for name in row["unavailable"]:
            self.assertNotIn(name, row)

    def test_every_metric_is_a_value_or_unavailable(self):
        names = {metric["name"] for metric in self.recorder.json("metrics")}
        row = self.row()
        self.assertEqual(names, (names & set(row)) | set(row["unavailable"]))

    def test_fields_choose_the_metrics(self):
        row = self.row("-f", "rss,task_vm_size")
        self.assertIn("task_pm_size", row)
        self.assertIn("task_vm_size", row)
        self.assertNotIn("task_utime_jiffies", row)

    def test_top_and_sort(self):
        rows = self.recorder.json("ps", "--sort", "task_vm_size", "--top", "3")
        sizes = [row["task_vm_size"] for row in rows]
        self.assertEqual(len(rows), 3)
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def test_csv_has_a_header_and_a_line_for_each_row(self):
        text = self.recorder.ctl("ps", f"tid == {self.sleeper.pid}", "-f", "tid,comm,rss", "-o", "csv").stdout
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([(row["tid"], row["comm"]) for row in rows], [(str(self.sleeper.pid), "sleep")])

    def test_table_fits_80_columns(self):
        environment = dict(os.environ, COLUMNS="80")
        for line in self.recorder.ctl("ps", env=environment).stdout.splitlines():
            self.assertLessEqual(len(line), 80)

    def test_show_knows_the_task(self):
        text = self.recorder.ctl("show", str(self.sleeper.pid)).stdout
        self.assertIn("sleep 1000", text)

    def test_nothing_matched_is_exit_1_and_an_empty_array(self):
        result = self.recorder.ctl("ps", "comm == 'no such'".replace("'", '"'), "-o", "json")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(json.loads(result.stdout), [])

    def test_mistakes_are_exit_2_with_one_line_that_helps(self):
        for args, hint in [(("ps", "cmm == x"), "comm"), (("ps", "comm == "), "column"), (("ps", "-f", "rrs"), "rss"),
                           (("ps", "--sort", "cpuu"), "cpu"), (("pss",), "ps"), (("ps", "--at", "noon"), "noon"),
                           (("ps", "-o", "yaml"), "json")]:
            result = self.recorder.ctl(*args, check=False)
            self.assertEqual(result.returncode, 2, args)
            self.assertEqual(result.stdout, "", args)
            self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
            self.assertIn(hint, result.stderr)

    def test_watch_streams_ticks_as_json_lines(self):
        text = self.recorder.ctl("watch", f"tid == {self.sleeper.pid}", "--count", "3", "--interval", "400ms",
                                 "-o", "jsonl").stdout
        rows = [json.loads(line) for line in text.splitlines()]
        self.assertEqual(len(rows), 3)
        times = [row["time_ns"] for row in rows]
        for before, after in zip(times, times[1:]):
            self.assertGreater(after - before, 250e6)


class Threads(RecorderCase):
    def test_threads_have_rows_of_their_own_and_sum_up_to_the_process(self):
        code = ("import threading,time\n"
                "def spin():\n"
                "    end=time.thread_time()+0.3\n"
                "    while time.thread_time()<end: pass\n"
                "    time.sleep(1000)\n"
                "[threading.Thread(target=spin,daemon=True).start() for _ in range(2)]\n"
                "time.sleep(1000)\n")
        child = subprocess.Popen([sys.executable, "-c", code])
        try:
            def settled():
                rows = self.recorder.json("ps", "-H", f"tgid == {child.pid}")
                return len(rows) == 3 and sum(row["task_runtime_ns"] > 290e6 for row in rows) == 2 and rows
            wait_for(settled, "both threads to have spun")
            self.recorder.ticks(2)
            threads = self.recorder.json("ps", "-H", f"tgid == {child.pid}")
            process, = self.recorder.json("ps", f"tid == {child.pid}")
            self.assertEqual(process["task_thread_count"], 3)
            self.assertEqual(process["task_runtime_ns"], sum(row["task_runtime_ns"] for row in threads))
            tids = {int(name) for name in os.listdir(f"/proc/{child.pid}/task")}
            self.assertEqual({row["tid"] for row in threads}, tids)
        finally:
            child.kill()
            child.wait()


class About(RecorderCase):
    def test_status_has_the_contracts_keys(self):
        status = self.recorder.status()
        for key in ("version", "uptime_s", "interval_ms", "tasks", "tracked", "ticks", "late_ticks", "dropped",
                    "db_bytes", "db_cap_bytes", "oldest_time", "cpu_percent", "rss_bytes", "hooks",
                    "accounted_cpu_percent"):
            self.assertIn(key, status)
        self.assertEqual(status["interval_ms"], 200)
        # /proc is read a moment after the tick: a few tasks may have come or gone.
        wait_for(lambda: abs(self.recorder.status()["tasks"] - threads_in_proc()) <= 3, "as many tasks as /proc has")
        for hook in status["hooks"]:
            self.assertLessEqual({"name", "attached", "runs", "ns_per_run", "reason"}, set(hook))

    def test_doctor_explains_what_is_missing(self):
        text = self.recorder.ctl("doctor").stdout
        self.assertIn("sysfails", text)
        self.assertIn("sys_exit is not attached", text)

    def test_help_version_and_metrics_need_no_daemon(self):
        for args in (["--help"], ["ps", "--help"], ["version"], ["metrics"]):
            result = subprocess.run([f"{BIN}/taskmonctl", "--socket", "/nonexistent", *args], capture_output=True,
                                    text=True, check=False)
            self.assertEqual(result.returncode, 0, args)
            self.assertNotEqual(result.stdout, "")

    def test_missing_daemon_is_exit_3_and_says_what_to_do(self):
        result = subprocess.run([f"{BIN}/taskmonctl", "--socket", "/nonexistent/s", "ps"], capture_output=True,
                                text=True, check=False)
        self.assertEqual(result.returncode, 3)
        self.assertIn("/nonexistent/s", result.stderr)

    def test_second_instance_is_refused_and_the_first_goes_on(self):
        second = subprocess.run(self.recorder.command(), capture_output=True, text=True, check=False, timeout=DEADLINE_S)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another taskmond", second.stderr)
        self.recorder.ticks(1)

    def test_second_instance_on_the_same_history_is_refused(self):
        other = Recorder()
        other.state = self.recorder.state
        second = subprocess.run(other.command(), capture_output=True, text=True, check=False, timeout=DEADLINE_S)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("history.db", second.stderr)
        self.recorder.ticks(1)
        other.remove()


class OneMoment(RecorderCase):
    def test_answers_while_many_ask(self):
        codes = []

        def ask():
            codes.append(self.recorder.ctl("ps", "--top", "1").returncode)
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(codes, [0] * 20)


if __name__ == "__main__":
    unittest.main()
