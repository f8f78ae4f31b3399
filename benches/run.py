#!/usr/bin/env python3
"""Measures this library beside its peers: libnanomsg, libnng, libzmq and bare sockets.

Compiles the drivers in benches/c, runs all peers in turn (A B C D E, A B C D E, ...) so that a busy moment of the
machine hits all of them, and reports medians and ratios: on the terminal, in docs/benchmarks.md and, with every single
run, in target/bench/results.json. Needs Python and a C compiler, nothing else."""

import argparse
import collections
import json
import os
import platform
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = os.path.join(ROOT, "benches", "c")
BUILD = os.path.join(ROOT, "target", "bench")
DEFAULT_LIB = os.path.join(ROOT, "target", "lib", "libnanomsg.so.6")
DOCS = os.path.join(ROOT, "docs", "benchmarks.md")

OURS, NANOMSG, NNG, ZMQ, BARE = "this library", "libnanomsg", "libnng", "libzmq", "bare"
TRANSPORTS = ("inproc", "ipc", "tcp", "ws")
SIZES = {"64B": 64, "1KiB": 1 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20}

# What has to be reached: row, other side of the ratio (or None for the value itself), comparison, bound.
# Round trips are judged by their p50.
Target = collections.namedtuple("Target", "row against sense bound")
TARGETS = [
    Target("rtt/tcp/64B/pair/pinned", BARE, "<=", 1.5),
    Target("rtt/ipc/64B/pair/pinned", BARE, "<=", 1.5),
    Target("rtt/tcp/64B/reqrep/pinned", BARE, "<=", 1.5),
    Target("rtt/ws/64B/pair/pinned", BARE, "<=", 1.6),
    Target("rtt/inproc/64B/pair", None, "<", 1.0),
    Target("stream/inproc/64B/pair", NANOMSG, ">=", 5.0),
    Target("stream/ipc/64B/pair", NANOMSG, ">=", 5.0),
    Target("stream/tcp/64B/pair", NANOMSG, ">=", 5.0),
    Target("stream/ws/64B/pair", NANOMSG, ">=", 5.0),
    Target("stream/inproc/64B/pushpull", NANOMSG, ">=", 5.0),
    Target("stream/ipc/64B/pushpull", NANOMSG, ">=", 5.0),
    Target("stream/tcp/64B/pushpull", NANOMSG, ">=", 5.0),
    Target("fan/tcp/64B/pubsub/64subs", NANOMSG, ">=", 4.0),
    Target("stream/ipc/64KiB/pair", BARE, ">=", 0.8),
    Target("stream/tcp/64KiB/pair", BARE, ">=", 0.8),
]

NOTES = """\
## How to read this

- Each figure is the median over the rounds; in each round all peers ran one after the other. A ratio is the median of
  the rounds' own ratios, its least and greatest value in brackets, so it is not exactly the quotient of the two
  medians beside it. On a small or shared machine nothing below 20 % is a difference.
- A row's name is measure/transport/size/pattern. `pinned`: both sides and all their threads run on one core. Without
  it they use all cores as the scheduler likes. It may put two sides that wait for each other on one core (cheap
  wakeups) or on two (an idle core has to be woken), and may change its mind during a run: round trips of short
  messages then differ several times over, streams twice, the bare ones most. The pinned rows are the steady ones.
- `rtt`: ping-pong of one message. All times are one-way, half a round trip, in microseconds; the first 5 % of the round
  trips are not counted. Ratios are times: below 1 is faster than the other.
- `stream`: messages in one direction, timed by the receiver from the first to the last. Ratios are rates: above 1
  is faster than the other. MB are 10^6 bytes of payload.
- CPU is the processor time of both sides, with all threads and the kernel's work for them, per message.
- `fan`: one publisher (PUB) and so many subscribers (SUB), each a thread with its own socket, all in a second process.
  The publisher sends 16 messages, then waits until every subscriber has acknowledged the 16th; the acknowledgements
  pass through shared memory, beside the library. So paced, nothing may be lost: a message that does not arrive, or
  arrives out of turn, makes the row `failed`. Rates count every message once for each subscriber that it reached.
- `device`: a third process forwards between two connections, with nn_device; the bare one waits for both and does one
  read and one write a message. What a device adds is the difference to the same row without it.
- `nnmsg`: messages live in the library's memory (NN_MSG in nn_send and nn_recv, nng_msg, zmq_msg_t); in all other rows
  the caller's buffers are copied from and to. The bare program is the same in both.
- Each message carries its number at both ends and is checked for its length and number by every peer's receiver.
- ipc, tcp and ws: two processes. inproc: two threads of one. The bare program has no ws: there it is tcp.
- bare is the limit, as far as a simple program reaches it; in rows that are not pinned, others may come out ahead by
  the scheduler's luck. Sockets: blocking, TCP_NODELAY, an 8-byte length before each message; one write and one read
  for a message, but streams of 64 B and 1 KiB messages are gathered to writes and reads of 64 KiB, and the 16 messages
  of a fan-out's window to one write for each subscriber. inproc: round trips through a buffer and a futex, streams
  through a ring of buffers behind a mutex.
- Options are the defaults, except: no limit of a message's size, TCP_NODELAY for the nanomsg ABI (libnng and libzmq set
  it themselves), and libzmq's queues, which hold 1000 messages, hold no more than 64 MiB; its publisher's queues have
  no limit, because it counts what has left them so late that it drops messages in a window of 16.
- `-`: the peer does not have this. `failed` and `hung` are explained below the tables.
"""


