#!/usr/bin/env bash
# Installs Debian's tools for network namespaces and packet filters, and prints where they are.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"
# Where one of several is there, `command -v` is content.
if ! type -P nft iptables-nft ip ss conntrack curl setpriv setcap >/dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    nftables iptables iproute2 conntrack curl util-linux libcap2-bin; } >&2
fi
nft=$(command -v nft)
dirname "$nft"
