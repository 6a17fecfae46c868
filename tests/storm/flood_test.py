# SPDX-License-Identifier: Apache-2.0
"""One task that does one thing without end: execs, renames, signals. Each is recorded, or counted as lost."""
import unittest

from storm_case import EXEC, RENAME, StormCase


class Flood(StormCase):
    config = "[kernel]\nhooks = [\"signal\"]\n"

    def test_every_exec_is_recorded_or_counted(self):
        self.start()
        did = self.storm("execs")["done"]
        self.recorder.ticks(2)
        self.print_cost("exec storm")
        losses = self.losses()
        self.on_time_again()
        self.stop()
        self.account("execs", did, self.stored(EXEC, "exe"), losses.get("ring_exec", 0) + losses.get("unstored_events", 0))

    def test_every_rename_is_recorded_or_counted(self):
        self.start()
        did = self.storm("renames")["done"]
        self.recorder.ticks(2)
        self.print_cost("rename storm")
        losses = self.losses()
        self.on_time_again()
        self.stop()
        recorded = self.sql("SELECT count(*) FROM event e JOIN task_info i ON i.id = e.info WHERE e.type = ? AND "
                            "i.comm GLOB 'n[0-9]*'", RENAME)[0][0]
        self.account("renames", did, recorded, losses.get("ring_rename", 0) + losses.get("unstored_events", 0))

    def test_every_signal_is_counted(self):
        self.start()
        did = self.storm("signals")["done"]
        self.recorder.ticks(2)
        self.print_cost("signal flood")
        ends = self.recorder.json("events", "comm == storm", "--type", "exit", "-b", "10m")
        seen = sum(end.get("task_signal_count", 0) for end in ends)
        self.on_time_again()
        self.account("signals", did, seen, 0)
        self.assertEqual(self.losses(), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
