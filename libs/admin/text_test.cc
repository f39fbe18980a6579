#include "libs/admin/text.h"

#include <gtest/gtest.h>

#include "libs/rpc/error.h"

namespace devicetrust::admin {
namespace {

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

org::v1::Event Revocation() {
  org::v1::Event event;
  event.set_type("pki.cert.revoke");
  event.mutable_at()->set_seconds(1'800'000'000);
  event.mutable_actor()->set_id("admin:ada");
  auto* target = event.add_targets();
  target->set_type("Certificate");
  target->set_id("4a1f03");
  event.mutable_outcome()->set_result(org::v1::EventOutcome::RESULT_SUCCESS);
  (*event.mutable_debug_data())["device_id"] = "d-17";
  return event;
}

TEST(EventLine, SaysWhenWhatWhoAndWhichDevice) {
  EXPECT_EQ(EventLine(Revocation()),
            "2027-01-15 08:00:00Z  pki.cert.revoke                  SUCCESS   admin:ada → 4a1f03"
            "  device d-17");
}

TEST(EventLine, SaysEachThingOnce) {
  v1::Event event = Revocation();
  const std::string line = EventLine(event);
  event.add_targets()->set_id("d-17");
  event.add_targets()->set_display_name(event.actor().id());
  EXPECT_EQ(EventLine(event), line);
}

TEST(EventLine, EndsWithTheCodeOfADecision) {
  org::v1::Event event = Revocation();
  (*event.mutable_debug_data())["code"] = "7F3K-9QXD";
  EXPECT_TRUE(EventLine(event).ends_with("  device d-17  code 7F3K-9QXD")) << EventLine(event);
}

// Whose word it is: the actor is what the writer says.
TEST(EventLine, NamesTheComponentThatWroteIt) {
  org::v1::Event event = Revocation();
  event.set_writer("ca");
  EXPECT_TRUE(EventLine(event).ends_with("  written by ca")) << EventLine(event);
}

TEST(EventLine, ControlBytesDoNotReachTheTerminal) {
  org::v1::Event event = Revocation();
  event.mutable_actor()->set_display_name("Ada\x1b[2J\nLovelace");
  const std::string line = EventLine(event);
  EXPECT_TRUE(Has(line, R"(Ada\u001b[2J\u000aLovelace)")) << line;
  event.mutable_actor()->set_display_name(
      "\xC2\x9B"
      "2J\xE2\x80\xAE"
      "ada");
  EXPECT_TRUE(Has(EventLine(event), R"(\u009b2J\u202eada)")) << EventLine(event);
  EXPECT_TRUE(Has(ToJson(event), R"("display_name":"\u009b2J\u202eada")")) << ToJson(event);
}

TEST(ToJson, KeepsTheNamesOfTheContract) {
  const std::string json = ToJson(Revocation());
  EXPECT_TRUE(Has(json, "\"debug_data\":{\"device_id\":\"d-17\"}")) << json;
  EXPECT_FALSE(Has(json, "\n")) << json;
}

TEST(SettingsText, WarnsWhenRulesAreStranded) {
  org::v1::OrgSettings settings;
  settings.set_capability_enabled(true);
  EXPECT_TRUE(Has(SettingsText(settings), "in force      no"));
  EXPECT_FALSE(Has(SettingsText(settings), "warning"));
  settings.set_disabled_while_in_use(true);
  EXPECT_TRUE(Has(SettingsText(settings), "To undo: dtctl device-trust on"));
}

TEST(SettingsText, InForceNeedsBothSwitches) {
  org::v1::OrgSettings settings;
  settings.set_device_trust_enabled(true);
  EXPECT_TRUE(Has(SettingsText(settings), "in force      no"));
  settings.set_capability_enabled(true);
  EXPECT_TRUE(Has(SettingsText(settings), "in force      yes"));
}

TEST(TableText, ColumnsAreAsWideAsTheirWidestCellWhateverTheAlphabet) {
  EXPECT_EQ(TableText({"NAME", "ID"}, {{"Zoë", "1"}, {"Ada L", ""}}),
            "NAME   ID\n"
            "Zoë    1\n"
            "Ada L  -\n");
  EXPECT_EQ(TableText({"NAME"}, {}), "");
}

TEST(RuleLine, SaysWhomWhereWithWhatAndWhatFollows) {
  org::v1::Rule rule;
  rule.set_name("Windows");
  rule.mutable_people()->add_groups("Sales");
  rule.add_platforms(org::v1::PLATFORM_KIND_WINDOWS);
  rule.set_trust(org::v1::TRUST_CONDITION_TRUSTED);
  rule.mutable_action()->set_access(org::v1::Action::ACCESS_ALLOWED);
  rule.mutable_action()->set_prompt_for_factor(true);
  EXPECT_EQ(
      RuleLine(rule),
      "Windows (not active): members of Sales; Windows; trusted device → allowed with a second "
      "factor");
  rule.set_report_only(true);
  EXPECT_TRUE(RuleLine(rule).starts_with("Windows (report-only): members of Sales;"));
}

TEST(ErrorText, ShowsReasonRemedyAndWhenToTryAgain) {
  const absl::Status status = rpc::MakeError(
      absl::StatusCode::kUnavailable, reason::v1::REASON_STORE_FULL, "the disk of dt-ca is full",
      "dt-ca", "Make room on its disk.", std::chrono::seconds(30));
  EXPECT_EQ(ErrorText("dtctl", status),
            "dtctl: the disk of dt-ca is full  [STORE_FULL]\n"
            "       Make room on its disk.\n"
            "       Try again in 30 s.\n");
}

TEST(ErrorText, InOneLineForAReport) {
  const absl::Status status =
      rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_STORE_FULL,
                     "the store is full", "dt-ca", "Make room on its disk.");
  EXPECT_EQ(OneLine(status), "the store is full [STORE_FULL]. Make room on its disk.");
  EXPECT_EQ(OneLine(absl::NotFoundError("no\nfile")), "no file");
}

TEST(ErrorText, WithoutDetailIsTheMessage) {
  EXPECT_EQ(ErrorText("dtctl", absl::NotFoundError("run/endpoints.json does not exist")),
            "dtctl: run/endpoints.json does not exist\n");
}

}  // namespace
}  // namespace devicetrust::admin
