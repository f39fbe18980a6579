#include "policy-engine/users/user_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <unordered_map>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "libs/directory/sid.h"
#include "libs/rpc/error.h"
#include "policy-engine/users/totp.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kGroupsMax = 2'000;  // More than fit into a token of Active Directory.

absl::Status MalformedImport(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject),
                        "Correct the person where the import comes from, then import again.");
}

absl::Status TakenPrincipal(std::string message, const std::string& principal) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_ALREADY_EXISTS,
                        std::move(message), principal,
                        "Import both in one call, or take the principal over.");
}

const std::string& NameOf(const v1::UserImport& user) {
  return user.principal().empty() ? user.sid() : user.principal();
}

v1::UserImport Tidied(v1::UserImport user) {
  for (std::string* text :
       {user.mutable_sid(), user.mutable_principal(), user.mutable_account_name(),
        user.mutable_display_name(), user.mutable_email(), user.mutable_given_name(),
        user.mutable_surname()}) {
    *text = std::string(TrimName(*text));
  }
  for (std::string& group : *user.mutable_groups()) group = std::string(TrimName(group));
  user.set_display_name(std::string(FirstCharacters(user.display_name(), kNameCharactersMax)));
  return user;
}

// Groups are stored one a line, and names are shown.
bool IsName(std::string_view text) {
  return !HasControl(text) && CharactersOf(text) <= kNameCharactersMax;
}

absl::Status ValidateUser(const v1::UserImport& user) {
  const std::string& name = NameOf(user);
  if (!directory::SidFromText(user.sid()).ok()) {
    return MalformedImport("a user needs a SID such as S-1-5-21-1-2-3-1105", name);
  }
  if (user.principal().find('@') == std::string::npos ||
      user.principal().size() > kPrincipalBytesMax) {
    return MalformedImport(fmt::format("a user needs a principal such as ada@corp.example.com, of "
                                       "at most {} bytes",
                                       kPrincipalBytesMax),
                           name);
  }
  for (const std::string* text : {&user.principal(), &user.account_name(), &user.display_name(),
                                  &user.email(), &user.given_name(), &user.surname()}) {
    if (!IsName(*text)) {
      return MalformedImport(fmt::format("a user's names have at most {} characters and no control "
                                         "characters",
                                         kNameCharactersMax),
                             name);
    }
  }
  if (user.groups_size() > kGroupsMax) {
    return MalformedImport(fmt::format("a user is in at most {} groups", kGroupsMax), name);
  }
  for (const std::string& group : user.groups()) {
    if (group.empty() || !IsName(group)) {
      return MalformedImport(fmt::format("a group's name has 1 to {} characters and no control "
                                         "characters",
                                         kNameCharactersMax),
                             name);
    }
  }
  const std::size_t secret = user.totp_secret().size();
  if (secret != 0 && (secret < kTotpSecretBytesMin || secret > kTotpSecretBytesMax)) {
    return MalformedImport(
        fmt::format("a TOTP secret has {} to {} bytes", kTotpSecretBytesMin, kTotpSecretBytesMax),
        name);
  }
  return absl::OkStatus();
}

// Which of several is right, nobody here can know.
void RefuseDoubles(std::vector<ImportedPerson>& people) {
  std::unordered_map<std::string, std::size_t> taken;
  for (std::size_t i = 0; i < people.size(); ++i) {
    // A SID holds no @, a principal does: one map serves both.
    for (std::string key : {people[i].user.sid(), FoldName(people[i].user.principal())}) {
      if (key.empty()) continue;
      const auto [other, first] = taken.try_emplace(std::move(key), i);
      if (first || other->second == i) continue;
      for (const std::size_t one : {other->second, i}) {
        if (!people[one].status.ok()) continue;
        people[one].status = MalformedImport(
            fmt::format("two users of this call share SID or principal: the {}. and the {}.",
                        other->second + 1, i + 1),
            NameOf(people[one].user));
      }
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<ImportedPerson>> JudgeImport(const v1::ImportUsersRequest& request) {
  if (request.users_size() > kUsersPerImportMax) {
    return MalformedImport(fmt::format("at most {} users a call", kUsersPerImportMax), "users");
  }
  std::vector<ImportedPerson> people;
  people.reserve(static_cast<std::size_t>(request.users_size()));
  for (const v1::UserImport& user : request.users()) {
    ImportedPerson& person = people.emplace_back(ImportedPerson{Tidied(user), {}, {}});
    person.status = ValidateUser(person.user);
  }
  RefuseDoubles(people);
  return people;
}

absl::StatusOr<ImportPlan> PlanImport(db::Transaction& txn, bool take_over,
                                      std::vector<ImportedPerson>& people) {
  std::unordered_map<std::string, std::size_t> by_sid;
  std::vector<KnownUser> known(people.size());
  std::vector<KnownUser> owners(people.size());  // Who has the principal now.
  for (std::size_t i = 0; i < people.size(); ++i) {
    const v1::UserImport& user = people[i].user;
    by_sid.emplace(user.sid(), i);
    if (!people[i].status.ok()) continue;
    DT_ASSIGN_OR_RETURN(known[i], FindKnownUser(txn, user.sid()));
    if (people[i].synced = !known[i].synced_from.empty(); people[i].synced) {
      people[i].user.set_principal(known[i].principal);
    }
    DT_ASSIGN_OR_RETURN(owners[i], FindPrincipalOwner(txn, user.principal()));
  }
  const auto has_other_owner = [&](std::size_t i) {
    return people[i].status.ok() && !owners[i].id.empty() && owners[i].sid != people[i].user.sid();
  };
  // Who is refused keeps a principal that the next one may wait for.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < people.size(); ++i) {
      if (!has_other_owner(i)) continue;
      const auto owner = by_sid.find(owners[i].sid);
      const std::string& principal = people[i].user.principal();
      if (owner == by_sid.end()) {
        if (take_over && owners[i].synced_from.empty()) continue;
        people[i].owner_sid = owners[i].sid;
        people[i].status = TakenPrincipal(
            "another user of the org, who is not in this call, has the principal", principal);
      } else if (!people[owner->second].status.ok()) {
        people[i].owner_sid = owners[i].sid;
        people[i].status = TakenPrincipal(
            fmt::format("the principal is that of the {}. user of this call, who is refused",
                        owner->second + 1),
            principal);
      } else {
        continue;
      }
      changed = true;
    }
  }
  ImportPlan plan;
  for (std::size_t i = 0; i < people.size(); ++i) {
    if (!people[i].status.ok()) continue;
    const bool moves =
        !known[i].id.empty() && !SameName(known[i].principal, people[i].user.principal());
    if (moves) plan.moving.push_back(known[i]);
    if (has_other_owner(i) && !by_sid.contains(owners[i].sid)) {
      plan.retiring.push_back({owners[i], i});
    }
  }
  return plan;
}

std::string RetiredPrincipal(const KnownUser& user) {
  return fmt::format("retired-{}-{}", user.id, user.principal);
}

}  // namespace devicetrust::policy
