# SPDX-License-Identifier: Apache-2.0
"""Processes and threads that live for a moment, as many as the machine can make: each is recorded, or counted as lost."""
import unittest

from storm_case import LEAF, LONG, SECONDS, StormCase


class Lives(StormCase):
    def test_every_process_is_recorded_or_counted(self):
        self.start()
        born = self.storm("forks", SECONDS, LEAF)["done"]
        self.recorder.ticks(2)
        status = self.print_cost("fork storm")
        losses = self.losses()
        percent = status["accounted_cpu_percent"]
        print(f"books: {percent if percent is None else round(percent, 2)} % of the CPU time has a task")
        if LONG:
            self.assertGreaterEqual(percent, 99)
            self.assertLessEqual(percent, 101)
        self.on_time_again()
        self.stop()
        unstored = losses.get("unstored_events", 0)
        dead = losses.get("ring_final", 0) + losses.get("lives", 0) + losses.get("process", 0)
        self.account("execs", born, self.stored("exec", "comm == storm_leaf"), losses.get("ring_exec", 0) + unstored)
        self.account("ends", born, self.stored("exit", "comm == storm_leaf"), dead + unstored)

    def test_every_thread_is_recorded_or_counted(self):
        self.start()
        born = self.storm("threads")["done"]
        self.recorder.ticks(2)
        self.print_cost("thread storm")
        losses = self.losses()
        self.on_time_again()
        self.stop()
        unstored = losses.get("unstored_events", 0)
        self.account("births of threads", born, self.stored("fork", "comm == storm", threads="only"), losses.get("ring_fork", 0) + unstored)
        dead = losses.get("ring_final", 0) + losses.get("lives", 0)
        self.account("ends of threads", born, self.stored("exit", "comm == storm", threads="only"), dead + unstored)


if __name__ == "__main__":
    unittest.main(verbosity=2)
