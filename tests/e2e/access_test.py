# SPDX-License-Identifier: Apache-2.0
"""Who may see and do what: role × command × field, with real users and groups, also by ways round the fields."""
import grp
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import recorder as support
from recorder import RecorderCase, wait_for

OWNER = 64991
OTHER = 64992

# One of each kind that the kernel guards with a ptrace check, and the executable.
GUARDED = {"task_rchar_bytes", "task_write_bytes", "task_fd_count", "task_fd_limit", "task_unix_tx_bytes", "task_pss_size",
           "task_io_request_time_max", "exe"}
PUBLIC = {"comm", "cmdline", "task_pm_size", "task_cpu_percent", "task_thread_count"}
SHORT = ["rchar", "write", "fds", "fd_limit", "unix_tx", "pss", "ioreq_max", "rss", "cpu", "threads",
         "exe", "cmdline"]

# (uid, groups) of each role, and whether it sees a task of root, and one of OWNER, whole.
ROLES = {
    "other": ((OTHER, []), {"root": False, "owner": False}),
    "owner": ((OWNER, []), {"root": False, "owner": True}),
    "reader": ((OTHER, ["games"]), {"root": True, "owner": True}),
    "admin": ((OTHER, ["news"]), {"root": True, "owner": True}),
    "root": ((0, []), {"root": True, "owner": True}),
}

# Does some of everything that is guarded, all the time; the argument says how much.
BUSY = """
import os, socket, sys, time
many = int(sys.argv[1])
files = [os.open("/dev/null", os.O_RDONLY) for _ in range(many)]
a, b = socket.socketpair()
zero = os.open("/dev/zero", os.O_RDONLY)
print("busy", flush=True)
while True:
    for _ in range(many):
        os.read(zero, 1000)
        a.send(b"x" * 100)
        b.recv(100)
    time.sleep(0.02)
"""


class AccessCase(RecorderCase):
    # Groups that every Debian has and nobody here is in; taskmond knows them by name.
    config = "[access]\nreader_group = \"games\"\nadmin_group = \"news\"\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The build tree may lie where an ordinary user cannot look.
        cls.bin = tempfile.mkdtemp(prefix="taskmon-bin-")
        os.chmod(cls.bin, 0o755)
        shutil.copy(f"{support.BIN}/taskmonctl", cls.bin)
        cls.children = {}
        # These also when the rest of the setting up fails.
        cls.addClassCleanup(shutil.rmtree, cls.bin)
        cls.addClassCleanup(cls.end_children)

    @classmethod
    def end_children(cls):
        for child in cls.children.values():
            child.kill()
            child.wait()
            child.stdout.close()

    @classmethod
    def begin(cls, name, uid, many):
        python = os.path.realpath(shutil.which("python3", path="/usr/bin:/bin"))
        child = subprocess.Popen([python, "-c", BUSY, str(many)], stdout=subprocess.PIPE, user=uid, group=uid,
                                 extra_groups=[], cwd="/")
        assert child.stdout.readline() == b"busy\n"
        cls.children[name] = child

    def ask(self, role, *args):
        (uid, groups), _ = ROLES[role]
        gids = [grp.getgrnam(group).gr_gid for group in groups]
        saved, support.BIN = support.BIN, self.bin
        try:
            return self.recorder.ctl(*args, check=False, user=uid, group=uid, extra_groups=gids, cwd="/")
        finally:
            support.BIN = saved

    def rows(self, role, *args):
        """What it has of tasks: on a busy machine ticks may be missing, and a gap among them has no values."""
        done = self.ask(role, *args, "-o", "json")
        self.assertIn(done.returncode, (0, 1), f"{role} {args}: {done.stderr}")
        answer = json.loads(done.stdout)
        return [row for row in answer if "gap" not in row] if isinstance(answer, list) else answer


