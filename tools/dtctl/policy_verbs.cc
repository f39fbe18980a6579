#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>

#include "libs/admin/message_diff.h"
#include "libs/admin/policy_file.h"
#include "libs/admin/policy_text.h"
#include "libs/admin/text.h"
#include "libs/base/files.h"
#include "libs/base/printable.h"
#include "policy-engine/rules_wire/policy_cases.h"
#include "tools/dtctl/test_report.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

struct PolicyOptions {
  std::string file;
  std::string other;  // Of diff; empty: the org's.
  std::vector<std::string> cases;
  std::string junit;
  std::string schema = "policy";
  bool allow_unknown = false;
  bool dry_run = false;
  bool force = false;
  bool yes = false;
  bool json = false;
};

absl::StatusOr<org::v1::PolicyDocument> ReadPolicy(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadInput(path, admin::kPolicyFileBytesMax));
  return admin::PolicyFromJson(InputName(path), text);
}

int ExportPolicy(AdminClient& client, const PolicyOptions& options) {
  const auto policy = client.ExportPolicy();
  if (!policy.ok()) return Failed(policy.status());
  const std::string text = admin::PolicyToJson(policy->document());
  if (options.file.empty() || options.file == "-") {
    std::cout << text;
    return kDone;
  }
  const absl::Status written = WriteFileAtomically(options.file, text);
  if (!written.ok()) return Failed(written);
  std::cerr << fmt::format("dtctl: the policy is in {}; the org is at version {}.\n",
                           Printable(options.file), policy->version());
  return kDone;
}

// What the file leaves out stays as the org has it, and is no difference.
void TakeAbsentSettings(const org::v1::PolicySettings& from, org::v1::PolicySettings& to) {
  org::v1::PolicySettings merged = from;
  const auto domains = to.ad_domains();
  merged.MergeFrom(to);
  if (!domains.empty()) *merged.mutable_ad_domains() = domains;
  to = std::move(merged);
}

org::v1::PolicyDocument Completed(org::v1::PolicyDocument wanted,
                                  const org::v1::PolicyDocument& of_org) {
  TakeAbsentSettings(of_org.settings(), *wanted.mutable_settings());
  return wanted;
}

// Which sign-ins come out otherwise, of each app whose rules, or the zones that they name, differ.
std::string SignInsText(const org::v1::PolicyDocument& before,
                        const org::v1::PolicyDocument& after) {
  const auto one = policy::PolicyUnderTest::Compile(before);
  const auto other = policy::PolicyUnderTest::Compile(after);
  for (const absl::Status& status : {one.status(), other.status()}) {
    if (status.ok()) continue;
    std::cerr << fmt::format("dtctl: which sign-ins come out otherwise is not known: {}\n",
                             Printable(std::string(status.message())));
    return "";
  }
  std::string text;
  for (const org::v1::App& app : after.apps()) {
    const auto was = std::ranges::find(before.apps(), app.id(), &org::v1::App::id);
    if (was == before.apps().end()) continue;
    const auto compared = one->Compare(*other, app.id());
    if (!compared.ok()) {
      text += fmt::format("\nSign-ins to app {} can't be compared: {}\n", Printable(app.id()),
                          Printable(std::string(compared.status().message())));
      continue;
    }
    org::v1::App rules_before, rules_after;
    *rules_before.mutable_rules() = was->rules();
    *rules_after.mutable_rules() = app.rules();
    if (compared->equivalent() && admin::DiffText(rules_before, rules_after).empty()) continue;
    text += fmt::format("\nSign-ins to app {}:\n{}", Printable(app.id()),
                        admin::ComparisonText(*compared));
  }
  return text;
}

// Exit code as of diff(1).
int Differ(const org::v1::PolicyDocument& before, const org::v1::PolicyDocument& after) {
  const std::string text = admin::DiffText(before, after);
  if (text.empty()) return Nothing("they are the same");
  std::cout << text << SignInsText(before, after);
  return kFailed;
}

int DiffPolicy(AdminClient& client, const PolicyOptions& options) {
  const auto wanted = ReadPolicy(options.file);
  if (!wanted.ok()) return Failed(wanted.status());
  const auto policy = client.ExportPolicy();
  if (!policy.ok()) return Failed(policy.status());
  return Differ(policy->document(), Completed(*wanted, policy->document()));
}

