#include "policy-engine/enrolment/enrolment_service.h"

#include <fmt/format.h>

#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "policy-engine/enrolment/iwa_registry.h"
#include "policy-engine/org/rule_messages.h"
#include "policy-engine/people/people_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

absl::Status ValidateEnrolment(const v1::AuthorizeEnrolmentRequest& request) {
  for (const std::string* field :
       {&request.iwa_name(), &request.kid(), &request.user_sid(), &request.computer_sid(),
        &request.realm(), &request.device_id(), &request.enrolment_id()}) {
    if (field->empty() || field->size() > 256) {
      return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::MALFORMED_REQUEST,
                            "every field of an enrolment must be 1 to 256 bytes");
    }
  }
  return absl::OkStatus();
}

// SPEC ORG-1, ORG-3, ORG-4.
absl::Status CheckOrgEnrols(const v1::OrgSettings& settings) {
  if (settings.read_only()) {
    return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::ORG_READ_ONLY,
                          "the org is in read-only mode: nobody can enrol or renew now", {},
                          "Nothing is wrong with the computer; the agent tries again by itself.",
                          std::chrono::seconds(60));
  }
  if (!settings.capability_enabled()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::CAPABILITY_OFF,
                          "the operator has switched Device Trust off for this deployment", {},
                          "Ask the operator to switch the capability on.");
  }
  if (!settings.device_trust_enabled()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::DEVICE_TRUST_OFF,
                          "Device Trust is switched off in the org's settings", {},
                          "Switch it on: dtctl device-trust on.");
  }
  if (!settings.ad_integration_active()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                          reason::v1::AD_INTEGRATION_INACTIVE,
                          "the org has no active Active Directory integration", {},
                          "Activate the AD integration in the org's settings.");
  }
  return absl::OkStatus();
}

// SPEC ORG-4: present, activated, from the domain.
absl::Status CheckUserEnrols(const v1::User& user) {
  if (user.status() != v1::ACTIVE) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::USER_DEACTIVATED,
                          "the user is deactivated in the org", user.principal(),
                          "Activate the user in the org.");
  }
  if (!user.from_ad()) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::USER_NOT_FROM_AD,
                          "the user does not come from Active Directory", user.principal(),
                          "Import the user from Active Directory.");
  }
  return absl::OkStatus();
}

// A missing user is no missing method or row to the CA, but a refusal.
absl::StatusOr<Person> FindEnrollingUser(db::Transaction& txn, const std::string& sid) {
  absl::StatusOr<Person> person = FindPersonBySid(txn, sid);
  if (person.ok() || person.status().code() != absl::StatusCode::kNotFound) return person;
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::USER_UNKNOWN,
                        "the user is not in the org", sid,
                        "Import the user from Active Directory first.");
}

absl::Status RecordEnrolment(db::Transaction& txn, const v1::AuthorizeEnrolmentRequest& request,
                             const std::string& user_id, std::optional<Platform> platform,
                             std::int64_t now) {
  DT_ASSIGN_OR_RETURN(
      const auto inserted,
      txn.Run("INSERT INTO enrolments (enrolment_id, user_id, device_id, computer_sid, platform,"
              " iwa_name, authorized_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
              " ON CONFLICT (enrolment_id) DO NOTHING RETURNING enrolment_id",
              {request.enrolment_id(), user_id, request.device_id(), request.computer_sid(),
               static_cast<std::int64_t>(platform.value_or(Platform::kUnknown)), request.iwa_name(),
               now}));
  if (!inserted.empty()) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const auto known, FindEnrolment(txn, request.enrolment_id()));
  if (known && known->user_id == user_id && known->device_id == request.device_id()) {
    return absl::OkStatus();
  }
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::CONFLICTING_STATE,
                        "the enrolment id is taken by another user or device",
                        request.enrolment_id());
}

}  // namespace

