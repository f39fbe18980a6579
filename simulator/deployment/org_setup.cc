#include "simulator/deployment/org_setup.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/bytes.h"

namespace devicetrust::simulator {

namespace v1 = ::devicetrust::org::v1;

namespace {

v1::Rule NewRule(const std::string& name, v1::Action::Access access, bool factor) {
  v1::Rule rule;
  rule.set_name(name);
  rule.set_active(true);
  rule.mutable_people()->set_everyone(true);
  rule.mutable_action()->set_access(access);
  rule.mutable_action()->set_prompt_for_factor(factor);
  return rule;
}

}  // namespace

std::vector<v1::Rule> FiveRuleExample() {
  v1::Rule legacy = NewRule("legacy mail client", v1::Action::ACCESS_ALLOWED, false);
  legacy.add_clients(v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY);

  v1::Rule trusted = NewRule("browser or modern client, Windows, trusted",
                             v1::Action::ACCESS_ALLOWED, /*factor=*/true);
  trusted.add_clients(v1::CLIENT_KIND_WEB_BROWSER);
  trusted.add_clients(v1::CLIENT_KIND_MODERN_AUTH);
  trusted.add_platforms(v1::PLATFORM_KIND_WINDOWS);
  trusted.set_trust(v1::TRUST_CONDITION_TRUSTED);

  v1::Rule others = NewRule("browser or modern client, off Windows", v1::Action::ACCESS_ALLOWED,
                            /*factor=*/true);
  others.add_clients(v1::CLIENT_KIND_WEB_BROWSER);
  others.add_clients(v1::CLIENT_KIND_MODERN_AUTH);
  for (const v1::PlatformKind platform :
       {v1::PLATFORM_KIND_IOS, v1::PLATFORM_KIND_ANDROID, v1::PLATFORM_KIND_OTHER_MOBILE,
        v1::PLATFORM_KIND_MACOS, v1::PLATFORM_KIND_OTHER_DESKTOP}) {
    others.add_platforms(platform);
  }
  return {legacy, trusted, others, NewRule("everything else", v1::Action::ACCESS_DENIED, false)};
}

std::vector<v1::Rule> TrustedOnly() {
  v1::Rule trusted = NewRule("trusted device", v1::Action::ACCESS_ALLOWED, false);
  trusted.set_trust(v1::TRUST_CONDITION_TRUSTED);
  for (const v1::PlatformKind platform : {v1::PLATFORM_KIND_IOS, v1::PLATFORM_KIND_ANDROID,
                                          v1::PLATFORM_KIND_WINDOWS, v1::PLATFORM_KIND_MACOS}) {
    trusted.add_platforms(platform);  // POL-3: trust is for these four.
  }
  return {trusted, NewRule("everything else", v1::Action::ACCESS_DENIED, false)};
}

void SetRules(v1::App& app, const std::vector<v1::Rule>& rules) {
  app.clear_rules();
  for (const v1::Rule& rule : rules) *app.add_rules() = rule;
  app.set_has_client_conditions(std::any_of(
      rules.begin(), rules.end(), [](const v1::Rule& rule) { return rule.clients_size() > 0; }));
}

absl::Status SetUpOrg(admin::AdminClient& admin, const Fleet& fleet,
                      const std::vector<std::string>& sids, const std::string& learn_more_url) {
  v1::SetAdIntegrationRequest integration;
  integration.set_active(true);
  for (const DomainSpec& domain : fleet.domains) integration.add_domains(domain.dns_name);
  DT_RETURN_IF_ERROR(admin.SetAdIntegration(integration).status());
  v1::SetDeviceTrustRequest trust;
  trust.set_enabled(true);
  trust.set_learn_more_url(learn_more_url);
  DT_RETURN_IF_ERROR(admin.SetDeviceTrust(trust).status());

  std::vector<v1::UserImport> users;
  for (std::size_t i = 0; i < fleet.users.size(); ++i) {
    const FleetUser& user = fleet.users[i];
    v1::UserImport& imported = users.emplace_back();
    imported.set_sid(sids[i]);
    imported.set_principal(user.principal);
    imported.set_account_name(user.account_name);
    imported.set_display_name(user.display_name);
    imported.set_email(user.email);
    imported.set_given_name(user.given_name);
    imported.set_surname(user.surname);
    for (const std::string& group : user.groups) imported.add_groups(group);
    imported.set_totp_secret(ToString(user.totp_secret));
  }
  DT_ASSIGN_OR_RETURN(const v1::ImportUsersResponse imported, admin.ImportUsers(users));
  if (imported.refused().empty()) return absl::OkStatus();
  return absl::InternalError(fmt::format("the org refuses {} of the users, the first {}: {}",
                                         imported.refused_size(), imported.refused(0).principal(),
                                         imported.refused(0).message()));
}

absl::Status GrantDomains(admin::AdminClient& admin, const Fleet& fleet,
                          const std::string& iwa_name) {
  std::vector<std::string> domains;
  for (const DomainSpec& domain : fleet.domains) domains.push_back(domain.dns_name);
  return admin.SetIwaDomains(iwa_name, domains).status();
}

absl::Status NameAdmin(admin::AdminClient& admin, Endpoints& endpoints) {
  const auto user = std::ranges::find_if(
      endpoints.users, [](const EndpointUser& one) { return !one.totp_secret.empty(); });
  if (user == endpoints.users.end()) return absl::OkStatus();
  endpoints.admin.user = *user;
  return Annotate(admin.GrantRole(user->principal, access::v1::ROLE_SUPER_ADMIN).status(),
                  "super admin");
}

std::string SignOnUrl(const std::string& org_origin, const v1::App& app) {
  return fmt::format("{}/app/{}/sso/{}", org_origin, app.id(), app.has_ws_fed() ? "wsfed" : "saml");
}

std::string AdminText(const EndpointAdmin& admin) {
  if (admin.user.principal.empty()) return "";
  return fmt::format("console    {}  as {} / {}, codes of the secret {}\n", admin.url,
                     admin.user.principal, admin.user.password, admin.user.totp_secret);
}

absl::Status RegisterApp(admin::AdminClient& admin, const v1::App& app) {
  v1::PutAppRequest put;
  *put.mutable_app() = app;
  DT_RETURN_IF_ERROR(admin.PutApp(put).status());
  v1::SetRulesRequest rules;
  rules.set_app_id(app.id());
  *rules.mutable_rules() = app.rules();
  return admin.SetRules(rules).status();
}

}  // namespace devicetrust::simulator
