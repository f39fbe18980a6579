#include "policy-engine/apps/app_admin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/http/url.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/error.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

absl::Status AppError(const std::string& field, std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), field);
}

absl::Status RuleRefusal(const absl::Status& status, const std::string& subject) {
  if (status.ok() || status.code() != absl::StatusCode::kInvalidArgument) return status;
  return rpc::MakeError(status.code(), reason::v1::REASON_RULE_INVALID,
                        std::string(status.message()), subject);
}

absl::Status UnknownApp(const std::string& id) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                        "the org has no such app", id, "List the apps, or add it first.");
}

bool IsAppId(const std::string& id) {
  const bool plain = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  return plain && !id.empty() && id.size() <= 64;
}

bool IsPrintable(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool IsAcsUrl(const std::string& url) {
  constexpr std::size_t kUrlBytesMax = 2048;
  // It stands in a page; and a fragment never arrives.
  if (url.size() > kUrlBytesMax || url.find_first_of("<>#") != url.npos) return false;
  const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
  return parsed.ok() && (parsed->https || parsed->IsLoopback());
}

absl::Status ValidateAcs(const v1::SamlServiceProvider& saml) {
  if (saml.acs_size() < 1 || saml.acs_size() > kAcsPerAppMax) {
    return AppError("saml.acs", fmt::format("a SAML app has 1 to {} assertion consumer services",
                                            kAcsPerAppMax));
  }
  std::set<int> indexes;
  int defaults = 0;
  for (const v1::AssertionConsumerService& acs : saml.acs()) {
    if (!IsAcsUrl(acs.url())) {
      return AppError("saml.acs", fmt::format("'{}' is no assertion consumer address: https, or "
                                              "http on this computer",
                                              acs.url().substr(0, 200)));
    }
    if (acs.index() < 0 || acs.index() > 65535 || !indexes.insert(acs.index()).second) {
      return AppError("saml.acs",
                      fmt::format("index {} is out of range or given twice", acs.index()));
    }
    defaults += acs.is_default() ? 1 : 0;
  }
  if (defaults > 1) return AppError("saml.acs", "at most one service is the default");
  return absl::OkStatus();
}

absl::Status ValidateSaml(const v1::SamlServiceProvider& saml) {
  if (saml.entity_id().empty() || saml.entity_id().size() > 1024 ||
      !IsPrintable(saml.entity_id())) {
    return AppError("saml.entity_id", "the entity id must be 1 to 1024 printable bytes");
  }
  DT_RETURN_IF_ERROR(ValidateAcs(saml));
  if (saml.signing_certificates_der_size() > kSigningCertificatesMax) {
    return AppError("saml.signing_certificates_der",
                    fmt::format("at most {} certificates", kSigningCertificatesMax));
  }
  for (const std::string& der : saml.signing_certificates_der()) {
    const absl::StatusOr<pki::Certificate> certificate = pki::Certificate::FromDer(AsBytes(der));
    if (!certificate.ok()) {
      return AppError("saml.signing_certificates_der", "a certificate is not DER X.509");
    }
    if (!certificate->public_key().ok()) {
      return AppError("saml.signing_certificates_der",
                      "no signature verifies with the key of a certificate: it must be RSA of 2048 "
                      "to 4096 bits, P-256 or P-384");
    }
  }
  if (saml.requests_signed() && saml.signing_certificates_der().empty()) {
    return AppError("saml.requests_signed",
                    "signed requests are demanded, but no certificate verifies them");
  }
  if (saml.name_id_formats_size() > 20 || saml.default_relay_state().size() > 1024) {
    return AppError("saml", "at most 20 name id formats, and 1024 bytes of default relay state");
  }
  return absl::OkStatus();
}

v1::Event AdminEvent(std::string_view type, std::string_view message, const rpc::Caller& admin,
                     WallTime now, const std::string& target, const std::string& name) {
  return EventBuilder(type, message, now)
      .Actor(admin)
      .Target("AppInstance", target, name)
      .Outcome(v1::EventOutcome::RESULT_SUCCESS)
      .Take();
}

// The app as it is stored: without the default rule, which belongs to every app.
v1::App WithoutDefaultRule(v1::App app) {
  if (!app.rules().empty() && app.rules(app.rules_size() - 1).is_default()) {
    app.mutable_rules()->RemoveLast();
  }
  return app;
}

void NormalizeRule(v1::Rule& rule) {
  if (!rule.has_people()) rule.mutable_people()->set_everyone(true);
}

absl::Status CheckVersion(std::int64_t expected, const OrgState& before) {
  if (expected == 0 || expected == before.version) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kAborted, reason::v1::REASON_CONFLICTING_STATE,
                        fmt::format("the org is at version {}, not at {}: somebody changed it",
                                    before.version, expected),
                        {}, "List the apps again, and apply the change to what they are now.");
}

// `app` in the place of the one that has its id.
absl::Status CheckSize(const v1::App& app, const OrgState& before) {
  std::size_t bytes = app.ByteSizeLong();
  for (const auto& [id, known] : before.apps) {
    if (id != app.id()) bytes += known.app.ByteSizeLong();
  }
  if (bytes <= kAppsBytesMax) return absl::OkStatus();
  return rpc::MakeError(
      absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
      fmt::format("the org's apps and rules would take {} bytes; {} are the limit", bytes,
                  kAppsBytesMax),
      app.id(), "Name groups in the rules instead of people.");
}

