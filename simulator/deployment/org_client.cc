#include "simulator/deployment/org_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/client.pb.h"
#include "devicetrust/org/v1/decisions.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/rules.pb.h"
#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::simulator {

namespace v1 = ::devicetrust::org::v1;

namespace {

constexpr std::chrono::seconds kTimeout{10};  // The set-up may meet a machine under load.
constexpr std::size_t kPeoplePerCall = 1000;
constexpr int kEventsPerPage = 1000;
constexpr const char* kDecisionEvent = "policy.evaluate_sign_on";

std::string CodeOf(const v1::Event& event) {
  const auto found = event.debug_data().find("code");
  return found == event.debug_data().end() ? "" : found->second;
}

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
  v1::Rule legacy = NewRule("1 legacy mail client", v1::Action::ACCESS_ALLOWED, false);
  legacy.add_clients(v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY);

  v1::Rule trusted =
      NewRule("2 browser or modern client, Windows, trusted", v1::Action::ACCESS_ALLOWED,
              /*factor=*/true);
  trusted.add_clients(v1::CLIENT_KIND_WEB_BROWSER);
  trusted.add_clients(v1::CLIENT_KIND_MODERN_AUTH);
  trusted.add_platforms(v1::PLATFORM_KIND_WINDOWS);
  trusted.set_trust(v1::TRUST_CONDITION_TRUSTED);

  v1::Rule others = NewRule("3 browser or modern client, off Windows", v1::Action::ACCESS_ALLOWED,
                            /*factor=*/true);
  others.add_clients(v1::CLIENT_KIND_WEB_BROWSER);
  others.add_clients(v1::CLIENT_KIND_MODERN_AUTH);
  for (const v1::PlatformKind platform :
       {v1::PLATFORM_KIND_IOS, v1::PLATFORM_KIND_ANDROID, v1::PLATFORM_KIND_OTHER_MOBILE,
        v1::PLATFORM_KIND_MACOS, v1::PLATFORM_KIND_OTHER_DESKTOP}) {
    others.add_platforms(platform);
  }
  return {legacy, trusted, others, NewRule("4 everything else", v1::Action::ACCESS_DENIED, false)};
}

std::vector<v1::Rule> TrustedOnly() {
  v1::Rule trusted = NewRule("1 trusted device", v1::Action::ACCESS_ALLOWED, false);
  trusted.set_trust(v1::TRUST_CONDITION_TRUSTED);
  for (const v1::PlatformKind platform : {v1::PLATFORM_KIND_IOS, v1::PLATFORM_KIND_ANDROID,
                                          v1::PLATFORM_KIND_WINDOWS, v1::PLATFORM_KIND_MACOS}) {
    trusted.add_platforms(platform);  // POL-3: trust is for these four.
  }
  return {trusted, NewRule("2 everything else", v1::Action::ACCESS_DENIED, false)};
}

absl::Status OrgClient::SetUp(const Fleet& fleet, const std::vector<std::string>& sids,
                              const std::string& learn_more_url) {
  const auto settings = v1::SettingsService::NewStub(org_);
  v1::SetAdIntegrationRequest integration;
  integration.set_active(true);
  for (const DomainSpec& domain : fleet.domains) integration.add_domains(domain.dns_name);
  DT_RETURN_IF_ERROR(
      rpc::Call(*settings, &v1::SettingsService::Stub::SetAdIntegration, integration, kTimeout)
          .status());
  v1::SetDeviceTrustRequest trust;
  trust.set_enabled(true);
  trust.set_learn_more_url(learn_more_url);
  DT_RETURN_IF_ERROR(
      rpc::Call(*settings, &v1::SettingsService::Stub::SetDeviceTrust, trust, kTimeout).status());
  return ImportPeople(fleet, sids);
}

absl::Status OrgClient::ImportPeople(const Fleet& fleet, const std::vector<std::string>& sids) {
  const auto people = v1::UserService::NewStub(org_);
  for (std::size_t begin = 0; begin < fleet.users.size(); begin += kPeoplePerCall) {
    v1::ImportUsersRequest request;
    const std::size_t end = std::min(begin + kPeoplePerCall, fleet.users.size());
    for (std::size_t i = begin; i < end; ++i) {
      const FleetUser& user = fleet.users[i];
      v1::UserImport& person = *request.add_users();
      person.set_sid(sids[i]);
      person.set_principal(user.principal);
      person.set_account_name(user.account_name);
      person.set_display_name(user.display_name);
      person.set_email(user.email);
      person.set_given_name(user.given_name);
      person.set_surname(user.surname);
      for (const std::string& group : user.groups) person.add_groups(group);
      person.set_totp_secret(ToString(user.totp_secret));
    }
    DT_RETURN_IF_ERROR(
        rpc::Call(*people, &v1::UserService::Stub::ImportUsers, request, kTimeout).status());
  }
  return absl::OkStatus();
}

absl::Status OrgClient::Register(const AppRegistration& app) {
  const auto apps = v1::AppService::NewStub(org_);
  v1::PutAppRequest put;
  put.mutable_app()->set_id(app.id);
  put.mutable_app()->set_label(app.label);
  *put.mutable_app()->mutable_saml() = app.saml;
  put.mutable_app()->set_has_client_conditions(
      std::any_of(app.rules.begin(), app.rules.end(),
                  [](const v1::Rule& rule) { return rule.clients_size() > 0; }));
  DT_RETURN_IF_ERROR(rpc::Call(*apps, &v1::AppService::Stub::PutApp, put, kTimeout).status());
  v1::SetRulesRequest rules;
  rules.set_app_id(app.id);
  for (const v1::Rule& rule : app.rules) *rules.add_rules() = rule;
  return rpc::Call(*apps, &v1::AppService::Stub::SetRules, rules, kTimeout).status();
}

