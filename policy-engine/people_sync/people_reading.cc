#include "policy-engine/people_sync/people_reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "libs/pki/digest.h"
#include "policy-engine/users/user_import.h"

namespace devicetrust::policy {
namespace {

using directory::ListedGroup;
using directory::ListedPerson;

constexpr std::size_t kDigestBytes = 16;
// Each costs a search: for more of them, to read everybody is cheaper.
constexpr std::size_t kChangedGroupsMax = 200;

PersonProfile ProfileOf(ListedPerson& person, const PeopleScope& scope) {
  PersonProfile profile;
  profile.principal = std::move(person.principal);
  if (profile.principal.empty()) {  // As Active Directory completes it.
    profile.principal = fmt::format("{}@{}", person.account_name, scope.domain);
  }
  profile.account_name = std::move(person.account_name);
  profile.display_name = std::move(person.display_name);
  profile.email = std::move(person.mail);
  profile.given_name = std::move(person.given_name);
  profile.surname = std::move(person.surname);
  return profile;
}

absl::Status CheckSid(const ListedPerson& person, const PeopleScope& scope) {
  if (person.sid.starts_with(scope.domain_sid + "-")) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("the directory of {} has an account of SID {}, which is not below {}: correct"
                  " domain-sid or url of its [[directory]]",
                  scope.domain, person.sid, scope.domain_sid));
}

// Names are stored one a line, and "PARTNER\Staff" is of another domain: whoever may name a group
// must not make it look like others.
bool IsPlainName(std::string_view name) {
  return !name.empty() && !HasControl(name) && name.find('\\') == name.npos &&
         CharactersOf(name) <= kNameCharactersMax;
}

PicturedGroup PictureOf(const ListedGroup& group, GroupNumber number) {
  PicturedGroup pictured;
  pictured.number = number;
  pictured.guid = group.guid;
  pictured.sid = group.sid;
  pictured.name = TrimName(group.name);
  pictured.dn = group.distinguished_name;
  pictured.counts = group.security && !group.builtin && IsPlainName(pictured.name);
  return pictured;
}

// The numbers of groups by name; nothing for `unknown`, who is told.
std::vector<GroupNumber> NumbersOf(const std::vector<std::string>& dns, const Picture& picture,
                                   bool& unknown) {
  std::vector<GroupNumber> numbers;
  numbers.reserve(dns.size());
  for (const std::string& dn : dns) {
    const PicturedGroup* const group = picture.FindGroupByDn(dn);
    if (group == nullptr) {
      unknown = true;
    } else {
      numbers.push_back(group->number);
    }
  }
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

// Groups first, then what they are in: of a circle each comes before another. False: one is in a
// group that is not pictured.
bool AddGroups(const std::vector<ListedGroup>& groups, Picture& picture) {
  for (const ListedGroup& group : groups) {
    const PicturedGroup* const known = picture.FindGroupByGuid(group.guid);
    picture.AddGroup(PictureOf(group, known == nullptr ? picture.NewNumber() : known->number));
  }
  bool unknown = false;
  for (const ListedGroup& group : groups) {
    PicturedGroup pictured = *picture.FindGroupByGuid(group.guid);
    pictured.parents = NumbersOf(group.member_of, picture, unknown);
    picture.AddGroup(std::move(pictured));
  }
  return !unknown;
}

// False: one of the person's groups is not pictured.
bool AddPerson(ListedPerson person, const PeopleScope& scope, PeopleReading& reading) {
  bool unknown = false;
  const auto known = reading.picture.people().find(person.guid);
  PicturedPerson pictured;
  if (known != reading.picture.people().end()) pictured.applied = known->second.applied;
  pictured.sid = person.sid;
  pictured.enabled = person.enabled;
  if (person.expires_at) pictured.expires_at = UnixSeconds(*person.expires_at);
  const PicturedGroup* const primary = reading.picture.FindGroupBySid(
      fmt::format("{}-{}", scope.domain_sid, person.primary_group_id));
  if (primary != nullptr) pictured.primary = primary->number;
  pictured.groups = NumbersOf(person.member_of, reading.picture, unknown);
  const std::string guid = std::move(person.guid);
  PersonProfile profile = ProfileOf(person, scope);
  pictured.profile = DigestOf(profile);
  const bool is_told =
      pictured.applied == Applied::kNothing || pictured.applied == Applied::kRefused ||
      known == reading.picture.people().end() || known->second.profile != pictured.profile;
  if (is_told) reading.profiles[guid] = std::move(profile);
  reading.picture.Put(guid, std::move(pictured));
  return !unknown;
}

bool IsBelow(std::string_view dn, std::string_view folded_base) {
  if (folded_base.empty()) return true;
  const std::string folded = FoldName(dn);
  return folded == folded_base ||
         (folded.size() > folded_base.size() && folded.ends_with(folded_base) &&
          folded[folded.size() - folded_base.size() - 1] == ',');
}

void AddMember(const std::string& guid, GroupNumber number, Picture& picture) {
  const auto add = [number](std::vector<GroupNumber>& groups) {
    groups.insert(std::ranges::lower_bound(groups, number), number);
  };
  const auto person = picture.people().find(guid);
  if (person != picture.people().end()) {
    if (std::ranges::binary_search(person->second.groups, number)) return;
    PicturedPerson member = person->second;
    add(member.groups);
    return picture.Put(guid, std::move(member));
  }
  const PicturedGroup* const group = picture.FindGroupByGuid(guid);
  if (group == nullptr || std::ranges::binary_search(group->parents, number)) return;
  PicturedGroup child = *group;
  add(child.parents);
  picture.AddGroup(std::move(child));
}

// Who is in the changed groups now, and which groups are: lists of members are of the group, and
// change nothing at the member.
absl::Status ReadMembers(directory::ListingPass& pass, const std::vector<ListedGroup>& changed,
                         Picture& picture) {
  std::unordered_map<GroupNumber, std::unordered_set<std::string>> members;
  for (const ListedGroup& group : changed) {
    const PicturedGroup* const pictured = picture.FindGroupByGuid(group.guid);
    if (pictured == nullptr) continue;  // Deleted since.
    DT_ASSIGN_OR_RETURN(std::vector<std::string> guids, pass.MembersOf(group.distinguished_name));
    members[pictured->number] = {std::make_move_iterator(guids.begin()),
                                 std::make_move_iterator(guids.end())};
  }
  const auto lost = [&](const std::string& guid) {
    return [&](GroupNumber number) {
      const auto list = members.find(number);
      return list != members.end() && !list->second.contains(guid);
    };
  };
  std::vector<std::pair<std::string, PicturedPerson>> fewer;
  for (const auto& [guid, person] : picture.people()) {
    if (std::ranges::any_of(person.groups, lost(guid))) fewer.emplace_back(guid, person);
  }
  for (auto& [guid, person] : fewer) {
    std::erase_if(person.groups, lost(guid));
    picture.Put(guid, std::move(person));
  }
  std::vector<PicturedGroup> children;
  for (const auto& [number, group] : picture.groups()) {
    if (std::ranges::any_of(group.parents, lost(group.guid))) children.push_back(group);
  }
  for (PicturedGroup& child : children) {
    std::erase_if(child.parents, lost(child.guid));
    picture.AddGroup(std::move(child));
  }
  for (const auto& [number, guids] : members) {
    for (const std::string& guid : guids) AddMember(guid, number, picture);
  }
  return absl::OkStatus();
}

}  // namespace

std::string DigestOf(const PersonProfile& profile) {
  std::string text;
  for (const std::string* field : {&profile.principal, &profile.account_name, &profile.display_name,
                                   &profile.email, &profile.given_name, &profile.surname}) {
    text += fmt::format("{}:", field->size());
    text += *field;
  }
  const pki::Sha256Digest digest = pki::Sha256(text);
  return {digest.begin(), digest.begin() + kDigestBytes};
}

absl::Status ReadEverybody(directory::ListingPass& pass, const PeopleScope& scope,
                           PeopleReading& reading) {
  Picture& picture = reading.picture;
  const bool had_people = !picture.people().empty();
  const bool had_groups = !picture.groups().empty();
  DT_ASSIGN_OR_RETURN(const std::vector<ListedGroup> groups, pass.Groups(0));
  AddGroups(groups, picture);
  std::unordered_set<std::string> seen;
  for (const ListedGroup& group : groups) seen.insert(group.guid);
  std::vector<GroupNumber> gone_groups;
  for (const auto& [number, group] : picture.groups()) {
    if (!seen.contains(group.guid)) gone_groups.push_back(number);
  }
  for (const GroupNumber number : gone_groups) picture.RemoveGroup(number);
  seen.clear();
  // What is not pictured is a group of another domain, or newer than the list of groups: then it
  // comes with the next changes.
  DT_RETURN_IF_ERROR(pass.People(scope.base, 0, [&](ListedPerson person) -> absl::Status {
    if (const absl::Status status = CheckSid(person, scope); !status.ok()) return status;
    seen.insert(person.guid);
    AddPerson(std::move(person), scope, reading);
    return absl::OkStatus();
  }));
  if ((seen.empty() && had_people) || (groups.empty() && had_groups)) {
    return absl::FailedPreconditionError(
        fmt::format("the directory of {} shows no {} at all, where there were some: may the service"
                    " account still read them{}?",
                    scope.domain, seen.empty() ? "people" : "groups",
                    scope.base.empty() ? "" : " below " + scope.base));
  }
  std::vector<std::string> gone;
  for (const auto& [guid, person] : picture.people()) {
    if (!seen.contains(guid)) gone.push_back(guid);
  }
  for (const std::string& guid : gone) picture.Erase(guid);
  return absl::OkStatus();
}

absl::Status ReadChanges(directory::ListingPass& pass, const PeopleScope& scope,
                         std::uint64_t since, PeopleReading& reading) {
  std::string base;
  if (!scope.base.empty()) {
    DT_ASSIGN_OR_RETURN(base, pass.NameOf(scope.base));
    base = FoldName(base);
  }
  DT_ASSIGN_OR_RETURN(const std::vector<ListedGroup> groups, pass.Groups(since));
  if (groups.size() > kChangedGroupsMax) return absl::OutOfRangeError("many groups have changed");
  bool complete = AddGroups(groups, reading.picture);
  const auto forget = [&reading](const std::string& guid) {
    reading.picture.Erase(guid);
    reading.profiles.erase(guid);
  };
  DT_RETURN_IF_ERROR(pass.People("", since, [&](ListedPerson person) -> absl::Status {
    if (const absl::Status status = CheckSid(person, scope); !status.ok()) return status;
    if (IsBelow(person.distinguished_name, base)) {
      complete = AddPerson(std::move(person), scope, reading) && complete;
    } else {
      forget(person.guid);
    }
    return absl::OkStatus();
  }));
  // An OU that was renamed changes names of groups below it, and no number of theirs.
  if (!complete) return absl::OutOfRangeError("a group has a name that is not known");
  if (pass.replica().shows_deleted) {
    DT_ASSIGN_OR_RETURN(const std::vector<std::string> deleted, pass.Deleted(since));
    for (const std::string& guid : deleted) {
      forget(guid);
      const PicturedGroup* const group = reading.picture.FindGroupByGuid(guid);
      if (group != nullptr) reading.picture.RemoveGroup(group->number);
    }
  }
  return ReadMembers(pass, groups, reading.picture);
}

absl::Status ReadProfiles(directory::ListingPass& pass, const PeopleScope& scope,
                          const std::unordered_map<std::string, std::string>& sids,
                          PeopleReading& reading) {
  std::vector<std::string> wanted;
  for (const auto& [guid, sid] : sids) wanted.push_back(sid);
  return pass.PeopleBySid(wanted, [&](ListedPerson person) -> absl::Status {
    if (!sids.contains(person.guid)) return absl::OkStatus();
    AddPerson(std::move(person), scope, reading);
    return absl::OkStatus();
  });
}

absl::StatusOr<const PicturedGroup*> GroupOfScope(const PeopleScope& scope,
                                                  const Picture& picture) {
  if (scope.group.empty()) return nullptr;
  const PicturedGroup* const group = picture.FindGroupByName(scope.group);
  if (group != nullptr && group->counts) return group;
  return absl::FailedPreconditionError(
      fmt::format("the directory of {} has no security group \"{}\", whose members are to be the"
                  " org's people: correct `group` of its [[people]]",
                  scope.domain, scope.group));
}

}  // namespace devicetrust::policy
