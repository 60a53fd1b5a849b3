#!/usr/bin/env bash
# Makes a Python environment with the official SDKs in the cache and prints its interpreter.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${OPENAI_PYTHON_VERSION:?}" "${ANTHROPIC_PYTHON_VERSION:?}"
folder="$OUTRIGGER_CACHE/python-openai-$OPENAI_PYTHON_VERSION-anthropic-$ANTHROPIC_PYTHON_VERSION"
if [ ! -e "$folder/.complete" ]; then
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check \
    "openai==$OPENAI_PYTHON_VERSION" "anthropic==$ANTHROPIC_PYTHON_VERSION"
  touch "$folder/.complete"
fi
echo "$folder/bin/python"
