#!/usr/bin/env bash
# Takes the definitions of foreign kinds that the chart can render (the Prometheus operator's, cert-manager's) out of those projects' Go modules
# into the cache, and prints their folder.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${PROMETHEUS_OPERATOR_VERSION:?}" "${CERT_MANAGER_VERSION:?}"
folder="$OUTRIGGER_CACHE/definitions-$(sha256sum <<<"$PROMETHEUS_OPERATOR_VERSION $CERT_MANAGER_VERSION $(cat "$0")" | cut -c 1-16)"
if [ ! -e "$folder/.complete" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  export GOTOOLCHAIN=local
  module() { # module@version
    (cd "$work" && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)",*$/\1/p')
  }
  rm -rf "$folder"
  mkdir -p "$folder"
  operator=$(module "github.com/prometheus-operator/prometheus-operator@v$PROMETHEUS_OPERATOR_VERSION")
  manager=$(module "github.com/cert-manager/cert-manager@v$CERT_MANAGER_VERSION")
  install -m 644 "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,servicemonitors,prometheusrules}.yaml \
    "$manager"/deploy/crds/cert-manager.io_{certificates,issuers,clusterissuers}.yaml "$folder/"
  touch "$folder/.complete"
fi
echo "$folder"
