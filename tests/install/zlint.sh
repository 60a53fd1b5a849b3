#!/usr/bin/env bash
# Builds zlint from its Go module into the cache and prints the path of the program.
set -euo pipefail
: "${ZLINT_VERSION:?}" "${OUTRIGGER_CACHE:?}"
folder="$OUTRIGGER_CACHE/zlint-$ZLINT_VERSION"
if [ ! -x "$folder/zlint" ]; then
  GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0 GOBIN="$folder.new" go install "github.com/zmap/zlint/v3/cmd/zlint@v$ZLINT_VERSION" >&2
  mv "$folder.new" "$folder"
fi
echo "$folder/zlint"