int DiffFiles(const PolicyOptions& options) {
  const auto before = ReadPolicy(options.file);
  if (!before.ok()) return Failed(before.status());
  const auto after = ReadPolicy(options.other);
  if (!after.ok()) return Failed(after.status());
  return Differ(*before, *after);
}

// The problems of a document, if there are any.
int Refused(const PolicyOptions& options, const org::v1::PolicyDocument& document,
            const org::v1::ApplyPolicyResponse& answer) {
  for (const org::v1::PolicyProblem& problem : answer.problems()) {
    std::cerr << "dtctl: " << admin::ProblemText(InputName(options.file), document, problem)
              << "\n";
  }
  std::cerr << "Nothing was applied.\n";
  return kFailed;
}

void WarnOf(const org::v1::ApplyPolicyResponse& answer) {
  for (const std::string& warning : answer.warnings()) {
    std::cerr << "warning: " << Printable(warning) << "\n";
  }
}

int ApplyPolicy(AdminClient& client, const PolicyOptions& options) {
  const auto wanted = ReadPolicy(options.file);
  if (!wanted.ok()) return Failed(wanted.status());
  const auto policy = client.ExportPolicy();
  if (!policy.ok()) return Failed(policy.status());
  org::v1::ApplyPolicyRequest request;
  *request.mutable_document() = *wanted;
  request.set_expected_version(policy->version());  // Of what is shown and confirmed.
  request.set_allow_unknown(options.allow_unknown);
  request.set_force(options.force);
  request.set_dry_run(true);
  auto answer = client.ApplyPolicy(request);
  if (!answer.ok()) return Failed(answer.status());
  if (answer->problems_size() > 0) return Refused(options, *wanted, *answer);
  WarnOf(*answer);
  std::cerr << admin::DiffText(policy->document(), Completed(*wanted, policy->document()));
  if (answer->changed().empty()) {
    return options.json ? Print(true, *answer, "")
                        : Nothing("the org has this policy already; nothing is to be done");
  }
  std::string what;
  for (const std::string& object : answer->changed()) {
    what += (what.empty() ? "" : ", ") + object;
  }
  if (options.dry_run) return Print(options.json, *answer, fmt::format("Would change {}.\n", what));
  if (const int code = Confirm("change " + what, options.yes); code != kDone) return code;
  request.set_dry_run(false);
  answer = client.ApplyPolicy(request);
  if (!answer.ok()) return Failed(answer.status());
  if (answer->problems_size() > 0) return Refused(options, *wanted, *answer);
  return Print(options.json, *answer,
               fmt::format("Changed {}; the org is at version {}.\n", what, answer->version()));
}

int TestPolicy(const PolicyOptions& options) {
  const auto document = ReadPolicy(options.file);
  if (!document.ok()) return Failed(document.status());
  const auto policy = policy::PolicyUnderTest::Compile(*document);
  if (!policy.ok()) {
    return Failed(absl::InvalidArgumentError(
        fmt::format("{}: {}", InputName(options.file), std::string(policy.status().message()))));
  }
  TestReport report;
  for (const std::string& path : options.cases) {
    const auto text = ReadInput(path, admin::kPolicyFileBytesMax);
    if (!text.ok()) return Failed(text.status());
    const auto cases = admin::CasesFromJson(InputName(path), *text);
    if (!cases.ok()) return Failed(cases.status());
    if (cases->empty()) {
      return Failed(absl::InvalidArgumentError(
          fmt::format("{}: it has no case, so it tests nothing", InputName(path))));
    }
    for (const org::v1::PolicyTestCase& one : *cases) {
      report.Add(InputName(path), one, policy->Run(one));
    }
  }
  std::cout << report.Text();
  if (!options.junit.empty()) {
    const absl::Status written = WriteFileAtomically(options.junit, report.JUnitXml());
    if (!written.ok()) return Failed(written);
  }
  return report.failures() == 0 ? kDone : kFailed;
}

CLI::App* AddPolicyWord(CLI::App& verb, const std::shared_ptr<PolicyOptions>& options,
                        const char* name, const char* about, Action& chosen,
                        int (*act)(AdminClient&, const PolicyOptions&)) {
  CLI::App* const word = verb.add_subcommand(name, about);
  word->callback([options, act, &chosen] {
    chosen = [options, act](AdminClient& client) { return act(client, *options); };
  });
  return word;
}

