# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm: others are served meanwhile, ticks come on time, memory stays bounded, all is counted."""
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import raw_http2
import recorder as support
from recorder import RecorderCase, wait_for
from waiting import SLOWDOWN

HOSTILE = 64996
PATIENT = 64990
STRANGERS = 64900  # users after this one, each for himself: who was sent away stays away for a while
MANY = 10_000
RSS_MARGIN = (256 << 20) * SLOWDOWN

# Opens as many connections as it is told to and keeps them, with some bytes in each.
CROWD = """
import resource, socket, sys
count, path, data = int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
sockets = []
for _ in range(count):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)  # waits while the backlog is full
    s.settimeout(10)
    try:
        s.send(data)
    except OSError:
        pass  # refused already
    sockets.append(s)
print("here", flush=True)
sys.stdin.read()
"""

# Stands between clients and the daemon: what clients say is passed on at once, what they get a byte a second.
TRICKLE = """
import socket, sys, threading, time
daemon, path = sys.argv[1:]
def pump(source, sink, size, pause):
    try:
        while data := source.recv(size):
            sink.sendall(data)
            time.sleep(pause)
    except OSError:
        pass
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(100)
print("here", flush=True)
while True:
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    server.connect(daemon)
    for source, sink, size, pause in ((client, server, 65536, 0), (server, client, 1, 1)):
        threading.Thread(target=pump, args=(source, sink, size, pause), daemon=True).start()
"""

# Says the first words of HTTP/2 on so many connections, a byte a second.
MUMBLE = """
import socket, sys, time
sockets = [socket.socket(socket.AF_UNIX) for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.connect(sys.argv[2])
print("here", flush=True)
for byte in b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes(1000):
    for s in sockets:
        try:
            s.send(bytes([byte]))
        except OSError:
            pass
    time.sleep(1)
"""


