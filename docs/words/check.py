#!/usr/bin/env python3
"""Looks for words that words.yml forbids, in all pages for readers: READMEs, docs/, the manual, and public Rust documentation.

The manual is read as mandoc renders it, and comments are taken out of the Rust files that make up the public interface.
Copies of all of them go to target/words, where textlint looks at them; it leaves code out.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
COPIES = TOP / "target/words/pages"
TEXTLINT = TOP / "target/words/node_modules/.bin/textlint"
# Written by benches/run.py, and what other projects' names and years are in.
LEFT_OUT = {"docs/benchmarks.md", "docs/shapes.md", "CHANGELOG.md"}
TITLES = "docs/reliability.md"
RUST = ["src/lib.rs", *sorted(str(path.relative_to(TOP)) for path in (TOP / "src/api").rglob("*.rs")), "src/ffi/mod.rs"]


def main():
    if not TEXTLINT.exists():
        if os.environ.get("CI") == "true":
            sys.exit("textlint is not installed")
        print("skipped: there is no textlint (npm)", file=sys.stderr)
        return
    shutil.rmtree(COPIES, ignore_errors=True)
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], cwd=TOP,
                           stdout=subprocess.PIPE, check=True, text=True).stdout.split("\0")
    pages = {name: (TOP / name).read_text(encoding="utf-8") for name in files
             if name and name not in LEFT_OUT and (TOP / name).exists()}
    # Rows of its tables repeat titles of tests/mutations/mutations.toml.
    pages[TITLES] = re.sub(r"^\|.*$", "", pages[TITLES], flags=re.MULTILINE)
    for page in sorted((TOP / "docs/man").glob("*.[137]")):
        pages[f"docs/man/{page.name}.md"] = rendered(page)
    for name in RUST:
        pages[f"{name}.md"] = comments((TOP / name).read_text(encoding="utf-8"))
    for name, text in pages.items():
        (COPIES / name).parent.mkdir(parents=True, exist_ok=True)
        (COPIES / name).write_text(text, encoding="utf-8")
    found = subprocess.run([TEXTLINT, "--config", HERE / "textlintrc.json", "--format", "unix", "--no-color", COPIES],
                           cwd=HERE, stdout=subprocess.PIPE, text=True)
    if found.returncode:
        print(found.stdout.replace(f"{COPIES}/", ""))
        sys.exit("words that docs/words/words.yml forbids")
    print(f"words: {len(pages)} pages")


def rendered(page):
    """Returns a page of the manual as Markdown, one line of it for each line of the source where that is text."""
    if shutil.which("mandoc") is None:
        if os.environ.get("CI") == "true":
            sys.exit("mandoc is not installed")
        return ""
    return subprocess.run(["mandoc", "-T", "markdown", page], stdout=subprocess.PIPE, check=True, text=True).stdout


def comments(text):
    """Returns the documentation comments of a Rust file, on the lines that they have there."""
    lines = (re.match(r"\s*//[/!] ?(.*)", line) for line in text.split("\n#[cfg(test)]\nmod ")[0].splitlines())
    return "\n".join(line[1] if line else "" for line in lines) + "\n"


main()
