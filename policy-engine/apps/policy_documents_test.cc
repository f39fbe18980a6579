#include "policy-engine/apps/policy_documents.h"

#include <gmock/gmock.h>

#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PolicyDocumentsTest : public OrgFixture {
 protected:
  PolicyDocumentsTest() {
    DT_EXPECT_OK(SetDeviceTrust(true));
    DT_EXPECT_OK(PutApp(SamlApp("mail")));
    DT_EXPECT_OK(SetRules("mail", FiveRules()));
    document_ = Export().document();
  }
  v1::ExportPolicyResponse Export() { return documents_->Export({}).value(); }
  v1::ApplyPolicyResponse Apply(bool force = false, bool dry_run = false) {
    v1::ApplyPolicyRequest request;
    *request.mutable_document() = document_;
    request.set_force(force);
    request.set_dry_run(dry_run);
    const auto applied = documents_->Apply(admin_, request);
    DT_EXPECT_OK(applied);
    return applied.ok() ? *applied : v1::ApplyPolicyResponse();
  }
  static std::vector<std::string> ChangedBy(const v1::ApplyPolicyResponse& response) {
    return {response.changed().begin(), response.changed().end()};
  }
  static std::vector<std::string> PathsOf(const v1::ApplyPolicyResponse& response) {
    std::vector<std::string> paths;
    for (const auto& problem : response.problems()) paths.push_back(problem.path());
    return paths;
  }

  v1::PolicyDocument document_;
};

