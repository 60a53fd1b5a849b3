#!/usr/bin/env bash
# Builds cargo-deny into the cache and prints the path of the program.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${CARGO_DENY_VERSION:?}"
folder="$OUTRIGGER_CACHE/cargo-deny-$CARGO_DENY_VERSION"
if [ ! -x "$folder/bin/cargo-deny" ]; then
  CARGO_TARGET_DIR="$OUTRIGGER_CACHE/cargo-deny-build" cargo install --quiet --locked --root "$folder" "cargo-deny@$CARGO_DENY_VERSION"
  rm -rf "$OUTRIGGER_CACHE/cargo-deny-build"
fi
echo "$folder/bin/cargo-deny"
