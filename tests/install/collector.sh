#!/usr/bin/env bash
# Builds the OpenTelemetry Collector, with the parts that the suites use, into the cache and prints the path of the program.
# The builder only writes the sources: its own `go mod tidy` also asks for the tests' dependencies of dependencies, some of
# which the module proxy lacks.
set -euo pipefail
: "${COLLECTOR_VERSION:?}" "${COLLECTOR_PROVIDERS_VERSION:?}" "${OUTRIGGER_CACHE:?}"
program="$OUTRIGGER_CACHE/collector-$COLLECTOR_VERSION-$(sha256sum <"$0" | cut -c 1-16)/otelcol"
if [ ! -x "$program" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  export GOTOOLCHAIN=local CGO_ENABLED=0
  GOBIN="$work" go install -ldflags "-s -w" "go.opentelemetry.io/collector/cmd/builder@v$COLLECTOR_VERSION" >&2
  core=go.opentelemetry.io/collector contrib=github.com/open-telemetry/opentelemetry-collector-contrib
  cat >"$work/manifest.yaml" <<MANIFEST
dist: {name: otelcol, description: for the suites, output_path: $work/source}
receivers: [{gomod: $core/receiver/otlpreceiver v$COLLECTOR_VERSION}]
processors: [{gomod: $core/processor/batchprocessor v$COLLECTOR_VERSION}]
exporters:
  - {gomod: $core/exporter/otlpexporter v$COLLECTOR_VERSION}
  - {gomod: $contrib/exporter/fileexporter v$COLLECTOR_VERSION}
  - {gomod: $contrib/exporter/prometheusexporter v$COLLECTOR_VERSION}
providers: # env is the default and must be there
  - {gomod: $core/confmap/provider/envprovider v$COLLECTOR_PROVIDERS_VERSION}
  - {gomod: $core/confmap/provider/fileprovider v$COLLECTOR_PROVIDERS_VERSION}
MANIFEST
  "$work/builder" --config "$work/manifest.yaml" --skip-get-modules --skip-compilation >&2
  (cd "$work/source" && go build -mod=mod -ldflags "-s -w" -o "$work/otelcol" . >&2)
  mkdir -p "${program%/*}"
  mv "$work/otelcol" "$program"
fi
echo "$program"