TEST_F(PolicyDocumentsTest, WhatComesOutGoesInAndChangesNothing) {
  AddUser("bob", {"Sales"});
  v1::Rule rule = MakeRule("people", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  rule.mutable_people()->add_user_ids("id-bob");
  rule.mutable_people()->add_groups("Sales");
  rule.mutable_people()->add_excluded_user_ids("somebody-else");
  DT_ASSERT_OK(SetRules("mail", {rule}));
  const auto before = Export();
  EXPECT_EQ(before.document().apps(0).rules(0).people().user_ids(0), "bob@corp.test");
  document_ = before.document();
  v1::ApplyPolicyRequest request;
  *request.mutable_document() = document_;
  request.set_allow_unknown(true);
  const auto applied = documents_->Apply(admin_, request);
  DT_ASSERT_OK(applied);
  EXPECT_TRUE(ChangedBy(*applied).empty());
  EXPECT_EQ(applied->version(), before.version());
  EXPECT_EQ(Export().SerializeAsString(), before.SerializeAsString());
  EXPECT_TRUE(EventsOf("policy.document.apply").empty());
}

TEST_F(PolicyDocumentsTest, AppliesAllInOneVersionWithOneEvent) {
  v1::Zone& zone = *document_.add_zones();
  zone.set_name("lab");
  zone.add_cidr("10.1.0.0/16");
  v1::App& wiki = *document_.add_apps();
  wiki = SamlApp("wiki");
  *wiki.add_rules() = MakeRule("lab", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  wiki.mutable_rules(0)->mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  wiki.mutable_rules(0)->mutable_location()->add_zones("lab");
  document_.mutable_settings()->set_display_name("Acme Inc.");
  document_.mutable_apps(0)->mutable_rules()->RemoveLast();
  const std::int64_t version = store_->state()->version;

  EXPECT_THAT(ChangedBy(Apply(false, /*dry_run=*/true)),
              ElementsAre("settings", "zones", "app mail", "app wiki"));
  EXPECT_EQ(store_->state()->version, version);
  const auto applied = Apply();
  EXPECT_THAT(PathsOf(applied), ElementsAre());
  EXPECT_EQ(applied.version(), version + 1);
  const auto state = store_->state();
  EXPECT_EQ(state->settings.display_name(), "Acme Inc.");
  EXPECT_EQ(state->FindApp("mail")->rules.size(), 3);
  EXPECT_NE(state->FindApp("wiki"), nullptr);
  EXPECT_EQ(EventsOf("policy.document.apply")[0].targets_size(), 4);
  EXPECT_TRUE(ChangedBy(Apply()).empty());

  // What the document lacks goes, a zone and the only rule that names it at once.
  document_.clear_zones();
  document_.mutable_apps()->RemoveLast();
  EXPECT_THAT(ChangedBy(Apply()), ElementsAre("zones", "app wiki (removed)"));
  EXPECT_EQ(store_->state()->FindApp("wiki"), nullptr);
  document_.clear_settings();  // Those stay.
  EXPECT_TRUE(ChangedBy(Apply()).empty());
  EXPECT_EQ(store_->state()->settings.display_name(), "Acme Inc.");
}

TEST_F(PolicyDocumentsTest, NamesAllThatIsWrongAndAppliesNothing) {
  const std::string before = Export().SerializeAsString();
  document_.mutable_settings()->set_learn_more_url("http://x");
  v1::App& mail = *document_.mutable_apps(0);
  mail.set_label("Post");
  mail.mutable_rules(0)->set_trust(v1::TRUST_CONDITION_TRUSTED);  // POL-3: legacy clients.
  mail.mutable_rules(2)->set_name(mail.rules(1).name());
  v1::App& wiki = *document_.add_apps();
  wiki = SamlApp("wiki");
  wiki.set_id("Not An Id");
  v1::App& docs = *document_.add_apps();
  docs = SamlApp("docs");
  *docs.add_rules() = MakeRule("zone", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  docs.mutable_rules(0)->mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  docs.mutable_rules(0)->mutable_location()->add_zones("nowhere");
  *docs.add_rules() = MakeRule("nobody", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  docs.mutable_rules(1)->mutable_people()->add_groups("Suport");
  const auto refused = Apply();
  EXPECT_THAT(PathsOf(refused), ElementsAre("apps[2].rules[1]", "settings", "apps[0].rules[0]",
                                            "apps[0].rules[2]", "apps[1]", "apps[2]"));
  EXPECT_THAT(refused.problems(0).message(), HasSubstr("Suport"));
  EXPECT_THAT(refused.problems(0).remedy(), HasSubstr("import"));
  EXPECT_THAT(refused.problems(2).message(), HasSubstr("device trust"));
  EXPECT_THAT(refused.problems(5).message(), HasSubstr("nowhere"));
  EXPECT_TRUE(ChangedBy(refused).empty());
  EXPECT_EQ(Export().SerializeAsString(), before);
}

TEST_F(PolicyDocumentsTest, RefusesWhatIsThereTwice) {
  *document_.add_apps() = SamlApp("mail");
  v1::App& twin = *document_.add_apps();
  twin = SamlApp("twin");
  *twin.mutable_saml() = SamlApp("mail").saml();
  const auto refused = Apply();
  EXPECT_THAT(PathsOf(refused), ElementsAre("apps[1]", "apps[2]"));
  document_ = Export().document();
  for (int i = 0; i < 2; ++i) {
    document_.add_zones()->set_name("lab");
    document_.mutable_zones(i)->add_cidr("10.0.0.0/8");
  }
  EXPECT_THAT(PathsOf(Apply()), ElementsAre("zones[1]"));
}

// Attack 23: the switch goes off and leaves rules stranded (ORG-2), here by a document.
TEST_F(PolicyDocumentsTest, DeviceTrustDoesNotGoOffWhileRulesOfTheDocumentUseIt) {
  document_.mutable_settings()->set_device_trust_enabled(false);
  const auto refused = Apply();
  ASSERT_THAT(PathsOf(refused), ElementsAre("settings"));
  EXPECT_EQ(refused.problems(0).reason(), reason::v1::REASON_SETTING_IN_USE);
  EXPECT_THAT(refused.problems(0).message(), HasSubstr("'Windows, trusted'"));
  EXPECT_TRUE(store_->state()->settings.device_trust_enabled());
  // With the last such rule it may go, in one step.
  const v1::PolicyDocument with_rules = document_;
  document_.mutable_apps(0)->mutable_rules(1)->set_trust(v1::TRUST_CONDITION_ANY);
  EXPECT_THAT(ChangedBy(Apply()), ElementsAre("settings", "app mail"));
  EXPECT_FALSE(store_->state()->settings.disabled_while_in_use());
  // Rules may come before the switch, and are told to be without effect.
  document_ = with_rules;
  const auto early = Apply();
  EXPECT_THAT(ChangedBy(early), ElementsAre("app mail"));
  ASSERT_EQ(early.warnings_size(), 1);
  EXPECT_THAT(early.warnings(0), HasSubstr("is off"));
  document_.mutable_settings()->set_device_trust_enabled(true);
  EXPECT_THAT(Apply().warnings(0), HasSubstr("in force from now on"));
  document_.mutable_settings()->set_device_trust_enabled(false);
  EXPECT_THAT(ChangedBy(Apply(/*force=*/true)), ElementsAre("settings"));
  EXPECT_TRUE(store_->state()->settings.disabled_while_in_use());
}

TEST_F(PolicyDocumentsTest, ADocumentOfAnOlderVersionUndoesNothing) {
  v1::ApplyPolicyRequest request;
  *request.mutable_document() = document_;
  request.set_expected_version(store_->state()->version);
  DT_ASSERT_OK(SetRules("mail", {}));
  const absl::Status late = documents_->Apply(admin_, request).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_->state()->FindApp("mail")->rules.size(), 0);
  DT_EXPECT_CODE(documents_->Apply(admin_, {}), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::policy
