# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition in place of sleeping for a time."""
import os
import time

# How much longer things take, and how much more memory, in a build with sanitizers.
SLOWDOWN = int(os.environ.get("TASKMON_SLOWDOWN", "1"))


def wait_for(condition, what, deadline_s=30, pause_s=0.05):
    """Polls until condition() is truthy and returns it; fails loudly after the deadline."""
    end = time.monotonic() + deadline_s * SLOWDOWN
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(pause_s)
    raise AssertionError(f"waited in vain for {what}")
