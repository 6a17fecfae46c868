# SPDX-License-Identifier: Apache-2.0
"""The completion scripts in the shells they are for, typed on a terminal."""
import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import termios
import unittest

from recorder import BIN, RecorderCase
from waiting import wait_for


PROMPT = "tm> "


class Shell:
    """An interactive shell on a pseudo-terminal; what it shows is searched, not drawn."""

    def __init__(self, arguments, setup, environment):
        self.master, slave = pty.openpty()
        home = tempfile.mkdtemp(prefix="taskmon-shell-")
        self.home = home
        env = {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin", "HOME": home, "TERM": "xterm", "LANG": "C.UTF-8",
               "COLUMNS": "200", "PS1": PROMPT, **environment}
        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave, env=env,
                                        start_new_session=True, cwd=home,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.shown = ""
        self.type(setup + "\n")
        self.type("echo rea''dy\n")
        self.wait_for("ready")
        if arguments[0] != "fish":  # which has a prompt of its own, and reads keys from the beginning
            # Keys typed before it may get lost.
            wait_for(lambda: PROMPT in self.look().rpartition("ready")[2], "the prompt")

    def type(self, text):
        os.write(self.master, text.encode())

    def look(self):
        while select.select([self.master], [], [], 0.05)[0]:
            data = os.read(self.master, 65536).decode(errors="replace")
            # A terminal is asked who it is.
            if "\x1b[c" in data or "\x1b[0c" in data:
                os.write(self.master, b"\x1b[?62;c")
            self.shown += data
        return re.sub(r"\x1b\[[0-9;?>]*[A-Za-z]|\x1b[=>()][0B]?|\r", "", self.shown)

    def wait_for(self, text):
        try:
            wait_for(lambda: text in self.look(), f"'{text}'")
        except AssertionError as error:
            raise AssertionError(f"{error}; shown was:\n{self.look()[-2000:]}") from None

    def completed(self, line, expected):
        """Types the line and a tab; what becomes of it contains `expected`."""
        self.look()
        self.shown = ""
        self.type(line + "\t\t")
        self.wait_for(expected)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        shutil.rmtree(self.home, ignore_errors=True)


class InEveryShell:
    """What each shell must do; a line and what it becomes or offers."""
    LINES = (
        ("taskmonctl snap", "taskmonctl snapshot"),
        ("taskmonctl rule rollb", "taskmonctl rule rollback"),
        ("taskmonctl ps --no-h", "taskmonctl ps --no-headers"),
        ("taskmonctl ps -o wi", "taskmonctl ps -o wide"),
        ("taskmonctl ps -f cpu,sysf", "taskmonctl ps -f cpu,sysfails"),
        ("taskmonctl ps -f @sma", "taskmonctl ps -f @smaps"),
        ("taskmonctl ps --sort=sysf", "taskmonctl ps --sort=sysfails"),
        ("taskmonctl metrics task_lazy", "taskmonctl metrics task_lazyfree_size"),
    )

    def shell(self):
        shell = Shell(self.COMMAND, self.SETUP, {"TASKMON_SOCKET": self.recorder.socket})
        self.addCleanup(shell.close)
        return shell

    def test_completes_what_is_typed(self):
        for line, expected in self.LINES:
            with self.subTest(line):
                self.shell().completed(line, expected)

    def test_completes_names_of_rules_and_living_tasks(self):
        name = self.recorder.json("rule", "list")[0]["name"]
        self.shell().completed(f"taskmonctl rule show {name[:-2]}", f"rule show {name}")
        sleeper = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        self.recorder.ticks(2)
        self.shell().completed(f"taskmonctl show {str(sleeper.pid)[:-1]}", str(sleeper.pid))


class Bash(InEveryShell, RecorderCase):
    COMMAND = ["bash", "--norc", "--noprofile", "-i"]
    SETUP = "eval \"$(taskmonctl completion bash)\"; bind 'set enable-bracketed-paste off'"


class BashWithItsLibrary(Bash):
    SETUP = ". /usr/share/bash-completion/bash_completion; " + Bash.SETUP


class Zsh(InEveryShell, RecorderCase):
    COMMAND = ["zsh", "-f", "-i"]
    SETUP = "unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u; eval \"$(taskmonctl completion zsh)\""


class ZshFromAFile(Zsh):
    SETUP = "mkdir f; taskmonctl completion zsh > f/_taskmonctl; fpath=($PWD/f $fpath); autoload -Uz compinit; compinit -u"


class Fish(InEveryShell, RecorderCase):
    COMMAND = ["fish", "--no-config", "-i"]
    SETUP = "taskmonctl completion fish | source"


class WithoutTaskmond(unittest.TestCase):
    def test_static_words_are_still_there(self):
        def complete(*words):
            return subprocess.run([f"{BIN}/taskmonctl", "__complete", "--", *words], capture_output=True, text=True,
                                  env={"TASKMON_SOCKET": "/nowhere/s"}, check=True)
        self.assertIn("snapshot\t", complete("").stdout)
        nothing = complete("rule", "show", "")
        self.assertEqual((nothing.stdout, nothing.stderr), ("words\n", ""))


if __name__ == "__main__":
    unittest.main()
