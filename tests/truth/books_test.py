# SPDX-License-Identifier: Apache-2.0
"""Closed books: all CPU time that the kernel spent in tasks is in taskmond's tasks, also while lives are short."""
import os
import subprocess
import time
import unittest

from harness import TruthCase

SECONDS = 75  # status looks back over a minute


def cpu_ticks():
    """The first line of /proc/stat, in ticks of 10 ms."""
    with open("/proc/stat", encoding="utf-8") as file:
        return [int(word) for word in file.readline().split()[1:]]


class Books(TruthCase):
    def setUp(self):
        super().setUp()
        loop = "while :; do ls >/dev/null; done"
        self.loops = [subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", loop]) for cpu in range(os.cpu_count())]

    def tearDown(self):
        for loop in self.loops:
            loop.kill()
            loop.wait()

    def test_short_lives_on_all_cpus_are_accounted_within_one_percent(self):
        before, began = cpu_ticks(), time.monotonic()
        lost = self.recorder.lost()
        seen = []
        while time.monotonic() - began < SECONDS:
            self.recorder.ticks(25)
            seen.append(self.recorder.status()["accounted_cpu_percent"])
        status, after = self.recorder.status(), cpu_ticks()
        names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
        print("accounted_cpu_percent every 5 s:", *(f"{percent:.2f}" for percent in seen if percent is not None))
        print("/proc/stat, s:", {name: (b - a) / 100 for name, a, b in zip(names, before, after)})
        with self.subTest("no record was turned away"):
            self.assertEqual(self.recorder.lost(), lost)
        self.assertGreaterEqual(status["accounted_cpu_percent"], 99)
        self.assertLessEqual(status["accounted_cpu_percent"], 101)


if __name__ == "__main__":
    unittest.main(verbosity=2)
