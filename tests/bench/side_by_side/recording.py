# SPDX-License-Identifier: Apache-2.0
"""A taskmond to measure: the rules it has, and when it runs."""
import contextlib

from recorder import Recorder

# All metrics of all threads of all tasks: more than any peer asks for.
ALL_THREADS = "[[rule]]\nname = \"everything\"\nexpr = \"uid >= 0\"\nthreads = \"all\"\n"
ALL_METRICS = ALL_THREADS + "groups = [\"all\"]\n"
STOP_S = 300  # 100,000 busy tasks leave two CPUs little time to close the history


@contextlib.contextmanager
def recording(rules=None, config="", warm_ticks=0):
    """rules None: the shipped ones."""
    recorder = Recorder("1s", rules=rules, config=config)
    try:
        recorder.launch()
        if warm_ticks:
            recorder.ticks(warm_ticks)
        yield recorder
    finally:
        if recorder.process and recorder.process.poll() is None:
            recorder.stop(deadline_s=STOP_S)
        recorder.remove()


def attached_groups(recorder):
    return sorted({hook["group"] for hook in recorder.status()["hooks"] if hook["attached"] and hook["group"]})
