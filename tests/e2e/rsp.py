#!/usr/bin/env python3
"""A client of GDB's remote protocol, written from the manual and sharing no code with gyve: what gdb is too slow or too polite for.

    rsp.py ADDRESS hits HOT TOTAL COUNT NCPUS   continue over a breakpoint at HOT until the guest ends; all COUNT hits must come
    rsp.py ADDRESS watch WHERE LEN COUNT        continue over a write watchpoint, which stops COUNT times, until the guest ends
    rsp.py ADDRESS many SPIN COUNT              COUNT breakpoints, one of them in the loop at SPIN, come and go
    rsp.py ADDRESS replay SESSION GUEST         a recorded session (tests/conformance): every answer must be as it was
    rsp.py ADDRESS nonstop COUNTS WORK          stop four vCPUs one by one, step one while others run, breakpoints hit by each
    rsp.py ADDRESS running COUNTS               all-stop: memory, search and monitor while the guest runs
    rsp.py ADDRESS hostile                      bytes that are no protocol; afterwards the session still works
"""
import random
import os
import re
import socket
import sys
import time


class Client:
    def __init__(self, address):
        if "/" in address:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(address)
        else:
            host, port = address.rsplit(":", 1)
            self.sock = socket.create_connection((host or "127.0.0.1", int(port)))
        self.sock.settimeout(240 if os.environ.get("MACHINE") else 60)  # an emulated host has to start
        self.pending = b""
        self.acks = True

    def start(self):
        self.supported = self.ask("qSupported:swbreak+;hwbreak+;vContSupported+;error-message+")
        if self.ask("QStartNoAckMode") != "OK":
            raise SystemExit("QStartNoAckMode is refused")
        self.sock.sendall(b"+")
        self.acks = False

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, text):
        data = text.encode("latin-1")
        self.raw(b"$" + data + b"#%02x" % (sum(data) & 255))

    def byte(self):
        if not self.pending:
            self.pending = self.sock.recv(65536)
            if not self.pending:
                raise SystemExit("gyve closed the connection")
        first, self.pending = self.pending[:1], self.pending[1:]
        return first

    def receive(self):
        """The next packet, its checksum verified, escapes and run lengths resolved."""
        while self.byte() != b"$":
            pass
        end = self.pending.find(b"#")
        while end < 0 or len(self.pending) < end + 3:
            more = self.sock.recv(65536)
            if not more:
                raise SystemExit("gyve closed the connection inside a packet")
            self.pending += more
            end = self.pending.find(b"#")
        body, check, self.pending = self.pending[:end], self.pending[end + 1 : end + 3], self.pending[end + 3 :]
        if int(check, 16) != sum(body) & 255:
            raise SystemExit("wrong checksum: %r" % body[:80])
        if self.acks:
            self.raw(b"+")
        if b"}" not in body and b"*" not in body:
            return body.decode("latin-1")
        out, i = bytearray(), 0
        while i < len(body):
            if body[i : i + 1] == b"}":
                out.append(body[i + 1] ^ 0x20)
                i += 2
            elif body[i : i + 1] == b"*":
                out += out[-1:] * (body[i + 1] - 29)
                i += 2
            else:
                out.append(body[i])
                i += 1
        return out.decode("latin-1")

    def ask(self, text):
        self.send(text)
        return self.receive()

    def stop(self):
        """The next stop reply as (kind, {key: value}); console output in between is skipped."""
        while True:
            reply = self.receive()
            if reply[:1] == "O" and reply != "OK":
                continue
            if reply[:1] in "WX":
                return reply[:1], {"code": reply[1:3]}
            if reply[:1] != "T":
                raise SystemExit("no stop reply: %r" % reply)
            pairs = dict(p.split(":", 1) for p in reply[3:].split(";") if ":" in p)
            pairs["signal"] = reply[1:3]
            return "T", pairs

    def threads(self):
        found, reply = [], self.ask("qfThreadInfo")
        while reply.startswith("m"):
            found += reply[1:].split(",")
            reply = self.ask("qsThreadInfo")
        if reply != "l":
            raise SystemExit("the thread list does not end: %r" % reply)
        return found


def little(number):
    return number.to_bytes(8, "little").hex()


