#!/usr/bin/env bash
# Makes archives of images under the public names that the quickstart's manifests have, since the test's node pulls nothing, and prints
# their folder. Jaeger and Prometheus are those versions, built from their sources. Python is the suite's own (Debian's, another version), with a pip that
# installs the SDK from wheels that lie in the image.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${OPENAI_PYTHON_VERSION:?}" "${PYTHON_DEBIAN:?}"
tests=$(cd "$(dirname "$0")/.." && pwd)
here=$(realpath "$0")
name() { # repository
  grep -hoE "docker.io/$1:[^ ]+" "$tests"/../deploy/quickstart/*.yaml | sort -u
}
python=$(name library/python) jaeger=$(name jaegertracing/all-in-one) prometheus=$(name prom/prometheus)
apps=$("$tests/install/apps.sh")
folder="$OUTRIGGER_CACHE/quickstart-$({ echo "$python $jaeger $prometheus $apps $PROMETHEUS_MODULE_VERSION $JAEGER_VERSION $OPENAI_PYTHON_VERSION"; cat "$here"; } |
  sha256sum | cut -c 1-16)"
if [ ! -e "$folder/.complete" ]; then
  program=$("$tests/install/kubernetes-prometheus.sh")
  if [ "${prometheus##*:}" != "v$("$program" --version 2>&1 | sed -n 's/^prometheus, version \([0-9.]*\).*/\1/p')" ]; then
    echo "the quickstart has $prometheus, and tests/versions.env another version" >&2
    exit 1
  fi
  if [ "${jaeger##*:}" != "$JAEGER_VERSION" ]; then
    echo "the quickstart has $jaeger, and tests/versions.env $JAEGER_VERSION" >&2
    exit 1
  fi
  rm -rf "$folder"
  mkdir -p "$folder"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/jaeger/go/bin" "$work/prometheus/bin" "$work/python"
  install -m 755 "$("$tests/install/jaeger.sh")" "$work/jaeger/go/bin/all-in-one"
  install -m 755 "$program" "$work/prometheus/bin/prometheus"
  "$tests/tools/node/image" "$work/jaeger" "$jaeger" "$folder/jaeger.tar" /go/bin/all-in-one
  "$tests/tools/node/image" "$work/prometheus" "$prometheus" "$folder/prometheus.tar" /bin/prometheus

  tar -C "$work" -xf "$apps" blobs
  for blob in "$work"/blobs/sha256/*; do
    if gzip -t "$blob" 2>/dev/null; then tar -C "$work/python" -xzf "$blob"; fi
  done
  host=$("$tests/install/python.sh")
  packages="$work/python/usr/lib/python3/dist-packages"
  rm -rf "$packages"
  mkdir -p "$packages"
  cp -r "$("$host" -c 'import pip, os; print(os.path.dirname(pip.__file__))')" "$packages/pip"
  find "$packages" -name __pycache__ -prune -exec rm -rf {} +
  "$host" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version "$PYTHON_DEBIAN" \
    --dest "$work/python/wheels" "openai==$OPENAI_PYTHON_VERSION" >&2
  printf '[global]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\n' >"$work/python/etc/pip.conf"
  # The image has no /tmp; every container has this one.
  cat >"$work/python/usr/bin/pip" <<'PIP'
#!/usr/bin/python3
import os
import sys

from pip._internal.cli.main import main

os.environ["TMPDIR"] = "/dev/shm"
sys.exit(main())
PIP
  chmod 755 "$work/python/usr/bin/pip"
  "$tests/tools/node/image" "$work/python" "$python" "$folder/python.tar" /bin/sh
  touch "$folder/.complete"
fi
echo "$folder"
