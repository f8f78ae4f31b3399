"""A run's results as text: on the terminal, and as docs/benchmarks.md with the plots and with what notes.md explains."""

import os

from figures import main_key, median, ratio, short, small, verdict
from rows import BARE, HEADLINES, NANOMSG, TARGETS, ZMQ

NOTES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes.md")

# Mode, heading, and below it what else there is to say.
SECTIONS = (
    ("rtt", "Round trips: p50 of the one-way time, us", "One-way time in more detail, us: mean / p99 / CPU per message",
     ("mean_us", "p99_us", "cpu_us")),
    ("stream", "Streams: messages per second", "In more detail: MB/s / CPU per message, us", ("mb_per_s", "cpu_us")),
    ("fan", "Fan-out: delivered messages per second", "In more detail: MB/s / CPU per delivered message, us",
     ("mb_per_s", "cpu_us")),
    ("crowd", "A crowd of connections: seconds until all are established",
     "Bytes outside the kernel for each: listening side / dialling side", ("listener_bytes", "dialler_bytes")),
)


def table(head, lines):
    widths = [max(3, *(len(line[i]) for line in [head, *lines])) for i in range(len(head))]

    def join(cells):
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([join(head), join(rule), *map(join, lines)])


def state_of(measured, peer, missing):
    return "missing" if peer in missing else measured["state"].get(peer, (None,))[0]


def target_table(everything):
    """With the count of what was reached, of what was measured."""
    lines, judged = [], []
    for target in TARGETS:
        if target.row not in everything:
            continue
        value, told, reached = verdict(target, everything)
        judged.append(reached)
        lines.append([target.what, f"`{target.row}`", value, told,
                      {True: "reached", False: "NOT reached", None: "not measured"}[reached]])
    text = table(["64 B unless said", "row", "this library", "to be reached", ""], lines) if lines else ""
    return text, f"Targets reached: {sum(r is True for r in judged)} of {len(judged)}."


def main_table(measured, peers, missing, others=(BARE, NANOMSG, ZMQ)):
    head = ["row", *peers, *(f"/ {other}" for other in others)]
    lines = []
    for m in measured:
        line = [m["row"]]
        line += [state_of(m, p, missing) or short(median(m, p, main_key(m["row"]))) for p in peers]
        for other in others:
            r = ratio(m, peers[0], other)
            line.append("-" if not r else f"{short(r[0])} ({short(r[1])} to {short(r[2])})")
        lines.append(line)
    return table(head, lines)


def detail_table(measured, peers, missing, keys):
    def cell(m, peer):
        figures = [median(m, peer, k) for k in keys]
        written = (small(v) if k in ("cpu_us", "waits") else short(v) for k, v in zip(keys, figures))
        return state_of(m, peer, missing) or " / ".join(written)

    return table(["row", *peers], [[m["row"], *(cell(m, p) for p in peers)] for m in measured])


def kernel_table(kernel):
    """System calls and context switches per message, of both sides together."""
    lines = []
    for row, peers in kernel["rows"].items():
        for peer, found in peers.items():
            if "missing" in found:
                lines.append([row, peer, "-", found["missing"], "-", "-"])
                continue
            calls = sorted(found["names"].items(), key=lambda item: -item[1])
            calls = ", ".join(f"{name} {small(n)}" for name, n in calls)
            switches = f"{small(found['voluntary'])} / {small(found['involuntary'])}"
            counted = " / ".join(short(found[k]) for k in ("user", "kernel")) if "user" in found else "-"
            lines.append([row, peer, small(found["calls"]), calls or "-", switches, counted])
    head = ["row", "peer", "system calls", "which", "context switches: waits / preemptions", "instructions: user / kernel"]
    return table(head, lines) + "\n\n" + kernel["said"]


def report(run, peers):
    """`peers` in the order of the columns, this library first."""
    everything = {m["row"]: m for m in run["rows"]}
    missing = run["missing"]
    parts = []
    targets, reached = target_table(everything)
    if targets:
        parts += ["## What was to be reached", targets, reached]
    if run.get("kernel"):
        parts += ["## What the kernel is asked for, per message", kernel_table(run["kernel"])]
    for mode, heading, more, keys in SECTIONS:
        measured = [m for m in run["rows"] if m["row"].startswith(mode + "/")]
        if measured:
            parts += [f"## {heading}", main_table(measured, peers, missing), more,
                      detail_table(measured, peers, missing, keys)]
    troubles = [f"- {m['row']}, {peer}: {word}: {why}" for m in run["rows"] for peer, (word, why) in m["state"].items()]
    if troubles:
        parts += ["## Not measured", "\n".join(troubles)]
    return "\n\n".join(parts) + "\n"


def headlines(run, peers, plots):
    """What stands in the README between the marks."""
    everything = {m["row"]: m for m in run["rows"]}
    lines = []
    for what, row in HEADLINES:
        if row in everything:
            unit = {"rtt": " us", "crowd": " s"}.get(row.split("/")[0], "/s")
            found = (median(everything[row], p, main_key(row)) for p in peers)
            lines.append([what, *(short(v) + unit * (v is not None) for v in found)])
    shown = "\n\n".join(f"![{title}](docs/{path})" for title, path in plots)
    return (f"{table(['64 bytes', *peers], lines)}\n\nMedians; [docs/benchmarks.md](docs/benchmarks.md) has the machine, the "
            f"command, the spread, what was to be reached\nand the other sizes.\n\n{shown}")


def document(run, peers, plots):
    """docs/benchmarks.md. `plots`: their titles and paths."""
    with open(NOTES, encoding="utf-8") as file:
        notes = file.read()
    shown = "\n\n".join(f"![{title}]({path})" for title, path in plots)
    return (f"# Benchmarks\n\nWritten by `make bench`, which runs\n\n    {run['command']}\n\n({run['took']})\n\n"
            + "\n".join(run["about"]) + (f"\n\n{shown}" if shown else "") + f"\n\n{report(run, peers)}\n{notes}")
