#include "libs/pki/csr.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/pki/der.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"

namespace devicetrust::pki {
namespace {

constexpr std::string_view kCsrPemBegin = "-----BEGIN CERTIFICATE REQUEST-----\n";
constexpr std::string_view kCsrPemEnd = "-----END CERTIFICATE REQUEST-----";
constexpr std::size_t kCsrPemLine = 64;

bool IsAcceptedAlgorithm(int nid) {
  return nid == NID_ecdsa_with_SHA256 || nid == NID_ecdsa_with_SHA384 ||
         nid == NID_ecdsa_with_SHA512;
}

// The key's kind in a person's words, of any key whatever.
std::string KindOfKey(const X509_PUBKEY* key) {
  ASN1_OBJECT* algorithm = nullptr;  // This and the next three: borrowed.
  X509_ALGOR* whole = nullptr;
  const unsigned char* octets = nullptr;
  int size = 0;
  X509_PUBKEY_get0_param(&algorithm, &octets, &size, &whole, key);
  const int nid = OBJ_obj2nid(algorithm);
  if (nid == NID_rsaEncryption) {
    const EVP_PKEY* rsa = X509_PUBKEY_get0(key);  // Borrowed.
    ERR_clear_error();
    if (rsa == nullptr) return "RSA that does not parse";
    return fmt::format("RSA of {} bits", EVP_PKEY_get_bits(rsa));
  }
  const auto name_of = [](const ASN1_OBJECT* object) {
    std::array<char, 64> name{};
    OBJ_obj2txt(name.data(), name.size(), object, 0);
    return std::string(name.data());
  };
  if (nid != NID_X9_62_id_ecPublicKey) return name_of(algorithm);

  int parameter_type = V_ASN1_UNDEF;
  const void* parameter = nullptr;  // Borrowed.
  X509_ALGOR_get0(nullptr, &parameter_type, &parameter, whole);
  if (parameter_type != V_ASN1_OBJECT) return "EC with explicit curve parameters";
  const auto* curve = static_cast<const ASN1_OBJECT*>(parameter);
  if (OBJ_obj2nid(curve) != NID_X9_62_prime256v1) return "EC on " + name_of(curve);
  const bool compressed = size > 0 && (octets[0] == 2 || octets[0] == 3);
  return compressed ? "P-256 with a compressed point"
                    : "P-256 without an uncompressed point of the curve";
}

absl::StatusOr<EvpPkeyPtr> AcceptedKey(X509_REQ* request) {
  X509_PUBKEY* found = X509_REQ_get_X509_PUBKEY(request);  // Borrowed.
  const Bytes spki = ToDer(found, &i2d_X509_PUBKEY);
  if (const auto point = P256PointOfSpki(spki)) {
    if (EvpPkeyPtr key = P256FromPoint(*point)) return key;
  }
  return absl::FailedPreconditionError("CSR key is " + KindOfKey(found));
}

constexpr std::array<std::uint8_t, 3> kVersion1 = {0x02, 0x01, 0x00};
constexpr std::array<std::uint8_t, 2> kNoAttributes = {0xa0, 0x00};

struct UsualCsr {
  DerSpan signed_part;
  DerSpan subject;
  DerSpan point;
  DerSpan signature;
};

// The parts of the request that nearly every device sends: version 1, a P-256 key, no
// attributes, ecdsa-with-SHA256, and DER throughout. Nothing for any other, good or bad.
std::optional<UsualCsr> SplitUsualCsr(DerSpan der) {
  const auto request = SplitEcdsaSigned(der);
  if (!request) return std::nullopt;
  DerSpan whole = request->content;
  auto fields = TakeContent(whole, kDerSequence);
  const auto version = TakeElement(*fields, kDerInteger);
  const auto subject = version ? TakeElement(*fields, kDerSequence) : std::nullopt;
  const auto spki = subject ? TakeElement(*fields, kDerSequence) : std::nullopt;
  if (!spki || !std::ranges::equal(*version, kVersion1)) return std::nullopt;
  if (!std::ranges::equal(*fields, kNoAttributes)) return std::nullopt;
  const auto point = P256PointOfSpki(*spki);
  if (!point) return std::nullopt;
  return UsualCsr{request->content, *subject, *point, request->signature};
}

// Nothing: it is for the general parser to accept or refuse.
std::optional<absl::StatusOr<VerifiedCsr>> ParseUsualCsr(DerSpan der) {
  const auto parts = SplitUsualCsr(der);
  if (!parts) return std::nullopt;
  const X509NamePtr subject = FromDer<X509NamePtr>(parts->subject, &d2i_X509_NAME);
  EvpPkeyPtr key = P256FromPoint(parts->point);
  if (subject == nullptr || key == nullptr) {
    ClearErrors();
    return std::nullopt;
  }
  PublicKey public_key(std::move(key));
  if (!public_key.Verify(parts->signed_part, parts->signature)) {
    return absl::PermissionDeniedError("CSR proof of possession does not verify");
  }
  return VerifiedCsr{CommonName(subject.get()), std::move(public_key)};
}

}  // namespace

absl::StatusOr<VerifiedCsr> ParseCsr(std::span<const std::uint8_t> der) {
  if (der.empty() || der.size() > kCsrBytesMax) {
    return absl::InvalidArgumentError("CSR must be 1 to 16384 bytes");
  }

  if (auto usual = ParseUsualCsr(der)) return *std::move(usual);

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
  DT_ASSIGN_OR_RETURN(EvpPkeyPtr key, AcceptedKey(request.get()));
  if (!IsAcceptedAlgorithm(X509_REQ_get_signature_nid(request.get()))) {
    return absl::InvalidArgumentError("CSR must be signed by ECDSA with SHA-256 or longer");
  }
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    return OpenSslError(absl::StatusCode::kPermissionDenied, "CSR proof of possession");
  }
  return VerifiedCsr{CommonName(X509_REQ_get_subject_name(request.get())),
                     PublicKey(std::move(key))};
}

