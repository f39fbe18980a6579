#include "libs/pki/pkcs12.h"

#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }  // Not the certificates.

using Pkcs12Ptr = Owned<PKCS12, &PKCS12_free>;
using BorrowedStackPtr = Owned<STACK_OF(X509), &FreeStack>;

}  // namespace

absl::StatusOr<Bytes> ToPkcs12(const ExportableIdentity& identity, const std::string& password,
                               const std::string& friendly_name) {
  const BorrowedStackPtr chain(sk_X509_new_null());
  for (const Certificate& issuer : identity.intermediates) {
    if (chain == nullptr || sk_X509_push(chain.get(), issuer.get()) == 0) {
      return OpenSslError(absl::StatusCode::kInternal, "PKCS#12 chain");
    }
  }
  const Pkcs12Ptr p12(PKCS12_create(password.c_str(), friendly_name.c_str(), identity.key.get(),
                                    identity.certificate.get(), chain.get(), 0, 0, 0, 0, 0));
  if (p12 == nullptr) return OpenSslError(absl::StatusCode::kInternal, "PKCS#12");
  const int length = i2d_PKCS12(p12.get(), nullptr);
  if (length <= 0) return OpenSslError(absl::StatusCode::kInternal, "PKCS#12 to DER");
  Bytes der(static_cast<std::size_t>(length));
  unsigned char* out = der.data();
  i2d_PKCS12(p12.get(), &out);
  return der;
}

}  // namespace devicetrust::pki
