#!/usr/bin/env bash
# Compiles what holds a pod's namespaces, as an image, into the cache and prints its archive.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
cd "$(dirname "$0")/../tools/node"
folder="$OUTRIGGER_CACHE/pause-$(cat pause.c image ../../../deploy/oci.py | sha256sum | cut -c 1-16)"
if [ ! -e "$folder/pause.tar" ]; then
  mkdir -p "$folder/root"
  cc -Os -static -s -o "$folder/root/pause" pause.c
  ./image "$folder/root" localhost/pause:1 "$folder/pause.tar" /pause
fi
echo "$folder/pause.tar"