def hits(client, hot, total, count, ncpus):
    hot, count, ncpus = int(hot, 0), int(count), int(ncpus)
    client.start()
    if client.ask("M%x,8:%s" % (int(total, 0), little(count))) != "OK":
        raise SystemExit("cannot write the number of rounds")
    if client.ask("Z0,%x,1" % hot) != "OK":
        raise SystemExit("cannot insert the breakpoint")
    seen, begin = {}, time.monotonic()
    for n in range(count + 1):
        client.send("vCont;c")
        kind, stop = client.stop()
        if kind != "T":
            break
        thread = stop.get("thread")
        if stop["signal"] != "05" or "swbreak" not in stop:
            raise SystemExit("stop %d is no breakpoint hit: %r" % (n + 1, stop))
        if "10" in stop and stop["10"] != little(hot):
            raise SystemExit("stop %d is at %s" % (n + 1, stop["10"]))
        seen[thread] = seen.get(thread, 0) + 1
        if n % 1000 == 0 and len(client.threads()) != ncpus:
            raise SystemExit("the thread list is not complete: %r" % client.threads())
    else:
        raise SystemExit("more than %d stops" % count)
    took = time.monotonic() - begin
    if kind != "W" or stop["code"] != "00":
        raise SystemExit("the guest ended with %s%s after %d stops" % (kind, stop["code"], sum(seen.values())))
    if sum(seen.values()) != count or len(seen) != ncpus or len(set(seen.values())) != 1:
        raise SystemExit("%d stops, by thread: %r" % (sum(seen.values()), seen))
    print("%d stops in %.2f s, %.0f/s, by thread: %r" % (count, took, count / took, seen))


def watch(client, where, length, count):
    """It never steps over the access itself: gyve has to."""
    client.start()
    if client.ask("Z2,%x,%x" % (int(where, 0), int(length, 0))) != "OK":
        raise SystemExit("cannot insert the watchpoint")
    for n in range(int(count) + 1):
        client.send("vCont;c")
        kind, stop = client.stop()
        if kind != "T":
            break
        if not int(where, 0) <= int(stop.get("watch", "0"), 16) < int(where, 0) + int(length, 0):
            raise SystemExit("stop %d is no hit of the watchpoint: %r" % (n + 1, stop))
    if kind != "W" or stop["code"] != "00" or n != int(count):
        raise SystemExit("%d stops, then %s%r" % (n, kind, stop))
    print("%d stops" % n)


class NonStop:
    """Notifications beside the answers."""

    def __init__(self, client):
        self.client, self.notes = client, []

    def packet(self):
        """(is it a notification, text)"""
        while True:
            first = self.client.byte()
            if first in b"$%":
                break
        body = b""
        while True:
            c = self.client.byte()
            if c == b"#":
                break
            body += c
        self.client.byte(), self.client.byte()
        return first == b"%", body.decode("latin-1")

    def ask(self, text):
        self.client.send(text)
        while True:
            note, body = self.packet()
            if not note:
                return body
            self.notes.append(body)

    def must(self, text, want="OK"):
        answer = self.ask(text)
        if answer != want:
            raise SystemExit("%s: %r, not %r" % (text, answer, want))

    def stops(self):
        """All stops there are, at least one: {thread: reply}."""
        while not self.notes:
            note, body = self.packet()
            if not note:
                raise SystemExit("an answer that nobody asked for: %r" % body)
            self.notes.append(body)
        reply, found = self.notes.pop(0)[5:], {}
        while reply != "OK":
            if reply[0] in "WX":
                raise SystemExit("it ended: " + reply)
            thread = dict(p.split(":", 1) for p in reply[3:].split(";") if ":" in p)["thread"]
            if thread in found:
                raise SystemExit("told twice: " + reply)
            found[thread] = reply
            reply = self.ask("vStopped")
        if self.notes:
            raise SystemExit("a notification before the one before was acknowledged")
        return found

    def collect(self, threads):
        found = {}
        while set(found) != set(threads):
            new = self.stops()
            if set(new) & set(found) or not set(new) <= set(threads):
                raise SystemExit("stops that do not belong here: %r after %r" % (new, found))
            found.update(new)
        return found


