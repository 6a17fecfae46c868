# SPDX-License-Identifier: Apache-2.0
"""Who may see what: an ordinary user against root's tasks and his own."""
import os
import shutil
import subprocess
import tempfile
import unittest

import recorder as support
from recorder import RecorderCase, wait_for

NOBODY = 65534
GUARDED = {"task_rchar_bytes", "task_fd_count", "task_net_tx_bytes", "exe"}


class OrdinaryUser(RecorderCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The build tree may lie where an ordinary user cannot look.
        cls.bin = tempfile.mkdtemp(prefix="taskmon-bin-")
        os.chmod(cls.bin, 0o755)
        shutil.copy(f"{support.BIN}/taskmonctl", cls.bin)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.bin)
        super().tearDownClass()

    def as_nobody(self, *args, check=True):
        saved, support.BIN = support.BIN, self.bin
        try:
            return self.recorder.ctl(*args, check=check, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
        finally:
            support.BIN = saved

    def rows_as_nobody(self, *args):
        import json
        return json.loads(self.as_nobody(*args, "-o", "json").stdout)

    def test_guarded_fields_of_others_are_redacted_in_every_reading_command(self):
        own = str(os.getpid())
        row, = self.rows_as_nobody("ps", f"tid == {own}")
        self.assertLessEqual(GUARDED, set(row["redacted"]))
        self.assertFalse(GUARDED & set(row))
        self.assertIn("task_pm_size", row)
        past = self.rows_as_nobody("history", "--tid", own, "-b", "10s")
        self.assertTrue(past)
        for row in past:
            self.assertFalse(GUARDED & set(row))
        for row in self.rows_as_nobody("watch", f"tid == {own}", "--count", "1"):
            self.assertFalse(GUARDED & set(row))

    def test_root_sees_them(self):
        row, = self.recorder.json("ps", f"tid == {os.getpid()}")
        self.assertLessEqual(GUARDED, set(row))
        self.assertFalse(row.get("redacted"))

    def test_own_tasks_are_seen_whole(self):
        child = subprocess.Popen(["sleep", "1000"], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
        try:
            row, = wait_for(lambda: self.rows_as_nobody("ps", f"tid == {child.pid}"), "the child's row")
            self.assertLessEqual(GUARDED, set(row))
            self.assertFalse(row.get("redacted"))
        finally:
            child.kill()
            child.wait()

    def test_filter_on_a_guarded_field_does_not_leak_it(self):
        own = f"tid == {os.getpid()}"
        for test in ("fds > 0", "fds == 0", "fds != 0", "!(fds > 0)", "!(fds != 0)", "exe =~ python", "!(exe =~ python)"):
            self.assertEqual(self.rows_as_nobody("ps", f"{own} && {test}"), [], test)

    def test_sort_on_a_guarded_field_does_not_leak_it(self):
        tids = [row["tid"] for row in self.rows_as_nobody("ps", "uid == 0", "--sort", "fds")]
        self.assertEqual(tids, sorted(tids))

    def test_exit_events_of_others_are_redacted(self):
        child = subprocess.Popen(["true"])
        child.wait()
        event, = wait_for(lambda: self.rows_as_nobody("events", f"tgid == {child.pid}", "--type", "exit", "-b", "1m"),
                          "the exit")
        self.assertFalse(GUARDED & set(event))


if __name__ == "__main__":
    unittest.main()
