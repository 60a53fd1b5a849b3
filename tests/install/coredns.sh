#!/usr/bin/env bash
# Builds CoreDNS with a few plugins from its Go module into the cache and prints the path of the program. Pinned in
# tools/coredns/go.mod.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
cd "$(dirname "$0")/../tools/coredns"
program="$OUTRIGGER_CACHE/coredns-$(cat main.go go.mod go.sum | sha256sum | cut -c 1-16)/coredns"
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  GOCACHE="$work/build" GOMODCACHE="$work/modules" GOTOOLCHAIN=local CGO_ENABLED=0 go build -ldflags "-s -w" -o "$program" . >&2
fi
echo "$program"
