// How the account table lies in its file. Private to account_view.cc and account_table.cc.
//
//   Header | index_slots x index entry | rows_max x Cell
//
// An index entry is 0 (never used), or the upper half of a key's hash and, below, slot + 1;
// kTombstone below marks a key that was taken out. Linear probing; a hit is checked against
// the row, so a hash that two keys share costs time, never a wrong answer.
#pragma once

#include <atomic>

#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {

inline constexpr char kTableMagic[8] = {'D', 'T', 'F', 'O', 'R', 'E', 'S', 'T'};
inline constexpr std::uint32_t kTableVersion = 4;
inline constexpr std::uint32_t kTombstone = 0xffffffff;
inline constexpr std::uint32_t kKeysPerRow = 4;  // Name, UPN, DN, RID.

struct TrustCell {
  std::uint32_t realm;  // This and the next before `trusts` counts it.
  std::uint32_t partner;
  std::atomic<std::uint32_t> direction;
  std::atomic<std::uint32_t> key;  // The row of its key: slot + 1; 0: never had one.
  std::atomic<std::uint64_t> usn;
  std::atomic<std::int64_t> created;
  std::atomic<std::int64_t> changed_at;
};

// A member of a group from another domain: index of the group + 1, realm and RID; 0: none.
inline constexpr std::uint64_t PackForeignMember(std::size_t group, std::uint32_t realm,
                                                 std::uint32_t rid) {
  return static_cast<std::uint64_t>(group + 1) << 48U | std::uint64_t{realm} << 32U | rid;
}

struct TableHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t row_bytes;  // A build with another Row is another layout too.
  std::uint32_t rows_max;
  std::uint32_t index_slots;  // A power of two, at least twice the keys.
  std::atomic<std::uint32_t> rows;
  std::atomic<std::uint32_t> realms;
  std::atomic<std::uint32_t> groups;
  std::atomic<std::uint32_t> trusts;
  std::atomic<std::uint64_t> usn;
  std::atomic<std::uint64_t> groups_version;
  std::uint64_t invocation[2];  // Random: of this table and no other.
  Realm realm[kRealmsMax];
  Group group[kGroupsMax];
  std::atomic<std::uint64_t> group_usn[kGroupsMax];                       // By index of the group.
  std::atomic<std::uint32_t> group_parent[kGroupsMax][kGroupParentsMax];  // RIDs; 0: none.
  std::atomic<std::uint64_t> foreign_member[kForeignMembersMax];          // PackForeignMember().
  TrustCell trust[kTrustsMax];
  std::atomic<std::int64_t> clock_skew[kRealmsMax];  // Seconds, by index of a forest's root.
};
static_assert(sizeof(TableHeader) % 8 == 0 && std::atomic<std::uint64_t>::is_always_lock_free);

inline constexpr std::size_t kRowWords = sizeof(Row) / 8;
inline constexpr std::size_t kUsnWord = offsetof(Row, usn) / 8;
inline constexpr std::size_t kGroupsUsnWord = offsetof(Row, groups_usn) / 8;

// Even sequence: the words are one row. Odd: a change is being stored. All words are
// atomic, so that a reader that meets a change reads garbage by the rules and drops it.
struct Cell {
  std::atomic<std::uint64_t> sequence;
  std::atomic<std::uint64_t> word[kRowWords];
};

struct AccountView::Mapping {
  Mapping(void* memory_in, std::size_t bytes_in) : memory(memory_in), bytes(bytes_in) {}
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  TableHeader& header() const { return *static_cast<TableHeader*>(memory); }
  std::atomic<std::uint64_t>* index() const {
    return reinterpret_cast<std::atomic<std::uint64_t>*>(static_cast<char*>(memory) +
                                                         sizeof(TableHeader));
  }
  Cell& cell(std::uint32_t slot) const {
    return reinterpret_cast<Cell*>(index() + header().index_slots)[slot];
  }
  static std::size_t BytesFor(std::uint32_t index_slots, std::uint32_t rows_max) {
    return sizeof(TableHeader) + std::size_t{index_slots} * 8 +
           std::size_t{rows_max} * sizeof(Cell);
  }

  void* const memory;
  const std::size_t bytes;
};

enum class KeyKind : unsigned char { kName = 1, kUpn, kDn, kRid };

// Of the folded text (libs/base/names.h).
std::uint64_t HashKey(KeyKind kind, std::uint32_t realm, std::string_view text);
std::uint64_t HashRid(std::uint32_t realm, std::uint32_t rid);

inline std::uint64_t GroupKey(std::uint32_t realm, std::uint32_t rid) {
  return std::uint64_t{realm} << 32U | rid;
}

absl::Status TooLong(std::string_view what, std::string_view value);  // In account_table.cc.

}  // namespace devicetrust::simulator
