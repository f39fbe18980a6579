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
inline constexpr std::uint32_t kTableVersion = 3;
inline constexpr std::uint32_t kTombstone = 0xffffffff;
inline constexpr std::uint32_t kKeysPerRow = 4;  // Name, UPN, DN, RID.

struct TableHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t row_bytes;  // A build with another Row is another layout too.
  std::uint32_t rows_max;
  std::uint32_t index_slots;  // A power of two, at least twice the keys.
  std::atomic<std::uint32_t> rows;
  std::atomic<std::uint32_t> realms;
  std::atomic<std::uint32_t> groups;
  std::uint32_t unused;
  std::atomic<std::uint64_t> usn;
  std::uint64_t invocation[2];  // Random: of this table and no other.
  Realm realm[kRealmsMax];
  Group group[kGroupsMax];
  std::atomic<std::uint64_t> group_usn[kGroupsMax];                       // By index of the group.
  std::atomic<std::uint32_t> group_parent[kGroupsMax][kGroupParentsMax];  // RIDs; 0: none.
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

}  // namespace devicetrust::simulator
