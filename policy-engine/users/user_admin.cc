#include "policy-engine/users/user_admin.h"

#include <fmt/format.h>

#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/ordered_id.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/recovery_codes.h"
#include "policy-engine/users/totp.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kUsersPerPage = 100;
constexpr int kUsersPerPageMax = 1'000;
constexpr int kImportAttempts = 3;
constexpr std::size_t kQueryBytesMax = 256;

absl::Status MalformedUser(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

absl::Status StillToRevoke(const std::string& principal) {
  return rpc::MakeError(
      absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
      fmt::format("the CA has not yet revoked the certificates that {} had when deactivated",
                  principal),
      principal, "Activate again when the CA answers.", std::chrono::seconds(5));
}

// The event of an admin's change; its target is added when the user is known.
v1::Event UserEvent(std::string_view type, std::string_view message, const rpc::Caller& admin,
                    WallTime now) {
  return EventBuilder(type, message, now)
      .Actor(admin)
      .Outcome(v1::EventOutcome::RESULT_SUCCESS)
      .Take();
}

v1::RefusedUser RefusedUserOf(std::size_t index, const ImportedPerson& person) {
  v1::RefusedUser refused;
  refused.set_index(static_cast<std::int32_t>(index));
  refused.set_sid(person.user.sid());
  refused.set_principal(person.user.principal());
  refused.set_owner_sid(person.owner_sid);
  refused.set_message(std::string(person.status.message()));
  if (const auto detail = rpc::DetailOf(person.status)) {
    refused.set_reason(detail->reason());
    refused.set_remedy(detail->remedy());
  }
  return refused;
}

v1::Event Concerning(v1::Event event, const v1::User& user) {
  v1::Target& target = *event.add_targets();
  target.set_type("User");
  target.set_id(user.id());
  target.set_display_name(user.principal());
  return event;
}

}  // namespace

// Outside of the transaction that stores them: sealing takes time and randomness.
absl::StatusOr<std::vector<UserAdmin::Prepared>> UserAdmin::Prepare(
    const std::vector<ImportedPerson>& people) {
  const auto find_ids =
      [&people](db::Transaction& txn) -> absl::StatusOr<std::vector<std::string>> {
    std::vector<std::string> ids;
    for (const ImportedPerson& person : people) {
      DT_ASSIGN_OR_RETURN(KnownUser known, FindKnownUser(txn, person.user.sid()));
      ids.push_back(std::move(known.id));
    }
    return ids;
  };
  DT_ASSIGN_OR_RETURN(std::vector<std::string> ids, parts_.database.Read(find_ids));
  std::vector<Prepared> prepared;
  prepared.reserve(ids.size());
  for (const ImportedPerson& person : people) {
    std::string& known_id = ids[prepared.size()];
    Prepared& one = prepared.emplace_back(Prepared{std::move(known_id), true, {}});
    if (!person.status.ok()) continue;
    if (one.id.empty()) {
      one.known = false;
      DT_ASSIGN_OR_RETURN(one.id, NewOrderedId(kUserIdOctets, parts_.clock.Now(), parts_.random));
    }
    const std::string& secret = person.user.totp_secret();
    if (secret.empty()) continue;
    DT_ASSIGN_OR_RETURN(one.factor, parts_.factors.Seal(one.id, AsBytes(secret)));
  }
  return prepared;
}

absl::Status UserAdmin::Retire(db::Transaction& txn, const rpc::Caller& admin,
                               const ImportPlan::Retiring& retiring, const std::string& successor,
                               v1::ImportUsersResponse& response) {
  const KnownUser& user = retiring.user;
  const WallTime now = parts_.clock.Now();
  v1::RetiredUser& told = *response.add_retired();
  told.set_user_id(user.id);
  told.set_principal(user.principal);
  told.set_successor_id(successor);
  DT_RETURN_IF_ERROR(FreePrincipal(txn, user.id, RetiredPrincipal(user)));
  if (!user.active) return absl::OkStatus();
  DT_RETURN_IF_ERROR(UserRevoker::Promise(txn, user.id, admin.ToString(), now));
  DT_RETURN_IF_ERROR(
      WriteUserStatus(txn, user.id, v1::USER_STATUS_DEACTIVATED, now, DeactivatedBy::kDirectory));
  DT_RETURN_IF_ERROR(SessionChanges::AppendUserStatus(txn, user.id, /*active=*/false, now));
  v1::Event event =
      EventBuilder("user.lifecycle.deactivate", "User deactivated: another has the principal", now)
          .Actor(admin)
          .Target("User", user.id, user.principal)
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Debug("successor", successor)
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  return parts_.events.Append(txn, event);
}

