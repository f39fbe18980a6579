#include "libs/admin/policy_file.h"

#include <gmock/gmock.h>

#include "libs/base/files.h"
#include "libs/testing/status.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::string_view kPolicy = R"({
  "version": 1,
  "settings": {
    "device_trust_enabled": false,
    "ad_domains": [
      "corp.test"
    ]
  },
  "zones": [
    {
      "name": "lab",
      "cidr": [
        "10.0.0.0/8"
      ]
    }
  ],
  "apps": [
    {
      "id": "mail",
      "label": "Mail",
      "saml": {
        "entity_id": "https://mail.example.com",
        "signing_certificates_der": [
          "AQID"
        ]
      },
      "rules": [
        {
          "name": "first",
          "active": true,
          "platforms": [
            "PLATFORM_KIND_WINDOWS"
          ],
          "action": {
            "access": "ACCESS_ALLOWED",
            "reauthenticate_after": "300s"
          }
        },
        {
          "name": "rest",
          "active": true,
          "action": {
            "access": "ACCESS_DENIED"
          }
        }
      ]
    }
  ]
}
)";

std::string ErrorOf(std::string_view text) {
  const auto read = PolicyFromJson("p.json", text);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(read.status().message(), HasSubstr("p.json: "));
  return std::string(read.status().message());
}

std::string Replaced(std::string_view from, std::string_view to) {
  std::string text(kPolicy);
  return text.replace(text.find(from), from.size(), to);
}

TEST(PolicyFileTest, WhatIsWrittenIsReadAndTheSameOctets) {
  const auto document = PolicyFromJson("p.json", kPolicy);
  DT_ASSERT_OK(document);
  EXPECT_EQ(document->apps(0).rules_size(), 2);
  EXPECT_EQ(document->apps(0).saml().signing_certificates_der(0), "\1\2\3");
  EXPECT_TRUE(document->settings().has_device_trust_enabled());
  EXPECT_FALSE(document->settings().has_read_only());
  EXPECT_EQ(PolicyToJson(*document), kPolicy);
  EXPECT_EQ(PolicyToJson(v1::PolicyDocument()),
            "{\n  \"version\": 1,\n  \"settings\": {},\n  \"zones\": [],\n  \"apps\": []\n}\n");
}

