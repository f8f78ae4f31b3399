#!/usr/bin/env python3
"""Measures program shapes: this library beside libnanomsg, libzmq, omq and bare sockets, all with default options.

Compiles the shape drivers in benches/c, runs all rows in every round, and in each row all peers in turn, and reports medians
and ratios: on the terminal, in docs/shapes.md and, with every single run, in target/bench/shapes.json. What each shape is
stands in shapes.md beside this file. `--lib` may be said more than once: the builds stand side by side, the first is compared
with all others. `--set` adds a column of the first build with a variable in its environment."""

import argparse
import collections
import json
import os
import re
import shlex
import sys
import tempfile
import time

from figures import main_key, median, ratio, short, values
from peers import BUILD, DEFAULT_LIB, ROOT, Failed, Hung, Unsupported, run_driver, shape_peers, shown
from report import detail_table, main_table, state_of, table
from rows import NANOMSG, OMQ, OURS
from run import machine, write

DOCS = os.path.join(ROOT, "docs", "shapes.md")
NOTES = os.path.join(ROOT, "benches", "shapes.md")

# `lasts`: how many times as long as others it runs.
Shape = collections.namedtuple("Shape", "name arguments lasts")

ALL_SIZES = {"64B": 64, "256B": 256, "1KiB": 1 << 10, "4KiB": 4 << 10, "16KiB": 16 << 10, "64KiB": 64 << 10,
             "256KiB": 256 << 10, "1MiB": 1 << 20}
FEW_SIZES = ("64B", "1KiB", "64KiB", "1MiB")
WINDOW = 16  # messages
# Transport, pattern, and how many messages the loop takes from a ready socket before it looks at the others.
LOOPS = (("tcp", "pull", 64), ("tcp", "pull", 1), ("tcp", "sub", 64), ("ipc", "pull", 64), ("ipc", "sub", 64))
DESCRIPTORS = (0, 1)  # exact ones, and those of NN_DIRECT_FD; other libraries have one kind only
PERIODS = {"100us": (100, 3), "1ms": (1000, 5), "20ms": (20_000, 20)}  # us, lasts


def all_shapes():
    def shape(name, driver, lasts=1, **options):
        """The name begins with what it measures, and the transport."""
        words = ["--shape", driver, "--transport", name.split("/")[1]]
        for option, value in options.items():
            words += [f"--{option.replace('_', '-')}", str(value)] if value else []
        return Shape(name, words, lasts)

    for t in ("tcp", "ipc", "inproc"):
        for size, count in ALL_SIZES.items():
            yield shape(f"stream/{t}/{size}", "flow", size=count, sub=1)
    for t in ("tcp", "ipc"):
        for size in FEW_SIZES:
            yield shape(f"oneway/{t}/{size}", "flow", size=ALL_SIZES[size])
            yield shape(f"oneway/{t}/{size}/blocked", "flow", size=ALL_SIZES[size], blocked=1)
    for t in ("tcp", "ipc", "inproc"):
        for size in FEW_SIZES:
            yield shape(f"both/{t}/{size}", "flow", size=ALL_SIZES[size], both=1)
        yield shape(f"both/{t}/64B/4threads", "flow", both=1, threads=4)
    for t, kind, taken in LOOPS:
        for n in (1, 8, 64):
            for pace, batch, lasts in (("free", 0, 1), ("window", 1, 3), ("batches", WINDOW, 3)):
                for direct in DESCRIPTORS:
                    name = [f"loop/{t}/{n}{kind}s/{pace}", *["one"] * (taken == 1), *["direct"] * direct]
                    sub = kind == "sub"
                    yield shape("/".join(name), "flood" if sub and not batch else "loop", lasts, number=n, sub=int(sub),
                                window=batch and WINDOW, batch=batch, take=taken, direct=direct)
    for n in (2, 16, 128, 1000):
        yield shape(f"poll/tcp/{n}pairs/all", "poll", number=n)
        yield shape(f"poll/tcp/{n}pairs/one", "poll", number=n, one=1)
    for t in ("tcp", "ipc"):
        yield shape(f"device/{t}", "device")
        yield shape(f"farm/{t}", "farm")
        yield shape(f"oneshot/{t}", "oneshot")
        yield shape(f"survey/{t}/32respondents", "survey", number=32)
        yield shape(f"bus/{t}/6members", "bus")
    for t in ("tcp", "ipc"):
        for period, (microseconds, lasts) in PERIODS.items():
            yield shape(f"pace/{t}/{period}/recv", "pace", lasts, period_us=microseconds)
            yield shape(f"pace/{t}/{period}/loop", "pace", lasts, period_us=microseconds, take=64)
            yield shape(f"pace/{t}/{period}/loop/direct", "pace", lasts, period_us=microseconds, take=64, direct=1)
    for n in (16, 64):
        yield shape(f"last/tcp/{n}subs", "last", 5, period_us=1000, number=n)
    yield shape("idle/tcp/100sockets", "idle", number=100)
    yield shape("idle/tcp/blocked", "idle", blocked=1)


