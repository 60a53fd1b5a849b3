#!/usr/bin/env bash
# Builds vidaimock, other people's fake providers, into the cache and prints the path of the program.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${VIDAIMOCK_VERSION:?}"
folder="$OUTRIGGER_CACHE/vidaimock-$VIDAIMOCK_VERSION"
if [ ! -x "$folder/bin/vidaimock" ]; then
  # Nothing is measured with it, and optimising takes far longer.
  CARGO_TARGET_DIR="$OUTRIGGER_CACHE/vidaimock-build" cargo install --quiet --locked --debug --root "$folder" "vidaimock@$VIDAIMOCK_VERSION"
  rm -rf "$OUTRIGGER_CACHE/vidaimock-build"
fi
echo "$folder/bin/vidaimock"
