#include "policy-engine/people_sync/people_applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/names.h"
#include "libs/base/ordered_id.h"
#include "policy-engine/people_sync/people_store.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/users/user_import.h"
#include "policy-engine/users/user_revoker.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kBatch = 1'000;
// Changes of names and groups beyond that are told as a sum; who comes and goes is told each.
constexpr std::size_t kToldEachMax = 200;
constexpr std::size_t kExamplesMax = 10;

constexpr char kCreateEvent[] = "user.lifecycle.create";
constexpr char kUpdateEvent[] = "user.account.update_profile";

v1::UserImport ImportOf(const PersonChange& change) {
  v1::UserImport user;
  user.set_sid(change.sid);
  user.set_principal(change.profile->principal);
  user.set_account_name(change.profile->account_name);
  user.set_display_name(change.profile->display_name);
  user.set_email(change.profile->email);
  user.set_given_name(change.profile->given_name);
  user.set_surname(change.profile->surname);
  ForEachGroup(change.groups,
               [&user](std::string_view group) { user.add_groups(std::string(group)); });
  return user;
}

void Refuse(std::string_view principal, std::string_view why, SyncCounts& counts) {
  ++counts.refused;
  if (counts.refusals.size() < kExamplesMax) {
    counts.refusals.push_back(fmt::format("{}: {}", principal, why));
  }
}

}  // namespace

rpc::Caller PeopleSyncCaller() {
  rpc::Caller caller;
  caller.kind = rpc::Caller::Kind::kComponent;
  caller.name = "people-sync";
  caller.role = "policy";
  return caller;
}

void SyncCounts::Add(const SyncCounts& other) {
  added += other.added;
  updated += other.updated;
  activated += other.activated;
  deactivated += other.deactivated;
  refused += other.refused;
  for (const std::string& refusal : other.refusals) {
    if (refusals.size() < kExamplesMax) refusals.push_back(refusal);
  }
}

PeopleApplier::PeopleApplier(Parts parts, const PeopleScope& scope, const PeoplePlan& plan,
                             Picture& after)
    : parts_(parts), scope_(scope), plan_(plan), after_(after), now_(parts.clock.Now()) {
  std::size_t users = 0;
  for (const PersonChange& change : plan_.changes) {
    by_sid_.emplace(change.sid, &change);
    users += change.of_user ? 1 : 0;
  }
  each_is_told_ = users <= kToldEachMax;
}

absl::StatusOr<std::size_t> PeopleApplier::CountDeactivations(std::vector<std::string>& examples) {
  struct Counted {
    std::size_t leaving = 0;
    std::vector<std::string> examples;
  };
  const auto count = [this](db::Transaction& txn) -> absl::StatusOr<Counted> {
    Counted counted;
    for (const PersonChange& change : plan_.changes) {
      if (change.wanted || !change.of_user) continue;
      DT_ASSIGN_OR_RETURN(const KnownUser known, FindKnownUser(txn, change.sid));
      if (!known.active) continue;
      ++counted.leaving;
      if (counted.examples.size() < kExamplesMax) counted.examples.push_back(known.principal);
    }
    return counted;
  };
  DT_ASSIGN_OR_RETURN(Counted counted, parts_.database.Read(count));
  examples = std::move(counted.examples);
  return counted.leaving;
}

absl::StatusOr<std::vector<PeopleApplier::Prepared>> PeopleApplier::Prepare(
    std::span<const PersonChange> changes) {
  const auto find = [changes](db::Transaction& txn) -> absl::StatusOr<std::vector<KnownUser>> {
    std::vector<KnownUser> known(changes.size());
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!changes[i].of_user) continue;
      DT_ASSIGN_OR_RETURN(known[i], FindKnownUser(txn, changes[i].sid));
    }
    return known;
  };
  DT_ASSIGN_OR_RETURN(const std::vector<KnownUser> known, parts_.database.Read(find));
  std::vector<Prepared> batch(changes.size());
  v1::ImportUsersRequest request;
  std::vector<std::size_t> judged;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Prepared& one = batch[i];
    one.change = &changes[i];
    if (!one.change->of_user) continue;
    one.id = known[i].id;
    one.known = !one.id.empty();
    if (!one.known) {
      DT_ASSIGN_OR_RETURN(one.id, NewOrderedId(kUserIdOctets, now_, parts_.random));
    }
    const bool comes_or_goes = one.known && known[i].active != one.change->wanted;
    if (each_is_told_ || comes_or_goes || one.change->before == Applied::kActive) {
      v1::Event event;
      DT_RETURN_IF_ERROR(parts_.events.Identify(event));
      one.event_id = event.id();
      DT_RETURN_IF_ERROR(parts_.events.Identify(event));
      one.second_event_id = event.id();
    }
    if (!one.change->wanted || one.change->profile == nullptr) continue;
    *request.add_users() = ImportOf(*one.change);
    judged.push_back(i);
  }
  DT_ASSIGN_OR_RETURN(std::vector<ImportedPerson> people, JudgeImport(request));
  for (std::size_t i = 0; i < judged.size(); ++i) {
    batch[judged[i]].user = std::move(people[i].user);
    batch[judged[i]].status = std::move(people[i].status);
  }
  return batch;
}

