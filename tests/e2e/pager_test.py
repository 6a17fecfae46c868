# SPDX-License-Identifier: Apache-2.0
"""Long tables on a terminal, and that nothing is paged elsewhere."""
import os
import subprocess
import unittest

from recorder import BIN, RecorderCase
from terminal import OnTerminal


class Pager(RecorderCase):
    def run_on_terminal(self, *arguments, **environment):
        on_terminal = OnTerminal([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, *arguments], height=24,
                                 environment=environment)
        self.addCleanup(on_terminal.close)
        return on_terminal

    def test_a_table_goes_through_the_pager_of_the_environment(self):
        shown = self.run_on_terminal("metrics", TASKMON_PAGER="sed -n 's/^task_utime_jiffies.*/paged/p'")
        shown.wait_for_text("paged")
        self.assertEqual(shown.wait_for_end(), 0)

    def test_cat_and_nothing_are_no_pager(self):
        for chosen in ("cat", ""):
            shown = self.run_on_terminal("metrics", TASKMON_PAGER=chosen)
            self.assertEqual(shown.wait_for_end(), 0)
            self.assertIn(b"task_utime_jiffies", shown.raw)

    def test_what_fits_on_the_screen_is_just_printed(self):
        # One that knows its terminal, as less wants it.
        shown = self.run_on_terminal("ps", "--top", "3", TERM="xterm", TERMINFO="/usr/share/terminfo", PAGER="less")
        self.assertEqual(shown.wait_for_end(), 0)
        self.assertIn(b"COMMAND", shown.raw)

    def test_a_pager_that_is_left_early_leaves_the_terminal_sane(self):
        shown = self.run_on_terminal("metrics", "-o", "wide", TASKMON_PAGER="head -n 1")
        shown.wait_for_end()
        self.assertNotIn(b"cannot write", shown.raw)

    def test_nothing_is_paged_in_a_pipe_or_for_programs(self):
        env = {**os.environ, "TASKMON_PAGER": "echo paged"}
        piped = subprocess.run([f"{BIN}/taskmonctl", "metrics"], capture_output=True, text=True, env=env, check=True)
        self.assertNotIn("paged", piped.stdout)
        shown = self.run_on_terminal("metrics", "-o", "jsonl", TASKMON_PAGER="echo paged")
        self.assertEqual(shown.wait_for_end(), 0)
        self.assertNotIn(b"paged", shown.raw)


if __name__ == "__main__":
    unittest.main()
