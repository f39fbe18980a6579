// What a directory said of the people and groups of one domain: enough to know what a change of it
// means, groups in groups included, without asking about anybody else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/names.h"
#include "libs/directory/listing.h"

namespace devicetrust::policy {

// Groups have numbers, which stay a group's as long as it is there.
using GroupNumber = std::uint32_t;

struct PicturedGroup {
  GroupNumber number = 0;
  std::string guid;
  std::string sid;
  std::string name;
  std::string dn;
  // A token tells of it: it is for security, and not of the domain controller itself. Who is in one
  // of the others is not in the groups that those are in.
  bool counts = false;
  std::vector<GroupNumber> parents;  // The groups that it is in directly, in order.

  bool operator==(const PicturedGroup&) const = default;
};

// What the sync has made of a person.
enum class Applied : std::int64_t {
  kNothing = 0,   // The org has nobody of that SID by the sync.
  kActive = 1,    // A user, active as far as the directory is concerned.
  kInactive = 2,  // A user whom the directory had the sync deactivate.
  kRefused = 3,   // The org cannot take the person: said in the pass, tried again in each full one.
};

struct PicturedPerson {
  std::string sid;
  std::string profile;  // Digest of the names: whether they have changed.
  bool enabled = false;
  std::int64_t expires_at = 0;      // Unix seconds; 0: never.
  GroupNumber primary = 0;          // The primary group, which lists no members; 0: unknown.
  std::vector<GroupNumber> groups;  // The other groups that the person is in directly, in order.
  Applied applied = Applied::kNothing;

  bool operator==(const PicturedPerson&) const = default;
};

// Not thread-safe; copies are independent.
class Picture {
 public:
  // By GUID.
  using People = std::unordered_map<std::string, PicturedPerson>;
  using Groups = std::unordered_map<GroupNumber, PicturedGroup>;
  using Replaced = std::unordered_map<std::string, std::optional<PicturedPerson>>;

  const People& people() const { return people_; }
  const Groups& groups() const { return groups_; }

  // Adds the person, or says what has become of one.
  void Put(const std::string& guid, PicturedPerson person);
  void Erase(const std::string& guid);
  // What the org has made of the person, who is there.
  void SetApplied(const std::string& guid, Applied applied) {
    people_.find(guid)->second.applied = applied;
  }
  // By GUID: whom Put() and Erase() have changed since Settle(), as they were; nothing: not there.
  // So a pass knows what was before without a copy of everybody.
  const Replaced& replaced() const { return replaced_; }
  void Settle() { replaced_.clear(); }

  Picture GroupsAlone() const;

  void AddGroup(PicturedGroup group);  // Or what has become of it, by its number.
  void RemoveGroup(GroupNumber number);
  // No number below is given to another group.
  void ReserveNumbers(GroupNumber least);
  GroupNumber NewNumber() { return next_number_++; }

  // Null: there is none.
  const PicturedGroup* FindGroup(GroupNumber number) const;
  const PicturedGroup* FindGroupByGuid(const std::string& guid) const;
  const PicturedGroup* FindGroupByDn(std::string_view dn) const;  // As names compare.
  const PicturedGroup* FindGroupBySid(const std::string& sid) const;
  // Of all groups of that name one; in a domain there is one.
  const PicturedGroup* FindGroupByName(std::string_view name) const;

 private:
  void Forget(const PicturedGroup& group);

  People people_;
  Replaced replaced_;
  Groups groups_;
  std::unordered_map<std::string, GroupNumber> by_guid_;
  std::unordered_map<std::string, GroupNumber> by_sid_;
  std::unordered_map<std::string, GroupNumber> by_dn_;  // Folded.
  GroupNumber next_number_ = 1;
};

// The groups that people are in, through other groups too, by the names that the org gives them. Of
// one picture, which must not change meanwhile.
class Memberships {
 public:
  // `prefix` stands before each name: "PARTNER\" in all domains but the first, so that no domain
  // speaks for a group of another.
  Memberships(const Picture& picture, std::string_view prefix);

  // Names in order, one a line, each once: as users are stored.
  std::string NamesOf(const PicturedPerson& person);
  bool IsIn(const PicturedPerson& person, GroupNumber group) const;
  // Names that a member of the group gets by it, in order.
  std::vector<std::string_view> NamesBy(GroupNumber group) const;

 private:
  std::vector<std::string> names_;                 // In order; a rank is an index.
  std::vector<std::vector<std::uint32_t>> ranks_;  // By number of a group: what it brings.
  std::unordered_map<GroupNumber, std::uint32_t> rank_of_;
  void Mark(GroupNumber group, std::vector<std::uint32_t>& all);

  std::vector<std::uint32_t> marks_;  // By rank: the last person who had it.
  std::uint32_t mark_ = 0;
};

}  // namespace devicetrust::policy
