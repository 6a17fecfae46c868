#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All measurements of ./dev bench for a moment: every row has figures, and none is judged, since no time is to be."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Quick(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")

    def test_every_row_has_figures(self):
        with tempfile.TemporaryDirectory(prefix="taskmon-bench-") as scratch:
            path = os.path.join(scratch, "bench.json")
            subprocess.run([sys.executable, "-B", os.path.join(HERE, "bench.py"), "--quick", "--json", path], check=True)
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
        for part in report["parts"]:
            self.assertTrue(part["rows"], part["title"])
            for row in part["rows"]:
                with self.subTest(part["title"], row=row["what"]):
                    self.assertIsInstance(row["ours"], (int, float))
                    self.assertEqual(row["peer"] is None, row["theirs"] is None)
                    self.assertIsNone(row["met"] if row["unit"] else None, "no figure of a short run is judged")
                    self.assertIsNot(row["met"], False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