class Matrix(AccessCase):
    initial_rules = support.EVERYTHING + 'groups = "all"\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.begin("root", 0, 30)
        cls.begin("owner", OWNER, 30)
        # Whoever may see asks, so that smaps are read.
        for child in cls.children.values():
            ask = ("ps", f"tid == {child.pid}", "-f", ",".join(SHORT))
            wait_for(lambda: any(GUARDED <= set(row) for row in cls.recorder.json(*ask)), "all metrics of a child")
        cls.recorder.ticks(3)

    # Each command's rows about one task.
    def commands(self, tid):
        fields = ",".join(SHORT)
        return {
            "ps": ("ps", f"tid == {tid}", "-f", fields),
            "ps -H": ("ps", f"tgid == {tid}", "-H", "-f", fields),
            "ps --at": ("ps", f"tid == {tid}", "--at", "1s", "-f", fields),
            "show": ("show", str(tid)),
            "watch": ("watch", f"tid == {tid}", "--count", "2", "-f", fields),
            "history": ("history", "--tid", str(tid), "-b", "20s", "-f", fields),
            "history --step": ("history", "--tid", str(tid), "-b", "20s", "--step", "1s", "-f", fields),
            "ps over a window": ("ps", f"tid == {tid}", "-b", "20s", "-e", "now", "-f", fields),
        }

    def test_every_reading_command_gives_each_role_its_fields(self):
        for role, (_, sees) in ROLES.items():
            for whose, whole in sees.items():
                for command, args in self.commands(self.children[whose].pid).items():
                    answer = self.rows(role, *args)
                    rows = answer if isinstance(answer, list) else [answer]
                    self.assertTrue(rows, f"{role}: {command} of {whose}'s task")
                    for row in rows:
                        self.check(row, whole, f"{role}: {command} of {whose}'s task")

    def test_sums_changes_and_graphs_hide_what_rows_hide(self):
        for role, (_, sees) in ROLES.items():
            for whose, whole in sees.items():
                tid = self.children[whose].pid
                windows = ("--before", "2s..1s", "--after", "1s..now")
                for row in self.rows(role, "diff", f"tid == {tid}", *windows, "-f", "rchar"):
                    self.assertEqual(bool(row["task_rchar_bytes"]), whole, f"{role}, {whose}: {row}")
                for row in self.rows(role, "history", f"tid == {tid}", "-b", "20s", "--by", "user", "-f", "rchar"):
                    self.assertEqual("task_rchar_bytes" in row, whole, f"{role}, {whose}: {row}")
                    self.assertEqual("task_rchar_bytes" in row.get("redacted", []), not whole, f"{role}: {row}")
                plot = self.ask(role, "history", f"tid == {tid}", "-b", "20s", "--plot", "-f", "rchar")
                self.assertEqual(plot.returncode, 0, plot.stderr)
                self.assertEqual("not for this user" in plot.stdout, not whole, f"{role}: {plot.stdout}")

    def test_a_snapshot_holds_what_its_maker_may_carry_away(self):
        for role in ROLES:
            made = tempfile.mkdtemp(prefix="taskmon-snapshot-")
            self.addCleanup(shutil.rmtree, made)
            os.chmod(made, 0o777)
            path = f"{made}/incident.db"
            done = self.ask(role, "snapshot", "-b", "5s", "--output", path)
            self.assertEqual(done.returncode, 0, f"{role}: {done.stderr}")
            for whose, child in self.children.items():
                ask = ("history", "--tid", str(child.pid), "-b", "10s", "-f", "rchar", "--file", path)
                rows = [row for row in self.rows("root", *ask) if "tid" in row]
                self.assertTrue(rows, f"{role}, {whose}")
                may = role in ("admin", "root") or (role == "owner" and whose == "owner")
                for row in rows:
                    self.assertEqual("task_rchar_bytes" in row, may, f"{role}, {whose}: {row}")
                    self.assertEqual("task_rchar_bytes" in row.get("redacted", []), not may, f"{role}, {whose}: {row}")

    def check(self, row, whole, where):
        metrics = {name for name in PUBLIC if name.startswith("task_")}
        self.assertLessEqual(metrics, set(row), where)
        redacted = set(row.get("redacted", []))
        if whole:
            self.assertFalse(redacted, where)
            # History keeps guarded values; one may be unavailable in a tick, but it is not hidden.
            self.assertIn("task_rchar_bytes", row, where)
            return
        guarded = {name for name in GUARDED if name.startswith("task_")}
        self.assertLessEqual(guarded, redacted, where)
        self.assertFalse(GUARDED & set(row), where)
        self.assertNotIn("ages", row, where)

    def test_final_records_follow_the_same_rule(self):
        for whose, uid in (("root", 0), ("owner", OWNER)):
            child = subprocess.Popen(["/bin/cat", "/proc/self/status"], stdout=subprocess.DEVNULL, user=uid, group=uid,
                                     extra_groups=[], cwd="/")
            child.wait()
            ask = ("events", f"tgid == {child.pid}", "--type", "exit", "-b", "1m")
            wait_for(lambda: self.rows("root", *ask), "the exit")
            for role, (_, sees) in ROLES.items():
                event, = self.rows(role, *ask)
                self.assertEqual("task_rchar_bytes" in event, sees[whose], f"{role} of {whose}'s task")
                self.assertEqual("task_rchar_bytes" in event.get("redacted", []), not sees[whose], f"{role}, {whose}")
                self.assertEqual("exe" in event, sees[whose], f"{role} of {whose}'s task")

    def test_only_administrators_edit_rules_and_others_are_told_how(self):
        edits = (("rule", "add", "mine", "comm == x"), ("rule", "set", "everything", "--note", "x"),
                 ("rule", "disable", "everything"), ("rule", "rm", "everything"), ("rule", "rollback"),
                 ("rule", "add", "mine", "comm == x", "--dry-run"))
        for role in ("other", "owner", "reader"):
            for edit in edits:
                done = self.ask(role, *edit)
                self.assertEqual(done.returncode, 4, f"{role}: {edit}: {done.stderr}")
                self.assertIn("usermod -aG news", done.stderr)
        for role in ("admin", "root"):
            self.assertEqual(self.ask(role, *edits[0]).returncode, 0)
            self.assertEqual(self.ask(role, "rule", "rm", "mine").returncode, 0)
        for role in ROLES:
            self.assertEqual(self.ask(role, "rule", "list").returncode, 0, role)