// A mirror says the same each night: that must not end a lock, nor make a spent code good again.
absl::Status UserAdmin::StoreFactor(db::Transaction& txn, const Prepared& prepared,
                                    const v1::UserImport& user) {
  if (!prepared.factor) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const bool unchanged,
                      parts_.factors.Has(txn, prepared.id, AsBytes(user.totp_secret())));
  if (unchanged) return absl::OkStatus();
  DT_RETURN_IF_ERROR(CloseConsoleSessionsOf(txn, prepared.id));
  return TotpFactors::Store(txn, *prepared.factor);
}

absl::StatusOr<v1::ImportUsersResponse> UserAdmin::StoreImport(
    db::Transaction& txn, const rpc::Caller& admin, const v1::ImportUsersRequest& request,
    std::vector<ImportedPerson> people, const std::vector<Prepared>& prepared, v1::Event event) {
  DT_ASSIGN_OR_RETURN(const ImportPlan plan,
                      PlanImport(txn, request.take_over_principals(), people));
  v1::ImportUsersResponse response;
  for (std::size_t i = 0; i < people.size(); ++i) {
    if (people[i].status.ok()) continue;
    if (!request.judge_each()) return people[i].status;
    *response.add_refused() = RefusedUserOf(i, people[i]);
  }
  for (const KnownUser& user : plan.moving) {  // In no order: each gets the new one below.
    DT_RETURN_IF_ERROR(FreePrincipal(txn, user.id, RetiredPrincipal(user)));
  }
  for (const ImportPlan::Retiring& retiring : plan.retiring) {
    DT_RETURN_IF_ERROR(Retire(txn, admin, retiring, prepared[retiring.successor].id, response));
  }
  GroupChanges groups;
  for (std::size_t i = 0; i < people.size(); ++i) {
    if (!people[i].status.ok()) {
      response.add_user_ids();
      continue;
    }
    std::string id = prepared[i].id;
    if (!people[i].synced) {
      DT_ASSIGN_OR_RETURN(id, StoreUser(txn, people[i].user, prepared[i].id, groups));
    }
    if (id != prepared[i].id) return absl::AbortedError("another call imports the same users");
    DT_RETURN_IF_ERROR(StoreFactor(txn, prepared[i], people[i].user));
    response.add_user_ids(id);
    response.set_added(response.added() + (prepared[i].known ? 0 : 1));
    response.set_updated(response.updated() + (prepared[i].known ? 1 : 0));
  }
  DT_RETURN_IF_ERROR(groups.Write(txn));
  auto& debug = *event.mutable_debug_data();
  debug["users"] = std::to_string(response.added() + response.updated());
  if (response.refused_size() > 0) debug["refused"] = std::to_string(response.refused_size());
  if (response.retired_size() > 0) debug["retired"] = std::to_string(response.retired_size());
  DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
  return response;
}

absl::StatusOr<v1::ImportUsersResponse> UserAdmin::Import(const rpc::Caller& admin,
                                                          const v1::ImportUsersRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::vector<ImportedPerson> people, JudgeImport(request));
  v1::Event event =
      UserEvent("user.import", "Users imported from Active Directory", admin, parts_.clock.Now());
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));

  absl::Status raced;
  for (int attempt = 0; attempt < kImportAttempts; ++attempt) {
    DT_ASSIGN_OR_RETURN(const std::vector<Prepared> prepared, Prepare(people));
    const auto store = [&](db::Transaction& txn) {
      return StoreImport(txn, admin, request, people, prepared, event);
    };
    auto stored = parts_.database.Write(store);
    if (absl::IsAborted(stored.status())) {
      raced = stored.status();
      continue;
    }
    if (stored.ok()) {
      ++version_;
      // Its end makes the revoker keep what is promised.
      for (const v1::RetiredUser& user : stored->retired()) {
        const UserRevoker::Hold hold(parts_.revoker, user.user_id());
      }
    }
    return stored;
  }
  return raced;
}

