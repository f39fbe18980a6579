#include "policy-engine/apps/app_admin.h"

#include <gmock/gmock.h>

#include <functional>

#include "libs/pki/certificate.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class AppAdminTest : public OrgFixture {
 protected:
  v1::ListAppsResponse List(std::int64_t known_version = 0) {
    v1::ListAppsRequest request;
    request.set_known_version(known_version);
    return apps_->ListApps(request);
  }
  v1::GetAppResponse Get(const std::string& id) {
    v1::GetAppRequest request;
    request.set_app_id(id);
    const auto app = apps_->GetApp(request);
    DT_EXPECT_OK(app);
    return app.ok() ? *app : v1::GetAppResponse();
  }
  absl::Status Remove(const std::string& id) {
    v1::RemoveAppRequest request;
    request.set_app_id(id);
    return apps_->RemoveApp(admin_, request).status();
  }
  absl::Status SetZones(const std::vector<std::pair<std::string, std::string>>& zones) {
    v1::SetZonesRequest request;
    for (const auto& [name, cidr] : zones) {
      v1::Zone& zone = *request.add_zones();
      zone.set_name(name);
      zone.add_cidr(cidr);
    }
    return zones_->SetZones(admin_, request).status();
  }
};

TEST_F(AppAdminTest, ANewAppHasTheDefaultRuleOnly) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_EQ(app_.rules_size(), 1);
  EXPECT_TRUE(app_.rules(0).is_default());
  EXPECT_EQ(app_.rules(0).action().access(), v1::Action::ACCESS_ALLOWED);
  EXPECT_EQ(EventsOf("application.lifecycle.update").size(), 1u);
}

TEST_F(AppAdminTest, ReplacingAnAppKeepsItsRules) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  EXPECT_EQ(app_.rules_size(), 5);
  EXPECT_TRUE(app_.rules(4).is_default());
  v1::App renamed = SamlApp("mail");
  renamed.set_label("Mail");
  ASSERT_TRUE(PutApp(renamed).ok());
  EXPECT_EQ(app_.label(), "Mail");
  EXPECT_EQ(app_.rules_size(), 5);
}

TEST_F(AppAdminTest, TheVersionGrowsAndSparesTheUnchanged) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  const v1::ListAppsResponse first = List();
  EXPECT_EQ(first.apps_size(), 1);
  EXPECT_TRUE(List(first.version()).unchanged());
  EXPECT_EQ(List(first.version()).apps_size(), 0);
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  const v1::ListAppsResponse second = List(first.version());
  EXPECT_GT(second.version(), first.version());
}

TEST_F(AppAdminTest, AChangeOfAnOlderVersionUndoesNothing) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  const std::int64_t read = List().version();
  v1::SetRulesRequest change;
  change.set_app_id("mail");
  change.set_expected_version(read);
  *change.add_rules() = FiveRules()[0];
  DT_EXPECT_OK(apps_->SetRules(admin_, change));
  *change.add_rules() = FiveRules()[1];
  const absl::Status late = apps_->SetRules(admin_, change).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(late), reason::v1::REASON_CONFLICTING_STATE);
  v1::PutAppRequest put;
  *put.mutable_app() = SamlApp("mail");
  put.set_expected_version(read);
  DT_EXPECT_CODE(apps_->PutApp(admin_, put), kAborted);
  v1::RemoveAppRequest remove;
  remove.set_app_id("mail");
  remove.set_expected_version(read);
  DT_EXPECT_CODE(apps_->RemoveApp(admin_, remove), kAborted);
  v1::SetZonesRequest zones;
  zones.set_expected_version(read);
  DT_EXPECT_CODE(zones_->SetZones(admin_, zones), kAborted);
  EXPECT_EQ(Get("mail").app().rules_size(), 2);  // The default rule is the second.
  remove.set_expected_version(Get("mail").version());
  DT_EXPECT_OK(apps_->RemoveApp(admin_, remove));
}

