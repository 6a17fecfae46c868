# SPDX-License-Identifier: Apache-2.0
"""A taskmond of one's own in a temporary directory, and taskmonctl to ask it."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from waiting import SLOWDOWN, wait_for

BIN = os.environ["TASKMON_BIN"]
DEADLINE_S = 30 * SLOWDOWN

# Rules by which every thread of every process is stored.
EVERYTHING = "[[rule]]\nname = \"everything\"\nexpr = \"uid >= 0\"\nthreads = \"all\"\n"

# What is tested is not to depend on how busy the machine is: nothing is left out to keep within a budget.
NO_BUDGET = "[budget]\ncpu_percent = 0\nbpf_percent = 0\nstall_per_second = \"0s\"\n"


class Recorder:
    def __init__(self, interval="200ms", directory=None, extra=(), rules=None, config=""):
        """rules: those to begin with, where the shipped ones will not do; config: more of taskmond.toml."""
        self.directory = directory or tempfile.mkdtemp(prefix="taskmon-e2e-")
        os.chmod(self.directory, 0o755)
        self.socket = os.path.join(self.directory, "s")
        self.state = os.path.join(self.directory, "state")
        self.interval = interval
        self.extra = list(extra)
        self.config = os.path.join(self.directory, "taskmond.toml")
        if rules is not None:
            with open(os.path.join(self.directory, "initial.toml"), "w", encoding="utf-8") as file:
                file.write(rules)
            config = f"[rules]\ninitial = \"{self.directory}/initial.toml\"\n{config}"
        if "[budget]" not in config:
            config += f"\n{NO_BUDGET}"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)
        self.process = None
        self.popen = {}

    def command(self):
        return [f"{BIN}/taskmond", "--config", self.config, "--socket", self.socket, "--state-dir", self.state,
                "--interval", self.interval, *self.extra]

    def start(self):
        self.launch()
        self.ticks(2)
        return self

    def launch(self, answering=True):
        """Until it answers, which is after the first tick, or without waiting."""
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(self.command(), stderr=self.log, stdin=subprocess.DEVNULL, **self.popen)
        if not answering:
            return

        def ready():
            if self.process.poll() is not None:
                raise AssertionError("taskmond ended: " + self.log_text())
            return self.ctl("status", check=False).returncode == 0
        wait_for(ready, "taskmond to answer")

    def log_text(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, how=signal.SIGTERM, deadline_s=DEADLINE_S):
        self.process.send_signal(how)
        code = self.process.wait(timeout=deadline_s)
        self.log.close()
        return code

    def remove(self):
        if self.process and self.process.poll() is None:
            self.stop()
        elif self.process and not self.log.closed:
            print(f"taskmond ended by itself ({self.process.returncode}); its log:\n{self.log_text()}", file=sys.stderr)
        shutil.rmtree(self.directory)

    def ctl(self, *args, check=True, **kwargs):
        """Runs taskmonctl; with check, anything but success (0, or 1 for 'nothing matched') is an error."""
        result = subprocess.run([f"{BIN}/taskmonctl", "--socket", self.socket, *args], capture_output=True, text=True,
                                timeout=DEADLINE_S, **kwargs)
        if check and result.returncode not in (0, 1):
            raise AssertionError(f"taskmonctl {args}: exit {result.returncode}: {result.stderr}")
        return result

    def json(self, *args, **kwargs):
        return json.loads(self.ctl(*args, "-o", "json", **kwargs).stdout)

    def status(self):
        return self.json("status")

    def lost(self):
        """What was turned away on the way from the kernel, for good: refused task storage is made up for later."""
        kinds = ("ring_fork", "ring_exec", "ring_rename", "ring_final", "ring_oom", "lives", "process", "failed_passes")
        dropped = self.status()["dropped"]
        return {kind: dropped[kind] for kind in kinds}

    def ticks(self, count):
        """Waits for so many further ticks."""
        target = self.status()["ticks"] + count
        wait_for(lambda: self.status()["ticks"] >= target, "ticks")


class RecorderCase(unittest.TestCase):
    """One recorder for all tests of a class."""
    interval = "200ms"
    initial_rules = None
    config = ""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise unittest.SkipTest("needs root and a kernel with BTF")
        cls.recorder = Recorder(cls.interval, rules=cls.initial_rules, config=cls.config)
        cls.addClassCleanup(cls.recorder.remove)
        cls.recorder.start()
