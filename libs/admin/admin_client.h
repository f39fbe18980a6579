// Every call of an administrator to the org and the CA, as a plain function: deadlines, paging,
// the detail of an error and the name of a service that does not answer are dealt with here.
// The contracts (devicetrust.org.v1, devicetrust.ca.v1) say what each call does and refuses.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/console.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/diagnostics.pb.h"
#include "devicetrust/org/v1/event_hooks.pb.h"
#include "devicetrust/org/v1/factors.pb.h"
#include "devicetrust/org/v1/gateway_keys.pb.h"
#include "devicetrust/org/v1/history.pb.h"
#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "devicetrust/org/v1/people_sync.pb.h"
#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "devicetrust/org/v1/policy_document.pb.h"
#include "devicetrust/org/v1/sessions.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "libs/admin/endpoints.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// Both channels carry the administrator's certificate. Either may be null: there is no address.
struct Channels {
  std::shared_ptr<grpc::Channel> org;
  std::shared_ptr<grpc::Channel> ca;
};

struct AdminConfig {
  // Who calls, for `requested_by` of revocations; see AdminName().
  std::string name = "admin";
  // Shown in the error when a service does not answer.
  std::string org_address = {};
  std::string ca_address = {};
  std::chrono::milliseconds timeout{5000};  // Of one call; a stream has none.
};

// Errors of every call: those of its contract, with their ErrorDetail; kUnavailable,
// DEPENDENCY_UNAVAILABLE: the service does not answer at the address, which the message names;
// kInvalidArgument: there is no address. Thread-safe.
class AdminClient {
 public:
  AdminClient(const Channels& channels, AdminConfig config);
  // Connects with the first call.
  explicit AdminClient(const Endpoints& endpoints);
  ~AdminClient();

  // Settings of the org.
  absl::StatusOr<org::v1::OrgSettings> GetSettings();
  absl::StatusOr<org::v1::SetDeviceTrustResponse> SetDeviceTrust(
      const org::v1::SetDeviceTrustRequest& request);
  absl::StatusOr<org::v1::SetCapabilityResponse> SetCapability(bool enabled);
  absl::StatusOr<org::v1::OrgSettings> SetReadOnly(bool read_only);
  absl::StatusOr<org::v1::OrgSettings> SetAdIntegration(
      const org::v1::SetAdIntegrationRequest& request);

  absl::StatusOr<org::v1::OrgSettings> SetDisplayName(const std::string& name);
  absl::StatusOr<org::v1::OrgSettings> SetSessionLimits(
      const org::v1::SetSessionLimitsRequest& request);
  absl::StatusOr<org::v1::OrgSettings> SetFactorSelfEnrollment(bool enabled);
  absl::StatusOr<org::v1::OrgSettings> SetIwaFailover(bool primary_only);

  // Where a user is signed in.
  absl::StatusOr<org::v1::ListSessionsResponse> ListSessions(const std::string& user_id);
  absl::StatusOr<org::v1::EndSessionsResponse> EndSessions(
      const org::v1::EndSessionsRequest& request);
  absl::StatusOr<org::v1::OrgSettings> SetDefaultNameIdFormat(const std::string& format);

  // Keys that SAML answers are signed with.
  absl::StatusOr<org::v1::ListSamlKeysResponse> ListSamlKeys();
  absl::StatusOr<org::v1::RotateSamlKeyResponse> RotateSamlKey(
      const org::v1::RotateSamlKeyRequest& request);
  absl::StatusOr<org::v1::ActivateSamlKeyResponse> ActivateSamlKey(const std::string& kid);
  absl::Status RetireSamlKey(const std::string& kid);

  // Versions of settings, zones and apps. ListVersions: the newest `count`, newest first; of all
  // objects without one.
  absl::StatusOr<std::vector<org::v1::ObjectVersion>> ListVersions(
      const std::optional<org::v1::ObjectName>& object, int count);
  absl::StatusOr<org::v1::GetVersionResponse> GetVersion(const org::v1::ObjectName& object,
                                                         std::int64_t number);
  absl::StatusOr<org::v1::RollbackResponse> Rollback(const org::v1::RollbackRequest& request);

  // The whole policy as one document.
  absl::StatusOr<org::v1::ExportPolicyResponse> ExportPolicy();
  absl::StatusOr<org::v1::ApplyPolicyResponse> ApplyPolicy(
      const org::v1::ApplyPolicyRequest& request);

