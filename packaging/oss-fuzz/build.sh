#!/bin/bash -eu
# OSS-Fuzz calls this in its image; it builds anywhere that has cargo-fuzz and a nightly Rust (make fuzz installs the former):
#
#     SRC=.. OUT=/tmp/fuzzers packaging/oss-fuzz/build.sh
cd "$SRC/libnanomsg-rs" 2> /dev/null || cd "$(dirname "$0")/../.."
repository=$PWD
mkdir -p "$OUT"
cd fuzz
# OSS-Fuzz chooses the toolchain.
if [[ -z ${FUZZING_LANGUAGE:-} ]]; then toolchain=+nightly; fi
cargo ${toolchain:-} fuzz build -O ${ONLY:-}
for source in fuzz_targets/${ONLY:-*}.rs; do
    target=$(basename "$source" .rs)
    cp "target/$(rustc -vV | sed -n 's/^host: //p')/release/$target" "$OUT/"
    if test -d "seeds/$target"; then (cd "seeds/$target" && python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" ./*); fi
    dictionary=$repository/fuzz/dictionaries/$target.dict
    if test -f "$dictionary"; then cp "$dictionary" "$OUT/"; fi
done
