#include "policy-engine/decisions/dashboard.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/names.h"
#include "libs/rpc/error.h"
#include "policy-engine/apps/logo_store.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/log/plain_text.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/recovery_codes.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kDashboardAddressBytesMax = 64;

// Whether a sign-on from there could come in, whatever the device then shows.
bool CouldOpen(const CompiledPolicy& policy, Facts facts, bool device_trust) {
  const auto open = [&](Trust trust) {
    facts.trust = trust;
    return policy.Evaluate(facts).outcome != Outcome::kDenied;
  };
  if (!device_trust) return open(Trust::kNotEvaluated);
  return open(Trust::kTrusted) || open(Trust::kNotTrusted);
}

// SSO-5: all four must hold.
bool IsLocked(const v1::GetDashboardRequest& request, const OrgState& org, const AppState& app,
              const std::optional<StoredSession>& session) {
  const bool in_browser = request.client_kind() == v1::CLIENT_KIND_WEB_BROWSER;
  const bool device_trust = org.NeedsDeviceChallenge(app);
  const bool not_trusted = session && session->trust == SessionTrust::kNotTrusted;
  const bool tried = session && session->tried_secured;
  return in_browser && device_trust && not_trusted && tried;
}

}  // namespace

absl::StatusOr<v1::GetDashboardResponse> Dashboard::Get(const v1::GetDashboardRequest& request) {
  const WallTime now = parts_.clock.Now();
  const auto org = parts_.store.state();
  const SessionLimits limits = SessionLimitsOf(org->settings);
  const SessionUse use{ToPlainText(request.client().address(), kDashboardAddressBytesMax),
                       ToPlainText(request.client().user_agent(), kUserAgentBytesRead)};
  v1::GetDashboardResponse response;
  std::optional<StoredSession> session;
  std::map<std::string, std::string> logos;
  bool administers = false;
  const auto read = [&](db::Transaction& txn) -> absl::Status {
    DT_ASSIGN_OR_RETURN(OpenSession open,
                        CheckSession(txn, ClaimOf(request.session()), limits, now));
    *response.mutable_user() = std::move(open.user.user);
    session = std::move(open.stored);
    DT_ASSIGN_OR_RETURN(logos, ListLogos(txn));
    DT_ASSIGN_OR_RETURN(const std::int32_t left, CountRecoveryCodes(txn, response.user().id()));
    response.set_recovery_codes_left(left);
    DT_ASSIGN_OR_RETURN(const auto role, FindAdminRole(txn, response.user().id()));
    administers = role.has_value();
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(parts_.database.Read(read));
  if (session && IsTouchDue(*session, use, now)) {
    DT_RETURN_IF_ERROR(parts_.database.Write(
        [&](db::Transaction& txn) { return TouchSession(txn, *session, use, now); }));
  }

  const std::vector<std::string> groups(response.user().groups().begin(),
                                        response.user().groups().end());
  Facts facts;
  facts.user_id = response.user().id();
  facts.principal = response.user().principal();
  facts.groups = groups;
  facts.address = IpAddress::Parse(use.address);
  facts.client = ClientFromMessage(request.client_kind());
  facts.claimed_platform = PlatformFromUserAgent(use.user_agent);
  facts.now = now;
  facts.authenticated_at = now;
  for (const auto& [id, app] : org->apps) {
    if (!CouldOpen(*app.policy, facts, org->DeviceTrustEffective())) continue;
    v1::DashboardApp& shown = *response.add_apps();
    shown.set_app_id(id);
    shown.set_label(app.app.label());
    if (const auto logo = logos.find(id); logo != logos.end()) shown.set_logo_sha256(logo->second);
    shown.set_locked(IsLocked(request, *org, app, session));
  }
  std::ranges::sort(*response.mutable_apps(), {}, [](const v1::DashboardApp& app) {
    return std::pair(FoldName(app.label()), app.app_id());
  });
  response.set_learn_more_url(org->settings.learn_more_url());
  response.set_has_factor(!response.user().factors().empty());
  response.set_may_enroll_factor(!response.has_factor() && !administers &&
                                 org->settings.factor_self_enrollment());
  return response;
}

absl::StatusOr<v1::NoteAppOpenedResponse> Dashboard::NoteOpened(
    const v1::NoteAppOpenedRequest& request) {
  const WallTime now = parts_.clock.Now();
  const auto org = parts_.store.state();
  const AppState* app = org->FindApp(request.app_id());
  if (app == nullptr) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          "the org has no such app", request.app_id());
  }
  const auto check = [&](db::Transaction& txn) {
    return CheckSession(txn, ClaimOf(request.session()), SessionLimitsOf(org->settings), now);
  };
  DT_ASSIGN_OR_RETURN(const OpenSession open, parts_.database.Read(check));
  const bool news = open.stored && !open.stored->tried_secured && org->NeedsDeviceChallenge(*app);
  if (news) {
    DT_RETURN_IF_ERROR(parts_.database.Write(
        [&](db::Transaction& txn) { return NoteSecuredTry(txn, open.stored->id); }));
  }
  return v1::NoteAppOpenedResponse();
}

absl::StatusOr<v1::GetAppLogoResponse> Dashboard::Logo(const v1::GetAppLogoRequest& request) const {
  const auto find = [&](db::Transaction& txn) { return FindLogo(txn, request.sha256()); };
  DT_ASSIGN_OR_RETURN(const std::optional<Bytes> png, parts_.database.Read(find));
  if (!png) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_LOGO_UNKNOWN,
                          "no app has this logo");
  }
  v1::GetAppLogoResponse response;
  response.set_png(ToString(*png));
  return response;
}

}  // namespace devicetrust::policy
