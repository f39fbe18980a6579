#include "policy-engine/people/people_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/ordered_id.h"
#include "libs/directory/sid.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "policy-engine/people/totp.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kIdOctets = 16;
constexpr std::size_t kTextBytesMax = 256;
constexpr int kGroupsMax = 1'000;
constexpr int kPageSizeDefault = 100;
constexpr int kPageSizeMax = 1'000;

absl::Status MalformedPeople(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

// Printable text on one line: groups are stored one a line, and all of it is shown.
bool IsPlainText(std::string_view text) {
  return text.size() <= kTextBytesMax && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

absl::Status ValidatePerson(const v1::UserImport& person) {
  const std::string& name = person.principal().empty() ? person.sid() : person.principal();
  if (!directory::SidFromText(person.sid()).ok()) {
    return MalformedPeople("a person needs a SID such as S-1-5-21-1-2-3-1105", name);
  }
  if (person.principal().empty() || person.principal().find('@') == std::string::npos) {
    return MalformedPeople("a person needs a principal such as ada@corp.example.com", name);
  }
  for (const std::string* text :
       {&person.principal(), &person.account_name(), &person.display_name(), &person.email(),
        &person.given_name(), &person.surname()}) {
    if (!IsPlainText(*text)) {
      return MalformedPeople("a person's names have at most 256 bytes and no control characters",
                             name);
    }
  }
  if (person.groups_size() > kGroupsMax)
    return MalformedPeople("a person has too many groups", name);
  for (const std::string& group : person.groups()) {
    if (group.empty() || !IsPlainText(group)) {
      return MalformedPeople("a group's name has 1 to 256 bytes and no control characters", name);
    }
  }
  const std::size_t secret = person.totp_secret().size();
  if (secret != 0 && (secret < kTotpSecretBytesMin || secret > kTotpSecretBytesMax)) {
    return MalformedPeople("a TOTP secret has 16 to 64 bytes", name);
  }
  return absl::OkStatus();
}

absl::Status StillToRevoke(const std::string& principal) {
  return rpc::MakeError(
      absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
      fmt::format("the CA has not yet revoked the certificates that {} had when deactivated",
                  principal),
      principal, "Activate again when the CA answers.", std::chrono::seconds(5));
}

}  // namespace

absl::Status ValidateImport(const v1::ImportUsersRequest& request) {
  if (request.users_size() > kPeoplePerImportMax) {
    return MalformedPeople(fmt::format("at most {} people a call", kPeoplePerImportMax), "users");
  }
  std::unordered_set<std::string> taken;
  for (const v1::UserImport& person : request.users()) {
    DT_RETURN_IF_ERROR(ValidatePerson(person));
    // A SID holds no @, a principal does: one set serves both.
    if (!taken.insert(person.sid()).second ||
        !taken.insert(LowerPrincipal(person.principal())).second) {
      return MalformedPeople("two people of this call share SID or principal", person.principal());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ImportUsersResponse> PeopleService::Import(const v1::ImportUsersRequest& request,
                                                              const rpc::Caller& caller) {
  DT_RETURN_IF_ERROR(ValidateImport(request));
  std::vector<std::string> new_ids;
  for (int i = 0; i < request.users_size(); ++i) {
    DT_ASSIGN_OR_RETURN(std::string id, NewOrderedId(kIdOctets, parts_.clock.Now(), parts_.random));
    new_ids.push_back(std::move(id));
  }
  v1::Event event =
      EventBuilder("user.import", "People imported from Active Directory", parts_.clock.Now())
          .Actor(caller)
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Debug("people", std::to_string(request.users_size()))
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));

  v1::ImportUsersResponse response;
  const absl::Status written = parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    response.Clear();
    for (int i = 0; i < request.users_size(); ++i) {
      const v1::UserImport& person = request.users(i);
      const auto stored = StorePerson(txn, person, new_ids[static_cast<std::size_t>(i)]);
      if (absl::IsAlreadyExists(stored.status())) {
        return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_ALREADY_EXISTS,
                              "another user of the org has this principal", person.principal(),
                              "Change the principal, or import the other user first.");
      }
      DT_RETURN_IF_ERROR(stored.status());
      // Sealed in here, because only the store knows the id that it is sealed for.
      if (!person.totp_secret().empty()) {
        DT_ASSIGN_OR_RETURN(const SealedFactor factor,
                            parts_.factors.Seal(stored->id, AsBytes(person.totp_secret())));
        DT_RETURN_IF_ERROR(Factors::Store(txn, factor));
      }
      response.add_user_ids(stored->id);
      if (stored->added) {
        response.set_added(response.added() + 1);
      } else {
        response.set_updated(response.updated() + 1);
      }
    }
    return parts_.events.Append(txn, event);
  });
  if (!written.ok()) return written;
  return response;
}