TEST(PolicyFileTest, NamesWhatIsWrongAndWhere) {
  EXPECT_THAT(ErrorOf("{\"version\": 1,"), HasSubstr("this is no JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("one JSON object"));
  EXPECT_THAT(ErrorOf("{\"version\": 1e999}"), HasSubstr("a number that is too large"));
  EXPECT_THAT(ErrorOf(R"({"zones": [], "apps": []})"), HasSubstr("\"version\" is missing"));
  EXPECT_THAT(ErrorOf(R"({"version": 1, "apps": []})"), HasSubstr("\"zones\" is missing"));
  EXPECT_THAT(ErrorOf(R"({"version": 1, "zones": [], "apps": {}})"), HasSubstr("is a list"));
  EXPECT_THAT(ErrorOf(Replaced("\"zones\"", "\"zoness\"")), HasSubstr("no member \"zoness\""));
  EXPECT_THAT(ErrorOf(Replaced("\"label\"", "\"lable\"")),
              AllOf(HasSubstr("app 1 \"mail\""), HasSubstr("no field \"lable\"")));
  EXPECT_THAT(ErrorOf(Replaced("PLATFORM_KIND_WINDOWS", "WINDOWS")),
              AllOf(HasSubstr("rules.platforms"), HasSubstr("PLATFORM_KIND_IOS")));
  EXPECT_THAT(ErrorOf(Replaced("\"300s\"", "300")), HasSubstr("such as \"300s\""));
  EXPECT_THAT(ErrorOf(Replaced("\"device_trust_enabled\": false", "\"read_only\": 1")),
              HasSubstr("settings: read_only: must be true or false"));
  EXPECT_THAT(ErrorOf(Replaced("\"label\": \"Mail\"", "\"needs_device_challenge\": true")),
              HasSubstr("for reading only"));
}

TEST(PolicyFileTest, RefusesAnUnknownVersion) {
  for (const char* const version : {"2", "0", "-1", "18446744073709551615"}) {
    EXPECT_THAT(ErrorOf(Replaced("\"version\": 1", fmt::format("\"version\": {}", version))),
                AllOf(HasSubstr(version), HasSubstr("newer dtctl")));
  }
  EXPECT_THAT(ErrorOf(Replaced("\"version\": 1", "\"version\": \"1\"")), HasSubstr("missing"));
  EXPECT_THAT(ErrorOf(Replaced("\"version\": 1", "\"version\": 1.5")), HasSubstr("missing"));
}

TEST(PolicyFileTest, RefusesWhatIsThereTwice) {
  EXPECT_THAT(ErrorOf(Replaced("\"rest\"", "\"first\"")),
              AllOf(HasSubstr("app \"mail\": rule 2 \"first\""), HasSubstr("leave one")));
  EXPECT_THAT(ErrorOf(Replaced("\"name\": \"rest\"", "\"name\": \"rest\", \"name\": \"x\"")),
              HasSubstr("\"name\" stands there twice"));
  EXPECT_THAT(ErrorOf(R"({"version": 1, "version": 1, "zones": [], "apps": []})"),
              HasSubstr("twice"));
  EXPECT_THAT(ErrorOf(R"({"version":1,"zones":[{"name":"a"},{"name":"a"}],"apps":[]})"),
              HasSubstr("zone 2 \"a\": another zone has this name"));
  EXPECT_THAT(ErrorOf(R"({"version":1,"zones":[],"apps":[{"id":"a"},{"id":"a"}]})"),
              HasSubstr("app 2 \"a\": another app has this id"));
}

TEST(PolicyFileTest, RefusesWhatIsTooLargeOrTooDeepAtOnce) {
  std::string large(kPolicy);
  large.resize(std::size_t{10} << 20, ' ');
  EXPECT_THAT(ErrorOf(large), HasSubstr("more than 8 MiB"));
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(ErrorOf(Replaced("\"rest\"", deep)), HasSubstr("nested"));
  EXPECT_THAT(ErrorOf(deep), HasSubstr("nested"));
}

TEST(PolicyFileTest, ReadsCases) {
  const auto cases = CasesFromJson(
      "c.json", R"({"version": 1, "cases": [{"name": "a", "app": "mail", "factor_age": "60s",
                    "trust": "TRUST_STATE_TRUSTED", "outcome": "OUTCOME_ALLOWED"}]})");
  DT_ASSERT_OK(cases);
  EXPECT_EQ(cases->front().factor_age().seconds(), 60);
  const auto wrong = CasesFromJson("c.json", R"({"version": 1, "cases": [{"names": "a"}]})");
  EXPECT_THAT(wrong.status().message(), HasSubstr("c.json: case 1: there is no field \"names\""));
}

TEST(PolicyFileTest, ProblemsSayWhereInTheFile) {
  const v1::PolicyDocument document = PolicyFromJson("p.json", kPolicy).value();
  v1::PolicyProblem problem;
  problem.set_message("it is wrong");
  problem.set_remedy("Mend it.");
  const auto text = [&](const char* path) {
    problem.set_path(path);
    return ProblemText("p.json", document, problem);
  };
  EXPECT_EQ(text("apps[0].rules[1]"),
            "p.json: app \"mail\", rule 2 \"rest\": it is wrong\n  Mend it.");
  EXPECT_THAT(text("apps[0]"), HasSubstr("app \"mail\": it"));
  EXPECT_THAT(text("zones[0]"), HasSubstr("zone 1 \"lab\": it"));
  EXPECT_THAT(text("settings"), HasSubstr("settings: it"));
  for (const char* const odd : {"apps[7]", "apps[", "apps[x].rules[0]", "apps[99999999999]"}) {
    EXPECT_THAT(text(odd), HasSubstr(odd));
  }
}

}  // namespace
}  // namespace devicetrust::admin
