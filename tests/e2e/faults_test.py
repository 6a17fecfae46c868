# SPDX-License-Identifier: Apache-2.0
"""A kernel that tells nothing of itself, and a wall clock that is set while taskmond runs."""
import mmap
import os
import struct
import subprocess
import time
import unittest

from recorder import BIN, DEADLINE_S, Recorder, wait_for

HOUR_NS = 3600 * 10**9


class Faults(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.recorder = Recorder()
        self.addCleanup(self.recorder.remove)

    def test_without_btf_it_says_what_is_missing_and_does_not_start(self):
        hide = "mount --make-rprivate / && mount -t tmpfs none /sys/kernel/btf && exec \"$@\""
        refused = subprocess.run(["unshare", "--mount", "sh", "-c", hide, "sh", *self.recorder.command()],
                                 capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False)
        self.assertEqual(refused.returncode, 70, refused.stderr)
        self.assertIn("no kernel type information in /sys/kernel/btf/vmlinux", refused.stderr)
        self.assertIn("CONFIG_DEBUG_INFO_BTF", refused.stderr)
        print(refused.stderr.strip().splitlines()[-1])


class Clock(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.recorder = Recorder()
        self.addCleanup(self.recorder.remove)
        path = os.path.join(self.recorder.directory, "clock")
        with open(path, "wb") as file:
            file.write(struct.pack("=q", 0))
        self.file = open(path, "r+b")
        self.addCleanup(self.file.close)
        self.offset = mmap.mmap(self.file.fileno(), 8)
        self.recorder.popen = {"env": {**os.environ, "LD_PRELOAD": f"{BIN}/libclock_shim.so",
                                       "TASKMON_TEST_CLOCK": path, "ASAN_OPTIONS": "verify_asan_link_order=0"}}

    def step(self, offset_ns):
        """From now on the wall clock of taskmond is so far from the real one."""
        self.offset[:] = struct.pack("=q", offset_ns)
        self.recorder.ticks(4)

    def test_ticks_and_history_go_on_through_steps_of_the_clock(self):
        self.recorder.start()
        began = time.time_ns()
        self.recorder.ticks(3)
        for offset_ns in (-HOUR_NS, HOUR_NS, -2 * HOUR_NS, 0):
            self.step(offset_ns)
            status = self.recorder.status()
            self.assertIsNone(status["storage_error"])
            self.assertTrue(self.recorder.json("ps", f"tid == {os.getpid()}"), "live questions are answered")
        self.assertEqual(self.recorder.lost(), dict.fromkeys(self.recorder.lost(), 0))
        self.recorder.ticks(1)
        ticks = self.recorder.status()["ticks"]
        self.recorder.stop()
        self.recorder.popen = {}
        self.recorder.start()
        # Everything stored, wherever the clock was; each tick once.
        rows = self.recorder.json("history", "--tid", str(os.getpid()), "-b", f"@{began / 1e9 - 3 * 3600:.0f}",
                                  "-e", f"@{began / 1e9 + 3 * 3600:.0f}", "-f", "rss")
        times = [row["time_ns"] for row in rows if "gap" not in row]
        self.assertEqual(len(times), len(set(times)))
        before, after = (sum(abs(t - began - shift) < HOUR_NS // 2 for t in times) for shift in (-HOUR_NS, HOUR_NS))
        print(f"{ticks} ticks in the first run, {len(times)} rows; an hour before {before}, an hour after {after}")
        self.assertGreaterEqual(before, 3, "the ticks of the hour before")
        self.assertGreaterEqual(after, 3, "the ticks of the hour after")
        self.assertGreaterEqual(len(times), ticks)
        wait_for(lambda: self.recorder.json("ps", f"tid == {os.getpid()}"), "live questions to be answered")


if __name__ == "__main__":
    unittest.main()
