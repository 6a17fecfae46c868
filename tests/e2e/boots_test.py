# SPDX-License-Identifier: Apache-2.0
"""Two boots of a machine in one history: each has its tasks, and the time between them is a gap."""
import os
import sqlite3
import subprocess
import time
import unittest

from recorder import Recorder

OTHER_BOOT = "00000000-1111-2222-3333-444444444444"


class Boots(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.recorder = Recorder().start()
        self.addCleanup(self.recorder.remove)

    def turn_into_the_boot_before(self):
        """What is stored so far was recorded before the machine was started the last time."""
        database = sqlite3.connect(os.path.join(self.recorder.state, "history.db"))
        with database:
            database.execute("UPDATE boot SET boot_id = ?", (OTHER_BOOT,))
        database.close()

    def test_the_daemon_answers_from_both_boots(self):
        child = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.recorder.ticks(3)
        before = time.time()
        dead = subprocess.Popen(["true"])
        dead.wait()
        self.recorder.ticks(3)
        self.recorder.stop()
        self.turn_into_the_boot_before()
        self.recorder.start()
        self.recorder.ticks(2)

        rows = self.recorder.json("history", "--tid", str(child.pid), "-b", "2m", "-f", "rss")
        gaps = [i for i, row in enumerate(rows) if row.get("gap") == "not running"]
        self.assertEqual(len(gaps), 1, rows)
        self.assertTrue(0 < gaps[0] < len(rows) - 1, "ticks of both boots")
        times = [row["time_ns"] for row in rows]
        self.assertEqual(times, sorted(times))

        row, = self.recorder.json("ps", f"tid == {child.pid}", "--at", f"@{before:.3f}")
        self.assertEqual(row["cmdline"], "sleep 1000")
        exits = self.recorder.json("events", f"tid == {dead.pid}", "--type", "exit", "-b", "2m")
        self.assertEqual([event["exit_code"] for event in exits], [0])

        # The number with the same start time was another task then.
        shown = self.recorder.json("show", str(child.pid), "--at", f"@{before:.3f}")
        self.assertTrue(shown, "the task of the boot before")
        database = sqlite3.connect(f"file:{self.recorder.state}/history.db?mode=ro", uri=True)
        lives = database.execute("SELECT boot_id, alive FROM tasks WHERE tid = ? AND NOT thread ORDER BY id",
                                 (child.pid,)).fetchall()
        self.assertEqual(len(lives), 2)
        self.assertEqual(lives[0], (OTHER_BOOT, 0))
        self.assertEqual(lives[1][1], 1)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        database.close()


if __name__ == "__main__":
    unittest.main()
