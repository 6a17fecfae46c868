# SPDX-License-Identifier: Apache-2.0
"""Room for very many tasks: the kernel's limits, raised for a while."""
import contextlib

LIMITS = ("/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max")


@contextlib.contextmanager
def room_for(tasks):
    """Raises what is too low, and puts it back."""
    before = {}
    try:
        for path in LIMITS:
            with open(path, encoding="utf-8") as file:
                limit = int(file.read())
            if limit < 2 * tasks:
                before[path] = limit
                write(path, 4 * tasks)
        yield
    finally:
        for path, limit in before.items():
            write(path, limit)


def write(path, number):
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(number))
