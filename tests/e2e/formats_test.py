# SPDX-License-Identifier: Apache-2.0
"""Every command in every format that it offers, held to what scripts rely on."""
import csv
import io
import json
import os
import re
import subprocess
import tomllib
import unittest

import jsonschema

from recorder import BIN, DEADLINE_S, RecorderCase

TASK_KEYS = {"tid", "tgid", "ppid", "comm", "cmdline", "exe", "start_time", "start_ns", "uid", "user", "state", "app", "cgroup",
             "unit", "container", "tracked", "rules"}
RULE_KEYS = {"name", "order", "expr", "action", "groups", "threads", "hold", "enabled", "matched", "stage"}
STATUS_KEYS = {"version", "uptime_s", "interval_ms", "tasks", "tracked", "ticks", "late_ticks", "dropped", "db_bytes",
               "db_cap_bytes", "oldest_time", "cpu_percent", "serving_cpu_percent", "rss_bytes", "hooks",
               "accounted_cpu_percent"}
RFC_3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
ROWS = ("table", "wide", "json", "jsonl", "csv")
DOCUMENT = ("table", "json", "jsonl")
EDIT_KEYS = {"version", "dry_run", "rules", "changes", "warnings"}


class Formats(RecorderCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recorder.stop()  # leaves a gap
        cls.recorder.start()
        cls.recorder.ctl("rule", "add", "probe", "comm == no-such-task")
        cls.dead = subprocess.Popen(["/bin/true"])
        cls.dead.wait()
        cls.recorder.ticks(8)
        cls.rules = os.path.join(cls.recorder.directory, "rules.toml")
        with open(cls.rules, "w", encoding="utf-8") as file:
            file.write(cls.recorder.ctl("rule", "export").stdout.replace("no-such-task", "another-task"))
        cls.metrics = {row["name"] for row in cls.recorder.json("metrics")}

    # Command, formats, keys that every JSON object must have.
    def commands(self):
        tid = str(os.getpid())
        return (
            (("ps", "--top", "5"), ROWS, TASK_KEYS),
            (("ps", "-H", "--top", "5"), ROWS, TASK_KEYS),
            (("ps", "--by", "user"), ROWS, {"user", "tasks"}),
            (("ps", "-b", "1m", "--top", "5"), ROWS, TASK_KEYS),
            (("show", tid), DOCUMENT, TASK_KEYS),
            (("watch", "--count", "2"), ROWS, TASK_KEYS | {"time", "time_ns"}),
            (("history", "--tid", tid, "-b", "1m"), ROWS, TASK_KEYS | {"time", "time_ns"}),
            (("history", "--by", "rule", "-b", "1m"), ROWS, {"rules", "time", "time_ns"}),
            (("events", "-b", "1m"), ROWS, {"type", "time", "tid", "tgid", "ppid", "comm"}),
            (("diff", "--before", "1m..now", "--after", "1m..now"), ROWS, {"tid", "comm"}),
            (("rule", "list"), ROWS, RULE_KEYS),
            (("rule", "versions"), ROWS, {"version"}),
            (("rule", "show", "key-kernel-threads"), DOCUMENT, RULE_KEYS),
            (("rule", "explain", tid), DOCUMENT, {"rules", "outcome"}),
            (("rule", "explain", "comm == sshd && cpu > 1%"), DOCUMENT, {"parts", "stage"}),
            (("rule", "test", "cpu > 0", "-b", "1m"), DOCUMENT, {"tasks", "rows", "examples"}),
            (("rule", "add", "more", "comm == bash", "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("rule", "set", "probe", "--hold", "5m", "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("rule", "enable", "probe", "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("rule", "disable", "probe", "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("rule", "rm", "probe", "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("rule", "rollback", "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("rule", "apply", "-f", self.rules, "--dry-run"), DOCUMENT, EDIT_KEYS),
            (("status",), DOCUMENT, STATUS_KEYS - {"accounted_cpu_percent"}),  # known after a minute
            (("doctor",), DOCUMENT, {"checks", "metrics"}),
            (("metrics",), ROWS, {"name"}),
        )

    def run_as(self, command, form, *more):
        result = self.recorder.ctl(*command, "-o", form, *more, check=False)
        self.assertIn(result.returncode, (0, 1), f"{command} -o {form}: {result.stderr}")
        return result.stdout

    def objects(self, command, form):
        text = self.run_as(command, form)
        if form == "jsonl":
            return [json.loads(line) for line in text.splitlines()]
        value = json.loads(text)
        return value if isinstance(value, list) else [value]

    def check_object(self, each, keys):
        if "gap" in each:
            return
        if "ended_time" in each:
            keys = keys - {"state"}  # a task that ended has none
        self.assertLessEqual(keys, set(each), f"missing: {keys - set(each)}")
        for key in ("time", "start_time", "ended_time"):
            if key in each:
                self.assertRegex(each[key], RFC_3339)
        left_out = set(each.get("unavailable", [])) | set(each.get("redacted", []))
        self.assertEqual({name for name in left_out if name in each}, set(), "left out, yet there")

    def test_json_and_jsonl_say_the_same_and_keep_the_contract(self):
        for command, formats, keys in self.commands():
            for form in ("json", "jsonl"):
                with self.subTest(command=command, form=form):
                    objects = self.objects(command, form)
                    self.assertTrue(objects)
                    for each in objects:
                        self.check_object(each, keys)

    def schema(self, *command):
        """Asked of a taskmonctl that reaches no taskmond."""
        text = subprocess.run([f"{BIN}/taskmonctl", "--socket", "/nonexistent", *command, "--json-schema"],
                              capture_output=True, text=True, check=True).stdout
        schema = json.loads(text)
        jsonschema.Draft202012Validator.check_schema(schema)
        return jsonschema.Draft202012Validator(schema)

    def test_every_output_fits_the_schema_that_its_command_prints(self):
        more = ((("ps", "-f", "tid,cpu,state,rules"), ROWS, set()),
                (("ps", "-f", "pss,cpu", "--by", "app"), ROWS, set()),
                (("show", str(self.dead.pid)), DOCUMENT, set()),
                (("history", "-f", "cpu", "-b", "1m"), ROWS, set()),
                (("diff", "--before", "1m..now", "--after", "1m..now", "--by", "unit", "-f", "rss"), ROWS, set()))
        for command, _, _ in (*self.commands(), *more):
            with self.subTest(command):
                whole = self.schema(*command)
                answer = json.loads(self.run_as(command, "json"))
                self.assertEqual([error.message for error in whole.iter_errors(answer)], [])
                self.assertEqual(whole.is_valid([]), isinstance(answer, list))
                item = self.schema(*command, "-o", "jsonl")
                for each in self.objects(command, "jsonl"):
                    self.assertEqual([error.message for error in item.iter_errors(each)], [])
                    self.assertFalse(item.is_valid({**each, "no_such_key": 1}), "the schema is not closed")

    def test_a_schema_needs_no_arguments_and_no_other_format(self):
        for command in (("show",), ("diff",), ("rule", "add"), ("rule", "test"), ("rule", "explain"), ("rule", "apply")):
            with self.subTest(command):
                self.schema(*command)
        result = self.recorder.ctl("ps", "--json-schema", "-o", "csv", check=False)
        self.assertEqual((result.returncode, result.stdout), (2, ""))

    def test_a_gap_in_a_history_fits_its_schema(self):
        rows = self.objects(("history", "-b", "1h"), "json")
        gaps = [row for row in rows if "gap" in row]
        self.assertTrue(gaps)
        schema = self.schema("history", "-o", "jsonl")
        for each in gaps:
            self.assertEqual([error.message for error in schema.iter_errors(each)], [])

    def test_edits_say_the_same_to_people_and_to_programs(self):
        document, = self.objects(("rule", "set", "probe", "--hold", "5m", "--dry-run"), "json")
        change, = document["changes"]
        self.assertEqual((change["change"], change["name"], list(change["fields"])), ("changed", "probe", ["hold"]))
        self.assertEqual(change["fields"]["hold"]["after"], "5m")
        lines = self.run_as(("rule", "set", "probe", "--hold", "5m", "--dry-run"), "table").splitlines()
        self.assertEqual(lines[0], f"~ probe: hold: {change['fields']['hold']['before']} -> 5m")
        self.assertEqual(lines[1], f"dry run: version {document['version']} stays; it would be {document['rules']} rules")

    def test_exported_rules_are_a_file_that_changes_nothing(self):
        exported = self.recorder.ctl("rule", "export").stdout
        path = os.path.join(self.recorder.directory, "same.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(exported)
        self.assertEqual(tomllib.loads(exported)["rule"][-1]["name"], "probe")
        self.assertEqual(self.objects(("rule", "apply", "-f", path), "json")[0]["changes"], [])

    def test_a_snapshot_says_what_it_holds_on_one_line(self):
        path = os.path.join(self.recorder.directory, "incident.db")
        line = self.recorder.ctl("snapshot", "-b", "1m", "--output", path).stdout
        self.assertRegex(line, rf"^{re.escape(path)}: \d{{4}}-.* to \d{{4}}-.*, [\d,]+ ticks, [\d,]+ events, [\d.]+\w+\n$")
        self.assertTrue(json.loads(self.recorder.ctl("ps", "--file", path, "-o", "json").stdout))

    def test_numbers_of_metrics_are_plain(self):
        for row in self.objects(("ps", "--top", "20"), "json"):
            for name in self.metrics & set(row):
                if name != "task_state":
                    self.assertIsInstance(row[name], (int, float, bool), name)

    def test_csv_has_one_header_and_as_many_cells_in_each_row(self):
        for command, formats, _ in self.commands():
            if "csv" not in formats:
                continue
            with self.subTest(command):
                rows = list(csv.reader(io.StringIO(self.run_as(command, "csv"))))
                self.assertGreater(len(rows), 1)
                self.assertEqual({len(row) for row in rows}, {len(rows[0])})
                self.assertTrue(all(re.fullmatch(r"[a-z_0-9]+", name) for name in rows[0]), rows[0])
                bare = list(csv.reader(io.StringIO(self.run_as(command, "csv", "--no-headers"))))
                self.assertNotEqual(bare[0], rows[0])

    def test_tables_have_no_colour_in_a_pipe_and_are_as_wide_as_said(self):
        for command, formats, _ in self.commands():
            for form in ("table", "wide"):
                if form not in formats:
                    continue
                with self.subTest(command=command, form=form):
                    self.assertNotIn("\x1b", self.run_as(command, form))
        narrow = subprocess.run([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, "ps"], capture_output=True, text=True,
                                env={**os.environ, "COLUMNS": "80"}, check=True).stdout
        self.assertLessEqual(max(map(len, narrow.splitlines())), 80)

    def test_nothing_is_an_empty_answer_in_every_format(self):
        nobody = ("ps", "comm == no-such-task")
        self.assertEqual(json.loads(self.run_as(nobody, "json")), [])
        self.assertEqual(self.run_as(nobody, "jsonl"), "")
        self.assertEqual(len(self.run_as(nobody, "csv").splitlines()), 1)
        self.assertEqual(self.run_as(nobody, "table"), "")

    def test_every_command_refuses_formats_that_it_has_not(self):
        for command, formats, _ in self.commands():
            result = self.recorder.ctl(*command, "-o", "jsn", check=False)
            self.assertEqual(result.returncode, 2)
            self.assertIn("did you mean 'json'", result.stderr)
            self.assertEqual(result.stdout, "")

    def test_a_reader_that_goes_away_is_no_news(self):
        for command in (("ps",), ("metrics",), ("history", "-b", "1m"), ("watch",)):
            with self.subTest(command):
                with subprocess.Popen([f"{BIN}/taskmonctl", "--socket", self.recorder.socket, *command],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    process.stdout.close()
                    err = process.stderr.read()
                    process.wait(timeout=2 * DEADLINE_S)
                    self.assertEqual(err, b"")


if __name__ == "__main__":
    unittest.main()
