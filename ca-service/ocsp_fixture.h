// A client of OCSP: asks, and reads what is answered. OpenSSL judges the same octets in
// libs/pki/ocsp_test.cc. For the tests of this folder and the benchmark.
#pragma once

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/check.h"
#include "libs/base/clock.h"
#include "libs/base/encoding.h"
#include "libs/pki/certificate.h"
#include "libs/pki/der.h"
#include "libs/pki/digest.h"

namespace devicetrust::ca {

// The CertID of a serial of `issuer`, by SHA-256.
inline Bytes CertIdOf(const pki::Certificate& issuer, const std::string& serial_hex) {
  constexpr std::array<std::uint8_t, 13> kSha256 = {0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                                    0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
  const Bytes spki = issuer.public_key().value().Spki();
  pki::DerSpan rest(spki);
  pki::DerSpan parts = *pki::TakeContent(rest, pki::kDerSequence);
  pki::TakeElement(parts, pki::kDerSequence);
  const pki::DerSpan bits = *pki::TakeContent(parts, pki::kDerBits);
  Bytes serial = HexDecode(serial_hex).value();
  if ((serial.at(0) & 0x80) != 0) serial.insert(serial.begin(), 0);
  return pki::DerElement(
      pki::kDerSequence,
      {kSha256, pki::DerElement(pki::kDerOctets, {pki::Sha256(issuer.subject_der())}),
       pki::DerElement(pki::kDerOctets, {pki::Sha256(bits.subspan(1))}),
       pki::DerElement(pki::kDerInteger, {serial})});
}

// A request about those CertIDs; `nonce`: none when it is empty.
inline Bytes OcspRequestAbout(const std::vector<Bytes>& cert_ids, const Bytes& nonce = {}) {
  Bytes list;
  for (const Bytes& id : cert_ids) {
    const Bytes single = pki::DerElement(pki::kDerSequence, {id});
    list.insert(list.end(), single.begin(), single.end());
  }
  Bytes extensions;
  if (!nonce.empty()) {
    constexpr std::array<std::uint8_t, 11> kNonceOid = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x05,
                                                        0x05, 0x07, 0x30, 0x01, 0x02};
    const Bytes inner = pki::DerElement(pki::kDerOctets, {nonce});
    const Bytes extension =
        pki::DerElement(pki::kDerSequence, {kNonceOid, pki::DerElement(pki::kDerOctets, {inner})});
    extensions = pki::DerElement(0xa2, {pki::DerElement(pki::kDerSequence, {extension})});
  }
  const Bytes content =
      pki::DerElement(pki::kDerSequence, {pki::DerElement(pki::kDerSequence, {list}), extensions});
  return pki::DerElement(pki::kDerSequence, {content});
}

struct ReadOcspAnswer {
  struct Single {
    Bytes cert_id;
    enum { kGood, kRevoked, kUnknown } status = kUnknown;
    WallTime revoked_at = {};
    int reason = 0;
    WallTime this_update = {};
    WallTime next_update = {};
  };
  int response_status = -1;  // 0: the rest is there.
  WallTime produced_at = {};
  std::vector<Single> singles = {};
  bool has_nonce = false;
  std::optional<pki::Certificate> delegate = {};  // Its key made the signature.
};

namespace ocsp_reading {

inline WallTime TakeTime(pki::DerSpan& rest) {
  const pki::DerSpan text = *pki::TakeContent(rest, 0x18);
  DT_CHECK(text.size() == 15 && text[14] == 'Z');
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = 0;
    for (const std::uint8_t digit : text.subspan(at, size)) value = value * 10 + (digit - '0');
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(6, 2))));
  return std::chrono::sys_days(date) + std::chrono::hours(number(8, 2)) +
         std::chrono::minutes(number(10, 2)) + std::chrono::seconds(number(12, 2));
}

inline ReadOcspAnswer::Single TakeSingle(pki::DerSpan& list) {
  pki::DerSpan content = *pki::TakeContent(list, pki::kDerSequence);
  ReadOcspAnswer::Single single;
  const pki::DerSpan id = *pki::TakeElement(content, pki::kDerSequence);
  single.cert_id.assign(id.begin(), id.end());
  if (pki::TakeElement(content, 0x80)) {
    single.status = ReadOcspAnswer::Single::kGood;
  } else if (auto revoked = pki::TakeContent(content, 0xa1)) {
    single.status = ReadOcspAnswer::Single::kRevoked;
    single.revoked_at = TakeTime(*revoked);
    if (const auto reason = pki::TakeContent(*revoked, 0xa0)) single.reason = (*reason)[2];
  } else {
    DT_CHECK(pki::TakeElement(content, 0x82).has_value());
  }
  single.this_update = TakeTime(content);
  pki::DerSpan next = *pki::TakeContent(content, 0xa0);
  single.next_update = TakeTime(next);
  return single;
}

}  // namespace ocsp_reading

// Stops when it is no answer, or not signed by the certificate in it.
inline ReadOcspAnswer ReadOcsp(pki::DerSpan der) {
  ReadOcspAnswer answer;
  pki::DerSpan whole = *pki::TakeContent(der, pki::kDerSequence);
  DT_CHECK(der.empty());
  answer.response_status = (*pki::TakeContent(whole, 0x0a))[0];
  if (answer.response_status != 0) return answer;
  pki::DerSpan tagged = *pki::TakeContent(whole, 0xa0);
  pki::DerSpan typed = *pki::TakeContent(tagged, pki::kDerSequence);
  pki::TakeElement(typed, 0x06);
  pki::DerSpan octets = *pki::TakeContent(typed, pki::kDerOctets);
  pki::DerSpan basic = *pki::TakeContent(octets, pki::kDerSequence);
  const pki::DerSpan data = *pki::TakeElement(basic, pki::kDerSequence);
  pki::TakeElement(basic, pki::kDerSequence);
  const pki::DerSpan signature = pki::TakeContent(basic, pki::kDerBits)->subspan(1);
  pki::DerSpan certificates = *pki::TakeContent(basic, 0xa0);
  answer.delegate =
      pki::Certificate::FromDer(*pki::TakeContent(certificates, pki::kDerSequence)).value();
  DT_CHECK(answer.delegate->public_key().value().Verify(data, signature));

  pki::DerSpan rest = data;
  pki::DerSpan content = *pki::TakeContent(rest, pki::kDerSequence);
  pki::TakeElement(content, 0xa2);
  answer.produced_at = ocsp_reading::TakeTime(content);
  pki::DerSpan list = *pki::TakeContent(content, pki::kDerSequence);
  while (!list.empty()) answer.singles.push_back(ocsp_reading::TakeSingle(list));
  answer.has_nonce = pki::TakeElement(content, 0xa1).has_value();
  return answer;
}

}  // namespace devicetrust::ca
