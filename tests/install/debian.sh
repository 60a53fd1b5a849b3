#!/usr/bin/env bash
# Installs the clients that come from Debian's packages and prints where they are.
set -euo pipefail
if [ ! -x /usr/bin/ruby ] || [ ! -x /usr/bin/php ] || [ ! -x /usr/bin/git ] || [ ! -x /usr/bin/curl ] ||
  [ ! -x /usr/bin/openssl ] || ! /usr/bin/php -m | grep -qx curl; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    ca-certificates curl git openssl php-cli php-curl ruby; } >&2
fi
echo /usr/bin
