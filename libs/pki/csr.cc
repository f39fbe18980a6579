#include "libs/pki/csr.h"

#include <algorithm>

#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

bool IsAcceptedAlgorithm(int nid) {
  return nid == NID_ecdsa_with_SHA256 || nid == NID_ecdsa_with_SHA384 ||
         nid == NID_ecdsa_with_SHA512 || nid == NID_sha256WithRSAEncryption ||
         nid == NID_sha384WithRSAEncryption || nid == NID_sha512WithRSAEncryption;
}

}  // namespace

absl::StatusOr<VerifiedCsr> ParseCsr(std::span<const std::uint8_t> der) {
  if (der.empty() || der.size() > kCsrBytesMax) {
    return absl::InvalidArgumentError("CSR must be 1 to 16384 bytes");
  }

  const unsigned char* cursor = der.data();
  const X509ReqPtr request(d2i_X509_REQ(nullptr, &cursor, static_cast<long>(der.size())));
  if (request == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "CSR is not DER PKCS#10");
  }
  if (cursor != der.data() + der.size()) {
    return absl::InvalidArgumentError("CSR has trailing bytes");
  }
  if (X509_REQ_get_version(request.get()) != X509_REQ_VERSION_1 ||
      !std::ranges::equal(ToDer(request.get(), &i2d_X509_REQ), der)) {
    return absl::InvalidArgumentError("CSR is not a DER request of version 1");
  }
  if (!IsAcceptedAlgorithm(X509_REQ_get_signature_nid(request.get()))) {
    return absl::InvalidArgumentError("CSR must be signed by ECDSA or RSA with SHA-256 or longer");
  }

  EvpPkeyPtr key(X509_REQ_get_pubkey(request.get()));
  if (key == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "CSR key is unusable");
  }
  if (absl::Status usable = CheckKey(key.get()); !usable.ok()) return usable;
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    return OpenSslError(absl::StatusCode::kPermissionDenied, "CSR proof of possession");
  }
  return VerifiedCsr{CommonName(X509_REQ_get_subject_name(request.get())),
                     PublicKey(std::move(key))};
}

absl::StatusOr<Bytes> BuildCsr(const std::string& common_name, const PrivateKey& key) {
  const X509ReqPtr request(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());  // Borrowed.
  if (X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                 AsBytes(common_name).data(), static_cast<int>(common_name.size()),
                                 -1, 0) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "building a CSR");
  }
  return ToDer(request.get(), &i2d_X509_REQ);
}

}  // namespace devicetrust::pki