absl::StatusOr<v1::GetUserResponse> UserAdmin::Get(const v1::GetUserRequest& request) const {
  const auto find = [&request](db::Transaction& txn) -> absl::StatusOr<StoredUser> {
    switch (request.key_case()) {
      case v1::GetUserRequest::kId:
        return FindUserById(txn, request.id());
      case v1::GetUserRequest::kSid:
        return FindUserBySid(txn, request.sid());
      case v1::GetUserRequest::kPrincipal:
        return FindUserByPrincipal(txn, request.principal());
      case v1::GetUserRequest::KEY_NOT_SET:
        break;
    }
    return MalformedUser("name the user by id, SID or principal", "key");
  };
  DT_ASSIGN_OR_RETURN(StoredUser found, parts_.database.Read(find));
  v1::GetUserResponse response;
  *response.mutable_user() = std::move(found.user);
  return response;
}

absl::StatusOr<v1::ListUsersResponse> UserAdmin::List(const v1::ListUsersRequest& request) const {
  if (request.page_size() < 0 || request.page_size() > kUsersPerPageMax) {
    return MalformedUser(fmt::format("page_size is 1 to {}", kUsersPerPageMax), "page_size");
  }
  if (request.query().size() > kQueryBytesMax || HasControl(request.query())) {
    return MalformedUser(fmt::format("query has at most {} bytes", kQueryBytesMax), "query");
  }
  const int size = request.page_size() == 0 ? kUsersPerPage : request.page_size();
  // A token is the last principal of the page before, wrapped so that nobody builds on it.
  const absl::StatusOr<Bytes> after = Base64UrlDecode(request.page_token());
  if (!after.ok()) return MalformedUser("page_token is not of an earlier answer", "page_token");

  const auto list = [&](db::Transaction& txn) {
    return ListUsersAfter(txn, request.query(), ToString(*after), size + 1);
  };
  DT_ASSIGN_OR_RETURN(std::vector<v1::User> users, parts_.database.Read(list));
  v1::ListUsersResponse response;
  const bool more = users.size() > static_cast<std::size_t>(size);
  if (more) users.pop_back();
  if (more) response.set_next_page_token(Base64UrlEncode(AsBytes(users.back().principal())));
  for (v1::User& user : users) *response.add_users() = std::move(user);
  return response;
}

absl::StatusOr<v1::User> UserAdmin::ChangeStatus(db::Transaction& txn,
                                                 const v1::SetUserStatusRequest& request,
                                                 const rpc::Caller& admin, v1::Event event) const {
  const WallTime now = rpc::FromTimestamp(event.at());
  const bool activate = request.status() == v1::USER_STATUS_ACTIVE;
  DT_ASSIGN_OR_RETURN(StoredUser found, FindUserById(txn, request.user_id()));
  v1::User& user = found.user;
  DT_RETURN_IF_ERROR(CheckMayChange(txn, admin, user.id()));
  const bool changes = user.status() != request.status();
  user.set_status(request.status());
  // Asked again, a deactivation is promised again: perhaps a certificate has slipped in.
  if (activate) {
    DT_ASSIGN_OR_RETURN(const bool waits, UserRevoker::Waits(txn, user.id()));
    if (waits) return StillToRevoke(user.principal());
  } else {
    DT_RETURN_IF_ERROR(UserRevoker::Promise(txn, user.id(), admin.ToString(), now));
  }
  if (!changes) return user;
  DT_RETURN_IF_ERROR(WriteUserStatus(txn, user.id(), request.status(), now));
  DT_RETURN_IF_ERROR(SessionChanges::AppendUserStatus(txn, user.id(), activate, now));
  DT_RETURN_IF_ERROR(parts_.events.Append(txn, Concerning(std::move(event), user)));
  return user;
}

