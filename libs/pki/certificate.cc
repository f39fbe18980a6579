#include "libs/pki/certificate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "libs/base/check.h"
#include "libs/pki/der.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"
#include "libs/pki/tls_library.h"

namespace devicetrust::pki {
namespace {

using GeneralNamesPtr = Owned<GENERAL_NAMES, &GENERAL_NAMES_free>;
using DistPointsPtr = Owned<CRL_DIST_POINTS, &CRL_DIST_POINTS_free>;

void FreeExtensions(X509_EXTENSIONS* extensions) {
  sk_X509_EXTENSION_pop_free(extensions, &X509_EXTENSION_free);
}

constexpr std::string_view kPemBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kPemEnd = "-----END CERTIFICATE-----";

std::string TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// The alternative names of one kind, as the octets that stand in the certificate.
std::vector<std::string> Names(const X509* x509, int kind) {
  std::vector<std::string> found;
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type == kind) found.push_back(TextOf(static_cast<const ASN1_STRING*>(value)));
  }
  ClearErrors();
  return found;
}

// The next PEM block of `rest`, which is cut off from it. Empty: `rest` was white space.
absl::StatusOr<std::string_view> NextBlock(std::string_view& rest) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = rest.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return std::string_view();
  rest.remove_prefix(begin);
  const std::size_t end = rest.find(kPemEnd);
  if (!rest.starts_with(kPemBegin) || end == std::string_view::npos) {
    return absl::InvalidArgumentError(
        "expected only PEM certificates (BEGIN CERTIFICATE ... END CERTIFICATE)");
  }
  const std::string_view block = rest.substr(0, end + kPemEnd.size());
  rest.remove_prefix(block.size());
  return block;
}

// Where the parts of a certificate of the usual form lie in its DER.
struct CertificateParts {
  DerSpan serial, issuer, not_before, not_after, subject, spki;
};

using ExtensionsPtr = Owned<X509_EXTENSIONS, &FreeExtensions>;

template <typename Ptr, typename D2i>
bool Parses(DerSpan der, D2i d2i) {
  return FromDer<Ptr>(der, d2i) != nullptr;
}

std::optional<DerSpan> TakeTime(DerSpan& rest) {
  const auto time = TakeElement(rest, V_ASN1_UTCTIME);
  return time ? time : TakeElement(rest, V_ASN1_GENERALIZEDTIME);
}

// The parts of what nearly every certificate here is: version 3, a P-256 key, signed with
// ecdsa-with-SHA256, extensions and no unique identifiers, lengths as DER wants them. Each is
// read by the function by which d2i_X509 reads it, so that what is accepted here is accepted
// there. Nothing for any other certificate, good or bad.
std::optional<CertificateParts> SplitUsualCertificate(DerSpan der) {
  static constexpr std::array<std::uint8_t, 5> kVersion3 = {0xa0, 0x03, 0x02, 0x01, 0x02};
  const auto certificate = SplitEcdsaSigned(der);
  if (!certificate) return std::nullopt;
  DerSpan whole = certificate->content;
  auto fields = TakeContent(whole, kDerSequence);
  const auto version = TakeElement(*fields, kVersion3[0]);
  const auto serial = TakeElement(*fields, kDerInteger);
  const auto algorithm = TakeElement(*fields, kDerSequence);
  const auto issuer = TakeElement(*fields, kDerSequence);
  auto validity = TakeContent(*fields, kDerSequence);
  const auto subject = TakeElement(*fields, kDerSequence);
  const auto spki = TakeElement(*fields, kDerSequence);
  auto tagged = TakeContent(*fields, 0xa3);
  if (!version || !serial || !algorithm || !issuer || !validity || !subject || !spki || !tagged ||
      !fields->empty() || !std::ranges::equal(*version, kVersion3) ||
      !std::ranges::equal(*algorithm, kEcdsaWithSha256) || !P256PointOfSpki(*spki)) {
    return std::nullopt;
  }
  const auto not_before = TakeTime(*validity);
  const auto not_after = TakeTime(*validity);
  const auto extensions = TakeElement(*tagged, kDerSequence);
  if (!not_before || !not_after || !validity->empty() || !extensions || !tagged->empty()) {
    return std::nullopt;
  }
  const bool parses = Parses<Asn1IntegerPtr>(*serial, &d2i_ASN1_INTEGER) &&
                      Parses<X509NamePtr>(*issuer, &d2i_X509_NAME) &&
                      Parses<X509NamePtr>(*subject, &d2i_X509_NAME) &&
                      Parses<Asn1TimePtr>(*not_before, &d2i_ASN1_TIME) &&
                      Parses<Asn1TimePtr>(*not_after, &d2i_ASN1_TIME) &&
                      Parses<ExtensionsPtr>(*extensions, &d2i_X509_EXTENSIONS);
  ClearErrors();
  if (!parses) return std::nullopt;
  return CertificateParts{*serial, *issuer, *not_before, *not_after, *subject, *spki};
}

std::string CommonNameOf(DerSpan name) {
  return CommonName(FromDer<X509NamePtr>(name, &d2i_X509_NAME).get());
}

