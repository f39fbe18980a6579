#include "libs/pki/server_end_point.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <string_view>

#include "libs/pki/openssl.h"

namespace devicetrust::pki {

Bytes ServerEndPoint(const Certificate& certificate) {
  int hash = NID_undef;
  int key = NID_undef;
  const int signature = X509_get_signature_nid(certificate.get());
  if (OBJ_find_sigid_algs(signature, &hash, &key) != 1) hash = NID_undef;
  const bool weak = hash == NID_undef || hash == NID_md5 || hash == NID_sha1;
  const EVP_MD* function = weak ? EVP_sha256() : EVP_get_digestbynid(hash);
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  if (function == nullptr || X509_digest(certificate.get(), function, digest.data(), &size) != 1) {
    ClearErrors();
    return {};
  }
  digest.resize(size);
  return digest;
}

Bytes ServerEndPointBindings(const Certificate& certificate) {
  constexpr std::string_view kType = "tls-server-end-point:";
  Bytes bindings(kType.begin(), kType.end());
  const Bytes hash = ServerEndPoint(certificate);
  bindings.insert(bindings.end(), hash.begin(), hash.end());
  return bindings;
}

}  // namespace devicetrust::pki
