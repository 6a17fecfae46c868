# SPDX-License-Identifier: Apache-2.0
"""taskmond under a memory limit, as in its unit: it lives through a storm within it; when it is ended for memory, what
was stored stays."""
import contextlib
import os
import signal
import unittest

from storm_case import LEAF, LONG, SECONDS, StormCase, wait_for

LIMIT = (768 if LONG else 192) << 20
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
        crowd = self.launch("crowd", TASKS)
        self.outcome(crowd)
        self.storm("forks", SECONDS, LEAF)
        self.recorder.ticks(3)
        self.print_cost("under the limit")
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
        # Less than it has: the kernel ends it at its next page, as it would end one that leaks.
        crowd = self.launch("crowd", TASKS)
        self.outcome(crowd)
        with contextlib.suppress(OSError):  # EBUSY: the kernel could not reclaim so much; the limit of v1 stays
            self.group.set(8 << 20)
        pressed = self.recorder.process.poll() is not None
        if not pressed:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: self.recorder.process.poll() is not None, "the OOM killer", 10)
        ended_by = self.recorder.process.poll()
        print("ended by", "nobody: the limit could not be lowered" if ended_by is None else f"signal {-ended_by}")
        if ended_by is None:
            self.recorder.process.send_signal(signal.SIGKILL)
            self.recorder.process.wait()
        else:
            self.assertEqual(ended_by, -signal.SIGKILL)
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
