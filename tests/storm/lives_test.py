# SPDX-License-Identifier: Apache-2.0
"""Processes and threads that live for a moment, as many as the machine can make: each is recorded, or counted as lost."""
import unittest

from storm_case import LEAF, LONG, SECONDS, StormCase


def account_processes(case, born, losses):
    unstored = losses.get("unstored_events", 0)
    dead = losses.get("ring_final", 0) + losses.get("lives", 0) + losses.get("process", 0)
    case.account("execs", born, case.stored("exec", "comm == storm_leaf"), losses.get("ring_exec", 0) + unstored)
    case.account("ends", born, case.stored("exit", "comm == storm_leaf"), dead + unstored)


class Lives(StormCase):
    def test_every_process_is_recorded_or_counted(self):
        born, status, losses = self.endure("fork storm", "forks", SECONDS, LEAF)
        percent = status["accounted_cpu_percent"]
        print(f"books: {percent if percent is None else round(percent, 2)} % of the CPU time has a task")
        if LONG:
            self.assertGreaterEqual(percent, 99)
            self.assertLessEqual(percent, 101)
        account_processes(self, born, losses)

    def test_every_thread_is_recorded_or_counted(self):
        born, _, losses = self.endure("thread storm", "threads")
        unstored = losses.get("unstored_events", 0)
        births = self.stored("fork", "comm == storm", threads="only")
        self.account("births of threads", born, births, losses.get("ring_fork", 0) + unstored)
        dead = losses.get("ring_final", 0) + losses.get("lives", 0)
        self.account("ends of threads", born, self.stored("exit", "comm == storm", threads="only"), dead + unstored)


class LongInterval(StormCase):
    interval = "25s"
    events_of_a_tick = 100_000

    def test_many_events_do_not_wait_for_the_interval(self):
        self.recorder.launch()
        self.before = self.recorder.status()
        born = 0
        while 3 * born < 1.5 * self.events_of_a_tick:  # birth, exec and end
            born += self.storm("forks", SECONDS, LEAF)["done"]
        status, losses = self.settle("storm within an interval of 25 s", 1)
        print("ticks that did not wait for their time:", status["early_ticks"])
        self.assertGreater(status["early_ticks"], 0)
        self.stop()
        account_processes(self, born, losses)


if __name__ == "__main__":
    unittest.main(verbosity=2)
