# SPDX-License-Identifier: Apache-2.0
"""Very many tasks alive at once: ticks go on, nothing is lost, and what it takes is told."""
import unittest

from storm_case import CREW, LONG, StormCase, wait_for

TASKS = 100_000 if LONG else 5_000


class Crowd(StormCase):
    rules = None  # the shipped ones
    config = "[kernel]\nhooks = [\"sched\"]\n"

    def test_a_crowd_is_seen_in_full_and_recorded_when_it_goes(self):
        self.start()
        alone = self.print_cost("before")
        crowd = self.crowd(TASKS)
        wait_for(lambda: self.recorder.status()["tasks"] >= alone["tasks"] // 2 + TASKS, "the crowd to be seen", 120)
        self.recorder.ticks(3)
        status = self.print_cost(f"{TASKS:,} tasks")
        self.assertEqual(self.losses(), {})
        rows = self.recorder.json("ps", "comm == population && threads > 100", "-f", "threads")
        self.assertEqual(sum(row["task_thread_count"] for row in rows), TASKS)
        print(f"{(status['rss_bytes'] - alone['rss_bytes']) / TASKS:,.0f} bytes of memory a task")
        crowd.stdin.close()
        crowd.wait()
        wait_for(lambda: self.recorder.status()["tasks"] < TASKS // 2, "the crowd to be gone", 120)
        self.print_cost("after it went")
        losses = self.losses()
        self.on_time_again()
        self.stop()
        crews = -(-TASKS // CREW)  # the leaders of its processes
        ends = self.stored("exit", "comm == population", threads="only")
        lost = sum(losses.get(kind, 0) for kind in ("ring_final", "lives", "unstored_events"))
        self.account("ends of threads", TASKS - crews, ends, lost)


if __name__ == "__main__":
    unittest.main(verbosity=2)
