"""What the kernel is asked for by a message of the headline rows: system calls, context switches, instructions.

Each figure is the difference of two runs of different lengths, divided by the difference of their messages, so that
starting and ending do not count. perf counts calls where it may (tracepoints), because that disturbs least; elsewhere it
is strace, under which every call takes many times as long and streams gather more. The driver itself tells its context
switches."""

import os
import re
import shutil
import subprocess

from peers import Failed, Hung, Unsupported, run_once
from rows import KERNEL_ROWS, all_rows

WAITING = "clock_nanosleep"  # the driver's own waits, before and after
ALL = "raw_syscalls:sys_enter"
# What messaging libraries ask for. Of perf, only what is asked for is counted; the rest is "others".
CALLS = ("epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "futex", "getpid", "getrandom", "poll", "ppoll", "read",
         "readv", "recvfrom", "recvmsg", "sched_yield", "sendmsg", "sendto", "timerfd_settime", "write", "writev", WAITING)
TRACEPOINTS = {f"syscalls:sys_enter_{call}": call for call in CALLS}
INSTRUCTIONS = {"instructions:u": "user", "instructions:k": "kernel"}


def countable(events):
    """Those that perf counts on this machine."""
    if not shutil.which("perf"):
        return []
    tried = {event: subprocess.run(["perf", "stat", "-x,", "-e", event, "true"], capture_output=True, text=True)
             for event in events}
    return [event for event, done in tried.items() if done.returncode == 0 and re.match(r"\d+,", done.stderr)]


def strace_counts(text):
    found = {}
    for line in text.splitlines():
        cells = line.split()
        if len(cells) >= 5 and re.fullmatch(r"[\d.]+", cells[0]) and cells[-1] != "total":
            found[cells[-1]] = int(cells[3])
    return found


def perf_counts(text):
    cells = (line.split(",") for line in text.splitlines())
    return {cell[2]: int(cell[0]) for cell in cells if len(cell) > 2 and cell[0].isdigit()}


class Watcher:
    """The program that counts, and what it can count here."""

    def __init__(self):
        self.instructions = countable(INSTRUCTIONS)
        self.tracepoints = countable(TRACEPOINTS) if countable([ALL]) else []
        self.perf = bool(self.tracepoints) or not shutil.which("strace")
        self.events = self.instructions + ([ALL, *self.tracepoints] if self.tracepoints else [])

    def command(self):
        listed = [word for event in self.events for word in ("-e", event)]
        return ["perf", "stat", "-x,", *listed] if self.perf else ["strace", "-c", "-f"]

    def calls(self, grown):
        """By name, with what of all calls has no name here."""
        if not self.perf:
            return {name: n for name, n in grown.items() if name != WAITING}
        named = {TRACEPOINTS[event]: grown.get(event, 0) for event in self.tracepoints}
        named["others"] = max(0, grown.get(ALL, 0) - sum(named.values()))
        return {name: n for name, n in named.items() if name != WAITING}

    def said(self):
        by = ("perf, which hardly disturbs" if self.perf else
              "`strace -c -f`, under which every call takes many times as long and streams gather more")
        text = f"Of both sides together, without starting and ending; counted by {by}."
        if not self.instructions:
            text += ("\nThe processor does not let perf count instructions here, as in most virtual machines; `make icount` "
                     "counts those of\nthis library with callgrind.")
        return text


def watch(watcher, peer, row, options):
    lengths = (20_000, 220_000) if row.mode == "stream" else (2_000, 22_000)
    if not watcher.perf:
        lengths = tuple(length // 8 for length in lengths)
    counts, path = [], os.path.join(options.tmp, "watched")
    for length in lengths:
        result = run_once(peer, row, length, options, [*watcher.command(), "-o", path])
        with open(path, encoding="utf-8") as file:
            counts.append((perf_counts if watcher.perf else strace_counts)(file.read()))
    messages = (lengths[1] - lengths[0]) * (2 if row.mode == "rtt" else 1)
    grown = {name: max(0, n - counts[0].get(name, 0)) / messages for name, n in counts[1].items()}
    calls = watcher.calls(grown)
    found = {"calls": sum(calls.values()), "names": {n: c for n, c in calls.items() if c >= 0.002}}
    found |= {INSTRUCTIONS[event]: grown[event] for event in watcher.instructions}
    return found | {key: result[key] for key in ("voluntary", "involuntary")}


def watch_all(peers, options):
    """None where nothing can count."""
    if not shutil.which("perf") and not shutil.which("strace"):
        return None
    watcher = Watcher()
    rows = {row.name: row for row in all_rows()}
    found = {name: {} for name in KERNEL_ROWS}
    for name in KERNEL_ROWS:
        for peer in peers:
            if peer.missing:
                continue
            try:
                found[name][peer.name] = watch(watcher, peer, rows[name], options)
            except (Failed, Hung, Unsupported) as e:
                found[name][peer.name] = {"missing": str(e)}
    return {"rows": found, "said": watcher.said()}
