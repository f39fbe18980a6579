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

// Groups first, then what they are in: of a circle each comes before another.
bool AddGroups(const std::vector<ListedGroup>& groups, const Picture& numbered, Picture& picture) {
  for (const ListedGroup& group : groups) {
    const PicturedGroup* const before = numbered.FindGroupByGuid(group.guid);
    picture.AddGroup(PictureOf(group, before == nullptr ? picture.NewNumber() : before->number));
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
  reading.picture.people()[guid] = std::move(pictured);
  return !unknown;
}

bool IsBelow(std::string_view dn, std::string_view folded_base) {
  if (folded_base.empty()) return true;
  const std::string folded = FoldName(dn);
  return folded == folded_base ||
         (folded.size() > folded_base.size() && folded.ends_with(folded_base) &&
          folded[folded.size() - folded_base.size() - 1] == ',');
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
  const auto drop = [&](std::vector<GroupNumber>& groups, const std::string& guid) {
    return std::erase_if(groups, [&](GroupNumber number) {
      const auto list = members.find(number);
      return list != members.end() && !list->second.contains(guid);
    });
  };
  const auto add = [](std::vector<GroupNumber>& groups, GroupNumber number) {
    const auto at = std::ranges::lower_bound(groups, number);
    if (at == groups.end() || *at != number) groups.insert(at, number);
  };
  for (auto& [guid, person] : picture.people()) drop(person.groups, guid);
  std::vector<PicturedGroup> children;
  for (const auto& [number, group] : picture.groups()) {
    PicturedGroup child = group;
    if (drop(child.parents, child.guid) > 0) children.push_back(std::move(child));
  }
  for (PicturedGroup& child : children) picture.AddGroup(std::move(child));
  for (const auto& [number, guids] : members) {
    for (const std::string& guid : guids) {
      if (const auto person = picture.people().find(guid); person != picture.people().end()) {
        add(person->second.groups, number);
      } else if (const PicturedGroup* group = picture.FindGroupByGuid(guid); group != nullptr) {
        PicturedGroup child = *group;
        add(child.parents, number);
        picture.AddGroup(std::move(child));
      }
    }
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

absl::StatusOr<PeopleReading> ReadEverybody(directory::ListingPass& pass, const PeopleScope& scope,
                                            const Picture& before) {
  PeopleReading reading;
  for (const auto& [number, group] : before.groups()) reading.picture.ReserveNumbers(number + 1);
  for (const auto& [guid, person] : before.people()) {
    for (const GroupNumber number : person.groups) reading.picture.ReserveNumbers(number + 1);
    reading.picture.ReserveNumbers(person.primary + 1);
  }
  DT_ASSIGN_OR_RETURN(const std::vector<ListedGroup> groups, pass.Groups(0));
  AddGroups(groups, before, reading.picture);
  std::size_t people = 0;
  // What is not pictured is a group of another domain, or newer than the list of groups: then it
  // comes with the next changes.
  DT_RETURN_IF_ERROR(pass.People(scope.base, 0, [&](ListedPerson person) -> absl::Status {
    if (const absl::Status status = CheckSid(person, scope); !status.ok()) return status;
    ++people;
    const auto known = before.people().find(person.guid);
    if (known != before.people().end()) reading.picture.people()[person.guid] = known->second;
    AddPerson(std::move(person), scope, reading);
    return absl::OkStatus();
  }));
  if ((people == 0 && !before.people().empty()) || (groups.empty() && !before.groups().empty())) {
    return absl::FailedPreconditionError(
        fmt::format("the directory of {} shows no {} at all, where there were some: may the service"
                    " account still read them{}?",
                    scope.domain, people == 0 ? "people" : "groups",
                    scope.base.empty() ? "" : " below " + scope.base));
  }
  return reading;
}

absl::StatusOr<PeopleReading> ReadChanges(directory::ListingPass& pass, const PeopleScope& scope,
                                          const Picture& before, std::uint64_t since) {
  PeopleReading reading{before, {}};
  std::string base;
  if (!scope.base.empty()) {
    DT_ASSIGN_OR_RETURN(base, pass.NameOf(scope.base));
    base = FoldName(base);
  }
  DT_ASSIGN_OR_RETURN(const std::vector<ListedGroup> groups, pass.Groups(since));
  if (groups.size() > kChangedGroupsMax) return absl::OutOfRangeError("many groups have changed");
  bool complete = AddGroups(groups, before, reading.picture);
  DT_RETURN_IF_ERROR(pass.People("", since, [&](ListedPerson person) -> absl::Status {
    if (const absl::Status status = CheckSid(person, scope); !status.ok()) return status;
    if (IsBelow(person.distinguished_name, base)) {
      complete = AddPerson(std::move(person), scope, reading) && complete;
    } else {
      reading.picture.people().erase(person.guid);
      reading.profiles.erase(person.guid);
    }
    return absl::OkStatus();
  }));
  // An OU that was renamed changes names of groups below it, and no number of theirs.
  if (!complete) return absl::OutOfRangeError("a group has a name that is not known");
  if (pass.replica().shows_deleted) {
    DT_ASSIGN_OR_RETURN(const std::vector<std::string> deleted, pass.Deleted(since));
    for (const std::string& guid : deleted) {
      reading.picture.people().erase(guid);
      reading.profiles.erase(guid);
      const PicturedGroup* const group = reading.picture.FindGroupByGuid(guid);
      if (group != nullptr) reading.picture.RemoveGroup(group->number);
    }
  }
  DT_RETURN_IF_ERROR(ReadMembers(pass, groups, reading.picture));
  return reading;
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
