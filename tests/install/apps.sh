#!/usr/bin/env bash
# Makes the image that the suite's apps run in: Debian's Python, its authorities, busybox and the official OpenAI SDK. Prints its
# archive; its name is localhost/app:1. Packages are unpacked, not installed: no script of theirs runs.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${OPENAI_PYTHON_VERSION:?}" "${PYTHON_DEBIAN:?}" "${BUSYBOX_DEBIAN:?}"
tools=$(cd "$(dirname "$0")/../tools/node" && pwd)
here=$(realpath "$0")
packages=(
  "python$PYTHON_DEBIAN" "python$PYTHON_DEBIAN-minimal" "libpython$PYTHON_DEBIAN-minimal" "libpython$PYTHON_DEBIAN-stdlib"
  libc6 libgcc-s1 libssl3 zlib1g libexpat1 libffi8 libuuid1 liblzma5 libbz2-1.0 libcrypt1 ca-certificates "busybox-static=$BUSYBOX_DEBIAN"
)
folder="$OUTRIGGER_CACHE/app-$({ printf '%s\n' "${packages[@]}" "$OPENAI_PYTHON_VERSION"; cat "$here" "$tools/image" "$tools/../../../deploy/oci.py"; } |
  sha256sum | cut -c 1-16)"
if [ ! -e "$folder/app.tar" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/packages" "$folder/root"/{usr/{bin,sbin,lib,lib64},etc/ssl/certs,tmp,srv}
  for link in bin sbin lib lib64; do ln -s "usr/$link" "$folder/root/$link"; done
  cd "$folder/packages"
  # apt's own user may not write here.
  apt=(apt-get -q -o APT::Sandbox::User=root)
  { "${apt[@]}" download "${packages[@]}" || { "${apt[@]}" update && "${apt[@]}" download "${packages[@]}"; }; } >&2
  cd "$folder/root"
  for package in ../packages/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink; done
  # Debian's Python comes without what makes environments.
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv; } >&2
  fi
  python3 -m venv ../venv
  ../venv/bin/pip install --quiet --disable-pip-version-check --no-compile --only-binary=:all: --python-version "$PYTHON_DEBIAN" \
    --target "usr/lib/python3/dist-packages" "openai==$OPENAI_PYTHON_VERSION" >&2
  rm -rf usr/share/{doc,man,locale,lintian,python3} usr/lib/python3/dist-packages/bin
  cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
  ln -s "python$PYTHON_DEBIAN" usr/bin/python3
  for applet in sh cat nc sleep kill ps ls wget; do ln -sf busybox "usr/bin/$applet"; done
  printf 'app:x:1000:1000::/tmp:/bin/sh\nroot:x:0:0::/tmp:/bin/sh\n' >etc/passwd
  printf 'hosts: files dns\n' >etc/nsswitch.conf
  chmod 1777 tmp
  # Read-only and with times that an archive does not keep, it would be compiled again at every start.
  chroot . /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash usr/lib/python3 usr/lib/python"$PYTHON_DEBIAN" >&2 || true
  "$tools/image" . localhost/app:1 "$folder/app.tar" /bin/sh
  cd "$folder"
  rm -rf packages venv root
fi
echo "$folder/app.tar"
