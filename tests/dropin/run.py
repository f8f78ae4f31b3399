#!/usr/bin/env python3
"""Does what README.md says: installs into an empty prefix, and from there compiles and runs a program in every language.

Programs and command lines are those of the READMEs, in their order. A fenced block that begins with the name of a file,
as a comment, is that file. One marked `sh` is run, and has to print what the comments in it say. The loader tells which
libnanomsg each has run on: the installed one and no other, or none at all.

After `make install` they see the checkout without what is built there. What is missing fails with CI=true, and is said
and left out elsewhere.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
READMES = ["README.md", "bindings/cpp/README.md", "bindings/python/README.md", "bindings/node/README.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# In the README these stand for any prefix and any port.
PREFIX, PORT = "/opt/nanomsg", "5555"
TOOLS = ["cc", "pkg-config", "cmake", "c++", "python3", "npm", "node", "cargo", "/usr/bin/nanocat"]
# What the READMEs have to show, by a word of the command line that does it.
SHOWN = ["cc hello.c $(", "-static $(", "cmake -B", "hello_static", "c++", "pip", "npm", "cargo", "/usr/bin/nanocat"]
# These carry the library in them.
ALONE = ["-static", "_static", "cargo"]
# Would lead to another library, or into another folder.
FOREIGN = re.compile(r"(LD|PKG_CONFIG|CMAKE|NANOMSG)_\w+|MAKEFLAGS|MFLAGS|MAKELEVEL|PREFIX|DESTDIR|(LIB|INCLUDE|BIN|MAN)DIR|"
                     r"(C|CPLUS)_INCLUDE_PATH|CPATH|LIBRARY_PATH|PYTHONPATH|NODE_PATH|VIRTUAL_ENV")


def main():
    skipped, shown = 0, []
    with tempfile.TemporaryDirectory(prefix="dropin-") as name:
        work = Path(name)
        place = {PREFIX: str(work / "prefix"), f":{PORT}": f":{free_port()}"}
        shell = Shell(work)
        for readme in READMES:
            for kind, text in BLOCK.findall((TOP / readme).read_text()):
                for told, real in place.items():
                    text = text.replace(told, real)
                if kind != "sh":
                    write(text, shell.folder, readme)
                    continue
                used = (tool for tool in TOOLS if re.search(rf"(^|\s){re.escape(tool)}\s", text))
                missing = next((tool for tool in used if not shutil.which(tool)), None)
                if missing:
                    skip(f"there is no {missing}")
                    skipped += 1
                    continue
                libraries = shell.run(text)
                expected = re.findall(r"  # (.*)$", text, re.MULTILINE)
                if expected:
                    check(text, shell, expected, libraries, work / "prefix/lib")
                    shown.append(text)
                if "make install" in text:
                    shell.folder = work / "checkout"
                    copy_sources(shell.folder)
                    # Compiled once for all runs of this.
                    shell.variables["CARGO_TARGET_DIR"] = str(TOP / "target/dropin")
    lost = [word for word in SHOWN if not any(word in text for text in shown)]
    if lost and not skipped:
        sys.exit(f"README.md does not show {', '.join(lost)}")
    print(f"dropin: {len(shown)} passed, 0 failed, {skipped} skipped")


class Shell:
    """Runs pieces of a shell session; variables and the folder stay as one leaves them for the next."""

    def __init__(self, work):
        self.folder, self.work, self.output = TOP, work, ""
        self.variables = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}

    def run(self, text):
        """The libnanomsgs that its programs have loaded."""
        logs, state = self.work / "logs", self.work / "state"
        logs.mkdir()
        loader = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(logs / "log")}
        script = f'{text}\nenv -0 > "{state}"'
        # Into a file, because what the piece leaves running would hold a pipe open.
        with open(self.work / "output", "w+") as output:
            bash = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, start_new_session=True,
                                    env={**self.variables, **loader}, stdout=output, stderr=subprocess.STDOUT)
            try:
                code = bash.wait(timeout=300)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(bash.pid, signal.SIGKILL)
            output.seek(0)
            self.output = output.read()
        if code != 0:
            sys.exit(f"{text}\nended with {code}:\n{self.output}")
        left = dict(pair.split("=", 1) for pair in state.read_text().split("\0") if pair)
        self.folder = Path(left.pop("PWD"))
        self.variables.update({name: value for name, value in left.items() if name not in loader})
        loaded = {Path(path).resolve() for log in logs.iterdir()
                  for path in re.findall(r"calling init: (\S*/libnanomsg\S*)", log.read_text(errors="replace"))}
        shutil.rmtree(logs)
        return loaded


def check(text, shell, expected, libraries, installed):
    said = shell.output.splitlines()[-len(expected):]
    if said != expected:
        sys.exit(f"{text}\nprinted {said} and not {expected}:\n{shell.output}")
    wanted = set() if any(word in text for word in ALONE) else {(installed / "libnanomsg.so").resolve()}
    if libraries != wanted:
        sys.exit(f"{text}\nran on {sorted(map(str, libraries))} and not on {sorted(map(str, wanted))}")


def write(text, folder, readme):
    name = re.match(r"(?://|#|/\*) ([\w./]+)", text)
    if name is None:
        sys.exit(f"{readme}: nothing runs\n{text}")
    file = folder / name[1]
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    if file.name == "Cargo.toml":
        # With the versions that everything else is tested with.
        shutil.copy2(TOP / "Cargo.lock", folder)


def copy_sources(folder):
    """What is in the repository, and nothing that was built from it."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP,
                           stdout=subprocess.PIPE, check=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (TOP / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def skip(missing):
    if os.environ.get("CI") == "true":
        sys.exit(missing)
    print(f"skipped: {missing}", file=sys.stderr)


main()
