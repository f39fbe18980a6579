#include "policy-engine/apps/rule_references.h"

#include <gmock/gmock.h>

#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RuleReferencesTest : public OrgFixture {
 protected:
  RuleReferencesTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &corp_));
    corp_->groups["S-1-5-21-1-2-3-1200"] = {"CN=Support", "Support", "S-1-5-21-1-2-3-1200"};
    corp_->groups["S-1-5-21-1-2-3-1300"] = {"CN=Newcomers", "Newcomers", "S-1-5-21-1-2-3-1300"};
    directories_ = directory::Registry::Create(std::move(domains)).value();
    references_.emplace(RuleReferences::Parts{*database_, *directories_, *events_, clock_});
    apps_.emplace(*store_, *references_, clock_);
    EXPECT_TRUE(PutApp(SamlApp("mail")).ok());
    AddUser("ada", {"Support", "Zürich"});
    AddUser("bob");
  }

  static v1::Rule Denying() {
    return MakeRule("no", {}, {}, v1::TRUST_CONDITION_ANY, false, false);
  }
  absl::Status Set(const std::function<void(v1::PeopleCondition&)>& fill,
                   bool allow_unknown = false) {
    v1::Rule rule = Denying();
    fill(*rule.mutable_people());
    v1::SetRulesRequest request;
    request.set_app_id("mail");
    request.set_allow_unknown(allow_unknown);
    *request.add_rules() = rule;
    auto set = apps_->SetRules(admin_, request);
    if (set.ok()) app_ = *std::move(set->mutable_app());
    return set.status();
  }
  absl::Status SetGroup(const std::string& group) {
    return Set([&](v1::PeopleCondition& people) { people.add_groups(group); });
  }
  absl::Status SetUser(const std::string& user) {
    return Set([&](v1::PeopleCondition& people) { people.add_user_ids(user); });
  }
  v1::App Get() {
    v1::GetAppRequest request;
    request.set_app_id("mail");
    return apps_->GetApp(request)->app();
  }

  testing::FakeDirectory* corp_ = nullptr;
  std::unique_ptr<directory::Registry> directories_;
};

TEST_F(RuleReferencesTest, AGroupIsKeptAsThePeopleHaveIt) {
  for (const char* name : {"Support", "support", " SUPPORT\u200b", "S-1-5-21-1-2-3-1200"}) {
    DT_ASSERT_OK(SetGroup(name));
    EXPECT_THAT(app_.rules(0).people().groups(), ElementsAre("Support")) << name;
    EXPECT_THAT(app_.lost_references(), IsEmpty());
  }
  DT_ASSERT_OK(SetGroup("zÜRICH"));
  EXPECT_THAT(app_.rules(0).people().groups(), ElementsAre("Zürich"));
  DT_ASSERT_OK(Set([](v1::PeopleCondition& people) {
    people.set_everyone(true);
    people.add_excluded_groups("SUPPORT");
    people.add_excluded_user_ids("BOB@corp.test");
  }));
  EXPECT_THAT(app_.rules(0).people().excluded_groups(), ElementsAre("Support"));
  EXPECT_THAT(app_.rules(0).people().excluded_user_ids(), ElementsAre("id-bob"));
}

TEST_F(RuleReferencesTest, AUserIsKeptByIdHoweverNamed) {
  for (const char* name : {"id-ada", "ID-ADA", "ada@corp.test", " ADA@Corp.Test",
                           "S-1-5-21-1-2-3-ada", "s-1-5-21-1-2-3-ada"}) {
    DT_ASSERT_OK(SetUser(name));
    EXPECT_THAT(app_.rules(0).people().user_ids(), ElementsAre("id-ada")) << name;
  }
}

