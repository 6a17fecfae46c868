# SPDX-License-Identifier: Apache-2.0
"""Rules edited while taskmond runs: every edit, what refuses one, and what survives a restart and a kill."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import recorder as support
from recorder import Recorder, RecorderCase, wait_for

NOBODY = 65534
COLUMNS = {"name", "order", "expr", "action", "groups", "threads", "hold", "enabled", "matched", "stage", "note"}


class RulesCase(RecorderCase):
    def rule(self, *args, **kwargs):
        return self.recorder.ctl("rule", *args, **kwargs)

    def rules(self):
        return {row["name"]: row for row in self.recorder.json("rule", "list")}

    def version(self):
        return self.recorder.json("rule", "versions")[0]["version"]

    def refused(self, *args, code=2):
        """The one line that a refused command says; the rules stay as they are."""
        before = self.rule("export").stdout
        result = self.rule(*args, check=False)
        self.assertEqual(result.returncode, code, result)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertEqual(self.rule("export").stdout, before)
        return result.stderr

    def file(self, text):
        path = os.path.join(self.recorder.directory, "rules.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def reset(self):
        self.rule("apply", "-f", self.file("[[rule]]\nname = 'base'\nexpr = 'kthread'\n"))


class Editing(RulesCase):
    def setUp(self):
        self.reset()

    def test_a_rule_is_added_changed_switched_and_removed(self):
        self.rule("add", "web", "comm == nginx", "--threads", "top:5", "--hold", "90s", "--note", "front end")
        row = self.rules()["web"]
        self.assertLessEqual(COLUMNS, set(row))
        self.assertEqual((row["order"], row["expr"], row["action"], row["threads"], row["hold"], row["enabled"]),
                         (20, "comm == nginx", "track", "top:5", "90s", True))
        self.rule("set", "web", "--groups", "cpu,io", "--order", "5", "--action", "drop")
        row = self.rules()["web"]
        self.assertEqual((row["groups"], row["order"], row["action"], row["note"]), (["cpu", "io"], 5, "drop", "front end"))
        self.rule("disable", "web", "base")
        self.assertFalse(self.rules()["web"]["enabled"] or self.rules()["base"]["enabled"])
        self.rule("enable", "web")
        self.assertTrue(self.rules()["web"]["enabled"])
        self.rule("rm", "web")
        self.assertEqual(set(self.rules()), {"base"})

    def test_figures_that_nobody_knows_are_not_zero(self):
        row = self.rules()["base"]
        self.assertTrue(row["matched"] is None or row["matched"] > 0)
        self.assertTrue(row["stage"] is None or row["stage"])

    def test_a_dry_run_changes_nothing(self):
        version = self.version()
        for edit in (["add", "x", "kthread"], ["set", "base", "--hold", "5m"], ["rm", "base"], ["disable", "base"],
                     ["rollback"], ["apply", "-f", self.file("rule = []\n")]):
            self.assertIn("dry run", self.rule(*edit, "--dry-run").stdout, edit)
        self.assertEqual(self.version(), version)
        self.assertEqual(set(self.rules()), {"base"})

    def test_an_exported_file_is_taken_back_unchanged(self):
        self.rule("add", "odd", r'''cmdline =~ "it's \.(a|b)" && comm != "x\"y"''', "--note", "say \"hello\"\tthere")
        text = self.rule("export").stdout
        self.assertIn("nothing to change", self.rule("apply", "-f", self.file(text)).stdout)
        self.rule("rm", "odd")
        self.rule("apply", "-f", "-", input=text)
        self.assertEqual(self.rule("export").stdout.split("\n")[1:], text.split("\n")[1:])

    def test_an_apply_shows_what_changes(self):
        self.rule("add", "old", "comm == old")
        out = self.rule("apply", "-f", self.file(
            "[[rule]]\nname='base'\nexpr='kthread'\nhold='5m'\n[[rule]]\nname='new'\nexpr='comm == new'\n")).stdout
        self.assertIn("~ base: hold: 1m -> 5m\n", out)
        self.assertIn("+ new (order 20): comm == new\n", out)
        self.assertIn("- old\n", out)

    def test_rolls_back(self):
        version = self.version()
        self.rule("add", "web", "comm == nginx")
        self.rule("rm", "base")
        self.rule("rollback")
        self.assertEqual(set(self.rules()), {"base", "web"})
        self.rule("rollback", str(version))
        self.assertEqual(set(self.rules()), {"base"})
        self.assertIn(f"rolled back to version {version}", self.rule("versions").stdout)
        self.assertIn("is not kept", self.refused("rollback", "99999"))

    def test_old_versions_can_be_exported(self):
        version = self.version()
        self.rule("add", "web", "comm == nginx")
        self.assertNotIn("nginx", self.rule("export", "--version", str(version)).stdout)

    def test_every_edit_becomes_an_event(self):
        self.rule("add", "watched", "comm == nginx")

        def told():
            return [event for event in self.recorder.json("events", "--type", "rule", "-b", "1m")
                    if f"uid {os.getuid()} added watched" in event["detail"]]
        event = wait_for(told, "the event")[0]
        self.assertIsNone(event["tid"])

    def test_says_when_a_rule_matches_nothing(self):
        self.assertIn("matches no process now", self.rule("add", "none", "comm == no-such-task").stderr)
        self.assertEqual(self.rule("add", "some", f"tid == {os.getpid()}").stderr, "")

    def test_warns_of_what_is_allowed_but_surely_not_meant(self):
        result = self.rule("add", "long", "comm == a-name-over-15-bytes")
        self.assertIn("warning: rule 'long': column", result.stderr)
        self.assertIn("never matches", self.rule("add", "twice", "kthread").stderr)

    def test_bad_input_gets_one_clear_line(self):
        self.assertIn("unknown field 'cmm'; did you mean 'comm'?", self.refused("add", "x", "cmm == a"))
        self.assertIn("column 9", self.refused("add", "x", "comm =~ \"(\""))
        self.assertIn("rule 'x': expr", self.refused("add", "x", "comm =~ \"" + "a" * 2000 + "\""))
        self.assertIn("a rule 'base' already", self.refused("add", "base", "kthread"))
        self.assertIn("order 10 is that of rule 'base'", self.refused("add", "x", "kthread", "--order", "10"))
        self.assertIn("did you mean 'base'?", self.refused("rm", "bsae"))
        self.assertIn("did you mean 'base'?", self.refused("set", "bsae", "--hold", "1m"))
        self.assertIn("did you mean 'cpu'?", self.refused("add", "x", "kthread", "--groups", "cpuu"))
        self.assertIn("'top:N'", self.refused("add", "x", "kthread", "--threads", "some"))
        self.assertIn("from 0 to 7d", self.refused("add", "x", "kthread", "--hold", "8d"))
        self.assertIn("'track' or 'drop'", self.refused("add", "x", "kthread", "--action", "keep"))
        self.assertIn("is not a name", self.refused("add", "a b", "kthread"))
        self.assertIn("did you mean 'list'?", self.refused("lst"))
        path = self.file("[[rule]]\nname='a'\nexpr='kthread'\n[[rule]]\nname='b'\nexpr='kthread'\nthreds='all'\n")
        self.assertIn(f"{path}:7: rule 'b': unknown key 'threds'; did you mean 'threads'?",
                      self.refused("apply", "-f", path))
        self.assertIn("no rule in it", self.refused("apply", "-f", self.file("")))

    def test_of_two_editors_the_later_learns_of_the_earlier(self):
        seen = str(self.version())
        self.rule("add", "mine", "comm == mine", "--if-version", seen)
        self.assertIn("edited meanwhile", self.refused("add", "yours", "comm == yours", "--if-version", seen))

    def test_edits_at_once_all_count(self):
        def add(i):
            for j in range(5):
                self.rule("add", f"r{i}-{j}", f"comm == r{i}-{j}")
        threads = [threading.Thread(target=add, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = self.rules()
        self.assertEqual(len(rows), 21)
        self.assertEqual(len({row["order"] for row in rows.values()}), 21)

    def test_five_thousand_names_in_one_file(self):
        path = self.file("".join(f"[[rule]]\nname = \"n{i}\"\nexpr = 'comm == \"prog{i:05d}\"'\n" for i in range(5000)))
        began = time.monotonic()
        out = self.rule("apply", "-f", path).stdout
        print(f"\n5,000 rules applied, shown and stored in {time.monotonic() - began:.3f} s")
        self.assertIn("5,000 rules", out)
        self.assertEqual(len(self.rules()), 5000)
        began = time.monotonic()
        self.rule("set", "n4711", "--hold", "5m")
        print(f"one of them changed in {time.monotonic() - began:.3f} s")
        names = ",".join(f"prog{i:05d}" for i in range(5000))
        self.assertIn("+ one (order", self.rule("add", "one", f"comm in ({names})").stdout)

    def test_the_rule_after_the_ten_thousandth_is_refused(self):
        text = "".join(f"[[rule]]\nname = \"n{i}\"\nexpr = 'comm == x{i}'\n" for i in range(10000))
        path = self.file(text + "[[rule]]\nname = \"toomany\"\nexpr = 'kthread'\n")
        self.assertIn(f"{path}:30001: rule 'toomany' would be rule number 10001", self.refused("apply", "-f", path))
        self.rule("apply", "-f", self.file(text))
        self.assertIn("at most 10000", self.refused("add", "toomany", "kthread"))

    def test_a_file_that_is_too_large_is_refused(self):
        path = self.file("# " + "x" * (17 << 20))
        self.assertIn("larger than 16 MiB", self.refused("apply", "-f", path))

    def test_questions_are_answered_or_called_unavailable(self):
        for question in (["explain", "1"], ["explain", "comm == x"], ["explain", "base"], ["test", "comm == x"]):
            result = self.rule(*question, check=False)
            if result.returncode not in (0, 1):
                self.assertIn("unavailable", result.stderr, question)
        self.assertIn("did you mean 'base'?", self.refused("explain", "bsae"))
        self.assertIn("unknown field", self.refused("test", "cmm == x"))

    def test_the_file_can_be_read_with_sqlite(self):
        self.rule("add", "web", "comm == nginx")
        out = subprocess.run(["sqlite3", "-readonly", f"{self.recorder.state}/rules.db", "SELECT name, expr FROM rules"],
                             capture_output=True, text=True, check=True).stdout
        self.assertEqual(out, "base|kthread\nweb|comm == nginx\n")


class OrdinaryUser(RulesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The build tree may lie where an ordinary user cannot look.
        cls.bin = tempfile.mkdtemp(prefix="taskmon-bin-")
        os.chmod(cls.bin, 0o755)
        shutil.copy(f"{support.BIN}/taskmonctl", cls.bin)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.bin)
        super().tearDownClass()

    def as_nobody(self, *args, **kwargs):
        return subprocess.run([f"{self.bin}/taskmonctl", "--socket", self.recorder.socket, "rule", *args], text=True,
                              capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", **kwargs)

    def test_may_read_the_rules_but_not_edit_them(self):
        self.reset()
        rows = json.loads(self.as_nobody("list", "-o", "json").stdout)
        self.assertEqual([row["expr"] for row in rows], ["kthread"])
        before = self.rule("export").stdout
        for edit in (["add", "x", "kthread"], ["set", "base", "--hold", "5m"], ["rm", "base"], ["disable", "base"],
                     ["enable", "base"], ["rollback"], ["apply", "-f", "-"], ["rm", "base", "--dry-run"]):
            result = self.as_nobody(*edit, input="rule = []\n")
            self.assertEqual(result.returncode, 4, edit)
            self.assertIn("membership of group taskmon-admin grants it", result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(self.rule("export").stdout, before)


class Keeping(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise unittest.SkipTest("needs root and a kernel with BTF")
        self.recorder = Recorder().start()
        self.addCleanup(self.recorder.remove)

    def names(self):
        return [row["name"] for row in self.recorder.json("rule", "list")]

    def test_begins_with_the_rules_it_comes_with(self):
        self.assertTrue(self.names())
        self.assertIn("comes with", self.recorder.ctl("rule", "versions").stdout)

    def test_an_edit_survives_a_restart_and_a_kill(self):
        self.recorder.ctl("rule", "add", "one", "comm == one")
        self.recorder.stop()
        self.recorder.start()
        self.assertIn("one", self.names())
        self.recorder.ctl("rule", "add", "two", "comm == two")
        self.recorder.stop(signal.SIGKILL)
        self.recorder.start()
        self.assertEqual(self.names()[-2:], ["one", "two"])
        self.recorder.ctl("rule", "rollback")
        self.assertNotIn("two", self.names())

    def test_no_edit_that_was_answered_is_lost_to_a_kill(self):
        done = []
        stop = threading.Event()

        def edit():
            while not stop.is_set():
                name = f"r{len(done)}"
                if self.recorder.ctl("rule", "add", name, f"comm == {name}", check=False).returncode != 0:
                    return
                done.append(name)
        editor = threading.Thread(target=edit)
        editor.start()
        wait_for(lambda: len(done) >= 10, "edits")
        self.recorder.stop(signal.SIGKILL)
        stop.set()
        editor.join()
        self.recorder.start()
        self.assertLessEqual(set(done), set(self.names()))

    def test_a_damaged_file_is_set_aside_and_said_so(self):
        self.recorder.ctl("rule", "add", "one", "comm == one")
        self.recorder.stop()
        path = os.path.join(self.recorder.state, "rules.db")
        with open(path, "r+b") as file:
            file.write(b"\x55" * 200)
        self.recorder.start()
        self.assertNotIn("one", self.names())
        self.assertTrue(self.names())
        self.assertIn("the rule file was damaged and is set aside as " + path + ".damaged-", self.recorder.log_text())

    def test_a_damaged_history_does_not_take_the_rules_along(self):
        self.recorder.ctl("rule", "add", "one", "comm == one")
        self.recorder.stop()
        with open(os.path.join(self.recorder.state, "history.db"), "r+b") as file:
            file.write(b"\x55" * 200)
        self.recorder.start()
        self.assertIn("one", self.names())

    def test_reading_can_be_kept_to_readers(self):
        self.recorder.stop()
        self.recorder.config = os.path.join(self.recorder.directory, "taskmond.toml")
        with open(self.recorder.config, "w", encoding="utf-8") as file:
            file.write("[rules]\nreadable_by = \"readers\"\n")
        self.recorder.start()
        self.assertTrue(self.names())
        with tempfile.TemporaryDirectory(prefix="taskmon-bin-") as folder:
            os.chmod(folder, 0o755)
            shutil.copy(f"{support.BIN}/taskmonctl", folder)
            result = subprocess.run([f"{folder}/taskmonctl", "--socket", self.recorder.socket, "rule", "list"],
                                    capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
        self.assertEqual(result.returncode, 4)
        self.assertIn("membership of group taskmon grants it", result.stderr)


if __name__ == "__main__":
    unittest.main()