class Hostile(RecorderCase):
    interval = "500ms"
    strangers = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        cls.many = min(MANY, hard - 100)
        # The build tree may lie where an ordinary user cannot look.
        cls.bin = tempfile.mkdtemp(prefix="taskmon-bin-")
        os.chmod(cls.bin, 0o755)
        shutil.copy(f"{support.BIN}/taskmonctl", cls.bin)
        shutil.copy(raw_http2.__file__, cls.bin)
        cls.addClassCleanup(shutil.rmtree, cls.bin)

    def setUp(self):
        self.before = self.recorder.status()
        self.children = []

    def tearDown(self):
        for child in self.children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe:
                    pipe.close()

    def hostile(self, command, user=HOSTILE, **kwargs):
        child = subprocess.Popen(command, user=user, group=user, extra_groups=[], cwd="/", **kwargs)
        self.children.append(child)
        return child

    def crowd(self, count, data=b""):
        def raise_limit():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        child = self.hostile(["/usr/bin/python3", "-c", CROWD, str(count), self.recorder.socket, data.hex()],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=raise_limit)
        self.assertEqual(child.stdout.readline(), b"here\n")
        return child

    def assert_well(self):
        """Others are served, ticks go on, memory is bounded."""
        self.recorder.ticks(3)
        self.assertTrue(self.recorder.json("ps", "--top", "3"))
        other = subprocess.run([f"{self.bin}/taskmonctl", "--socket", self.recorder.socket, "ps", "--top", "3"],
                               user=HOSTILE + 1, group=HOSTILE + 1, extra_groups=[], cwd="/", capture_output=True,
                               text=True, timeout=support.DEADLINE_S)
        self.assertEqual(other.returncode, 0, other.stderr)
        now = self.recorder.status()
        self.assertLess(now["rss_bytes"], self.before["rss_bytes"] + RSS_MARGIN)
        self.assertEqual(now["dropped"].get("writer_queue_ticks", 0), 0)
        return now

    def test_thousands_of_connections_are_one_users_affair(self):
        self.crowd(self.many)
        refused = self.assert_well()["dropped"]["connections_refused"] - self.before["dropped"]["connections_refused"]
        self.assertGreaterEqual(refused, self.many - 1024)

    def test_garbage_ends_the_connection_it_came_on(self):
        logged = len(self.recorder.log_text())
        for data in (os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", b"\0" * 65536,
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(support.DEADLINE_S)
                client.connect(self.recorder.socket)
                try:
                    client.sendall(data)
                    while client.recv(65536):
                        pass  # until it is closed
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.crowd(200, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(500))
        self.assert_well()
        self.assertEqual(self.recorder.log_text()[logged:], "")  # nobody fills it

    def test_watchers_that_do_not_read_keep_their_share_and_no_more(self):
        command = [f"{self.bin}/taskmonctl", "--socket", self.recorder.socket, "watch", "-f", "all", "-o", "json"]
        for _ in range(80):
            # The pipe fills up, then the socket.
            self.hostile(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.recorder.status()["dropped"]["streams_refused"] > self.before["dropped"]["streams_refused"],
                 "refusals")
        self.assert_well()

    def test_clients_of_a_byte_a_second_hold_up_themselves(self):
        place = tempfile.mkdtemp(prefix="taskmon-slow-")
        self.addCleanup(shutil.rmtree, place)
        os.chown(place, HOSTILE, HOSTILE)
        slow = f"{place}/socket"
        for script in ([TRICKLE, self.recorder.socket, slow], [MUMBLE, "60", self.recorder.socket]):
            child = self.hostile(["/usr/bin/python3", "-c", *script], stdout=subprocess.PIPE)
            self.assertEqual(child.stdout.readline(), b"here\n")
        readers = [self.hostile([f"{self.bin}/taskmonctl", "--socket", slow, *command, "-f", "all", "-o", "json"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for command in (("watch",), ("history", "-H", "-b", "10s"), ("ps", "-H")) for _ in range(15)]
        self.assert_well()
        self.assertEqual([reader.poll() for reader in readers], [None] * len(readers))  # not one has its answer yet

    def call_without_end(self, user, how, connections, calls):
        child = self.hostile(["/usr/bin/python3", "-B", f"{self.bin}/raw_http2.py", self.recorder.socket, how,
                              str(connections), str(calls)], user=user, stdout=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"here\n")
        return child

    def refused(self):
        """As far as it can be asked for: who comes while somebody is being sent away may have to come again."""
        done = self.recorder.ctl("status", "-o", "json", check=False)
        dropped = json.loads(done.stdout)["dropped"] if done.returncode == 0 else self.before["dropped"]
        kinds = ("streams_refused", "calls_refused", "connections_refused")
        return sum(dropped[kind] - self.before["dropped"][kind] for kind in kinds)

    def test_calls_that_never_end_are_one_users_affair(self):
        # More than one user may have, on a few connections; then so many that gRPC has no memory for them.
        for connections, calls in ((4, 100), (4, 3000)):
            for how in raw_http2.HOW:
                if how in ("unknown method", "reset status") and calls < 1000:
                    continue  # all their refusals fit into the socket; so few are over before they are too many
                with self.subTest(how=how, calls=calls):
                    self.setUp()
                    type(self).strangers += 1
                    child = self.call_without_end(STRANGERS + self.strangers, how, connections, calls)
                    try:
                        wait_for(lambda: self.refused() > 0, "refusals")
                        if calls < 1000:
                            self.assert_well()  # of more, others notice something for a moment
                    finally:
                        child.kill()
                        child.wait()
                        child.stdout.close()
                        self.children.clear()
                    wait_for(lambda: self.recorder.ctl("status", check=False).returncode == 0, "an answer")
                    self.assert_well()

    def test_one_user_may_have_many_watchers_beside_short_calls(self):
        command = [f"{self.bin}/taskmonctl", "--socket", self.recorder.socket]
        watchers = [self.hostile([*command, "watch", "--interval", "1s"], user=PATIENT, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for _ in range(200)]
        askers = [self.hostile([*command, "status"], user=PATIENT, stdout=subprocess.DEVNULL) for _ in range(20)]
        self.assertEqual({asker.wait(timeout=support.DEADLINE_S) for asker in askers}, {0})
        now = self.assert_well()
        # Those that are not served were told so; nobody was sent away.
        self.assertEqual(now["dropped"]["calls_refused"], self.before["dropped"]["calls_refused"])
        self.assertEqual(sum(watcher.poll() is None for watcher in watchers), 64)

    def test_clients_that_vanish_leave_nothing(self):
        command = [f"{self.bin}/taskmonctl", "--socket", self.recorder.socket, "watch", "--interval", "1s"]
        for _ in range(3):
            clients = [self.hostile(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(30)]
            time.sleep(0.5)  # some of them are in the middle of something
            for client in clients:
                client.kill()
        status = self.assert_well()
        # All of the share is there again.
        wait_for(lambda: all(child.poll() is not None for child in self.children), "the ends")
        clients = [self.hostile([*command, "--count", "1"], stdout=subprocess.DEVNULL) for _ in range(40)]
        self.assertEqual({client.wait(timeout=support.DEADLINE_S) for client in clients}, {0})
        self.assertEqual(self.recorder.status()["dropped"]["streams_refused"], status["dropped"]["streams_refused"])

    def test_absurd_requests_are_refused(self):
        long = "x" * 70_000
        deep = "(" * 3000 + "cpu > 1" + ")" * 3000
        for args in (("ps", f"comm == {long}"), ("ps", deep), ("ps", "comm =~ '" + "(a{1000}){1000}" + "'"),
                     ("history", "-b", "9" * 400), ("watch", "cpu > 1 for 99999999999h", "--count", "1")):
            done = self.recorder.ctl(*args, check=False)
            self.assertIn(done.returncode, (2, 6), f"{args[1][:20]}: {done.stderr[:300]}")
            self.assertLess(len(done.stderr), 1000)
        self.assert_well()


if __name__ == "__main__":
    unittest.main()
