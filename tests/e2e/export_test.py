# SPDX-License-Identifier: Apache-2.0
"""`taskmonctl export openmetrics`, read by Prometheus's own programs and by hostile clients."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
import urllib.request

from recorder import BIN, DEADLINE_S, RecorderCase
from waiting import wait_for

PACKAGING = os.path.join(os.path.dirname(__file__), "../../packaging/prometheus")
# The reference parser of the format, which refuses what the standard forbids.
STRICT = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n" \
         "print(len(list(parse(sys.stdin.read()))))"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def series(page, name, **labels):
    """The value of one series, or None."""
    wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
    match = re.search(rf"^{name}{re.escape('{' + wanted + '}') if wanted else ''} (\S+)$", page, re.M)
    return float(match.group(1)) if match else None


class Exporter:
    def __init__(self, recorder, *arguments, **popen):
        self.port = free_port()
        self.process = subprocess.Popen(
            [f"{BIN}/taskmonctl", "--socket", recorder.socket, "export", "openmetrics", "--listen",
             f"127.0.0.1:{self.port}", *arguments], stderr=subprocess.PIPE, text=True, **popen)
        self.first_line = self.process.stderr.readline()

    def get(self, path="/metrics", accept=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.headers["Content-Type"], answer.read().decode()

    def page(self):
        return self.get()[1]

    def stop(self):
        self.process.terminate()
        self.process.stderr.read()
        return self.process.wait(timeout=DEADLINE_S)


class Export(RecorderCase):
    def exporter(self, *arguments, **popen):
        exporter = Exporter(self.recorder, *arguments, **popen)

        def end():
            if exporter.process.poll() is None:
                exporter.stop()
            exporter.process.stderr.close()
        self.addCleanup(end)
        return exporter

    def test_once_prints_what_the_standard_wants(self):
        text = self.recorder.ctl("export", "openmetrics", "--once").stdout
        self.assertTrue(text.endswith("# EOF\n"))
        self.assertIn("# UNIT taskmon_task_runtime_seconds seconds\n", text)
        parsed = subprocess.run(["/usr/bin/python3", "-c", STRICT], input=text, capture_output=True, text=True)
        self.assertEqual(parsed.returncode, 0, parsed.stderr)
        self.assertGreater(int(parsed.stdout), 40)

    def test_long_windows_are_read_to_their_end(self):
        self.recorder.ticks(100)
        text = self.recorder.ctl("export", "openmetrics", "--once").stdout
        self.assertIn("\ntaskmon_task_runtime_seconds_total{", text)

    def test_promtool_finds_nothing_to_say(self):
        for by in ("app", "unit", "user", "rule"):
            text = self.recorder.ctl("export", "openmetrics", "--once", "-o", "prometheus", "--by", by).stdout
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))

    def test_shipped_configuration_and_alerts_are_right(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in ("prometheus.yml", "taskmon-alerts.yml"):
                shutil.copy(os.path.join(PACKAGING, name), directory)
            for what, name in (("config", "prometheus.yml"), ("rules", "taskmon-alerts.yml")):
                checked = subprocess.run(["promtool", "check", what, f"{directory}/{name}"], capture_output=True, text=True)
                self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_every_alert_asks_for_metrics_that_are_there(self):
        with open(os.path.join(PACKAGING, "taskmon-alerts.yml"), encoding="utf-8") as file:
            asked = set(re.findall(r"taskmon_\w+", "".join(re.findall(r"expr: (.*)", file.read()))))
        page = self.recorder.ctl("export", "openmetrics", "--once", "-o", "prometheus").stdout
        # The books are known after a minute.
        asked.discard("taskmon_accounted_cpu_ratio")
        self.assertEqual({name for name in asked if f"\n{name}" not in page}, set())

    def test_speaks_to_each_scraper_as_it_asks(self):
        exporter = self.exporter()
        kind, page = exporter.get(accept="application/openmetrics-text; version=1.0.0")
        self.assertTrue(kind.startswith("application/openmetrics-text; version=1.0.0"))
        self.assertTrue(page.endswith("# EOF\n"))
        kind, page = exporter.get()
        self.assertTrue(kind.startswith("text/plain; version=0.0.4"))
        self.assertNotIn("# EOF", page)
        self.assertEqual(exporter.stop(), 143)

    def test_counters_go_on_when_tasks_end_and_count_lives_between_two_scrapes(self):
        exporter = self.exporter("--by", "user")
        self.recorder.ticks(3)

        def forks():
            return series(exporter.page(), "taskmon_task_fork_total", user="root") or 0
        before = forks()
        subprocess.run(["sh", "-c", "for i in $(seq 300); do /bin/true; done"], check=True)
        wait_for(lambda: forks() >= before + 300, "300 forks of a shell that is gone")
        values = []
        for _ in range(5):
            values.append(forks())
            self.recorder.ticks(1)
        self.assertEqual(values, sorted(values))

    def test_bounds_its_series(self):
        page = self.exporter("--by", "user", "--top", "1").page()
        groups = set(re.findall(r'taskmon_group_tasks\{user="([^"]*)"\}', page))
        self.assertEqual(len(groups), 2)
        self.assertIn("other", groups)

    def test_leaves_out_what_its_user_may_not_see(self):
        exporter = self.exporter("--by", "user", user="nobody", group="nogroup", extra_groups=[])
        page = exporter.page()
        self.assertIsNotNone(series(page, "taskmon_task_runtime_seconds_total", user="root"))
        self.assertIsNone(series(page, "taskmon_task_read_bytes_total", user="root"))

    def test_says_when_taskmond_is_gone(self):
        exporter = subprocess.Popen([f"{BIN}/taskmonctl", "--socket", "/nowhere/s", "export", "openmetrics", "--listen",
                                     f"127.0.0.1:{(port := free_port())}"], stderr=subprocess.PIPE, text=True)
        try:
            exporter.stderr.readline()
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE_S).read().decode()
            self.assertEqual(series(page, "taskmon_up"), 0)
            self.assertNotIn("taskmon_task_", page)
        finally:
            exporter.terminate()
            exporter.communicate()

    def test_outlives_hostile_clients(self):
        exporter = self.exporter()
        for request in (b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", b"\x00" * 5000, b"GET " + b"/" * 50_000,
                        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", b"GET /metrics\r\n\r\n",
                        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", exporter.port), timeout=DEADLINE_S) as client:
                answer = b""
                try:
                    client.sendall(request)
                    client.shutdown(socket.SHUT_WR)
                    while data := client.recv(65536):
                        answer += data
                except (ConnectionResetError, BrokenPipeError):
                    pass
                self.assertNotIn(b"root:", answer)
                self.assertNotIn(b" 200 OK", answer.split(b"\r\n")[0], request[:40])
        self.assertEqual(series(exporter.page(), "taskmon_up"), 1)

    def test_many_idle_connections_keep_nobody_out_for_long(self):
        exporter = self.exporter()
        idle = [socket.create_connection(("127.0.0.1", exporter.port)) for _ in range(40)]
        try:
            def answers():
                try:
                    return series(exporter.page(), "taskmon_up") == 1
                except OSError:
                    return False
            wait_for(answers, "an answer beside 40 idle connections")
        finally:
            for each in idle:
                each.close()

    def test_a_prometheus_server_reads_it(self):
        exporter = self.exporter("--by", "user")
        directory = tempfile.mkdtemp(prefix="taskmon-prometheus-")
        self.addCleanup(shutil.rmtree, directory)
        port = free_port()
        with open(os.path.join(PACKAGING, "prometheus.yml"), encoding="utf-8") as file:
            config = file.read().replace("127.0.0.1:9843", f"127.0.0.1:{exporter.port}").replace("15s", "1s")
        with open(f"{directory}/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(config)
        shutil.copy(os.path.join(PACKAGING, "taskmon-alerts.yml"), directory)
        with open(f"{directory}/log", "wb") as log:
            server = subprocess.Popen(
                ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)

        def ask(path):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=DEADLINE_S) as answer:
                    return json.load(answer)["data"]
            except OSError:
                return None

        def value(query):
            result = (ask("query?query=" + urllib.parse.quote(query)) or {}).get("result")
            return result and float(result[0]["value"][1])
        wait_for(lambda: value("taskmon_up") == 1, "Prometheus to scrape", deadline_s=60)
        burner = subprocess.Popen(["sh", "-c", "while :; do :; done"])
        threading.Timer(20, burner.kill).start()
        try:
            wait_for(lambda: (value('rate(taskmon_task_runtime_seconds_total{user="root"}[5s])') or 0) > 0.2,
                     "a rate of CPU time", deadline_s=60)
        finally:
            burner.kill()
            burner.wait()
        targets = ask("targets")["activeTargets"]
        self.assertEqual([(t["health"], t["lastError"]) for t in targets], [("up", "")])
        kinds = {m["type"] for m in ask("metadata?metric=taskmon_task_runtime_seconds_total") .get(
            "taskmon_task_runtime_seconds_total", [])} | {m["type"] for m in ask(
                "metadata?metric=taskmon_task_runtime_seconds").get("taskmon_task_runtime_seconds", [])}
        self.assertEqual(kinds, {"counter"})


if __name__ == "__main__":
    unittest.main()
