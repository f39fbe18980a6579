#include "simulator/scenario/file/scenario_file.h"

#include <gmock/gmock.h>

#include "libs/testing/mutation.h"
#include "libs/testing/status.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kHead =
    "version: 1\n"
    "title: A test\n"
    "apps: [mail, wiki]\n"
    "rules:\n"
    "  - {name: all, active: true, people: {everyone: true}, action: {access: ACCESS_ALLOWED}}\n"
    "phases:\n"
    "  - {do: enroll}\n"
    "  - {do: open, name: morning}\n";

absl::StatusOr<ScenarioSpec> Parsed(const std::string& more) {
  return ParseScenario("a.yaml", kHead + more);
}

std::string Complaint(const std::string& more) {
  return std::string(Parsed(more).status().message());
}

TEST(ScenarioFileTest, ReadsPhasesArrivalsAndFaults) {
  const auto spec = Parsed(
      "  - do: open\n"
      "    name: late\n"
      "    apps: [wiki]\n"
      "    together: true\n"
      "    share: 12.5%\n"
      "    arrivals: {rate: 40, ramp: 2s, poisson: true}\n"
      "faults:\n"
      "  - {stop: iwa, at: 500ms, for: 2s}\n"
      "  - {revoke: 10%, during: late, at: 50%}\n"
      "  - {clock: ca, by: -5m, for: 1s}\n"
      "expect:\n"
      "  - {device: revoked, during: late, outcome: denied}\n"
      "thresholds:\n"
      "  - signin.p99 < 500ms\n"
      "  - {that: apps.success > 99%, abort: true}\n");
  DT_ASSERT_OK(spec);
  ASSERT_EQ(spec->phases.size(), 3U);
  EXPECT_EQ(spec->phases[1].apps, (std::vector<std::size_t>{0, 1}));
  const PhaseSpec& late = spec->phases[2];
  EXPECT_EQ(late.apps, (std::vector<std::size_t>{1}));
  EXPECT_TRUE(late.together);
  EXPECT_DOUBLE_EQ(late.share, 12.5);
  EXPECT_EQ(late.arrivals.kind, ArrivalSpec::Kind::kRate);
  EXPECT_DOUBLE_EQ(late.arrivals.per_second, 40);
  EXPECT_EQ(late.arrivals.ramp, seconds(2));
  EXPECT_TRUE(late.arrivals.poisson);
  ASSERT_EQ(spec->faults.size(), 3U);
  EXPECT_EQ(spec->faults[0].name, "stop iwa");
  EXPECT_EQ(spec->faults[0].at, milliseconds(500));
  EXPECT_EQ(spec->faults[0].length, seconds(2));
  EXPECT_EQ(spec->faults[1].phase, 2U);
  EXPECT_EQ(spec->faults[1].at_percent, 50);
  EXPECT_DOUBLE_EQ(spec->faults[1].percent, 10);
  EXPECT_EQ(spec->faults[2].by, -std::chrono::minutes(5));
  EXPECT_EQ(spec->expect[0].phase, 2U);
  EXPECT_TRUE(spec->thresholds[1].abort);
  EXPECT_EQ(spec->apps[0].rules(0).name(), "all");
}

TEST(ScenarioFileTest, NamesThePlaceAndTheNearestKnownKey) {
  EXPECT_THAT(Complaint("  - {do: open, name: x, arivals: {rate: 4}}\n"),
              StartsWith("a.yaml:9:25: a phase has no \"arivals\"; did you mean arrivals?\n"));
  EXPECT_THAT(Complaint("treshold: []\n"), HasSubstr("a.yaml:9:1: a scenario has no \"treshold\""));
  EXPECT_THAT(Complaint("faults:\n  - {packet-loss: ca, for: 1s}\n"),
              HasSubstr("a fault has no \"packet-loss\""));
  EXPECT_THAT(Complaint("faults:\n  - {stop: iwas, for: 1s}\n"), HasSubstr("did you mean iwa?"));
  EXPECT_THAT(Complaint("faults:\n  - {stop: iwa, during: mornin, for: 1s}\n"),
              HasSubstr("there is no phase \"mornin\"; did you mean morning?"));
}

