# SPDX-License-Identifier: Apache-2.0
"""What a person is told who waits for a long answer: here from a taskmond that is stopped until the test lets it go on."""
import contextlib
import signal
import unittest

from recorder import BIN, RecorderCase
from terminal import OnTerminal

LESS = {"TASKMON_PAGER": "less -X", "TERM": "xterm", "TERMINFO": "/usr/share/terminfo"}
ITSELF = "comm == taskmond"
LONG = (("history", ITSELF, "-b", "1m"), ("events", "--type", "oom,rule,exit", "-b", "1m"), ("ps", ITSELF, "-b", "1m"),
        ("rule", "test", ITSELF, "-b", "1m"), ("diff", ITSELF, "--before", "1m..now", "--after", "1m..now"),
        ("history", ITSELF, "-b", "1m", "--plot"), ("history", ITSELF, "-f", "cpu", "-b", "1m", "-o", "json"),
        ("export", "openmetrics", "--once", "--top", "1"))


class ProgressTest(RecorderCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recorder.ticks(5)

    @contextlib.contextmanager
    def stopped(self):
        self.recorder.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.recorder.process.send_signal(signal.SIGCONT)

    def run_on_terminal(self, *arguments, **environment):
        terminal = OnTerminal([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, *arguments],
                              environment={"TASKMON_PAGER": "cat", **environment})
        self.addCleanup(terminal.close)
        return terminal

    def wait_for_progress(self, terminal):
        return terminal.wait_until(lambda lines: any(line.endswith(" s") and ", " in line for line in lines), "progress")

    def test_a_line_tells_what_goes_on_and_is_gone_with_the_answer(self):
        for command in LONG:
            with self.subTest(command):
                with self.stopped():
                    terminal = self.run_on_terminal(*command)
                    self.wait_for_progress(terminal)
                    line = terminal.look()[0]
                self.assertEqual(terminal.wait_for_end(), 0)
                self.assertNotIn(line.split(",")[0], "\n".join(terminal.look()))

    def test_ctrl_c_ends_it_and_leaves_nothing_on_the_screen(self):
        for command in LONG:
            with self.subTest(command):
                with self.stopped():
                    terminal = self.run_on_terminal(*command)
                    self.wait_for_progress(terminal)
                    terminal.type("\x03")
                    self.assertEqual(terminal.wait_for_end(), 130)
                self.assertEqual([line for line in terminal.look() if line not in ("", "^C")], [])

    def test_a_pager_shows_the_answer_alone(self):
        with self.stopped():
            terminal = self.run_on_terminal("history", ITSELF, "-b", "1m", **LESS)
            self.wait_for_progress(terminal)
        terminal.wait_for_text("COMM")
        self.assertNotIn("reading the history", "\n".join(terminal.look()))
        terminal.type("\x03")  # for the pager, which forgets what is typed meanwhile

        def left(lines):
            terminal.type("q")
            return terminal.process.poll() is not None
        terminal.wait_until(left, "the end of the pager")
        self.assertIn(terminal.wait_for_end(), (0, -signal.SIGPIPE))

    def test_ctrl_c_before_the_pager_has_anything_ends_both(self):
        with self.stopped():
            terminal = self.run_on_terminal("history", ITSELF, "-b", "1m", **LESS)
            self.wait_for_progress(terminal)
            terminal.type("\x03")
            terminal.type("q")
            self.assertEqual(terminal.wait_for_end(), 130)


if __name__ == "__main__":
    unittest.main()
