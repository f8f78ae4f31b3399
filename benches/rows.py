"""What is measured, and what has to be reached."""

import collections
import os
import re

OURS, NANOMSG, NNG, ZMQ, OMQ, BARE = "this library", "libnanomsg", "libnng", "libzmq", "omq", "bare"
TRANSPORTS = ("inproc", "ipc", "tcp", "ws")
PKI = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "target", "bench", "pki")  # by tests/pki.sh
SIZES = {"64B": 64, "1KiB": 1 << 10, "8KiB": 8 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20}
MORE_SIZES = {"16KiB": 16 << 10}  # of single rows
SUBSCRIBERS = (1, 8, 64, 256)
TOPICS = ((64, 64), (100, 100), (100, 100_000))  # subscribers, and topics that they share among them
CONNECTIONS = (10, 100, 1000, 5000)
ENDPOINTS = (10, 100, 1000)
THREADS = (2, 4, 8)

# The headlines, of which system calls and context switches are counted too.
KERNEL_ROWS = ("rtt/tcp/64B/pair/pinned", "stream/tcp/64B/pushpull")


class Row:
    def __init__(self, mode, transport, size, pattern, *flags):
        self.mode, self.transport, self.size, self.pattern, self.flags = mode, transport, size, pattern, flags
        self.bytes = (SIZES | MORE_SIZES)[size]
        self.name = "/".join((mode, transport, size, pattern) + flags)

    def number(self, unit):
        """That stands before the unit in a flag: 64 in 64subs."""
        found = (re.fullmatch(rf"(\d+){unit}", flag) for flag in self.flags)
        return next((int(m[1]) for m in found if m), 0)

    def arguments(self, cpu):
        """For the driver, but for the count of messages."""
        words = ["--mode", self.mode, "--transport", self.transport, "--pattern", self.pattern, "--size", str(self.bytes)]
        options = {"subs": "--subs", "topics": "--topics", "conns": "--connections", "endpoints": "--endpoints", "idle": "--idle",
                   "threads": "--threads"}
        for unit, option in options.items():
            words += [option, str(self.number(unit))] if self.number(unit) else []
        words += [f"--{flag}" for flag in ("device", "nnmsg") if flag in self.flags]
        words += ["--pki", PKI] if self.transport == "tls" else []
        return words + (["--pin", str(cpu)] if "pinned" in self.flags else [])

    def lasts(self, seconds):
        """How long a run takes that is as long as others: in a tenth of a second most of 100,000 topics come once or never."""
        return 10 * seconds if self.number("topics") else seconds

    def counts(self):
        """Count of a first try, and the limits for what follows from it."""
        if self.mode == "crowd":  # nothing is sent
            return 20, 20, 20
        if self.mode == "stream":
            return max(30, min(5000, (32 << 20) // self.bytes)), 30, 20_000_000
        if self.mode == "fan" and self.number("topics"):  # to some peers that is as many times more as there are subscribers
            return 2 * 16, 2 * 16, 200_000
        if self.mode == "fan":  # whole windows
            return 20 * 16, 4 * 16, 2_000_000
        # The cap bounds the damage when the scheduler is twenty times slower than during the first try.
        most = 60_000 if self.transport == "inproc" else 30_000
        turns = 2 * max(self.number("conns"), self.number("endpoints"))  # each connection twice at least
        large = self.bytes > 1 << 16  # a p99 is not to be the one worst of a few
        return max(turns, 40 if large else 400), max(turns, 300 if large else 100), most


def all_rows():
    rows = [Row("rtt", t, s, "pair") for t in TRANSPORTS for s in SIZES]
    rows += [Row("rtt", t, s, "pair", "pinned") for t in TRANSPORTS for s in SIZES]
    rows += [Row("rtt", t, "64B", "reqrep") for t in TRANSPORTS]
    rows += [Row("rtt", t, "64B", "reqrep", "pinned") for t in TRANSPORTS]
    rows += [Row("rtt", "tcp", "64B", "reqrep", "4999idle", "pinned")]
    rows += [Row("rtt", "tcp", "64B", "reqrep", f"{n}conns", "pinned") for n in CONNECTIONS]
    rows += [Row("rtt", "tcp", "64B", "reqrep", f"{n}endpoints", "pinned") for n in ENDPOINTS]
    rows += [Row("rtt", "tcp", "64B", p, "device", "pinned") for p in ("pair", "reqrep")]
    for t in TRANSPORTS:  # rows that are compared with each other stand together
        for s in SIZES:
            rows.append(Row("stream", t, s, "pushpull"))
            if s in ("64KiB", "1MiB"):
                rows.append(Row("stream", t, s, "pushpull", "nnmsg"))
            if s == "64B" and t in ("inproc", "tcp"):
                rows += [Row("stream", t, s, "pushpull", f"{n}threads") for n in THREADS]
    # By reference between two processes of this library (docs/shared-memory.md).
    rows += [Row("rtt", "ipc", "1MiB", "pair", "nnmsg"), Row("stream", "ipc", "16KiB", "pushpull", "nnmsg")]
    rows += [Row("stream", "tcp", "64B", "pushpull", "5000conns")]
    rows += [Row("stream", t, s, "pair") for t in TRANSPORTS for s in ("64B", "64KiB")]
    rows += [Row("stream", t, s, "pair", "pinned") for t in TRANSPORTS for s in ("64B", "64KiB", "1MiB")]
    rows += [Row("rtt", "tls", s, "pair", *f) for f in ((), ("pinned",)) for s in ("64B", "64KiB")]
    rows += [Row("rtt", "tls", "64B", "reqrep", "pinned")]
    rows += [Row("stream", "tls", s, "pushpull") for s in SIZES]
    rows += [Row("fan", "tcp", "64B", "pubsub", f"{n}subs", *f) for f in ((), ("pinned",)) for n in SUBSCRIBERS]
    rows += [Row("fan", "tcp", "64B", "pubsub", f"{n}subs", f"{topics}topics") for n, topics in TOPICS]
    rows += [Row("crowd", "tcp", "64B", "reqrep", "5000conns")]
    return rows


# What the README shows.
HEADLINES = (
    ("PAIR one way, tcp, all on one core", "rtt/tcp/64B/pair/pinned"),
    ("PAIR one way, ipc, all on one core", "rtt/ipc/64B/pair/pinned"),
    ("PAIR one way, ws, all on one core (bare: tcp)", "rtt/ws/64B/pair/pinned"),
    ("REQ/REP one way, tcp, all on one core", "rtt/tcp/64B/reqrep/pinned"),
    ("PAIR one way, inproc, all cores", "rtt/inproc/64B/pair"),
    ("PUSH/PULL stream, tcp (bare: gathered by hand)", "stream/tcp/64B/pushpull"),
    ("PUSH/PULL stream, ipc (bare: gathered by hand)", "stream/ipc/64B/pushpull"),
    ("PUSH/PULL stream, ws (bare: tcp)", "stream/ws/64B/pushpull"),
    ("PUSH/PULL stream, inproc", "stream/inproc/64B/pushpull"),
    ("PUB to 64 SUBs, tcp, paced by them", "fan/tcp/64B/pubsub/64subs"),
    ("5,000 connections to one socket, established", "crowd/tcp/64B/reqrep/5000conns"),
)

# For a first look: the headlines of each kind.
QUICK = re.compile(r"""rtt/(tcp|ws|inproc)/64B/pair/pinned | rtt/tcp/64B/reqrep/pinned | rtt/tcp/64KiB/pair/pinned
    | rtt/inproc/64B/pair | stream/(tcp|ipc|ws|inproc)/64B/pushpull | stream/tcp/64KiB/pushpull
    | stream/tcp/64B/pushpull/4threads | fan/tcp/64B/pubsub/8subs | rtt/tcp/64B/reqrep/100conns/pinned""", re.VERBOSE)


# `row`'s figure `key`, as it is; or divided by another peer's in the same row (`against`); or by this library's own in
# the row `beside`. With both it is growth from one row to the other, which may be the bound or, where that is more, as
# much as the other peer's.
Target = collections.namedtuple("Target", "what row key sense bound against beside", defaults=(None, None))


def all_targets():
    for t in ("tcp", "ipc"):
        yield Target(f"round trip, PAIR {t}, pinned", f"rtt/{t}/64B/pair/pinned", "p50_us", "<=", 1.3, BARE)
    for t in ("tcp", "ipc"):
        yield Target(f"round trip, REQ/REP {t}, pinned", f"rtt/{t}/64B/reqrep/pinned", "p50_us", "<=", 1.4, BARE)
    yield Target("round trip, PAIR ws, pinned (bare: tcp)", "rtt/ws/64B/pair/pinned", "p50_us", "<=", 1.5, BARE)
    yield Target("round trip, inproc, pinned (bare: futex)", "rtt/inproc/64B/pair/pinned", "p50_us", "<=", 1.3, BARE)
    yield Target("one way, inproc, two cores free", "rtt/inproc/64B/pair", "p50_us", "<", 0.5)
    for t, bound in (("tcp", 2.5), ("ipc", 2.5), ("ws", 2), ("inproc", 2)):
        row = f"stream/{t}/64B/pushpull"
        yield Target(f"stream, PUSH/PULL {t}", row, "msgs_per_s", ">=", bound, ZMQ)
        yield Target(f"stream, PUSH/PULL {t}: CPU per message", row, "cpu_us", "<=", 1, ZMQ)
    for t in ("tcp", "ipc"):
        yield Target(f"stream of 1 KiB, {t}", f"stream/{t}/1KiB/pushpull", "msgs_per_s", ">=", 2, ZMQ)
    for t in ("tcp", "ipc"):
        for size, said in (("64KiB", "64 KiB"), ("1MiB", "1 MiB")):
            row = f"stream/{t}/{size}/pushpull"
            yield Target(f"stream of {said}, {t}", row, "msgs_per_s", ">=", 0.9, BARE)
            yield Target(f"stream of {said}, {t}: NN_MSG beside copied", f"{row}/nnmsg", "msgs_per_s", ">=", 0.95, None, row)
    for size, said, bound in (("16KiB", "16 KiB", 1), ("64KiB", "64 KiB", 3), ("1MiB", "1 MiB", 10)):
        yield Target(f"stream of {said}, ipc, NN_MSG", f"stream/ipc/{size}/pushpull/nnmsg", "msgs_per_s", ">=", bound, BARE)
    yield Target("stream of 1 MiB, ipc, the program's buffers", "stream/ipc/1MiB/pushpull", "msgs_per_s", ">=", 1.5, BARE)
    yield Target("round trip of 1 MiB, ipc, NN_MSG", "rtt/ipc/1MiB/pair/nnmsg", "p50_us", "<=", 0.2, BARE)
    yield Target("round trip, PAIR tls, pinned", "rtt/tls/64B/pair/pinned", "p50_us", "<=", 1.25, BARE)
    yield Target("stream, PUSH/PULL tls", "stream/tls/64B/pushpull", "msgs_per_s", ">=", 5, NNG)
    for size, said in (("64KiB", "64 KiB"), ("1MiB", "1 MiB")):
        yield Target(f"stream of {said}, tls", f"stream/tls/{size}/pushpull", "msgs_per_s", ">=", 0.9, BARE)
    yield Target("stream of 1 MiB, inproc, NN_MSG", "stream/inproc/1MiB/pushpull/nnmsg", "msgs_per_s", ">=", 300_000)
    for t in ("tcp", "ws"):
        for pinned in ("", "/pinned"):
            yield Target(f"1 MiB round trip, {t}{pinned.replace('/', ', ')}: p99 one way, no stall of 40 ms",
                         f"rtt/{t}/1MiB/pair{pinned}", "p99_us", "<", 10_000)
    for n in SUBSCRIBERS:
        for other, bound in ((ZMQ, 1), (NANOMSG, 8)):
            yield Target(f"PUB to {n} SUB{'s' * (n > 1)}, tcp", f"fan/tcp/64B/pubsub/{n}subs", "msgs_per_s", ">=", bound,
                         other)
    topics = "PUB to {} SUBs over tcp, {:,} topics".format
    for other, bound in ((ZMQ, 1), (NANOMSG, 100)):
        yield Target(topics(64, 64), "fan/tcp/64B/pubsub/64subs/64topics", "msgs_per_s", ">=", bound, other)
    yield Target(topics(100, 100_000) + ", beside 100 topics", "fan/tcp/64B/pubsub/100subs/100000topics", "msgs_per_s", ">=",
                 0.8, None, "fan/tcp/64B/pubsub/100subs/100topics")
    crowd = "crowd/tcp/64B/reqrep/5000conns"
    yield Target("5,000 connections to one socket: established", crowd, "seconds", "<=", 3, BARE)
    yield Target("5,000 connections: bytes outside the kernel for each, listening side", crowd, "listener_bytes", "<=", 1024)
    yield Target("5,000 connections: the same, dialling side", crowd, "dialler_bytes", "<=", 1024)
    alone = "rtt/tcp/64B/reqrep/pinned"
    yield Target("round trip on one of 5,000, beside being alone", "rtt/tcp/64B/reqrep/4999idle/pinned", "p50_us", "<=", 1.2,
                 None, alone)
    for counts, unit, said in ((CONNECTIONS, "conns", "connections"), (ENDPOINTS, "endpoints", "endpoints")):
        for n in counts:
            yield Target(f"CPU per message with {n:,} {said}, beside one", f"rtt/tcp/64B/reqrep/{n}{unit}/pinned", "cpu_us",
                         "<=", 1.25, BARE, alone)
    for t in ("tcp", "inproc"):
        for n in THREADS:
            yield Target(f"stream of {n} threads through one socket, {t}, beside one thread",
                         f"stream/{t}/64B/pushpull/{n}threads", "msgs_per_s", ">=", 0.5, None, f"stream/{t}/64B/pushpull")


TARGETS = list(all_targets())