def nonstop(client, counts, work):
    counts, work = int(counts, 0), int(work, 0)
    client.start()
    if "QNonStop+" not in client.supported:
        raise SystemExit("QNonStop is not announced")
    n = NonStop(client)
    n.must("QNonStop:1")
    first, seen = n.ask("?"), 0
    while first != "OK":
        seen += 1
        if first[0] != "T":
            raise SystemExit("no stop: " + first)
        first = n.ask("vStopped")
    if seen != 4:
        raise SystemExit("%d threads were stopped at first" % seen)

    def count(cpu):
        return int.from_bytes(bytes.fromhex(n.ask("m%x,8" % (counts + 8 * cpu))), "little")

    n.must("vCont;c")
    for round in range(50):
        time.sleep(0.01)
        n.must("vCont;t:2")
        found = n.collect(["2"])
        if not found["2"].startswith("T00"):
            raise SystemExit("vCont;t: " + found["2"])
        n.must("Hg2")
        if len(n.ask("g")) < 100 or n.ask("?")[:3] != "T00" or n.ask("vStopped") != "OK":
            raise SystemExit("a stopped thread cannot be looked at")
        n.must("Hg1")
        if n.ask("g")[0] != "E":
            raise SystemExit("registers of a running thread")
        before = [count(i) for i in range(4)]
        for _ in range(20):
            n.must("vCont;s:2")
            found = n.collect(["2"])
            if not found["2"].startswith("T05"):
                raise SystemExit("a step: " + found["2"])
        after, until = before, time.monotonic() + 10
        while any(after[i] <= before[i] for i in (0, 2, 3)) and time.monotonic() < until:
            after = [count(i) for i in range(4)]  # a busy host may let one of them wait for a while
        if after[1] - before[1] > 3 or any(after[i] <= before[i] for i in (0, 2, 3)):
            raise SystemExit("%r became %r while thread 2 stepped" % (before, after))
        n.must("vCont;t:2")  # it is stopped: nothing more to say
        n.must("vCont;c:2")
    n.must("vCtrlC")
    found = n.collect(["1"])
    if not found["1"].startswith("T02"):
        raise SystemExit("vCtrlC: " + found["1"])
    n.must("vCont;c")
    for round in range(30):  # set and removed while they run; each hits it, each is told
        n.must("Z0,%x,1" % work)
        found = n.collect("1234")
        if any("swbreak" not in r for r in found.values()):
            raise SystemExit("no hits: %r" % found)
        n.must("vCont;s:1;c:2")  # over it, the others where they are
        n.collect("12")
        n.must("z0,%x,1" % work)
        n.must("vCont;c")
    n.must("vCont;t")
    n.collect("1234")
    n.must("QNonStop:0", "E.a thread runs")  # as far as the machine goes
    client.send("k")


def running(client, counts):
    counts = int(counts, 0)
    client.start()
    client.send("vCont;c")
    time.sleep(0.3)
    a = client.ask("m%x,8" % counts)
    time.sleep(0.2)
    b = client.ask("m%x,8" % counts)
    if len(a) != 16 or a == b:
        raise SystemExit("the guest does not count: %s, %s" % (a, b))
    if client.ask("x%x,0" % counts) not in ("b", "OK"):
        raise SystemExit("x: " + client.ask("x%x,0" % counts))
    found = client.ask("qSearch:memory:200000;1000;\x31\xed")
    if not found.startswith("1,"):
        raise SystemExit("qSearch: " + found)
    client.send("qRcmd," + b"translate 0x200000".hex())
    text, reply = "", client.receive()
    while reply[:1] == "O" and reply != "OK":
        text += bytes.fromhex(reply[1:]).decode()
        reply = client.receive()
    if reply != "OK" or "200000" not in text:
        raise SystemExit("monitor: %r %r" % (text, reply))
    if client.ask("g")[0] != "E" or client.ask("M%x,1:00" % counts)[0] != "E":
        raise SystemExit("registers of a running guest")
    client.raw(b"\3")
    kind, stop = client.stop()
    if stop["signal"] != "02":
        raise SystemExit("^C: %r" % stop)
    client.send("k")


