#!/usr/bin/env python3
"""Counts the instructions of codecs, patterns and messages under callgrind, and holds them against benches/icount.txt.

Time depends on what else the machine does, instructions hardly do: so a slip is noticed anywhere, CI included. Each
count is the difference of two runs of different lengths, so that starting and ending do not count."""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from peers import BUILD, DEFAULT_LIB, ROOT, SOURCES

LIMITS = os.path.join(ROOT, "benches", "icount.txt")
ALLOWED = 0.10  # so much more than was counted once: compilers and C libraries differ
AGAIN = 2  # more tries for a case above its limit: a background thread may have run in between
HEAD = """\
# Instructions of the calling process, kernel not included, as `make icount` counts them; `make icount WRITE=1` writes this
# file. 10 % more make it fail. message/: through nn_send and nn_recv, 64 B, for each message sent and received, in
# one thread. frame_, pattern_: inside the library, for one frame or message; reqrep and survey there and back.
"""

TRANSPORTS = ("inproc", "ipc", "tcp", "ws")
MESSAGES = [f"{kind}/{t}" for kind in ("echo", "stream") for t in TRANSPORTS]
MESSAGES += ["pair", "pipeline", "pubsub", "reqrep", "survey", "bus"]
LENGTHS = (1_600, 9_600)  # whole windows of 16


def compiled_driver():
    program = os.path.join(BUILD, "icount")
    os.makedirs(BUILD, exist_ok=True)
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-O2", "-Wall", "-Wextra",
                    f"-I{ROOT}/include", os.path.join(SOURCES, "icount.c"), "-o", program, "-ldl"], check=True)
    return program


def compiled_tests():
    """The program with the tests of the library's rooms, as `make test` builds it too, and its cases."""
    command = [os.environ.get("CARGO", "cargo"), "test", "--release", "--features", "cli", "--lib"]
    built = subprocess.run([*command, "--no-run", "--message-format=json"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                           check=True)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    program = next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "nanomsg")
    listed = subprocess.run([program, "icount::", "--list"], stdout=subprocess.PIPE, text=True, check=True)
    return program, re.findall(r"^(icount::\w+): test$", listed.stdout, re.M)


def instructions(command, environment):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], text=True,
                          capture_output=True, timeout=120, env={**os.environ, **environment})
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not counted:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return int(counted[1])


def cases(lib):
    """By name: from a length, the command and its environment."""
    driver = compiled_driver()
    tests, names = compiled_tests()
    found = {}
    for name in names:
        found[name.removeprefix("icount::")] = lambda length, name=name: (
            [tests, name, "--exact", "--ignored", "--test-threads=1"], {"ICOUNT_ROUNDS": str(length)})
    for case in MESSAGES:
        found[f"message/{case}"] = lambda length, case=case: ([driver, lib, case, str(length)], {})
    return found


def cost(case):
    short, long = (instructions(*case(length)) for length in LENGTHS)
    return (long - short) / (LENGTHS[1] - LENGTHS[0])


def in_turn(count, names):
    """One for each processor at a time, but for streams: how much goes out by one write depends on how long writes take."""
    alone = [name for name in names if "/stream/" in name]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        together = dict(zip(names, pool.map(lambda name: None if name in alone else count(name), names)))
    return [count(name) if name in alone else together[name] for name in names]


def kept():
    with open(LIMITS, encoding="utf-8") as file:
        return {name: int(count) for name, count in (l.split() for l in file if l.strip() and not l.startswith("#"))}


def judged(name, case, once):
    """The count, and a word on it."""
    limit = once * (1 + ALLOWED) + 1
    counted = cost(case)
    for _ in range(AGAIN):
        if counted > limit:
            counted = min(counted, cost(case))
    word = "MORE than allowed" if counted > limit else "less: lower it (WRITE=1)" if counted < once * 0.9 - 1 else ""
    print(f"{name:28} {counted:8.0f} {once:8} {word}", flush=True)
    return counted <= limit


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lib", default=DEFAULT_LIB)
    parser.add_argument("--write", action="store_true", help="keep what is counted now in benches/icount.txt")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("skipped: there is no valgrind", file=sys.stderr)
        return 0
    found = cases(os.path.abspath(options.lib))
    if options.write:
        counted = dict(zip(found, (round(count) for count in in_turn(lambda name: cost(found[name]), found))))
        with open(LIMITS, "w", encoding="utf-8") as file:
            file.write(HEAD + "".join(f"{name:28} {count}\n" for name, count in counted.items()))
        print(f"written: {os.path.relpath(LIMITS, ROOT)}")
        return 0
    once = kept()
    if set(once) != set(found):
        sys.exit(f"benches/icount.txt does not have the same cases: {', '.join(sorted(set(once) ^ set(found)))}")
    print(f"{'instructions':28} {'now':>8} {'kept':>8}")
    results = in_turn(lambda name: judged(name, found[name], once[name]), found)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
