#!/usr/bin/env bash
# Installs Debian's testssl.sh and slowhttptest and prints where they are.
set -euo pipefail
if ! command -v testssl slowhttptest >/dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    testssl.sh slowhttptest; } >&2
fi
dirname "$(command -v testssl)"