  // Apps with their rules, and named network zones.
  absl::StatusOr<org::v1::ListAppsResponse> ListApps();  // Without their rules.
  absl::StatusOr<org::v1::App> GetApp(const std::string& id);
  absl::StatusOr<org::v1::App> PutApp(const org::v1::PutAppRequest& request);
  absl::StatusOr<org::v1::SetAppLogoResponse> SetAppLogo(
      const org::v1::SetAppLogoRequest& request);
  absl::Status RemoveApp(const org::v1::RemoveAppRequest& request);
  absl::StatusOr<org::v1::App> SetRules(const org::v1::SetRulesRequest& request);
  absl::StatusOr<org::v1::GetZonesResponse> GetZones();
  absl::Status SetZones(const org::v1::SetZonesRequest& request);

  // Users and their second factors. `user_id` is the org's id, which GetUser() finds.
  // ImportUsers() makes a call for each 1,000 users. Each user is judged alone; the answer's
  // indexes are those of `users`. A principal that somebody has who is none of `users` passes to
  // the one of `users` when all others are stored, so that their order does not matter. An error of
  // a call says how many users of earlier calls are stored.
  absl::StatusOr<org::v1::ImportUsersResponse> ImportUsers(
      std::span<const org::v1::UserImport> users);
  // By principal ("ada@corp.test"), SID ("S-1-5-…") or id, in any case.
  absl::StatusOr<org::v1::User> GetUser(const std::string& name);
  // The first `count` users, by principal, whose principal or display name begins with `query`.
  absl::StatusOr<std::vector<org::v1::User>> ListUsers(const std::string& query, int count);
  absl::StatusOr<org::v1::SetUserStatusResponse> SetUserStatus(const std::string& user_id,
                                                               org::v1::UserStatus status);
  // A TOTP factor whose secret the org makes and tells this once.
  absl::StatusOr<org::v1::EnrolledTotp> EnrollTotp(const std::string& user_id);
  absl::StatusOr<org::v1::User> ResetFactors(const std::string& user_id);
  // Ten new recovery codes instead of those of before.
  absl::StatusOr<org::v1::MakeRecoveryCodesResponse> MakeRecoveryCodes(const std::string& user_id);
  absl::StatusOr<org::v1::GetFactorStatusResponse> GetFactorStatus(const std::string& user_id);

  // Who administers the org in the console. `user` as in GetUser().
  absl::StatusOr<org::v1::GrantRoleResponse> GrantRole(const std::string& user,
                                                       access::v1::Role role);
  absl::StatusOr<org::v1::RevokeRoleResponse> RevokeRole(const std::string& user);
  absl::StatusOr<org::v1::ListAdminsResponse> ListAdmins();

  // People of directories.
  absl::StatusOr<org::v1::GetPeopleSyncResponse> GetPeopleSync();
  absl::StatusOr<org::v1::RunPeopleSyncResponse> RunPeopleSync(
      const org::v1::RunPeopleSyncRequest& request);
  absl::StatusOr<org::v1::PeopleSyncStatus> ApprovePeopleSync(const std::string& domain,
                                                              std::int64_t deactivations);

  absl::StatusOr<std::vector<org::v1::Iwa>> ListIwas();
  absl::StatusOr<org::v1::Iwa> SetIwaEnabled(const std::string& name, bool enabled);
  // The domains that the IWA may vouch for, instead of those of before.
  absl::StatusOr<org::v1::Iwa> SetIwaDomains(const std::string& name,
                                             std::span<const std::string> domains);

  absl::StatusOr<org::v1::Decision> ExplainDecision(const std::string& code);
  absl::StatusOr<org::v1::DiagnoseResponse> Diagnose(const org::v1::DiagnoseRequest& request);

  // What rules would do, saved or not. An analysis may take longer than other calls, and a replay
  // as long as it takes: `flip` is called with each flip, until it returns false.
  absl::StatusOr<org::v1::WhatIfResponse> WhatIf(const org::v1::WhatIfRequest& request);
  absl::StatusOr<org::v1::AnalyzePolicyResponse> AnalyzePolicy(
      const org::v1::AnalyzePolicyRequest& request);
  absl::StatusOr<org::v1::ComparePoliciesResponse> ComparePolicies(
      const org::v1::ComparePoliciesRequest& request);
  absl::StatusOr<org::v1::ReplaySummary> ReplaySignIns(
      const org::v1::ReplaySignInsRequest& request,
      const std::function<bool(const org::v1::SignInFlip&)>& flip);

