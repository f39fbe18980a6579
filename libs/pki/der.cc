#include "libs/pki/der.h"

#include <algorithm>
#include <bit>

namespace devicetrust::pki {
namespace {

// sha256WithRSAEncryption with its NULL (RFC 4055, section 5).
constexpr std::array<std::uint8_t, 15> kSha256WithRsa = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

constexpr std::array<std::uint8_t, 1> kNoUnusedBits = {0};

// Octets of the header of the element at the front of `data`, and of the whole element.
struct Extent {
  std::size_t header;
  std::size_t whole;
};

std::optional<Extent> Measure(DerSpan data, std::uint8_t tag) {
  if (data.size() < 2 || data[0] != tag) return std::nullopt;
  std::size_t length = data[1];
  std::size_t header = 2;
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 2 || data.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | data[2 + i];
    if (length < (octets == 1 ? 0x80U : 0x100U)) return std::nullopt;
    header += octets;
  }
  if (data.size() < header + length) return std::nullopt;
  return Extent{header, header + length};
}

}  // namespace

std::optional<DerSpan> TakeElement(DerSpan& rest, std::uint8_t tag) {
  const auto extent = Measure(rest, tag);
  if (!extent) return std::nullopt;
  const DerSpan element = rest.first(extent->whole);
  rest = rest.subspan(extent->whole);
  return element;
}

std::optional<DerSpan> TakeContent(DerSpan& rest, std::uint8_t tag) {
  const auto extent = Measure(rest, tag);
  if (!extent) return std::nullopt;
  const DerSpan content = rest.first(extent->whole).subspan(extent->header);
  rest = rest.subspan(extent->whole);
  return content;
}

std::optional<SignedParts> SplitEcdsaSigned(DerSpan der) {
  auto whole = TakeContent(der, kDerSequence);
  if (!whole || !der.empty()) return std::nullopt;
  const auto content = TakeElement(*whole, kDerSequence);
  const auto algorithm = TakeElement(*whole, kDerSequence);
  const auto bits = TakeContent(*whole, kDerBits);
  if (!content || !algorithm || !bits || !whole->empty()) return std::nullopt;
  if (!std::ranges::equal(*algorithm, kEcdsaWithSha256)) return std::nullopt;
  if (bits->size() < 2 || bits->front() != kNoUnusedBits[0]) return std::nullopt;
  return SignedParts{*content, bits->subspan(1)};
}

Bytes DerElement(std::uint8_t tag, std::initializer_list<DerSpan> parts) {
  std::size_t length = 0;
  for (const DerSpan part : parts) length += part.size();
  Bytes element;
  element.reserve(length + 8);
  element.push_back(tag);
  if (length >= 0x80) {  // Long form: how many octets, then those.
    const int octets = (static_cast<int>(std::bit_width(length)) + 7) / 8;
    element.push_back(static_cast<std::uint8_t>(0x80 | octets));
    for (int i = octets - 1; i > 0; --i) {
      element.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
    }
  }
  element.push_back(static_cast<std::uint8_t>(length));
  for (const DerSpan part : parts) element.insert(element.end(), part.begin(), part.end());
  return element;
}

DerSpan SignatureAlgorithm(const Signer& key) {
  if (key.type() == KeyType::kRsa2048) return kSha256WithRsa;
  return kEcdsaWithSha256;
}

absl::StatusOr<Bytes> SignDer(DerSpan content, const Signer& key) {
  DT_ASSIGN_OR_RETURN(const Bytes signature, key.Sign(content));
  return DerElement(kDerSequence, {content, SignatureAlgorithm(key),
                                   DerElement(kDerBits, {kNoUnusedBits, signature})});
}

}  // namespace devicetrust::pki