WallTime TimeOf(DerSpan time) {
  return TimeFromAsn1(FromDer<Asn1TimePtr>(time, &d2i_ASN1_TIME).get());
}

// Null: not exactly one certificate. Keys of kinds that we take nowhere are not decoded.
X509Ptr ReadX509(DerSpan der) {
  X509* x509 = X509_new_ex(TlsLibrary(), nullptr);
  const unsigned char* cursor = der.data();
  d2i_X509(&x509, &cursor, static_cast<long>(der.size()));  // Frees it when it fails.
  X509Ptr owner(x509);
  if (cursor != der.data() + der.size()) owner.reset();
  return owner;
}

bool HasExtendedUsage(const X509* x509, std::uint32_t usage) {
  X509* cached = const_cast<X509*>(x509);  // OpenSSL fills its cache of parsed extensions.
  const std::uint32_t flags = X509_get_extension_flags(cached);
  return (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(cached) & usage) != 0;
}

}  // namespace

// Either `der` with its parts, or `x509` from the beginning.
struct Certificate::State {
  Bytes der;
  std::optional<CertificateParts> parts = {};
  mutable std::shared_ptr<X509> x509 = {};  // When made later: under `once`.
  mutable std::once_flag once = {};
};

Certificate::Certificate(std::shared_ptr<X509> x509) {
  auto state = std::make_shared<State>();
  state->x509 = std::move(x509);
  state_ = std::move(state);
}

absl::StatusOr<Certificate> Certificate::FromDer(std::span<const std::uint8_t> der) {
  if (der.empty() || der.size() > kCertificateBytesMax) {
    return absl::InvalidArgumentError("certificate must have 1 to 65536 bytes");
  }
  auto state = std::make_shared<State>();
  state->der.assign(der.begin(), der.end());
  state->parts = SplitUsualCertificate(state->der);
  if (state->parts) return Certificate(std::shared_ptr<const State>(std::move(state)));

  X509Ptr x509 = ReadX509(der);
  if (x509 == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "not exactly one DER certificate");
  }
  // What is not written as DER would be another certificate to another reader.
  if (!std::ranges::equal(ToDer(x509.get(), &i2d_X509), der)) {
    return absl::InvalidArgumentError("certificate is not DER");
  }
  return Certificate(std::shared_ptr<X509>(std::move(x509)));
}

X509* Certificate::get() const {
  const State& state = *state_;
  if (!state.parts) return state.x509.get();
  std::call_once(state.once, [&state] {
    if (state.x509 == nullptr) state.x509 = ReadX509(state.der);
    DT_CHECK(state.x509 != nullptr);  // Its parts parsed: only memory can be missing.
  });
  return state.x509.get();
}

absl::StatusOr<Certificate> Certificate::FromPem(std::string_view pem) {
  DT_ASSIGN_OR_RETURN(std::vector<Certificate> all, CertificatesFromPem(pem, 1));
  return std::move(all.front());
}

Bytes Certificate::der() const { return state_->parts ? state_->der : ToDer(get(), &i2d_X509); }

std::string Certificate::Pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  const int written = PEM_write_bio_X509(bio.get(), get());
  DT_CHECK(written == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // Borrowed.
  return {text, static_cast<std::size_t>(size)};
}

Sha256Digest Certificate::Fingerprint() const { return Sha256(der()); }

std::string Certificate::common_name() const {
  if (const auto& parts = state_->parts) return CommonNameOf(parts->subject);
  return CommonName(X509_get_subject_name(get()));
}

std::string Certificate::issuer_common_name() const {
  if (const auto& parts = state_->parts) return CommonNameOf(parts->issuer);
  return CommonName(X509_get_issuer_name(get()));
}

Bytes Certificate::subject_der() const {
  if (const auto& parts = state_->parts) return {parts->subject.begin(), parts->subject.end()};
  return ToDer(X509_get_subject_name(get()), &i2d_X509_NAME);
}

Bytes Certificate::issuer_der() const {
  if (const auto& parts = state_->parts) return {parts->issuer.begin(), parts->issuer.end()};
  return ToDer(X509_get_issuer_name(get()), &i2d_X509_NAME);
}

std::string Certificate::serial_hex() const {
  if (const auto& parts = state_->parts) {
    return SerialHex(pki::FromDer<Asn1IntegerPtr>(parts->serial, &d2i_ASN1_INTEGER).get());
  }
  return SerialHex(X509_get0_serialNumber(get()));
}

WallTime Certificate::not_before() const {
  if (const auto& parts = state_->parts) return TimeOf(parts->not_before);
  return TimeFromAsn1(X509_get0_notBefore(get()));
}

WallTime Certificate::not_after() const {
  if (const auto& parts = state_->parts) return TimeOf(parts->not_after);
  return TimeFromAsn1(X509_get0_notAfter(get()));
}

