#!/usr/bin/env python3
"""Measures this library beside its peers: libnanomsg, libnng, libzmq and bare sockets.

Compiles the drivers in benches/c, runs all rows in every round, and in each row all peers in turn (A B C D E, A B C D E,
...), so that a busy moment of the machine hits all of them, and reports medians and ratios: on the terminal, in
docs/benchmarks.md with plots in docs/plots, in README.md and, with every single run, in target/bench/results.json. Needs Python and a
C compiler, nothing else; where there are strace and perf, system calls are counted too."""

import argparse
import json
import os
import platform
import re
import shlex
import sys
import tempfile
import time

import kernel
import plots
from figures import main_key, short, values
from peers import BUILD, DEFAULT_LIB, ROOT, Failed, Hung, Unsupported, all_peers, run_once, shown
from report import document, headlines, report, state_of
from rows import BARE, KERNEL_ROWS, NANOMSG, NNG, OURS, QUICK, ZMQ, all_rows

DOCS = os.path.join(ROOT, "docs", "benchmarks.md")
README = os.path.join(ROOT, "README.md")
PEERS = [OURS, NANOMSG, NNG, ZMQ, BARE]


# ---- Runs ----


def seconds_of(row, result):
    return result["count"] * 2e-6 * result["mean_us"] if row.mode == "rtt" else result["seconds"]


class Measurement:
    """One row: for each peer its results, or one word on why there are none."""

    def __init__(self, row):
        self.row = row
        self.results, self.state, self.rates = {name: [] for name in PEERS}, {}, {}

    def round(self, number, peers, options):
        """Round 0 finds out how much to do in the others."""
        first, least, most = self.row.counts()
        if number == 0 and first == most:
            return
        for peer in peers:
            if peer.missing or peer.name in self.state:
                continue
            slowest = self.rates.get(peer.name, 0)
            count = first if number == 0 else int(min(most, max(least, slowest * self.row.lasts(options.seconds))))
            try:
                result = run_once(peer, self.row, count, options)
                took = seconds_of(self.row, result)
                if number == 0 and took < 0.01 and first < most:  # too short to tell
                    count = min(most, int(count * min(50, 0.02 / max(1e-6, took))))
                    result = run_once(peer, self.row, count, options)
            except Unsupported as e:
                self.state[peer.name] = ("-", str(e))
            except Hung as e:
                self.state[peer.name] = ("hung", str(e))
            except Failed as e:
                self.state[peer.name] = ("failed", str(e))
            else:
                rate = result["count"] / max(1e-6, seconds_of(self.row, result))
                self.rates[peer.name] = min(rate, slowest or rate)
                if number > 0:
                    self.results[peer.name].append({"round": number, **result})

    def found(self):
        return {"row": self.row.name, "results": self.results, "state": self.state}


def measure(rows, peers, options):
    measurements = [Measurement(row) for row in rows]
    missing = [p.name for p in peers if p.missing]
    for number in range(options.rounds + 1):
        for at, measurement in enumerate(measurements, 1):
            measurement.round(number, peers, options)
            found, key = measurement.found(), main_key(measurement.row.name)
            said = ", ".join(f"{name} {state_of(found, name, missing) or short(values(found, name, key).get(number))}"
                             for name in PEERS)
            print(f"[round {number}/{options.rounds}, row {at}/{len(rows)}] {measurement.row.name}"
                  + (f": {said}" if number else ""), file=sys.stderr, flush=True)
    return [m.found() for m in measurements]


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), model)
    except OSError:
        pass
    return (f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release()}, "
            f"load average {os.getloadavg()[0]:.2f} before the run")


