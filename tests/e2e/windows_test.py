# SPDX-License-Identifier: Apache-2.0
"""Looking back over stretches of time: windows, groups, differences, lives of the dead, snapshots to carry away."""
import json
import os
import subprocess
import time
import unittest

from recorder import BIN, DEADLINE_S, RecorderCase
from waiting import SLOWDOWN

NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


class Windows(RecorderCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recorder.ticks(3)
        cls.quiet = time.time()
        cls.recorder.ticks(3)
        cls.before = time.time()
        # Lives far shorter than a tick, of a parent that is gone as well by the time anybody asks.
        cls.parent = subprocess.Popen(["sh", "-c", "for i in $(seq 100); do /bin/true; done; exit 3"])
        cls.parent.wait()
        cls.recorder.ticks(3)
        cls.after = time.time()

    def window(self):
        return "-b", f"@{self.before:.3f}", "-e", f"@{self.after:.3f}"

    def test_groups_count_those_who_lived_between_two_ticks(self):
        row, = self.recorder.json("ps", *self.window(), "--by", "comm", "comm == true", "-f", "tasks,runtime")
        self.assertEqual(row["comm"], "true")
        self.assertEqual(row["tasks"], 100)
        # A tick may fall between a fork and its exec: what was spent until then is the shell's.
        family = f"tid == {self.parent.pid} || ppid == {self.parent.pid}"
        rows = self.recorder.json("ps", *self.window(), "--by", "comm", family, "-f", "runtime")
        exits = self.recorder.json("events", "--type", "exit", *self.window(), family)
        self.assertEqual(sum(row["task_runtime_ns"] for row in rows), sum(each["task_runtime_ns"] for each in exits),
                         "the books are closed")

    def test_history_of_groups_adds_up_to_the_window(self):
        rows = self.recorder.json("history", *self.window(), "--by", "comm", "comm == true", "-f", "runtime")
        whole, = self.recorder.json("ps", *self.window(), "--by", "comm", "comm == true", "-f", "runtime")
        self.assertEqual(sum(row["task_runtime_ns"] for row in rows), whole["task_runtime_ns"])
        for row in rows:
            self.assertNotIn("tid", row)

    def test_top_over_a_window_knows_the_dead(self):
        rows = self.recorder.json("ps", *self.window(), "--top", "5", f"tid == {self.parent.pid}", "-f", "cpu,runtime")
        self.assertEqual([row["tid"] for row in rows], [self.parent.pid])
        self.assertIn("ended_time", rows[0])
        self.assertGreater(rows[0]["task_runtime_ns"], 0)

    def test_difference_of_two_windows_puts_the_largest_change_first(self):
        middle = f"@{self.before:.3f}"
        # Without those who wait for ticks by asking again and again, from this very program.
        rows = self.recorder.json("diff", "--before", f"@{self.quiet:.3f}..{middle}", "--after",
                                  f"{middle}..@{self.after:.3f}", "--by", "comm", "--sort", "forks", "-f", "forks",
                                  f"tid != {os.getpid()}")
        self.assertEqual(rows[0]["comm"], "sh")
        self.assertGreater(rows[0]["task_fork_count"]["change"], 0)
        changes = [abs(row["task_fork_count"].get("change", 0)) for row in rows]
        self.assertEqual(changes, sorted(changes, reverse=True))

    def test_the_dead_are_shown_with_their_children(self):
        life, = self.recorder.json("show", str(self.parent.pid))
        self.assertEqual(life["exit_code"], 3)
        self.assertEqual(life["parent"]["tid"], os.getpid())
        self.assertEqual(sum(child["comm"] == "true" for child in life["children"]), 100)
        self.assertGreater(life["task_runtime_ns"], 0)
        text = self.recorder.ctl("show", str(self.parent.pid)).stdout
        self.assertIn("exit 3, lived", text)
        self.assertEqual(self.recorder.ctl("show", "4194303", check=False).returncode, 1)

    def test_a_snapshot_answers_every_question_without_the_daemon(self):
        path = os.path.join(self.recorder.directory, "incident.db")
        self.recorder.ctl("snapshot", *self.window(), "--output", path)
        os.chmod(path, 0o644)
        questions = (["ps", *self.window(), "--by", "comm"], ["history", *self.window(), "--tid", str(os.getpid())],
                     ["events", *self.window()], ["show", str(self.parent.pid)])
        for question in questions:
            live = self.recorder.json(*question, "comm == true") if question[0] == "events" else None
            copy = subprocess.run([f"{BIN}/taskmonctl", *question, "--file", path, "-o", "json"], capture_output=True,
                                  text=True, check=True, timeout=2 * DEADLINE_S, **NOBODY)
            rows = json.loads(copy.stdout)
            self.assertTrue(rows, question)
            if live is not None:
                self.assertEqual([each["tid"] for each in live], [each["tid"] for each in rows if each["comm"] == "true"])
        self.assertEqual(self.recorder.ctl("snapshot", "--output", path, check=False).returncode, 2, "it is there")

    def test_an_anonymous_snapshot_names_nobody(self):
        path = os.path.join(self.recorder.directory, "anonymous.db")
        self.recorder.ctl("snapshot", *self.window(), "--output", path, "--anonymize")
        with open(path, "rb") as file:
            self.assertNotIn(b"seq 100", file.read())
        rows = self.recorder.json("ps", "--file", path)
        self.assertFalse([row for row in rows if row.get("cmdline")])

    def test_a_snapshot_of_somebody_else_has_what_he_may_see(self):
        path = os.path.join(self.recorder.directory, "drop")
        os.mkdir(path)
        os.chmod(path, 0o777)
        path = os.path.join(path, "his.db")
        subprocess.run([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "snapshot", *self.window(), "-o", path],
                       check=True, capture_output=True, timeout=2 * DEADLINE_S, **NOBODY)
        row, = self.recorder.json("ps", f"tid == {os.getpid()}", "--file", path, "-f", "rchar,exe,rss")
        self.assertIn("task_rchar_bytes", row["redacted"])
        self.assertNotIn("task_rchar_bytes", row)
        self.assertGreater(row["task_pm_size"], 0)
        self.assertEqual([name for name in os.listdir(self.recorder.state) if name.startswith("cut-")], [])

    def test_fifty_readers_make_no_tick_late(self):
        late = self.recorder.status()["late_ticks"]
        command = [f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "history", "-b", "1m", "-o", "csv"]
        readers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(50)]
        codes = [reader.wait(timeout=4 * DEADLINE_S) for reader in readers]
        self.assertEqual(codes, [0] * 50)
        # All of them and this test share the CPUs with the sampler, which goes first (nice -20).
        if SLOWDOWN == 1:  # else a tick takes longer than the interval
            self.assertEqual(self.recorder.status()["late_ticks"] - late, 0)


if __name__ == "__main__":
    unittest.main()
