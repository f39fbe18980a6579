#include "libs/service/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/testing/options.h"
#include "libs/testing/status.h"

namespace devicetrust::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct SampleDomain {
  std::string name;
  std::vector<std::string> suffixes;

  bool operator==(const SampleDomain&) const = default;
};

void Describe(SampleDomain& domain, Options& options) {
  options.Text("name", domain.name, "NAME", "DNS name", Need::kRequired);
  options.Texts("suffix", domain.suffixes, "SUFFIX", "Suffixes of its accounts");
}

struct SampleDirectory {
  std::string url;
  int connections = 4;
  std::vector<SampleDomain> domains;

  bool operator==(const SampleDirectory&) const = default;
};

void Describe(SampleDirectory& directory, Options& options) {
  options.Text("url", directory.url, "URL", "ldaps://HOST:PORT", Need::kRequired);
  options.Number("connections", directory.connections, 1, 256, "At once");
  options.Groups("domain", directory.domains, "Its domains");
}

struct SampleConfig {
  std::string org = "acme";
  std::string names = "fresh";
  std::optional<bool> capability;
  bool primary = true;
  int days = 365;
  std::vector<std::string> realms = {"CORP.TEST"};
  std::vector<SampleDirectory> directories;
  std::uint64_t bytes = 0;

  bool operator==(const SampleConfig&) const = default;
};

void Describe(SampleConfig& config, Options& options) {
  options.Heading("Identity");
  options.Text("org", config.org, "NAME", "Id of the org", Need::kRequired);
  options.Heading("More");
  options.Choice("names", config.names, {"fresh", "fixed"}, "Names");
  options.OnOff("capability", config.capability, "Capability");
  options.Switch("primary", "backup", config.primary, "Which");
  options.Groups("directory", config.directories, "Directories");
  options.Number("days", config.days, 1, 825, "Days");
  options.Texts("realm", config.realms, "REALM", "Realms");
  options.Number("bytes", config.bytes, 0, 1'000'000, "Bytes");
}

absl::Status Flag(SampleConfig& config, const std::string& name, std::vector<std::string> values) {
  const Options options = OptionsOf(config);
  for (const Option& option : options.all()) {
    if (option.name == name) return options.ReadFlag(option, values);
  }
  return absl::NotFoundError(name);
}

TEST(OptionsTest, AConfigurationIsWrittenUnderItsHeadings) {
  SampleConfig config;
  config.directories = {{"ldaps://dc1", 8, {{"corp.test", {"corp"}}}}, {"ldaps://dc2", 4, {}}};
  EXPECT_EQ(ToToml(config),
            "# Identity\n"
            "org = \"acme\"\n"
            "\n"
            "# More\n"
            "names = \"fresh\"\n"
            "primary = true\n"
            "days = 365\n"
            "realm = [\"CORP.TEST\"]\n"
            "bytes = 0\n"
            "\n"
            "[[directory]]\n"
            "url = \"ldaps://dc1\"\n"
            "connections = 8\n"
            "\n"
            "[[directory.domain]]\n"
            "name = \"corp.test\"\n"
            "suffix = [\"corp\"]\n"
            "\n"
            "[[directory]]\n"
            "url = \"ldaps://dc2\"\n"
            "connections = 4\n");
}

TEST(OptionsTest, WhateverIsWrittenIsReadBack) {
  SampleConfig config;
  DT_EXPECT_OK(FromToml<SampleConfig>(ToToml(config)));
  for (int changes = 0; changes < 3; ++changes) {
    testing::ChangeAll(OptionsOf(config));
    const auto read = FromToml<SampleConfig>(ToToml(config));
    DT_ASSERT_OK(read);
    EXPECT_TRUE(*read == config) << ToToml(config) << "\nis not\n" << ToToml(*read);
  }
}

TEST(OptionsTest, AFileSetsWhatItNamesAndGroupsAsAWhole) {
  SampleConfig config;
  config.directories = {{"old", 9, {}}};
  DT_ASSERT_OK(OptionsOf(config).ReadToml("days = 30\ncapability = \"off\"\n"));
  EXPECT_EQ(config.days, 30);
  EXPECT_EQ(config.capability, false);
  EXPECT_EQ(config.org, "acme");
  EXPECT_EQ(config.directories.front().url, "old");
  DT_ASSERT_OK(OptionsOf(config).ReadToml("directory = [{url = \"a\"}, {url = \"b\"}]\n"));
  EXPECT_EQ(config.directories, (std::vector<SampleDirectory>{{"a", 4, {}}, {"b", 4, {}}}));
  DT_ASSERT_OK(OptionsOf(config).ReadToml("directory = []\n"));
  EXPECT_THAT(config.directories, IsEmpty());
}

