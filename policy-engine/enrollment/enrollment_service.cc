#include "policy-engine/enrollment/enrollment_service.h"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <utility>

#include "google/rpc/status.pb.h"
#include "libs/rpc/error.h"
#include "libs/rpc/result_label.h"
#include "libs/rpc/status.h"
#include "policy-engine/enrollment/iwa_registry.h"
#include "policy-engine/metrics.h"
#include "policy-engine/rules_wire/rule_messages.h"

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
absl::StatusOr<Enrollee> FindEnrollingUser(db::Transaction& txn, const std::string& sid) {
  DT_ASSIGN_OR_RETURN(std::optional<Enrollee> user, FindEnrollee(txn, sid));
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

absl::Status RecordEnrollment(db::Transaction& txn, const v1::EnrollmentRequest& request,
                              const std::string& user_id, std::optional<Platform> platform,
                              std::int64_t now) {
  DT_ASSIGN_OR_RETURN(
      const auto inserted,
      txn.Run("INSERT INTO enrollments (enrollment_id, user_id, device_id, computer_sid, platform,"
              " iwa_name, authorized_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
              " ON CONFLICT (enrollment_id) DO NOTHING RETURNING enrollment_id",
              {request.enrollment_id(), user_id, request.device_id(), request.computer_sid(),
               static_cast<std::int64_t>(platform.value_or(Platform::kUnknown)), request.iwa_name(),
               now}));
  if (!inserted.empty()) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const auto known, FindEnrollment(txn, request.enrollment_id()));
  if (known && known->user_id == user_id && known->device_id == request.device_id()) {
    return absl::OkStatus();
  }
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        "the enrollment id is taken by another user or device",
                        request.enrollment_id());
}

// The IWAs that a batch names, mostly one and the same, each looked up once.
class IwaChecks {
 public:
  explicit IwaChecks(db::Transaction& txn) : txn_(txn) {}
  absl::Status MayEnroll(const v1::EnrollmentRequest& request) {
    const auto [known, added] =
        checked_.try_emplace({request.iwa_name(), request.kid(), request.realm()});
    if (added) {
      known->second = CheckIwaMayEnroll(txn_, request.iwa_name(), request.kid(), request.realm());
    }
    return known->second;
  }

 private:
  db::Transaction& txn_;
  std::map<std::tuple<std::string, std::string, std::string>, absl::Status> checked_;
};

absl::Status AuthorizeOne(db::Transaction& txn, IwaChecks& iwas,
                          const v1::EnrollmentRequest& request, std::optional<Platform> platform,
                          std::int64_t now, Enrollee& user) {
  DT_RETURN_IF_ERROR(iwas.MayEnroll(request));
  DT_ASSIGN_OR_RETURN(user, FindEnrollingUser(txn, request.user_sid()));
  return RecordEnrollment(txn, request, user.id, platform, now);
}

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

absl::StatusOr<std::optional<Enrollment>> FindEnrollment(db::Transaction& txn,
                                                         const std::string& enrollment_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT user_id, device_id, platform FROM enrollments WHERE enrollment_id = $1",
              {enrollment_id}));
  if (rows.empty()) return std::optional<Enrollment>();
  const db::Row& row = rows.front();
  Enrollment enrollment{db::Text(row[0]), db::Text(row[1]), std::nullopt};
  const std::int64_t platform = db::Int(row[2]);
  if (platform > 0 && platform <= kPlatformCount) {
    enrollment.platform = static_cast<Platform>(platform);
  }
  return std::optional<Enrollment>(std::move(enrollment));
}

// One search in each domain for all that are not refused yet.
void EnrollmentService::LookUpPlatforms(std::span<Item> items) {
  if (directories_.domains().empty()) return;
  std::vector<std::string> sids;
  std::vector<Item*> asked;
  for (Item& item : items) {
    if (!item.status.ok()) continue;
    sids.push_back(item.request.computer_sid());
    asked.push_back(&item);
  }
  if (sids.empty()) return;
  const auto computers = directories_.FindComputers(sids);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    auto platform = PlatformOf(computers[i], sids[i]);
    if (platform.ok()) {
      asked[i]->platform = *platform;
    } else {
      asked[i]->status = platform.status();
    }
  }
}

// Refusals are in the items; an error is of the store, and then nothing is recorded.
absl::Status EnrollmentService::Authorize(std::span<Item> items) {
  const absl::Status open = CheckOrgEnrolls(store_.state()->settings);
  for (Item& item : items) {
    item.status = ValidateEnrollment(item.request);
    item.status.Update(open);
  }
  LookUpPlatforms(items);
  const std::int64_t now = UnixSeconds(clock_.Now());
  std::vector<absl::Status> judged;
  // One transaction: a user deactivated meanwhile is seen, or the enrollments are before it.
  // What is refused has changed nothing, so nothing has to be undone for it.
  DT_RETURN_IF_ERROR(database_.Write([&](db::Transaction& txn) -> absl::Status {
    judged.clear();
    IwaChecks iwas(txn);
    for (Item& item : items) {
      judged.push_back(item.status);
      if (!item.status.ok()) continue;
      judged.back() = AuthorizeOne(txn, iwas, item.request, item.platform, now, item.user);
      if (!judged.back().ok() && !rpc::DetailOf(judged.back())) return judged.back();
    }
    return absl::OkStatus();
  }));
  for (std::size_t i = 0; i < items.size(); ++i) items[i].status = std::move(judged[i]);
  return absl::OkStatus();
}

grpc::Status EnrollmentService::AuthorizeEnrollments(grpc::ServerContext* /*context*/,
                                                     const v1::AuthorizeEnrollmentsRequest* request,
                                                     v1::AuthorizeEnrollmentsResponse* response) {
  const auto count = static_cast<std::size_t>(request->enrollments_size());
  if (count == 0 || count > kEnrollmentsPerCallMax) {
    return rpc::ToGrpc(
        rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                       fmt::format("1 to {} enrollments in one call", kEnrollmentsPerCallMax)));
  }
  std::vector<Item> items;
  items.reserve(count);
  for (const v1::EnrollmentRequest& enrollment : request->enrollments()) {
    items.push_back({.request = enrollment, .status = {}, .platform = {}, .user = {}});
  }
  if (const absl::Status status = Authorize(items); !status.ok()) {
    return rpc::ToGrpc(rpc::StoreError(status));
  }
  for (Item& item : items) {
    kEnrollmentsAuthorized.With({rpc::ResultLabel(item.status)}).Add();
    v1::EnrollmentResult& result = *response->add_results();
    if (!item.status.ok()) {
      *result.mutable_refused() = rpc::ToMessage(item.status);
      continue;
    }
    v1::AuthorizedEnrollment& authorized = *result.mutable_authorized();
    authorized.set_user_id(std::move(item.user.id));
    authorized.set_principal(std::move(item.user.principal));
    if (item.platform) authorized.set_platform(ToMessage(*item.platform));
  }
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