// A denial that matches nobody would let everybody in.
TEST_F(RuleReferencesTest, WhatIsNowhereIsRefusedByName) {
  const auto refused = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(rpc::ReasonOf(status), reason::v1::REASON_RULE_INVALID);
    EXPECT_THAT(rpc::DetailOf(status)->remedy(), HasSubstr("allow_unknown"));
    return std::string(status.message());
  };
  EXPECT_THAT(refused(SetGroup("Suport")),
              HasSubstr("rule 'no': people.groups: nobody of the org "
                        "is in a group 'Suport', nor has a directory"));
  EXPECT_THAT(refused(SetUser("eve@corp.test")), HasSubstr("no user 'eve@corp.test'"));
  EXPECT_THAT(refused(SetUser("S-1-5-21-1-2-3-9999")), HasSubstr("people.user_ids"));
  EXPECT_THAT(refused(Set([](v1::PeopleCondition& people) {
                people.set_everyone(true);
                people.add_excluded_groups("Contractors");
              })),
              HasSubstr("people.excluded_groups"));
  EXPECT_THAT(refused(Set([](v1::PeopleCondition& people) {
                people.set_everyone(true);
                people.add_excluded_user_ids("nobody");
              })),
              HasSubstr("people.excluded_user_ids"));
  corp_->fault = absl::UnavailableError("away");
  EXPECT_THAT(refused(SetGroup("Newcomers")), HasSubstr("a directory does not answer"));
  DT_EXPECT_OK(SetGroup("support"));  // People are in it: no directory is asked.
  EXPECT_EQ(Get().rules_size(), 2);
}

// Rules may come before the people; then they are told of as long as they match nobody.
TEST_F(RuleReferencesTest, AnUnknownNameIsTakenWhenAskedForAndReported) {
  DT_ASSERT_OK(SetGroup("newcomers"));  // The directory has it, the org nobody in it.
  EXPECT_THAT(app_.rules(0).people().groups(), ElementsAre("Newcomers"));
  ASSERT_THAT(app_.lost_references(), SizeIs(1));
  EXPECT_EQ(app_.lost_references(0).problem(), v1::LostReference::PROBLEM_EMPTY_GROUP);
  DT_ASSERT_OK(Set(
      [](v1::PeopleCondition& people) {
        people.add_groups("Later");
        people.add_user_ids("carol@corp.test");
      },
      /*allow_unknown=*/true));
  EXPECT_THAT(Get().lost_references(), SizeIs(2));
  AddUser("carol", {"LATER"});
  const auto lost =
      Get().lost_references();  // The group has come; a name is no id, and matches not.
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost[0].rule_name(), "no");
  EXPECT_EQ(lost[0].field(), "people.user_ids");
  EXPECT_EQ(lost[0].name(), "carol@corp.test");
  EXPECT_EQ(lost[0].problem(), v1::LostReference::PROBLEM_UNKNOWN_USER);
}

TEST_F(RuleReferencesTest, ALossIsToldOnceInTheSystemLog) {
  DT_ASSERT_OK(Set([](v1::PeopleCondition& people) {
    people.add_groups("Support");
    people.add_user_ids("id-bob");
  }));
  const auto report = [&](std::int64_t people) {
    DT_EXPECT_OK(references_->ReportLost(*store_->state(), people));
    return EventsOf("policy.rules.reference_lost").size();
  };
  EXPECT_EQ(report(1), 0u);
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return WriteUserStatus(txn, "id-bob", v1::USER_STATUS_DEACTIVATED, clock_.Now());
  }));
  AddUser("ada", {"Sales"});  // Nobody is left in Support.
  EXPECT_EQ(report(1), 0u);   // Nothing changed, as far as it is told.
  EXPECT_EQ(report(2), 2u);
  EXPECT_EQ(report(3), 2u);
  const auto lost = Get().lost_references();
  ASSERT_THAT(lost, SizeIs(2));
  EXPECT_EQ(lost[0].problem(), v1::LostReference::PROBLEM_DEACTIVATED_USER);
  EXPECT_EQ(lost[1].problem(), v1::LostReference::PROBLEM_EMPTY_GROUP);
  const auto events = EventsOf("policy.rules.reference_lost");
  EXPECT_EQ(events[0].targets(0).id(), "mail");
  EXPECT_EQ(events[1].debug_data().at("people.groups"), "Support");
  AddUser("ada", {"support"});
  EXPECT_EQ(report(4), 2u);
  AddUser("ada", {"Sales"});
  EXPECT_EQ(report(5), 3u);  // Lost again is lost anew.
}

}  // namespace
}  // namespace devicetrust::policy