absl::Status CheckCompiles(const v1::App& app, const std::vector<Zone>& zones) {
  DT_ASSIGN_OR_RETURN(auto rules, RulesFromMessages(app.rules()));
  return CompiledPolicy::Compile(std::move(rules), KindOf(app), zones).status();
}

}  // namespace

absl::Status ValidateApp(const v1::App& app) {
  if (!IsAppId(app.id())) {
    return AppError("id", "the id must be 1 to 64 lower-case letters, digits and '-'");
  }
  if (app.label().empty() || app.label().size() > 200 || !IsPrintable(app.label())) {
    return AppError("label", "the label must be 1 to 200 printable bytes");
  }
  if (app.protocol() != v1::APP_PROTOCOL_SAML2) {
    return AppError("protocol", "this release signs people in to SAML 2.0 apps");
  }
  return ValidateSaml(app.saml());
}

absl::StatusOr<v1::App> AppAdmin::Stored(const std::string& id) const {
  const auto state = store_.state();
  const AppState* app = state->FindApp(id);
  if (app == nullptr) return UnknownApp(id);
  return app->app;
}

absl::StatusOr<v1::App> AppAdmin::PutApp(const rpc::Caller& admin,
                                         const v1::PutAppRequest& request) {
  v1::App app = request.app();
  DT_RETURN_IF_ERROR(ValidateApp(app));
  v1::Event event = AdminEvent("application.lifecycle.update", "App added or replaced", admin,
                               clock_.Now(), app.id(), app.label());
  const absl::Status status = store_.Change(
      std::move(event), [&](db::Transaction& txn, const OrgState& before) -> absl::Status {
        DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
        app.clear_rules();
        const AppState* known = before.FindApp(app.id());
        if (known != nullptr) *app.mutable_rules() = WithoutDefaultRule(known->app).rules();
        if (known == nullptr && before.apps.size() >= kAppsMax) {
          return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                                reason::v1::REASON_CONFLICTING_STATE,
                                fmt::format("the org has {} apps, which is the limit", kAppsMax));
        }
        DT_RETURN_IF_ERROR(RuleRefusal(CheckCompiles(app, before.zones), app.id()));
        DT_RETURN_IF_ERROR(CheckSize(app, before));
        return WriteApp(txn, app, known == nullptr ? 1 : known->revision + 1);
      });
  if (status.code() == absl::StatusCode::kAlreadyExists) {
    return rpc::MakeError(status.code(), reason::v1::REASON_ALREADY_EXISTS,
                          "another app has this entity id", app.saml().entity_id(),
                          "Change that app, or give this one another entity id.");
  }
  DT_RETURN_IF_ERROR(status);
  return Stored(app.id());
}

absl::StatusOr<v1::App> AppAdmin::SetRules(const rpc::Caller& admin,
                                           const v1::SetRulesRequest& request) {
  std::vector<std::string> names;
  for (const v1::Rule& rule : request.rules()) {
    if (rule.is_default() || rule.name() == DefaultRule().name) {
      return rpc::MakeError(absl::StatusCode::kInvalidArgument,
                            reason::v1::REASON_RULE_NOT_EDITABLE,
                            "the default rule is always there, last, and can't be edited",
                            rule.name(), "Leave it out of the list.");
    }
    names.push_back(fmt::format("{}{}", CutText(rule.name(), kRuleNameBytesMax),
                                rule.active() ? "" : " (inactive)"));
  }
  v1::Event event = AdminEvent("policy.rules.change", "Sign-on rules of an app changed", admin,
                               clock_.Now(), request.app_id(), {});
  (*event.mutable_debug_data())["rules"] = CutText(fmt::format("{}", fmt::join(names, "; ")), 4096);
  const absl::Status status = store_.Change(
      std::move(event), [&](db::Transaction& txn, const OrgState& before) -> absl::Status {
        DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
        const AppState* known = before.FindApp(request.app_id());
        if (known == nullptr) return UnknownApp(request.app_id());
        v1::App app = known->app;
        *app.mutable_rules() = request.rules();
        for (v1::Rule& rule : *app.mutable_rules()) NormalizeRule(rule);
        DT_RETURN_IF_ERROR(RuleRefusal(CheckCompiles(app, before.zones), app.id()));
        DT_RETURN_IF_ERROR(CheckSize(app, before));
        return WriteApp(txn, app, known->revision + 1);
      });
  DT_RETURN_IF_ERROR(status);
  return Stored(request.app_id());
}

absl::Status AppAdmin::SetZones(const rpc::Caller& admin, const v1::SetZonesRequest& request) {
  if (request.zones_size() > kZonesMax) {
    return AppError("zones", fmt::format("an org has at most {} zones", kZonesMax));
  }
  const auto zones = ZonesFromMessages(request.zones());
  if (!zones.ok()) return AppError("zones", std::string(zones.status().message()));
  v1::Event event = EventBuilder("org.zones.change", "Network zones changed", clock_.Now())
                        .Actor(admin)
                        .Target("Setting", "zones", fmt::format("{} zones", zones->size()))
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  return store_.Change(
      std::move(event), [&](db::Transaction& txn, const OrgState& before) -> absl::Status {
        DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
        for (const auto& [id, app] : before.apps) {
          // A rule may name a zone that is about to go.
          const absl::Status compiles = CheckCompiles(WithoutDefaultRule(app.app), *zones);
          DT_RETURN_IF_ERROR(RuleRefusal(compiles, id));
        }
        v1::SetZonesRequest stored;
        *stored.mutable_zones() = request.zones();
        return WriteZones(txn, stored, before.zones_revision + 1);
      });
}

}  // namespace devicetrust::policy