# Modes, heading, and below it what else there is to say.
COST = "In more detail: MB/s / CPU per message, us / waits per message"
PER_MESSAGE = ("mb_per_s", "cpu_us", "waits")
SECTIONS = (
    (("stream",), "Streams, PUSH to PULL: messages per second", COST, PER_MESSAGE),
    (("oneway",), "One direction of a PAIR, alone and with a thread of the sender blocked in nn_recv: messages per second", COST,
     PER_MESSAGE),
    (("both",), "Both directions of a PAIR at once: messages per second, both together", COST, PER_MESSAGE),
    (("loop",), "An epoll loop on NN_RCVFD: messages per second", COST, PER_MESSAGE),
    (("poll",), "nn_poll over REQ and over REP sockets: trips per second", "In more detail: CPU per trip, us / waits per trip",
     ("cpu_us", "waits")),
    (("device", "farm", "oneshot", "survey", "bus"), "Trips, tasks, clients, surveys, deliveries per second",
     "In more detail: CPU for each, us / waits for each", ("cpu_us", "waits")),
    (("pace", "last"), "One message at a time: p50 of the time until it is there, or until the last one has it, us",
     "In more detail, us: p99 / p99.9 / CPU per message", ("p99_us", "p999_us", "cpu_us")),
    (("idle",), "Nothing to do: wakeups per second", "In more detail: CPU, ms per second", ("cpu_ms_per_s",)),
)
LESS_IS_BETTER = ("pace", "last", "idle")


class Measurement:
    """One row: for each peer its results, or one word on why there are none."""

    def __init__(self, row, peers):
        self.row, self.results, self.state = row, {peer.name: [] for peer in peers}, {}

    def round(self, number, peers, options):
        seconds = options.idle_seconds if self.row.name.startswith("idle/") else options.seconds * self.row.lasts
        for peer in peers:
            if peer.missing or peer.name in self.state:
                continue
            try:
                result = run_driver(peer, [*self.row.arguments, "--seconds", f"{seconds:g}"], options.tmp, 20 + 2 * seconds)
            except Unsupported as e:
                self.state[peer.name] = ("-", str(e))
            except Hung as e:
                self.state[peer.name] = ("hung", str(e))
            except Failed as e:
                self.state[peer.name] = ("failed", str(e))
            else:
                self.results[peer.name].append({"round": number, **result})

    def found(self):
        return {"row": self.row.name, "results": self.results, "state": self.state}


def measure(rows, peers, options):
    measurements = [Measurement(row, peers) for row in rows]
    missing = [p.name for p in peers if p.missing]
    for number in range(1, options.rounds + 1):
        for at, measurement in enumerate(measurements, 1):
            measurement.round(number, peers, options)
            found, key = measurement.found(), main_key(measurement.row.name)
            said = ", ".join(f"{p.name} {state_of(found, p.name, missing) or short(values(found, p.name, key).get(number))}"
                             for p in peers)
            print(f"[round {number}/{options.rounds}, row {at}/{len(rows)}] {measurement.row.name}: {said}", file=sys.stderr,
                  flush=True)
    return [m.found() for m in measurements]


def run(rows, options):
    """What is kept as JSON, and all that reports are made from."""
    os.makedirs(BUILD, exist_ok=True)
    peers = shape_peers(options)
    for peer in peers:
        peer.prepare()
    about = [f"- machine: {machine()}", *(f"- {p.describe()}" for p in peers)]
    print("\n".join(about), flush=True)
    if peers[0].missing:
        sys.exit(f"{shown(peers[0].lib)} cannot be measured; build it first, or name another with --lib")
    if any(p.missing for p in peers if p.name != OMQ) and os.environ.get("CI") == "true":
        sys.exit("a peer is missing, and under CI=true that is a failure")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nnb") as options.tmp:
        found = measure(rows, peers, options)
    return {"command": shlex.join(["python3", "benches/shapes.py", *map(shown, sys.argv[1:])]),
            "took": f"{options.rounds} rounds of {len(rows)} rows, {time.monotonic() - started:.0f} s", "about": about,
            "peers": [p.name for p in peers], "missing": [p.name for p in peers if p.missing], "rows": found}


# ---- The report ----


