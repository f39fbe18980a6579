#include "policy-engine/apps/version_history.h"

#include <gmock/gmock.h>

#include <set>

#include "libs/testing/status.h"
#include "policy-engine/org/version_store.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class VersionHistoryTest : public OrgFixture {
 protected:
  std::vector<v1::ObjectVersion> List(const std::optional<v1::ObjectName>& object,
                                      int page_size = 100) {
    v1::ListVersionsRequest request;
    if (object) *request.mutable_object() = *object;
    request.set_page_size(page_size);
    std::vector<v1::ObjectVersion> all;
    do {
      const auto page = versions_->List(request);
      DT_EXPECT_OK(page);
      if (!page.ok()) break;
      all.insert(all.end(), page->versions().begin(), page->versions().end());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  }
  absl::StatusOr<v1::GetVersionResponse> Get(const v1::ObjectName& object, std::int64_t number) {
    v1::GetVersionRequest request;
    *request.mutable_object() = object;
    request.set_number(number);
    return versions_->Get(request);
  }
  absl::StatusOr<v1::RollbackResponse> Rollback(const v1::ObjectName& object, std::int64_t number,
                                                std::int64_t expected = 0, bool force = false) {
    v1::RollbackRequest request;
    *request.mutable_object() = object;
    request.set_number(number);
    request.set_expected_number(expected);
    request.set_force(force);
    return versions_->Rollback(admin_, request);
  }
  absl::Status SetZone(const std::string& name, const std::string& cidr) {
    v1::SetZonesRequest request;
    v1::Zone& zone = *request.add_zones();
    zone.set_name(name);
    zone.add_cidr(cidr);
    return zones_->SetZones(admin_, request).status();
  }
  absl::Status RemoveApp(const std::string& id) {
    v1::RemoveAppRequest request;
    request.set_app_id(id);
    return apps_->RemoveApp(admin_, request).status();
  }
  static v1::Rule RuleForPeople(const std::string& user) {
    v1::Rule rule = MakeRule("people", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
    rule.mutable_people()->add_user_ids(user);
    return rule;
  }
};

TEST_F(VersionHistoryTest, SaysWhoChangedWhatAndWhen) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  clock_.Advance(std::chrono::minutes{3});
  DT_ASSERT_OK(SetRules("mail", FiveRules()));
  DT_ASSERT_OK(SetZone("network", "10.0.0.0/8"));
  DT_ASSERT_OK(SetDeviceTrust(true));

  const auto of_mail = List(AppObject("mail"));
  ASSERT_THAT(of_mail, SizeIs(2));
  EXPECT_EQ(of_mail[0].number(), 2);
  EXPECT_EQ(of_mail[0].changed_by(), "admin:ada");
  EXPECT_EQ(of_mail[0].message(), "Sign-on rules of an app changed");
  EXPECT_EQ(of_mail[0].at().seconds() - of_mail[1].at().seconds(), 180);
  EXPECT_TRUE(of_mail[0].newest());
  EXPECT_FALSE(of_mail[1].newest());
  EXPECT_EQ(of_mail[0].org_version(), of_mail[1].org_version() + 1);
  EXPECT_EQ(of_mail[0].event_id(), EventsOf("policy.rules.change")[0].id());

  EXPECT_THAT(List(ZonesObject()), SizeIs(1));
  const auto of_settings = List(SettingsObject());
  ASSERT_THAT(of_settings, SizeIs(2));  // The first is how the org began.
  EXPECT_EQ(of_settings[1].changed_by(), "");
  EXPECT_THAT(List(std::nullopt), SizeIs(5));
}

TEST_F(VersionHistoryTest, PagesHoldEachVersionOnce) {
  for (int i = 0; i < 7; ++i) {
    DT_ASSERT_OK(PutApp(SamlApp("mail")));
    DT_ASSERT_OK(PutApp(SamlApp("wiki")));
  }
  for (const int size : {1, 3, 100}) {
    EXPECT_THAT(List(AppObject("mail"), size), SizeIs(7));
    std::set<std::string> seen;
    for (const auto& version : List(std::nullopt, size)) {
      seen.insert(ObjectText(version.object()) + std::to_string(version.number()));
    }
    EXPECT_THAT(seen, SizeIs(15));  // One of them is of the settings.
  }
  v1::ListVersionsRequest wrong;
  for (const char* const token : {"!", "eHl6", "MSAyeA"}) {
    wrong.set_page_token(token);
    DT_EXPECT_CODE(versions_->List(wrong), kInvalidArgument);
  }
}

