# SPDX-License-Identifier: Apache-2.0
"""smaps under a budget, on a process with 1 GiB resident that measures by itself how long its memory map is locked.

What it feels is printed, not judged: on a busy machine it waits for a CPU, too.
"""
import unittest

from harness import Proc, TruthCase, TruthRecorder, wait_for

MIB = 1024
SMAPS = ["task_shared_dirty_size", "task_shared_clean_size", "task_private_dirty_size", "task_private_clean_size",
         "task_referenced_size", "task_lazyfree_size", "task_swap_data_pss_size", "task_pss_size"]


class SmapsCase(TruthCase):
    per_target = per_second = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recorder.remove()
        cls.recorder = TruthRecorder()
        cls.recorder.config = f'[smaps]\nper_target = "{cls.per_target}"\nper_second = "{cls.per_second}"\n'
        cls.recorder.start()

    def setUp(self):
        super().setUp()
        self.work = self.workload("stalls", MIB, 4000)
        self.recorder.ticks(2)
        self.assertGreaterEqual(self.process_row(self.work.pid)["task_pm_size"], MIB << 20)

    def ask(self):
        return self.process_row(self.work.pid, "-f", ",".join(SMAPS))

    def feel(self, what):
        """The workload's word, once it has tried for its four seconds."""
        self.work.did = self.work.line()
        smaps = self.recorder.status()["smaps"]
        print(f"{what} (per_target {self.per_target}): longest of {self.work.did['rounds']} mmap + munmap of the process "
              f"{self.work.did['longest_ns'] / 1e6:.2f} ms; taskmond read {smaps['reads']} processes, the longest "
              f"{smaps['stall_max_ns'] / 1e6:.2f} ms, {(smaps['ns_per_gib'] or 0) / 1e6:.2f} ms per GiB")


class LeftOut(SmapsCase):
    per_target, per_second = "1ms", "500ms"  # 1 GiB takes about five times as long

    def test_process_that_would_be_stalled_too_long_is_left_out_and_said_to_be(self):
        self.work.start()
        for _ in range(10):
            row = self.ask()
            self.recorder.ticks(1)
        self.assertEqual([metric for metric in SMAPS if metric in row], [])
        self.assertEqual(sorted(row["unavailable"]), sorted(SMAPS))
        self.feel("left out")
        smaps = wait_for(lambda: (s := self.recorder.status()["smaps"])["too_large"] and s, "the count of the left out")
        self.assertEqual((smaps["per_target_ns"], smaps["per_second_ns"]), (1_000_000, 500_000_000))
        self.assertIn("too large", self.recorder.ctl("status").stdout)
        doctor = {metric["name"]: metric for metric in self.recorder.json("doctor")["metrics"]}
        for metric in SMAPS:
            self.assertEqual(doctor[metric]["health"], "degraded")
            self.assertIn("too large to be read within smaps.per_target", doctor[metric]["reason"])


class Read(SmapsCase):
    per_target, per_second = "1s", "500ms"

    def test_process_that_fits_is_read_again_and_again_and_its_values_carry_their_age(self):
        self.work.start()
        # It may have been read before, as one of the largest, while it was still growing.
        row = wait_for(lambda: (r := self.ask()).get("task_private_dirty_size", 0) >= MIB << 20 and r, "1 GiB in smaps")
        self.assertEqual([metric for metric in SMAPS if metric not in row], [])
        self.assertEqual(sorted(row["ages"]), sorted(SMAPS))
        first = self.recorder.status()["smaps"]["reads"]
        wait_for(lambda: self.ask() and self.recorder.status()["smaps"]["reads"] > first, "another read")
        self.feel("read")
        smaps = self.recorder.status()["smaps"]
        self.assertGreater(smaps["ns_per_gib"], 0)
        self.assertEqual(smaps["too_large"], 0)
        self.work.settle()
        row = self.ask()
        self.equal("task_private_dirty_size", "1 GiB", Proc(self.work.pid).smaps["Private_Dirty"],
                   row["task_private_dirty_size"], "/proc/PID/smaps_rollup", 1 << 20, 1 << 20, "what it did since")
        self.assertRegex(self.recorder.ctl("show", str(self.work.pid)).stdout, r"\bpss +~1\.\d+G +\S+ ago")


if __name__ == "__main__":
    unittest.main()