def hostile(client):
    """Seeded, so that a failure can be had again."""
    rng = random.Random(2)
    client.start()
    whole = client.ask("g")
    packets = ["m", "m,", "m0", "m0,ffffffffffffffffff", "mffffffffffffffff,10", "M0,4:zz", "M0,ffff:00", "X0,10:", "Z", "Z9,0,1",
               "Z0,,", "Z2,0,ffffffffffffffff", "z0,123,1", "p", "pffffffff", "Pzz=1", "P0", "G00", "Hg-7", "Hgffffffffff", "T0",
               "T99", "vCont;", "vCont;q", "vCont;r1,0:99", "vCont;s:99", "qXfer:features:read:target.xml:ffffffff,10",
               "qXfer:features:read:../../etc/passwd:0,100", "qXfer:nothing:read::0,1", "qRcmd,6", "qRcmd,zz", "qRcmd," + "61" * 5000,
               "vFile:open:2f6574632f736861646f77,0,0", "vFile:open:2e,0,0", "vFile:pread:7,ffffffff,0", "vFile:close:99",
               "vFile:open:", "qSupported:" + "a+;" * 1000, "\x00", "", "qCRC:0,ffffffffffffffff", "x0,ffffffffffffffff"]
    for text in packets:
        client.ask(text)
    for _ in range(300):
        client.ask(rng.choice("mMXZzpPGHTvqQx") + "".join(chr(rng.choice([44, 58, 59] + list(range(48, 58)))) for _ in range(rng.randrange(12))))
    client.raw(b"$m0,4#00" + b"$" * 100 + b"#" + b"+-+-" + bytes(rng.randrange(256) for _ in range(2000)).replace(b"\x03", b"").replace(b"$", b""))
    client.raw(b"$" + b"a" * 300000)  # more than any packet may have, and never ended
    client.raw(b"#00")
    # whatever came back, the session must find itself again
    client.sock.settimeout(3)
    try:
        while True:
            if not client.sock.recv(65536):
                raise SystemExit("gyve closed the connection")
            client.sock.settimeout(0.5)
    except socket.timeout:
        pass
    client.pending = b""
    client.sock.settimeout(20)
    client.acks = False
    if not client.ask("qC").startswith("QC"):
        raise SystemExit("no answer after the noise")
    if len(client.ask("g")) != len(whole):
        raise SystemExit("the registers changed their size")
    print("alive")


def many(client, spin, count):
    client.start()
    hot, count, base = int(spin, 0) + 4, int(count), 0x1000000
    before = client.ask("m%x,1000" % base)
    others = [base + 16 * i for i in range(count - 1)]
    random.Random(1).shuffle(others)
    for address in others[: count // 2] + [hot] + others[count // 2 :]:
        if client.ask("Z0,%x,1" % address) != "OK":
            raise SystemExit("no breakpoint at 0x%x" % address)
    if client.ask("m%x,1000" % base) != before or client.ask("m%x,4" % base) != before[:8]:
        raise SystemExit("breakpoints show in memory")
    for _ in range(20):
        client.send("vCont;c")
        kind, stop = client.stop()
        if kind != "T" or "swbreak" not in stop or stop["10"] != little(hot):
            raise SystemExit("stopped otherwise: %r" % stop)
    random.Random(2).shuffle(others)
    for address in others:
        if client.ask("z0,%x,1" % address) != "OK":
            raise SystemExit("the breakpoint at 0x%x stays" % address)
    client.send("vCont;c")
    if client.stop()[1].get("10") != little(hot):
        raise SystemExit("the last breakpoint is gone")
    if client.ask("m%x,1000" % base) != before:
        raise SystemExit("a breakpoint was left behind")
    client.send("vKill;1")
    client.receive()
    print("fine")


def unquote(text):
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), text)


def is_as_recorded(asked, pattern, reply):
    if asked.startswith("qSupported"):
        return set(pattern.split(";")) <= set(reply.split(";"))
    parts = pattern.split("{*}")
    return re.fullmatch(".*".join(re.escape(unquote(p)) for p in parts), reply, re.S) is not None


def replay(client, session, guest):
    asked = ""
    image = os.path.realpath(guest).encode().hex()
    sent = 0
    for number, line in enumerate(open(session), 1):
        mark, text = line[:1], line[2:].rstrip("\n")
        if mark == ">":
            asked = text
            client.send(unquote(text.replace("{image}", image)))
            sent += 1
        elif mark == "!":
            client.raw(bytes.fromhex(text))
        elif mark == "<":
            reply = client.receive()
            if asked == "QStartNoAckMode":
                client.acks = False
            if not is_as_recorded(asked, text, reply):
                raise SystemExit("%s:%d: to %r the answer is %r, not %r" % (os.path.basename(session), number, asked[:80], reply[:300], text[:300]))
    print("%d packets" % sent)


COMMANDS = {"hits": hits, "watch": watch, "many": many, "nonstop": nonstop, "running": running, "replay": replay, "hostile": hostile}


def main():
    if len(sys.argv) < 3 or sys.argv[2] not in COMMANDS:
        raise SystemExit(__doc__)
    client = Client(sys.argv[1])
    COMMANDS[sys.argv[2]](client, *sys.argv[3:])


main()