TEST_F(VersionHistoryTest, AVersionHoldsWhatTheObjectWas) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  const std::string ada = AddUser("ada");
  DT_ASSERT_OK(SetRules("mail", {RuleForPeople(ada)}));
  DT_ASSERT_OK(SetRules("mail", {}));
  const auto before = Get(AppObject("mail"), 2);
  DT_ASSERT_OK(before);
  ASSERT_EQ(before->app().rules_size(), 1);
  EXPECT_EQ(before->app().rules(0).people().user_ids(0), "ada@corp.test");  // For people to read.
  EXPECT_EQ(Get(AppObject("mail"), 0)->app().rules_size(), 0);
  DT_ASSERT_OK(SetZone("network", "10.0.0.0/8"));
  EXPECT_EQ(Get(ZonesObject(), 1)->zones().zones(0).cidr(0), "10.0.0.0/8");
  EXPECT_FALSE(Get(SettingsObject(), 1)->settings().device_trust_enabled());

  for (const auto& [object, number] : {std::pair(AppObject("mail"), 4),
                                       {AppObject("wiki"), 0},
                                       {ZonesObject(), 2},
                                       {SettingsObject(), -1}}) {
    const absl::Status status = Get(object, number).status();
    EXPECT_EQ(ReasonOf(status), reason::v1::REASON_VERSION_UNKNOWN) << status;
  }
  DT_EXPECT_CODE(Get({}, 1), kInvalidArgument);
  DT_EXPECT_CODE(Get(AppObject(""), 1), kInvalidArgument);
}

TEST_F(VersionHistoryTest, GoesBackAsANewVersionWithAnEvent) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(SetRules("mail", FiveRules()));
  v1::App renamed = SamlApp("mail");
  renamed.set_label("Post");
  DT_ASSERT_OK(PutApp(renamed));
  DT_ASSERT_OK(SetRules("mail", {}));
  const auto back = Rollback(AppObject("mail"), 2, 4);
  DT_ASSERT_OK(back);
  EXPECT_EQ(back->version().number(), 5);
  EXPECT_EQ(back->version().message(), "Back to version 2 of app mail");
  const auto state = store_->state();
  EXPECT_EQ(state->FindApp("mail")->app.label(), "App mail");
  EXPECT_EQ(state->FindApp("mail")->rules.size(), 4);
  EXPECT_EQ(EventsOf("policy.version.rollback")[0].targets(0).id(), "mail");
  DT_EXPECT_CODE(Rollback(AppObject("mail"), 2), kFailedPrecondition);  // It is that already.
  EXPECT_THAT(List(AppObject("mail")), SizeIs(5));
}

TEST_F(VersionHistoryTest, WhoSawAnOlderVersionUndoesNothing) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(SetRules("mail", FiveRules()));
  DT_ASSERT_OK(SetRules("mail", {}));
  const absl::Status late = Rollback(AppObject("mail"), 1, 2).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(late), reason::v1::REASON_CONFLICTING_STATE);
  DT_EXPECT_OK(Rollback(AppObject("mail"), 2, 3));
}

TEST_F(VersionHistoryTest, ARemovedAppComesBack) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(SetRules("mail", FiveRules()));
  DT_ASSERT_OK(RemoveApp("mail"));
  EXPECT_TRUE(List(AppObject("mail"))[0].removed());
  DT_EXPECT_CODE(Rollback(AppObject("mail"), 3), kFailedPrecondition);
  DT_ASSERT_OK(Rollback(AppObject("mail"), 2));
  EXPECT_EQ(store_->state()->FindApp("mail")->rules.size(), 4);
  EXPECT_EQ(store_->state()->FindApp("mail")->revision, 4);  // No number is given twice.
}