class WaysRound(AccessCase):
    """Two tasks of root that differ in guarded values alone. Nothing that others can ask may tell them apart."""
    # "many" reads what is guarded at once, over a time, and against the past; "named" reads an executable.
    initial_rules = ("[[rule]]\nname = \"many\"\nexpr = \"fds > 100 for 400ms || anomaly(fds) && fds > 100 || total(rchar) < 0\"\n"
                     "threads = \"all\"\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.begin("few", 0, 5)
        cls.begin("many", 0, 200)
        cls.both = f"(tid == {cls.children['few'].pid} || tid == {cls.children['many'].pid})"
        wait_for(lambda: len(cls.recorder.json("ps", f"{cls.both} && fds > 0 && pss > 0 && rchar > 0", "-f", "pss")) == 2,
                 "values of both")
        wait_for(lambda: cls.recorder.json("ps", f"{cls.both} && rules == many"), "the rule")
        cls.recorder.ticks(8)

    TESTS = ["fds > 100", "fds < 100", "fds != 5", "!(fds > 100)", "!(fds < 100)", "fds in (5, 6, 7)", "rchar > 1M",
             "total(rchar) > 0", "!(total(rchar) > 0)", "unix_tx > 0", "pss > 0", "!(pss > 0)", "exe =~ python",
             "exe !~ python", "!(exe =~ python)", "fds > 100 for 400ms", "!(fds > 100 for 400ms)", "fds < 100 for 400ms",
             "!(fds > 100) for 400ms", "anomaly(fds)", "!anomaly(fds)", "anomaly(rchar, 1)", "fds > 100 && comm =~ python",
             "(fds > 100 || fds < 100) for 200ms"]

    def test_filters_on_guarded_fields_are_never_true_or_false(self):
        for test in self.TESTS:
            asked = f"{self.both} && ({test})"
            for command in (("ps", asked), ("ps", asked, "-H"), ("ps", asked, "--at", "1s"), ("history", asked, "-b", "20s"),
                            ("history", asked, "-b", "20s", "--step", "1s"), ("watch", asked, "--count", "3")):
                self.assertEqual(self.rows("other", *command), [], command)

    def test_a_filter_shows_what_its_public_part_says_for_both_alike(self):
        for test in self.TESTS:
            rows = self.rows("other", "ps", f"{self.both} && (({test}) || comm =~ python)")
            self.assertEqual(len(rows), 2, test)

    def test_that_tasks_are_left_out_is_said_whatever_they_have(self):
        for test in ("rchar > 1M", "total(rchar) >= 0", "rchar > 1M || fds < 0"):
            for command in (("ps", test, "-f", "cpu"), ("ps", test, "-f", "cpu", "-b", "20s"), ("events", test, "-b", "1m")):
                done = self.ask("other", *command, "--strict")
                self.assertEqual(done.returncode, 5, command)
                self.assertIn("rchar", done.stderr.splitlines()[0])
                self.assertIn("this user may not see are left out", done.stderr.splitlines()[0])
                done = self.ask("reader", *command)
                self.assertNotIn("left out", done.stderr, command)
            self.assertIn("are left out", self.ask("other", "rule", "test", test, "-b", "20s").stderr)
        self.assertEqual(self.ask("other", "ps", "comm =~ python", "-f", "cpu", "--strict").returncode, 0)

    def test_who_may_see_gets_answers(self):
        rows = self.recorder.json("ps", f"{self.both} && fds > 100")
        self.assertEqual([row["tid"] for row in rows], [self.children["many"].pid])

    def test_order_and_top_do_not_tell(self):
        tids = sorted(child.pid for child in self.children.values())
        for field in ("fds", "-fds", "rchar", "pss", "exe", "unix_tx"):
            for more in ((), ("--top", "1")):
                order = [row["tid"] for row in self.rows("other", "ps", self.both, f"--sort={field}", *more)]
                self.assertEqual(order, tids[:1] if more else tids, f"--sort={field} {more}")

    def test_a_trial_of_a_rule_does_not_tell(self):
        for test in self.TESTS:
            done = self.ask("other", "rule", "test", f"{self.both} && ({test})", "-b", "20s", "-o", "json")
            self.assertIn(done.returncode, (0, 1), done.stderr)
            answer = json.loads(done.stdout)
            self.assertEqual((answer["tasks"], answer["rows"]), (0, 0), test)

    def test_a_trial_of_a_rule_lists_no_metric_that_is_guarded(self):
        guarded = {"task_fd_count", "task_rchar_bytes", "task_pss_size"}
        for role, seen in (("root", guarded), ("other", set())):
            done = self.ask(role, "rule", "test", self.both, "-b", "20s", "-o", "json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(guarded & set(json.loads(done.stdout)["metrics"]), seen, role)

    def test_explanations_do_not_tell(self):
        known = self.explain("root", "many")
        self.assertIn("fds", known["detail"], "the administrator is told what decided")
        for who in ("few", "many"):
            answer = self.explain("other", who)
            self.assertFalse(answer.get("detail"))
            for rule in answer["rules"]:
                self.assertEqual(rule["matches"], "unknown", f"{who}: {rule}")
                for part in rule["parts"]:
                    self.assertEqual((part["matches"], part.get("value") or ""), ("unknown", ""), f"{who}: {part}")
        done = self.ask("other", "rule", "explain", f"{self.both} && fds > 100", "-o", "json")
        self.assertIsNone(json.loads(done.stdout)["matching_now"], "a count would tell")

    def explain(self, role, who):
        done = self.ask(role, "rule", "explain", str(self.children[who].pid), "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_events_of_rules_carry_no_values(self):
        many = self.children["many"].pid
        ask = ("events", f"tgid == {many}", "--type", "rule,threshold", "-b", "5m")
        self.assertTrue(any("fds" in json.dumps(event) for event in self.recorder.json(*ask)))
        for event in self.rows("other", *ask):
            self.assertNotIn("value", event)
            self.assertNotIn("baseline", event)
            self.assertFalse(event.get("detail"), event)

    def test_events_are_not_filtered_by_what_is_guarded(self):
        child = subprocess.Popen(["/bin/true"], cwd="/")
        child.wait()
        ask = f"tgid == {child.pid}"
        wait_for(lambda: self.rows("other", "events", ask, "--type", "exit", "-b", "1m"), "the exit")
        for test in ("rchar >= 0", "!(rchar >= 0)", "total(rchar) > 0", "exe =~ true", "exe !~ true"):
            self.assertEqual(self.rows("other", "events", f"{ask} && ({test})", "--type", "exit", "-b", "1m"), [], test)

    def test_errors_tell_nothing_of_tasks(self):
        for command in (("ps", f"{self.both} && fds > "), ("ps", self.both, "--sort", "fdz"), ("show", "999999999")):
            answers = self.ask("other", *command)
            self.assertNotEqual(answers.returncode, 0)
            self.assertNotIn("200", answers.stderr)

    def test_a_rule_on_what_is_guarded_is_warned_of(self):
        done = self.ask("root", "rule", "add", "warned", "exe =~ x && rchar > 1", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("only a task's owner may see (exe, rchar)", done.stdout + done.stderr)


class HiddenCommandLines(AccessCase):
    """/proc mounted with hidepid, as taskmond sees it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Again, in mounts of its own.
        cls.recorder.stop()
        inner = cls.recorder.command
        cls.recorder.command = lambda: ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
                                        'mount -t proc -o hidepid=invisible proc /proc; exec "$@"', "sh", *inner()]
        cls.recorder.start()
        cls.begin("root", 0, 3)
        cls.begin("owner", OWNER, 3)
        for child in cls.children.values():
            wait_for(lambda c=child: cls.recorder.json("ps", f"tid == {c.pid} && cmdline =~ socketpair"), "a child's row")

    def test_command_lines_are_guarded_then(self):
        for role, (_, sees) in ROLES.items():
            for whose, whole in sees.items():
                row, = self.rows(role, "ps", f"tid == {self.children[whose].pid}")
                self.assertEqual("cmdline" in row, whole, f"{role}: ps of {whose}'s task")
                self.assertEqual("cmdline" in row.get("redacted", []), not whole, f"{role}: ps of {whose}'s task")
                self.assertIn("comm", row)

    def test_filters_on_them_do_not_tell(self):
        own = f"tid == {self.children['root'].pid}"
        for test in ("cmdline =~ socketpair", "cmdline !~ socketpair", "!(cmdline =~ socketpair)"):
            self.assertEqual(self.rows("other", "ps", f"{own} && {test}"), [], test)


class RulesForReaders(AccessCase):
    config = AccessCase.config + "[rules]\nreadable_by = \"readers\"\n"

    def test_rules_are_read_by_readers_alone(self):
        for role in ROLES:
            for command in (("rule", "list"), ("rule", "export"), ("rule", "explain", str(os.getpid()))):
                done = self.ask(role, *command)
                if role in ("other", "owner"):
                    self.assertEqual(done.returncode, 4, f"{role}: {command}")
                    self.assertIn("usermod -aG games", done.stderr)
                else:
                    self.assertEqual(done.returncode, 0, f"{role}: {command}: {done.stderr}")


if __name__ == "__main__":
    unittest.main()
