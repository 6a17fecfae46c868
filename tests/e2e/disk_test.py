# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, read-only or broken: sampling and live questions go on, and what is missing is told."""
import os
import sqlite3
import subprocess
import tempfile
import unittest

from recorder import DEADLINE_S, Recorder, wait_for


class Disk(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.mount = tempfile.mkdtemp(prefix="taskmon-disk-")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "taskmon-test", self.mount],
                          capture_output=True, check=False).returncode != 0:
            os.rmdir(self.mount)
            self.skipTest("cannot mount a tmpfs")
        self.recorder = Recorder()
        self.recorder.state = os.path.join(self.mount, "state")

    def tearDown(self):
        self.recorder.remove()
        subprocess.run(["umount", "-l", self.mount], check=True)
        os.rmdir(self.mount)

    def error(self):
        return self.recorder.status().get("storage_error", "")

    def fill(self):
        with open(os.path.join(self.mount, "ballast"), "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 65536)
            except OSError:
                pass
            try:
                while True:
                    ballast.write(b"x" * 512)
            except OSError:
                pass

    def test_a_full_disk_costs_only_what_could_not_be_stored(self):
        self.recorder.start()
        self.recorder.ticks(3)
        self.fill()
        wait_for(self.error, "the disk to be full")
        before = self.recorder.status()["ticks"]
        self.recorder.ticks(5)
        self.assertTrue(self.recorder.json("ps", f"tid == {os.getpid()}"), "live questions are answered")
        self.assertGreaterEqual(self.recorder.status()["ticks"], before + 5)
        os.unlink(os.path.join(self.mount, "ballast"))
        wait_for(lambda: not self.error(), "writing to resume")
        self.recorder.ticks(3)
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "2m", "-f", "rss")
        gaps = [row for row in rows if row.get("gap") == "not stored"]
        self.assertTrue(gaps, "the gap is a row")
        self.assertGreaterEqual(sum(gap.get("lost", 0) for gap in gaps), 5)
        self.assertGreater(rows[-1]["time_ns"], gaps[-1]["time_ns"] + gaps[-1]["duration_ns"] - 1)
        self.check_integrity()

    def test_a_read_only_disk_is_named_and_the_history_goes_on_when_it_can(self):
        self.recorder.start()
        self.recorder.ticks(2)
        self.recorder.stop()
        subprocess.run(["mount", "-o", "remount,ro", self.mount], check=True)
        refused = subprocess.run(self.recorder.command(), capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(self.recorder.state, refused.stderr)
        subprocess.run(["mount", "-o", "remount,rw", self.mount], check=True)
        self.recorder.start()
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "2m", "-f", "rss")
        self.assertTrue([row for row in rows if row.get("gap") == "not running"], "the stop is a row")
        self.check_integrity()

    def test_a_directory_that_becomes_read_only_stops_the_history_and_nothing_else(self):
        self.recorder.start()
        self.recorder.ticks(3)
        # The kernel makes no file system read-only while files on it are open for writing. A directory where nothing may
        # be made any more is told by the next file that is wanted there, since the one before was taken away.
        database = os.path.join(self.recorder.state, "history.db")
        os.rename(database, os.path.join(self.mount, "taken"))
        subprocess.run(["chattr", "+i", self.recorder.state], check=True)
        self.addCleanup(subprocess.run, ["chattr", "-i", self.recorder.state], capture_output=True, check=False)
        wait_for(self.error, "the directory to be read-only")
        before = self.recorder.status()["ticks"]
        self.recorder.ticks(5)
        self.assertTrue(self.recorder.json("ps", f"tid == {os.getpid()}"), "live questions are answered")
        self.assertGreaterEqual(self.recorder.status()["ticks"], before + 5)
        subprocess.run(["chattr", "-i", self.recorder.state], check=True)
        wait_for(lambda: not self.error(), "writing to resume")
        self.recorder.ticks(3)
        self.check_gap_is_told()
        self.check_integrity()

    def test_a_state_directory_that_vanishes_is_made_up_for_when_it_is_back(self):
        self.recorder.start()
        self.recorder.ticks(3)
        os.rename(self.recorder.state, self.recorder.state + ".away")
        wait_for(self.error, "the directory to be missed")
        self.recorder.ticks(5)
        self.assertTrue(self.recorder.json("ps", f"tid == {os.getpid()}"), "live questions are answered")
        os.rename(self.recorder.state + ".away", self.recorder.state)
        wait_for(lambda: not self.error(), "writing to resume")
        self.recorder.ticks(3)
        self.check_gap_is_told()
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "2m", "-f", "rss")
        self.assertTrue([row for row in rows if row.get("gap") == "not stored"], "what was recorded before is there")
        self.check_integrity()

    def check_gap_is_told(self):
        gaps = self.recorder.json("events", "--type", "gap", "-b", "2m")
        self.assertTrue([gap for gap in gaps if "not stored" in gap.get("detail", "")], gaps)

    def check_integrity(self):
        database = sqlite3.connect(f"file:{self.recorder.state}/history.db?mode=ro", uri=True)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        database.close()


if __name__ == "__main__":
    unittest.main()