absl::StatusOr<Person> PeopleService::Find(const v1::GetUserRequest& request) {
  return parts_.database.Read([&](db::Transaction& txn) -> absl::StatusOr<Person> {
    switch (request.key_case()) {
      case v1::GetUserRequest::kId:
        return FindPersonById(txn, request.id());
      case v1::GetUserRequest::kSid:
        return FindPersonBySid(txn, request.sid());
      case v1::GetUserRequest::kPrincipal:
        return FindPersonByPrincipal(txn, request.principal());
      case v1::GetUserRequest::KEY_NOT_SET:
        break;
    }
    return MalformedPeople("name the user by id, SID or principal", "key");
  });
}

absl::StatusOr<v1::ListUsersResponse> PeopleService::List(const v1::ListUsersRequest& request) {
  if (request.page_size() < 0 || request.page_size() > kPageSizeMax) {
    return MalformedPeople(fmt::format("page_size is 1 to {}", kPageSizeMax), "page_size");
  }
  if (!IsPlainText(request.query())) return MalformedPeople("query is too long", "query");
  const int size = request.page_size() == 0 ? kPageSizeDefault : request.page_size();
  // A token is the last principal of the page before, wrapped so that nobody builds on it.
  const absl::StatusOr<Bytes> after = Base64UrlDecode(request.page_token());
  if (!after.ok()) return MalformedPeople("page_token is not of an earlier answer", "page_token");

  DT_ASSIGN_OR_RETURN(
      std::vector<v1::User> users,
      parts_.database.Read([&](db::Transaction& txn) -> absl::StatusOr<std::vector<v1::User>> {
        return ListPeople(txn, request.query(), ToString(*after), size + 1);
      }));
  v1::ListUsersResponse response;
  const bool more = users.size() > static_cast<std::size_t>(size);
  if (more) users.pop_back();
  if (more) response.set_next_page_token(Base64UrlEncode(AsBytes(users.back().principal())));
  for (v1::User& user : users) *response.add_users() = std::move(user);
  return response;
}

absl::StatusOr<v1::SetUserStatusResponse> PeopleService::SetStatus(
    const v1::SetUserStatusRequest& request, const rpc::Caller& caller) {
  if (request.status() != v1::USER_STATUS_ACTIVE &&
      request.status() != v1::USER_STATUS_DEACTIVATED) {
    return MalformedPeople("status is ACTIVE or DEACTIVATED", "status");
  }
  const bool activate = request.status() == v1::USER_STATUS_ACTIVE;
  const WallTime now = parts_.clock.Now();
  v1::Event event = EventBuilder(activate ? "user.lifecycle.activate" : "user.lifecycle.deactivate",
                                 activate ? "User activated" : "User deactivated", now)
                        .Actor(caller)
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));

  v1::SetUserStatusResponse response;
  const auto change = [&]() -> absl::Status {
    return parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
      DT_ASSIGN_OR_RETURN(Person person, FindPersonById(txn, request.user_id()));
      const bool changes = person.user.status() != request.status();
      person.user.set_status(request.status());
      *response.mutable_user() = person.user;
      // Asked again, a deactivation is promised again: perhaps a certificate has slipped in.
      if (activate) {
        DT_ASSIGN_OR_RETURN(const bool waits, PeopleRevoker::Waits(txn, request.user_id()));
        if (waits) return StillToRevoke(person.user.principal());
      } else {
        DT_RETURN_IF_ERROR(PeopleRevoker::Promise(txn, request.user_id(), caller.ToString(), now));
      }
      if (!changes) return absl::OkStatus();
      DT_RETURN_IF_ERROR(SetPersonStatus(txn, request.user_id(), request.status(), now));
      DT_RETURN_IF_ERROR(SessionChanges::AppendUserStatus(txn, request.user_id(), activate, now));
      v1::Event told = event;
      v1::Target& target = *told.add_targets();
      target.set_type("User");
      target.set_id(person.user.id());
      target.set_display_name(person.user.principal());
      return parts_.events.Append(txn, told);
    });
  };
  if (activate) {
    // What the CA has not yet revoked it would revoke later, and with it what is issued till then.
    DT_RETURN_IF_ERROR(
        parts_.revoker.PromiseAndTry(request.user_id(), [] { return absl::OkStatus(); }).status());
    DT_RETURN_IF_ERROR(change());
    return response;
  }
  DT_ASSIGN_OR_RETURN(const std::optional<std::int32_t> revoked,
                      parts_.revoker.PromiseAndTry(request.user_id(), change));
  if (revoked) response.set_certificates_revoked(*revoked);
  return response;
}

