#include "libs/admin/message_diff.h"

#include <gtest/gtest.h>

#include "devicetrust/org/v1/policy_document.pb.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

v1::PolicyDocument Document() {
  v1::PolicyDocument document;
  document.mutable_settings()->set_device_trust_enabled(false);
  v1::Zone& zone = *document.add_zones();
  zone.set_name("lab");
  zone.add_cidr("10.0.0.0/8");
  v1::App& app = *document.add_apps();
  app.set_id("mail");
  app.set_label("Mail");
  for (const char* const name : {"a", "b", "c"}) {
    v1::Rule& rule = *app.add_rules();
    rule.set_name(name);
    rule.set_active(true);
    rule.add_platforms(v1::PLATFORM_KIND_WINDOWS);
    rule.mutable_action()->set_access(v1::Action::ACCESS_ALLOWED);
  }
  return document;
}

TEST(MessageDiffTest, SaysNothingOfTheSame) { EXPECT_EQ(DiffText(Document(), Document()), ""); }

TEST(MessageDiffTest, NamesFieldsBySettingAppAndRule) {
  v1::PolicyDocument after = Document();
  after.mutable_settings()->set_device_trust_enabled(true);
  after.mutable_settings()->set_learn_more_url("https://a.example.com/");
  after.mutable_zones(0)->set_cidr(0, "10.1.0.0/16");
  v1::App& app = *after.mutable_apps(0);
  app.set_label("Post");
  app.mutable_rules(1)->mutable_action()->set_prompt_for_factor(true);
  app.mutable_rules(2)->add_platforms(v1::PLATFORM_KIND_IOS);
  app.mutable_rules(0)->set_active(false);
  EXPECT_EQ(DiffText(Document(), after),
            "~ settings.device_trust_enabled: false -> true\n"
            "~ settings.learn_more_url: none -> \"https://a.example.com/\"\n"
            "~ zone \"lab\": cidr: +\"10.1.0.0/16\", -\"10.0.0.0/8\"\n"
            "~ app \"mail\": label: \"Mail\" -> \"Post\"\n"
            "~ app \"mail\": rule \"a\": active: true -> false\n"
            "~ app \"mail\": rule \"b\": action.prompt_for_factor: false -> true\n"
            "~ app \"mail\": rule \"c\": platforms: +\"PLATFORM_KIND_IOS\"\n");
}

TEST(MessageDiffTest, ARuleInBetweenChangesNoOther) {
  v1::PolicyDocument after = Document();
  v1::App& app = *after.mutable_apps(0);
  app.add_rules()->set_name("new");
  app.mutable_rules()->SwapElements(1, 3);  // a, new, c, b
  EXPECT_EQ(DiffText(Document(), after),
            "+ app \"mail\": rule \"new\" (2nd): {}\n"
            "~ app \"mail\": order of rules: \"a\", \"b\", \"c\" -> \"a\", \"c\", \"b\"\n");
  after = Document();
  after.mutable_apps(0)->mutable_rules()->DeleteSubrange(0, 2);
  after.clear_zones();
  EXPECT_EQ(
      DiffText(Document(), after),
      "- zone \"lab\": {\"cidr\":[\"10.0.0.0/8\"]}\n"
      "- app \"mail\": rule \"a\": {\"active\":true,\"platforms\":[\"PLATFORM_KIND_WINDOWS\"],"
      "\"action\":{\"access\":\"ACCESS_ALLOWED\"}}\n"
      "- app \"mail\": rule \"b\": {\"active\":true,\"platforms\":[\"PLATFORM_KIND_WINDOWS\"],"
      "\"action\":{\"access\":\"ACCESS_ALLOWED\"}}\n");
}

}  // namespace
}  // namespace devicetrust::admin
