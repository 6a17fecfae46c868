# SPDX-License-Identifier: Apache-2.0
"""A program on a pseudo-terminal, and what a person would see there.

The terminal is one that knows next to nothing (a terminfo entry of its own), so that what it shows can be followed in a
few lines: it moves the cursor, clears, and prints.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

from recorder import DEADLINE_S, wait_for

ENTRY = r"""
taskmontest|for the tests of taskmon,
	cols#80, lines#24,
	clear=\E[H\E[J, cup=\E[%i%p1%d;%p2%dH, smcup=\E[?1049h, rmcup=\E[?1049l,
	kcuu1=\E[A, kcud1=\E[B, kcuf1=\E[C, kcub1=\E[D, cr=\r, ind=\n, bel=^G,
"""
SEQUENCE = re.compile(r"\x1b(?:\[([?0-9;]*)([A-Za-z])|[=>])")


def terminfo():
    """Where the entry is compiled to."""
    directory = tempfile.mkdtemp(prefix="taskmon-terminfo-")
    subprocess.run(["tic", "-x", "-o", directory, "-"], input=ENTRY, text=True, check=True, capture_output=True)
    return directory


class Screen:
    """What the bytes leave on a screen of that size."""

    def __init__(self, width, height):
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.resize(width, height)
        self.rest = ""

    def resize(self, width, height):
        self.width, self.height, self.x, self.y = width, height, 0, 0
        self.cells = [[" "] * width for _ in range(height)]

    def feed(self, data):
        text = self.rest + self.decoder.decode(data)
        self.rest = ""
        at = 0
        while at < len(text):
            c = text[at]
            if c == "\x1b":
                match = SEQUENCE.match(text, at)
                if not match:
                    self.rest = text[at:]
                    return
                self.obey(match.group(1), match.group(2))
                at = match.end()
                continue
            at += 1
            if c == "\r":
                self.x = 0
            elif c == "\n":
                self.y = min(self.y + 1, self.height - 1)
            elif c == "\b":
                self.x = max(0, self.x - 1)
            elif c >= " ":
                if self.y < self.height and self.x < self.width:
                    self.cells[self.y][self.x] = c
                self.x = min(self.x + 1, self.width - 1)

    def obey(self, numbers, letter):
        if letter == "H":
            parts = [int(n) for n in numbers.split(";")] if numbers else [1, 1]
            self.y, self.x = parts[0] - 1, parts[1] - 1
        elif letter == "J":
            self.cells = [[" "] * self.width for _ in range(self.height)]
        elif letter == "K" and self.y < self.height:
            self.cells[self.y][self.x:] = [" "] * (self.width - self.x)

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]


class OnTerminal:
    """Runs a program on a pseudo-terminal of its own."""

    def __init__(self, arguments, width=80, height=24, environment=None):
        self.terminfo = terminfo()
        self.screen = Screen(width, height)
        self.raw = b""
        self.master, self.slave = pty.openpty()
        self.set_size(width, height)
        self.before = termios.tcgetattr(self.slave)
        env = {**os.environ, "TERM": "taskmontest", "TERMINFO": self.terminfo, "LANG": "C.UTF-8", "TZ": "UTC",
               **(environment or {})}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            if name not in (environment or {}):
                env.pop(name, None)
        self.process = subprocess.Popen(arguments, stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env,
                                        start_new_session=True, preexec_fn=self.take_terminal)

    def take_terminal(self):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def set_size(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width, height):
        self.look()
        self.screen.resize(width, height)
        self.set_size(width, height)

    def type(self, text):
        os.write(self.master, text.encode())

    def look(self):
        """Takes in what was printed until now and returns the lines of the screen."""
        while select.select([self.master], [], [], 0.05)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.raw += data
            self.screen.feed(data)
        return self.screen.lines()

    def wait_until(self, condition, what):
        """Looks until condition(lines) is truthy and returns it."""
        try:
            return wait_for(lambda: condition(self.look()), what)
        except AssertionError as error:
            raise AssertionError(str(error) + ", on the screen was\n" + "\n".join(self.screen.lines())) from None

    def wait_for_text(self, text):
        return self.wait_until(lambda lines: any(text in line for line in lines), f"'{text}'")

    def line_with(self, text):
        return next((line for line in self.look() if text in line), None)

    def wait_for_end(self):
        """The exit code, negative for a signal; what was printed to the end is taken in."""
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            self.look()
            if time.monotonic() > end:
                raise AssertionError("did not end; on the screen was\n" + "\n".join(self.screen.lines()))
        self.look()
        return self.process.returncode

    def is_restored(self):
        """Modes of the terminal as before, and the other screen left."""
        return termios.tcgetattr(self.slave) == self.before and self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
        subprocess.run(["rm", "-r", self.terminfo], check=True)
