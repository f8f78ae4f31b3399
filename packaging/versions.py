#!/usr/bin/env python3
"""The version is in Cargo.toml. Says where it is told otherwise, and fails then; `--write` sets it everywhere."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: What else tells it: a file, and what stands around it there.
PLACES = [
    ("Cargo.lock", r'name = "libnanomsg-rs"\nversion = "', '"'),
    ("bindings/python/pyproject.toml", r'^version = "', '"'),
    ("bindings/node/package.json", r'"version": "', '"'),
    ("packaging/debian/changelog", r"\Alibnanomsg-rs \(", r"-1\)"),
    ("packaging/rpm/libnanomsg-rs.spec", r"^Version: +", r"$"),
    ("packaging/arch/PKGBUILD", r"^pkgver=", r"$"),
    ("packaging/alpine/APKBUILD", r"^pkgver=", r"$"),
    ("packaging/homebrew/libnanomsg-rs.rb", r"libnanomsg-rs-", r"\.tar"),
    ("packaging/vcpkg/vcpkg.json", r'"version": "', '"'),
    ("packaging/conan/conanfile.py", r'version = "', '"'),
    ("packaging/nix/flake.nix", r'version = "', '"'),
]

version = re.search(r"(?m)^version = \"(.*)\"$", (ROOT / "Cargo.toml").read_text())[1]
wrong = 0
for name, before, behind in PLACES:
    path = ROOT / name
    text = path.read_text()
    found = re.search(f"({before})([0-9][^\"\\s]*?)({behind})", text, re.M)
    if not found:
        sys.exit(f"{name} tells no version")
    if found[2] == version:
        continue
    if "--write" in sys.argv and name != "packaging/debian/changelog":  # dch writes that, with what has changed
        path.write_text(text[: found.start(2)] + version + text[found.end(2) :])
    else:
        print(f"{name} tells {found[2]}, and Cargo.toml {version}", file=sys.stderr)
        wrong = 1
sys.exit(wrong)
