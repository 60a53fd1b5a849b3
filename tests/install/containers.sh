#!/usr/bin/env bash
# Unpacks Debian's containerd, runc, etcd, network plugins and busybox into the cache, without installing them or starting a
# service, and prints the folder. Programs lie in its bin, network plugins in cni.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${CONTAINERD_DEBIAN:?}" "${RUNC_DEBIAN:?}" "${ETCD_DEBIAN:?}" "${CNI_DEBIAN:?}" "${BUSYBOX_DEBIAN:?}"
packages=(
  "containerd=$CONTAINERD_DEBIAN" "runc=$RUNC_DEBIAN" "etcd-server=$ETCD_DEBIAN" "containernetworking-plugins=$CNI_DEBIAN"
  "busybox-static=$BUSYBOX_DEBIAN"
)
# runc is linked with it; libc is the other one, and everywhere.
if ! ldconfig -p | grep -q libseccomp.so.2; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends libseccomp2; } >&2
fi
folder="$OUTRIGGER_CACHE/containers-$({ printf '%s\n' "${packages[@]}"; cat "$0"; } | sha256sum | cut -c 1-16)"
if [ ! -e "$folder/.complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/packages" "$folder/root" "$folder/bin"
  cd "$folder/packages"
  # apt's own user may not write here.
  apt=(apt-get -q -o APT::Sandbox::User=root)
  { "${apt[@]}" download "${packages[@]}" || { "${apt[@]}" update && "${apt[@]}" download "${packages[@]}"; }; } >&2
  for package in *.deb; do dpkg-deb -x "$package" "$folder/root"; done
  cd "$folder"
  mv root/usr/lib/cni cni
  for program in usr/bin/{containerd,containerd-shim-runc-v2,ctr,etcd} usr/sbin/runc bin/busybox; do mv "root/$program" bin/; done
  rm -r packages root
  touch .complete
fi
echo "$folder"
