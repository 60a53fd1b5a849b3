#!/usr/bin/env bash
# Builds Kubernetes' own programs from its Go module into the cache and prints their folder. Pinned in tools/kubernetes/go.mod.
# What the compiler keeps meanwhile is more than the machine would like to keep: it goes with the build.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}"
here=$(sha256sum <"$0")
cd "$(dirname "$0")/../tools/kubernetes"
folder="$OUTRIGGER_CACHE/kubernetes-$(cat go.mod go.sum - <<<"$here" | sha256sum | cut -c 1-16)"
if [ ! -x "$folder/kubelet" ]; then
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  export GOTOOLCHAIN=local CGO_ENABLED=0 GOCACHE="$work/build" GOMODCACHE="$work/modules"
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=${version#v*.} about=k8s.io/component-base/version
  # Without its version a program calls itself 0.0.0, which charts and the skew between programs are judged by.
  go build -ldflags "-s -w -X $about.gitVersion=$version -X $about.gitMajor=1 -X $about.gitMinor=${minor%%.*} -X $about.gitTreeState=clean" \
    -o "$work/programs/" k8s.io/kubernetes/cmd/kube-{apiserver,controller-manager,scheduler,proxy} k8s.io/kubernetes/cmd/{kubectl,kubelet} >&2
  rm -rf "$folder"
  mv "$work/programs" "$folder"
fi
echo "$folder"
