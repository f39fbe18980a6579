#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// What every issuer took back, in memory, 64 bytes for each: so that a list costs what its own
// entries cost, and one more revocation the reading of one row, however many there are. Not
// thread-safe.
class CrlIndex {
 public:
  // `database` must outlive it.
  explicit CrlIndex(db::Database& database) : database_(database) {}

  // Takes over what was committed since the last time; at first, everything. Errors: those of
  // db::Database.
  absl::Status CatchUp();

  // The entries of a list, as pki::AppendCrlEntry() writes them.
  struct Entries {
    Bytes der;
    std::size_t count = 0;
    std::int64_t sequence = 0;  // Of the last change that is in it.
  };
  // Unix seconds.
  struct Dates {
    std::int64_t this_update = 0;   // Of the list. No entry is dated later: Java takes one
                                    // whose date is ahead of its clock for good.
    std::int64_t ended_before = 0;  // Certificates that ended by then are left out.
  };
  // Forgets those that are left out.
  Entries Complete(const std::string& issuer_id, const Dates& dates);
  // Those that name this part.
  Entries Shard(const std::string& issuer_id, std::int64_t shard, const Dates& dates);
  // What changed after `sequence`: for ends of holds, entries of removeFromCRL.
  Entries Delta(const std::string& issuer_id, std::int64_t sequence, const Dates& dates);

  // Of the last change of an issuer, or of one part; 0 without any.
  std::int64_t LastChange(const std::string& issuer_id) const;
  std::int64_t LastChange(const std::string& issuer_id, std::int64_t shard) const;
  std::size_t size(const std::string& issuer_id) const;
  // Entries of Delta().
  std::size_t CountAfter(const std::string& issuer_id, std::int64_t sequence) const;

 private:
  static constexpr std::size_t kSerialOctetsMax = 20;
  struct Entry {
    std::int64_t sequence = 0;
    std::int64_t revoked_at = 0;
    std::int64_t not_after = 0;
    std::array<std::uint8_t, kSerialOctetsMax> serial{};
    std::uint8_t serial_size = 0;
    std::uint8_t reason = 0;
    bool dropped = false;  // Released, or listed again with another reason.
  };
  struct Part {
    std::vector<Entry> entries;  // In the order of their sequence numbers.
    std::int64_t last_change = 0;
  };
  struct Place {
    std::int64_t shard;
    std::size_t index;
  };
  struct Issuer {
    std::map<std::int64_t, Part> parts;           // By shard.
    std::unordered_map<std::string, Place> held;  // By serial octets.
    // As removeFromCRL, by serial octets: what is not on a list again since.
    std::unordered_map<std::string, Entry> released;
    std::int64_t last_change = 0;
    std::size_t size = 0;
  };

  void Take(const StoredRevocation& change);
  // Takes an entry that is on hold out of its part. Null: there is none.
  static Entry* Drop(Issuer& issuer, const std::string& serial, std::int64_t sequence);
  static void Prune(Issuer& issuer, std::int64_t ended_before);
  static void Append(Entries& entries, const Entry& entry, const Dates& dates);

  db::Database& database_;
  std::int64_t sequence_ = 0;
  std::map<std::string, Issuer> issuers_;
};

}  // namespace devicetrust::ca
