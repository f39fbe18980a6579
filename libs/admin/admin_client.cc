#include "libs/admin/admin_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "libs/admin/admin_stubs.h"
#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

namespace {

constexpr std::size_t kUsersPerCall = 1000;
constexpr std::size_t kImportBytesMax = 1024 * 1024;  // Of a call; the org takes four times that.

// Null without an address: gRPC would take an empty one and complain in its log.
std::shared_ptr<grpc::Channel> Connect(const Endpoint& endpoint) {
  if (endpoint.address.empty()) return nullptr;
  return rpc::NewChannel({.address = endpoint.address,
                          .server_name = endpoint.server_name,
                          .trust_pem = endpoint.trust_pem,
                          .identity = rpc::Identity{.certificate_pem = endpoint.certificate_pem,
                                                    .key_pem = endpoint.key_pem}});
}

bool IsRefused(const v1::ImportUsersResponse& answer, std::size_t index) {
  return std::any_of(answer.refused().begin(), answer.refused().end(), [index](const auto& one) {
    return static_cast<std::size_t>(one.index()) == index;
  });
}

}  // namespace

AdminClient::AdminClient(const Channels& channels, AdminConfig config)
    : stubs_(std::make_unique<Stubs>(channels, std::move(config))) {}

AdminClient::AdminClient(const Endpoints& endpoints)
    : AdminClient(Channels{Connect(endpoints.org), Connect(endpoints.ca)},
                  AdminConfig{.name = AdminName(endpoints.org.certificate_pem),
                              .org_address = endpoints.org.address,
                              .ca_address = endpoints.ca.address}) {}

AdminClient::~AdminClient() = default;

absl::StatusOr<v1::OrgSettings> AdminClient::GetSettings() {
  DT_ASSIGN_OR_RETURN(const v1::GetSettingsResponse answer,
                      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::GetSettings,
                                  v1::GetSettingsRequest()));
  return answer.settings();
}

absl::StatusOr<v1::SetDeviceTrustResponse> AdminClient::SetDeviceTrust(
    const v1::SetDeviceTrustRequest& request) {
  return stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetDeviceTrust, request);
}

absl::StatusOr<v1::SetCapabilityResponse> AdminClient::SetCapability(bool enabled) {
  v1::SetCapabilityRequest request;
  request.set_enabled(enabled);
  return stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetCapability, request);
}

absl::StatusOr<v1::OrgSettings> AdminClient::SetReadOnly(bool read_only) {
  v1::SetReadOnlyRequest request;
  request.set_read_only(read_only);
  DT_ASSIGN_OR_RETURN(
      const v1::SetReadOnlyResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetReadOnly, request));
  return answer.settings();
}

absl::StatusOr<v1::OrgSettings> AdminClient::SetAdIntegration(
    const v1::SetAdIntegrationRequest& request) {
  DT_ASSIGN_OR_RETURN(
      const v1::SetAdIntegrationResponse answer,
      stubs_->Org(stubs_->settings, &v1::SettingsService::Stub::SetAdIntegration, request));
  return answer.settings();
}

absl::StatusOr<v1::ListAppsResponse> AdminClient::ListApps() {
  return stubs_->Org(stubs_->apps, &v1::AppService::Stub::ListApps, v1::ListAppsRequest());
}

absl::StatusOr<v1::App> AdminClient::GetApp(const std::string& id) {
  v1::GetAppRequest request;
  request.set_app_id(id);
  DT_ASSIGN_OR_RETURN(const v1::GetAppResponse answer,
                      stubs_->Org(stubs_->apps, &v1::AppService::Stub::GetApp, request));
  return answer.app();
}

absl::StatusOr<v1::App> AdminClient::PutApp(const v1::PutAppRequest& request) {
  DT_ASSIGN_OR_RETURN(const v1::PutAppResponse answer,
                      stubs_->Org(stubs_->apps, &v1::AppService::Stub::PutApp, request));
  return answer.app();
}

absl::StatusOr<v1::SetAppLogoResponse> AdminClient::SetAppLogo(
    const v1::SetAppLogoRequest& request) {
  return stubs_->Org(stubs_->apps, &v1::AppService::Stub::SetAppLogo, request);
}

absl::Status AdminClient::RemoveApp(const v1::RemoveAppRequest& request) {
  return stubs_->Org(stubs_->apps, &v1::AppService::Stub::RemoveApp, request).status();
}

absl::StatusOr<v1::App> AdminClient::SetRules(const v1::SetRulesRequest& request) {
  DT_ASSIGN_OR_RETURN(const v1::SetRulesResponse answer,
                      stubs_->Org(stubs_->apps, &v1::AppService::Stub::SetRules, request));
  return answer.app();
}

