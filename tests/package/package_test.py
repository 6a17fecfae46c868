# SPDX-License-Identifier: Apache-2.0
"""package_test.py PACKAGE.deb: installed, used, upgraded, removed and purged under a systemd of its own.

The root is an overlay over this machine's, in namespaces of its own (mounts, processes, cgroups, network), and gone
afterwards. It is the machine's kernel that is recorded; memory limits need a memory controller in cgroup v2, and
limits above those of this process need CAP_SYS_RESOURCE: where they are missing, that is said and not checked."""
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import waiting  # noqa: E402

DEADLINE_S = 60
UNITS = ["taskmond.socket", "taskmond.service"]
CAP_SYS_RESOURCE = 24


def run(*command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, **kwargs)


wait_for = functools.partial(waiting.wait_for, deadline_s=DEADLINE_S, pause_s=0.2)


class Machine:
    """A systemd in an overlay of this root."""

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="taskmon-package-")
        run("mount", "-t", "tmpfs", "none", self.base, check=True)
        self.root = f"{self.base}/root"
        for name in ("upper", "work", "root"):
            os.mkdir(f"{self.base}/{name}")
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir=/,upperdir={self.base}/upper,workdir={self.base}/work", self.root, check=True)
        for name in ("run", "tmp", "var/lib/taskmon", "etc/taskmon"):
            shutil.rmtree(f"{self.root}/{name}", ignore_errors=True)
        for name in ("run", "tmp", "proc", "sys", "dev"):
            os.makedirs(f"{self.root}/{name}", exist_ok=True)
        for name in ("usr/sbin/policy-rc.d", "etc/systemd/system/multi-user.target.wants"):
            path = f"{self.root}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)
        self.boot()

    def boot(self):
        script = """
            mount -t tmpfs -o mode=755 none "$0/run"; mount -t tmpfs -o mode=1777 none "$0/tmp"
            mount -t proc proc "$0/proc"; mount -t sysfs sysfs "$0/sys"; mount -t cgroup2 cgroup2 "$0/sys/fs/cgroup"
            mount --rbind /dev "$0/dev"
            exec env -i container=taskmon PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" /lib/systemd/systemd \
              --system --show-status=false systemd.unit=basic.target"""
        self.console = open(f"{self.base}/console", "wb")
        self.unshare = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--uts",
                                         "--ipc", "--net", "sh", "-ec", script, self.root],
                                        stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        self.init = wait_for(self.find_init, "systemd to begin")
        wait_for(lambda: self.sh("systemctl is-system-running").stdout.strip() in ("running", "degraded"), "systemd")

    def find_init(self):
        with open(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children", encoding="utf-8") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/comm", encoding="utf-8") as comm:
                    if comm.read().strip() == "systemd":
                        return int(child)
        if self.unshare.poll() is not None:
            with open(f"{self.base}/console", encoding="utf-8", errors="replace") as file:
                raise AssertionError("systemd does not start here: " + file.read())
        return None

    def sh(self, script, user=None):
        command = ["nsenter", "-t", str(self.init), "-m", "-p", "-C", "-i", "-u", "-n", "-r", "-w"]
        if user:
            command += ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env"]
        return run(*command, "sh", "-c", script, stdin=subprocess.DEVNULL)

    def ok(self, script, user=None):
        done = self.sh(script, user)
        assert done.returncode == 0, f"{script}: exit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, command, user=None):
        done = self.sh(f"taskmonctl {command} -o json", user)
        assert done.returncode in (0, 1), f"{command}: exit {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def show(self, name, unit="taskmond.service"):
        return self.ok(f"systemctl show -P {name} {unit}").strip()

    def end(self):
        self.unshare.kill()
        self.unshare.wait()
        self.console.close()
        run("umount", "-l", self.base)
        os.rmdir(self.base)


def repack(package, version, directory):
    """The same package as another version, with a default changed in its configuration."""
    tree = f"{directory}/tree"
    run("dpkg-deb", "-R", package, tree, check=True)
    for path, old, new in ((f"{tree}/DEBIAN/control", r"(?m)^Version: .*", f"Version: {version}"),
                           (f"{tree}/etc/taskmon/taskmond.toml", 'max_age = "7d"', 'max_age = "8d"')):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(old, new, text))
    path = f"{directory}/taskmon_{version}.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, path, check=True)
    shutil.rmtree(tree)
    return path


