# SPDX-License-Identifier: Apache-2.0
"""`taskmonctl top` on a real pseudo-terminal: keys, window, time machine, and the terminal as it was afterwards."""
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from recorder import BIN, RecorderCase, wait_for
from terminal import OnTerminal

CLOCK = re.compile(r"\d\d:\d\d:\d\d")


class TopCase(RecorderCase):
    def top(self, *arguments, **kwargs):
        terminal = OnTerminal([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "top", *arguments], **kwargs)
        self.addCleanup(terminal.close)
        return terminal

    def run_as(self, name, *arguments):
        """A copy of sleep under a name of its own."""
        path = f"{self.recorder.directory}/{name}"
        if not os.path.exists(path):
            shutil.copy("/bin/sleep", path)
        process = subprocess.Popen([path, *arguments])
        self.addCleanup(lambda: (process.kill(), process.wait()))
        return process


class LiveTest(TopCase):
    def test_shows_filters_groups_and_sorts(self):
        self.run_as("tm-sleeper", "300")
        top = self.top()
        top.wait_until(lambda lines: lines[0].startswith(" LIVE") and "processes" in lines[0], "the live view")
        top.type("/comm == tm-sl\r")  # no such name
        top.wait_for_text("nothing matches the filter")
        top.type("/\x15comm == \"tm-sleeper\"\r")
        top.wait_until(lambda lines: lines[0].endswith('filter: comm == "tm-sleeper"')
                       and sum("tm-sleeper 300" in line for line in lines) == 1, "the one task")
        top.type("/\x15cpu >>\r")
        top.wait_for_text("column 6")
        top.type("\x1b")
        top.type("gg")  # by program, by app
        top.wait_until(lambda lines: "by app" in lines[0], "groups")
        top.type("e")
        top.wait_until(lambda lines: "tree" in lines[0], "the tree")
        top.type("eM")
        top.wait_for_text("RSS▾")
        top.type("I")
        top.wait_for_text("RSS▴")
        top.type("\r")
        top.wait_for_text("THREADS (1)")
        top.type("\x1b?")
        top.wait_for_text("unfold, fold")
        top.type("xq")
        self.assertEqual(top.wait_for_end(), 0)
        self.assertTrue(top.is_restored())

    def test_folds_many_siblings_and_obeys_the_palette(self):
        for _ in range(25):
            self.run_as("tm-sibling", "300")
        top = self.top('comm == "tm-sibling"')
        top.wait_for_text("/tm-sibling × 25")
        top.type("+")
        top.wait_until(lambda lines: sum("tm-sibling 300" in line for line in lines) > 5, "its members")
        top.type(":fol")
        top.wait_for_text("many siblings of one name as one line")
        top.type("\x15colu\t cpu,majflt\r")
        top.wait_for_text("MAJFLT/s  COMMAND")
        top.type(":grup user\r")
        top.wait_for_text("did you mean 'group'")
        top.type("\x15g us\t\r")
        top.wait_until(lambda lines: "by user" in lines[0], "groups")
        top.type(":quit\r")
        self.assertEqual(top.wait_for_end(), 0)
        self.assertTrue(top.is_restored())

    def test_draws_with_the_colours_that_the_terminal_has(self):
        for term, more, many, few in (("xterm-256color", {}, True, False), ("xterm", {}, False, True),
                                      ("linux", {}, False, True), ("vt100", {}, False, False),
                                      ("xterm-256color", {"NO_COLOR": "1"}, False, False)):
            with self.subTest(term=term, more=more):
                top = self.top(environment={"TERM": term, "TERMINFO": "/lib/terminfo", **more})
                wait_for(lambda: (top.look(), b"CPU%" in top.raw and b"root" in top.raw)[1], "the list")
                top.type("q")
                self.assertEqual(top.wait_for_end(), 0)
                self.assertEqual((b"38;5;" in top.raw, bool(re.search(rb"\x1b\[(?:[0-9];)*3[1-7]m", top.raw))), (many, few))
        for term in ("dumb", "no-such-terminal"):
            top = self.top(environment={"TERM": term})
            self.assertEqual(top.wait_for_end(), 2)
            self.assertIn(b"try TERM=xterm-256color", top.raw)

    def test_follows_the_window(self):
        top = self.top()
        top.wait_until(lambda lines: "q quit" not in lines[23] and lines[23].startswith("? help"), "24 lines")
        top.resize(170, 45)
        top.wait_until(lambda lines: "q quit" in lines[44] and any("OFFCPU^" in line for line in lines), "a larger screen")
        top.resize(60, 12)
        top.wait_until(lambda lines: lines[11].startswith("? help") and lines[0].startswith(" LIVE"), "a smaller screen")
        top.type("q")
        self.assertEqual(top.wait_for_end(), 0)

    def test_gives_the_terminal_back_whatever_ends_it(self):
        for how, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)):
            top = self.top()
            top.wait_until(lambda lines: lines[0].startswith(" LIVE"), "the live view")
            top.process.send_signal(how)
            self.assertEqual(top.wait_for_end(), code)
            self.assertTrue(top.is_restored(), how)
        top = self.top()
        top.wait_until(lambda lines: lines[0].startswith(" LIVE"), "the live view")
        top.type("\x03")
        self.assertEqual(top.wait_for_end(), 0)
        self.assertTrue(top.is_restored())

    def test_stops_and_goes_on(self):
        top = self.top()
        top.wait_until(lambda lines: lines[0].startswith(" LIVE"), "the live view")
        top.type("\x1a")

        def stopped():
            top.look()
            with open(f"/proc/{top.process.pid}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] == "T"
        wait_for(stopped, "the stop")
        self.assertTrue(top.is_restored())
        top.process.send_signal(signal.SIGCONT)
        top.wait_until(lambda lines: lines[0].startswith(" LIVE"), "the live view again")
        top.type("q")
        self.assertEqual(top.wait_for_end(), 0)

    def test_refuses_what_it_cannot_do_before_the_screen_is_taken(self):
        result = self.recorder.ctl("top", check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("needs a terminal", result.stderr)
        for arguments, code, text in ((("comm ==",), 2, "column"), (("--at", "moonday"), 2, "moonday")):
            top = self.top(*arguments)
            self.assertEqual(top.wait_for_end(), code)
            self.assertNotIn(b"1049h", top.raw)
            self.assertIn(text, "\n".join(top.screen.lines()))


class TimeMachineTest(TopCase):
    interval = "500ms"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        short = f"{cls.recorder.directory}/tm-short"
        shutil.copy("/bin/sleep", short)
        cls.recorder.ticks(4)
        subprocess.run([short, "0.7"], check=True)
        cls.recorder.ticks(6)

        def exits():
            return cls.recorder.json("events", "comm == \"tm-short\"", "--type", "exit", "-b", "5m")
        cls.ended_ns = wait_for(exits, "the exit")[0]["time_ns"]
        cls.recorder.stop()
        cls.file = f"{cls.recorder.state}/history.db"

    def clock(self, lines):
        found = CLOCK.search(lines[0])
        return found.group(0) if found else None

    def test_steps_through_a_recorded_ring(self):
        top = self.top("--file", self.file)
        last = top.wait_until(self.clock, "the last tick")
        top.type("t")
        top.wait_for_text("last tick of the file")
        top.type("r")
        first = top.wait_until(lambda lines: self.clock(lines) != last and self.clock(lines), "the first tick")
        self.assertLess(first, last)
        top.type("T")
        top.wait_for_text("the record begins here")
        top.type("tttt")
        second = top.wait_until(lambda lines: self.clock(lines) > first and self.clock(lines), "later ticks")
        self.assertLess(second, last)
        top.type("]]]]]p")
        top.wait_for_text("the end of the file")
        self.assertEqual(self.clock(top.look()), last)

    def test_lists_who_ended_in_the_tick_and_who_lived_before(self):
        top = self.top('comm == "tm-short"', "--file", self.file, width=110, height=40)
        top.wait_until(self.clock, "the last tick")
        # The tick that holds the end, by going to the time of the end and one on.
        top.type(f"j@{self.ended_ns // 10**9}.{self.ended_ns % 10**9:09}\r")
        top.wait_until(lambda lines: any("tm-short 0.7" in line and "†" not in line for line in lines), "the living task")
        top.type("t")
        top.wait_until(
            lambda lines: "+1 ended" in lines[0] and any("†" in line and "tm-short 0.7" in line for line in lines), "the ended task")
        top.type("\r")
        top.wait_until(lambda lines: any("exit exit 0" in line for line in lines), "its exit among its events")
        top.type("q")
        top.type("jyesterday 03:12\r")
        top.wait_for_text("stored")  # an error that names what is stored
        top.type("q")
        self.assertEqual(top.wait_for_end(), 0)
        self.assertTrue(top.is_restored())

    def test_begins_at_a_time(self):
        at = f"@{self.ended_ns // 10**9}"
        top = self.top("--file", self.file, "--at", at)
        shown = top.wait_until(self.clock, "a tick")
        self.assertLessEqual(shown, time.strftime("%H:%M:%S", time.gmtime(self.ended_ns // 10**9)))


if __name__ == "__main__":
    unittest.main()
