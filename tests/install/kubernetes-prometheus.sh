#!/usr/bin/env bash
# Builds Prometheus from its Go module into the cache, with a way to find pods and no other service discovery, and prints the path of the
# program: Debian's, which the suite telemetry runs, finds no pods.
# A wrapper module would need checksum records that some dependencies lack, so it is built inside a copy of its own module.
set -euo pipefail
: "${PROMETHEUS_MODULE_VERSION:?}" "${OUTRIGGER_CACHE:?}"
program="$OUTRIGGER_CACHE/prometheus-$PROMETHEUS_MODULE_VERSION/prometheus"
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  export GOTOOLCHAIN=local CGO_ENABLED=0 GOWORK=off
  source=$(cd "$work" && go mod download -json "github.com/prometheus/prometheus@v$PROMETHEUS_MODULE_VERSION" | sed -n 's/.*"Dir": "\(.*\)",*$/\1/p')
  cp -r "$source" "$work/prometheus"
  chmod -R u+w "$work/prometheus"
  about=github.com/prometheus/common/version
  (cd "$work/prometheus" && go build -trimpath -tags remove_all_sd,enable_kubernetes_sd -ldflags "-s -w -X $about.Version=$(cat VERSION)" -o "$work/program" ./cmd/prometheus)
  mkdir -p "${program%/*}"
  mv "$work/program" "$program"
fi
echo "$program"
