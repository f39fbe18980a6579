#include "policy-engine/enrollment/enrollment_authority.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "libs/rpc/error.h"
#include "policy-engine/enrollment/enrollment_store.h"
#include "policy-engine/enrollment/iwa_registry.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

absl::Status ValidateEnrollment(const v1::EnrollmentRequest& request) {
  for (const std::string* field :
       {&request.iwa_name(), &request.kid(), &request.user_sid(), &request.computer_sid(),
        &request.realm(), &request.device_id(), &request.enrollment_id()}) {
    if (field->empty() || field->size() > 256) {
      return rpc::MakeError(absl::StatusCode::kInvalidArgument,
                            reason::v1::REASON_MALFORMED_REQUEST,
                            "every field of an enrollment must be 1 to 256 bytes");
    }
  }
  return absl::OkStatus();
}

// ORG-1, ORG-3, ORG-4.
absl::Status CheckOrgEnrolls(const v1::OrgSettings& settings) {
  if (settings.read_only()) {
    return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_ORG_READ_ONLY,
                          "the org is in read-only mode: nobody can enroll or renew now", {},
                          "Nothing is wrong with the computer; the agent tries again by itself.",
                          std::chrono::seconds(60));
  }
  if (!settings.capability_enabled()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CAPABILITY_OFF,
                          "the operator has switched Device Trust off for this deployment", {},
                          "Ask the operator to switch the capability on.");
  }
  if (!settings.device_trust_enabled()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                          reason::v1::REASON_DEVICE_TRUST_OFF,
                          "Device Trust is switched off in the org's settings", {},
                          "Switch it on: dtctl device-trust on.");
  }
  if (!settings.ad_integration_active()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                          reason::v1::REASON_AD_INTEGRATION_INACTIVE,
                          "the org has no active Active Directory integration", {},
                          "Activate the AD integration in the org's settings.");
  }
  return absl::OkStatus();
}

// ORG-4: present, activated, from the domain.
absl::StatusOr<EnrollingUser> CheckUserEnrolls(db::Transaction& txn, const std::string& sid) {
  DT_ASSIGN_OR_RETURN(std::optional<EnrollingUser> user, FindEnrollingUser(txn, sid));
  if (!user) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_USER_UNKNOWN,
                          "the user is not in the org", sid,
                          "Import the user from Active Directory first.");
  }
  if (!user->active) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_USER_DEACTIVATED,
                          "the user is deactivated in the org", user->principal,
                          "Activate the user in the org.");
  }
  if (!user->from_ad) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_USER_NOT_FROM_AD,
                          "the user does not come from Active Directory", user->principal,
                          "Import the user from Active Directory.");
  }
  return *std::move(user);
}

// The IWAs that a batch names, mostly one and the same, each looked up once.
class IwaChecks {
 public:
  IwaChecks(db::Transaction& txn, const directory::Registry& directories,
            const v1::OrgSettings& settings)
      : txn_(txn), directories_(directories), settings_(settings) {}
  // An IWA that vouches for one domain does not vouch for another's people or computers by naming
  // its own realm.
  absl::Status MayEnroll(const v1::EnrollmentRequest& request) {
    IwaVouches vouches{request.iwa_name(), request.kid(), request.realm(), {}};
    for (const std::string* sid : {&request.computer_sid(), &request.user_sid()}) {
      if (directories_.domains().empty()) break;  // No SID is known here.
      DT_ASSIGN_OR_RETURN(const directory::Domain* const domain, directories_.FindBySid(*sid));
      vouches.domains.insert(domain);
    }
    const auto [known, added] = checked_.try_emplace(std::move(vouches));
    if (added) {
      known->second = CheckIwaMayEnroll(txn_, known->first, directories_, settings_);
    }
    return known->second;
  }

 private:
  db::Transaction& txn_;
  const directory::Registry& directories_;
  const v1::OrgSettings& settings_;
  std::map<IwaVouches, absl::Status> checked_;
};