class PackageTest(unittest.TestCase):
    """Each test goes on from the one before it."""

    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        shutil.copy(PACKAGE, f"{cls.machine.root}/root/first.deb")
        version = run("dpkg-deb", "-f", PACKAGE, "Version").stdout.strip()
        cls.next_version = version + "+next"
        shutil.copy(repack(PACKAGE, cls.next_version, cls.machine.base), f"{cls.machine.root}/root/second.deb")
        cls.ok, cls.sh, cls.json, cls.show = (cls.machine.ok, cls.machine.sh, cls.machine.json, cls.machine.show)

    @classmethod
    def tearDownClass(cls):
        cls.machine.end()

    def wait_active(self):
        wait_for(lambda: self.show("ActiveState") == "active", "taskmond to be active")

    def test_10_installed_it_runs_at_once_and_after_a_boot(self):
        self.ok("dpkg -i /root/first.deb")
        self.wait_active()
        for unit in UNITS:
            self.assertEqual(self.ok(f"systemctl is-enabled {unit}").strip(), "enabled")
        self.assertEqual(self.ok("getent passwd taskmon").split(":")[6].strip(), "/usr/sbin/nologin")
        self.ok("getent group taskmon taskmon-admin")
        self.assertEqual(self.ok("stat -c '%U %a' /var/lib/taskmon").strip(), "taskmon 700")
        self.ok("systemd-analyze verify --man=no /lib/systemd/system/taskmond.service "
                "/lib/systemd/system/taskmond.socket /lib/systemd/system/taskmon-exporter.service")
        self.assertEqual(self.sh("systemctl is-enabled taskmon-exporter").stdout.strip(), "disabled")
        self.ok("taskmond --check-config")

    def test_11_its_unit_is_in_force(self):
        pid = self.show("MainPID")
        status = self.ok(f"cat /proc/{pid}/task/*/status")
        self.assertEqual(set(re.findall(r"(?m)^NoNewPrivs:\t(.*)$", status)), {"1"})
        self.assertEqual(set(re.findall(r"(?m)^Seccomp:\t(.*)$", status)), {"2"})
        held = {int(mask, 16) for mask in re.findall(r"(?m)^CapEff:\t(.*)$", status)}
        self.assertEqual(held, {0, 1 << 19, 1 << 39})
        self.assertEqual(self.ok(f"ps -o user= -p {pid}").strip(), "taskmon")
        score = float(re.search(r"level for \S+: ([0-9.]+)", self.ok("systemd-analyze security --no-pager taskmond")).group(1))
        print(f"systemd-analyze security: {score}", file=sys.stderr)
        self.assertLess(score, 3.0)
        with open("/proc/self/status", encoding="utf-8") as file:
            may_raise = int(re.search(r"CapEff:\s*(\w+)", file.read()).group(1), 16) >> CAP_SYS_RESOURCE & 1
        if may_raise:
            self.assertEqual(self.ok(f"cat /proc/{pid}/oom_score_adj").strip(), "-500")
            self.assertIn("-20", self.ok(f"ps -L -o ni= -p {pid}"))
        else:
            print("not checked: OOMScoreAdjust and LimitNICE, without CAP_SYS_RESOURCE here", file=sys.stderr)
        if "memory" in self.ok("cat /sys/fs/cgroup/cgroup.controllers").split():
            self.assertEqual(self.ok("cat /sys/fs/cgroup/system.slice/taskmond.service/memory.max").strip(), str(768 << 20))
        else:
            print("not checked: MemoryMax, without the memory controller in cgroup v2 here", file=sys.stderr)

    def test_12_an_ordinary_user_uses_it(self):
        self.ok("useradd --no-create-home ordinary")
        # Not by its number, which is another one in these namespaces.
        row, = wait_for(lambda: self.json("ps 'comm == taskmond'", "ordinary"), "taskmond's own row")
        self.assertEqual((row["user"], row["comm"]), ("taskmon", "taskmond"))
        self.assertIn("task_rchar_bytes", row["redacted"])
        for command, words in (("rule add mine 'comm == x'", "taskmon-admin"), ("rule disable applications", "taskmon-admin")):
            done = self.sh(f"taskmonctl {command}", "ordinary")
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn(words, done.stderr)
        self.assertNotEqual(self.sh("cat /var/lib/taskmon/history.db", "ordinary").returncode, 0)

    def test_13_groups_grant_more(self):
        self.ok("usermod -aG taskmon ordinary")
        row, = self.json("ps 'comm == taskmond'", "ordinary")
        self.assertIn("task_rchar_bytes", row)
        self.assertEqual(self.sh("taskmonctl rule add mine 'comm == x'", "ordinary").returncode, 4)
        self.ok("usermod -aG taskmon-admin ordinary")
        self.ok("taskmonctl rule add mine 'comm == x'", "ordinary")

    def test_14_clients_wait_through_a_restart(self):
        self.ok("systemctl stop taskmond.service")
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.ok("taskmonctl status", "ordinary")  # by the socket
        self.wait_active()
        codes = self.ok("(systemctl restart taskmond.service) & for i in $(seq 8); do taskmonctl status >/dev/null; echo $?;"
                        " done; wait").split()
        self.assertEqual(set(codes), {"0"})

    def test_15_one_that_hangs_is_started_anew(self):
        self.ok("mkdir -p /run/systemd/system/taskmond.service.d && printf '[Service]\\nWatchdogSec=3s\\n' >"
                "/run/systemd/system/taskmond.service.d/test.conf && systemctl daemon-reload && systemctl restart taskmond")
        self.wait_active()
        before = self.show("MainPID")
        time.sleep(4)
        self.assertEqual(self.show("MainPID"), before, "it gives signs of life")
        self.ok("systemctl kill --signal=STOP taskmond.service")
        wait_for(lambda: self.show("MainPID") not in (before, "0") and self.show("ActiveState") == "active", "a new one")
        self.ok("rm -r /run/systemd/system/taskmond.service.d && systemctl daemon-reload")

    def test_16_its_manual_pages_are_found_and_read(self):
        for page, word in (("1 taskmonctl", "--json-schema"), ("5 taskmond.toml", "max_age"), ("7 taskmon-expressions", "anomaly"),
                           ("7 taskmon-metrics", "task_cpu_percent"), ("8 taskmond", "taskmonctl")):
            self.assertIn(word, self.ok(f"MANWIDTH=120 man --pager=cat {page} | col -b"), page)

    def test_17_shells_complete_its_command_lines(self):
        for shell, path in (("bash", "bash-completion/completions/taskmonctl"), ("zsh", "zsh/vendor-completions/_taskmonctl"),
                            ("fish", "fish/vendor_completions.d/taskmonctl.fish")):
            self.ok(f"taskmonctl completion {shell} | cmp - /usr/share/{path}")
        words = self.ok("bash -c '. /usr/share/bash-completion/completions/taskmonctl; COMP_WORDS=(taskmonctl his);"
                        " COMP_CWORD=1; COMP_LINE=\"taskmonctl his\"; COMP_POINT=14; _taskmonctl; echo \"${COMPREPLY[@]}\"'")
        self.assertEqual(words.split(), ["history"])

    def test_18_its_exporter_is_scraped_with_no_rights_but_its_group(self):
        self.ok("systemctl start taskmon-exporter.service")
        scrape = ("/usr/bin/python3 -c 'import urllib.request as r;"
                  " print(r.urlopen(r.Request(\"http://127.0.0.1:9843/metrics\","
                  " headers={\"Accept\": \"application/openmetrics-text\"}), timeout=10).read().decode())'")
        wanted = [rf"(?m)^{name}\w*\{{app=[^}}]*\}} [0-9]" for name in
                  ("taskmon_task_utime", "taskmon_task_rchar")]  # the second is guarded; its group sees it

        def page():  # counters begin at the second tick
            text = self.sh(scrape).stdout
            return text if all(re.search(each, text) for each in wanted) else None
        text = wait_for(page, "a page with counters")
        self.assertTrue(text.rstrip().endswith("# EOF"), text[-200:])
        pid = self.show("MainPID", "taskmon-exporter.service")
        status = self.ok(f"cat /proc/{pid}/status")
        self.assertRegex(status, r"(?m)^CapEff:\t0+$")
        self.assertNotRegex(status, r"(?m)^Uid:\t0\t")
        self.ok("systemctl restart taskmond.service")  # it outlives the one that it asks
        self.wait_active()
        wait_for(lambda: self.sh(scrape).stdout.rstrip().endswith("# EOF"), "a page afterwards")
        self.assertEqual(self.show("MainPID", "taskmon-exporter.service"), pid)
        score = float(re.search(r"level for \S+: ([0-9.]+)",
                                self.ok("systemd-analyze security --no-pager taskmon-exporter")).group(1))
        print(f"systemd-analyze security of the exporter: {score}", file=sys.stderr)
        self.assertLess(score, 3.0)
        self.ok("systemctl stop taskmon-exporter.service")
        self.assertEqual(self.show("ActiveState", "taskmon-exporter.service"), "inactive", "stopped, not failed")

    def test_20_an_upgrade_keeps_history_rules_and_configuration(self):
        self.ok("sed -i 's/^interval = .*/interval = \"500ms\"/' /etc/taskmon/taskmond.toml && systemctl restart taskmond")
        self.wait_active()
        before = self.json("status")
        self.assertEqual(before["interval_ms"], 500)
        pid = self.show("MainPID")
        self.ok("dpkg --force-confold -i /root/second.deb")
        self.wait_active()
        self.assertNotEqual(self.show("MainPID"), pid, "the new one runs")
        self.assertEqual(self.ok("dpkg-query -W -f='${Version}' taskmon"), self.next_version)
        after = self.json("status")
        self.assertEqual(after["oldest_time"], before["oldest_time"])
        self.assertEqual(after["interval_ms"], 500)
        self.assertIn("mine", {rule["name"] for rule in self.json("rule list")})
        at = before["newest_time"] if "newest_time" in before else before["oldest_time"]
        self.assertTrue(self.json(f"ps --at {at} --top 1"), "from before the upgrade")
        self.assertTrue(os.path.exists(f"{self.machine.root}/etc/taskmon/taskmond.toml.dpkg-dist"))

    def test_30_removed_it_leaves_history_and_configuration(self):
        self.ok("dpkg -r taskmon")
        self.assertNotEqual(self.sh("systemctl is-active taskmond.service taskmond.socket").stdout.split(), ["active", "active"])
        self.assertEqual(self.sh("pgrep -x taskmond").returncode, 1)
        self.ok("test -s /var/lib/taskmon/history.db && test -e /etc/taskmon/taskmond.toml")
        self.assertNotEqual(self.sh("test -e /usr/sbin/taskmond").returncode, 0)

    def test_31_installed_again_it_goes_on(self):
        self.ok("dpkg -i /root/second.deb")
        self.wait_active()
        self.assertEqual(self.json("status")["interval_ms"], 500)
        self.assertIn("mine", {rule["name"] for rule in self.json("rule list")})

    def test_40_purged_it_leaves_nothing(self):
        self.ok("dpkg --purge taskmon")
        self.assertEqual(self.sh("pgrep -x taskmond").returncode, 1)
        for path in ("/var/lib/taskmon", "/etc/taskmon", "/run/taskmon/taskmond.sock", "/usr/bin/taskmonctl",
                     "/etc/systemd/system/taskmond.service", "/etc/systemd/system/multi-user.target.wants/taskmond.service",
                     "/etc/systemd/system/sockets.target.wants/taskmond.socket"):
            self.assertNotEqual(self.sh(f"test -e {path} || test -L {path}").returncode, 0, path)
        self.assertEqual(self.sh("dpkg-query -W taskmon").returncode, 1)


if __name__ == "__main__":
    if len(sys.argv) < 2 or os.geteuid() != 0:
        sys.exit("package_test.py PACKAGE.deb: as root")
    if os.environ.get("TASKMON_MOUNTS") != "own":
        # What is mounted here is nobody else's.
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv],
                   {**os.environ, "TASKMON_MOUNTS": "own"})
    PACKAGE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
