#!/usr/bin/env bash
# Builds Helm 3 and Helm 4 from their Go modules into the cache and prints the folder of `helm3` and `helm4`. Pinned in
# tools/helm/go.mod.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
here=$(sha256sum <"$0")
cd "$(dirname "$0")/../tools/helm"
folder="$OUTRIGGER_CACHE/helm-$(cat go.mod go.sum - <<<"$here" | sha256sum | cut -c 1-16)"
if [ ! -x "$folder/helm4" ]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  export GOTOOLCHAIN=local CGO_ENABLED=0 GOCACHE="$work/build" GOMODCACHE="$work/modules"
  # Helm 3 takes a cluster that it does not ask for 1.20 unless it is told; Helm 4 finds out by itself.
  minor=$(go list -m -f '{{.Version}}' k8s.io/client-go | cut -d . -f 2)
  for major in 3 4; do
    module=helm.sh/helm/v$major flags="-s -w"
    flags+=" -X $module/internal/version.version=$(go list -m -f '{{.Version}}' "$module")"
    for package in pkg/chartutil pkg/lint/rules; do
      flags+=" -X $module/$package.k8sVersionMajor=1 -X $module/$package.k8sVersionMinor=$minor"
    done
    go build -ldflags "$flags" -o "$work/programs/helm$major" "$module/cmd/helm" >&2
  done
  rm -rf "$folder"
  mv "$work/programs" "$folder"
fi
echo "$folder"