  // The System Log. SearchEvents: the newest `count` events, oldest of them first.
  // `kept_since`, when given: what arrived before is deleted; unset when nothing is.
  absl::StatusOr<std::vector<org::v1::Event>> SearchEvents(
      const org::v1::EventFilter& filter, int count, std::optional<WallTime>* kept_since = nullptr);
  // All events that match, newest first, page by page.
  absl::Status ForEachEvent(const org::v1::EventFilter& filter,
                            const std::function<void(const org::v1::Event&)>& visit);
  absl::StatusOr<org::v1::CountEventsResponse> CountEvents(const org::v1::EventFilter& filter);
  // Calls `seen` for each event after `after_sequence`, as they come, until it returns false,
  // and keeps `after_sequence` up to date. Calls `lost` when events after it were deleted before
  // they came. Returns when the stream ends: OK at drain.
  absl::Status TailEvents(const org::v1::EventFilter& filter, std::int64_t& after_sequence,
                          const std::function<bool(const org::v1::Event&)>& seen,
                          const std::function<void()>& lost = {});
  // Calls `seen` for each event after `after` and up to sequence `last`, oldest first, until it
  // returns false. `lost` as above.
  absl::Status ReplayEvents(const org::v1::EventFilter& filter, std::int64_t after,
                            std::int64_t last,
                            const std::function<bool(const org::v1::Event&)>& seen,
                            const std::function<void()>& lost = {});
  absl::StatusOr<std::int64_t> LastEventSequence();  // 0: there is none.
  absl::StatusOr<org::v1::GetLogChainResponse> GetLogChain();
  // All heads of the chain after this sequence, oldest first.
  absl::StatusOr<std::vector<org::v1::LogHead>> ListLogHeads(std::int64_t after);
  // Event hooks.
  absl::StatusOr<org::v1::AddHookResponse> AddHook(const org::v1::AddHookRequest& request);
  absl::StatusOr<org::v1::ListHooksResponse> ListHooks();
  absl::StatusOr<org::v1::EventHook> SetHookEnabled(const std::string& name, bool enabled);
  absl::Status RemoveHook(const std::string& name);
  absl::StatusOr<org::v1::RotateHookKeyResponse> RotateHookKey(const std::string& name,
                                                               int overlap_hours);
  absl::StatusOr<org::v1::TestHookResponse> TestHook(const std::string& name);
  absl::StatusOr<org::v1::ListDeadLettersResponse> ListDeadLetters(const std::string& name);
  // One, or with 0 all; how many.
  absl::StatusOr<int> ResendDeadLetters(const std::string& name, std::int64_t id);

  // Waits until the org answers, or that long.
  void WaitForOrg(std::chrono::milliseconds limit);

  // Device certificates. ListCertificates: all that match, newest first.
  absl::StatusOr<std::vector<ca::v1::CertificateRecord>> ListCertificates(
      const ca::v1::ListCertificatesRequest& filter);
  absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(const std::string& user_id,
                                                              ca::v1::RevocationReason reason);
  absl::StatusOr<ca::v1::RevokeCertificateResponse> RevokeCertificate(
      const std::string& serial, ca::v1::RevocationReason reason);
  // A computer by its device id, or by its SID ("S-1-5-21-…").
  absl::StatusOr<ca::v1::RevokeForDeviceResponse> RevokeForDevice(const std::string& device,
                                                                  ca::v1::RevocationReason reason);
  absl::StatusOr<ca::v1::ReleaseHoldResponse> ReleaseHold(const std::string& serial);
  absl::StatusOr<ca::v1::BlockDeviceResponse> BlockDevice(const std::string& device,
                                                          ca::v1::RevocationReason reason,
                                                          bool allow_unknown);
  absl::StatusOr<ca::v1::UnblockDeviceResponse> UnblockDevice(const std::string& device);
  absl::StatusOr<std::vector<ca::v1::BlockedDevice>> ListBlockedDevices();
  absl::StatusOr<std::vector<ca::v1::BlockedKey>> ListBlockedKeys();
  absl::StatusOr<ca::v1::GetIssuersResponse> GetIssuers();

  // Issuers of device certificates, and how they change.
  absl::StatusOr<ca::v1::ListIssuersResponse> ListIssuers();
  absl::StatusOr<ca::v1::AddIssuerResponse> AddIssuer(const std::string& key_uri);
  absl::StatusOr<ca::v1::RequestIssuerResponse> RequestIssuer(const std::string& key_uri);
  absl::StatusOr<ca::v1::InstallIssuerResponse> InstallIssuer(
      const ca::v1::InstallIssuerRequest& request);
  absl::StatusOr<ca::v1::ActivateIssuerResponse> ActivateIssuer(const std::string& id, bool force);
  absl::StatusOr<ca::v1::RetireIssuerResponse> RetireIssuer(const std::string& id, bool force);
  absl::StatusOr<ca::v1::InstallRootCrlResponse> InstallRootCrl(const std::string& crl_der);

 private:
  struct Stubs;
  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace devicetrust::admin