// Of what the rules name something may have gone since.
TEST_F(VersionHistoryTest, RefusesWhatWouldNotBeTakenToday) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(SetZone("lab", "10.0.0.0/8"));
  v1::Rule rule = MakeRule("lab", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  rule.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  rule.mutable_location()->add_zones("lab");
  DT_ASSERT_OK(SetRules("mail", {rule}));
  DT_EXPECT_OK(SetZone("network", "10.0.0.0/8") /* while a rule names lab */.ok()
                   ? absl::InternalError("taken")
                   : absl::OkStatus());
  DT_ASSERT_OK(SetRules("mail", {RuleForPeople("nobody@corp.test")}));
  DT_ASSERT_OK(SetZone("network", "10.0.0.0/8"));
  const absl::Status zone_gone = Rollback(AppObject("mail"), 2).status();
  EXPECT_EQ(ReasonOf(zone_gone), reason::v1::REASON_RULE_INVALID);
  EXPECT_THAT(zone_gone.message(), HasSubstr("lab"));
  DT_ASSERT_OK(SetRules("mail", {}));
  const absl::Status nobody = Rollback(AppObject("mail"), 3).status();
  EXPECT_EQ(ReasonOf(nobody), reason::v1::REASON_RULE_INVALID);
  EXPECT_THAT(nobody.message(), HasSubstr("nobody@corp.test"));

  DT_ASSERT_OK(PutApp(SamlApp("wiki")));
  v1::App taken = SamlApp("wiki");
  taken.mutable_saml()->set_entity_id("https://new.example.com");
  DT_ASSERT_OK(PutApp(taken));
  v1::App thief = SamlApp("thief");
  *thief.mutable_saml() = SamlApp("wiki").saml();
  DT_ASSERT_OK(PutApp(thief));
  DT_EXPECT_CODE(Rollback(AppObject("wiki"), 1), kAlreadyExists);
}

// Attack 23: a switch goes off and leaves rules stranded (ORG-2), here by the way back.
TEST_F(VersionHistoryTest, DeviceTrustDoesNotGoOffByTheWayBackWhileRulesUseIt) {
  DT_ASSERT_OK(SetDeviceTrust(true));  // Version 2 of the settings.
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(SetRules("mail", FiveRules()));
  const absl::Status refused = Rollback(SettingsObject(), 1).status();
  EXPECT_EQ(ReasonOf(refused), reason::v1::REASON_SETTING_IN_USE);
  EXPECT_THAT(refused.message(), HasSubstr("'Windows, trusted'"));
  EXPECT_TRUE(store_->state()->settings.device_trust_enabled());
  const auto forced = Rollback(SettingsObject(), 1, 2, /*force=*/true);
  DT_ASSERT_OK(forced);
  EXPECT_EQ(forced->warnings_size(), 1);
  EXPECT_TRUE(store_->state()->settings.disabled_while_in_use());
}

TEST_F(VersionHistoryTest, KeepsWhatDecisionsNeedAndForgetsTheRest) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  for (std::int64_t i = 1; i < kVersionsKept + 20; ++i) DT_ASSERT_OK(PutApp(SamlApp("mail")));
  EXPECT_THAT(List(AppObject("mail")), SizeIs(kVersionsKept + 20));  // All are young.
  clock_.Advance(kVersionKeptFor + std::chrono::hours{1});
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  const auto kept = List(AppObject("mail"));
  EXPECT_EQ(kept.front().number(), kVersionsKept + 21);
  EXPECT_EQ(kept.back().number(), 21);
  DT_EXPECT_CODE(store_->AppAt("mail", 20, 0), kNotFound);
  DT_EXPECT_OK(store_->AppAt("mail", 21, 0));

  DT_ASSERT_OK(RemoveApp("mail"));
  DT_ASSERT_OK(PutApp(SamlApp("wiki")));
  clock_.Advance(kRemovedAppKeptFor + std::chrono::hours{1});
  DT_ASSERT_OK(RemoveApp("wiki"));
  EXPECT_TRUE(List(AppObject("mail")).empty());
  EXPECT_THAT(List(AppObject("wiki")), SizeIs(2));
}

}  // namespace
}  // namespace devicetrust::policy
