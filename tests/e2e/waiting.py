# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition in place of sleeping for a time."""
import os
import time

# What the programs were built with: "address,undefined", "thread" or nothing.
SANITIZE = os.environ.get("TASKMON_SANITIZE", "")

# How much longer things take, and how much more memory, in a build with sanitizers.
SLOWDOWN = 8 if SANITIZE else 1


def wait_for(condition, what, deadline_s=30, pause_s=0.05):
    """Polls until condition() is truthy and returns it; fails loudly after the deadline."""
    end = time.monotonic() + deadline_s * SLOWDOWN
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(pause_s)
    raise AssertionError(f"waited in vain for {what}")
