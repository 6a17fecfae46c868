# SPDX-License-Identifier: Apache-2.0
"""taskmond over its own budget leaves something out in the stated order, says so, and takes it back."""
import contextlib
import os
import signal
import subprocess
import unittest

from population import population
from recorder import BIN, EVERYTHING, Recorder, wait_for

ORDER = ["smaps", "thread rows", "hooks of watchers", "hooks", "interval x2", "interval x4", "interval x8"]
INTERVAL_MS = 200
CROWD = 2500
# Long enough for a hold time of six windows for each step, doubled where one had to be shed again.
DEADLINE_S = 150
# Between questions: to ask more often would cost more than the rest.
PAUSE_S = 0.5


class Budget(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("needs root and a kernel with BTF")
        self.crowd = contextlib.ExitStack()
        self.recorder = None

    def tearDown(self):
        self.calm()
        if self.recorder:
            self.recorder.remove()

    def storm(self):
        """Processes that all wake up between any two ticks, so that each tick has news of all of them."""
        self.crowd.enter_context(population(CROWD, active=CROWD, hz=1000 / INTERVAL_MS, threads=1))

    def calm(self):
        self.crowd.close()

    def start(self, cpu_percent):
        self.recorder = Recorder(f"{INTERVAL_MS}ms", rules=EVERYTHING, config=(
            f"[kernel]\nhooks = [\"signal\"]\n[budget]\ncpu_percent = {cpu_percent}\nbpf_percent = 0\n"
            "stall_per_second = \"0s\"\nwindow = \"1s\"\n"))
        return self.recorder.start()

    def budget(self):
        return self.recorder.status()["budget"]

    def costs(self, count):
        """What so many windows cost, one after the other."""
        seen = []

        def another():
            cost = self.budget()["cpu_percent"]
            if cost and (not seen or cost != seen[-1]):
                seen.append(cost)
            return len(seen) >= count
        wait_for(another, "windows of the budget", pause_s=PAUSE_S)
        return seen

    def budget_between_calm_and_storm(self):
        self.start(0)
        self.costs(2)  # the first ticks read every name
        calm = max(self.costs(4))
        self.storm()
        self.costs(2)
        storm = min(self.costs(4))
        self.calm()
        self.assertEqual(self.budget()["shed"], [], "0 is no limit")
        self.recorder.remove()
        self.recorder = None
        print(f"taskmond's CPU time, % of a CPU: calm at most {calm:.2f}, in the storm at least {storm:.2f}")
        self.assertGreater(storm, 4 * calm, "the storm is no storm on this machine")
        return storm / 2

    def budget_check(self):
        check, = [check for check in self.recorder.json("doctor")["checks"] if check["name"] == "budget"]
        return check

    def hook(self, name):
        hook, = [hook for hook in self.recorder.status()["hooks"] if hook["name"] == name]
        return hook

    def test_what_is_shed_is_told_and_comes_back(self):
        limit = self.budget_between_calm_and_storm()
        self.start(f"{limit:.3f}")
        self.assertTrue(self.hook("signal_deliver")["attached"])
        self.storm()
        wait_for(lambda: "interval x2" in self.budget()["shed"], "load to be shed", DEADLINE_S, PAUSE_S)
        status = self.recorder.status()
        shed = status["budget"]["shed"]
        self.assertEqual(shed, ORDER[:len(shed)], "in the stated order")
        self.assertGreaterEqual(status["budget"]["interval_ms"], 2 * INTERVAL_MS)
        self.assertEqual(status["interval_ms"], INTERVAL_MS, "as configured")
        self.assertIsNotNone(status["budget"]["since_time"])
        hook = wait_for(lambda: not (h := self.hook("signal_deliver"))["attached"] and h, "the hook to be detached")
        self.assertEqual(hook["reason"], "shed: taskmond is over its budget")
        self.assertTrue(self.hook("sched_process_exec")["attached"], "lives are always recorded")
        check = self.budget_check()
        self.assertEqual(check["health"], "degraded")
        self.assertIn("thread rows", check["reason"])
        self.assertIn("left out: smaps, thread rows", self.recorder.ctl("status").stdout)

        self.calm()
        wait_for(lambda: not self.budget()["shed"], "everything to be taken back", DEADLINE_S, PAUSE_S)
        self.assertEqual(self.budget_check()["health"], "works")
        self.assertEqual(self.budget()["interval_ms"], INTERVAL_MS)
        self.assertIsNone(self.budget()["since_time"])
        wait_for(lambda: self.hook("signal_deliver")["attached"], "the hook to be attached again")
        self.check_history()

    def test_who_asks_all_the_time_has_nothing_left_out(self):
        self.start(0)
        self.costs(2)  # the first ticks read every name
        limit = 2 * max(self.costs(4)) + 10
        self.recorder.remove()
        self.start(f"{limit:.3f}")
        ask = f"while {BIN}/taskmonctl --socket {self.recorder.socket} ps -b 10m -H -f all > /dev/null; do :; done"
        askers = [subprocess.Popen(["/bin/sh", "-c", ask], start_new_session=True) for _ in range(3)]
        try:
            wait_for(lambda: self.recorder.status()["serving_cpu_percent"] > limit, "clients to cost more than the budget",
                     DEADLINE_S, PAUSE_S)
            self.costs(5)
            self.assertEqual(self.budget()["times_shed"], 0)
            self.assertEqual(set(self.nice("tm-sampler", "tm-writer")), {-20, 0})
            self.assertEqual(set(self.nice("grpcpp_sync_ser")), {5})
            # The main thread; ThreadSanitizer has one of its own of the same name.
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, self.recorder.process.pid), 5)
        finally:
            for asker in askers:
                os.killpg(asker.pid, signal.SIGKILL)
                asker.wait()

    def nice(self, *names):
        """Of the threads of these names."""
        place = f"/proc/{self.recorder.process.pid}/task"
        for tid in os.listdir(place):
            with contextlib.suppress(FileNotFoundError), open(f"{place}/{tid}/stat", encoding="utf-8") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
                if name in names:
                    yield int(rest.split()[16])

    def check_history(self):
        self.recorder.ticks(2)
        events = self.recorder.json("events", "--type", "degraded", "-b", "10m")
        print(*(f"{event['time']} {'-' if event['begins'] else '+'} {event['detail']}" for event in events), sep="\n")
        out = []
        for event in events:
            self.assertIsNone(event["comm"])
            if event["begins"]:
                self.assertIn("its budget is", event["detail"])
                out.append(event["detail"].partition(":")[0])
            else:
                self.assertIn("again", event["detail"])
                out.pop()
        self.assertEqual(out, [], "each step was taken back")
        self.assertEqual(sum(event["begins"] for event in events), self.budget()["times_shed"])


if __name__ == "__main__":
    unittest.main()
