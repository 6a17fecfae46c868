# SPDX-License-Identifier: Apache-2.0
"""Looking back: over the present run, over a crash, over a stop; and the errors of asking for what is not there."""
import os
import signal
import subprocess
import time
import unittest

from recorder import Recorder, RecorderCase


class LookBack(RecorderCase):
    def test_history_of_a_task_has_a_row_for_each_tick_of_its_life(self):
        child = subprocess.Popen(["sleep", "2"])
        child.wait()
        self.recorder.ticks(2)
        rows = self.recorder.json("history", "--tid", str(child.pid), "-b", "1m", "-f", "cpu,rss,offcpu_max")
        # 2 s at 200 ms; the first and the last tick may fall outside its life.
        self.assertGreaterEqual(len(rows), 8)
        self.assertLessEqual(len(rows), 11)
        times = [row["time_ns"] for row in rows]
        self.assertEqual(times, sorted(times))
        waits = [row["task_switch_offcpu_time_max"] for row in rows]
        self.assertEqual(waits, sorted(waits), "its one sleep grows from tick to tick")
        self.assertGreater(waits[-1], 1.5e9)

    def test_past_moment_shows_tasks_that_are_gone(self):
        child = subprocess.Popen(["sleep", "1000"])
        self.recorder.ticks(3)
        alive_at = time.time()
        self.recorder.ticks(2)
        child.kill()
        child.wait()
        self.recorder.ticks(2)
        self.assertEqual(self.recorder.json("ps", f"tid == {child.pid}"), [])
        row, = self.recorder.json("ps", f"tid == {child.pid}", "--at", f"@{alive_at:.3f}")
        self.assertEqual(row["cmdline"], "sleep 1000")

    def test_step_thins_out_the_rows(self):
        self.recorder.ticks(10)
        fine = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "1m")
        coarse = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "1m", "--step", "1s")
        self.assertLess(len(coarse), len(fine))

    def test_time_outside_the_record_is_exit_6_and_names_the_range(self):
        for args in (("ps", "--at", "2d"), ("history", "-b", "3d", "-e", "2d")):
            result = self.recorder.ctl(*args, check=False)
            self.assertEqual(result.returncode, 6, args)
            self.assertRegex(result.stderr, r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}")

    def test_file_is_read_without_the_daemon(self):
        database = os.path.join(self.recorder.state, "history.db")
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "1m", "--file", database)
        self.assertGreater(len(rows), 0)


class Survival(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.recorder = Recorder().start()

    def tearDown(self):
        self.recorder.remove()

    def my_rows(self):
        return self.recorder.json("history", "--tid", str(os.getpid()), "-b", "5m")

    def test_kill_9_costs_at_most_the_last_tick(self):
        for _ in range(3):
            self.recorder.ticks(5)
            seen = self.my_rows()
            self.recorder.stop(signal.SIGKILL)
            self.recorder.start()
            times = {row["time_ns"] for row in self.my_rows()}
            lost = [row["time"] for row in seen if row["time_ns"] not in times]
            self.assertEqual(lost, [], "ticks that were stored are gone")

    def test_orderly_stop_stores_a_last_tick(self):
        self.recorder.ticks(3)
        before = time.time_ns()
        self.assertEqual(self.recorder.stop(), 0)
        self.assertFalse(os.path.exists(self.recorder.socket))
        database = os.path.join(self.recorder.state, "history.db")
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "1m", "--file", database)
        self.assertGreaterEqual(rows[-1]["time_ns"], before)
        self.recorder.start()

    def test_damaged_history_is_set_aside_and_a_new_one_begun(self):
        self.recorder.stop()
        database = os.path.join(self.recorder.state, "history.db")
        with open(database, "wb") as file:
            file.write(b"this is not a database" * 1000)
        self.recorder.start()
        self.assertGreater(len(self.my_rows()), 0)
        self.assertTrue(any("damaged" in name for name in os.listdir(self.recorder.state)))
        self.assertIn("set aside", self.recorder.log_text())


if __name__ == "__main__":
    unittest.main()
