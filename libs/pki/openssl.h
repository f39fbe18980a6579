// Ownership and errors for the OpenSSL C API. Only libs/pki, libs/token and libs/rpc
// may include this header; other code sees pki:: value types.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/pki/digest.h"

namespace devicetrust::pki {

// Zero-size deleter, so each alias below is exactly one pointer wide.
template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

// For memory that OpenSSL allocated for the caller; OPENSSL_free is a macro. Named,
// because GCC 12 dropped the call of a lambda in the template argument (a leak).
inline void FreeBytes(unsigned char* bytes) { OPENSSL_free(bytes); }

using BytesPtr = Owned<unsigned char, &FreeBytes>;
using Asn1IntegerPtr = Owned<ASN1_INTEGER, &ASN1_INTEGER_free>;
using Asn1TimePtr = Owned<ASN1_TIME, &ASN1_TIME_free>;
using BignumPtr = Owned<BIGNUM, &BN_free>;
using BioPtr = Owned<BIO, &BIO_free_all>;
using EvpCipherCtxPtr = Owned<EVP_CIPHER_CTX, &EVP_CIPHER_CTX_free>;
using EvpMdCtxPtr = Owned<EVP_MD_CTX, &EVP_MD_CTX_free>;
using EvpPkeyPtr = Owned<EVP_PKEY, &EVP_PKEY_free>;
using SslCtxPtr = Owned<SSL_CTX, &SSL_CTX_free>;
using X509CrlPtr = Owned<X509_CRL, &X509_CRL_free>;
using X509NamePtr = Owned<X509_NAME, &X509_NAME_free>;
using X509Ptr = Owned<X509, &X509_free>;
using X509ReqPtr = Owned<X509_REQ, &X509_REQ_free>;
using X509StoreCtxPtr = Owned<X509_STORE_CTX, &X509_STORE_CTX_free>;
using X509StorePtr = Owned<X509_STORE, &X509_STORE_free>;
static_assert(sizeof(X509Ptr) == sizeof(X509*));

// Turns a failed OpenSSL call into a Status with code `code`, and empties this
// thread's error queue so that the next failure is not blamed on this one.
absl::Status OpenSslError(absl::StatusCode code, std::string_view what);

// Empties the queue where a failure is an answer and not an error.
void ClearErrors();

// The octets of a string of any type; none when it is null.
Bytes BytesOf(const ASN1_STRING* text);

// UTF-8 value of the name's first CN; empty when there is none.
std::string CommonName(const X509_NAME* name);

// The DER of the name O=`organization`, CN=`common_name`, where an empty one is left out.
// Empty when one is not UTF-8 or has more than 64 characters (RFC 5280, appendix A).
Bytes NameDer(std::string_view organization, std::string_view common_name);

// The DER of an OpenSSL object by its i2d function; empty when it cannot be written.
template <typename T, typename I2d>
Bytes ToDer(T* object, I2d i2d) {
  const int size = i2d(object, nullptr);
  if (size <= 0) return {};
  Bytes der(static_cast<std::size_t>(size));
  unsigned char* out = der.data();
  i2d(object, &out);
  return der;
}

// An OpenSSL object from exactly `der`, by its d2i function: null when it does not
// parse or bytes are left over.
template <typename Ptr, typename D2i>
Ptr FromDer(std::span<const std::uint8_t> der, D2i d2i) {
  const unsigned char* cursor = der.data();
  Ptr object(d2i(nullptr, &cursor, static_cast<long>(der.size())));
  if (object != nullptr && cursor != der.data() + der.size()) object.reset();
  return object;
}

// kInvalidArgument unless the key is of a kind and strength that we accept: named
// curve P-256 or P-384, or RSA of 2048 to 4096 bits with an odd exponent of at least 65537.
absl::Status CheckKey(EVP_PKEY* key);

const EVP_MD* DigestOf(HashType type);

// Lower-case hex, two digits an octet, of a serial number; empty when it is not positive.
std::string SerialHex(const ASN1_INTEGER* serial);
// The reverse. Null unless `hex` is a positive number of 1 to 20 octets.
Asn1IntegerPtr SerialFromHex(const std::string& hex);

// Times of certificates and CRLs. Null or malformed reads as the epoch; what WallTime
// cannot hold as the nearest that it can (years 1678 and 2261).
WallTime TimeFromAsn1(const ASN1_TIME* time);

}  // namespace devicetrust::pki