TEST_F(AppAdminTest, APreviewSaysWhatWouldBeRegisteredAndChangesNothing) {
  v1::PreviewAppRequest request;
  request.mutable_app()->set_id("wiki");
  request.mutable_app()->mutable_saml()->mutable_settings()->set_signed_part(
      v1::SAML_SIGNED_PART_BOTH);
  request.set_metadata(
      R"(<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://wiki/sp">)"
      R"(<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">)"
      R"(<AssertionConsumerService index="0" Location="https://wiki.example/acs")"
      R"( Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/></SPSSODescriptor>)"
      R"(</EntityDescriptor>)");
  const std::int64_t version = List().version();
  const auto preview = apps_->PreviewApp(request);
  DT_ASSERT_OK(preview);
  EXPECT_EQ(preview->app().label(), "wiki");
  EXPECT_EQ(preview->app().saml().entity_id(), "https://wiki/sp");
  EXPECT_EQ(preview->app().saml().acs(0).url(), "https://wiki.example/acs");
  EXPECT_EQ(preview->app().saml().settings().signed_part(), v1::SAML_SIGNED_PART_BOTH);
  EXPECT_FALSE(preview->replaces());
  EXPECT_EQ(List().version(), version);
  ASSERT_TRUE(PutApp(preview->app()).ok());
  EXPECT_TRUE(apps_->PreviewApp(request)->replaces());
  // The field that is wrong is named, as PutApp() would name it.
  const auto refusal = [&](const std::function<void(v1::PreviewAppRequest&)>& change) {
    v1::PreviewAppRequest changed = request;
    change(changed);
    const absl::Status status = apps_->PreviewApp(changed).status();
    return rpc::DetailOf(status) ? rpc::DetailOf(status)->subject() : "";
  };
  EXPECT_EQ(refusal([](auto& r) { r.set_metadata("<html/>"); }), "metadata");
  EXPECT_EQ(refusal([](auto& r) { r.set_metadata(std::string(70'000, ' ')); }), "metadata");
  EXPECT_EQ(refusal([](auto& r) { r.mutable_app()->set_id("Not An Id"); }), "id");
  EXPECT_EQ(refusal([](auto& r) { r.mutable_app()->set_id("other"); }), "saml.entity_id");
}

// Gateways that know a later version must not take another one for it.
TEST_F(AppAdminTest, TheVersionGrowsAcrossARestoreFromABackup) {
  const auto restarted =
      OrgStore::Create(*database_, *events_, {"acme", {}, true, 1'000'000}).value();
  EXPECT_EQ(restarted->state()->version, 1'000'000);
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  EXPECT_EQ(List().version(), 1'000'001);
}

TEST_F(AppAdminTest, RefusesMoreThanGatewaysTakeInOneMessage) {
  std::vector<v1::Rule> rules(1);
  rules[0] = FiveRules().at(0);
  rules[0].mutable_people()->Clear();
  for (int i = 0; i < 5000; ++i)
    rules[0].mutable_people()->add_user_ids(fmt::format("{:0>200}", i));
  for (int i = 1; i < 5; ++i) {
    rules.push_back(rules[0]);
    rules.back().set_name(fmt::format("rule {}", i));
  }
  int taken = 0;
  absl::Status status;
  while (status.ok() && taken < 10) {
    const std::string id = fmt::format("app{}", taken);
    ASSERT_TRUE(PutApp(SamlApp(id)).ok());
    status = SetRules(id, rules);
    taken += status.ok() ? 1 : 0;
  }
  EXPECT_EQ(taken, 2);
  EXPECT_EQ(ReasonOf(status), reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_LT(List().ByteSizeLong(), kAppsBytesMax + 1000);
}

TEST_F(AppAdminTest, OneEntityIdIsOneApp) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  v1::App other = SamlApp("other");
  *other.mutable_saml()->mutable_entity_id() = SamlApp("mail").saml().entity_id();
  const absl::Status status = PutApp(other);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), reason::v1::REASON_ALREADY_EXISTS);
  EXPECT_EQ(List().apps_size(), 1);
}

TEST_F(AppAdminTest, RefusesAnAppThatCouldNotWork) {
  const std::vector<std::pair<const char*, std::function<void(v1::App&)>>> bad = {
      {"id", [](v1::App& app) { app.set_id(""); }},
      {"id", [](v1::App& app) { app.set_id("../x"); }},
      {"id", [](v1::App& app) { app.set_id("Mail"); }},
      {"label", [](v1::App& app) { app.set_label("a\nb"); }},
      {"protocol_settings", [](v1::App& app) { app.clear_protocol_settings(); }},
      {"saml.entity_id", [](v1::App& app) { app.mutable_saml()->set_entity_id(""); }},
      {"saml.acs", [](v1::App& app) { app.mutable_saml()->clear_acs(); }},
      {"saml.acs", [](v1::App& app) { *app.mutable_saml()->add_acs() = app.saml().acs(0); }},
      {"saml.requests_signed", [](v1::App& app) { app.mutable_saml()->set_requests_signed(true); }},
      {"saml.signing_certificates_der",
       [](v1::App& app) { app.mutable_saml()->add_signing_certificates_der("junk"); }},
      {"saml.signing_certificates_der",
       [](v1::App& app) {
         const auto p521 = pki::Certificate::FromPem(testing::ReadVector("openssl/p521.pem"));
         app.mutable_saml()->add_signing_certificates_der(ToString(p521->der()));
       }},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    v1::App app = SamlApp("mail");
    bad[i].second(app);
    const absl::Status status = PutApp(app);
    EXPECT_EQ(ReasonOf(status), reason::v1::REASON_MALFORMED_REQUEST) << i;
    EXPECT_EQ(rpc::DetailOf(status)->subject(), bad[i].first) << i;
  }
  const auto put_with = [this](const char* url) {
    v1::App app = SamlApp("mail");
    app.mutable_saml()->mutable_acs(0)->set_url(url);
    return PutApp(app);
  };
  for (const char* url :
       {"javascript:x", "https://", "http://mail.example.com/acs", "http://[::1]evil.com/",
        "http://localhost.evil.com/", "https://a.example@b.example/acs", "https://[::1/",
        "https://a:99999/", "https://a:/", "https://a:1x/", "https://%00/", "https://a#b"}) {
    EXPECT_EQ(rpc::DetailOf(put_with(url))->subject(), "saml.acs") << url;
  }
  EXPECT_EQ(List().apps_size(), 0);
  for (const char* url : {"http://127.0.0.1:8080/acs", "http://[::1]:8080/acs", "http://[::1]",
                          "http://sp.localhost/acs?x=1", "https://a.example:8443/acs"}) {
    EXPECT_TRUE(put_with(url).ok()) << url;
  }
}

TEST_F(AppAdminTest, RefusesSamlSettingsThatCouldNotWork) {
  const auto with = [](const std::function<void(v1::SamlSettings&)>& edit) {
    return [edit](v1::App& app) { edit(*app.mutable_saml()->mutable_settings()); };
  };
  const auto attribute = [&with](const char* name, v1::UserField field, const char* value) {
    return with([=](v1::SamlSettings& settings) {
      v1::AttributeMapping& mapping = *settings.add_attributes();
      mapping.set_name(name);
      mapping.set_field(field);
      mapping.set_value(value);
      if (name == std::string("twice")) *settings.add_attributes() = mapping;
    });
  };
  const std::pair<const char*, std::function<void(v1::App&)>> bad[] = {
      {"saml.settings.name_id_format", with([](auto& s) { s.set_name_id_format("urn:x"); })},
      {"saml.settings.name_id_field",
       with([](auto& s) { s.set_name_id_field(v1::USER_FIELD_GROUPS); })},
      {"saml.settings",
       with([](auto& s) { s.set_signed_part(static_cast<v1::SamlSignedPart>(9)); })},
      {"saml.settings.encryption",
       with([](auto& s) { s.set_encryption(v1::SAML_ENCRYPTION_ALWAYS); })},
      {"saml.settings.attributes", attribute("", v1::USER_FIELD_EMAIL, "")},
      {"saml.settings.attributes", attribute("a\nb", v1::USER_FIELD_EMAIL, "")},
      {"saml.settings.attributes", attribute("mail", v1::USER_FIELD_UNSPECIFIED, "")},
      {"saml.settings.attributes", attribute("mail", v1::USER_FIELD_EMAIL, "both")},
      {"saml.settings.attributes", attribute("twice", v1::USER_FIELD_EMAIL, "")},
      {"saml.encryption_key",
       [](v1::App& app) {
         app.mutable_saml()->mutable_encryption_key()->set_certificate_der("junk");
       }},
      {"saml.single_logout",
       [](v1::App& app) { app.mutable_saml()->add_single_logout()->set_url("https://a.example"); }},
  };
  for (std::size_t i = 0; i < std::size(bad); ++i) {
    v1::App app = SamlApp("mail");
    bad[i].second(app);
    const absl::Status status = PutApp(app);
    EXPECT_EQ(ReasonOf(status), reason::v1::REASON_MALFORMED_REQUEST) << i;
    EXPECT_EQ(rpc::DetailOf(status)->subject(), bad[i].first) << i;
  }
  v1::App good = SamlApp("mail");
  attribute("mail", v1::USER_FIELD_EMAIL, "")(good);
  attribute("tenant", v1::USER_FIELD_UNSPECIFIED, "42")(good);
  good.mutable_saml()->mutable_settings()->set_signing_key(v1::SAML_KEY_KIND_ECDSA);
  DT_EXPECT_OK(PutApp(good));
  // Gateways get all of it.
  EXPECT_EQ(List().apps(0).saml().settings().attributes_size(), 2);
}

v1::App WsFedApp(const std::string& id) {
  v1::App app;
  app.set_id(id);
  app.set_label("App " + id);
  app.mutable_ws_fed()->set_realm("urn:example:" + id);
  app.mutable_ws_fed()->add_reply_urls("https://" + id + ".example.com/wsfed");
  return app;
}

void AddClaim(v1::App& app, const char* name, v1::UserField field, const char* value) {
  v1::AttributeMapping& claim = *app.mutable_ws_fed()->add_attributes();
  claim.set_name(name);
  claim.set_field(field);
  claim.set_value(value);
}

TEST_F(AppAdminTest, TakesWsFederationApps) {
  v1::App plain = WsFedApp("plain");
  AddClaim(plain, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
           v1::USER_FIELD_PRINCIPAL, "");
  AddClaim(plain, "http://example.com/tenant", v1::USER_FIELD_UNSPECIFIED, "acme");
  ASSERT_TRUE(PutApp(plain).ok());
  v1::App app = WsFedApp("office");
  app.set_has_client_conditions(true);
  app.mutable_ws_fed()->set_realm("urn:federation:MicrosoftOnline");
  app.mutable_ws_fed()->set_claims(v1::WsFedRelyingParty::CLAIMS_OFFICE_365);
  app.mutable_ws_fed()->set_token_type(v1::WsFedRelyingParty::TOKEN_TYPE_SAML_2_0);
  app.mutable_ws_fed()->add_reply_urls("http://localhost:8080/");
  ASSERT_TRUE(PutApp(app).ok());
  EXPECT_EQ(Get("office").app().ws_fed().reply_urls_size(), 2);
  // One realm is one app; what SAML calls a name is another thing.
  v1::App other = WsFedApp("other");
  other.mutable_ws_fed()->set_realm(app.ws_fed().realm());
  EXPECT_EQ(ReasonOf(PutApp(other)), reason::v1::REASON_ALREADY_EXISTS);
  v1::App saml = SamlApp("saml");
  saml.mutable_saml()->set_entity_id(app.ws_fed().realm());
  EXPECT_TRUE(PutApp(saml).ok());
}

TEST_F(AppAdminTest, RefusesAWsFederationAppThatCouldNotWork) {
  using Party = v1::WsFedRelyingParty;
  const std::vector<std::pair<const char*, std::function<void(v1::App&)>>> bad = {
      {"ws_fed.realm", [](v1::App& app) { app.mutable_ws_fed()->clear_realm(); }},
      {"ws_fed.realm", [](v1::App& app) { app.mutable_ws_fed()->set_realm("mail"); }},
      {"ws_fed.realm", [](v1::App& app) { app.mutable_ws_fed()->set_realm("urn:a b"); }},
      {"ws_fed.realm",
       [](v1::App& app) { app.mutable_ws_fed()->set_realm("urn:" + std::string(1024, 'a')); }},
      {"ws_fed.reply_urls", [](v1::App& app) { app.mutable_ws_fed()->clear_reply_urls(); }},
      {"ws_fed.reply_urls",
       [](v1::App& app) { app.mutable_ws_fed()->add_reply_urls(app.ws_fed().reply_urls(0)); }},
      {"ws_fed.reply_urls",
       [](v1::App& app) { app.mutable_ws_fed()->add_reply_urls("http://mail.example.com/"); }},
      {"ws_fed.reply_urls",
       [](v1::App& app) { app.mutable_ws_fed()->add_reply_urls("javascript:alert(1)"); }},
      {"ws_fed.token_type",
       [](v1::App& app) {
         app.mutable_ws_fed()->set_token_type(static_cast<Party::TokenType>(9));
       }},
      {"ws_fed.claims",
       [](v1::App& app) { app.mutable_ws_fed()->set_claims(static_cast<Party::Claims>(9)); }},
      {"ws_fed.attributes",
       [](v1::App& app) { AddClaim(app, "upn", v1::USER_FIELD_PRINCIPAL, ""); }},
      {"ws_fed.attributes",
       [](v1::App& app) { AddClaim(app, "http://x/", v1::USER_FIELD_PRINCIPAL, ""); }},
      {"ws_fed.attributes",
       [](v1::App& app) { AddClaim(app, "urn:x:/upn", v1::USER_FIELD_PRINCIPAL, ""); }},
      {"ws_fed.attributes",
       [](v1::App& app) { AddClaim(app, "http://x/upn", v1::USER_FIELD_UNSPECIFIED, ""); }},
      {"ws_fed.attributes",
       [](v1::App& app) { AddClaim(app, "http://x/upn", v1::USER_FIELD_EMAIL, "both"); }},
      {"ws_fed.attributes",
       [](v1::App& app) {
         AddClaim(app, "http://x/upn", v1::USER_FIELD_EMAIL, "");
         AddClaim(app, "http://x/upn", v1::USER_FIELD_PRINCIPAL, "");
       }},
      {"has_client_conditions",
       [](v1::App& app) { app.mutable_ws_fed()->set_claims(Party::CLAIMS_OFFICE_365); }},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    v1::App app = WsFedApp("mail");
    bad[i].second(app);
    const absl::Status status = PutApp(app);
    EXPECT_EQ(ReasonOf(status), reason::v1::REASON_MALFORMED_REQUEST) << i;
    EXPECT_EQ(rpc::DetailOf(status)->subject(), bad[i].first) << i;
  }
}

TEST_F(AppAdminTest, RefusesRulesThatBreakPol3WithAReason) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  std::vector<v1::Rule> rules = FiveRules();
  rules[1].add_clients(v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY);
  const absl::Status status = SetRules("mail", rules);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), reason::v1::REASON_RULE_INVALID);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("Windows, trusted"));
  EXPECT_EQ(Get("mail").app().rules_size(), 1);  // Nothing half-written.
}

