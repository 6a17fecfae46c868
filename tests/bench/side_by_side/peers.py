# SPDX-License-Identifier: Apache-2.0
"""Programs that look at the same tasks at the same pace, and what a sample costs them."""
import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable

from .accounting import cpu_ns, resident_bytes, spent_by

QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclasses.dataclass(frozen=True)
class Cost:
    ns: float  # CPU time of one sample
    resident_bytes: int


@dataclasses.dataclass(frozen=True)
class Peer:
    """One that takes samples a second apart, and ends."""
    name: str
    package: str
    command: Callable  # (directory, samples) -> arguments
    lacks: str

    @property
    def program(self):
        return self.command("", 1)[0]

    def cost(self, directory, samples):
        """What each further sample costs: start and end are in both runs, so in neither figure."""
        (few, _), (many, resident) = (self.run(directory, count) for count in (1, 1 + samples))
        return Cost(max(0, many - few) / samples, resident)

    def run(self, directory, samples):
        process = subprocess.Popen(self.command(directory, samples), **QUIET)
        spent = spent_by(process)
        if process.returncode != 0:
            raise SystemExit(f"{self.name} ended with {process.returncode}")
        return spent


@dataclasses.dataclass(frozen=True)
class Exporter(Peer):
    """One that is scraped."""

    def cost(self, directory, samples):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen([*self.command(directory, samples), f"-web.listen-address=127.0.0.1:{port}"], **QUIET)
        try:
            self.scrape(port, patience_s=10)  # which finds all tasks to be new
            before = cpu_ns(process.pid)
            for _ in range(samples):
                began = time.monotonic()
                self.scrape(port)
                time.sleep(max(0.0, began + 1 - time.monotonic()))
            return Cost((cpu_ns(process.pid) - before) / samples, resident_bytes(process.pid))
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def scrape(port, patience_s=0):
        end = time.monotonic() + patience_s
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                    return answer.read()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def atop_command(directory, samples):
    return ["atop", "-a", "-w", os.path.join(directory, f"atop-{samples}.raw"), "1", str(samples)]


def exporter_command(directory, _):
    path = os.path.join(directory, "process-exporter.yml")
    if directory:
        with open(path, "w", encoding="utf-8") as file:
            file.write("process_names:\n  - name: '{{.Comm}}'\n    cmdline: ['.+']\n")
    return ["prometheus-process-exporter", f"-config.path={path}", "-threads=true", "-gather-smaps=false"]


NO_MAXIMA = "longest waits in a tick, run queue and blocked time apart, signals, failed system calls, page cache, sockets"
ATOP = Peer("atop -a -w", "atop", atop_command,
            f"threads that end between two samples (acct(2) knows processes), births, {NO_MAXIMA}; bytes sent and "
            "received need netatop")
PIDSTAT = Peer("pidstat -turdw", "sysstat", lambda directory, samples: ["pidstat", "-t", "-u", "-r", "-d", "-w", "1", str(samples)],
               f"a store, lives between two samples, command lines, {NO_MAXIMA}")
TOP = Peer("top -b -H", "procps", lambda directory, samples: ["top", "-b", "-H", "-d", "1", "-n", str(samples)],
           f"a store, I/O, switches, lives between two samples, {NO_MAXIMA}")
EXPORTER = Exporter("process-exporter", "prometheus-process-exporter", exporter_command,
                    f"a store, single tasks (it sums groups and names of threads), lives between two scrapes, {NO_MAXIMA}")
ALL = (ATOP, PIDSTAT, TOP, EXPORTER)


def present():
    return [peer for peer in ALL if shutil.which(peer.program)]