TEST(ScenarioFileTest, RefusesWhatCannotBeMeant) {
  const std::pair<const char*, const char*> cases[] = {
      {"  - {do: open, name: x, arrivals: {rate: -4}}\n", "rate is a rate a second, above 0"},
      {"  - {do: open, name: x, arrivals: {rate: 1, at-once: 2}}\n",
       "one of at-once, rate and curve"},
      {"  - {do: open, name: x, arrivals: {curve: {0s: 1, 5s: 0}}}\n", "would never come"},
      {"  - {do: open, name: x, arrivals: {curve: {1s: 1, 5s: 2}}}\n", "begin at 0s"},
      {"  - {do: open, name: morning}\n", "is there already"},
      {"  - {do: wait}\n", "wait needs \"for\""},
      {"  - {do: wait, for: 1s, apps: all}\n", "means nothing where do is wait"},
      {"  - {do: open, name: x, apps: [crm]}\n", "there is no app \"crm\""},
      {"faults:\n  - {stop: iwa}\n", "\"stop iwa\" never ends"},
      {"faults:\n  - {stop: iwa, cut: ca, for: 1s}\n", "both stop and cut"},
      {"faults:\n  - {slow: ca, for: 1s}\n", "slow needs \"by\""},
      {"faults:\n  - {revoke: 5, for: 1s}\n", "a revocation is for good"},
      {"faults:\n  - {at: 1s}\n", "nothing goes wrong here"},
      {"fleet: {devices: 0}\n", "devices is a whole number from 1 to 50,000"},
      {"fleet: {domain-joined: 80%, unmanaged: 30%}\n", "more than 100% together"},
      {"fleet: {forests: [[a.test], [b.test]], trusts: [a.test]}\n", "a trust is a pair"},
      {"fleet: {forests: [[a.test], [b.test]], trusts: [[a.test, c.test]]}\n",
       "\"c.test\" is no domain of the forests"},
      {"fleet: {forests: [[a.test, c.a.test]], trusts: [[a.test, c.a.test]]}\n",
       "these two are of one forest"},
      {"thresholds: [signin.p98 < 1s]\n",
       "there is no metric \"signin.p98\"; did you mean signin.p9"},
      {"thresholds: [signin.p99 < 1MiB]\n", "takes 500ms, 2s"},
      {"policy: x.json\n", "a policy has its own apps and rules"},
      {"seed: 7\nseed: 8\n", "\"seed\" is given twice"},
      {"fleet: &x {devices: 5}\n", "is an anchor"},
      {"--- \nversion: 1\n", "a second document"},
      {"fleet: [\n", "this is no YAML"},
  };
  for (const auto& [more, said] : cases) {
    const auto spec = Parsed(more);
    EXPECT_FALSE(spec.ok()) << more;
    const std::string message(spec.status().message());
    EXPECT_THAT(message, HasSubstr(said)) << more;
    EXPECT_THAT(message, StartsWith("a.yaml:")) << more;
  }
}

TEST(ScenarioFileTest, RefusesAnotherVersionWhateverElseItHas) {
  const auto spec = ParseScenario("b.yaml", "version: 2\nwhatever: [1]\n");
  EXPECT_THAT(std::string(spec.status().message()),
              StartsWith("b.yaml:1:10: this is a scenario of version \"2\""));
}

TEST(ScenarioFileTest, TellsWhichRuleIsWrong) {
  const auto spec = ParseScenario("r.yaml",
                                  "version: 1\ntitle: t\napps: [a]\nrules:\n"
                                  "  - {name: one, active: true}\n"
                                  "  - {name: two, truts: 1}\nphases: [{do: enroll}]\n");
  EXPECT_THAT(std::string(spec.status().message()), StartsWith("r.yaml:6:5: rule 2: "));
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("truts"));
}

TEST(ScenarioFileTest, TakesAPolicyAsDtctlExportsIt) {
  const auto spec =
      ParseScenario("p.yaml",
                    R"({"version": 1, "title": "JSON is YAML", "phases": [{"do": "enroll"}],
          "policy": {"version": 1, "zones": [], "apps": [{"id": "pay", "label": "Pay",
            "saml": {"entity_id": "urn:pay", "acs": [{"url": "https://pay.example/acs"}]},
            "rules": [{"name": "all", "active": true, "people": {"everyone": true},
                       "action": {"access": "ACCESS_ALLOWED"}}]}]}})");
  DT_ASSERT_OK(spec);
  EXPECT_EQ(spec->apps.at(0).id(), "pay");
  EXPECT_EQ(spec->apps.at(0).rules_size(), 1);
}

TEST(ScenarioFileTest, AnyOctetMayBeAnother) {
  const std::string& good = ShippedScenarios().front().text;
  testing::ForEachMutation(Bytes(good.begin(), good.end()), 400, 1, [](const Bytes& bad) {
    const auto spec = ParseScenario("m.yaml", ToString(bad));
    EXPECT_TRUE(spec.ok() || absl::IsInvalidArgument(spec.status()));
  });
}

}  // namespace
}  // namespace devicetrust::simulator