absl::StatusOr<bool> OrgClient::IwaIsRegistered(const std::string& name) {
  const auto registry = v1::IwaRegistryService::NewStub(org_);
  DT_ASSIGN_OR_RETURN(const v1::ListIwasResponse list,
                      rpc::Call(*registry, &v1::IwaRegistryService::Stub::ListIwas,
                                v1::ListIwasRequest(), kTimeout));
  return std::any_of(list.iwas().begin(), list.iwas().end(), [&name](const v1::Iwa& iwa) {
    return iwa.name() == name && iwa.enabled() && iwa.keys_size() > 0;
  });
}

absl::StatusOr<Issuers> OrgClient::GetIssuers() {
  const auto stub = ca::v1::IssuerService::NewStub(ca_);
  DT_ASSIGN_OR_RETURN(const ca::v1::GetIssuersResponse response,
                      rpc::Call(*stub, &ca::v1::IssuerService::Stub::GetIssuers,
                                ca::v1::GetIssuersRequest(), kTimeout));
  if (response.issuers().empty()) return absl::InternalError("the CA names no issuer");
  const ca::v1::Issuer& active = response.issuers(0);
  Issuers issuers{{}, active.crl_url(), response.edge_address()};
  for (const std::string& der : active.chain_der()) {
    issuers.chain_der.emplace_back(der.begin(), der.end());
  }
  return issuers;
}

absl::Status OrgClient::RevokeCertificate(const std::string& serial) {
  const auto admin = ca::v1::CertificateAdminService::NewStub(ca_);
  ca::v1::RevokeCertificateRequest request;
  request.set_serial(serial);
  request.set_reason(ca::v1::REVOCATION_REASON_KEY_COMPROMISE);
  request.set_requested_by("admin:dt-sim");
  return rpc::Call(*admin, &ca::v1::CertificateAdminService::Stub::RevokeCertificate, request,
                   kTimeout)
      .status();
}

absl::StatusOr<std::map<std::string, std::uint64_t>> OrgClient::CountEvents(WallTime since) {
  const auto log = v1::SystemLogService::NewStub(org_);
  v1::CountEventsRequest request;
  *request.mutable_filter()->mutable_since() = rpc::ToTimestamp(since);
  DT_ASSIGN_OR_RETURN(const v1::CountEventsResponse response,
                      rpc::Call(*log, &v1::SystemLogService::Stub::CountEvents, request, kTimeout));
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [type, count] : response.by_type()) {
    counts[type] = static_cast<std::uint64_t>(count);
  }
  return counts;
}

template <typename Visit>
absl::Status OrgClient::ForEachEvent(const std::string& type, WallTime since, Visit visit) {
  const auto log = v1::SystemLogService::NewStub(org_);
  v1::SearchEventsRequest request;
  *request.mutable_filter()->mutable_since() = rpc::ToTimestamp(since);
  request.mutable_filter()->add_types(type);
  request.set_page_size(kEventsPerPage);
  do {
    DT_ASSIGN_OR_RETURN(
        const v1::SearchEventsResponse page,
        rpc::Call(*log, &v1::SystemLogService::Stub::SearchEvents, request, kTimeout));
    for (const v1::Event& event : page.events()) visit(event);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LoggedDecision>> OrgClient::ListDecisions(WallTime since) {
  std::vector<LoggedDecision> decisions;
  DT_RETURN_IF_ERROR(ForEachEvent(kDecisionEvent, since, [&decisions](const v1::Event& event) {
    LoggedDecision decision{CodeOf(event), "", rpc::EnumName(event.outcome().result()),
                            event.outcome().reason()};
    for (const v1::Target& target : event.targets()) {
      if (target.type() == "Rule") decision.rule = target.display_name();
    }
    decisions.push_back(std::move(decision));
  }));
  return decisions;
}

absl::StatusOr<std::vector<std::string>> OrgClient::DecisionsOf(const std::string& principal) {
  const auto log = v1::SystemLogService::NewStub(org_);
  v1::SearchEventsRequest request;
  request.mutable_filter()->set_user_id(principal);
  request.mutable_filter()->add_types(kDecisionEvent);
  request.set_page_size(100);
  DT_ASSIGN_OR_RETURN(
      const v1::SearchEventsResponse page,
      rpc::Call(*log, &v1::SystemLogService::Stub::SearchEvents, request, kTimeout));
  std::vector<std::string> codes;
  for (const v1::Event& event : page.events()) codes.push_back(CodeOf(event));
  return codes;
}

absl::StatusOr<std::map<std::string, std::uint64_t>> OrgClient::CountOutcomes(
    const std::string& type, WallTime since) {
  std::map<std::string, std::uint64_t> counts;
  DT_RETURN_IF_ERROR(ForEachEvent(type, since, [&counts](const v1::Event& event) {
    std::string key = rpc::EnumName(event.outcome().result());
    if (!event.outcome().reason().empty()) key += " " + event.outcome().reason();
    ++counts[key];
  }));
  return counts;
}

absl::StatusOr<v1::Decision> OrgClient::Explain(const std::string& code) {
  const auto decisions = v1::DecisionService::NewStub(org_);
  v1::ExplainDecisionRequest request;
  request.set_code(code);
  DT_ASSIGN_OR_RETURN(
      v1::ExplainDecisionResponse answer,
      rpc::Call(*decisions, &v1::DecisionService::Stub::ExplainDecision, request, kTimeout));
  return std::move(*answer.mutable_decision());
}

}  // namespace devicetrust::simulator
