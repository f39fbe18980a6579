#include "libs/pki/crl.h"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "libs/pki/external_key.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

using Asn1EnumeratedPtr = Owned<ASN1_ENUMERATED, &ASN1_ENUMERATED_free>;
using Asn1TimePtr = Owned<ASN1_TIME, &ASN1_TIME_free>;
using AuthorityKeyIdPtr = Owned<AUTHORITY_KEYID, &AUTHORITY_KEYID_free>;
using X509RevokedPtr = Owned<X509_REVOKED, &X509_REVOKED_free>;

Asn1TimePtr Asn1Time(WallTime time) {
  return Asn1TimePtr(ASN1_TIME_set(nullptr, UnixSeconds(time)));
}

bool AddEntry(X509_CRL* list, const RevokedCertificate& revoked) {
  X509RevokedPtr entry(X509_REVOKED_new());
  const Asn1IntegerPtr serial = SerialFromHex(revoked.serial_hex);
  const Asn1TimePtr at = Asn1Time(revoked.revoked_at);
  if (entry == nullptr || serial == nullptr || at == nullptr ||
      X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), at.get()) != 1) {
    return false;
  }
  if (revoked.reason != CrlReason::kUnspecified) {
    const Asn1EnumeratedPtr reason(ASN1_ENUMERATED_new());
    if (ASN1_ENUMERATED_set(reason.get(), static_cast<int>(revoked.reason)) != 1 ||
        X509_REVOKED_add1_ext_i2d(entry.get(), NID_crl_reason, reason.get(), 0,
                                  X509V3_ADD_DEFAULT) != 1) {
      return false;
    }
  }
  if (X509_CRL_add0_revoked(list, entry.get()) != 1) return false;
  static_cast<void>(entry.release());  // Now owned by the list.
  return true;
}

bool AddCrlExtensions(X509_CRL* list, std::int64_t number, const X509* issuer) {
  const Asn1IntegerPtr value(ASN1_INTEGER_new());
  if (ASN1_INTEGER_set_int64(value.get(), number) != 1 ||
      X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return false;
  }
  const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(const_cast<X509*>(issuer));  // Borrowed.
  if (id == nullptr) return true;
  const AuthorityKeyIdPtr authority(AUTHORITY_KEYID_new());
  authority->keyid = ASN1_OCTET_STRING_dup(id);
  return X509_CRL_add1_ext_i2d(list, NID_authority_key_identifier, authority.get(), 0,
                               X509V3_ADD_DEFAULT) == 1;
}

CrlReason ReasonOf(const X509_REVOKED* entry) {
  const Asn1EnumeratedPtr reason(static_cast<ASN1_ENUMERATED*>(
      X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  if (reason == nullptr) return CrlReason::kUnspecified;
  return static_cast<CrlReason>(ASN1_ENUMERATED_get(reason.get()));
}

bool HasUnknownCriticalExtension(const X509_CRL* list) {
  for (int i = 0; i < X509_CRL_get_ext_count(list); ++i) {
    // Partial lists and lists in another's name are marked by critical extensions; a
    // full list has none.
    if (X509_EXTENSION_get_critical(X509_CRL_get_ext(list, i)) != 0) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Bytes> BuildCrl(const Crl& crl, const Identity& issuer) {
  const X509CrlPtr list(X509_CRL_new());
  const Asn1TimePtr this_update = Asn1Time(crl.this_update);
  const Asn1TimePtr next_update = Asn1Time(crl.next_update);
  X509* ca = issuer.certificate.get();
  if (crl.number < 0 || list == nullptr ||
      X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(ca)) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), this_update.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), next_update.get()) != 1 ||
      !AddCrlExtensions(list.get(), crl.number, ca)) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "filling a CRL");
  }
  for (const RevokedCertificate& revoked : crl.revoked) {
    if (!AddEntry(list.get(), revoked)) {
      return OpenSslError(absl::StatusCode::kInvalidArgument,
                          fmt::format("CRL entry for serial '{}'", revoked.serial_hex));
    }
  }
  X509_CRL_sort(list.get());
  if (X509_CRL_sign(list.get(), issuer.key.get(), EVP_sha256()) == 0) {
    // Its keeper has logged why: OpenSSL hands no status through.
    if (ExternalKeyOf(issuer.key.get()) != nullptr) {
      return OpenSslError(absl::StatusCode::kUnavailable, "the issuer's key does not sign");
    }
    return OpenSslError(absl::StatusCode::kInternal, "X509_CRL_sign");
  }
  return ToDer(list.get(), &i2d_X509_CRL);
}

absl::StatusOr<Crl> ParseCrl(std::span<const std::uint8_t> der, const Certificate& issuer) {
  const X509CrlPtr list = FromDer<X509CrlPtr>(der, &d2i_X509_CRL);
  if (list == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "not exactly one DER CRL");
  }
  if (HasUnknownCriticalExtension(list.get())) {
    return absl::InvalidArgumentError("CRL has a critical extension that is not known here");
  }
  const EvpPkeyPtr key(X509_get_pubkey(issuer.get()));
  if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(issuer.get())) != 0 ||
      key == nullptr || X509_CRL_verify(list.get(), key.get()) != 1) {
    return OpenSslError(absl::StatusCode::kPermissionDenied, "CRL is not signed by this issuer");
  }

  Crl crl;
  const Asn1IntegerPtr number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(list.get(), NID_crl_number, nullptr, nullptr)));
  if (number == nullptr || ASN1_INTEGER_get_int64(&crl.number, number.get()) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "CRL number");
  }
  crl.this_update = TimeFromAsn1(X509_CRL_get0_lastUpdate(list.get()));
  crl.next_update = TimeFromAsn1(X509_CRL_get0_nextUpdate(list.get()));
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list.get());  // Borrowed.
  for (int i = 0; entries != nullptr && i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    crl.revoked.push_back({SerialHex(X509_REVOKED_get0_serialNumber(entry)),
                           TimeFromAsn1(X509_REVOKED_get0_revocationDate(entry)), ReasonOf(entry)});
  }
  ClearErrors();
  return crl;
}

std::string CrlToPem(std::span<const std::uint8_t> der) {
  const X509CrlPtr list = FromDer<X509CrlPtr>(der, &d2i_X509_CRL);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (list == nullptr || PEM_write_bio_X509_CRL(bio.get(), list.get()) != 1) {
    ClearErrors();
    return {};
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // Borrowed.
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace devicetrust::pki
