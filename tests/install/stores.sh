#!/usr/bin/env bash
# Makes an image whose own stores hold a company's authorities, as its Dockerfile would have put them there: Debian's bundle and hashed
# directory, Java's cacerts, and the variables that Node and requests look at. In it are Python, Node and Java with the official OpenAI SDKs.
# Prints a folder: stores.tar is the image, localhost/stores:1; NAME.crt the authorities, NAME.works.crt and .key what one of them vouches for.
set -euo pipefail
: "${OUTRIGGER_CACHE:?}" "${REQUESTS_VERSION:?}" "${HTTPX_VERSION:?}" "${PYTHON_DEBIAN:?}"
here=$(dirname "$(realpath "$0")")
tools=$here/../tools/node clients=$here/../clients
app=$("$here/apps.sh") python=$("$here/python.sh") node=$("$here/node.sh") java=$("$here/java.sh")
jars=${java#*:}
folder="$OUTRIGGER_CACHE/stores-$({ echo "$app $node $java $REQUESTS_VERSION $HTTPX_VERSION"; cat "$here/stores.sh" "$tools/image" "$clients/java/Stored.java"; } |
  sha256sum | cut -c 1-16)"
if [ ! -e "$folder/stores.tar" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/root"
  cd "$folder"
  for name in company partner; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$name authority" -keyout "$name.key" -out "$name.crt" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$name.works.key" -out request 2>/dev/null
    openssl x509 -req -in request -CA "$name.crt" -CAkey "$name.key" -days 3650 -extfile <(echo "subjectAltName=DNS:$name.works.svc") -out "$name.works.crt" 2>/dev/null
  done
  # The app's image, with more in it.
  blob() { tar -xOf "$app" "blobs/sha256/$1"; }
  digest() { python3 -c "import json, sys; print(json.load(sys.stdin)$1['digest'].partition(':')[2])"; }
  manifest=$(tar -xOf "$app" index.json | digest "['manifests'][0]")
  layer=$(blob "$manifest" | digest "['layers'][0]")
  blob "$layer" | tar --extract --gzip --directory root
  "$python" -m pip install --quiet --disable-pip-version-check --no-compile --only-binary=:all: --python-version "$PYTHON_DEBIAN" \
    --target root/usr/lib/python3/dist-packages --upgrade "requests==$REQUESTS_VERSION" "httpx==$HTTPX_VERSION" >&2
  mkdir -p root/usr/{local/share/ca-certificates,lib/ssl} root/opt/clients
  ln -sfn /etc/ssl/certs root/usr/lib/ssl/certs
  ln -sf busybox root/usr/bin/env
  mkdir root/opt/clients/node_modules && cp -a "$node/node_modules/openai" root/opt/clients/node_modules/
  cp "$(realpath "$node/node_modules/.bin/node")" root/usr/bin/node
  cp "$(ldconfig -p | awk '/libstdc\+\+\.so\.6.*x86-64/ { print $NF; exit }')" root/usr/lib/x86_64-linux-gnu/
  jlink --add-modules java.base,java.logging,java.management,java.naming,java.net.http,java.sql,java.xml,java.desktop,jdk.crypto.ec,jdk.unsupported \
    --strip-java-debug-attributes --no-man-pages --no-header-files --output root/opt/java >&2
  mkdir root/opt/clients/jars
  for jar in $jars; do case $jar in *anthropic*) ;; *) cp "$jar" root/opt/clients/jars/ ;; esac; done
  javac -d root/opt/clients -cp "root/opt/clients/jars/*" "$clients/java/Stored.java"
  for name in company partner; do
    cp "$name.crt" root/usr/local/share/ca-certificates/
    cat "$name.crt" >>root/etc/ssl/certs/ca-certificates.crt
    ln -s "/usr/local/share/ca-certificates/$name.crt" "root/etc/ssl/certs/$(openssl x509 -subject_hash -noout -in "$name.crt").0"
    keytool -importcert -noprompt -alias "$name" -file "$name.crt" -keystore root/opt/java/lib/security/cacerts -storepass changeit >&2
  done
  root/opt/java/bin/java -Xshare:dump >&2
  "$tools/image" root localhost/stores:1 stores.tar NODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/partner.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
  rm -rf root request
fi
echo "$folder"
