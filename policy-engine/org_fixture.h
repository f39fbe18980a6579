// A whole org over in-memory stores for the tests of this folder: real SQL, real keys, a
// clock that the test moves. No listener: the domain classes are called directly.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/base/random.h"
#include "libs/db/outbox.h"
#include "libs/pki/aead.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/testing/settable_clock.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "policy-engine/apps/app_admin.h"
#include "policy-engine/apps/policy_documents.h"
#include "policy-engine/apps/version_history.h"
#include "policy-engine/apps/zone_admin.h"
#include "policy-engine/decisions/decision_history.h"
#include "policy-engine/decisions/factor_completion.h"
#include "policy-engine/decisions/sign_on.h"
#include "policy-engine/enrollment/iwa_registry.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/migrations.h"
#include "policy-engine/org/settings_admin.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

inline constexpr WallTime kTestStart{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};
inline constexpr const char* kWindowsAgent =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36";
inline constexpr const char* kMacAgent =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15";

class OrgFixture : public ::testing::Test {
 protected:
  OrgFixture() {
    const Bytes secret(pki::kAeadKeyBytes, 7);
    kek_ = pki::AeadKey::Create("kek-test", secret).value();
    log_database_ = db::Database::Open("sqlite::memory:", LogMigrations()).value();
    database_ = db::Database::Open("sqlite::memory:", OrgMigrations()).value();
    log_.emplace(*log_database_, clock_);
    db::OutboxOptions outbox_options;
    outbox_options.linger = std::chrono::milliseconds(0);
    outbox_ = std::make_unique<db::Outbox>(*database_, outbox_options, DeliverTo(*log_));
    events_.emplace(*outbox_, random_);
    store_ = OrgStore::Create(*database_, *events_, {"acme", {"corp.test"}, true, 1, kTestStart})
                 .value();
    proof_keys_.Add(ProofKey().kid, token::ProofIssuer("acme"), ProofKey().key.public_key());
    sessions_.emplace(*database_);
    Watch({});
    references_.emplace(RuleReferences::Parts{*database_, *no_directories_, *events_, clock_});
    apps_.emplace(*store_, *references_, clock_);
    zones_.emplace(*store_, clock_);
    versions_.emplace(VersionHistory::Parts{*database_, *store_, *references_, clock_});
    documents_.emplace(*store_, *references_, clock_);
    settings_.emplace(*store_, clock_);
    iwas_.emplace(*database_, *store_, *events_, clock_);
    sign_on_.emplace(SignOn::Parts{*database_, *store_, *events_, proof_keys_, *account_watch_,
                                   clock_, random_});
    factor_completion_.emplace(
        FactorCompletion::Parts{*database_, *store_, *events_, scripted_factors_, clock_});
    history_.emplace(*database_, *store_, *log_);
  }
  ~OrgFixture() override { outbox_->Stop(); }

  // What gateways sign proofs with. One for all tests.
  static const token::SigningKey& ProofKey() {
    static const token::SigningKey kKey{"proof-1", pki::PrivateKey::Generate().value()};
    return kKey;
  }

  static rpc::Caller Component(const std::string& name, const std::string& role) {
    return {rpc::Caller::Kind::kComponent, name, role, "acme"};
  }

  static reason::v1::Reason ReasonOf(const absl::Status& status) { return rpc::ReasonOf(status); }

  // The org's events of a type, oldest first, once all have arrived.
  std::vector<org::v1::Event> EventsOf(const std::string& type) {
    EXPECT_TRUE(outbox_->WaitUntilEmpty(std::chrono::seconds(10)));
    org::v1::EventFilter filter;
    if (!type.empty()) filter.add_types(type);
    return log_->After(filter, 0, 1000).value().events;
  }

  absl::Status SetDeviceTrust(bool enabled, bool force = false) {
    org::v1::SetDeviceTrustRequest request;
    request.set_enabled(enabled);
    request.set_force(force);
    return SetDeviceTrust(request);
  }
  absl::Status SetDeviceTrust(const org::v1::SetDeviceTrustRequest& request) {
    auto set = settings_->SetDeviceTrust(admin_, request);
    device_trust_ = set.ok() ? *std::move(set) : org::v1::SetDeviceTrustResponse();
    return set.status();
  }

  // The directories that tell whether an account is still good; at first there are none.
  void Watch(std::vector<directory::Domain> domains) {
    watched_ = directory::Registry::Create(std::move(domains)).value();
    account_watch_ = std::make_unique<AccountWatch>(*watched_, clock_.Now());
    if (!sign_on_) return;
    sign_on_.emplace(SignOn::Parts{*database_, *store_, *events_, proof_keys_, *account_watch_,
                                   clock_, random_});
  }

  std::string AddUser(const std::string& name, std::vector<std::string> groups = {},
                      const std::string& domain = "corp.test") {
    org::v1::UserImport person;
    person.set_sid("S-1-5-21-1-2-3-" + name);
    person.set_principal(name + "@" + domain);
    person.set_account_name(name);
    for (std::string& group : groups) person.add_groups(std::move(group));
    return database_
        ->Write([&](db::Transaction& txn) -> absl::StatusOr<std::string> {
          GroupChanges changes;
          DT_ASSIGN_OR_RETURN(std::string id, StoreUser(txn, person, "id-" + name, changes));
          DT_RETURN_IF_ERROR(changes.Write(txn));
          return id;
        })
        .value();
  }

