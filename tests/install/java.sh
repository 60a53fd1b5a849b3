#!/usr/bin/env bash
# Compiles the Java clients against the official SDKs' jars in the cache and prints the class path.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${OPENAI_JAVA_VERSION:?}" "${ANTHROPIC_JAVA_VERSION:?}" "${MAVEN_DEPENDENCY_PLUGIN_VERSION:?}"
if ! type -P javac mvn >/dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    default-jdk-headless maven; } >&2
fi
cd "$(dirname "$0")/../clients/java"
sum=$(cat Trust.java pom.xml | sha256sum | cut -c 1-16)
folder="$OUTRIGGER_CACHE/java-clients-$OPENAI_JAVA_VERSION-$ANTHROPIC_JAVA_VERSION-$sum"
if [ ! -e "$folder/.complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/classes"
  mvn --quiet --batch-mode -Dmaven.repo.local="$OUTRIGGER_CACHE/maven" \
    "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN_VERSION:copy-dependencies" \
    -DoutputDirectory="$folder/jars" >&2
  javac -d "$folder/classes" -cp "$folder/jars/*" Trust.java
  touch "$folder/.complete"
fi
echo "$folder/classes:$folder/jars/*"
