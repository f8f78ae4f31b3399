#!/usr/bin/env python3
"""Checks links: in the Markdown files of the repository, or, given a folder, in the HTML files there.

A link inside has to lead to a file, and its fragment to a heading or an id. Links to other sites are not fetched. HTML pages
may link to other sites, but load nothing from them.
"""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

TOP = Path(__file__).resolve().parents[1]
GUIDE = TOP / "docs/guide/src"
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
OUTSIDE = re.compile(r"[a-z]+:|//", re.IGNORECASE)


def markdown():
    """Returns the links of the repository's Markdown files that lead nowhere."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], cwd=TOP,
                           stdout=subprocess.PIPE, check=True, text=True).stdout.split("\0")
    for file in (TOP / name for name in files if name and (TOP / name).exists()):
        text = FENCE.sub("", file.read_text(encoding="utf-8"))
        # In code a bracket is no link.
        for link in LINK.findall(re.sub(r"`[^`\n]*`", "", text)):
            path, _, fragment = link.partition("#")
            if OUTSIDE.match(link):
                continue
            target = (file.parent / unquote(path)) if path else file
            if GUIDE in file.parents and path.startswith("man/"):
                # `make guide` renders the manual there.
                target = TOP / "docs/man" / Path(path).stem
            if not target.exists():
                yield f"{file.relative_to(TOP)}: {link}"
            elif fragment and target.suffix == ".md" and fragment not in anchors(target):
                yield f"{file.relative_to(TOP)}: {link} has no such heading"


def anchors(file):
    """Returns the fragments of a Markdown file's headings, as they are made of them."""
    found = []
    for heading in HEADING.findall(FENCE.sub("", file.read_text(encoding="utf-8"))):
        slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return found


class Page(HTMLParser):
    def __init__(self, file):
        super().__init__()
        self.links, self.loads, self.ids = [], [], {"top"}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.update(filter(None, (values.get("id"), values.get("name"))))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        for name in ("src", "href") if tag in ("link", "script", "img", "iframe", "source", "object") else ():
            if values.get(name):
                self.loads.append(values[name])


def html(folder):
    """Returns the links of HTML files that lead nowhere, and what they load from elsewhere."""
    pages = {file: Page(file) for file in folder.rglob("*.html")}
    if not pages:
        yield f"{folder}: there are no pages"
    for file, page in pages.items():
        where = file.relative_to(folder)
        for link in page.loads:
            if OUTSIDE.match(link) and not link.startswith("data:"):
                yield f"{where} loads {link}"
        for link in [*page.links, *page.loads]:
            path, _, fragment = link.partition("#")
            if OUTSIDE.match(link):
                continue
            # The page for what is not found lies at any depth.
            target = (file.parent / unquote(path)).resolve() if path else file
            if not target.exists():
                yield f"{where}: {link}"
            elif fragment and target in pages and unquote(fragment) not in pages[target].ids:
                yield f"{where}: {link} has no such place"
    for file in folder.rglob("*.css"):
        for link in re.findall(r"url\(['\"]?([^)'\"]+)", file.read_text(encoding="utf-8")):
            if re.match(r"https?:|//", link):
                yield f"{file.relative_to(folder)} loads {link}"


def main():
    broken = sorted(set(html(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else markdown()))
    if broken:
        sys.exit("\n".join(["links that lead nowhere:", *broken]))


main()
