// The chain of the System Log: each event carries the hash of the one before it, so that none can
// be changed, left out or added between two others without all hashes after it changing too.
//
//   content = SHA-256(CanonicalJson(event))
//   hash    = SHA-256(hash of the event before ‖ sequence, 8 octets, big-endian ‖ content)
//
// Pure and thread-safe, but for ChainVerifier.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/status.h"
#include "libs/pki/digest.h"
#include "libs/pki/key.h"

namespace devicetrust::eventlog {

using Hash = pki::Sha256Digest;

// Before the first event.
inline constexpr Hash kNoHash{};

Hash ContentHash(const org::v1::Event& event);
Hash LinkHash(const Hash& previous, std::int64_t sequence, const Hash& content);

// nullopt: not 32 octets.
std::optional<Hash> HashFrom(std::string_view octets);

// An event as a verifier needs it, whether it came as a message or as a line of an export.
struct ChainedEvent {
  std::string id;
  std::string published;
  std::int64_t sequence = 0;
  std::optional<Hash> previous;  // Nothing: the event carries no hash.
  std::optional<Hash> hash;
  Hash content{};
};
ChainedEvent ChainedEventOf(const org::v1::Event& event);

// Takes events one by one, oldest first, and says from where on they do not hold.
class ChainVerifier {
 public:
  // Begins behind an event that is gone, or at the very beginning.
  explicit ChainVerifier(Hash after) : expected_(after) {}
  // Begins with whatever event comes first: of an export, nobody knows what was before it.
  ChainVerifier() = default;

  // Events below this sequence that come before all others are older than the chain and need no
  // hash.
  void SetChainedFrom(std::int64_t sequence) { chained_from_ = sequence; }

  // False: it does not hold from this event on, and problem() says why. Takes none after that.
  bool Add(const ChainedEvent& event);
  // Whether the newest event so far is of this sequence and hash, as a head says. False as above.
  bool EndsWith(std::int64_t sequence, const Hash& hash);

  // "event ca/issue-0a1b of 2026-…, sequence 17…: …"; empty while it holds.
  const std::string& problem() const { return problem_; }
  std::int64_t verified() const { return verified_; }
  std::int64_t unchained() const { return unchained_; }  // Older than the chain.
  std::int64_t sequence() const { return sequence_; }    // Of the last one that holds.
  const std::optional<Hash>& hash() const { return expected_; }

 private:
  bool Fail(const ChainedEvent& event, std::string_view what);

  std::optional<Hash> expected_;
  std::int64_t chained_from_ = 0;
  std::int64_t sequence_ = 0;
  std::int64_t verified_ = 0;
  std::int64_t unchained_ = 0;
  std::string problem_;
};

// What a head's signature is over: one line each, "devicetrust-log-head", the org, the sequence,
// the hash in hex and the time as EventTime() writes it.
std::string HeadText(const org::v1::LogHead& head);

// kPermissionDenied: the signature is not of this key.
absl::Status CheckHead(const org::v1::LogHead& head, const pki::PublicKey& key);

}  // namespace devicetrust::eventlog
