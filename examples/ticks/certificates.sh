#!/bin/sh
# Makes certificates for a network: an authority, and one for each NAME that it signs. NAME.pem has the key as well.
#
#     certificates.sh FOLDER NAME...
#
# HOSTS are what peers dial them by: DNS names and IP addresses, as OpenSSL writes them. Needs OpenSSL 3.
set -eu
cd "$1"
shift
hosts=${HOSTS:-DNS:localhost,IP:127.0.0.1}
new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
umask 077
exec 2>certificates.log
trap 'test $? = 0 || cat certificates.log; rm certificates.log' EXIT

# Trusted by all. Its key signs whoever may take part: it is not needed where they run.
test -f ca.key || openssl req -x509 $new -keyout ca.key -out ca.pem -days 3650 -subj '/CN=market data'
for name; do
    openssl req -x509 $new -keyout "$name.key" -out "$name.pem" -days 365 -CA ca.pem -CAkey ca.key -subj "/CN=$name" \
        -addext basicConstraints=CA:FALSE -addext "subjectAltName=$hosts"
    cat "$name.key" >>"$name.pem"
    rm "$name.key"
done
