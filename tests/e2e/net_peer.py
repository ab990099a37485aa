#!/usr/bin/env python3
"""The host's end of the network tests.

net_peer.py sink ADDRESS PORT BYTES     accept one connection; the pattern has to come, all of it
net_peer.py source ADDRESS PORT BYTES   accept one connection, send the pattern
net_peer.py ask ADDRESS PORT COUNT      connect; COUNT requests of 64 bytes, each has to come back
Prints one line: bytes and seconds, or the median time of a request in microseconds."""
import os
import socket
import struct
import sys
import time

PERIOD = 65528


def pattern():
    words, v = [], 1
    for _ in range(PERIOD // 8):
        v = (v * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        words.append(v)
    return struct.pack("<%dQ" % len(words), *words) * 2


def accept(address, port):
    with socket.create_server((address, port)) as server:
        server.settimeout(60)
        os.write(2, b"ready %d\n" % server.getsockname()[1])  # at once: somebody waits for the line
        connection = server.accept()[0]
    connection.settimeout(120)
    return connection


def sink(connection, want):
    data, at, begin = pattern(), 0, time.time()
    while True:
        got = connection.recv(min(PERIOD, 1 << 16))
        if not got:
            break
        if got != data[at % PERIOD:at % PERIOD + len(got)]:
            sys.exit("wrong bytes at %d" % at)
        at += len(got)
    if at != want:
        sys.exit("%d bytes came, not %d" % (at, want))
    return at, time.time() - begin


def source(connection, want):
    data, at, begin = pattern(), 0, time.time()
    while at < want:
        at += connection.send(data[at % PERIOD:at % PERIOD + min(PERIOD, want - at)])
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        sys.exit("the guest sends something")
    return at, time.time() - begin


def ask(address, port, count):
    for attempt in range(100):
        try:
            connection = socket.create_connection((address, port), 30)
            break
        except OSError:
            if attempt == 99:
                raise
            time.sleep(0.1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for i in range(count):
        request, begin, answer = struct.pack("<16I", *range(i, i + 16)), time.time(), b""
        connection.sendall(request)
        while len(answer) < len(request):
            got = connection.recv(4096)
            if not got:
                sys.exit("the guest hung up")
            answer += got
        if answer != request:
            sys.exit("answer %d is another" % i)
        times.append(time.time() - begin)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    return sorted(times)[count // 2] * 1e6


def main():
    role, address, port, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if role == "ask":
        print("%.0f us" % ask(address, port, n))
        return
    size, seconds = {"sink": sink, "source": source}[role](accept(address, port), n)
    print("%d bytes in %.3f s: %.2f MB/s" % (size, seconds, size / seconds / 1e6))


if __name__ == "__main__":
    main()
