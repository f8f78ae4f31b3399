#!/bin/sh
# Makes the certificates that tests of TLS need, in the folder given: two authorities (ca, other-ca), and certificates with their
# keys: server and client, signed by ca for localhost, 127.0.0.1 and ::1; expired, future (not yet valid) and elsewhere (for
# another name), likewise; untrusted, signed by other-ca; self (signed by itself). both.pem is the server's certificate and key in
# one file. Keys are SEC1; server.pkcs8.key is the server's as PKCS#8, and rsa.key, of another server, is PKCS#1.
set -eu
cd "$1"
exec 2>pki.log
trap 'cat pki.log' HUP INT TERM

ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

authority() {
    ec "$1.key"
    openssl req -x509 -new -key "$1.key" -out "$1.pem" -days 3650 -subj "/O=nanomsg tests/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# name, authority, alternative names, first and last day
leaf() {
    [ -f "$1.key" ] || ec "$1.key"
    openssl req -new -key "$1.key" -out "$1.csr" -subj "/O=nanomsg tests/CN=$1"
    printf 'basicConstraints=CA:FALSE\nsubjectAltName=%s\n' "$3" >"$1.ext"
    : >index.txt
    rm -f index.txt.attr serial
    openssl ca -batch -notext -config ca.cnf -create_serial -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
        -startdate "$4" -enddate "$5" -extfile "$1.ext"
}

cat >ca.cnf <<'CONFIG'
[ca]
default_ca = tests
[tests]
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = any
rand_serial = yes
[any]
organizationName = optional
commonName = supplied
CONFIG

authority ca
authority other-ca
here=DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1
leaf server ca "$here" 20200101000000Z 20491231235959Z
leaf client ca "$here" 20200101000000Z 20491231235959Z
leaf expired ca "$here" 20200101000000Z 20210101000000Z
leaf future ca "$here" 20480101000000Z 20491231235959Z
leaf elsewhere ca DNS:elsewhere.example 20200101000000Z 20491231235959Z
leaf untrusted other-ca "$here" 20200101000000Z 20491231235959Z
cat server.pem server.key >both.pem
openssl pkcs8 -topk8 -nocrypt -in server.key -out server.pkcs8.key
openssl genrsa -traditional -out rsa.key 2048
leaf rsa ca "$here" 20200101000000Z 20491231235959Z
openssl req -x509 -new -key server.key -out self.pem -days 3650 -subj "/O=nanomsg tests/CN=self" -addext "subjectAltName=$here"
cp server.key self.key