absl::StatusOr<v1::GetZonesResponse> AdminClient::GetZones() {
  return stubs_->Org(stubs_->zones, &v1::ZoneService::Stub::GetZones, v1::GetZonesRequest());
}

absl::Status AdminClient::SetZones(const v1::SetZonesRequest& request) {
  return stubs_->Org(stubs_->zones, &v1::ZoneService::Stub::SetZones, request).status();
}

absl::StatusOr<v1::ImportUsersResponse> AdminClient::ImportUsers(
    std::span<const v1::UserImport> users) {
  v1::ImportUsersResponse all;
  std::vector<std::size_t> left(users.size());  // Indexes of `users`.
  std::iota(left.begin(), left.end(), std::size_t{0});
  std::unordered_map<std::string_view, std::size_t> by_sid;
  for (std::size_t i = 0; i < users.size(); ++i) {
    all.add_user_ids();
    by_sid.emplace(users[i].sid(), i);
  }
  // Who has a name that another one waits for may come in a later call: only when all have come is
  // a name known to be free.
  std::vector<v1::RefusedUser> waiting;
  for (const bool last : {false, true}) {
    for (std::size_t begin = 0, end = 0; begin < left.size(); begin = end) {
      v1::ImportUsersRequest request;
      request.set_judge_each(true);
      request.set_take_over_principals(last);
      std::size_t bytes = 0;
      while (end < left.size() && end - begin < kUsersPerCall) {
        bytes += users[left[end]].ByteSizeLong();
        if (end > begin && bytes > kImportBytesMax) break;
        *request.add_users() = users[left[end++]];
      }
      auto part = stubs_->Org(stubs_->users, &v1::UserService::Stub::ImportUsers, request);
      const int stored = all.added() + all.updated();
      if (!part.ok() && stored > 0) {
        return Annotate(part.status(), fmt::format("{} users are stored", stored));
      }
      DT_RETURN_IF_ERROR(part.status());
      all.set_added(all.added() + part->added());
      all.set_updated(all.updated() + part->updated());
      all.mutable_retired()->MergeFrom(part->retired());
      for (int i = 0; i < part->user_ids_size(); ++i) {
        all.set_user_ids(static_cast<int>(left[begin + static_cast<std::size_t>(i)]),
                         part->user_ids(i));
      }
      for (v1::RefusedUser& refused : *part->mutable_refused()) {
        refused.set_index(
            static_cast<std::int32_t>(left[begin + static_cast<std::size_t>(refused.index())]));
        const bool waits = !last && refused.reason() == reason::v1::REASON_ALREADY_EXISTS;
        if (waits) waiting.push_back(refused);
        if (!waits) *all.add_refused() = std::move(refused);
      }
    }
    left.clear();
    for (v1::RefusedUser& refused : waiting) {
      // Whoever has the name is one of `users`, and could not be stored under another.
      const auto owner = by_sid.find(refused.owner_sid());
      const bool kept = owner != by_sid.end() && IsRefused(all, owner->second);
      if (kept) *all.add_refused() = refused;
      if (!kept) left.push_back(static_cast<std::size_t>(refused.index()));
    }
    waiting.clear();
  }
  return all;
}

absl::StatusOr<v1::User> AdminClient::GetUser(const std::string& name) {
  v1::GetUserRequest request;
  const std::string_view trimmed = TrimName(name);
  if (EqualIgnoringCase(trimmed.substr(0, 4), "S-1-")) {
    request.set_sid("S" + std::string(trimmed.substr(1)));
  } else if (trimmed.find('@') != trimmed.npos) {
    request.set_principal(std::string(trimmed));
  } else {
    request.set_id(LowerCase(trimmed));  // Hex.
  }
  DT_ASSIGN_OR_RETURN(const v1::GetUserResponse answer,
                      stubs_->Org(stubs_->users, &v1::UserService::Stub::GetUser, request));
  return answer.user();
}

