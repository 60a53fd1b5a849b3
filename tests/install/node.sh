#!/usr/bin/env bash
# Installs Node and the official SDKs from npm into the cache and prints the folder.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${NODE_VERSION:?}" "${OPENAI_NODE_VERSION:?}" "${ANTHROPIC_NODE_VERSION:?}"
folder="$OUTRIGGER_CACHE/node-$NODE_VERSION-openai-$OPENAI_NODE_VERSION-anthropic-$ANTHROPIC_NODE_VERSION"
if [ ! -e "$folder/.complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  cd "$folder"
  npm init -y >/dev/null
  npm install --silent --no-audit --no-fund \
    "node@$NODE_VERSION" "openai@$OPENAI_NODE_VERSION" "@anthropic-ai/sdk@$ANTHROPIC_NODE_VERSION" >/dev/null
  node_modules/.bin/node --version >/dev/null
  touch .complete
fi
echo "$folder"
