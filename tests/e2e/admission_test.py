# SPDX-License-Identifier: Apache-2.0
"""What rules do to tasks: the five conditions live, what is stored of whom, and what an edit leaves alone."""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

from recorder import BIN, RecorderCase, wait_for

STANDIN = os.path.join(BIN, "e2e_standin")

# Does what it is told by lines: a signal to itself, another name, owner or program.
PUPPET = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
signal.signal(signal.SIGUSR1, lambda *_: None)
print('ready', flush=True)
for line in sys.stdin:
    word, _, rest = line.strip().partition(' ')
    if word == 'name': libc.prctl(15, rest.encode(), 0, 0, 0)
    if word == 'uid': os.setresuid(int(rest), int(rest), 0)
    if word == 'signal': os.kill(os.getpid(), signal.SIGUSR1)
    if word == 'exec': os.execv(rest, [rest])
    if word == 'fork' and os.fork() == 0:
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)
        signal.pause()
    print('done', flush=True)
"""


class AdmissionCase(RecorderCase):
    def start(self, *args, **kwargs):
        """A process that lives until the test is over, or its input is closed."""
        process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=kwargs.pop("stdout", subprocess.DEVNULL),
                                   stderr=subprocess.DEVNULL, text=True, **kwargs)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def puppet(self):
        process = self.start(sys.executable, "-c", PUPPET, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def tell(self, puppet, line):
        puppet.stdin.write(line + "\n")
        puppet.stdin.flush()
        if not line.startswith("exec"):
            self.assertEqual(puppet.stdout.readline(), "done\n")

    def standin(self, name, *args, **kwargs):
        """A process of that name with those arguments."""
        path = os.path.join(self.recorder.directory, name)
        if not os.path.exists(path):
            shutil.copy(STANDIN, path)
        return self.start(path, *args, **kwargs)

    def explain(self, pid):
        return self.recorder.json("rule", "explain", str(pid))

    def decided(self, pid, rule, outcome="tracked"):
        """The explanation, once the process is with that rule."""
        def find():
            result = self.recorder.ctl("rule", "explain", str(pid), "-o", "json", check=False)
            if result.returncode != 0:
                return None
            answer = self.explain(pid)
            now = answer
            return answer if (now.get("rule"), now["outcome"]) == (rule, outcome) else None
        try:
            return wait_for(find, f"{pid} to be {outcome} by {rule}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.recorder.ctl('rule', 'explain', str(pid), check=False)}") from error

    def rule(self, *args):
        return self.recorder.ctl("rule", *args)

    def apply(self, text):
        path = os.path.join(self.recorder.directory, "rules.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.rule("apply", "-f", path)


class Applications(AdmissionCase):
    """Condition 1, with the shipped rules."""

    def recognized(self, process, app, comm=None):
        def find():
            rows = self.recorder.json("ps", f"tid == {process.pid} && app == {app}")
            return rows and rows[0]
        row = wait_for(find, f"{app} to be recognized")
        self.assertEqual(row["rules"], ["applications"])
        self.assertTrue(row["tracked"])
        if comm:
            self.assertEqual(row["comm"], comm)
        explained = self.decided(process.pid, "applications")
        self.assertIn(explained["occasion"], ("exec", "names read", "rename"))
        return row

    def program(self, pattern):
        found = sorted(glob.glob(pattern))
        if not found:
            self.skipTest(f"{pattern} is not installed; ./dev test installs it")
        return found[-1]

    def file(self, name, text):
        path = os.path.join(self.recorder.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_redis(self):
        server = self.start(self.program("/usr/bin/redis-server"), "--port", "0", "--save", "", "--unixsocket",
                            os.path.join(self.recorder.directory, "redis.sock"), "--dir", self.recorder.directory)
        self.recognized(server, "redis", "redis-server")

    def test_nginx(self):
        directory = self.recorder.directory
        config = self.file("nginx.conf", f"daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx.log;\n"
                           f"events {{}}\nhttp {{ access_log off; server {{ listen unix:{directory}/nginx.sock; }} }}\n")
        master = self.start(self.program("/usr/sbin/nginx"), "-c", config, "-p", directory)
        self.addCleanup(master.wait)
        self.addCleanup(master.terminate)  # first of all, so that it takes its worker with it
        self.recognized(master, "nginx", "nginx")
        worker = wait_for(lambda: self.recorder.json("ps", f"ppid == {master.pid} && app == nginx"), "a worker")[0]
        self.assertEqual(worker["rules"], ["applications"])

    def test_haproxy(self):
        directory = self.recorder.directory
        config = self.file("haproxy.cfg", "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n"
                           f" timeout server 1s\nfrontend f\n bind unix@{directory}/haproxy.sock\n default_backend b\n"
                           "backend b\n server s 127.0.0.1:1\n")
        server = self.start(self.program("/usr/sbin/haproxy"), "-db", "-f", config)
        self.recognized(server, "haproxy", "haproxy")

    def test_postgres(self):
        postgres = self.program("/usr/lib/postgresql/*/bin/postgres")
        data = os.path.join(self.recorder.directory, "pg")
        os.mkdir(data)
        owner = pwd.getpwnam("postgres")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": "/"}
        subprocess.run([os.path.join(os.path.dirname(postgres), "initdb"), "-D", data, "-A", "trust", "-N",
                        "--no-instructions"], check=True, capture_output=True, **user)
        server = self.start(postgres, "-D", data, "-k", data, "-c", "listen_addresses=", **user)
        self.addCleanup(server.wait)
        self.addCleanup(server.send_signal, signal.SIGQUIT)
        self.recognized(server, "postgres", "postgres")
        def titled():
            return self.recorder.json("ps", f"ppid == {server.pid} && cmdline =~ checkpointer && app == postgres")
        self.assertEqual(wait_for(titled, "the checkpointer by its title")[0]["rules"], ["applications"])

    def test_java_programs_by_their_main_class(self):
        lines = {"tomcat": ["-Djava.awt.headless=true", "-classpath", "/usr/share/tomcat10/bin/bootstrap.jar",
                            "-Dcatalina.base=/var/lib/tomcat10", "org.apache.catalina.startup.Bootstrap", "start"],
                 "kafka": ["-Xmx1G", "-cp", ":".join(f"/opt/kafka/libs/library-{i}.jar" for i in range(400)),
                           "kafka.Kafka", "config/server.properties"],
                 "zookeeper": ["-Xmx512M", "org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"],
                 "jboss": ["-D[Standalone]", "-jar", "/opt/jboss/wildfly/jboss-modules.jar", "org.jboss.as.standalone"],
                 "java": ["-jar", "/srv/app.jar"]}
        started = {app: self.standin("java", *args) for app, args in lines.items()}
        for app, process in started.items():
            with self.subTest(app=app):
                self.recognized(process, app, "java")


class Conditions(AdmissionCase):
    """Conditions 2 to 5, with the shipped rules; one connection was open before taskmond started."""

    @classmethod
    def setUpClass(cls):
        cls.old_pair = cls.connect()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for process in cls.old_pair:
            cls.end(process)

    @classmethod
    def connect(cls):
        """A server and its client, in processes of their own."""
        server = subprocess.Popen([sys.executable, "-c",
                                   "import socket,sys\ns=socket.socket()\ns.bind(('127.0.0.1',0))\ns.listen()\n"
                                   "print(s.getsockname()[1],flush=True)\nc=s.accept()\nsys.stdin.read()"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = server.stdout.readline().strip()
        client = subprocess.Popen([sys.executable, "-c",
                                   f"import socket,sys\nc=socket.create_connection(('127.0.0.1',{port}))\n"
                                   "print('up',flush=True)\nsys.stdin.read()"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        client.stdout.readline()
        return server, client

    def test_2_key_kernel_threads(self):
        rows = self.recorder.json("ps", 'kthread && comm =~ "^(kswapd|ksoftirqd/)"')
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(row["rules"], ["key-kernel-threads"])
        explained = self.decided(rows[0]["tid"], "key-kernel-threads")
        self.assertEqual(explained["occasion"], "start")

    def test_3_programs_that_the_user_names(self):
        self.rule("set", "my-programs", "--expr", "comm == my-server")
        self.rule("enable", "my-programs")
        process = self.standin("my-server")
        self.decided(process.pid, "my-programs")
        self.rule("disable", "my-programs")
        self.decided(process.pid, None, "baseline")
        self.assertEqual(self.explain(process.pid)["occasion"], "rules edited")

    def test_4_connections_old_and_new(self):
        for process in self.old_pair:
            self.decided(process.pid, "connections")
        server, client = self.connect()
        self.addCleanup(self.end, server)
        self.addCleanup(self.end, client)
        explained = self.decided(client.pid, "connections")
        self.assertEqual(explained["occasion"], "connection")
        silent = self.standin("silent")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM):
            self.decided(silent.pid, None, "baseline")

    def test_5_abnormal_use_is_promoted_held_told_and_released(self):
        begin = f"@{time.time() - 1:.3f}"
        self.rule("add", "burning", "comm == burner && cpu > 5% for 1s", "--hold", "2s", "--order", "1")
        self.addCleanup(self.rule, "rm", "burning")
        process = self.standin("burner", "--burn")
        explained = self.decided(process.pid, "burning")
        self.assertEqual(explained["occasion"], "threshold")
        self.assertIn("cpu", explained["detail"])
        process.send_signal(signal.SIGSTOP)
        self.decided(process.pid, None, "baseline")
        self.assertEqual(self.explain(process.pid)["occasion"], "hold over")

        def told():
            events = self.recorder.json("events", f"tid == {process.pid}", "--type", "threshold,rule", "-b", begin)
            events = [event for event in events if event["tid"] == process.pid]  # edits belong to no task
            rules = [event for event in events if event["type"] == "rule"]
            return events if len(events) >= 4 and not rules[-1]["begins"] else None
        events = wait_for(told, "the events of a promotion and its end")
        thresholds = [event for event in events if event["type"] == "threshold"]
        self.assertEqual([event["begins"] for event in thresholds][:2], [True, False])
        first = thresholds[0]
        self.assertEqual((first["rule"], first["metric"], first["baseline"]), ("burning", "task_cpu_percent", 5))
        self.assertGreater(first["value"], 5)
        changes = [(event["rule"], event["begins"]) for event in events if event["type"] == "rule"]
        self.assertEqual(changes[0], ("burning", True))
        self.assertEqual(changes[-1], ("burning", False))
        # On a busy machine it may have come and gone more than once.
        held = ([e for e in events if e["type"] == "rule"][-1]["time_ns"] - thresholds[-1]["time_ns"]) / 1e9
        self.assertGreaterEqual(held, 1.9)

    def test_wanted_hooks_name_the_rule(self):
        def reasons():
            return {hook["name"]: hook["reason"] for hook in self.recorder.status()["hooks"]}
        wait_for(lambda: "wanted by rule applications" in reasons()["signal_deliver"], "the reason")
        reasons = reasons()
        self.assertTrue(reasons["sys_exit"].startswith("not wanted"), reasons["sys_exit"])
        self.rule("add", "failing", "sysfails > 1000", "--groups", "cpu", "--order", "2")
        wait_for(lambda: any(h["name"] == "sys_exit" and h["reason"] == "wanted by rule failing"
                             for h in self.recorder.status()["hooks"]), "the hook that an expression reads")
        self.rule("rm", "failing")


class Moments(AdmissionCase):
    """Matched again at each event that changes who a task is."""
    RULES = """
