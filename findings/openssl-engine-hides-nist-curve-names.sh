#!/usr/bin/env bash
# OpenSSL 3.0: as soon as an ENGINE has a method for EC keys, EVP_EC_gen("P-256") makes no key any more.
#
# Without one the name reaches the provider, which knows curves by NIST's names. With one, though it is the
# library's own method handed back, OpenSSL 3.0 takes its older way, which looks for short names of
# object identifiers alone: "P-256" is an unknown group, "prime256v1" is none.
# Why it matters: a program that loads an engine for one key in a token or a TPM, or has one loaded by
# openssl.cnf, loses keys that it makes elsewhere, in libraries too. "prime256v1" works in both ways.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -euo pipefail
packages=(libssl-dev=3.0.22-1~deb12u2 libssl3=3.0.22-1~deb12u2)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

apt-get -qq download "${packages[@]}" 2>/dev/null ||
  { echo "cannot fetch ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" package; done
cat > try.c <<'C'
// Makes a key by each name, without an engine and with one. 0: "P-256" worked and does not any more.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

static int makes(const char* when, const char* name) {
  EVP_PKEY* key = EVP_EC_gen(name);
  printf("%s, %s: %s\n", when, name, key != NULL ? "a key" : "none");
  ERR_print_errors_fp(stdout);
  EVP_PKEY_free(key);
  return key != NULL;
}

// The library's own method for EC keys.
static int methods(ENGINE* engine, EVP_PKEY_METHOD** method, const int** kinds, int kind) {
  static const int ec[] = {EVP_PKEY_EC};
  (void)engine;
  if (method == NULL) {
    *kinds = ec;
    return 1;
  }
  *method = (EVP_PKEY_METHOD*)EVP_PKEY_meth_find(kind);
  return *method != NULL;
}

int main(void) {
  puts(OpenSSL_version(OPENSSL_VERSION));
  const int before = makes("without an engine", "P-256") && makes("without an engine", "prime256v1");
  ENGINE* engine = ENGINE_new();
  if (engine == NULL || !ENGINE_set_id(engine, "example") || !ENGINE_set_name(engine, "example") ||
      !ENGINE_set_pkey_meths(engine, methods) || !ENGINE_register_pkey_meths(engine)) {
    return 2;
  }
  const int nist = makes("with an engine", "P-256");
  const int short_name = makes("with an engine", "prime256v1");
  return before && short_name ? nist : 2;
}
C
library=package/usr/lib/x86_64-linux-gnu
cc -I package/usr/include -I package/usr/include/x86_64-linux-gnu try.c -o try $library/libcrypto.so.3 2> compile.log ||
  { cat compile.log >&2; echo "cannot compile" >&2; exit 2; }
LD_LIBRARY_PATH=$folder/$library ./try && code=0 || code=$?
case $code in
  0) ;;
  1) echo "it makes keys by both names" >&2; exit 1 ;;
  *) echo "it makes no keys here" >&2; exit 2 ;;
esac
