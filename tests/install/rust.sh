#!/usr/bin/env bash
# Builds the Rust clients into the cache and prints the path of the program.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
cd "$(dirname "$0")/../clients/rust"
program="$OUTRIGGER_CACHE/rust-clients-$(cat src/*.rs Cargo.toml Cargo.lock | sha256sum | cut -c 1-16)/trust"
if [ ! -x "$program" ]; then
  CARGO_TARGET_DIR="$OUTRIGGER_CACHE/rust-clients-build" cargo build --quiet --locked
  mkdir -p "${program%/*}"
  cp "$OUTRIGGER_CACHE/rust-clients-build/debug/outrigger-test-clients" "$program.new"
  rm -rf "$OUTRIGGER_CACHE/rust-clients-build"
  mv "$program.new" "$program"
fi
echo "$program"
