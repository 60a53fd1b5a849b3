#!/usr/bin/env bash
# Builds Jaeger all-in-one from its Go module into the cache and prints the path of the program.
# A wrapper module would need checksum records that some dependencies lack, so it is built inside a copy of its own module.
set -euo pipefail
: "${JAEGER_VERSION:?}" "${OUTRIGGER_CACHE:?}"
program="$OUTRIGGER_CACHE/jaeger-$JAEGER_VERSION/jaeger"
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  export GOTOOLCHAIN=local CGO_ENABLED=0
  source=$(cd "$work" && go mod download -json "github.com/jaegertracing/jaeger@v$JAEGER_VERSION" | sed -n 's/.*"Dir": "\(.*\)",*$/\1/p')
  cp -r "$source" "$work/jaeger"
  chmod -R u+w "$work/jaeger"
  (cd "$work/jaeger" && go build -ldflags "-s -w" -o "$work/program" ./cmd/all-in-one)
  mkdir -p "${program%/*}"
  mv "$work/program" "$program"
fi
echo "$program"