std::optional<Platform> PlatformFromDirectory(std::string_view operating_system) {
  struct Known {
    std::string_view prefix;
    Platform platform;
  };
  static constexpr Known kKnown[] = {
      {"Windows", Platform::kWindows},
      {"macOS", Platform::kMacos},
      {"Mac OS X", Platform::kMacos},
      {"OS X", Platform::kMacos},
      {"Linux", Platform::kOtherDesktop},
      {"Ubuntu", Platform::kOtherDesktop},
      {"Debian", Platform::kOtherDesktop},
      {"Red Hat", Platform::kOtherDesktop},
      {"Samba", Platform::kOtherDesktop},
      {"pc-linux-gnu", Platform::kOtherDesktop},
      {"redhat-linux-gnu", Platform::kOtherDesktop},
  };
  for (const Known& known : kKnown) {
    if (operating_system.starts_with(known.prefix)) return known.platform;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<Enrolment>> FindEnrolment(db::Transaction& txn,
                                                       const std::string& enrolment_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT user_id, device_id, platform FROM enrolments WHERE enrolment_id = $1",
              {enrolment_id}));
  if (rows.empty()) return std::optional<Enrolment>();
  const db::Row& row = rows.front();
  Enrolment enrolment{db::Text(row[0]), db::Text(row[1]), std::nullopt};
  const std::int64_t platform = db::Int(row[2]);
  if (platform > 0 && platform <= kPlatformCount) {
    enrolment.platform = static_cast<Platform>(platform);
  }
  return std::optional<Enrolment>(std::move(enrolment));
}

absl::StatusOr<std::optional<Platform>> EnrolmentService::LookUpPlatform(
    const std::string& computer_sid) {
  if (!computers_) return std::optional<Platform>();
  const absl::StatusOr<directory::Computer> computer = computers_(computer_sid);
  if (computer.ok()) return PlatformFromDirectory(computer->operating_system);
  switch (computer.status().code()) {
    case absl::StatusCode::kNotFound:  // The IWA has seen its ticket; its system stays unknown.
      return std::optional<Platform>();
    case absl::StatusCode::kInvalidArgument:
      return rpc::MakeError(computer.status().code(), reason::v1::MALFORMED_REQUEST,
                            "the computer's SID is malformed", computer_sid);
    default:
      return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::DEPENDENCY_UNAVAILABLE,
                            fmt::format("the directory does not answer: {}",
                                        std::string(computer.status().message())),
                            computer_sid, "Check the domain controller; the agent tries again.",
                            std::chrono::seconds(5));
  }
}

absl::StatusOr<v1::AuthorizeEnrolmentResponse> EnrolmentService::Authorize(
    const v1::AuthorizeEnrolmentRequest& request) {
  DT_RETURN_IF_ERROR(ValidateEnrolment(request));
  DT_RETURN_IF_ERROR(CheckOrgEnrols(store_.state()->settings));
  DT_ASSIGN_OR_RETURN(const std::optional<Platform> platform,
                      LookUpPlatform(request.computer_sid()));
  const std::int64_t now = UnixSeconds(clock_.Now());
  v1::User user;
  // One transaction: a user deactivated meanwhile is seen, or the enrolment is before it.
  const absl::Status recorded = database_.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckIwaMayEnrol(txn, request.iwa_name(), request.kid()));
    DT_ASSIGN_OR_RETURN(const Person person, FindEnrollingUser(txn, request.user_sid()));
    DT_RETURN_IF_ERROR(CheckUserEnrols(person.user));
    DT_RETURN_IF_ERROR(RecordEnrolment(txn, request, person.user.id(), platform, now));
    user = person.user;
    return absl::OkStatus();
  });
  DT_RETURN_IF_ERROR(recorded);
  v1::AuthorizeEnrolmentResponse response;
  response.set_user_id(user.id());
  response.set_principal(user.principal());
  if (platform) response.set_platform(ToMessage(*platform));
  return response;
}

grpc::Status EnrolmentService::AuthorizeEnrolment(grpc::ServerContext* /*context*/,
                                                  const v1::AuthorizeEnrolmentRequest* request,
                                                  v1::AuthorizeEnrolmentResponse* response) {
  auto authorized = Authorize(*request);
  if (!authorized.ok()) return rpc::ToGrpc(rpc::StoreError(authorized.status()));
  *response = *std::move(authorized);
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