absl::Status PeopleApplier::Tell(db::Transaction& txn, const std::string& event_id,
                                 std::string_view type, std::string_view message,
                                 const std::string& id, const std::string& principal) const {
  if (event_id.empty()) return absl::OkStatus();
  v1::Event event = EventBuilder(type, message, now_)
                        .Actor(PeopleSyncCaller())
                        .Target("User", id, principal)
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Debug("domain", scope_.domain)
                        .Take();
  event.set_id(event_id);
  return parts_.events.Append(txn, event);
}

absl::Status PeopleApplier::Deactivate(db::Transaction& txn, const KnownUser& user,
                                       const std::string& event_id, SyncCounts& counts) const {
  ++counts.deactivated;
  DT_RETURN_IF_ERROR(UserRevoker::Promise(txn, user.id, PeopleSyncCaller().ToString(), now_));
  DT_RETURN_IF_ERROR(
      WriteUserStatus(txn, user.id, v1::USER_STATUS_DEACTIVATED, now_, DeactivatedBy::kDirectory));
  DT_RETURN_IF_ERROR(SessionChanges::AppendUserStatus(txn, user.id, /*active=*/false, now_));
  return Tell(txn, event_id, "user.lifecycle.deactivate",
              "User deactivated: the directory has the account no more, or disabled", user.id,
              user.principal);
}

absl::StatusOr<Applied> PeopleApplier::Leave(db::Transaction& txn, const Prepared& prepared,
                                             SyncCounts& counts) const {
  DT_ASSIGN_OR_RETURN(const KnownUser known, FindKnownUser(txn, prepared.change->sid));
  if (known.active) {
    DT_RETURN_IF_ERROR(Deactivate(txn, known, prepared.event_id, counts));
  }
  return known.id.empty() ? Applied::kNothing : Applied::kInactive;
}

absl::StatusOr<std::string> PeopleApplier::TakePrincipal(db::Transaction& txn,
                                                         const Prepared& prepared,
                                                         SyncCounts& counts) const {
  const v1::UserImport& user = prepared.user;
  DT_ASSIGN_OR_RETURN(const KnownUser owner, FindPrincipalOwner(txn, user.principal()));
  if (owner.id.empty() || owner.sid == user.sid()) return std::string();
  const auto change = by_sid_.find(owner.sid);
  const bool changes = change != by_sid_.end();
  const bool keeps = changes && change->second->wanted &&
                     (change->second->profile == nullptr ||
                      SameName(change->second->profile->principal, user.principal()));
  // An account of this domain that is not in its directory: what had the principal is gone.
  const bool gone = !changes && owner.sid.starts_with(scope_.domain_sid + "-") &&
                    std::ranges::none_of(after_.people(), [&owner](const auto& person) {
                      return person.second.sid == owner.sid;
                    });
  if (keeps || (!changes && !gone)) {
    return fmt::format("the principal is that of another user, SID {}", owner.sid);
  }
  if (gone && owner.active) {
    DT_RETURN_IF_ERROR(Deactivate(txn, owner, prepared.second_event_id, counts));
  }
  DT_RETURN_IF_ERROR(FreePrincipal(txn, owner.id, RetiredPrincipal(owner)));
  return std::string();
}

absl::StatusOr<Applied> PeopleApplier::ComeBack(db::Transaction& txn, const Prepared& prepared,
                                                const KnownUser& known, SyncCounts& counts) const {
  // Whom an admin has deactivated, an admin alone brings back.
  if (known.active || !known.deactivated_by_directory) return Applied::kActive;
  // What the CA has not yet revoked it would revoke later, and with it what is issued till then.
  DT_ASSIGN_OR_RETURN(const bool waits, UserRevoker::Waits(txn, known.id));
  if (waits) return Applied::kInactive;  // The next pass tries again.
  ++counts.activated;
  DT_RETURN_IF_ERROR(WriteUserStatus(txn, known.id, v1::USER_STATUS_ACTIVE, now_));
  DT_RETURN_IF_ERROR(SessionChanges::AppendUserStatus(txn, known.id, /*active=*/true, now_));
  DT_RETURN_IF_ERROR(Tell(txn, prepared.second_event_id, "user.lifecycle.activate",
                          "User activated: the directory has the account again", known.id,
                          known.principal));
  return Applied::kActive;
}

