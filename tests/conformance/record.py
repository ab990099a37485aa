#!/usr/bin/env python3
"""Record what a debugger and gyve say to each other, for replay by tests/e2e/t_conformance.sh.

    record.py GYVE GUEST SESSION.rsp

SESSION.rsp exists and begins with its commands; what follows them is written anew:

    # client: gdb              or lldb
    # options: -c 1            of gyve run, may be left out
    # connect: extended-remote gdb's target; remote unless given
    # machine: aarch64         gyve runs in that emulated host (tests/hosts); GYVE and GUEST are for it
    # do: break sail           one for each command
    # code: 1234...            SHA-256 of the guest's loaded bytes: another compiler's guest has other addresses
    > qC                       a packet to gyve; a byte that is not printable, a backslash or a brace is \\xNN
    < QC1                      its answer, run lengths and escapes resolved; {*} stands for any text, {image} for the path, in hex.
                               Of the answer to qSupported each feature must be there, and others may be.
    ! 03                       bytes outside of packets
Read the changes before committing them: a reply that is wrong is recorded as faithfully as one that is right.
"""
import hashlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

# What differs between hosts, or from run to run, by the packet that asks for it.
VARIES = [
    (r"qXfer:features:read", r".*", "{*}"),  # how long it is depends on the processor
    (r"qTStatus", r".*", "{*}"),
    (r"qXfer:exec-file:read", r"^l.*", "l{*}"),
    (r"qXfer:osdata:read:processes", r'(<column name="command">)[^<]*', r"\1{*}"),
    (r"p", r"^([0-9a-fx]{16,})$", r"{*}"),
    (r"P[6-9a-f][0-9a-f]=|P[0-9a-f]{3,}=", r".*", "{*}"),  # a processor may not have that many
    (r"g", r"^([0-9a-fx]{64,})$", r"{*}"),
]


def code_hash(path):
    data = open(path, "rb").read()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    digest = hashlib.sha256()
    for i in range(count):
        kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
        if kind == 1:
            digest.update(struct.pack("<Q", address) + data[start : start + length])
    return digest.hexdigest()


def text(data):
    return "".join(chr(b) if 32 <= b < 127 and b not in b"\\{}" else "\\x%02x" % b for b in data)


def expand(body):
    out, i = bytearray(), 0
    while i < len(body):
        if body[i] == 0x7D and i + 1 < len(body):
            out.append(body[i + 1] ^ 0x20)
            i += 2
        elif body[i] == 0x2A and i + 1 < len(body):
            out += out[-1:] * (body[i + 1] - 29)
            i += 2
        else:
            out.append(body[i])
            i += 1
    return bytes(out)


class Side:
    """Packets out of one direction's bytes. Acknowledgements are dropped."""

    def __init__(self):
        self.bytes = b""

    def feed(self, data):
        self.bytes += data
        while self.bytes:
            first = self.bytes[:1]
            if first in b"+-":
                self.bytes = self.bytes[1:]
            elif first in b"$%":
                end = self.bytes.find(b"#")
                if end < 0 or len(self.bytes) < end + 3:
                    return
                yield "packet", self.bytes[1:end]
                self.bytes = self.bytes[end + 3 :]
            else:
                yield "raw", first
                self.bytes = self.bytes[1:]


def record(client, gyve, out, image):
    sides, asked = {client: Side(), gyve: Side()}, ""
    while True:
        for sock in select.select([client, gyve], [], [], 100)[0]:
            data = sock.recv(1 << 20)
            if not data:
                return
            for kind, body in sides[sock].feed(data):
                if kind == "raw":
                    out.append("! %02x" % body[0])
                elif sock is client:
                    asked = text(body if body[:1] in b"X" else expand(body) if b"}" in body else body)
                    out.append("> " + asked.replace(image.encode().hex(), "{image}"))
                else:
                    reply = text(expand(body))
                    for packet, pattern, to in VARIES:
                        if re.match(packet, asked):
                            reply = re.sub(pattern, to, reply, count=1)
                    out.append("< " + reply)
            (gyve if sock is client else client).sendall(data)


def commands(lines, guest, address):
    tags = [re.match(r"# (\w+): (.*)", line) for line in lines if line.startswith("# ")]
    tags = [(m.group(1), m.group(2)) for m in tags if m]
    one = dict(tags)
    do = [value for key, value in tags if key == "do"]
    if one["client"] == "lldb":
        program = ["lldb-14", "--no-lldbinit", "--batch", "-o", "settings set plugin.process.gdb-remote.packet-timeout 60"]
        program += ["-o", "process connect unix-connect://" + address]
        for c in do:
            program += ["-o", c]
    else:
        program = ["gdb-multiarch", "-nx", "-q", "-batch", "-ex", "set confirm off", "-ex", "set remotetimeout 60"]
        program += ["-ex", "target %s %s" % (one.get("connect", "remote"), address)]
        for c in do:
            program += ["-ex", c]
    return program + [guest], one.get("options", "").split(), one.get("machine")


def start(gyve, guest, options, machine, address):
    if not machine:
        command = [gyve, "run", "--gdb=unix:" + address] + options + [guest]
    else:
        hosts = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../hosts/run")
        command = [hosts, machine, "--timeout", "200", "--gdb", "unix:" + address, "--copy", gyve + ":/bin/gyve"]
        command += ["--copy", guest + ":/guest/image", "--", "gyve", "run", "--gdb=tty:/dev/gdb"] + options + ["/guest/image"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for _ in range(5000):
        if os.path.exists(address):
            return server
        time.sleep(0.02)
    sys.exit("record.py: gyve does not listen")


def main():
    gyve, guest, session = sys.argv[1], os.path.realpath(sys.argv[2]), sys.argv[3]
    head = [line.rstrip("\n") for line in open(session) if line.startswith("#") and not line.startswith("# code:")]
    out = []
    with tempfile.TemporaryDirectory() as work:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(work + "/proxy")
        listener.listen(1)
        program, options, machine = commands(head, guest, work + "/proxy")
        server = start(gyve, guest, options, machine, work + "/gyve")
        debugger = subprocess.Popen(program, stdin=subprocess.DEVNULL)
        client, _ = listener.accept()
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(work + "/gyve")
        record(client, upstream, out, guest)
        client.close()
        upstream.close()
        debugger.wait(20)
        time.sleep(0.2)
        server.terminate()
        server.wait()
    with open(session, "w") as f:
        f.write("\n".join(head + ["# code: " + code_hash(guest)] + out) + "\n")


if __name__ == "__main__":
    main()
