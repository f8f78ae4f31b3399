#!/usr/bin/env python3
"""Does what README.md says: installs into an empty prefix, and from there compiles and runs a program in every language.

Programs and command lines are those of the READMEs, in their order. A fenced block that begins with the name of a file,
as a comment, is that file. One marked `sh` is run, and has to print what the comments in it say. The loader tells which
libnanomsg each has run on: the installed one and no other, or none at all.

After `make install` they see the checkout without what is built there. What is missing fails with CI=true, and is
reported and left out elsewhere.
"""

import re
import sys
import tempfile
from pathlib import Path

from pages import BLOCK, PREFIX, TOP, Shell, copy_sources, file_name, free_port, missing_tool, skip, write

READMES = ["README.md", "bindings/cpp/README.md", "bindings/python/README.md", "bindings/node/README.md"]
# In the READMEs it stands for any port.
PORT = "5555"
# What the READMEs have to show, by a word of the command line that does it.
SHOWN = ["cc hello.c $(", "-static $(", "cmake -B", "hello_static", "c++", "pip", "npm", "cargo", "/usr/bin/nanocat"]
# These carry the library in them.
ALONE = ["-static", "_static", "cargo"]


def main():
    skipped, shown, early = 0, [], {}
    with tempfile.TemporaryDirectory(prefix="dropin-") as name:
        work = Path(name)
        place = {PREFIX: str(work / "prefix"), f":{PORT}": f":{free_port()}"}
        shell = Shell(work)
        for readme in READMES:
            for kind, text in BLOCK.findall((TOP / readme).read_text()):
                for written, real in place.items():
                    text = text.replace(written, real)
                if kind != "sh":
                    # What comes before there is an installation is written where it is first used.
                    if shell.folder == TOP:
                        early[file_name(text, readme)] = text
                    else:
                        write(text, shell.folder, readme)
                    continue
                for file in [file for file in early if file in text]:
                    write(early.pop(file), shell.folder, readme)
                missing = missing_tool(text)
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
    if early:
        sys.exit(f"README.md: nothing runs {', '.join(early)}")
    lost = [word for word in SHOWN if not any(word in text for text in shown)]
    if lost and not skipped:
        sys.exit(f"README.md does not show {', '.join(lost)}")
    print(f"dropin: {len(shown)} passed, 0 failed, {skipped} skipped")


def check(text, shell, expected, libraries, installed):
    said = shell.output.splitlines()[-len(expected):]
    if said != expected:
        sys.exit(f"{text}\nprinted {said} and not {expected}:\n{shell.output}")
    wanted = set() if any(word in text for word in ALONE) else {(installed / "libnanomsg.so").resolve()}
    if libraries != wanted:
        sys.exit(f"{text}\nran on {sorted(map(str, libraries))} and not on {sorted(map(str, wanted))}")


main()
