# SPDX-License-Identifier: Apache-2.0
"""A few tasks that do one thing without end: execs, renames, signals. All is counted, nothing is lost silently."""
import unittest

from storm_case import WORKERS, StormCase


class Flood(StormCase):
    config = "[kernel]\nhooks = [\"signal\"]\n"

    def test_every_exec_is_recorded_or_counted(self):
        did, _, losses = self.endure("exec storm", "execs")
        lost = losses.get("ring_exec", 0) + losses.get("unstored_events", 0)
        self.account("execs", did, self.stored("exec", "comm == exe"), lost)

    def test_after_a_storm_of_renames_the_last_name_is_known(self):
        """Renames are no events, they only change what a task is called: the last one counts."""
        did, _, losses = self.endure("rename storm", "renames")
        print(f"renames: {did:,} happened, {losses.get('ring_rename', 0):,} counted as lost")
        # Each worker ends under the name that it gave itself at last; a record that was lost is told by the final one.
        self.account("workers under their last name", WORKERS + 1, self.stored("exit", "comm == storm"),
                     losses.get("ring_final", 0))

    def test_every_signal_is_counted(self):
        self.start()
        did = self.storm("signals")["done"]
        self.settle("signal flood")
        ends = self.recorder.json("events", "comm == storm", "--type", "exit", "-b", "10m")
        seen = sum(end.get("task_signal_count", 0) for end in ends)
        self.on_time_again()
        self.account("signals", did, seen, 0)
        self.assertEqual(self.losses(), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