absl::StatusOr<std::vector<v1::User>> AdminClient::ListUsers(const std::string& query, int count) {
  v1::ListUsersRequest request;
  request.set_query(query);
  std::vector<v1::User> users;
  while (static_cast<int>(users.size()) < count) {
    request.set_page_size(std::min(kPageSizeMax, count - static_cast<int>(users.size())));
    DT_ASSIGN_OR_RETURN(const v1::ListUsersResponse page,
                        stubs_->Org(stubs_->users, &v1::UserService::Stub::ListUsers, request));
    users.insert(users.end(), page.users().begin(), page.users().end());
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  return users;
}

absl::StatusOr<v1::SetUserStatusResponse> AdminClient::SetUserStatus(const std::string& user_id,
                                                                     v1::UserStatus status) {
  v1::SetUserStatusRequest request;
  request.set_user_id(user_id);
  request.set_status(status);
  return stubs_->Org(stubs_->users, &v1::UserService::Stub::SetUserStatus, request);
}

absl::StatusOr<v1::EnrolledTotp> AdminClient::EnrollTotp(const std::string& user_id) {
  v1::EnrollFactorRequest request;
  request.set_user_id(user_id);
  request.mutable_totp();
  DT_ASSIGN_OR_RETURN(const v1::EnrollFactorResponse answer,
                      stubs_->Org(stubs_->users, &v1::UserService::Stub::EnrollFactor, request));
  return answer.totp();
}

absl::StatusOr<v1::User> AdminClient::ResetFactors(const std::string& user_id) {
  v1::ResetFactorsRequest request;
  request.set_user_id(user_id);
  DT_ASSIGN_OR_RETURN(const v1::ResetFactorsResponse answer,
                      stubs_->Org(stubs_->users, &v1::UserService::Stub::ResetFactors, request));
  return answer.user();
}

absl::StatusOr<v1::GetPeopleSyncResponse> AdminClient::GetPeopleSync() {
  return stubs_->Org(stubs_->people_sync, &v1::PeopleSyncService::Stub::GetPeopleSync,
                     v1::GetPeopleSyncRequest());
}

absl::StatusOr<v1::RunPeopleSyncResponse> AdminClient::RunPeopleSync(
    const v1::RunPeopleSyncRequest& request) {
  return stubs_->Org(stubs_->people_sync, &v1::PeopleSyncService::Stub::RunPeopleSync, request);
}

absl::StatusOr<v1::PeopleSyncStatus> AdminClient::ApprovePeopleSync(const std::string& domain,
                                                                    std::int64_t deactivations) {
  v1::ApprovePeopleSyncRequest request;
  request.set_domain(domain);
  request.set_deactivations(deactivations);
  DT_ASSIGN_OR_RETURN(
      const v1::ApprovePeopleSyncResponse answer,
      stubs_->Org(stubs_->people_sync, &v1::PeopleSyncService::Stub::ApprovePeopleSync, request));
  return answer.domain();
}

absl::StatusOr<std::vector<v1::Iwa>> AdminClient::ListIwas() {
  DT_ASSIGN_OR_RETURN(
      const v1::ListIwasResponse list,
      stubs_->Org(stubs_->iwas, &v1::IwaRegistryService::Stub::ListIwas, v1::ListIwasRequest()));
  return std::vector<v1::Iwa>(list.iwas().begin(), list.iwas().end());
}

absl::StatusOr<v1::Iwa> AdminClient::SetIwaEnabled(const std::string& name, bool enabled) {
  v1::SetIwaEnabledRequest request;
  request.set_name(name);
  request.set_enabled(enabled);
  DT_ASSIGN_OR_RETURN(
      const v1::SetIwaEnabledResponse answer,
      stubs_->Org(stubs_->iwas, &v1::IwaRegistryService::Stub::SetIwaEnabled, request));
  return answer.iwa();
}

absl::StatusOr<v1::Iwa> AdminClient::SetIwaDomains(const std::string& name,
                                                   std::span<const std::string> domains) {
  v1::SetIwaDomainsRequest request;
  request.set_name(name);
  for (const std::string& domain : domains) request.add_domains(domain);
  DT_ASSIGN_OR_RETURN(
      const v1::SetIwaDomainsResponse answer,
      stubs_->Org(stubs_->iwas, &v1::IwaRegistryService::Stub::SetIwaDomains, request));
  return answer.iwa();
}

absl::StatusOr<v1::Decision> AdminClient::ExplainDecision(const std::string& code) {
  v1::ExplainDecisionRequest request;
  request.set_code(code);
  DT_ASSIGN_OR_RETURN(
      const v1::ExplainDecisionResponse answer,
      stubs_->Org(stubs_->decisions, &v1::DecisionService::Stub::ExplainDecision, request));
  return answer.decision();
}

absl::StatusOr<v1::DiagnoseResponse> AdminClient::Diagnose(const v1::DiagnoseRequest& request) {
  return stubs_->Org(stubs_->diagnostics, &v1::DiagnosticsService::Stub::Diagnose, request);
}

void AdminClient::WaitForOrg(std::chrono::milliseconds limit) {
  if (stubs_->org_channel == nullptr) return;
  stubs_->org_channel->WaitForConnected(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(static_cast<std::int64_t>(limit.count()), GPR_TIMESPAN)));
}

}  // namespace devicetrust::admin
