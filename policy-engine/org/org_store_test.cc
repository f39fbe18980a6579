#include "policy-engine/org/org_store.h"

#include <gmock/gmock.h>

#include "libs/rpc/error.h"
#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using Effect = OrgStore::Effect;

class OrgStoreTest : public OrgFixture {
 protected:
  absl::StatusOr<Effect> Change(const OrgStore::ChangeFn& change) {
    return store_->Change(EventBuilder("org.test", "x", clock_.Now()).Take(), change);
  }
  static absl::StatusOr<Effect> SetLink(db::Transaction& txn, const OrgState& before,
                                        const std::string& url) {
    v1::OrgSettings settings = before.settings;
    settings.set_learn_more_url(url);
    DT_RETURN_IF_ERROR(WriteSettings(txn, settings, before.disabled_by_force));
    return Effect();
  }
};

TEST_F(OrgStoreTest, AChangeIsANewVersionAndAnEvent) {
  const std::int64_t version = store_->state()->version;
  const auto before = store_->state();
  DT_ASSERT_OK(Change([](db::Transaction& txn, const OrgState& state) {
    return SetLink(txn, state, "https://a.b/");
  }));
  EXPECT_EQ(store_->state()->version, version + 1);
  EXPECT_EQ(store_->state()->settings.learn_more_url(), "https://a.b/");
  EXPECT_EQ(before->settings.learn_more_url(), "");  // Whoever holds a snapshot keeps it.
  EXPECT_EQ(EventsOf("org.test").size(), 1u);
}

TEST_F(OrgStoreTest, WhatChangesNothingLeavesNothing) {
  const std::int64_t version = store_->state()->version;
  const auto effect = Change([](db::Transaction&, const OrgState&) -> absl::StatusOr<Effect> {
    return Effect{false, {"a warning"}};
  });
  DT_ASSERT_OK(effect);
  EXPECT_THAT(effect->warnings, ::testing::ElementsAre("a warning"));
  EXPECT_EQ(store_->state()->version, version);
  EXPECT_TRUE(EventsOf("org.test").empty());
}

TEST_F(OrgStoreTest, ARefusalUndoesWhatTheChangeWrote) {
  const std::int64_t version = store_->state()->version;
  DT_EXPECT_CODE(Change([](db::Transaction& txn, const OrgState& state) -> absl::StatusOr<Effect> {
                   DT_RETURN_IF_ERROR(SetLink(txn, state, "https://a.b/").status());
                   return absl::FailedPreconditionError("no");
                 }),
                 kFailedPrecondition);
  const auto again = OrgStore::Create(*database_, *events_, {"acme", {}, true}).value();
  EXPECT_EQ(again->state()->version, version);
  EXPECT_EQ(again->state()->settings.learn_more_url(), "");
  EXPECT_TRUE(EventsOf("org.test").empty());
}

TEST_F(OrgStoreTest, KnowsAnAppAsItWasAtEachRevision) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  const std::int64_t revision = store_->state()->FindApp("mail")->revision;
  EXPECT_EQ(store_->AppAt("mail", revision, 0)->policy->rules().size(), 4u);
  EXPECT_EQ(store_->AppAt("mail", revision - 1, 0)->policy->rules().size(), 0u);
  DT_EXPECT_CODE(store_->AppAt("mail", revision + 1, 0), kNotFound);
  DT_EXPECT_CODE(store_->AppAt("wiki", 1, 0), kNotFound);
}

TEST_F(OrgStoreTest, RefusesASecondAppOfTheSameProtocolName) {
  const auto write = [this](const v1::App& app) {
    return database_->Write([&](db::Transaction& txn) { return WriteApp(txn, app, {}); });
  };
  DT_ASSERT_OK(write(SamlApp("mail")));
  DT_ASSERT_OK(write(SamlApp("mail")));  // Another revision of it.
  v1::App other = SamlApp("other");
  *other.mutable_saml() = SamlApp("mail").saml();
  EXPECT_EQ(rpc::ReasonOf(write(other)), reason::v1::REASON_ALREADY_EXISTS);
}

}  // namespace
}  // namespace devicetrust::policy
