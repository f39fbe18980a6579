#pragma once

#include <bitset>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "libs/base/snapshot.h"
#include "libs/pki/serial_set.h"

namespace devicetrust::gateway {

// Which certificates are revoked, by serial. A million take 11 MB: those of the CA's length lie in
// a pki::SerialSet by their first 12 octets, which the CA gives no two certificates alike; changes
// gather beside it until they are worth a new one, so that a change costs little however much
// there is. One writer; readers see immutable snapshots.
class RevokedSerials {
 public:
  struct Change {
    std::string serial;   // Lower-case hex.
    bool revoked = true;  // False: good again.
  };

  RevokedSerials();
  void Apply(std::span<const Change> changes);
  // Adds many at once to those that are known.
  void AddAll(std::vector<pki::SerialKey> keys, std::span<const std::string> serials);

  bool Contains(const std::string& serial) const;
  std::size_t size() const;
  std::size_t memory_bytes() const;  // Of the large set alone.

 private:
  static constexpr std::size_t kRecentBits = 8192;
  using Serials = std::unordered_set<std::string>;
  struct View {
    std::shared_ptr<const pki::SerialSet> large;
    std::vector<pki::SerialSet::Change> recent;  // By key; each overrules `large`.
    // A bit for each key of `recent`: most of the others are told by it.
    std::bitset<kRecentBits> recent_bits;
    std::shared_ptr<const Serials> others;  // Of other lengths.
  };
  Snapshot<View> view_;
};

}  // namespace devicetrust::gateway
