#!/usr/bin/env bash
# What is linked: licences, sources and versions by deny.toml, known weaknesses if their list can be had, and a list of it all
# (CycloneDX) in target/sbom. The tools are installed in target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo} tools=$PWD/target/tools
export PATH="$PATH:$tools/bin"
for tool in cargo-deny cargo-cyclonedx; do
    command -v "$tool" > /dev/null || CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 "$cargo" install -q --locked --root "$tools" "$tool"
done
"$cargo" deny --all-features check bans licenses sources
# The list of weaknesses is in a repository of its own.
if "$cargo" deny --all-features fetch db > target/advisories.log 2>&1; then
    "$cargo" deny --all-features check advisories
else
    echo "skipped: the list of known weaknesses could not be fetched" >&2
fi
# It is written beside Cargo.toml.
"$cargo" cyclonedx -q --format json --spec-version 1.5 --override-filename libnanomsg-rs.cdx
mkdir -p target/sbom
mv libnanomsg-rs.cdx.json target/sbom/
echo "target/sbom/libnanomsg-rs.cdx.json: $(grep -c '"purl"' target/sbom/libnanomsg-rs.cdx.json) components"
