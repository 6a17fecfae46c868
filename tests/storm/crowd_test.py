# SPDX-License-Identifier: Apache-2.0
"""Very many tasks alive at once: ticks go on, nothing is lost, and what it takes is told."""
import unittest

from storm_case import LONG, StormCase, wait_for

TASKS = 100_000 if LONG else 5_000
PID_MAX = "/proc/sys/kernel/pid_max"


def allow_tasks(count):
    """Raises pid_max where it is too low; what it was, or None."""
    with open(PID_MAX, encoding="utf-8") as file:
        before = int(file.read())
    if before >= 2 * count:
        return None
    with open(PID_MAX, "w", encoding="utf-8") as file:
        file.write(str(4 * count))
    return before


def restore(pid_max):
    with open(PID_MAX, "w", encoding="utf-8") as file:
        file.write(str(pid_max))


class Crowd(StormCase):
    rules = None  # the shipped ones
    config = "[kernel]\nhooks = [\"sched\"]\n"

    def test_a_crowd_is_seen_in_full_and_recorded_when_it_goes(self):
        before = allow_tasks(TASKS)
        if before is not None:
            self.addCleanup(restore, before)
        self.start()
        alone = self.print_cost("before")
        crowd = self.launch("crowd", TASKS)
        made = self.outcome(crowd)
        self.assertEqual(made["failed"], 0)
        wait_for(lambda: self.recorder.status()["tasks"] >= alone["tasks"] // 2 + TASKS, "the crowd to be seen", 120)
        self.recorder.ticks(3)
        status = self.print_cost(f"{TASKS:,} tasks")
        self.assertEqual(self.losses(), {})
        rows = self.recorder.json("ps", "comm == storm && threads > 100", "-f", "threads")
        self.assertEqual(sum(row["task_thread_count"] for row in rows), TASKS)
        print(f"{(status['rss_bytes'] - alone['rss_bytes']) / TASKS:,.0f} bytes of memory a task")
        crowd.stdin.close()
        crowd.wait()
        wait_for(lambda: self.recorder.status()["tasks"] < TASKS // 2, "the crowd to be gone", 120)
        self.print_cost("after it went")
        losses = self.losses()
        self.on_time_again()
        self.stop()
        crews = -(-TASKS // 1000)  # the leaders of its processes
        ends = self.stored("exit", "comm == storm", threads="only")
        lost = sum(losses.get(kind, 0) for kind in ("ring_final", "lives", "unstored_events"))
        self.account("ends of threads", TASKS - crews, ends, lost)


if __name__ == "__main__":
    unittest.main(verbosity=2)
