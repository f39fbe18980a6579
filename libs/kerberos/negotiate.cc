#include "libs/kerberos/negotiate.h"

#include <krb5.h>

#include <algorithm>

#include "libs/pki/der.h"

namespace devicetrust::kerberos {
namespace {

using pki::DerElement;
using pki::DerSpan;
using pki::TakeContent;
using pki::TakeElement;

constexpr std::uint8_t kEnumerated = 0x0a;
constexpr std::uint8_t kApplication0 = 0x60;
constexpr std::uint8_t Context(int number) { return static_cast<std::uint8_t>(0xa0 + number); }

// 1.3.6.1.5.5.2 and 1.2.840.113554.1.2.2, header included.
constexpr std::array<std::uint8_t, 8> kSpnego = {0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02};
constexpr std::array<std::uint8_t, 11> kKerberos = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                                    0xf7, 0x12, 0x01, 0x02, 0x02};
// Kinds of a Kerberos token (RFC 4121, section 4.1).
constexpr std::array<std::uint8_t, 2> kApReq = {0x01, 0x00};
constexpr std::array<std::uint8_t, 2> kApRep = {0x02, 0x00};
constexpr std::array<std::uint8_t, 1> kAcceptCompleted = {0x00};

// Takes `part` off the beginning of `rest`.
bool Take(DerSpan& rest, DerSpan part) {
  if (rest.size() < part.size() || !std::ranges::equal(rest.first(part.size()), part)) return false;
  rest = rest.subspan(part.size());
  return true;
}

void AppendLittleEndian(std::uint32_t number, Bytes& out) {
  for (int shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(number >> shift));
  }
}

}  // namespace

std::optional<std::array<std::uint8_t, 24>> GssChecksum(const Bindings& bindings) {
  constexpr std::uint32_t kMutual = 2;  // RFC 2743: GSS_C_MUTUAL_FLAG, GSS_C_INTEG_FLAG.
  constexpr std::uint32_t kIntegrity = 32;
  constexpr std::size_t kMd5Bytes = 16;
  // Types and lengths of both addresses, none: zeros.
  Bytes plain(16, 0);
  AppendLittleEndian(static_cast<std::uint32_t>(bindings.size()), plain);
  plain.insert(plain.end(), bindings.begin(), bindings.end());
  const krb5_data data{KV5M_DATA, static_cast<unsigned>(plain.size()),
                       reinterpret_cast<char*>(plain.data())};
  krb5_checksum md5{};
  if (krb5_c_make_checksum(nullptr, CKSUMTYPE_RSA_MD5, nullptr, 0, &data, &md5) != 0) return {};
  std::array<std::uint8_t, 24> checksum{kMd5Bytes};
  std::copy_n(md5.contents, kMd5Bytes, checksum.begin() + 4);
  krb5_free_checksum_contents(nullptr, &md5);
  checksum[4 + kMd5Bytes] = kMutual | kIntegrity;
  return checksum;
}

Bytes NegTokenInit(std::span<const std::uint8_t> ap_req) {
  const Bytes token = DerElement(kApplication0, {kKerberos, kApReq, ap_req});
  const Bytes mechanisms = DerElement(Context(0), {DerElement(pki::kDerSequence, {kKerberos})});
  const Bytes first = DerElement(Context(2), {DerElement(pki::kDerOctets, {token})});
  const Bytes init = DerElement(pki::kDerSequence, {mechanisms, first});
  return DerElement(kApplication0, {kSpnego, DerElement(Context(0), {init})});
}

std::optional<std::span<const std::uint8_t>> ApRepOf(std::span<const std::uint8_t> neg_token_resp) {
  DerSpan rest = neg_token_resp;
  auto choice = TakeContent(rest, Context(1));
  if (!choice || !rest.empty()) return {};
  auto response = TakeContent(*choice, pki::kDerSequence);
  if (!response || !choice->empty()) return {};

  auto state = TakeContent(*response, Context(0));
  auto mechanism = TakeContent(*response, Context(1));
  auto token = TakeContent(*response, Context(2));
  // What may follow, a MIC over the list of mechanisms, protects a choice among several.
  TakeElement(*response, Context(3));
  if (!state || !mechanism || !token || !response->empty()) return {};
  const auto completed = TakeContent(*state, kEnumerated);
  if (!completed || !state->empty() || !std::ranges::equal(*completed, kAcceptCompleted)) return {};
  if (!std::ranges::equal(*mechanism, kKerberos)) return {};

  auto octets = TakeContent(*token, pki::kDerOctets);
  if (!octets || !token->empty()) return {};
  auto ap_rep = TakeContent(*octets, kApplication0);
  if (!ap_rep || !octets->empty()) return {};
  if (!Take(*ap_rep, kKerberos) || !Take(*ap_rep, kApRep)) return {};
  return *ap_rep;
}

}  // namespace devicetrust::kerberos
