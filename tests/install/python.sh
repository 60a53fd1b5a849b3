#!/usr/bin/env bash
# Makes a Python environment with the official SDKs in the cache and prints its interpreter.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${OPENAI_PYTHON_VERSION:?}" "${ANTHROPIC_PYTHON_VERSION:?}"
folder="$OUTRIGGER_CACHE/python-openai-$OPENAI_PYTHON_VERSION-anthropic-$ANTHROPIC_PYTHON_VERSION"
if [ ! -e "$folder/.complete" ]; then
  # Debian's Python comes without what makes environments.
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv; } >&2
  fi
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check \
    "openai==$OPENAI_PYTHON_VERSION" "anthropic==$ANTHROPIC_PYTHON_VERSION"
  touch "$folder/.complete"
fi
echo "$folder/bin/python"
