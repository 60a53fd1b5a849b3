#!/usr/bin/env bash
# Makes a Python environment with the official SDKs and other HTTP clients in the cache and prints its interpreter.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
packages=(
  "openai==${OPENAI_PYTHON_VERSION:?}" "anthropic==${ANTHROPIC_PYTHON_VERSION:?}" "google-genai[aiohttp]==${GENAI_PYTHON_VERSION:?}"
  "aiohttp==${AIOHTTP_VERSION:?}" "boto3==${BOTO3_VERSION:?}" "grpcio==${GRPCIO_VERSION:?}" "httpx==${HTTPX_VERSION:?}"
  "requests==${REQUESTS_VERSION:?}" "mistralai==${MISTRAL_PYTHON_VERSION:?}" "groq==${GROQ_PYTHON_VERSION:?}"
  "opentelemetry-sdk==${OTEL_PYTHON_VERSION:?}" "opentelemetry-exporter-otlp-proto-http==${OTEL_PYTHON_VERSION:?}"
  "cohere==${COHERE_PYTHON_VERSION:?}" "ollama==${OLLAMA_PYTHON_VERSION:?}"
)
folder="$OUTRIGGER_CACHE/python-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c 1-16)"
if [ ! -e "$folder/.complete" ]; then
  # Debian's Python comes without what makes environments.
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv; } >&2
  fi
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  touch "$folder/.complete"
fi
echo "$folder/bin/python"
