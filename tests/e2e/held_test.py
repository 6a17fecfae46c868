# SPDX-License-Identifier: Apache-2.0
"""Expressions that need memory ("for 1s", anomaly()), asked of everything that takes an expression."""
import json
import subprocess
import sys
import time
import unittest

from recorder import BIN, RecorderCase, wait_for

# Grows by 200 MiB when told to, says so, and waits for its end.
GROW = ("import sys\n"
        "sys.stdin.readline()\n"
        "held = bytearray(b'x') * (200 << 20)\n"
        "print('grown', flush=True)\n"
        "sys.stdin.readline()\n")
LARGE = "rss > 150MiB"


class Held(RecorderCase):
    def setUp(self):
        self.child = subprocess.Popen([sys.executable, "-c", GROW], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)
        self.recorder.ticks(2)

    def tearDown(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def grow(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        self.assertEqual(self.child.stdout.readline(), "grown\n")
        return time.time_ns()

    def ask(self, expression):
        return f"tid == {self.child.pid} && ({expression})"

    def matches(self, expression):
        return bool(self.recorder.json("ps", self.ask(expression), "-f", "rss"))

    def test_ps_knows_how_long_it_has_held(self):
        self.assertFalse(self.matches(f"{LARGE} for 1s"))
        self.grow()
        wait_for(lambda: self.matches(f"{LARGE} for 1s"), "the size to have held for a second")
        self.assertFalse(self.matches(f"{LARGE} for 1h"))
        self.assertTrue(self.matches(f"!({LARGE} for 1h)"), "it is younger than that")
        self.assertTrue(self.matches(f"{LARGE} && {LARGE} for 1s"))
        at = f"@{time.time():.3f}"
        self.recorder.ticks(2)
        self.child.kill()
        self.child.wait()
        self.recorder.ticks(2)
        self.assertTrue(self.recorder.json("ps", self.ask(f"{LARGE} for 1s"), "--at", at))

    def test_watch_and_history_agree_on_when_it_had_held(self):
        watch = subprocess.Popen([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "watch", self.ask(f"{LARGE} for 1s"), "--count", "25", "-f", "rss",
                                  "-o", "jsonl"], stdout=subprocess.PIPE, text=True)
        self.recorder.ticks(1)
        self.grow()
        seen = [json.loads(line)["time_ns"] for line in watch.communicate()[0].splitlines()]
        self.recorder.ticks(2)
        large = [row["time_ns"] for row in self.recorder.json("history", self.ask(LARGE), "-b", "1m", "-f", "rss")]
        rows = self.recorder.json("history", self.ask(f"{LARGE} for 1s"), "-b", "1m", "-f", "rss")
        held = [row["time_ns"] for row in rows]
        # The wall clock may be slewed against the boot clock that counts.
        self.assertGreater(held[0], large[0] + 990_000_000)
        self.assertEqual([time_ns for time_ns in large if time_ns >= held[0]][:len(held)], held)
        self.assertEqual(held[:len(seen)], seen)
        middle = rows[len(rows) // 2]["time_ns"]
        late = self.recorder.json("history", self.ask(f"{LARGE} for 1s"), "-b", f"@{middle / 1e9:.6f}", "-f", "rss")
        self.assertLessEqual(late[0]["time_ns"], middle + 1_000_000_000, "it warms up before it begins")
        self.assertGreaterEqual(late[-1]["time_ns"], rows[-1]["time_ns"])

    def test_an_event_is_judged_by_what_was_true_of_its_task(self):
        self.grow()
        wait_for(lambda: self.matches(f"{LARGE} for 1s"), "the size to have held for a second")
        self.child.kill()
        self.child.wait()
        self.recorder.ticks(2)

        def exits(expression):
            return self.recorder.json("events", self.ask(expression), "--type", "exit", "-b", "1m")
        self.assertEqual(len(exits(f"{LARGE} for 1s")), 1)
        self.assertEqual(exits(f"{LARGE} for 1h"), [])

    def test_an_anomaly_is_unknown_until_the_task_is_known(self):
        self.grow()
        self.recorder.ticks(1)
        self.assertFalse(self.matches("anomaly(rss)"))
        self.assertFalse(self.matches("!anomaly(rss)"))

    def test_a_name_that_no_task_can_have_is_pointed_out(self):
        result = self.recorder.ctl("ps", "comm == a-name-of-17-byte")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"warning: column 9: .* 17 bytes")


if __name__ == "__main__":
    unittest.main()
