#!/usr/bin/env bash
# Installs Debian's Prometheus, Alertmanager, promtool and amtool, without starting any service, and prints where they are.
set -euo pipefail
: "${PROMETHEUS_VERSION:?}" "${ALERTMANAGER_VERSION:?}"
if ! type -P prometheus promtool prometheus-alertmanager amtool >/dev/null; then
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    prometheus prometheus-alertmanager; } >&2
fi
version() { # program name
  "$1" --version 2>&1 | sed -n "s/^$2, version \([0-9.]*\).*/\1/p"
}
found="$(version prometheus prometheus) and $(version prometheus-alertmanager alertmanager)"
if [ "$found" != "$PROMETHEUS_VERSION and $ALERTMANAGER_VERSION" ]; then
  echo "here are Prometheus and Alertmanager $found: try the suite with them and put them into tests/versions.env" >&2
  exit 1
fi
prometheus=$(command -v prometheus)
dirname "$prometheus"
