# SPDX-License-Identifier: Apache-2.0
"""A taskmond that does not get to run: the ring buffer overflows, each drop is counted by kind and told as a gap."""
import os
import signal
import unittest

from storm_case import LEAF, LONG, StormCase, wait_for

STOPPED_S = 10 if LONG else 4


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


class PausedCase(StormCase):
    def pause(self):
        self.recorder.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_stopped(self.recorder.process.pid), "taskmond to be stopped")


class Overrun(PausedCase):
    config = "[kernel]\nring_bytes = 262144\n"

    def test_what_the_ring_has_no_room_for_is_counted_by_kind_and_shown_as_a_gap(self):
        self.start()
        self.pause()
        try:
            born = self.storm("forks", STOPPED_S, LEAF)["done"]
        finally:
            self.recorder.process.send_signal(signal.SIGCONT)
        _, losses = self.settle("ring overrun", 3)
        for kind in ("ring_fork", "ring_exec", "ring_final"):
            self.assertGreater(losses.get(kind, 0), 0, f"{kind} is counted")
        gaps = self.recorder.json("events", "--type", "gap", "-b", "10m")
        told = sum(gap["lost"] for gap in gaps if gap["comm"] is None)  # those of a task tell of one end, once more
        kernel = sum(count for kind, count in losses.items() if kind.startswith("ring_") or kind == "lives")
        print("gaps:", *(gap["detail"] + f" ({gap['lost']:,})" for gap in gaps), sep="\n  ")
        self.assertEqual(told, kernel, "what the counters say, the events say")
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "10m", "-f", "rss")
        self.assertEqual(sum(row["lost"] for row in rows if row.get("gap") == "lost"), kernel, "and the history's rows")
        self.on_time_again()
        self.stop()
        self.account("execs", born, self.stored("exec", "comm == storm_leaf"), losses["ring_exec"])
        self.account("ends", born, self.stored("exit", "comm == storm_leaf"), losses["ring_final"] + losses.get("lives", 0))


class Pause(PausedCase):
    def test_a_time_without_ticks_is_shown_as_a_gap(self):
        self.start()
        self.pause()
        try:
            self.storm("signals", STOPPED_S)
        finally:
            self.recorder.process.send_signal(signal.SIGCONT)
        self.recorder.ticks(2)
        gaps = [gap for gap in self.recorder.json("events", "--type", "gap", "-b", "10m") if "no tick" in gap["detail"]]
        self.assertEqual(len(gaps), 1, gaps)
        print(gaps[0]["detail"], gaps[0]["duration_ns"] / 1e9, "s")
        self.assertGreaterEqual(gaps[0]["duration_ns"], (STOPPED_S - 1) * 1e9)
        self.assertEqual(gaps[0]["lost"], 0)
        self.on_time_again()
        self.assertEqual(self.losses(), {}, "there was room in the ring for what happened")
        self.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