class Row:
    def __init__(self, mode, transport, size, pattern, *flags):
        self.mode, self.transport, self.size, self.pattern, self.flags = mode, transport, size, pattern, flags
        self.bytes = SIZES[size]
        self.subs = next((f.removesuffix("subs") for f in flags if f.endswith("subs")), None)
        self.name = "/".join((mode, transport, size, pattern) + flags)

    def counts(self):
        """Count of a first try, and the limits for what follows from it."""
        if self.mode == "stream":
            return max(30, min(5000, (32 << 20) // self.bytes)), 30, 20_000_000
        if self.mode == "fan":  # whole windows
            return 20 * 16, 4 * 16, 2_000_000
        # The cap bounds the damage when the scheduler is twenty times slower than during the first try.
        most = 60_000 if self.transport == "inproc" else 30_000
        return (40 if self.bytes > 1 << 16 else 400), 100, most


def all_rows():
    rows = [Row("rtt", t, s, "pair") for t in TRANSPORTS for s in SIZES]
    rows += [Row("rtt", t, s, "pair", "pinned") for t in TRANSPORTS for s in SIZES]
    rows += [Row("rtt", t, "64B", "reqrep") for t in TRANSPORTS]
    rows += [Row("rtt", t, "64B", "reqrep", "pinned") for t in TRANSPORTS]
    rows += [Row("rtt", "tcp", "64B", p, "device", "pinned") for p in ("pair", "reqrep")]
    rows += [Row("stream", t, s, "pair") for t in TRANSPORTS for s in SIZES]
    rows += [Row("stream", t, s, "pair", "pinned") for t in TRANSPORTS for s in ("64B", "64KiB", "1MiB")]
    rows += [Row("stream", t, s, "pushpull") for t in TRANSPORTS for s in SIZES]
    rows += [Row("fan", "tcp", "64B", "pubsub", f"{n}subs", *f) for f in ((), ("pinned",)) for n in (1, 8, 64)]
    rows += [Row("stream", t, "1MiB", "pair", "nnmsg") for t in TRANSPORTS]
    return rows


# ---- Peers ----


class Peer:
    def __init__(self, name, driver, link, lib=None):
        self.name, self.driver, self.link, self.lib = name, driver, link, lib
        self.version = self.missing = None

    def command(self, *args):
        lib = ["--lib", self.lib] if self.lib else []
        return [os.path.join(BUILD, self.driver), *lib, *args]

    def prepare(self):
        """Compiles the driver and asks for the version; what does not work is missing on this machine."""
        include = os.path.join(ROOT, "include")
        headers = ("nn", "pair", "pipeline", "pubsub", "reqrep", "tcp")
        own = all(os.path.exists(f"{include}/nanomsg/{h}.h") for h in headers)
        cc = shlex.split(os.environ.get("CC", "cc")) + ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra"]
        cc += ["-I" + include] if own else []
        cc += [os.path.join(SOURCES, self.driver + ".c"), "-o", os.path.join(BUILD, self.driver), "-pthread"]
        cc += self.link
        try:
            built = subprocess.run(cc, capture_output=True, text=True, timeout=120)
            asked = built.returncode == 0 and subprocess.run(self.command("--version"), capture_output=True, text=True,
                                                             timeout=20)
        except (OSError, subprocess.TimeoutExpired) as e:
            self.missing = str(e)
            return
        if not asked:
            self.missing = first_error(built.stderr)
        elif asked.returncode != 0:
            why = asked.stdout + asked.stderr or f"ended with {asked.returncode}"
            self.missing = re.sub(r'^{"error": "(.*)"}$', r"\1", why.strip()).replace(ROOT + os.sep, "")
        else:
            sys.stderr.write(built.stderr)
            self.version = asked.stdout.strip()

    def describe(self):
        if self.missing:
            return f"{self.name}: missing, skipped ({self.missing})"
        text = f"{self.name}: {self.version}"
        if self.name == OURS:
            text = f"{self.name}: {shown(self.lib)}, {self.version}"
            commit = output_of("git", "-C", ROOT, "describe", "--always", "--dirty")
            text += f", commit {commit}" if commit else ""
        elif self.name == NANOMSG:
            text = f"{self.name}: {shown(self.lib)}, {self.version}"
        package = {NANOMSG: "libnanomsg5", NNG: "libnng1", ZMQ: "libzmq5"}.get(self.name)
        packaged = package and output_of("dpkg-query", "-W", "-f", "${Version}", package)
        return text + (f" (package {package} {packaged})" if packaged else "")


def first_error(text):
    lines = text.strip().splitlines() or ["the compiler failed"]
    line = next((l for l in lines if "error" in l), lines[0])
    return line.replace(ROOT + os.sep, "")


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def shown(path):
    path = path or ""
    return os.path.relpath(path, ROOT) if path.startswith(ROOT + os.sep) else path


# ---- Runs ----


class Hung(Exception):
    pass


class Failed(Exception):
    pass


class Unsupported(Exception):
    pass


def run_once(peer, row, count, options):
    command = peer.command("--mode", row.mode, "--transport", row.transport, "--pattern", row.pattern)
    command += ["--size", str(row.bytes), "--count", str(count)]
    command += ["--subs", row.subs] if row.subs else []
    command += ["--device"] if "device" in row.flags else []
    command += ["--nnmsg"] if "nnmsg" in row.flags else []
    command += ["--pin", str(options.cpu)] if "pinned" in row.flags else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True, env={**os.environ, "TMPDIR": options.tmp})
    try:
        out, err = process.communicate(timeout=options.timeout)
    except subprocess.TimeoutExpired:
        raise Hung(f"killed after {options.timeout} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    try:
        result = json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        code = process.returncode
        how = f"ended by signal {-code}" if code < 0 else f"ended with {code}"
        raise Failed(" ".join([how, *(out + err).split()])[:200]) from None
    if "unsupported" in result:
        raise Unsupported(result["unsupported"])
    if "error" in result:
        raise Failed(result["error"])
    if process.returncode != 0:
        raise Failed(f"ended with {process.returncode} after its result")
    return result


def seconds_of(row, result):
    return result["count"] * 2e-6 * result["mean_us"] if row.mode == "rtt" else result["seconds"]


def measure(row, peers, options):
    """All rounds of one row: for each peer its results, or one word on why there are none."""
    first, least, most = row.counts()
    results, state, rates = {p.name: [] for p in peers}, {}, {}
    for number in range(options.rounds + 1):  # round 0 finds out how much to do in the others
        for peer in peers:
            if peer.missing or peer.name in state:
                continue
            slowest = rates.get(peer.name, 0)
            count = first if number == 0 else int(min(most, max(least, slowest * options.seconds)))
            try:
                result = run_once(peer, row, count, options)
                if number == 0 and seconds_of(row, result) < 0.01:  # too short to tell
                    count = min(most, int(count * min(50, 0.02 / max(1e-6, seconds_of(row, result)))))
                    result = run_once(peer, row, count, options)
            except Unsupported as e:
                state[peer.name] = ("-", str(e))
            except Hung as e:
                state[peer.name] = ("hung", str(e))
            except Failed as e:
                state[peer.name] = ("failed", str(e))
            else:
                rate = result["count"] / max(1e-6, seconds_of(row, result))
                rates[peer.name] = min(rate, slowest or rate)
                if number > 0:
                    results[peer.name].append({"round": number, **result})
    return {"row": row.name, "results": results, "state": state}


# ---- Numbers ----


def main_key(row):
    return "p50_us" if row.startswith("rtt") else "msgs_per_s"


def median(measured, peer, key):
    runs = measured["results"].get(peer, [])
    return statistics.median(r[key] for r in runs) if runs and peer not in measured["state"] else None


def ratio(measured, peer, other):
    """Median, least and greatest of the rounds' own ratios."""
    if peer in measured["state"] or other in measured["state"]:
        return None
    key = main_key(measured["row"])
    pairs = zip(measured["results"].get(peer, []), measured["results"].get(other, []))
    values = [a[key] / b[key] for a, b in pairs]
    return (statistics.median(values), min(values), max(values)) if values else None


def verdict(measured):
    """The row's target, and whether it was reached (None: not measured)."""
    target = next((t for t in TARGETS if t.row == measured["row"]), None)
    if not target:
        return None
    if target.against:
        value = (ratio(measured, OURS, target.against) or [None])[0]
        text = f"{target.sense} {target.bound:g} x {target.against}"
    else:
        value = median(measured, OURS, main_key(target.row))
        text = f"{target.sense} {target.bound:g} us"
    if value is None:
        return text, None
    compare = {"<=": value <= target.bound, "<": value < target.bound, ">=": value >= target.bound}
    return text, compare[target.sense]


def short(value):
    """Three digits; rates with k and M."""
    if value is None:
        return "-"
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if value >= limit:
            return short(value / {"M": 1e6, "k": 1e3}[unit]) + unit
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def small(value):
    return "-" if value is None else f"{value:.3f}" if value < 0.9995 else short(value)


# ---- Tables ----


def table(head, lines):
    widths = [max(3, *(len(line[i]) for line in [head, *lines])) for i in range(len(head))]

    def join(cells):
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([join(head), join(rule), *map(join, lines)])


def state_of(measured, peer):
    if peer.missing:
        return "missing"
    return measured["state"].get(peer.name, (None,))[0]


def main_table(everything, peers):
    head = ["row", *(p.name for p in peers), f"/ {BARE}", f"/ {NANOMSG}", f"/ {ZMQ}", "target", ""]
    lines = []
    for m in everything:
        line = [m["row"]]
        line += [state_of(m, p) or short(median(m, p.name, main_key(m["row"]))) for p in peers]
        for other in (BARE, NANOMSG, ZMQ):
            r = ratio(m, OURS, other)
            line.append("-" if not r else f"{short(r[0])} ({short(r[1])} to {short(r[2])})")
        text, reached = verdict(m) or ("", "")
        line += [text, {True: "reached", False: "NOT reached", None: "not measured"}.get(reached, "")]
        lines.append(line)
    return table(head, lines)


def detail_table(everything, peers, keys):
    def cell(m, peer):
        values = [median(m, peer.name, k) for k in keys]
        return state_of(m, peer) or " / ".join(small(v) if k == "cpu_us" else short(v) for k, v in zip(keys, values))

    return table(["row", *(p.name for p in peers)], [[m["row"], *(cell(m, p) for p in peers)] for m in everything])


def report(everything, peers):
    rtt = [m for m in everything if m["row"].startswith("rtt")]
    stream = [m for m in everything if m["row"].startswith("stream")]
    parts = []
    if rtt:
        parts += ["## Round trips: p50 of the one-way time, us", main_table(rtt, peers),
                  "One-way time in more detail, us: mean / p99 / CPU per message",
                  detail_table(rtt, peers, ("mean_us", "p99_us", "cpu_us"))]
    if stream:
        parts += ["## Streams: messages per second", main_table(stream, peers),
                  "In more detail: MB/s / CPU per message, us", detail_table(stream, peers, ("mb_per_s", "cpu_us"))]
    fan = [m for m in everything if m["row"].startswith("fan")]
    if fan:
        parts += ["## Fan-out: delivered messages per second", main_table(fan, peers),
                  "In more detail: MB/s / CPU per delivered message, us",
                  detail_table(fan, peers, ("mb_per_s", "cpu_us"))]
    troubles = [f"- {m['row']}, {peer}: {word}: {why}"
                for m in everything for peer, (word, why) in m["state"].items()]
    if troubles:
        parts += ["## Not measured", "\n".join(troubles)]
    judged = [v[1] for v in map(verdict, everything) if v]
    if judged:
        parts.append(f"Targets reached: {sum(v is True for v in judged)} of {len(judged)}.")
    return "\n\n".join(parts) + "\n"


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), model)
    except OSError:
        pass
    return (f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release()}, "
            f"load average {os.getloadavg()[0]:.2f} before the run")


