# SPDX-License-Identifier: Apache-2.0
"""taskmond as its unit runs it, without systemd: an ordinary user with exactly the unit's capabilities, a socket that
was passed, signs of life. tests/package does the same under a real systemd."""
import configparser
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import recorder as support
from recorder import Recorder, wait_for
from waiting import SANITIZE

UNIT = os.path.join(os.path.dirname(__file__), "..", "..", "packaging", "systemd", "taskmond.service")
UID = 64990  # nobody's
NOBODY = 65534
CAP_SYS_PTRACE = 1 << 19
CAP_BPF = 1 << 39


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNIT)
    return parser["Service"]


class Service(Recorder):
    """Started as systemd would: by an ordinary user, with the unit's capabilities and no others."""

    def __init__(self, **kwargs):
        super().__init__(directory=tempfile.mkdtemp(prefix="taskmon-e2e-"), **kwargs)
        os.chown(self.directory, UID, UID)
        # The build tree may lie where an ordinary user cannot look.
        self.bin = os.path.join(self.directory, "bin")
        os.mkdir(self.bin)
        shutil.copy(f"{support.BIN}/taskmond", self.bin)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.directory, "notify"))
        os.chmod(os.path.join(self.directory, "notify"), 0o666)
        self.notify.setblocking(False)
        self.passed = None

    def command(self):
        capabilities = unit()["AmbientCapabilities"].split()
        names = ",".join(["-all", *("+" + name.removeprefix("CAP_").lower() for name in capabilities)])
        # LISTEN_PID is known only once the process is there; exec keeps it.
        passing = f"exec 3<&{self.passed.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; " if self.passed else ""
        return ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "--no-new-privs",
                "--bounding-set", names, "--inh-caps", names, "--ambient-caps", names, "bash", "-c", f'{passing}exec "$@"', "bash",
                f"{self.bin}/taskmond", *super().command()[1:]]

    def launch(self):
        # LeakSanitizer traces the process that it is in, which an ordinary user may not do to one with capabilities.
        environment = {"NOTIFY_SOCKET": os.path.join(self.directory, "notify"), "WATCHDOG_USEC": "1000000",
                       "ASAN_OPTIONS": "detect_leaks=0"}
        with unittest.mock.patch.dict(os.environ, environment):
            super().launch()

    def told(self):
        """What it has told the service manager since the last time."""
        messages = []
        try:
            while True:
                messages.append(self.notify.recv(4096).decode())
        except BlockingIOError:
            return messages

    def remove(self):
        super().remove()
        self.notify.close()
        if self.passed:
            self.passed.close()


class ServiceCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise unittest.SkipTest("needs root and a kernel with BTF")


