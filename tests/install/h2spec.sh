#!/usr/bin/env bash
# Builds h2spec from its Go module into the cache and prints the path of the program. Pinned in tools/h2spec/go.mod.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
cd "$(dirname "$0")/../tools/h2spec"
program="$OUTRIGGER_CACHE/h2spec-$(cat go.mod go.sum | sha256sum | cut -c 1-16)/h2spec"
if [ ! -x "$program" ]; then
  GOTOOLCHAIN=local CGO_ENABLED=0 go build -ldflags "-s -w" -o "$program" github.com/summerwind/h2spec/cmd/h2spec
fi
echo "$program"