def option_parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lib", default=DEFAULT_LIB, help="our library (default: target/lib/libnanomsg.so.6)")
    parser.add_argument("--nanomsg", default="libnanomsg.so.5", help="the original (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 3")
    parser.add_argument("--seconds", type=float, help="length of a run; default: 0.3; quick: 0.05")
    parser.add_argument("--quick", action="store_true", help="64 B and 64 KiB only, short runs; under a minute")
    parser.add_argument("--only", metavar="REGEX", help="rows whose name contains this, e.g. rtt/tcp or 64B.*pinned")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--docs", metavar="PATH", help="report (default: docs/benchmarks.md, after a full run only)")
    parser.add_argument("--no-docs", action="store_true", help="write no report")
    parser.add_argument("--cpu", type=int, help="the core for pinned rows (default: the last one)")
    return parser


def main():
    options = option_parser().parse_args()
    rows = [r for r in all_rows() if not options.only or re.search(options.only, r.name)]
    if options.quick:
        rows = [r for r in rows if options.only or r.size in ("64B", "64KiB")]
    if options.list:
        print("\n".join(r.name for r in rows))
        return 0
    if not rows:
        sys.exit("no row has such a name; --list shows them")
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.05 if options.quick else 0.3)
    options.timeout = 5 if options.quick else 20
    if options.cpu is None:
        options.cpu = max(os.sched_getaffinity(0))
    if os.path.exists(options.lib):
        options.lib = os.path.abspath(options.lib)
    docs = None if options.no_docs else options.docs
    if not docs and not options.no_docs and not options.quick and not options.only:
        docs = DOCS

    os.makedirs(BUILD, exist_ok=True)
    peers = [Peer(OURS, "sp", ["-ldl"], options.lib), Peer(NANOMSG, "sp", ["-ldl"], options.nanomsg),
             Peer(NNG, "nng", ["-lnng"]), Peer(ZMQ, "zmq", ["-lzmq"]), Peer(BARE, "bare", [])]
    for peer in peers:
        peer.prepare()
    about = [f"- machine: {machine()}", *(f"- {p.describe()}" for p in peers)]
    print("\n".join(about), flush=True)
    if peers[0].missing:
        sys.exit(f"{shown(options.lib)} cannot be measured; build it first, or name another with --lib")
    if any(p.missing for p in peers) and os.environ.get("CI") == "true":
        sys.exit("a peer is missing, and under CI=true that is a failure")

    started, everything = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="nnb") as options.tmp:
        for number, row in enumerate(rows, 1):
            measured = measure(row, peers, options)
            everything.append(measured)
            key = main_key(row.name)
            values = [f"{p.name} {state_of(measured, p) or short(median(measured, p.name, key))}" for p in peers]
            print(f"[{number}/{len(rows)}] {row.name}: {', '.join(values)}", file=sys.stderr, flush=True)

    text = report(everything, peers)
    command = shlex.join(["python3", "benches/run.py", *map(shown, sys.argv[1:])])
    took = f"{options.rounds} rounds, {time.monotonic() - started:.0f} s"
    print("\n" + text)
    with open(os.path.join(BUILD, "results.json"), "w", encoding="utf-8") as f:
        json.dump({"command": command, "about": about, "rows": everything}, f, indent=1)
    if docs:
        os.makedirs(os.path.dirname(os.path.abspath(docs)), exist_ok=True)
        with open(docs, "w", encoding="utf-8") as f:
            f.write(f"# Benchmarks\n\nWritten by `make bench`, which runs\n\n    {command}\n\n({took})\n\n"
                    + "\n".join(about) + f"\n\n{text}\n{NOTES}")
        print(f"written: {shown(os.path.abspath(docs))}")
    print(f"{took}; every run: {shown(os.path.join(BUILD, 'results.json'))}")

    bad = [m["row"] for m in everything if m["state"].get(OURS, ("-",))[0] != "-"]
    if bad:
        print("this library failed or hung in: " + ", ".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
