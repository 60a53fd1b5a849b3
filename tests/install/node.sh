#!/usr/bin/env bash
# Installs Node, Deno, Bun and the official SDKs from npm into the cache and prints the folder.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
packages=(
  "node@${NODE_VERSION:?}" "deno@${DENO_VERSION:?}" "bun@${BUN_VERSION:?}" "openai@${OPENAI_NODE_VERSION:?}"
  "@anthropic-ai/sdk@${ANTHROPIC_NODE_VERSION:?}" "@google/genai@${GENAI_NODE_VERSION:?}" "@grpc/grpc-js@${GRPC_NODE_VERSION:?}"
)
folder="$OUTRIGGER_CACHE/node-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c 1-16)"
if [ ! -e "$folder/.complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  cd "$folder"
  npm init -y >/dev/null
  npm install --silent --no-audit --no-fund "${packages[@]}" >/dev/null
  for program in node deno bun; do "node_modules/.bin/$program" --version >/dev/null; done
  touch .complete
fi
echo "$folder"