  static org::v1::App SamlApp(const std::string& id) {
    org::v1::App app;
    app.set_id(id);
    app.set_label("App " + id);
    app.set_has_client_conditions(true);
    app.mutable_saml()->set_entity_id("https://" + id + ".example.com/saml");
    app.mutable_saml()->add_acs()->set_url("https://" + id + ".example.com/acs");
    return app;
  }
  absl::Status PutApp(org::v1::App app) {
    org::v1::PutAppRequest request;
    *request.mutable_app() = std::move(app);
    auto put = apps_->PutApp(admin_, request);
    if (put.ok()) app_ = *std::move(put->mutable_app());
    return put.status();
  }

  static org::v1::Rule MakeRule(const std::string& name, std::vector<org::v1::ClientKind> clients,
                                std::vector<org::v1::PlatformKind> platforms,
                                org::v1::TrustCondition trust, bool allow, bool factor) {
    org::v1::Rule rule;
    rule.set_name(name);
    rule.set_active(true);
    for (const auto client : clients) rule.add_clients(client);
    for (const auto platform : platforms) rule.add_platforms(platform);
    rule.set_trust(trust);
    rule.mutable_action()->set_access(allow ? org::v1::Action::ACCESS_ALLOWED
                                            : org::v1::Action::ACCESS_DENIED);
    rule.mutable_action()->set_prompt_for_factor(factor);
    return rule;
  }
  // The reference's example, rule 3 by its title.
  static std::vector<org::v1::Rule> FiveRules() {
    using namespace org::v1;
    const std::vector<org::v1::ClientKind> modern = {CLIENT_KIND_WEB_BROWSER,
                                                     CLIENT_KIND_MODERN_AUTH};
    return {MakeRule("Legacy", {CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY}, {}, TRUST_CONDITION_ANY,
                     true, false),
            MakeRule("Windows, trusted", modern, {PLATFORM_KIND_WINDOWS}, TRUST_CONDITION_TRUSTED,
                     true, true),
            MakeRule("Not Windows", modern,
                     {PLATFORM_KIND_IOS, PLATFORM_KIND_ANDROID, PLATFORM_KIND_OTHER_MOBILE,
                      PLATFORM_KIND_MACOS, PLATFORM_KIND_OTHER_DESKTOP},
                     TRUST_CONDITION_ANY, true, true),
            MakeRule("Deny the rest", {}, {}, TRUST_CONDITION_ANY, false, false)};
  }
  absl::Status SetRules(const std::string& app_id, const std::vector<org::v1::Rule>& rules) {
    org::v1::SetRulesRequest request;
    request.set_app_id(app_id);
    request.set_allow_unknown(true);
    for (const org::v1::Rule& rule : rules) *request.add_rules() = rule;
    auto set = apps_->SetRules(admin_, request);
    if (set.ok()) app_ = *std::move(set->mutable_app());
    return set.status();
  }

  testing::SettableClock clock_{kTestStart};
  SystemRandom random_;
  std::optional<pki::AeadKey> kek_;
  std::unique_ptr<db::Database> log_database_;
  std::unique_ptr<db::Database> database_;
  std::optional<SystemLog> log_;
  std::unique_ptr<db::Outbox> outbox_;
  std::optional<EventSink> events_;
  std::unique_ptr<OrgStore> store_;
  token::KeySet proof_keys_;
  std::optional<SessionChanges> sessions_;
  const std::unique_ptr<directory::Registry> no_directories_ =
      directory::Registry::Create({}).value();
  std::optional<RuleReferences> references_;
  std::unique_ptr<directory::Registry> watched_;
  std::unique_ptr<AccountWatch> account_watch_;
  std::optional<AppAdmin> apps_;
  // Second factors of which the test says what comes of them.
  class ScriptedFactors final : public FactorCheck {
   public:
    absl::StatusOr<FactorAnswer> Verify(db::Transaction&, const FactorAttempt& attempt,
                                        WallTime) override {
      last = attempt;
      return FactorAnswer{verdict, retry_after, locks};
    }
    absl::StatusOr<bool> TookLast(db::Transaction&, const FactorAttempt& attempt,
                                  WallTime) override {
      return attempt.code == last.code;
    }
    FactorVerdict verdict = FactorVerdict::kAccepted;
    std::chrono::seconds retry_after{0};
    bool locks = false;
    FactorAttempt last;
  };

  ScriptedFactors scripted_factors_;
  std::optional<SignOn> sign_on_;
  std::optional<FactorCompletion> factor_completion_;
  std::optional<DecisionHistory> history_;
  std::optional<SettingsAdmin> settings_;
  std::optional<ZoneAdmin> zones_;
  std::optional<VersionHistory> versions_;
  std::optional<PolicyDocuments> documents_;
  std::optional<IwaRegistry> iwas_;

  const rpc::Caller admin_{rpc::Caller::Kind::kAdmin, "ada", "admin", "acme"};
  org::v1::SetDeviceTrustResponse device_trust_;
  org::v1::App app_;
};

}  // namespace devicetrust::policy