void AddApply(CLI::App& verb, const std::shared_ptr<PolicyOptions>& options, Action& chosen) {
  CLI::App* const apply = AddPolicyWord(
      verb, options, "apply", "Make the org's policy that of a file: all of it or nothing", chosen,
      &ApplyPolicy);
  apply->add_option("file", options->file, "As `policy export` writes it; - is standard input")
      ->required();
  apply->add_flag("--dry-run", options->dry_run, "Only check it and show what would change");
  apply->add_flag("--allow-unknown", options->allow_unknown,
                  "Take users and groups that nobody knows yet");
  apply->add_flag("--force", options->force, "Switch Device Trust off although rules use it");
  apply->add_flag("--yes", options->yes, "Don't ask first");
  apply->add_flag("--json", options->json, "Print the answer as JSON");
}

void AddOfflineWords(CLI::App& verb, const std::shared_ptr<PolicyOptions>& options,
                     LocalAction& local) {
  CLI::App* const test = verb.add_subcommand(
      "test", "Try sign-ons against a policy that is not saved, without an org");
  test->add_option("file", options->file, "The policy; - is standard input")->required();
  test->add_option("cases", options->cases, "Files of cases")->required();
  test->add_option("--junit", options->junit, "Write the results as JUnit XML, too")
      ->type_name("FILE");
  test->footer(
      "A case, with what does not matter left out:\n"
      "  {\"version\": 1, \"cases\": [\n"
      "    {\"name\": \"Sales from home\", \"app\": \"mail\", \"user\": \"ada@corp.test\",\n"
      "     \"groups\": [\"Sales\"], \"address\": \"203.0.113.7\",\n"
      "     \"platform\": \"PLATFORM_KIND_WINDOWS\", \"trust\": \"TRUST_STATE_TRUSTED\",\n"
      "     \"factor_age\": \"60s\", \"outcome\": \"OUTCOME_ALLOWED\", \"rule\": \"trusted\"}]}\n"
      "`dtctl policy schema cases` has every field. Exit code 1: a case came to something else.");
  test->callback([options, &local] { local = [options] { return TestPolicy(*options); }; });
  CLI::App* const schema =
      verb.add_subcommand("schema", "Print the JSON Schema of policy files, or of cases");
  schema->add_option("of", options->schema, "policy or cases")
      ->check(CLI::IsMember({"policy", "cases"}))
      ->capture_default_str();
  schema->callback([options, &local] {
    local = [options] {
      std::cout << (options->schema == "cases" ? admin::CasesSchema() : admin::PolicySchema());
      return kDone;
    };
  });
}

}  // namespace

void AddPolicyVerbs(CLI::App& app, Action& chosen, LocalAction& local) {
  const auto options = std::make_shared<PolicyOptions>();
  CLI::App* const verb = app.add_subcommand(
      "policy", "Settings, zones, apps and rules as one file, which lives under version control");
  verb->require_subcommand(1);
  CLI::App* const to_file =
      AddPolicyWord(*verb, options, "export", "Write the org's policy", chosen, &ExportPolicy);
  to_file->add_option("file", options->file, "Where to (default: standard output)");
  CLI::App* const diff = verb->add_subcommand(
      "diff", "What a file would change, or how two files differ; exit code 1 when they do");
  diff->add_option("file", options->file, "A policy; - is standard input")->required();
  diff->add_option("other", options->other, "Another file (default: against the org's policy)");
  diff->callback([options, &chosen, &local] {
    if (!options->other.empty()) {
      local = [options] { return DiffFiles(*options); };
    } else {
      chosen = [options](AdminClient& client) { return DiffPolicy(client, *options); };
    }
  });
  AddApply(*verb, options, chosen);
  AddOfflineWords(*verb, options, local);
  verb->footer(
      "Apps and zones that a file lacks are removed by `apply`; settings that it lacks stay.\n"
      "Examples:\n"
      "  dtctl policy export policy.json\n"
      "  dtctl policy test policy.json cases.json      needs no org\n"
      "  dtctl policy diff policy.json\n"
      "  dtctl policy apply policy.json --dry-run\n"
      "  dtctl policy schema > policy.schema.json");
}

}  // namespace devicetrust::ctl