absl::StatusOr<Bytes> BuildCsr(const std::string& common_name, const Signer& key) {
  if (common_name.empty()) {
    return absl::InvalidArgumentError("building a CSR: the common name is empty");
  }
  const Bytes subject = NameDer({}, common_name);
  if (subject.empty()) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "building a CSR");
  }
  return SignDer(
      DerElement(kDerSequence, {kVersion1, subject, key.public_key().Spki(), kNoAttributes}), key);
}

std::string CsrToPem(std::span<const std::uint8_t> der) {
  const std::string text = Base64Encode(der);
  std::string pem(kCsrPemBegin);
  for (std::size_t at = 0; at < text.size(); at += kCsrPemLine) {
    pem += text.substr(at, kCsrPemLine) + "\n";
  }
  return pem.append(kCsrPemEnd) + "\n";
}

absl::StatusOr<Bytes> CsrFromPem(std::string_view pem) {
  const auto none = [] {
    return absl::InvalidArgumentError("not one PEM certificate request and nothing else");
  };
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = pem.find_first_not_of(kBlank);
  const std::size_t last = pem.find_last_not_of(kBlank);
  if (begin == std::string_view::npos || pem.size() > 2 * kCsrBytesMax) return none();
  pem = pem.substr(begin, last - begin + 1);
  if (pem.size() < kCsrPemBegin.size() + kCsrPemEnd.size() ||
      !pem.starts_with(kCsrPemBegin.substr(0, kCsrPemBegin.size() - 1)) ||
      !pem.ends_with(kCsrPemEnd)) {
    return none();
  }
  std::string text(pem.substr(kCsrPemBegin.size() - 1,
                              pem.size() - kCsrPemBegin.size() + 1 - kCsrPemEnd.size()));
  std::erase_if(text, [&](char c) { return kBlank.find(c) != std::string_view::npos; });
  auto der = Base64Decode(text);
  if (!der.ok() || der->empty()) return none();
  return der;
}

}  // namespace devicetrust::pki