TEST_F(AppAdminTest, RefusesTheDefaultRuleUnknownValuesAndUnknownApps) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  EXPECT_EQ(ReasonOf(SetRules("mail", {app_.rules(0)})), reason::v1::REASON_RULE_NOT_EDITABLE);
  v1::Rule rule = FiveRules()[1];
  rule.add_platforms(static_cast<v1::PlatformKind>(99));
  EXPECT_EQ(ReasonOf(SetRules("mail", {rule})), reason::v1::REASON_RULE_INVALID);
  rule = FiveRules()[1];
  rule.set_trust(static_cast<v1::TrustCondition>(7));
  EXPECT_EQ(ReasonOf(SetRules("mail", {rule})), reason::v1::REASON_RULE_INVALID);
  EXPECT_EQ(ReasonOf(SetRules("none", {})), reason::v1::REASON_APP_UNKNOWN);
}

TEST_F(AppAdminTest, APrefixWithZerosBeforeItIsRefused) {
  EXPECT_EQ(ReasonOf(SetZones({{"v6", "::/0000080"}})), reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(AppAdminTest, AZoneInUseDoesNotVanish) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(SetZones({{"network", "10.0.0.0/8"}, {"branch", "192.0.2.0/24"}}).ok());
  v1::Rule rule = FiveRules()[3];
  rule.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  rule.mutable_location()->add_zones("branch");
  ASSERT_TRUE(SetRules("mail", {rule}).ok());
  const absl::Status status = SetZones({{"network", "10.0.0.0/8"}});
  EXPECT_EQ(ReasonOf(status), reason::v1::REASON_RULE_INVALID);
  EXPECT_TRUE(SetZones({{"branch", "198.51.100.0/24"}}).ok());
  // On and off network mean the zone "network".
  rule.mutable_location()->set_kind(v1::LocationCondition::KIND_OFF_NETWORK);
  rule.mutable_location()->clear_zones();
  EXPECT_EQ(ReasonOf(SetRules("mail", {rule})), reason::v1::REASON_RULE_INVALID);
  ASSERT_TRUE(SetZones({{"network", "10.0.0.0/8"}, {"branch", "192.0.2.0/24"}}).ok());
  ASSERT_TRUE(SetRules("mail", {rule}).ok());
  EXPECT_EQ(ReasonOf(SetZones({{"branch", "192.0.2.0/24"}})), reason::v1::REASON_RULE_INVALID);
  EXPECT_EQ(ReasonOf(SetZones({{"branch", "10.0.0.1/8"}})), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(ReasonOf(SetZones({{"a", "::/0"}, {"a", "::/0"}})),
            reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(AppAdminTest, TheLogSaysWhoChangedWhat) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  const auto events = EventsOf("policy.rules.change");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].actor().display_name(), "admin:ada");
  EXPECT_NE(events[0].debug_data().at("rules").find("Not Windows"), std::string::npos);
}

// What gateways go by: whether the rules of an app ask for the device.
TEST_F(AppAdminTest, TellsGatewaysWhichAppsNeedTheDeviceChallenge) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(PutApp(SamlApp("wiki")).ok());
  ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  const auto needing = [this] {
    std::vector<std::string> ids;
    const v1::ListAppsResponse list = List();
    for (const v1::App& app : list.apps()) {
      EXPECT_TRUE(app.rules().empty());
      if (app.needs_device_challenge()) ids.push_back(app.id());
    }
    return ids;
  };
  EXPECT_THAT(needing(), ::testing::IsEmpty());  // Device Trust is off.
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  EXPECT_THAT(needing(), ::testing::ElementsAre("mail"));
  std::vector<v1::Rule> rules = FiveRules();
  rules[1].set_active(false);
  ASSERT_TRUE(SetRules("mail", rules).ok());
  EXPECT_THAT(needing(), ::testing::IsEmpty());
}

