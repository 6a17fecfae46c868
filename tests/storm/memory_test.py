# SPDX-License-Identifier: Apache-2.0
"""taskmond under a memory limit, as in its unit: it lives through a storm within it; when it is ended for memory, what
was stored stays."""
import contextlib
import os
import signal
import unittest

from storm_case import LEAF, LONG, SECONDS, StormCase, wait_for

LIMIT = (768 if LONG else 384) << 20
TASKS = 20_000 if LONG else 3_000


class MemoryGroup:
    """A memory cgroup of one's own, of either version; None from make() where there is no right to one."""

    @classmethod
    def make(cls, name, limit):
        for root, files in (("/sys/fs/cgroup", ("memory.max", "memory.swap.max", "memory.peak")),
                            ("/sys/fs/cgroup/memory", ("memory.limit_in_bytes", None, "memory.max_usage_in_bytes"))):
            path = os.path.join(root, name)
            with contextlib.suppress(OSError):
                os.mkdir(path)
                if os.path.exists(os.path.join(path, files[0])):
                    return cls(path, files, limit)
                os.rmdir(path)
        return None

    def __init__(self, path, files, limit):
        self.path, (self.limit_file, swap, self.peak_file) = path, files
        self.set(limit)
        if swap and os.path.exists(os.path.join(path, swap)):
            with open(os.path.join(path, swap), "w", encoding="utf-8") as file:
                file.write("0")

    def set(self, limit):
        with open(os.path.join(self.path, self.limit_file), "w", encoding="utf-8") as file:
            file.write(str(limit))

    def squeeze(self):
        """Sets the lowest limit that the kernel takes: version 1 refuses one that it cannot reclaim down to."""
        for mib in range(4, LIMIT >> 20, 2):
            with contextlib.suppress(OSError):
                self.set(mib << 20)
                return mib << 20
        raise AssertionError("no limit is taken")

    def enter(self):
        """In the child, before exec."""
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))

    def peak(self):
        try:
            with open(os.path.join(self.path, self.peak_file), encoding="utf-8") as file:
                return int(file.read())
        except FileNotFoundError:  # memory.peak came with Linux 5.19
            return 0

    def remove(self):
        wait_for(self.gone, "the memory group to be empty")

    def gone(self):
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
        return not os.path.exists(self.path)


class Memory(StormCase):
    def setUp(self):
        super().setUp()
        self.group = MemoryGroup.make(f"taskmon-test-{os.getpid()}", LIMIT)
        if self.group is None:
            self.skipTest("no memory cgroup can be made here")
        self.addCleanup(self.group.remove)
        self.addCleanup(self.end)
        self.recorder.popen = {"preexec_fn": self.group.enter}

    def end(self):
        if self.recorder.process and self.recorder.process.poll() is None:
            self.recorder.stop()

    def test_lives_through_a_storm_within_its_limit(self):
        self.start()
        crowd = self.crowd(TASKS)
        self.storm("forks", SECONDS, LEAF)
        self.settle("under the limit", 3)
        print(f"the group's peak, page cache of the history included: {self.group.peak() / 2**20:.1f} MiB "
              f"of {LIMIT / 2**20:.0f}")
        crowd.stdin.close()
        crowd.wait()
        self.on_time_again()
        self.assertIsNone(self.recorder.process.poll(), "it was not ended")
        self.stop()

    def test_ended_for_memory_it_loses_no_stored_tick(self):
        self.start()
        self.recorder.ticks(3)
        newest = self.recorder.status()["newest_time"]
        # No more than it has, and then something new to remember: the kernel ends it, as it would end one that leaks.
        limit = self.group.squeeze()
        crowd = self.crowd(4 * TASKS)
        wait_for(lambda: self.recorder.process.poll() is not None, "the OOM killer", 60)
        print(f"ended by signal {-self.recorder.process.poll()} at a limit of {limit >> 20} MiB")
        self.assertEqual(self.recorder.process.poll(), -signal.SIGKILL)
        self.recorder.log.close()
        crowd.stdin.close()
        crowd.wait()
        self.group.set(LIMIT)
        self.recorder.start()
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", "10m", "-f", "rss")
        self.assertGreaterEqual(max(row["time"] for row in rows if "gap" not in row), newest)
        self.assertIn(newest, [row["time"] for row in rows], "the last tick that status told of is there")
        self.assertEqual(len([row for row in rows if row.get("gap") == "not running"]), 1)
        self.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
