#!/usr/bin/env python3
"""Writes what a library was built from, as cargo-auditable embeds it (section .dep-v0): `cargo audit bin` and others read it.

    packaging/auditable.py FEATURES FILE

cargo-auditable itself hands this to rustc's linker, which does not link the shared library (see `make link`)."""

import json
import os
import subprocess
import sys
import zlib

features, file = sys.argv[1:]
command = [os.environ.get("CARGO", "cargo"), "metadata", "--format-version=1", "--locked", "--no-default-features", "--features",
           features, "--filter-platform", os.environ.get("TARGET") or next(
               line.split()[1] for line in subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True)
               .stdout.splitlines() if line.startswith("host:"))]
metadata = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
packages = {package["id"]: package for package in metadata["packages"]}
root = metadata["resolve"]["root"]

# What is linked is "runtime"; what only runs while it is built, "build".
kinds = {}


def visit(package, kind):
    if kinds.get(package) in (kind, "runtime"):
        return
    kinds[package] = kind
    for dep in nodes[package]["deps"]:
        for way in dep["dep_kinds"]:
            if way["kind"] != "dev":
                visit(dep["pkg"], "build" if way["kind"] == "build" else kind)


visit(root, "runtime")
order = sorted(kinds, key=lambda package: (packages[package]["name"], packages[package]["version"]))
place = {package: index for index, package in enumerate(order)}
told = []
for package in order:
    source = packages[package]["source"]
    entry = {"name": packages[package]["name"], "version": packages[package]["version"],
             "source": "local" if source is None else "crates.io" if "crates.io" in source else "registry"}
    if kinds[package] == "build":
        entry["kind"] = "build"
    needs = sorted({place[dep["pkg"]] for dep in nodes[package]["deps"]
                    if dep["pkg"] in place and any(way["kind"] != "dev" for way in dep["dep_kinds"])})
    if needs:
        entry["dependencies"] = needs
    if package == root:
        entry["root"] = True
    told.append(entry)
with open(file, "wb") as out:
    out.write(zlib.compress(json.dumps({"packages": told}, separators=(",", ":")).encode(), 9))
