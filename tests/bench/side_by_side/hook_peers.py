# SPDX-License-Identifier: Apache-2.0
"""Tools of libbpf-tools that hook what taskmon hooks, and why some cannot run here."""
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import time

PACKAGE = "libbpf-tools"
# By what a workload does; of each the one that keeps most for each task, as far as there is one.
TOOLS = {"pipe": (("runqlat", "-P"), ("offcputime", "3600")), "syscall": (("syscount", "-P"),),
         "life": (("execsnoop",), ("exitsnoop",)), "block": (("biosnoop",), ("biolatency",)),
         "tcp": (("tcptop",), ("tcprtt",))}
SETTLE_S = 1.0


def command(tool):
    """Where tracefs is not mounted, with a mount of its own, which nobody else sees."""
    if os.path.exists("/sys/kernel/tracing/events"):
        return list(tool)
    return ["unshare", "--mount", "sh", "-c", "mount -t tracefs tracefs /sys/kernel/tracing && exec \"$@\"", "sh", *tool]


@contextlib.contextmanager
def running(tool):
    """Yields None, or the reason why it cannot run."""
    if not shutil.which(tool[0]):
        yield f"{PACKAGE} is not installed"
        return
    process = subprocess.Popen(command(tool), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(SETTLE_S)
        yield None if process.poll() is None else reason(process.stderr.read())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=5)
            process.kill()
        process.communicate()


def reason(complaints):
    """The first line that says more than that it failed."""
    lines = [line.removeprefix("libbpf: ") for line in complaints.splitlines()]
    return next((line for line in lines if "prog '" in line or "failed to" in line), "it ended at once").strip()


@functools.cache
def usable():
    """({workload: tools}, {tool: why it cannot run})."""
    usable_for, reasons = {}, {}
    for workload, tools in TOOLS.items():
        for tool in tools:
            with running(tool) as why:
                if why is None:
                    usable_for.setdefault(workload, []).append(tool)
                else:
                    reasons[" ".join(tool)] = why
    return usable_for, reasons