TEST(OptionsTest, AFileIsRefusedByLineAndOption) {
  const std::pair<const char*, const char*> bad[] = {
      {"\nno-such-option = 1\n",
       "line 2: there is no option \"no-such-option\"; --help lists them"},
      {"org = 7\n", "line 1: org is 7, not NAME"},
      {"days = 0\n", "line 1: days is 0, not 1..825"},
      {"days = \"30\"\n", "line 1: days is \"30\" in quotes, not 1..825"},
      {"names = \"stale\"\n", "line 1: names is \"stale\", not fresh|fixed"},
      {"capability = true\n", "line 1: capability is true, not on|off"},
      {"primary = \"yes\"\n", "line 1: primary is \"yes\" in quotes, not true or false"},
      {"realm = \"A\"\n", "line 1: realm is \"A\", not REALM"},
      {"directory = [\"a\"]\n", "line 1: directory is [\"a\"], not {OPTION = VALUE, …}"},
      {"[[directory]]\nurl = \"a\"\ndays = 1\n",
       "line 3: there is no option \"days\"; --help lists them"},
      {"[[directory]]\n[[directory.domain]]\nname = false\n", "line 3: name is false, not NAME"}};
  for (const auto& [text, message] : bad) {
    SampleConfig config;
    EXPECT_EQ(OptionsOf(config).ReadToml(text), absl::InvalidArgumentError(message));
  }
}

TEST(OptionsTest, FlagsSetOptionsToo) {
  SampleConfig config;
  DT_EXPECT_OK(Flag(config, "org", {"other"}));
  DT_EXPECT_OK(Flag(config, "days", {"825"}));
  DT_EXPECT_OK(Flag(config, "primary", {"false"}));
  DT_EXPECT_OK(Flag(config, "realm", {"A", "B"}));
  DT_EXPECT_OK(Flag(config, "directory", {"{url = \"a\", connections = 1}", "{url = \"b\"}"}));
  EXPECT_EQ(config.org, "other");
  EXPECT_EQ(config.days, 825);
  EXPECT_FALSE(config.primary);
  EXPECT_THAT(config.realms, ElementsAre("A", "B"));
  EXPECT_EQ(config.directories, (std::vector<SampleDirectory>{{"a", 1, {}}, {"b", 4, {}}}));
}

TEST(OptionsTest, AWrongFlagIsNamed) {
  const std::pair<std::string, std::string> bad[] = {{"days", "826"},
                                                     {"days", "x"},
                                                     {"days", "1 "},
                                                     {"days", "99999999999999999999"},
                                                     {"names", "stale"},
                                                     {"directory", "ldaps://dc1"},
                                                     {"directory", "{url = 1}"},
                                                     {"directory", "{days = 1}"},
                                                     {"directory", "{}], days = ["}};
  for (const auto& [name, value] : bad) {
    SampleConfig config;
    const absl::Status status = Flag(config, name, {value});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << value;
    EXPECT_EQ(std::string(status.message()).rfind("--" + name, 0), 0U) << status;
    EXPECT_EQ(std::string(status.message()).find("line "), std::string::npos) << status;
  }
}

TEST(OptionsTest, RequiredOptionsAreMissedByName) {
  SampleConfig config;
  DT_EXPECT_OK(OptionsOf(config).CheckRequired());
  config.directories = {{"a", 1, {}}, {"b", 1, {{"", {}}}}};
  EXPECT_EQ(OptionsOf(config).CheckRequired().message(),
            "--directory, number 2: --domain, number 1: --name is missing: NAME (DNS name)");
  EXPECT_THAT(FromToml<SampleConfig>("org = \"\"\n").status().ToString(),
              HasSubstr("--org is missing"));
  Options options;
  options.Groups("some", config.directories, "Some", Need::kRequired);
  config.directories = {{"a", 1, {}}};
  DT_EXPECT_OK(options.CheckRequired());
  config.directories.clear();
  EXPECT_THAT(options.CheckRequired().ToString(), HasSubstr("--some is missing"));
}

TEST(OptionsTest, AllThatIsMissingIsNamedAtOnce) {
  SampleDomain domain;
  std::string other;
  Options options = OptionsOf(domain);
  options.Text("other", other, "FILE", "Another one", Need::kRequired);
  EXPECT_EQ(options.CheckRequired().message(),
            "2 required options are missing:\n"
            "        --name NAME              DNS name\n"
            "        --other FILE             Another one");
  domain.name = "corp.test";
  EXPECT_EQ(options.CheckRequired().message(), "--other is missing: FILE (Another one)");
}

TEST(OptionsTest, DifferencesAreListedByName) {
  SampleConfig left;
  SampleConfig right;
  left.directories = {{"a", 4, {}}};
  EXPECT_THAT(Differences(OptionsOf(left), OptionsOf(left)), IsEmpty());
  right.days = 30;
  right.capability = true;
  right.directories = {{"b", 4, {}}, {"c", 4, {}}};
  EXPECT_THAT(
      Differences(OptionsOf(left), OptionsOf(right)),
      ElementsAre("directory: 1 of them, 2 of them", "directory[0].url: \"a\", \"b\"",
                  "days: 365, 30", "capability: nothing, \"on\"",
                  "directory[1].url: nothing, \"c\"", "directory[1].connections: nothing, 4",
                  "directory[1].domain: nothing, 0 of them"));
}

TEST(OptionsTest, AMemberWithoutAnOptionIsFound) {
  struct Forgetful : SampleConfig {
    std::string forgotten;
  };
  SampleConfig config;
  EXPECT_EQ(testing::OctetsWithoutOption(config, OptionsOf(config)), 0U);
  Forgetful forgetful;
  EXPECT_EQ(testing::OctetsWithoutOption(forgetful, OptionsOf<SampleConfig>(forgetful)),
            sizeof(std::string));
}

}  // namespace
}  // namespace devicetrust::service
