#!/bin/sh
# Writes the files of this folder anew. Names say what each is for; keys are throw-away.
set -eu
cd "$(dirname "$0")"
req() { openssl req -new -subj "/CN=PC0042" -outform DER "$@"; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "$2"; }

ec P-256 p256.key
req -key p256.key -out csr-p256.der
req -key p256.key -sha1 -out csr-sha1.der
req -key p256.key -sha384 -out csr-sha384.der
req -key p256.key -addext extendedKeyUsage=clientAuth -out csr-attributes.der
openssl ec -in p256.key -conv_form compressed -out compressed.key
req -key compressed.key -out csr-compressed.der
rm compressed.key
ec P-384 p384.key
req -key p384.key -sha384 -out csr-p384.der
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa2048.key
req -key rsa2048.key -out csr-rsa2048.der
openssl req -new -newkey rsa:1024 -nodes -keyout /dev/null -subj /CN=weak -outform DER -out csr-rsa1024.der
ec secp256k1 k256.key
req -key k256.key -out csr-secp256k1.der
rm k256.key
ec P-521 p521.key
req -key p521.key -out csr-p521.der
rm p521.key
openssl genpkey -algorithm ED25519 -out ed.key
req -key ed.key -out csr-ed25519.der
rm ed.key
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -out ex.key
req -key ex.key -out csr-explicit.der
openssl pkey -in ex.key -pubout -outform DER -out spki-explicit-curve.der
rm ex.key
openssl pkey -in p256.key -aes256 -passout pass:secret -out p256-encrypted.key
openssl ec -in p256.key -out p256-sec1.key
openssl rsa -in rsa2048.key -traditional -out rsa2048-pkcs1.key

# A CA, a client with several names, and lists of revoked serials.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -days 36500 \
  -subj "/O=Example/CN=Example CA" -addext basicConstraints=critical,CA:TRUE \
  -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem
cat >ext.cnf <<EOF
[client]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectAltName=URI:urn:example:device:1,URI:urn:example:enrolment:2,DNS:pc.example,IP:192.0.2.7,IP:2001:db8::7
crlDistributionPoints=URI:http://ca.example/crl
[critical]
extendedKeyUsage=clientAuth
1.2.3.4.5=critical,ASN1:UTF8String:unknown
[nothing]
subjectAltName=DNS:pc.example
EOF
for kind in client critical nothing; do
  openssl x509 -req -in csr-p256.der -inform DER -CA ca.pem -CAkey ca.key -set_serial 0x0badc0de -days 36500 \
    -extfile ext.cnf -extensions "$kind" -out "$kind.pem"
done
# Of an issuer that means to live for good: its end is beyond what 64 bits of nanoseconds hold.
openssl req -x509 -key p256.key -days 2900000 -subj /CN=forever -out forever.pem
# A key that nothing of ours takes.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -keyout /dev/null -days 36500 -subj /CN=p521 \
  -out p521.pem
mkdir -p db && : >db/index && echo 07 >db/crlnumber
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=db/index\ncrlnumber=db/crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n' >ca.cnf
openssl ca -config ca.cnf -keyfile ca.key -cert ca.pem -revoke client.pem -crl_reason keyCompromise
openssl ca -config ca.cnf -keyfile ca.key -cert ca.pem -gencrl | openssl crl -outform DER -out list.crl
rm -r db ca.cnf ext.cnf ca.key
