# SPDX-License-Identifier: Apache-2.0
"""Calls of gRPC's in raw HTTP/2, as no library makes them: some connections, so many calls on each, kept at.

Run as a program of its own, as the user who means harm: SOCKET HOW CONNECTIONS CALLS. It says "here" once it has called for
the first time; whoever is cut off calls again.
"""
import select
import socket
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
ACK = 1
INITIAL_WINDOW_SIZE = 4
NO_MESSAGE = b"\0\0\0\0\0"  # of gRPC's, with nothing in it
PAUSE_S = 0.2


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header of HPACK's that no table remembers."""
    return b"".join([b"\0", bytes([len(name)]), name, bytes([len(value)]), value])


def call(stream, path, message):
    post, http = b"\x83", b"\x86"
    block = post + http + b"".join(literal(*header) for header in (
        (b":path", path), (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers")))
    frames = frame(HEADERS, END_HEADERS, stream, block)
    return frames + frame(DATA, END_STREAM, stream, message) if message is not None else frames


# What is called, what is sent with it, and how much the client takes of an answer before it says that it wants more.
HOW = {
    "headers-only watch": (b"/taskmon.v1.Taskmon/WatchTasks", None, 65535),
    "headers-only list": (b"/taskmon.v1.Taskmon/ListTasks", None, 65535),
    "zero-window status": (b"/taskmon.v1.Taskmon/GetStatus", NO_MESSAGE, 0),
    "zero-window rules": (b"/taskmon.v1.Rules/ListRules", NO_MESSAGE, 0),
    "unknown method": (b"/taskmon.v1.Taskmon/Nothing", NO_MESSAGE, 0),
}


def connect(path, how, calls):
    method, message, window = HOW[how]
    settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    data = PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACK, 0) + b"".join(call(1 + 2 * i, method, message) for i in range(calls))
    try:
        client.connect(path)
        client.sendall(data)
    except OSError:
        pass  # it is cut off already
    return client


def cut_off(clients):
    """Those that the server has closed. Nothing is read of the others."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLRDHUP)
    ended = {fd for fd, _ in poll.poll(0)}
    return [client for client in clients if client.fileno() in ended]


def main():
    path, how, connections, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    clients = [connect(path, how, calls) for _ in range(connections)]
    print("here", flush=True)
    while True:
        time.sleep(PAUSE_S)
        for client in cut_off(clients):
            clients.remove(client)
            client.close()
            clients.append(connect(path, how, calls))


if __name__ == "__main__":
    main()
