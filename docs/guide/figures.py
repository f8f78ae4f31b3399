#!/usr/bin/env python3
"""Writes measured figures into README.md and the guide; with --check it only says whether they are those of docs/benchmarks.md.

On these pages a figure stands before a comment that names its row and its column: `3.30 us<!-- rtt/tcp/64B/pair: this library -->`.
"""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
PAGES = [DOCS.parent / "README.md", *sorted((DOCS / "guide/src").glob("*.md"))]
FIGURE = re.compile(r"([\d.]+[kM]?)( us|/s| s)?<!-- ([\w/]+): ([\w ]+) -->")


def measured():
    """Returns figures by row and column, of the first table that has the row."""
    found, header = {}, None
    for line in (DOCS / "benchmarks.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if cells is None:
            header = None
        elif header is None:
            header = cells
        elif header[0] == "row" and "this library" in header:
            found.setdefault(cells[0], dict(zip(header[1:], cells[1:])))
    return found


def main():
    rows, stale, count = measured(), [], 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")

        def figure(match):
            nonlocal count
            count += 1
            row, column = match[3], match[4]
            if column not in rows.get(row, {}):
                sys.exit(f"{page.name}: docs/benchmarks.md has no {column} of {row}")
            return f"{rows[row][column]}{match[2] or ''}<!-- {row}: {column} -->"

        written = FIGURE.sub(figure, text)
        if text.count("<!-- ") and len(re.findall(r"<!-- [\w/]+: [\w ]+ -->", text)) != len(FIGURE.findall(text)):
            sys.exit(f"{page.name}: a figure is written in a way that this program does not read")
        if written != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(written, encoding="utf-8")
    if count == 0:
        sys.exit("no page has a figure")
    if "--check" in sys.argv and stale:
        sys.exit(f"figures of {', '.join(stale)} are not those of docs/benchmarks.md: run docs/guide/figures.py")


main()
