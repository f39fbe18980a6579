#include "ca-service/crl_index.h"

#include <algorithm>
#include <chrono>
#include <span>

#include "libs/base/clock.h"
#include "libs/base/encoding.h"
#include "libs/pki/crl.h"

namespace devicetrust::ca {
namespace {

constexpr std::int64_t kIndexedAtOnce = 10'000;
constexpr std::size_t kEntryOctets = 56;  // Of DER, for serials of 20 octets.
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

}  // namespace

absl::Status CrlIndex::CatchUp() {
  while (true) {
    DT_ASSIGN_OR_RETURN(const auto changes, database_.Read([&](db::Transaction& txn) {
      return CertificateStore(txn).RevokedAfter(sequence_, kIndexedAtOnce);
    }));
    for (const StoredRevocation& change : changes) {
      Take(change);
      sequence_ = change.sequence;
    }
    if (std::ssize(changes) < kIndexedAtOnce) return absl::OkStatus();
  }
}

void CrlIndex::Take(const StoredRevocation& change) {
  const Bytes octets = HexDecode(change.serial).value_or(Bytes());
  if (octets.empty() || octets.size() > kSerialOctetsMax) return;  // None of ours.
  Issuer& issuer = issuers_[change.issuer_id];
  issuer.last_change = change.sequence;
  Entry entry;
  entry.sequence = change.sequence;
  entry.not_after = change.not_after;
  std::ranges::copy(octets, entry.serial.begin());
  entry.serial_size = static_cast<std::uint8_t>(octets.size());
  const std::string serial = ToString(octets);
  const Entry* const before = Drop(issuer, serial, change.sequence);
  if (change.released) {
    // Sequence numbers are never below the time at which they were given.
    entry.revoked_at = before == nullptr ? change.sequence / kMicrosPerSecond : before->revoked_at;
    entry.reason = static_cast<std::uint8_t>(pki::CrlReason::kRemoveFromCrl);
    issuer.released[serial] = entry;
    return;
  }
  issuer.released.erase(serial);
  entry.revoked_at = change.revoked_at;
  entry.reason = static_cast<std::uint8_t>(change.reason);
  Part& part = issuer.parts[change.crl_shard];
  part.last_change = change.sequence;
  if (change.reason == v1::REVOCATION_REASON_CERTIFICATE_HOLD) {
    issuer.held[serial] = {change.crl_shard, part.entries.size()};
  }
  part.entries.push_back(entry);
  ++issuer.size;
}

CrlIndex::Entry* CrlIndex::Drop(Issuer& issuer, const std::string& serial, std::int64_t sequence) {
  const auto held = issuer.held.find(serial);
  if (held == issuer.held.end()) return nullptr;
  Part& part = issuer.parts.at(held->second.shard);
  Entry& entry = part.entries[held->second.index];
  entry.dropped = true;
  part.last_change = sequence;
  issuer.held.erase(held);
  --issuer.size;
  return &entry;
}

// Once a quarter is of no use any more.
void CrlIndex::Prune(Issuer& issuer, std::int64_t ended_before) {
  std::erase_if(issuer.released, [ended_before](const auto& released) {
    return released.second.not_after <= ended_before;
  });
  for (auto& [shard, part] : issuer.parts) {
    const auto is_over = [ended_before](const Entry& entry) {
      return entry.dropped || entry.not_after <= ended_before;
    };
    const auto over = static_cast<std::size_t>(std::ranges::count_if(part.entries, is_over));
    if (over == 0 || over < part.entries.size() / 4) continue;
    for (const Entry& entry : part.entries) {
      if (is_over(entry) && !entry.dropped) --issuer.size;
    }
    std::erase_if(part.entries, is_over);
    std::erase_if(issuer.held, [&](const auto& held) { return held.second.shard == shard; });
    for (std::size_t i = 0; i < part.entries.size(); ++i) {
      const Entry& entry = part.entries[i];
      if (entry.reason != static_cast<std::uint8_t>(pki::CrlReason::kCertificateHold)) continue;
      issuer.held[std::string(entry.serial.begin(), entry.serial.begin() + entry.serial_size)] = {
          shard, i};
    }
  }
}

void CrlIndex::Append(Entries& entries, const Entry& entry, const Dates& dates) {
  if (entry.not_after <= dates.ended_before) return;
  pki::AppendCrlEntry(entries.der, std::span(entry.serial).first(entry.serial_size),
                      AtUnixSeconds(std::min(entry.revoked_at, dates.this_update)),
                      static_cast<pki::CrlReason>(entry.reason));
  ++entries.count;
}

CrlIndex::Entries CrlIndex::Complete(const std::string& issuer_id, const Dates& dates) {
  Issuer& issuer = issuers_[issuer_id];
  Prune(issuer, dates.ended_before);
  Entries entries;
  entries.sequence = issuer.last_change;
  entries.der.reserve(issuer.size * kEntryOctets);
  for (const auto& [shard, part] : issuer.parts) {
    for (const Entry& entry : part.entries) {
      if (!entry.dropped) Append(entries, entry, dates);
    }
  }
  return entries;
}

CrlIndex::Entries CrlIndex::Shard(const std::string& issuer_id, std::int64_t shard,
                                  const Dates& dates) {
  const Part& part = issuers_[issuer_id].parts[shard];
  Entries entries;
  entries.sequence = part.last_change;
  for (const Entry& entry : part.entries) {
    if (!entry.dropped) Append(entries, entry, dates);
  }
  return entries;
}

CrlIndex::Entries CrlIndex::Delta(const std::string& issuer_id, std::int64_t sequence,
                                  const Dates& dates) {
  const Issuer& issuer = issuers_[issuer_id];
  Entries entries;
  entries.sequence = issuer.last_change;
  for (const auto& [shard, part] : issuer.parts) {
    const auto first = std::ranges::upper_bound(part.entries, sequence, {}, &Entry::sequence);
    for (auto entry = first; entry != part.entries.end(); ++entry) {
      if (!entry->dropped) Append(entries, *entry, dates);
    }
  }
  for (const auto& [serial, entry] : issuer.released) {
    if (entry.sequence > sequence) Append(entries, entry, dates);
  }
  return entries;
}

std::int64_t CrlIndex::LastChange(const std::string& issuer_id) const {
  const auto issuer = issuers_.find(issuer_id);
  return issuer == issuers_.end() ? 0 : issuer->second.last_change;
}

std::int64_t CrlIndex::LastChange(const std::string& issuer_id, std::int64_t shard) const {
  const auto issuer = issuers_.find(issuer_id);
  if (issuer == issuers_.end()) return 0;
  const auto part = issuer->second.parts.find(shard);
  return part == issuer->second.parts.end() ? 0 : part->second.last_change;
}

std::size_t CrlIndex::size(const std::string& issuer_id) const {
  const auto issuer = issuers_.find(issuer_id);
  return issuer == issuers_.end() ? 0 : issuer->second.size;
}

std::size_t CrlIndex::CountAfter(const std::string& issuer_id, std::int64_t sequence) const {
  const auto issuer = issuers_.find(issuer_id);
  if (issuer == issuers_.end()) return 0;
  const auto is_later = [sequence](const auto& held) { return held.second.sequence > sequence; };
  auto count = static_cast<std::size_t>(std::ranges::count_if(issuer->second.released, is_later));
  for (const auto& [shard, part] : issuer->second.parts) {
    const auto first = std::ranges::upper_bound(part.entries, sequence, {}, &Entry::sequence);
    count += static_cast<std::size_t>(part.entries.end() - first);
  }
  return count;
}

}  // namespace devicetrust::ca