absl::StatusOr<PublicKey> Certificate::public_key() const {
  if (const auto& parts = state_->parts) {
    EvpPkeyPtr quick = P256FromPoint(*P256PointOfSpki(parts->spki));
    if (quick != nullptr) return PublicKey(std::move(quick));
  }
  // Read again, into OpenSSL's whole context: there it can also be written.
  const Bytes spki = ToDer(X509_get_X509_PUBKEY(get()), &i2d_X509_PUBKEY);
  return PublicKey::FromSpki(spki);
}

std::vector<std::string> Certificate::uris() const { return Names(get(), GEN_URI); }
std::vector<std::string> Certificate::dns_names() const { return Names(get(), GEN_DNS); }

std::vector<std::string> Certificate::ip_addresses() const {
  std::vector<std::string> found;
  for (const std::string& octets : Names(get(), GEN_IPADD)) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = octets.size() == 4 ? AF_INET : AF_INET6;
    if (octets.size() != 4 && octets.size() != 16) continue;
    if (inet_ntop(family, octets.data(), text.data(), text.size()) != nullptr) {
      found.emplace_back(text.data());
    }
  }
  return found;
}

std::vector<std::string> Certificate::crl_urls() const {
  std::vector<std::string> found;
  const DistPointsPtr points(static_cast<CRL_DIST_POINTS*>(
      X509_get_ext_d2i(get(), NID_crl_distribution_points, nullptr, nullptr)));
  for (int i = 0; points != nullptr && i < sk_DIST_POINT_num(points.get()); ++i) {
    const DIST_POINT_NAME* name = sk_DIST_POINT_value(points.get(), i)->distpoint;  // Borrowed.
    if (name == nullptr || name->type != 0) continue;
    for (int j = 0; j < sk_GENERAL_NAME_num(name->name.fullname); ++j) {
      int type = 0;
      const void* value =
          GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(name->name.fullname, j), &type);
      if (type == GEN_URI) found.push_back(TextOf(static_cast<const ASN1_STRING*>(value)));
    }
  }
  ClearErrors();
  return found;
}

bool Certificate::is_ca() const { return X509_check_ca(get()) == 1; }
bool Certificate::allows_client_auth() const { return HasExtendedUsage(get(), XKU_SSL_CLIENT); }
bool Certificate::allows_server_auth() const { return HasExtendedUsage(get(), XKU_SSL_SERVER); }
Bytes Certificate::subject_key_id() const { return BytesOf(X509_get0_subject_key_id(get())); }
Bytes Certificate::authority_key_id() const { return BytesOf(X509_get0_authority_key_id(get())); }

absl::StatusOr<std::vector<Certificate>> CertificatesFromPem(std::string_view pem,
                                                             std::size_t count_max) {
  std::vector<Certificate> certificates;
  for (;;) {
    DT_ASSIGN_OR_RETURN(const std::string_view block, NextBlock(pem));
    if (block.empty()) break;
    if (certificates.size() == count_max || block.size() > 2 * kCertificateBytesMax) {
      return absl::InvalidArgumentError(
          fmt::format("more than {} PEM certificate(s), or one of them is too long", count_max));
    }
    const BioPtr bio(BIO_new_mem_buf(block.data(), static_cast<int>(block.size())));
    unsigned char* der = nullptr;
    long size = 0;
    if (PEM_bytes_read_bio(&der, &size, nullptr, PEM_STRING_X509, bio.get(), nullptr, nullptr) !=
        1) {
      return OpenSslError(absl::StatusCode::kInvalidArgument, "PEM certificate");
    }
    const BytesPtr owner(der);
    DT_ASSIGN_OR_RETURN(Certificate certificate,
                        Certificate::FromDer({der, static_cast<std::size_t>(size)}));
    certificates.push_back(std::move(certificate));
  }
  if (certificates.empty()) return absl::InvalidArgumentError("no PEM certificate");
  return certificates;
}

std::vector<Certificate> CasFromPem(std::string_view pem) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::size_t kCasMax = 1000;
  std::vector<Certificate> found;
  for (std::size_t at = pem.find(kBegin); at != pem.npos && found.size() < kCasMax;) {
    const std::size_t next = pem.find(kBegin, at + kBegin.size());
    const std::string_view block = pem.substr(at, next - at);
    absl::StatusOr<Certificate> one = Certificate::FromPem(block.substr(0, block.rfind('-') + 1));
    if (one.ok()) found.push_back(*std::move(one));
    at = next;
  }
  return found;
}

std::string CertificatesToPem(const std::vector<Certificate>& certificates) {
  std::string pem;
  for (const Certificate& certificate : certificates) pem += certificate.Pem();
  return pem;
}

absl::StatusOr<Identity> IdentityFromPem(std::string_view chain_pem, std::string_view key_pem) {
  DT_ASSIGN_OR_RETURN(std::vector<Certificate> chain, CertificatesFromPem(chain_pem));
  DT_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(key_pem));
  DT_ASSIGN_OR_RETURN(const PublicKey certified, chain.front().public_key());
  if (!(certified == key.public_key())) {
    return absl::FailedPreconditionError(
        "the private key does not belong to the (first) certificate");
  }
  Identity identity{chain.front(), std::move(key)};
  identity.intermediates.assign(chain.begin() + 1, chain.end());
  return identity;
}

}  // namespace devicetrust::pki
