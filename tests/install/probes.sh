#!/usr/bin/env bash
# Installs Debian's testssl.sh and slowhttptest and prints where they are.
set -euo pipefail
if ! type -P testssl slowhttptest >/dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    testssl.sh slowhttptest; } >&2
fi
testssl=$(command -v testssl)
dirname "$testssl"