def behind(measured):
    """How far, where this library is behind libnanomsg; None where it is not."""
    mode, key = measured["row"].split("/")[0], main_key(measured["row"])
    ours, other = (median(measured, peer, key) for peer in (OURS, NANOMSG))
    if ours is None or other is None:
        return None
    if not other:
        return f"{short(ours)} beside 0" if mode in LESS_IS_BETTER and ours else None
    found = ratio(measured, OURS, NANOMSG)[0]
    return short(found) if (found > 1 if mode in LESS_IS_BETTER else found < 1) else None


def report(made):
    missing = made["missing"]
    compared = [m for m in made["rows"] if all(values(m, p, main_key(m["row"])) for p in (OURS, NANOMSG))]
    lines = [[m["row"], by] for m in compared if (by := behind(m))]
    parts = ["## Where libnanomsg is ahead", table(["row", f"{OURS} / {NANOMSG}"], lines)] if lines else []
    parts += [f"Rows behind {NANOMSG}: {len(lines)} of {len(compared)}."]
    for modes, heading, more, keys in SECTIONS:
        measured = [m for m in made["rows"] if m["row"].split("/")[0] in modes]
        peers = [p for p in made["peers"] if any(p == OURS or values(m, p, main_key(m["row"])) for m in measured)]
        if measured:
            parts += [f"## {heading}", main_table(measured, peers, missing, peers[1:]), more,
                      detail_table(measured, peers, missing, keys)]
    said = collections.defaultdict(list)
    for m in made["rows"]:
        for peer, (word, why) in m["state"].items():
            said[f"{peer}: `{word}`: {why}"] += [f"`{m['row']}`"] * (word != "-")
    if said:
        parts += ["## Not measured", "\n".join(f"- {why} {', '.join(rows)}".rstrip() for why, rows in said.items())]
    return "\n\n".join(parts) + "\n"


def document(made):
    with open(NOTES, encoding="utf-8") as file:
        notes = file.read()
    return (f"# Program shapes\n\nWritten by `make shapes`, which runs\n\n    {made['command']}\n\n({made['took']})\n\n"
            + "\n".join(made["about"]) + f"\n\n{report(made)}\n{notes}")


# ---- The command line ----


def options_and_rows():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lib", action="append", dest="libs", metavar="PATH",
                        help="our library (default: target/lib/libnanomsg.so.6); repeated: other builds of it beside the first")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a further column: our library with this in its environment")
    parser.add_argument("--nanomsg", default="libnanomsg.so.5", help="the original (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.2,
                        help="length of a run, of paced ones several times that; default: %(default)s")
    parser.add_argument("--idle-seconds", type=float, default=10, help="length of a run with nothing to do; default: %(default)s")
    parser.add_argument("--only", metavar="REGEX", help="rows whose name contains this, e.g. loop/tcp or 1MiB")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--json", metavar="FILE", default=os.path.join(BUILD, "shapes.json"),
                        help="where every single run is kept (default: target/bench/shapes.json)")
    parser.add_argument("--from", metavar="FILE", dest="kept", help="report of a run that was kept")
    parser.add_argument("--docs", metavar="PATH", help="report (default: docs/shapes.md, after a run of all rows only)")
    parser.add_argument("--no-docs", action="store_true", help="write no report")
    parser.add_argument("--strict", action="store_true", help="fail when any peer but omq has failed or hung, not only this library")
    options = parser.parse_args()
    rows = [row for row in all_shapes() if not options.only or re.search(options.only, row.name)]
    if not rows:
        sys.exit("no row has such a name; --list shows them")
    if any("=" not in setting for setting in options.set):
        sys.exit("--set takes NAME=VALUE")
    options.libs = [os.path.abspath(lib) if os.path.exists(lib) else lib for lib in options.libs or [DEFAULT_LIB]]
    whole = not (options.only or options.set or options.libs[1:])
    options.docs = None if options.no_docs else options.docs or (DOCS if whole else None)
    return options, rows


def main():
    options, rows = options_and_rows()
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    if options.kept:
        with open(options.kept, encoding="utf-8") as file:
            made = json.load(file)
    else:
        made = run(rows, options)
        write(options.json, json.dumps(made, indent=1))
    print("\n" + report(made))
    if options.docs:
        write(options.docs, document(made))
    print(made["took"])
    judged = [p for p in made["peers"] if p != OMQ] if options.strict else [OURS]
    bad = [f"{peer} in {m['row']}: {m['state'][peer][1]}" for m in made["rows"] for peer in judged
           if m["state"].get(peer, ("-",))[0] != "-"]
    print("\n".join(["failed or hung:", *bad]) if bad else "none failed or hung")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
