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
  static absl::Status SetLink(const OrgState& before, OrgEdit& edit, const std::string& url) {
    edit.settings = OrgEdit::Settings{before.settings, before.disabled_by_force};
    edit.settings->settings.set_learn_more_url(url);
    return absl::OkStatus();
  }
};

TEST_F(OrgStoreTest, AChangeIsANewVersionAndAnEvent) {
  const std::int64_t version = store_->state()->version;
  const auto before = store_->state();
  DT_ASSERT_OK(Change(
      [](const OrgState& state, OrgEdit& edit) { return SetLink(state, edit, "https://a.b/"); }));
  EXPECT_EQ(store_->state()->version, version + 1);
  EXPECT_EQ(store_->state()->settings.learn_more_url(), "https://a.b/");
  EXPECT_EQ(before->settings.learn_more_url(), "");  // Whoever holds a snapshot keeps it.
  EXPECT_EQ(EventsOf("org.test").size(), 1u);
}

TEST_F(OrgStoreTest, WhatChangesNothingLeavesNothing) {
  const std::int64_t version = store_->state()->version;
  const auto effect = Change([](const OrgState&, OrgEdit& edit) {
    edit.warnings = {"a warning"};
    return absl::OkStatus();
  });
  DT_ASSERT_OK(effect);
  EXPECT_FALSE(effect->changed);
  EXPECT_THAT(effect->warnings, ::testing::ElementsAre("a warning"));
  EXPECT_EQ(store_->state()->version, version);
  EXPECT_TRUE(EventsOf("org.test").empty());
}

TEST_F(OrgStoreTest, ARefusalUndoesWhatTheChangeWrote) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  const std::int64_t version = store_->state()->version;
  // The settings are written when the app turns out to have another one's entity id.
  DT_EXPECT_CODE(Change([](const OrgState& state, OrgEdit& edit) {
                   v1::App twin = SamlApp("twin");
                   *twin.mutable_saml() = SamlApp("mail").saml();
                   edit.apps["twin"] = OrgEdit::App{twin, {}};
                   return SetLink(state, edit, "https://a.b/");
                 }),
                 kAlreadyExists);
  const auto again = OrgStore::Create(*database_, *events_, {"acme", {}, true}).value();
  EXPECT_EQ(again->state()->version, version);
  EXPECT_EQ(again->state()->settings.learn_more_url(), "");
  EXPECT_EQ(again->state()->FindApp("twin"), nullptr);
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
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(PutApp(SamlApp("mail")));  // Another revision of it.
  v1::App other = SamlApp("other");
  *other.mutable_saml() = SamlApp("mail").saml();
  EXPECT_EQ(rpc::ReasonOf(PutApp(other)), reason::v1::REASON_ALREADY_EXISTS);
}

TEST_F(OrgStoreTest, EntityIdsPassFromOneAppToAnotherInOneChange) {
  DT_ASSERT_OK(PutApp(SamlApp("mail")));
  DT_ASSERT_OK(PutApp(SamlApp("wiki")));
  DT_ASSERT_OK(Change([](const OrgState&, OrgEdit& edit) {
    v1::App mail = SamlApp("mail");
    v1::App wiki = SamlApp("wiki");
    mail.mutable_saml()->Swap(wiki.mutable_saml());
    edit.apps["mail"] = OrgEdit::App{mail, {}};
    edit.apps["wiki"] = OrgEdit::App{wiki, {}};
    return absl::OkStatus();
  }));
  EXPECT_EQ(store_->state()->FindApp("mail")->app.saml().entity_id(),
            SamlApp("wiki").saml().entity_id());
}

}  // namespace
}  // namespace devicetrust::policy