absl::StatusOr<Applied> PeopleApplier::ApplyOne(db::Transaction& txn, const Prepared& prepared,
                                                GroupChanges& groups, SyncCounts& counts) const {
  const PersonChange& change = *prepared.change;
  if (!change.of_user) return change.before;
  if (!change.wanted) return Leave(txn, prepared, counts);
  DT_ASSIGN_OR_RETURN(const KnownUser known, FindKnownUser(txn, change.sid));
  if ((known.id.empty() ? prepared.known : known.id != prepared.id)) {
    return absl::AbortedError("another call imports the same users");
  }
  if (change.profile == nullptr) {
    DT_RETURN_IF_ERROR(StoreUserGroups(txn, known.id, change.groups, groups));
  } else {
    if (!prepared.status.ok()) {
      Refuse(change.profile->principal, std::string(prepared.status.message()), counts);
      return change.before == Applied::kActive ? Applied::kActive : Applied::kRefused;
    }
    DT_ASSIGN_OR_RETURN(const std::string taken, TakePrincipal(txn, prepared, counts));
    if (!taken.empty()) {
      Refuse(change.profile->principal, taken, counts);
      return change.before == Applied::kActive ? Applied::kActive : Applied::kRefused;
    }
    DT_RETURN_IF_ERROR(StoreUser(txn, prepared.user, prepared.id, groups, scope_.domain).status());
  }
  const std::string& principal =
      change.profile == nullptr ? known.principal : prepared.user.principal();
  if (known.id.empty()) {
    ++counts.added;
    DT_RETURN_IF_ERROR(Tell(txn, each_is_told_ ? prepared.event_id : std::string(), kCreateEvent,
                            "User added from the directory", prepared.id, principal));
    return Applied::kActive;
  }
  ++counts.updated;
  DT_RETURN_IF_ERROR(Tell(txn, each_is_told_ ? prepared.event_id : std::string(), kUpdateEvent,
                          "Names or groups of a user changed in the directory", known.id,
                          principal));
  return ComeBack(txn, prepared, known, counts);
}

absl::StatusOr<PeopleApplier::Outcome> PeopleApplier::ApplyBatch(
    db::Transaction& txn, std::span<const Prepared> batch) const {
  Outcome outcome;
  GroupChanges groups;
  for (const Prepared& prepared : batch) {
    const PersonChange& change = *prepared.change;
    DT_ASSIGN_OR_RETURN(const Applied applied, ApplyOne(txn, prepared, groups, outcome.counts));
    if (change.after == nullptr) {
      DT_RETURN_IF_ERROR(StorePerson(txn, scope_.domain, change.guid, nullptr));
      continue;
    }
    PicturedPerson person = *change.after;
    person.applied = applied;
    DT_RETURN_IF_ERROR(StorePerson(txn, scope_.domain, change.guid, &person));
    outcome.applied.emplace_back(change.guid, applied);
  }
  DT_RETURN_IF_ERROR(groups.Write(txn));
  return outcome;
}

absl::StatusOr<SyncCounts> PeopleApplier::Apply(const Finish& finish) {
  SyncCounts counts;
  const std::span<const PersonChange> all(plan_.changes);
  std::size_t begin = 0;
  do {
    const std::size_t size = std::min(kBatch, all.size() - begin);
    const bool last = begin + size == all.size();
    DT_ASSIGN_OR_RETURN(const std::vector<Prepared> batch, Prepare(all.subspan(begin, size)));
    const auto apply = [&](db::Transaction& txn) -> absl::StatusOr<Outcome> {
      DT_ASSIGN_OR_RETURN(Outcome outcome, ApplyBatch(txn, batch));
      if (!last) return outcome;
      SyncCounts sum = counts;
      sum.Add(outcome.counts);
      DT_RETURN_IF_ERROR(finish(txn, sum));
      return outcome;
    };
    DT_ASSIGN_OR_RETURN(const Outcome outcome, parts_.database.Write(apply));
    counts.Add(outcome.counts);
    for (const auto& [guid, applied] : outcome.applied) after_.SetApplied(guid, applied);
    begin += size;
  } while (begin < all.size());
  return counts;
}

}  // namespace devicetrust::policy
