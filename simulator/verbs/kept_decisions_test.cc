#include "simulator/verbs/kept_decisions.h"

#include <gtest/gtest.h>

#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

namespace v1 = ::devicetrust::org::v1;

v1::Decision Refusal() {
  v1::Decision decision;
  decision.set_code("7F3K-9QXD");
  decision.set_outcome(v1::OUTCOME_DENIED);
  decision.set_rule_name("everything else");
  decision.set_rule_index(4);
  decision.set_trust(v1::TRUST_STATE_NOT_TRUSTED);
  decision.set_trust_reason(reason::v1::REASON_CERTIFICATE_REVOKED);
  decision.set_remedy("Enroll again.");
  decision.set_client_kind(v1::CLIENT_KIND_WEB_BROWSER);
  decision.mutable_user()->set_display_name("Zoë <Q&A> Müller");
  v1::RuleTrace& rule = *decision.add_rules();
  rule.set_index(2);
  rule.set_name("trusted");
  rule.set_active(true);
  v1::ConditionTrace& condition = *rule.add_conditions();
  condition.set_condition("device trust");
  condition.set_wanted("trusted");
  condition.set_seen("not trusted");
  return decision;
}

TEST(KeptDecisionsTest, FindsADecisionHoweverItsCodeIsTyped) {
  const testing::TempFolder folder;
  const std::string path = folder / "decisions.jsonl";
  v1::Decision other = Refusal();
  other.set_code("AAAA-BBBB");
  ASSERT_TRUE(WriteDecisions(path, {other, Refusal()}).ok());

  const absl::StatusOr<v1::Decision> found = FindDecision(path, "7f3k9qxd");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->user().display_name(), "Zoë <Q&A> Müller");
  EXPECT_TRUE(FindDecision(path, "\u200e7F3K-9QXD ").ok());
  EXPECT_EQ(FindDecision(path, "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindDecision(path, "7F3K").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindDecision(folder / "none", "7F3K").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace devicetrust::simulator