class LeastPrivilege(ServiceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(4)
        cls.listener = listener
        code = ("import socket, time\n"
                f"s = socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}))\n"
                "print('connected', flush=True)\n"
                "time.sleep(1000)\n")
        # Connections from before taskmond: those are not seen by a hook, but read from /proc.
        cls.of_root = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd="/")
        cls.of_nobody = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, cwd="/", user=NOBODY,
                                         group=NOBODY, extra_groups=[])
        for child in (cls.of_root, cls.of_nobody):
            assert child.stdout.readline() == b"connected\n"
        cls.recorder = Service().start()

    @classmethod
    def tearDownClass(cls):
        cls.recorder.remove()
        for child in (cls.of_root, cls.of_nobody):
            child.kill()
            child.wait()
            child.stdout.close()
        cls.listener.close()

    def row(self, child, *args):
        rows = self.recorder.json("ps", f"tid == {child.pid}", *args)
        return rows[0] if rows else {}

    def test_what_is_read_from_other_users_processes_is_known(self):
        for child in (self.of_root, self.of_nobody):
            row = wait_for(lambda c=child: self.row(c) if self.row(c).get("exe") else None, "the executable")
            self.assertEqual(row["exe"], os.readlink(f"/proc/{child.pid}/exe"))
            self.assertIn("socket.create_connection", row["cmdline"])
            self.assertEqual(row["task_fd_count"], len(os.listdir(f"/proc/{child.pid}/fd")))

    def test_smaps_of_other_users_processes_are_read(self):
        for child in (self.of_root, self.of_nobody):
            row = wait_for(lambda c=child: self.row(c, "-f", "pss") if "task_pss_size" in self.row(c, "-f", "pss") else None,
                           "the proportional size")
            self.assertGreater(row["task_pss_size"], 0)

    def test_connections_from_before_the_start_are_found(self):
        for child in (self.of_root, self.of_nobody):
            wait_for(lambda c=child: self.row(c).get("task_tcp_used") == 1, "the connection")

    def test_rules_are_edited_and_hooks_attached_after_the_rights_were_given_up(self):
        self.recorder.ctl("rule", "add", "late", f"tid == {self.of_root.pid}", "--groups", "all", "--order", "1")
        wait_for(lambda: "late" in self.row(self.of_root).get("rules", []), "the rule")
        wait_for(lambda: any(hook["name"] == "sys_exit" and hook["attached"] for hook in self.recorder.status()["hooks"]),
                 "the hook")
        self.recorder.ctl("rule", "rm", "late")

    def test_each_thread_has_what_its_duty_needs(self):
        held = {}
        tids = os.listdir(f"/proc/{self.recorder.process.pid}/task")
        if SANITIZE == "thread":
            del tids[1]  # the sanitizer's own, made before main()
        for tid in tids:
            with open(f"/proc/{self.recorder.process.pid}/task/{tid}/status", encoding="utf-8") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            self.assertEqual(status["Uid"].split()[0], str(UID))
            self.assertEqual(status["NoNewPrivs"], "1", status["Name"])
            # Sanitizers make system calls of their own: a build with them has no filter.
            self.assertEqual(status["Seccomp"], "0" if SANITIZE else "2", status["Name"])
            self.assertEqual(status["CapPrm"], status["CapEff"], status["Name"])
            held.setdefault(status["Name"], set()).add(int(status["CapEff"], 16))
        self.assertEqual(held.pop("tm-sampler"), {CAP_BPF})
        for name in ("tm-names", "tm-smaps", "tm-conns"):
            self.assertEqual(held.pop(name), {CAP_SYS_PTRACE})
        self.assertGreater(len(held), 3)
        for name, capabilities in held.items():
            self.assertEqual(capabilities, {0}, name)

    def test_doctor_says_that_costs_are_not_measured_and_misses_nothing_else(self):
        wrong = {check["name"] for check in self.recorder.json("doctor")["checks"] if check["health"] != "works"}
        with open("/proc/sys/kernel/bpf_stats_enabled", encoding="utf-8") as file:
            expected = set() if file.read().strip() == "1" else {"hook costs"}
        self.assertEqual(wrong, expected)

    def test_history_is_for_its_user_alone(self):
        for name in os.listdir(self.recorder.state):
            mode = os.stat(os.path.join(self.recorder.state, name)).st_mode
            self.assertEqual(mode & 0o007, 0, name)


class SignsOfLife(ServiceCase):
    def test_ready_alive_and_stopping_are_told(self):
        recorder = Service(interval="1h")
        try:
            recorder.launch()
            wait_for(lambda: "READY=1" in recorder.told(), "ready")
            # Ticks are an hour apart, signs of life are not.
            for _ in range(3):
                wait_for(lambda: "WATCHDOG=1" in recorder.told(), "a sign of life")
            recorder.stop()
            self.assertIn("STOPPING=1", recorder.told())
        finally:
            recorder.remove()

    def test_a_passed_socket_is_used_and_left_in_place(self):
        recorder = Service()
        recorder.passed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        recorder.passed.bind(recorder.socket)
        recorder.passed.listen(128)
        os.chmod(recorder.socket, 0o666)
        recorder.popen = {"pass_fds": [recorder.passed.fileno()]}
        try:
            # A client that comes before the daemon waits for it.
            early = subprocess.Popen([f"{support.BIN}/taskmonctl", "--socket", recorder.socket, "status"],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            recorder.start()
            self.assertIn(b"taskmond", early.communicate(timeout=support.DEADLINE_S)[0])
            inode = os.stat(recorder.socket).st_ino
            recorder.stop()
            self.assertEqual(os.stat(recorder.socket).st_ino, inode)
            recorder.start()
            self.assertGreater(recorder.status()["ticks"], 0)
        finally:
            recorder.remove()


class Directories(ServiceCase):
    def test_somebody_elses_state_directory_is_refused(self):
        recorder = Recorder()
        os.mkdir(recorder.state)
        os.chown(recorder.state, UID, UID)
        try:
            done = subprocess.run(recorder.command(), capture_output=True, text=True, timeout=support.DEADLINE_S)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, re.compile(f"belongs to uid {UID}.*--state-dir"))
            self.assertEqual(os.listdir(recorder.state), [])
        finally:
            recorder.remove()


class Unit(unittest.TestCase):
    def test_exposure_is_low(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze here")
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT], capture_output=True,
                              text=True, timeout=support.DEADLINE_S, env={**os.environ, "SYSTEMD_COLORS": "0"})
        score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(score, done.stdout + done.stderr)
        print(score.group(0), file=sys.stderr)
        self.assertLess(float(score.group(1)), 3.0)


if __name__ == "__main__":
    unittest.main()
