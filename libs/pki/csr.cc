#include "libs/pki/csr.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"

namespace devicetrust::pki {
namespace {

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

using X509NamePtr = Owned<X509_NAME, &X509_NAME_free>;
using DerSpan = std::span<const std::uint8_t>;

// Takes the next element off `rest`, header included, when it has this tag and its length
// is in the one form that DER allows. Nothing else: `rest` is left alone.
std::optional<DerSpan> TakeElement(DerSpan& rest, std::uint8_t tag, std::size_t& header) {
  if (rest.size() < 2 || rest[0] != tag) return std::nullopt;
  std::size_t length = rest[1];
  header = 2;
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 2 || rest.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | rest[2 + i];
    if (length < (octets == 1 ? 0x80U : 0x100U)) return std::nullopt;
    header += octets;
  }
  if (rest.size() < header + length) return std::nullopt;
  const DerSpan element = rest.first(header + length);
  rest = rest.subspan(header + length);
  return element;
}

std::optional<DerSpan> TakeElement(DerSpan& rest, std::uint8_t tag) {
  std::size_t header = 0;
  return TakeElement(rest, tag, header);
}

// The same without its header.
std::optional<DerSpan> TakeContent(DerSpan& rest, std::uint8_t tag) {
  std::size_t header = 0;
  const auto element = TakeElement(rest, tag, header);
  if (!element) return std::nullopt;
  return element->subspan(header);
}

struct UsualCsr {
  DerSpan signed_part;
  DerSpan subject;
  DerSpan point;
  DerSpan signature;
};

// The parts of the request that nearly every device sends: version 1, a P-256 key, no
// attributes, ecdsa-with-SHA256, and DER throughout. Nothing for any other, good or bad.
std::optional<UsualCsr> SplitUsualCsr(DerSpan der) {
  static constexpr std::array<std::uint8_t, 12> kEcdsaWithSha256 = {
      0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
  static constexpr std::array<std::uint8_t, 3> kVersion1 = {0x02, 0x01, 0x00};
  static constexpr std::array<std::uint8_t, 2> kNoAttributes = {0xa0, 0x00};
  auto request = TakeContent(der, 0x30);
  if (!request || !der.empty()) return std::nullopt;
  UsualCsr csr;
  const auto info = TakeElement(*request, 0x30);
  const auto algorithm = TakeElement(*request, 0x30);
  const auto bits = TakeContent(*request, 0x03);
  if (!info || !algorithm || !bits || !request->empty()) return std::nullopt;
  if (!std::ranges::equal(*algorithm, kEcdsaWithSha256)) return std::nullopt;
  if (bits->size() < 2 || bits->front() != 0) return std::nullopt;  // No unused bits.
  csr.signed_part = *info;
  csr.signature = bits->subspan(1);

  DerSpan whole = *info;
  auto fields = TakeContent(whole, 0x30);
  const auto version = TakeElement(*fields, 0x02);
  const auto subject = version ? TakeElement(*fields, 0x30) : std::nullopt;
  const auto spki = subject ? TakeElement(*fields, 0x30) : std::nullopt;
  if (!spki || !std::ranges::equal(*version, kVersion1)) return std::nullopt;
  if (!std::ranges::equal(*fields, kNoAttributes)) return std::nullopt;
  const auto point = P256PointOfSpki(*spki);
  if (!point) return std::nullopt;
  csr.subject = *subject;
  csr.point = *point;
  return csr;
}

// Nothing: it is for the general parser to accept or refuse.
std::optional<absl::StatusOr<VerifiedCsr>> ParseUsualCsr(DerSpan der) {
  const auto parts = SplitUsualCsr(der);
  if (!parts) return std::nullopt;
  const unsigned char* cursor = parts->subject.data();
  const X509NamePtr subject(
      d2i_X509_NAME(nullptr, &cursor, static_cast<long>(parts->subject.size())));
  EvpPkeyPtr key = P256FromPoint(parts->point);
  if (subject == nullptr || key == nullptr ||
      cursor != parts->subject.data() + parts->subject.size()) {
    ERR_clear_error();
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

absl::StatusOr<Bytes> BuildCsr(const std::string& common_name, const PrivateKey& key) {
  const X509ReqPtr request(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());  // Borrowed.
  if (X509_REQ_set_pubkey(request.get(), ForWriting(key.get()).get()) != 1 ||
      X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                 AsBytes(common_name).data(), static_cast<int>(common_name.size()),
                                 -1, 0) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "building a CSR");
  }
  return ToDer(request.get(), &i2d_X509_REQ);
}

}  // namespace devicetrust::pki