TEST_F(AppAdminTest, ARemovedAppIsGoneAndItsNameFree) {
  EXPECT_EQ(ReasonOf(Remove("mail")), reason::v1::REASON_APP_UNKNOWN);
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  const std::int64_t revision = store_->state()->FindApp("mail")->revision;
  DT_ASSERT_OK(Remove("mail"));
  EXPECT_EQ(List().apps_size(), 0);
  EXPECT_EQ(EventsOf("application.lifecycle.delete").size(), 1u);
  DT_EXPECT_OK(store_->AppAt("mail", revision, 0));  // Old decisions are still explained.

  v1::App other = SamlApp("mail2");
  *other.mutable_saml() = SamlApp("mail").saml();
  EXPECT_TRUE(PutApp(other).ok());
  DT_ASSERT_OK(Remove("mail2"));
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  EXPECT_EQ(app_.rules_size(), 1);
  EXPECT_GT(store_->state()->FindApp("mail")->revision, revision);
}

TEST_F(AppAdminTest, ARuleMustSayWhetherItLetsIn) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  v1::Rule rule = FiveRules()[3];
  rule.mutable_action()->clear_access();
  EXPECT_EQ(ReasonOf(SetRules("mail", {rule})), reason::v1::REASON_RULE_INVALID);
  rule.clear_action();
  EXPECT_EQ(ReasonOf(SetRules("mail", {rule})), reason::v1::REASON_RULE_INVALID);
}

TEST_F(AppAdminTest, AnotherProcessOnTheStoreSeesTheSame) {
  ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
  ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  const auto other = OrgStore::Create(*database_, *events_, {"acme", {}, true}).value();
  ASSERT_NE(other->state()->FindApp("mail"), nullptr);
  EXPECT_EQ(other->state()->FindApp("mail")->policy->rules().size(), 4u);
}

}  // namespace
}  // namespace devicetrust::policy
