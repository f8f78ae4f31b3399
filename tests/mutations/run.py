#!/usr/bin/env python3
"""Breaks the library on purpose, one mutation at a time, and demands that the test that stands for it fails.

    tests/mutations/run.py [NAME...]

A NAME is a word of a mutation's title, a row of tests/hostile/rows.rs that it belongs to, or the target of its test
(`simulate`, `loom`, `portable`, `web`); without one all are tried, which takes about an hour. `mutations.toml` has them. All happens in a copy, in target/mutations.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target/mutations"
COPY = WORK / "tree"
STAGE = WORK / "lib"

ENVIRONMENT = {"CARGO_TARGET_DIR": str(WORK / "build"), "NN_LIB_DIR": str(STAGE)}

# A test that takes so much longer than it did as it is hangs, and that is seen too. Most tests that fail do so after they
# have waited for something in vain.
PATIENCE = 10


class Broken(Exception):
    """The code does not compile, so nothing was tried."""


def copy_tree():
    """What git knows or would add, without touching what has not changed: cargo goes by the time."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    wanted = {Path(os.fsdecode(name)) for name in listed.split(b"\0") if name and (ROOT / os.fsdecode(name)).is_file()}
    for path in COPY.rglob("*"):
        if not path.is_dir() and path.relative_to(COPY) not in wanted:
            path.unlink()
    for name in wanted:
        original, copy = ROOT / name, COPY / name
        if not copy.exists() or copy.read_bytes() != original.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(original, copy)


def run(command, environment, patience=None):
    """The exit code, None for one that takes too long, and the output."""
    process = subprocess.Popen(
        command, cwd=COPY, env=environment, text=True, errors="replace", start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        output, _ = process.communicate(timeout=patience)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def attempt(test, patience):
    """Builds what a test needs and runs it: "passes", "fails" or "hangs", the seconds it took, and its output."""
    # Who is killed leaves its files.
    with tempfile.TemporaryDirectory() as scratch:
        return attempt_in(scratch, test, patience)


def attempt_in(scratch, test, patience):
    target, *words = test.split()
    environment = {**os.environ, **ENVIRONMENT, "TMPDIR": scratch}
    builds = []
    if target == "loom":
        environment |= {"RUSTFLAGS": "--cfg loom", "CARGO_TARGET_DIR": str(WORK / "loom")}
        target = "loom"
    elif target == "simulate":
        environment |= {"RUSTFLAGS": "--cfg simulated", "CARGO_TARGET_DIR": str(WORK / "simulated")}
    elif target in ("ctests", "interop", "web"):
        library = WORK / "build/checks/libnanomsg.a"
        # As it is shipped. With its own assertions std ends the process where a descriptor was closed behind its back.
        builds = [["cargo", "rustc", "-q", "--profile", "checks", "--lib", "--crate-type", "staticlib", "--",
                   "-C", "debug-assertions=off"],
                  ["make", "-s", "link", f"ARCHIVE={library}", f"STAGE={STAGE}"]]
    units = {"unit": ["--lib"], "portable": ["--lib", "--features", "portable-sys"]}
    chosen = units.get(target, ["--test", target])
    cargo = ["cargo", "test", "-q", "--profile", "checks", *chosen]
    command = [*cargo, "--", *words]
    if target == "web":
        # By what `make web` has installed.
        environment |= {"NANOMSG_LIBRARY": str(STAGE / "libnanomsg.so.6"), "WEB_MODULES": str(ROOT / "target/web")}
        pytest = [str(ROOT / "target/venv/bin/python"), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command = [*pytest, *(f"tests/web/{word}" for word in words)]
    else:
        builds.append([*cargo, "--no-run"])
    for build in builds:
        code, output = run(build, environment)
        if code != 0:
            raise Broken(output)
    start = time.monotonic()
    code, output = run(command, environment, patience)
    seconds = time.monotonic() - start
    if code == 0 and not re.search(r"^(test result: ok\. )?[1-9]\d* passed", output, re.MULTILINE):
        raise Broken(f"there is no test {test}")
    return {None: "hangs", 0: "passes"}.get(code, "fails"), seconds, output


def mutate(mutation, patience):
    path = COPY / mutation["file"]
    text = path.read_text()
    assert text.count(mutation["old"]) == 1, f"{mutation['file']} has this {text.count(mutation['old'])} times: {mutation['old']}"
    path.write_text(text.replace(mutation["old"], mutation["new"]))
    try:
        return attempt(mutation["test"], patience)
    finally:
        path.write_text(text)


def chosen(table, names):
    def fits(title, mutation):
        known = [*mutation.get("rows", []), mutation["test"].split()[0]]
        return not names or any(name in title or name in known for name in names)

    return {title: mutation for title, mutation in table.items() if fits(title, mutation)}


def main():
    table = tomllib.loads((ROOT / "tests/mutations/mutations.toml").read_text())
    mutations = chosen(table, sys.argv[1:])
    if not mutations:
        sys.exit("no such mutation")
    # Whoever ends this ends what it runs, and leaves the copy as it was.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    copy_tree()
    usual = {}
    for test in dict.fromkeys(mutation["test"] for mutation in mutations.values()):
        outcome, usual[test], output = attempt(test, None)
        if outcome != "passes":
            sys.exit(f"{test} {outcome} as it is\n{output}")
    unseen = 0
    for title, mutation in mutations.items():
        test = mutation["test"]
        try:
            outcome, seconds, _ = mutate(mutation, PATIENCE + 3 * usual[test])
        except Broken as error:
            outcome, seconds = f"was not tried: {error}", 0
        unseen += outcome not in ("fails", "hangs")
        print(f"{outcome:6} {seconds:4.1f} s  {title}: {test}", flush=True)
    print(f"{len(mutations) - unseen} of {len(mutations)} mutations were seen")
    sys.exit(unseen > 0)


if __name__ == "__main__":
    main()
