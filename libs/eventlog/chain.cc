#include "libs/eventlog/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libs/base/encoding.h"
#include "libs/base/printable.h"
#include "libs/eventlog/event_json.h"

namespace devicetrust::eventlog {

namespace v1 = ::devicetrust::org::v1;

Hash ContentHash(const v1::Event& event) { return pki::Sha256(CanonicalJson(event)); }

Hash LinkHash(const Hash& previous, std::int64_t sequence, const Hash& content) {
  std::array<std::uint8_t, 72> octets;
  auto* const number = std::ranges::copy(previous, octets.begin()).out;
  const auto bits = static_cast<std::uint64_t>(sequence);
  for (int i = 0; i < 8; ++i) number[i] = static_cast<std::uint8_t>(bits >> (8 * (7 - i)));
  std::ranges::copy(content, number + 8);
  return pki::Sha256(octets);
}

std::optional<Hash> HashFrom(std::string_view octets) {
  Hash hash{};
  if (octets.size() != hash.size()) return std::nullopt;
  std::ranges::copy(AsBytes(octets), hash.begin());
  return hash;
}

ChainedEvent ChainedEventOf(const v1::Event& event) {
  ChainedEvent chained;
  chained.id = event.id();
  chained.published = EventTime(event.at());
  chained.sequence = event.sequence();
  if (!event.has_chain()) return chained;
  chained.previous = HashFrom(event.chain().previous_hash());
  chained.hash = HashFrom(event.chain().hash());
  chained.content = ContentHash(event);
  return chained;
}

bool ChainVerifier::Fail(const ChainedEvent& event, std::string_view what) {
  problem_ = fmt::format("event {} of {}, sequence {}: {}", Printable(event.id),
                         Printable(event.published), event.sequence, what);
  return false;
}

bool ChainVerifier::Add(const ChainedEvent& event) {
  if (!problem_.empty()) return false;
  if (event.sequence <= sequence_) {
    return Fail(event,
                "it does not come after the event before it: it is a double, or out of order");
  }
  if (!event.previous || !event.hash) {
    if (event.sequence >= chained_from_ || verified_ > 0) {
      return Fail(event,
                  "it carries no hash, so it was put there, or written by a release that knew"
                  " no chain");
    }
    sequence_ = event.sequence;
    ++unchained_;
    return true;
  }
  if (expected_ && *event.previous != *expected_) {
    return Fail(event,
                "it does not follow the event before it: events between were removed, or one"
                " of them was replaced");
  }
  if (LinkHash(*event.previous, event.sequence, event.content) != *event.hash) {
    return Fail(event, "its content is not what was written");
  }
  expected_ = event.hash;
  sequence_ = event.sequence;
  ++verified_;
  return true;
}

bool ChainVerifier::EndsWith(std::int64_t sequence, const Hash& hash) {
  if (!problem_.empty()) return false;
  if (sequence_ == sequence && expected_ == hash) return true;
  if (sequence_ < sequence) {
    problem_ =
        fmt::format("after sequence {}: the events from there up to sequence {} were removed",
                    sequence_, sequence);
  } else {
    problem_ = fmt::format(
        "sequence {}: the event there is not the one that was signed: it, or one before it, was"
        " replaced",
        sequence);
  }
  return false;
}

std::string HeadText(const v1::LogHead& head) {
  return fmt::format("devicetrust-log-head\n{}\n{}\n{}\n{}\n", head.org(), head.sequence(),
                     HexEncode(AsBytes(head.hash())), EventTime(head.at()));
}

absl::Status CheckHead(const v1::LogHead& head, const pki::PublicKey& key) {
  if (key.VerifyEs256(HeadText(head), AsBytes(head.signature()))) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("the head of the System Log at sequence {} is not signed by this org's key",
                  head.sequence()));
}

}  // namespace devicetrust::eventlog