[[rule]]
name = "named"
expr = 'comm == puppet'
[[rule]]
name = "owned"
expr = 'uid == 65534'
[[rule]]
name = "moved"
expr = 'cgroup =~ "taskmon-e2e"'
[[rule]]
name = "executed"
expr = 'comm == executed'
"""

    def setUp(self):
        self.apply(self.RULES)

    def test_rename(self):
        puppet = self.puppet()
        self.decided(puppet.pid, None, "baseline")
        self.tell(puppet, "name puppet")
        self.assertEqual(self.decided(puppet.pid, "named")["occasion"], "rename")
        self.tell(puppet, "name other")
        answer = self.decided(puppet.pid, None, "baseline")
        self.assertEqual(answer["before"][0]["rule"], "named")

    def test_setuid(self):
        puppet = self.puppet()
        self.tell(puppet, "uid 65534")
        self.assertEqual(self.decided(puppet.pid, "owned")["occasion"], "owner")

    def test_exec_ends_what_was_inherited(self):
        puppet = self.puppet()
        self.tell(puppet, "name puppet")
        self.decided(puppet.pid, "named")
        executed = os.path.join(self.recorder.directory, "executed")
        shutil.copy(STANDIN, executed)
        self.tell(puppet, "exec " + executed)
        answer = self.decided(puppet.pid, "executed")
        self.assertEqual(answer["occasion"], "exec")

    def test_child_has_its_parents_rule_from_birth(self):
        puppet = self.puppet()
        self.tell(puppet, "name puppet")
        self.decided(puppet.pid, "named")
        self.tell(puppet, "fork")
        child = wait_for(lambda: self.recorder.json("ps", f"ppid == {puppet.pid}"), "the child")[0]
        self.assertEqual(child["rules"], ["named"])
        self.assertEqual(self.explain(child["tid"])["occasion"], "born")

    def test_cgroup_move(self):
        mounted = os.path.join(self.recorder.directory, "cgroup2")
        os.mkdir(mounted)
        subprocess.run(["mount", "-t", "cgroup2", "none", mounted], check=True)
        self.addCleanup(subprocess.run, ["umount", mounted], check=True)
        group = f"{mounted}/taskmon-e2e-{os.getpid()}"
        os.mkdir(group)
        puppet = self.puppet()
        self.addCleanup(os.rmdir, group)
        self.addCleanup(self.end, puppet)
        self.decided(puppet.pid, None, "baseline")
        with open(f"{group}/cgroup.procs", "w", encoding="utf-8") as file:
            file.write(str(puppet.pid))
        self.assertIn(self.decided(puppet.pid, "moved")["occasion"], ("cgroup", "names read"))


class Edits(AdmissionCase):
    def test_counters_of_a_running_task_survive_every_edit(self):
        puppet = self.puppet()
        self.tell(puppet, "name puppet")
        self.rule("add", "a", "comm == puppet", "--order", "1")
        self.decided(puppet.pid, "a")
        for _ in range(5):
            self.tell(puppet, "signal")
        fields = "task_signal_count,task_runtime_ns,task_voluntary_switch_count"

        def row():
            found, = self.recorder.json("ps", f"tid == {puppet.pid}", "-f", fields + ",rules")
            return found
        before = wait_for(lambda: (r := row())["task_signal_count"] >= 5 and r, "five signals")
        self.assertEqual(before["task_signal_count"], 5)
        edits = [("add", "b", "comm == other", "--order", "2"), ("set", "a", "--expr", "comm in (puppet, x)"),
                 ("rm", "b"), ("disable", "a"), ("enable", "a")]
        for edit in edits:
            self.rule(*edit)
            self.recorder.ticks(2)
            now = row()
            for name in fields.split(","):
                self.assertGreaterEqual(now[name], before[name], (edit, name))
            self.assertEqual(now["task_signal_count"], 5, edit)
        for _ in range(3):
            self.tell(puppet, "signal")
        wait_for(lambda: row()["task_signal_count"] == 8, "three more signals")
        self.rule("rm", "a")

    def test_matched_counts_and_rules_that_match_nothing(self):
        self.standin("counted")
        self.standin("counted")
        self.rule("add", "counted", "comm == counted", "--order", "3")
        self.rule("add", "nobody", "comm == nobody-has-it", "--order", "4")
        def rows():
            return {row["name"]: row for row in self.recorder.json("rule", "list")}
        wait_for(lambda: rows()["counted"]["matched"] == 2, "two to match")
        self.assertEqual(rows()["nobody"]["matched"], 0)
        self.rule("rm", "counted", "nobody")


class Stored(AdmissionCase):
    """Thread rows of a promoted process, those of the minutes before included."""

    def test_past_of_a_promoted_task_is_stored(self):
        self.apply("[[rule]]\nname = 'nobody'\nexpr = 'comm == nobody'\n")
        process = self.standin("burner", "--burn")
        self.recorder.ticks(10)
        thread = next(int(tid) for tid in os.listdir(f"/proc/{process.pid}/task") if int(tid) != process.pid)
        begin = f"@{time.time() - 1.5:.3f}"
        def rows():
            result = self.recorder.ctl("history", "-H", "--tid", str(thread), "-b", begin, "-o", "json", check=False)
            return result.stdout if result.returncode == 0 else ""
        self.assertIn(rows().strip(), ("", "[]"), "baseline: the process alone is stored")
        promoted_at = time.time()
        self.rule("add", "burning", "comm == burner")
        self.decided(process.pid, "burning")

        def past():
            stored = self.recorder.json("history", "-H", "--tid", str(thread), "-b", begin)
            return [row for row in stored if row["time_ns"] < (promoted_at - 0.3) * 1e9]
        earlier = wait_for(past, "rows from before the promotion")
        self.assertGreaterEqual(len(earlier), 2)
        self.assertGreater(earlier[-1]["task_runtime_ns"], earlier[0]["task_runtime_ns"])


class BaselineNone(AdmissionCase):
    """Only what a rule wants is sent up, shown and stored; the books stay closed."""

    initial_rules = ("[[rule]]\nname = 'wanted'\nexpr = 'comm == wanted'\n"
                     "[[rule]]\nname = 'spoken'\nexpr = 'cmdline =~ \"--speak\"'\n")
    config = "[baseline]\nkeep = \"none\"\n"

    def test_only_tracked_processes_are_shown(self):
        wanted = self.standin("wanted")
        spoken = self.standin("other", "--speak")
        silent = self.standin("other")
        self.decided(wanted.pid, "wanted")
        self.decided(spoken.pid, "spoken")
        self.recorder.ticks(3)
        shown = {row["tid"] for row in self.recorder.json("ps")}
        self.assertLessEqual({wanted.pid, spoken.pid}, shown)
        self.assertNotIn(silent.pid, shown)
        rows = self.recorder.json("ps")
        self.assertTrue(all(row["tracked"] for row in rows), rows)
        stored = wait_for(lambda: self.recorder.json("history", f"tid == {wanted.pid}", "-b", "1m"), "history")
        self.assertTrue(stored)
        self.assertEqual(self.recorder.json("history", f"tid == {silent.pid}", "-b", "1m"), [])

    def test_a_process_becomes_wanted_and_unwanted_again(self):
        puppet = self.puppet()
        self.recorder.ticks(3)
        self.assertEqual(self.recorder.json("ps", f"tid == {puppet.pid}"), [])
        for _ in range(3):
            self.tell(puppet, "signal")
        self.tell(puppet, "name wanted")
        row = wait_for(lambda: self.recorder.json("ps", f"tid == {puppet.pid}"), "it to be shown")[0]
        self.assertEqual(row["rules"], ["wanted"])
        self.assertGreaterEqual(row.get("task_signal_count", 3), 3, "what it did before is not lost")
        self.tell(puppet, "name other")
        wait_for(lambda: self.recorder.json("ps", f"tid == {puppet.pid}") == [], "it to be left out again")

    def test_books_stay_closed(self):
        burner = self.standin("other", "--burn")
        wait_for(lambda: self.recorder.status()["uptime_s"] > 12, "some seconds to account for")
        self.end(burner)
        self.recorder.ticks(3)
        accounted = self.recorder.status()["accounted_cpu_percent"]
        self.assertGreater(accounted, 95)
        self.assertLess(accounted, 105)


class Trials(AdmissionCase):
    def test_a_trial_counts_what_a_rule_would_have_kept(self):
        process = self.standin("tried", "--burn")
        self.standin("idle-one")
        self.recorder.ticks(8)
        trial = self.recorder.json("rule", "test", "comm == tried", "-b", "1m")
        self.assertEqual(trial["tasks"], 1)
        self.assertGreaterEqual(trial["rows"], 4)
        self.assertGreater(trial["tasks_seen"], 1)
        self.assertIsNone(trial["bytes_per_day"], "the history is too young")
        self.assertIn("task_runtime_ns", trial["metrics"])
        self.assertEqual(trial["examples"][0]["tid"], process.pid)
        nothing = self.recorder.json("rule", "test", "comm == nobody-has-it", "-b", "1m")
        self.assertEqual((nothing["tasks"], nothing["rows"]), (0, 0))

    def test_explanation_of_an_expression_tells_stages(self):
        answer = self.recorder.json("rule", "explain", "comm == nginx || cmdline =~ x || cpu > 80% for 10s")
        self.assertEqual([part["stage"] for part in answer["parts"]], ["kernel", "user", "tick"])


if __name__ == "__main__":
    unittest.main()
