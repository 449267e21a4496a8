#!/bin/sh
# Makes an authority and, by it, a certificate for each container of docker-compose.yml, in the folder `certificates`
# beside this or in the one that is named:  deploy/compose/new-certificates.sh
#
# Nobody keeps the authority's key: it vouches for these and never for another. Before they end, all are made anew.
set -eu

folder=${1:-$(dirname "$0")/certificates}
days=825

if [ -e "$folder" ]; then
  echo "$folder is there already. To make all of them anew: rm -r $folder" >&2
  exit 1
fi

# Nobody else on this machine gets into the folder. The files in it are readable, for a container has its own alone, and
# runs as another user than the one who made them.
umask 077
making=$folder.unfinished
rm -rf "$making"
mkdir -p "$making"
trap 'rm -rf "$making"' EXIT
trap 'exit 1' HUP INT TERM

quietly() {
  "$@" 2> "$making/said" || { cat "$making/said" >&2; exit 1; }
}

# As PKCS 8, for Kafka reads no other.
new_key() {
  quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve \
    -out "$making/key"
}

# What openssl is asked with, for this name. Written out, as not every openssl reads the environment.
describe() {
  cat > "$making/cnf" <<CNF
[req]
distinguished_name = name
prompt = no
[name]
CN = $1
[authority]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:$1, DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CNF
}

new_key
mv "$making/key" "$making/ca.key"
describe "Assent in Compose"
quietly openssl req -new -x509 -sha256 -days "$days" -set_serial "0x$(openssl rand -hex 16)" \
  -config "$making/cnf" -extensions authority -key "$making/ca.key" -out "$making/ca.pem"

for name in postgres kafka catalog-api workflow sagemaker-connector prometheus grafana; do
  new_key
  describe "$name"
  quietly openssl req -new -sha256 -config "$making/cnf" -key "$making/key" -out "$making/csr"
  quietly openssl x509 -req -sha256 -days "$days" -set_serial "0x$(openssl rand -hex 16)" \
    -extfile "$making/cnf" -extensions server -CA "$making/ca.pem" -CAkey "$making/ca.key" \
    -in "$making/csr" -out "$making/crt"
  cat "$making/key" "$making/crt" > "$making/$name.pem"
done

(cd "$making" && rm -f ca.key cnf key csr crt said)
chmod 644 "$making"/*.pem
mv "$making" "$folder"
echo "$folder: good until $(openssl x509 -noout -enddate -in "$folder/ca.pem" | cut -d = -f 2)"
