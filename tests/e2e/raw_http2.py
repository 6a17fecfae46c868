# SPDX-License-Identifier: Apache-2.0
"""Calls of gRPC's in raw HTTP/2, as no library makes them: some connections, so many calls on each, kept at.

Run as a program of its own, as the user who means harm: SOCKET HOW CONNECTIONS CALLS. It says "here" once it has called for
the first time; whoever is cut off calls again, and calls that were taken back are made anew all the time.
"""
import collections
import select
import socket
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
ACK = 1
INITIAL_WINDOW_SIZE = 4
CANCEL = struct.pack(">I", 8)
NO_MESSAGE = b"\0\0\0\0\0"  # of gRPC's, with nothing in it
PAUSE_S = 0.2


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header of HPACK's that no table remembers."""
    return b"".join([b"\0", bytes([len(name)]), name, bytes([len(value)]), value])


# What is called, what is sent with it, how much the client takes of an answer before it says that it wants more, and
# whether it takes each call back at once: for HTTP/2 it is over then, however many follow.
How = collections.namedtuple("How", "path message window reset", defaults=(False,))
HOW = {
    "headers-only watch": How(b"/taskmon.v1.Taskmon/WatchTasks", None, 65535),
    "headers-only list": How(b"/taskmon.v1.Taskmon/ListTasks", None, 65535),
    "zero-window status": How(b"/taskmon.v1.Taskmon/GetStatus", NO_MESSAGE, 0),
    "zero-window rules": How(b"/taskmon.v1.Rules/ListRules", NO_MESSAGE, 0),
    "unknown method": How(b"/taskmon.v1.Taskmon/Nothing", NO_MESSAGE, 0),
    "reset status": How(b"/taskmon.v1.Taskmon/GetStatus", None, 65535, reset=True),
}


def call(stream, how):
    post, http = b"\x83", b"\x86"
    block = post + http + b"".join(literal(*header) for header in (
        (b":path", how.path), (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers")))
    frames = frame(HEADERS, END_HEADERS, stream, block)
    if how.message is not None:
        frames += frame(DATA, END_STREAM, stream, how.message)
    return frames + frame(RST_STREAM, 0, stream, CANCEL) if how.reset else frames


class Client:
    """One connection. Nothing is read of it."""

    def __init__(self, path, how, calls):
        self.how = how
        self.calls = calls
        self.next_stream = 1
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, how.window)
        try:
            self.socket.connect(path)
            self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACK, 0))
        except OSError:
            return  # it is cut off already
        self.call()

    def call(self):
        streams = range(self.next_stream, self.next_stream + 2 * self.calls, 2)
        self.next_stream = streams.stop
        try:
            self.socket.sendall(b"".join(call(stream, self.how) for stream in streams))
        except OSError:
            pass  # so is this


def cut_off(clients):
    """Those that the server has closed."""
    poll = select.poll()
    for client in clients:
        poll.register(client.socket, select.POLLRDHUP)
    ended = {fd for fd, _ in poll.poll(0)}
    return [client for client in clients if client.socket.fileno() in ended]


def main():
    path, how, connections, calls = sys.argv[1], HOW[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4])
    clients = [Client(path, how, calls) for _ in range(connections)]
    print("here", flush=True)
    while True:
        time.sleep(PAUSE_S)
        for client in cut_off(clients):
            clients.remove(client)
            client.socket.close()
            clients.append(Client(path, how, calls))
        if how.reset:
            for client in clients:
                client.call()


if __name__ == "__main__":
    main()