// Of a computer that was looked up.
absl::StatusOr<std::optional<Platform>> PlatformOf(
    const absl::StatusOr<directory::Computer>& computer, const std::string& computer_sid) {
  if (computer.ok()) return PlatformFromDirectory(computer->operating_system);
  switch (computer.status().code()) {
    case absl::StatusCode::kNotFound:  // The IWA has seen its ticket; its system stays unknown.
      return std::optional<Platform>();
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:  // UNTRUSTED_FOREST.
      return computer.status();
    default:
      return rpc::MakeError(absl::StatusCode::kUnavailable,
                            reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                            fmt::format("the directory does not answer: {}",
                                        std::string(computer.status().message())),
                            computer_sid, "Check the domain controller; the agent tries again.",
                            std::chrono::seconds(5));
  }
}

absl::StatusOr<v1::AuthorizedEnrollment> AuthorizeOne(db::Transaction& txn, IwaChecks& iwas,
                                                      const v1::EnrollmentRequest& request,
                                                      std::optional<Platform> platform,
                                                      WallTime now) {
  DT_RETURN_IF_ERROR(iwas.MayEnroll(request));
  DT_ASSIGN_OR_RETURN(EnrollingUser user, CheckUserEnrolls(txn, request.user_sid()));
  DT_RETURN_IF_ERROR(RecordEnrollment(txn, request, user.id, platform, now));
  v1::AuthorizedEnrollment authorized;
  authorized.set_user_id(std::move(user.id));
  authorized.set_principal(std::move(user.principal));
  if (platform) authorized.set_platform(ToMessage(*platform));
  return authorized;
}

}  // namespace

// One search in each domain for all that are not refused before it.
std::vector<EnrollmentAuthority::FoundPlatform> EnrollmentAuthority::LookUpPlatforms(
    const Requests& requests) {
  const absl::Status open = CheckOrgEnrolls(store_.state()->settings);
  std::vector<FoundPlatform> platforms;
  std::vector<std::string> sids;
  std::vector<std::size_t> asked;
  for (const v1::EnrollmentRequest& request : requests) {
    absl::Status status = ValidateEnrollment(request);
    status.Update(open);
    if (status.ok()) {
      asked.push_back(platforms.size());
      sids.push_back(request.computer_sid());
      platforms.emplace_back(std::optional<Platform>());
    } else {
      platforms.emplace_back(std::move(status));
    }
  }
  if (sids.empty() || directories_.domains().empty()) return platforms;
  const auto computers = directories_.FindComputers(sids);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    platforms[asked[i]] = PlatformOf(computers[i], sids[i]);
  }
  return platforms;
}

absl::StatusOr<std::vector<EnrollmentAuthority::Result>> EnrollmentAuthority::Authorize(
    const Requests& requests) {
  if (requests.empty() || requests.size() > kEnrollmentsPerCallMax) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          fmt::format("1 to {} enrollments in one call", kEnrollmentsPerCallMax));
  }
  const std::vector<FoundPlatform> platforms = LookUpPlatforms(requests);
  const WallTime now = clock_.Now();
  // One transaction: a user deactivated meanwhile is seen, or the enrollments are before it.
  // What is refused has changed nothing, so nothing has to be undone for it.
  const auto authorize = [&](db::Transaction& txn) -> absl::StatusOr<std::vector<Result>> {
    std::vector<Result> results;
    const auto state = store_.state();
    IwaChecks iwas(txn, directories_, state->settings);
    for (int i = 0; i < requests.size(); ++i) {
      const FoundPlatform& platform = platforms[static_cast<std::size_t>(i)];
      if (!platform.ok()) {
        results.emplace_back(platform.status());
        continue;
      }
      results.push_back(AuthorizeOne(txn, iwas, requests[i], *platform, now));
      const absl::Status& status = results.back().status();
      if (!status.ok() && !rpc::DetailOf(status)) return status;  // The store's.
    }
    return results;
  };
  return database_.Write(authorize);
}

}  // namespace devicetrust::policy