absl::StatusOr<v1::EnrollFactorResponse> PeopleService::Enroll(
    const v1::EnrollFactorRequest& request, const rpc::Caller& caller) {
  v1::GetUserRequest key;
  key.set_id(request.user_id());
  DT_ASSIGN_OR_RETURN(const Person person, Find(key));
  if (!request.has_totp()) return MalformedPeople("name the kind of factor to enroll", "factor");
  Bytes secret(request.totp().secret().begin(), request.totp().secret().end());
  if (secret.empty()) {
    DT_ASSIGN_OR_RETURN(secret, parts_.factors.NewSecret());
  }
  DT_ASSIGN_OR_RETURN(const SealedFactor factor, parts_.factors.Seal(person.user.id(), secret));
  v1::Event event =
      EventBuilder("user.mfa.factor.activate", "Second factor enrolled", parts_.clock.Now())
          .Actor(caller)
          .Target("User", person.user.id(), person.user.principal())
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const absl::Status written = parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(Factors::Store(txn, factor));
    return parts_.events.Append(txn, event);
  });
  if (!written.ok()) return written;
  v1::EnrollFactorResponse response;
  response.mutable_totp()->set_secret(ToString(secret));
  response.mutable_totp()->set_otpauth_uri(TotpUri(secret, parts_.org_id, person.user.principal()));
  return response;
}

absl::StatusOr<v1::ResetFactorsResponse> PeopleService::Reset(
    const v1::ResetFactorsRequest& request, const rpc::Caller& caller) {
  v1::Event event =
      EventBuilder("user.mfa.factor.reset_all", "Second factors removed", parts_.clock.Now())
          .Actor(caller)
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  return parts_.database.Write(
      [&](db::Transaction& txn) -> absl::StatusOr<v1::ResetFactorsResponse> {
        DT_ASSIGN_OR_RETURN(Person person, FindPersonById(txn, request.user_id()));
        v1::ResetFactorsResponse response;
        *response.mutable_user() = person.user;
        response.mutable_user()->clear_factors();
        if (person.user.factors().empty()) return response;
        DT_RETURN_IF_ERROR(Factors::Remove(txn, person.user.id()));
        v1::Event told = event;
        v1::Target& target = *told.add_targets();
        target.set_type("User");
        target.set_id(person.user.id());
        target.set_display_name(person.user.principal());
        DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
        return response;
      });
}

grpc::Status PeopleService::ImportUsers(grpc::ServerContext* context,
                                        const v1::ImportUsersRequest* request,
                                        v1::ImportUsersResponse* response) {
  const auto caller = RequireAdmin(parts_.caller, context);
  if (!caller.ok()) return rpc::ToGrpc(caller.status());
  auto imported = Import(*request, *caller);
  if (!imported.ok()) return rpc::ToGrpc(rpc::StoreError(imported.status()));
  *response = *std::move(imported);
  return grpc::Status::OK;
}

grpc::Status PeopleService::GetUser(grpc::ServerContext* /*context*/,
                                    const v1::GetUserRequest* request,
                                    v1::GetUserResponse* response) {
  auto person = Find(*request);
  if (!person.ok()) return rpc::ToGrpc(rpc::StoreError(person.status()));
  *response->mutable_user() = std::move(person->user);
  return grpc::Status::OK;
}

grpc::Status PeopleService::ListUsers(grpc::ServerContext* /*context*/,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) {
  auto listed = List(*request);
  if (!listed.ok()) return rpc::ToGrpc(rpc::StoreError(listed.status()));
  *response = *std::move(listed);
  return grpc::Status::OK;
}

grpc::Status PeopleService::SetUserStatus(grpc::ServerContext* context,
                                          const v1::SetUserStatusRequest* request,
                                          v1::SetUserStatusResponse* response) {
  const auto caller = RequireAdmin(parts_.caller, context);
  if (!caller.ok()) return rpc::ToGrpc(caller.status());
  auto set = SetStatus(*request, *caller);
  if (!set.ok()) return rpc::ToGrpc(rpc::StoreError(set.status()));
  *response = *std::move(set);
  return grpc::Status::OK;
}

grpc::Status PeopleService::EnrollFactor(grpc::ServerContext* context,
                                         const v1::EnrollFactorRequest* request,
                                         v1::EnrollFactorResponse* response) {
  const auto caller = RequireAdmin(parts_.caller, context);
  if (!caller.ok()) return rpc::ToGrpc(caller.status());
  auto enrolled = Enroll(*request, *caller);
  if (!enrolled.ok()) return rpc::ToGrpc(rpc::StoreError(enrolled.status()));
  *response = *std::move(enrolled);
  return grpc::Status::OK;
}

grpc::Status PeopleService::ResetFactors(grpc::ServerContext* context,
                                         const v1::ResetFactorsRequest* request,
                                         v1::ResetFactorsResponse* response) {
  const auto caller = RequireAdmin(parts_.caller, context);
  if (!caller.ok()) return rpc::ToGrpc(caller.status());
  auto reset = Reset(*request, *caller);
  if (!reset.ok()) return rpc::ToGrpc(rpc::StoreError(reset.status()));
  *response = *std::move(reset);
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