absl::StatusOr<v1::SetUserStatusResponse> UserAdmin::SetStatus(
    const rpc::Caller& admin, const v1::SetUserStatusRequest& request) {
  if (request.status() != v1::USER_STATUS_ACTIVE &&
      request.status() != v1::USER_STATUS_DEACTIVATED) {
    return MalformedUser("status is ACTIVE or DEACTIVATED", "status");
  }
  const bool activate = request.status() == v1::USER_STATUS_ACTIVE;
  v1::Event event =
      UserEvent(activate ? "user.lifecycle.activate" : "user.lifecycle.deactivate",
                activate ? "User activated" : "User deactivated", admin, parts_.clock.Now());
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));

  UserRevoker::Hold hold(parts_.revoker, request.user_id());
  // What the CA has not yet revoked it would revoke later, and with it what is issued till then.
  if (activate) hold.KeepNow();
  const auto change = [&](db::Transaction& txn) {
    return ChangeStatus(txn, request, admin, event);
  };
  // Sessions end with it, before the CA is asked.
  DT_ASSIGN_OR_RETURN(v1::User user, parts_.database.Write(change));
  ++version_;
  v1::SetUserStatusResponse response;
  *response.mutable_user() = std::move(user);
  if (activate) return response;
  if (const auto revoked = hold.KeepNow()) response.set_certificates_revoked(*revoked);
  return response;
}

absl::StatusOr<v1::EnrollFactorResponse> UserAdmin::EnrollFactor(
    const rpc::Caller& admin, const v1::EnrollFactorRequest& request) {
  if (!request.has_totp()) return MalformedUser("name the kind of factor to enroll", "factor");
  const auto find = [&](db::Transaction& txn) { return FindUserById(txn, request.user_id()); };
  DT_ASSIGN_OR_RETURN(const StoredUser found, parts_.database.Read(find));
  Bytes secret(request.totp().secret().begin(), request.totp().secret().end());
  if (secret.empty()) {
    DT_ASSIGN_OR_RETURN(secret, parts_.factors.NewSecret());
  }
  DT_ASSIGN_OR_RETURN(const SealedFactor factor, parts_.factors.Seal(found.user.id(), secret));
  v1::Event event = Concerning(
      UserEvent("user.mfa.factor.activate", "Second factor enrolled", admin, parts_.clock.Now()),
      found.user);
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  DT_ASSIGN_OR_RETURN(const NewRecoveryCodes codes, MakeRecoveryCodes(parts_.random));
  const auto store = [&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckMayChange(txn, admin, found.user.id()));
    DT_RETURN_IF_ERROR(CloseConsoleSessionsOf(txn, found.user.id()));
    DT_RETURN_IF_ERROR(TotpFactors::Store(txn, factor));
    DT_RETURN_IF_ERROR(StoreRecoveryCodes(txn, found.user.id(), codes));
    return parts_.events.Append(txn, event);
  };
  DT_RETURN_IF_ERROR(parts_.database.Write(store));
  v1::EnrollFactorResponse response;
  response.mutable_totp()->set_secret(ToString(secret));
  response.mutable_totp()->set_otpauth_uri(
      TotpUri(secret, parts_.issuer(), found.user.principal()));
  for (const std::string& code : codes.codes) response.mutable_totp()->add_recovery_codes(code);
  return response;
}

absl::StatusOr<v1::ResetFactorsResponse> UserAdmin::ResetFactors(
    const rpc::Caller& admin, const v1::ResetFactorsRequest& request) {
  v1::Event event =
      UserEvent("user.mfa.factor.reset_all", "Second factors removed", admin, parts_.clock.Now());
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto reset = [&](db::Transaction& txn) -> absl::StatusOr<v1::ResetFactorsResponse> {
    DT_ASSIGN_OR_RETURN(StoredUser found, FindUserById(txn, request.user_id()));
    DT_RETURN_IF_ERROR(CheckMayChange(txn, admin, found.user.id()));
    DT_RETURN_IF_ERROR(CloseConsoleSessionsOf(txn, found.user.id()));
    const bool had_any = !found.user.factors().empty();
    if (had_any) {
      DT_RETURN_IF_ERROR(TotpFactors::Remove(txn, found.user.id()));
      DT_RETURN_IF_ERROR(parts_.events.Append(txn, Concerning(event, found.user)));
    }
    v1::ResetFactorsResponse response;
    *response.mutable_user() = std::move(found.user);
    response.mutable_user()->clear_factors();
    return response;
  };
  return parts_.database.Write(reset);
}

}  // namespace devicetrust::policy
