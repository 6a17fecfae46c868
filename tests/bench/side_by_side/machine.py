# SPDX-License-Identifier: Apache-2.0
"""What it was measured on, and with which versions."""
import os
import platform
import re
import subprocess

from recorder import BIN


def first_of(path, pattern, otherwise="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            found = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return otherwise
    return found[1] if found else otherwise


def version_of_package(name):
    """None: not installed."""
    shown = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True, text=True, check=False)
    return shown.stdout if shown.returncode == 0 and shown.stdout else None


def describe(packages):
    memory_kib = int(first_of("/proc/meminfo", r"^MemTotal:\s+(\d+)", "0"))
    taskmon = subprocess.run([f"{BIN}/taskmond", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {"cpu": first_of("/proc/cpuinfo", r"^model name\s*: (.*)$", platform.machine()), "cpus": os.cpu_count(),
            "memory_gib": round(memory_kib / 2**20, 1), "kernel": platform.release(),
            "system": first_of("/etc/os-release", r'^PRETTY_NAME="(.*)"$'), "load": round(os.getloadavg()[0], 2),
            "taskmon": taskmon, "packages": {name: version_of_package(name) for name in packages}}


def text(facts):
    packages = ", ".join(f"{name} {version or 'not installed'}" for name, version in facts["packages"].items())
    return (f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['memory_gib']} GiB, Linux {facts['kernel']}, "
            f"{facts['system']}, load before {facts['load']}\n{facts['taskmon']}; {packages}")
