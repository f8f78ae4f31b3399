#!/usr/bin/env python3
"""Does what the guide says, as a reader would: each chapter in an empty folder beside the sources.

A fenced block that begins with the name of a file, as a comment, is that file. One marked `sh` is run; the block marked
`text` behind it is what it has to print, all of it, where a line of `...` stands for any lines. There are no other blocks.
`ten-minutes.md` installs for all chapters; the others then run two at a time. Every libnanomsg that a program loads has to
be the installed one.

With names of chapters as arguments only those run. What is missing fails with CI=true, and is reported and left out elsewhere.
"""

import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pages import BLOCK, PREFIX, TOP, Shell, copy_sources, free_port, missing_tool, skip, write

GUIDE = TOP / "docs/guide/src"
FIRST = "ten-minutes"
# In the guide a port with these digits stands for any port, another one in each chapter.
PORT = re.compile(r"(?<=:)55\d\d\b")
# A warning of the compiler is output that the page does not show.
COMPILER = re.compile(r"^(cc|c\+\+) ", re.MULTILINE)
WARNINGS = r"\1 -Wall -Wextra "
# Chapters at a time: as many as processors where the tests run.
AT_ONCE = 2


def main():
    chapters = [name.removesuffix(".md") for name in re.findall(r"\]\((?:\./)?([\w-]+\.md)\)", (GUIDE / "SUMMARY.md").read_text())]
    unlisted = {path.stem for path in GUIDE.glob("*.md")} - {*chapters, "SUMMARY"}
    if unlisted:
        sys.exit(f"SUMMARY.md does not list {', '.join(sorted(unlisted))}")
    wanted = sys.argv[1:] or chapters
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guide-") as name:
        work = Path(name)
        installing = Chapter(FIRST, work, work / "installing", {})
        installing.run(stop_after_installing=FIRST not in wanted)
        others = [Chapter(chapter, work, work / chapter, installing.shell.variables)
                  for chapter in chapters if chapter in wanted and chapter != FIRST]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(Chapter.run, others))
        ran = [installing, *others]
        print(f"guide: {sum(one.ran for one in ran)} passed, 0 failed, {sum(one.skipped for one in ran)} skipped, "
              f"{time.monotonic() - started:.0f} s")


class Chapter:
    def __init__(self, name, work, scratch, variables):
        self.name, self.work, self.ran, self.skipped, self.ports, self.written = name, work, 0, 0, {}, {}
        scratch.mkdir()
        self.shell = Shell(scratch, TOP)
        if name != FIRST:
            # As ten-minutes.md has left them.
            self.shell.variables = dict(variables)
            self.shell.folder = work / "chapters" / name
            self.shell.folder.mkdir(parents=True)

    def run(self, stop_after_installing=False):
        text = (GUIDE / f"{self.name}.md").read_text()
        blocks = [(kind, self.placed(block)) for kind, block in BLOCK.findall(text)]
        for number, (kind, block) in enumerate(blocks):
            follows = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
            if kind == "sh":
                self.run_block(block, follows[1] if follows[0] == "text" else None)
                if "make install" in block:
                    self.shell.folder = self.work / "chapters/libnanomsg-rs"
                    self.shell.folder.mkdir(parents=True)
                    copy_sources(self.shell.folder)
                    # Compiled once for all runs of this.
                    self.shell.variables["CARGO_TARGET_DIR"] = str(TOP / "target/dropin")
                if stop_after_installing and "cd ../" in block:
                    return
            elif kind == "text":
                if number == 0 or blocks[number - 1][0] != "sh":
                    sys.exit(f"{self.name}: nothing prints\n{block}")
            else:
                name = write(block, self.shell.folder, self.name)
                self.written[name] = False
        unused = [name for name, used in self.written.items() if not used]
        if unused:
            sys.exit(f"{self.name}: nothing uses {', '.join(unused)}")

    def run_block(self, block, expected):
        missing = missing_tool(block)
        for name in self.written:
            # cargo finds its files by itself.
            self.written[name] |= Path(name).stem in block or ("cargo" in block and Path(name).suffix in (".rs", ".toml"))
        if missing:
            skip(f"{self.name}: there is no {missing}")
            self.skipped += 1
            return
        libraries = self.shell.run(COMPILER.sub(WARNINGS, block))
        self.ran += 1
        installed = (self.work / "prefix/lib/libnanomsg.so").resolve()
        if libraries - {installed}:
            sys.exit(f"{self.name}: {block}\nran on {sorted(map(str, libraries))} and not on {installed}")
        if expected is not None and not matches(self.shell.output, expected):
            sys.exit(f"{self.name}: {block}\nprinted\n{self.shell.output}\nand not\n{expected}")

    def placed(self, block):
        """The block with the prefix and the ports of this run."""
        def port(match):
            if match[0] not in self.ports:
                self.ports[match[0]] = str(free_port())
            return self.ports[match[0]]

        return PORT.sub(port, block.replace(PREFIX, str(self.work / "prefix")))


def matches(output, expected):
    """Whether it is what the page shows, where a line of three dots stands for any lines."""
    pattern = "".join("(.*\n)*" if line == "..." else re.escape(line + "\n") for line in expected.splitlines())
    return re.fullmatch(pattern, output if output.endswith("\n") or not output else output + "\n") is not None


main()
