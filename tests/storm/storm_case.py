# SPDX-License-Identifier: Apache-2.0
"""A storm against a taskmond of one's own, and the books afterwards: born, recorded, counted as lost."""
import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from population import population  # noqa: E402
from recorder import BIN, EVERYTHING, Recorder, wait_for  # noqa: E402

LONG = os.environ.get("STORM_FORM") == "long"
SECONDS = 30 if LONG else 4
WORKERS = os.cpu_count()
LEAF = f"{BIN}/storm_leaf"
CREW = 1000
# What costs a record of a life or an event for good.
LOSSES = ("ring_fork", "ring_exec", "ring_rename", "ring_final", "ring_oom", "lives", "process", "failed_passes",
          "writer_queue_ticks", "unstored_ticks", "unstored_events")


class StormCase(unittest.TestCase):
    config = ""
    interval = "1s"
    rules = EVERYTHING

    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.recorder = Recorder(self.interval, rules=self.rules, config=self.config)
        self.addCleanup(self.recorder.remove)

    def start(self):
        self.recorder.start()
        self.before = self.recorder.status()

    def launch(self, program, *args):
        process = subprocess.Popen([f"{BIN}/{program}", *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.addCleanup(end)
        return process

    def crowd(self, tasks):
        """So many threads that wait until its standard input is closed, a thousand of them to a process."""
        return self.enterContext(population(tasks, threads=CREW))

    def outcome(self, storm):
        did = json.loads(storm.stdout.readline())
        print(f"{storm.args[1]}: {did['done']:,} in {did['seconds']:.1f} s, "
              f"{did['done'] / max(did['seconds'], 1e-3):,.0f} a second, {did['failed']:,} failed")
        return did

    def storm(self, kind, seconds=SECONDS, *args):
        storm = self.launch("storm", kind, seconds, WORKERS, *args)
        did = self.outcome(storm)
        self.assertEqual(storm.wait(), 0)
        return did

    def settle(self, label, ticks=2):
        """Prints what the storm cost, once it is in the picture; status, and what was turned away."""
        self.recorder.ticks(ticks)
        return self.print_cost(label), self.losses()

    def endure(self, label, kind, *args):
        """One storm from start to orderly stop: how often it did it, status after it, and what was turned away."""
        self.start()
        did = self.storm(kind, *args)["done"]
        status, losses = self.settle(label)
        self.on_time_again()
        self.stop()
        return did, status, losses

    def losses(self):
        """What was turned away since start(), by kind."""
        dropped, before = self.recorder.status()["dropped"], self.before["dropped"]
        return {kind: dropped[kind] - before[kind] for kind in LOSSES if dropped[kind] != before[kind]}

    def on_time_again(self):
        """Five ticks in a row none of which is late."""
        def undisturbed():
            late = self.recorder.status()["late_ticks"]
            self.recorder.ticks(5)
            return self.recorder.status()["late_ticks"] == late
        wait_for(undisturbed, "ticks on time", 120)

    def stop(self):
        """With all that is still on its way to the disk; an orderly end of the daemon is part of every storm."""
        self.recorder.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.recorder.process.wait(timeout=120), 0)
        self.recorder.log.close()

    def stored(self, event_type, expression, threads=None):
        """How many events the file holds; counted as lines, because there may be hundreds of thousands."""
        command = [f"{BIN}/taskmonctl", "events", expression, "--type", event_type, "-b", "1h", "-o", "jsonl",
                   "--file", f"{self.recorder.state}/history.db", *([] if threads is None else ["-H"])]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as events:
            # The leader has a thread row of its own, which is not one more thread.
            rows = map(json.loads, events.stdout)
            count = sum(threads is None or (row["thread"] and row["tid"] != row["tgid"]) for row in rows)
        self.assertIn(events.returncode, (0, 1))
        return count

    def account(self, what, happened, recorded, lost):
        print(f"{what}: {happened:,} happened, {recorded:,} recorded, {lost:,} counted as lost")
        with self.subTest(what):
            self.assertLessEqual(recorded, happened, "nothing is recorded twice")
            self.assertGreaterEqual(recorded + lost, happened, "nothing is lost uncounted")

    def print_cost(self, label):
        status = self.recorder.status()
        print(f"{label}: {status['rss_bytes'] / 2**20:.1f} MiB resident, the last tick took "
              f"{status['last_tick_ns'] / 1e6:.1f} ms, {status['late_ticks'] - self.before['late_ticks']} ticks late, "
              f"lost: {self.losses() or 'nothing'}")
        return status