def run(rows, options):
    """What is kept as JSON, and all that reports and plots are made from."""
    os.makedirs(BUILD, exist_ok=True)
    peers = all_peers(options)
    for peer in peers:
        peer.prepare()
    about = [f"- machine: {machine()}", *(f"- {p.describe()}" for p in peers)]
    print("\n".join(about), flush=True)
    if peers[0].missing:
        sys.exit(f"{shown(options.lib)} cannot be measured; build it first, or name another with --lib")
    if any(p.missing for p in peers) and os.environ.get("CI") == "true":
        sys.exit("a peer is missing, and under CI=true that is a failure")

    started, counted = time.monotonic(), None
    with tempfile.TemporaryDirectory(prefix="nnb") as options.tmp:
        found = [] if options.syscalls else measure(rows, peers, options)
        if options.syscalls or (not options.quick and {r.name for r in rows} >= set(KERNEL_ROWS)):
            counted = kernel.watch_all(peers, options)
    return {"command": shlex.join(["python3", "benches/run.py", *map(shown, sys.argv[1:])]),
            "took": f"{options.rounds} rounds of {len(rows)} rows, {time.monotonic() - started:.0f} s", "about": about,
            "missing": [p.name for p in peers if p.missing], "rows": found, "kernel": counted}


# ---- The command line ----


def option_parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lib", default=DEFAULT_LIB, help="our library (default: target/lib/libnanomsg.so.6)")
    parser.add_argument("--nanomsg", default="libnanomsg.so.5", help="the original (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 2")
    parser.add_argument("--seconds", type=float, help="length of a run, of one with topics ten times that; default: 0.1; quick: 0.03")
    parser.add_argument("--quick", action="store_true", help="the headlines only, short runs; under a minute")
    parser.add_argument("--only", metavar="REGEX", help="rows whose name contains this, e.g. rtt/tcp or 64B.*pinned")
    parser.add_argument("--syscalls", action="store_true", help="only count system calls and context switches")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--json", metavar="FILE", default=os.path.join(BUILD, "results.json"),
                        help="where every single run is kept (default: target/bench/results.json)")
    parser.add_argument("--from", metavar="FILE", dest="kept", help="report and plots of a run that was kept")
    parser.add_argument("--docs", metavar="PATH", help="report (default: docs/benchmarks.md, after a full run only); "
                                                       "the plots go into the folder plots beside it")
    parser.add_argument("--no-docs", action="store_true", help="write no report and no plots")
    parser.add_argument("--cpu", type=int, help="the core for pinned rows (default: the last one)")
    return parser


def options_and_rows():
    options = option_parser().parse_args()
    rows = [r for r in all_rows() if not options.only or re.search(options.only, r.name)]
    if options.quick and not options.only:
        rows = [r for r in rows if QUICK.fullmatch(r.name)]
    if not rows:
        sys.exit("no row has such a name; --list shows them")
    whole = not (options.quick or options.only or options.syscalls)
    options.docs = None if options.no_docs else options.docs or (DOCS if whole else None)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (0.03 if options.quick else 0.1)
    options.timeout = 5 if options.quick else 20
    if options.cpu is None:
        options.cpu = max(os.sched_getaffinity(0))
    if os.path.exists(options.lib):
        options.lib = os.path.abspath(options.lib)
    return options, rows


def write(path, text):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"written: {shown(os.path.abspath(path))}")


def write_all(made, docs):
    """The report and its plots, and with docs/benchmarks.md what the README shows of it."""
    drawn = plots.draw(made["rows"])
    for plot in drawn:
        write(os.path.join(os.path.dirname(os.path.abspath(docs)), "plots", plot.file), plot.svg)
    paths = [(plot.title, f"plots/{plot.file}") for plot in drawn]
    write(docs, document(made, PEERS, paths))
    if docs == DOCS:
        with open(README, encoding="utf-8") as file:
            before, rest = file.read().split("<!-- numbers -->\n", 1)
        after = rest.split("<!-- /numbers -->\n", 1)[1]
        chosen = headlines(made, PEERS, [p for p in paths if re.search("latency|throughput", p[1])])
        write(README, f"{before}<!-- numbers -->\n{chosen}\n<!-- /numbers -->\n{after}")


def main():
    options, rows = options_and_rows()
    if options.list:
        print("\n".join(r.name for r in rows))
        return 0
    if options.kept:
        with open(options.kept, encoding="utf-8") as file:
            made = json.load(file)
    else:
        made = run(rows, options)
        write(options.json, json.dumps(made, indent=1))

    print("\n" + report(made, PEERS))
    if options.docs:
        write_all(made, options.docs)
    print(made["took"])

    bad = [m["row"] for m in made["rows"] if m["state"].get(OURS, ("-",))[0] != "-"]
    if bad:
        print("this library failed or hung in: " + ", ".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
