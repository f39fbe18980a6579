#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <vector>

#include "libs/admin/policy_text.h"
#include "libs/admin/rules_file.h"
#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/clock.h"
#include "libs/base/printable.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/log_options.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

namespace v1 = ::devicetrust::org::v1;
using admin::AdminClient;

struct AnalysisOptions {
  std::string app;
  std::string rules_file;
  std::string zones_file;
  bool in_force = false;  // Report-only rules too.
  bool rules_alone = false;
  bool notes = false;
  bool json = false;
  std::string since, until;
  int limit = 100;

  // The sign-in of what-if.
  std::string user;
  std::vector<std::string> groups;
  std::string address;
  std::string user_agent;
  v1::ClientKind client = v1::CLIENT_KIND_UNSPECIFIED;
  v1::PlatformKind platform = v1::PLATFORM_KIND_UNSPECIFIED;
  v1::PlatformKind computer = v1::PLATFORM_KIND_UNSPECIFIED;
  v1::TrustState certificate = v1::TRUST_STATE_UNSPECIFIED;
  v1::DeviceTrustSwitch device_trust = v1::DEVICE_TRUST_SWITCH_UNSPECIFIED;
  std::string password_age, factor_age;  // As admin::ParseTime() takes spans.
};

absl::StatusOr<v1::PolicyDraft> DraftOf(const AnalysisOptions& options) {
  v1::PolicyDraft draft;
  draft.set_app_id(options.app);
  draft.set_report_only_in_force(options.in_force);
  if (!options.rules_file.empty()) {
    DT_ASSIGN_OR_RETURN(const std::string text, ReadInput(options.rules_file));
    DT_ASSIGN_OR_RETURN(v1::SetRulesRequest rules,
                        admin::RulesFromJson(InputName(options.rules_file), text));
    draft.mutable_rules()->mutable_rules()->Swap(rules.mutable_rules());
  }
  if (!options.zones_file.empty()) {
    DT_ASSIGN_OR_RETURN(const std::string text, ReadInput(options.zones_file));
    DT_ASSIGN_OR_RETURN(v1::SetZonesRequest zones,
                        admin::ZonesFromJson(InputName(options.zones_file), text));
    draft.mutable_zones()->mutable_zones()->Swap(zones.mutable_zones());
  }
  return draft;
}

absl::Status SetAge(const char* flag, const std::string& text, google::protobuf::Duration& age) {
  const WallTime now = SystemClock().Now();
  const auto at = admin::ParseTime(text, now);
  if (!at.ok() || *at > now) {
    return absl::InvalidArgumentError(
        fmt::format("{} {}: write how long ago, such as 90s, 15m, 2h or 7d", flag, text));
  }
  age.set_seconds(std::chrono::duration_cast<std::chrono::seconds>(now - *at).count());
  return absl::OkStatus();
}

absl::StatusOr<v1::WhatIfRequest> QuestionOf(const AnalysisOptions& options) {
  v1::WhatIfRequest request;
  DT_ASSIGN_OR_RETURN(*request.mutable_policy(), DraftOf(options));
  request.set_device_trust(options.device_trust);
  v1::SupposedSignIn& sign_in = *request.mutable_sign_in();
  sign_in.set_user(options.user);
  for (const std::string& group : options.groups) sign_in.add_groups(group);
  sign_in.set_address(options.address);
  sign_in.set_user_agent(options.user_agent);
  sign_in.set_client_kind(options.client);
  sign_in.set_claimed_platform(options.platform);
  sign_in.set_verified_platform(options.computer);
  sign_in.set_trust(options.certificate);
  return request;
}

absl::Status SetAges(const AnalysisOptions& options, v1::SupposedSignIn& sign_in) {
  if (!options.password_age.empty()) {
    DT_RETURN_IF_ERROR(
        SetAge("--password-age", options.password_age, *sign_in.mutable_password_age()));
  }
  if (options.factor_age.empty()) return absl::OkStatus();
  return SetAge("--factor-age", options.factor_age, *sign_in.mutable_factor_age());
}

int WhatIf(AdminClient& client, const AnalysisOptions& options) {
  auto request = QuestionOf(options);
  if (!request.ok()) return Failed(request.status());
  if (const absl::Status ages = SetAges(options, *request->mutable_sign_in()); !ages.ok()) {
    Failed(ages);
    return kUsageError;
  }
  const auto answer = client.WhatIf(*request);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer, PrintableLines(admin::WhatIfText(*answer)));
}

// kFailed: there is a warning. Of one app, or of all.
int Analyze(AdminClient& client, const AnalysisOptions& options) {
  std::vector<std::string> apps = {options.app};
  if (options.app.empty()) {
    if (!options.rules_file.empty()) return Usage("name the app that the rules are for");
    const auto list = client.ListApps();
    if (!list.ok()) return Failed(list.status());
    apps.clear();
    for (const v1::App& app : list->apps()) apps.push_back(app.id());
  }
  bool clean = true;
  for (const std::string& app : apps) {
    AnalysisOptions of_app = options;
    of_app.app = app;
    v1::AnalyzePolicyRequest request;
    auto draft = DraftOf(of_app);
    if (!draft.ok()) return Failed(draft.status());
    *request.mutable_policy() = *std::move(draft);
    request.set_rules_alone(options.rules_alone);
    const auto answer = client.AnalyzePolicy(request);
    if (!answer.ok()) return Failed(answer.status());
    for (const v1::PolicyFinding& finding : answer->findings()) clean = clean && !finding.warning();
    clean = clean && answer->bound().empty();
    const std::string text = admin::FindingsText(*answer, options.notes);
    if (options.json) {
      Print(true, *answer, {});
    } else if (!text.empty()) {
      std::cout << app << "\n" << PrintableLines(text);
    }
  }
  if (clean && !options.json) Nothing("nothing to warn of");
  return clean ? kDone : kFailed;
}

// kFailed: they differ.
int Compare(AdminClient& client, const AnalysisOptions& options) {
  v1::ComparePoliciesRequest request;
  request.mutable_before()->set_app_id(options.app);
  auto draft = DraftOf(options);
  if (!draft.ok()) return Failed(draft.status());
  *request.mutable_after() = *std::move(draft);
  const auto answer = client.ComparePolicies(request);
  if (!answer.ok()) return Failed(answer.status());
  Print(options.json, *answer, PrintableLines(admin::ComparisonText(*answer)));
  return answer->equivalent() ? kDone : kFailed;
}

int Replay(AdminClient& client, const AnalysisOptions& options) {
  EventOptions span;
  span.since = options.since;
  span.until = options.until;
  const auto times = FilterOf(span, SystemClock());
  if (!times.ok()) {
    Failed(times.status());
    return kUsageError;
  }
  const auto draft = DraftOf(options);
  if (!draft.ok()) return Failed(draft.status());
  v1::ReplaySignInsRequest request;
  *request.mutable_policy() = *draft;
  if (times->has_since()) *request.mutable_since() = times->since();
  if (times->has_until()) *request.mutable_until() = times->until();
  request.set_flips_max(options.limit);
  const auto summary = client.ReplaySignIns(request, [&options](const v1::SignInFlip& flip) {
    std::cout << (options.json ? admin::ToJson(flip) : admin::FlipLine(flip)) << "\n";
    return std::cout.good();
  });
  if (!summary.ok()) return Failed(summary.status());
  return Print(options.json, *summary, PrintableLines(admin::ReplayText(*summary)));
}

// A verb whose act is `act`, with what all of them take.
CLI::App* AddAnalysisVerb(CLI::App& parent, const char* name, const char* about,
                          const std::shared_ptr<AnalysisOptions>& options, Action& chosen,
                          int (*act)(AdminClient&, const AnalysisOptions&)) {
  CLI::App* const verb = parent.add_subcommand(name, about);
  verb->add_option("--zones", options->zones_file, "Network zones of this file, as `zones get`")
      ->type_name("FILE");
  verb->add_flag("--report-only-in-force", options->in_force,
                 "As if the report-only rules were active");
  verb->add_flag("--json", options->json, "Print the answer as JSON");
  verb->callback([options, act, &chosen] {
    chosen = [options, act](AdminClient& client) { return act(client, *options); };
  });
  return verb;
}

const std::map<std::string, v1::PlatformKind>& Platforms() {
  static const auto* const kPlatforms = new std::map<std::string, v1::PlatformKind>{
      {"ios", v1::PLATFORM_KIND_IOS},
      {"android", v1::PLATFORM_KIND_ANDROID},
      {"other-mobile", v1::PLATFORM_KIND_OTHER_MOBILE},
      {"windows", v1::PLATFORM_KIND_WINDOWS},
      {"macos", v1::PLATFORM_KIND_MACOS},
      {"other-desktop", v1::PLATFORM_KIND_OTHER_DESKTOP}};
  return *kPlatforms;
}

// A word of `words`, which its help lists.
template <typename T>
void AddWord(CLI::App& verb, const char* flag, T& target, const std::map<std::string, T>& words,
             const std::string& about) {
  std::string list;
  for (const auto& [word, value] : words) list += (list.empty() ? "" : ", ") + word;
  const auto is_word = [&words, list](const std::string& word) {
    return words.contains(word) ? std::string() : fmt::format("{} is none of {}", word, list);
  };
  verb.add_option_function<std::string>(
          flag, [&target, &words](const std::string& word) { target = words.at(word); },
          fmt::format("{}: {}", about, list))
      ->type_name("WORD")
      ->check(is_word);
}

void AddWhatIf(CLI::App& app, Action& chosen) {
  static const auto* const kClients = new std::map<std::string, v1::ClientKind>{
      {"browser", v1::CLIENT_KIND_WEB_BROWSER},
      {"modern", v1::CLIENT_KIND_MODERN_AUTH},
      {"legacy", v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY}};
  static const auto* const kCertificates = new std::map<std::string, v1::TrustState>{
      {"good", v1::TRUST_STATE_TRUSTED}, {"none", v1::TRUST_STATE_NOT_TRUSTED}};
  static const auto* const kSwitches = new std::map<std::string, v1::DeviceTrustSwitch>{
      {"on", v1::DEVICE_TRUST_SWITCH_ON}, {"off", v1::DEVICE_TRUST_SWITCH_OFF}};
  const auto options = std::make_shared<AnalysisOptions>();
  options->client = v1::CLIENT_KIND_WEB_BROWSER;
  CLI::App* const verb =
      AddAnalysisVerb(app, "what-if", "What the rules would make of a sign-in, without signing in",
                      options, chosen, &WhatIf);
  verb->add_option("app", options->app, "The app's id, as `app list` shows it")->required();
  verb->add_option("--rules", options->rules_file, "Rules of this file instead of the saved ones")
      ->type_name("FILE");
  verb->add_option("--user", options->user,
                   "Principal, SID or id (default: somebody whom no rule names)")
      ->type_name("NAME");
  verb->add_option("--group", options->groups, "A group besides those of the user; any number")
      ->type_name("NAME")
      ->allow_extra_args(false);
  verb->add_option("--address", options->address, "IP address (default: unknown)")->type_name("IP");
  AddWord(*verb, "--client", options->client, *kClients, "What signs in (default: browser)");
  verb->add_option("--user-agent", options->user_agent, "What the platform is read from")
      ->type_name("TEXT");
  AddWord(*verb, "--platform", options->platform, Platforms(), "Instead of a user agent");
  AddWord(*verb, "--certificate", options->certificate, *kCertificates,
          "The device certificate (default: none)");
  AddWord(*verb, "--computer", options->computer, Platforms(),
          "Platform of the certificate's computer in the directory");
  verb->add_option("--password-age", options->password_age, "Such as 15m (default: just given)")
      ->type_name("SPAN");
  verb->add_option("--factor-age", options->factor_age, "Such as 2h (default: no factor yet)")
      ->type_name("SPAN");
  AddWord(*verb, "--device-trust", options->device_trust, *kSwitches,
          "The switch (default: as the org has it)");
  verb->footer(
      "Examples:\n"
      "  dtctl what-if mail --user ada@corp.example.com --platform windows --certificate good\n"
      "  dtctl what-if mail --rules new.json --group Contractors --address 203.0.113.5\n"
      "  dtctl what-if mail --platform macos --device-trust off");
}

void AddAnalyze(CLI::App& rules, Action& chosen) {
  const auto options = std::make_shared<AnalysisOptions>();
  CLI::App* const verb = AddAnalysisVerb(
      rules, "analyze", "Find rules that are never reached, holes, and untrusted devices", options,
      chosen, &Analyze);
  verb->add_option("app", options->app, "Only of this app");
  verb->add_option("--rules", options->rules_file, "Rules of this file instead of the saved ones")
      ->type_name("FILE");
  verb->add_flag("--notes", options->notes, "Show, too, what may well be meant");
  verb->add_flag("--rules-alone", options->rules_alone,
                 "Leave out who is in the org and which devices are enrolled");
  verb->footer(
      "Every sign-in there may be is looked at, and each finding has one as example.\n"
      "Exit code 1: there is a warning.\n"
      "Examples:\n"
      "  dtctl rules analyze\n"
      "  dtctl rules analyze mail --rules new.json --notes");
}

void AddCompare(CLI::App& rules, Action& chosen) {
  const auto options = std::make_shared<AnalysisOptions>();
  CLI::App* const verb =
      AddAnalysisVerb(rules, "compare", "Which sign-ins come out otherwise by the rules of a file",
                      options, chosen, &Compare);
  verb->add_option("app", options->app, "The app's id")->required();
  verb->add_option("file", options->rules_file, "JSON, as `rules get` prints it")->required();
  verb->footer(
      "Exit code 0: none does, which is shown for every sign-in there may be; 1: some do.\n"
      "Examples:\n"
      "  dtctl rules compare mail new.json");
}

void AddReplay(CLI::App& rules, Action& chosen) {
  const auto options = std::make_shared<AnalysisOptions>();
  CLI::App* const verb = AddAnalysisVerb(
      rules, "replay", "Recorded sign-ins by the rules of a file: who would flip, and why", options,
      chosen, &Replay);
  verb->add_option("app", options->app, "The app's id")->required();
  verb->add_option("file", options->rules_file, "JSON, as `rules get` prints it")->required();
  verb->add_option("--since", options->since, "Such as 7d or 2026-11-24 (default: all kept)")
      ->type_name("TIME");
  verb->add_option("--until", options->until, "Until then")->type_name("TIME");
  service::MustBeNumber(
      *verb->add_option("--limit", options->limit, "How many to list; all are counted"), 1, 10'000);
  verb->footer(
      "Examples:\n"
      "  dtctl rules replay mail new.json --since 7d\n"
      "  dtctl rules replay mail new.json --json | jq -r .principal");
}

}  // namespace

void AddAnalysisVerbs(CLI::App& app, Action& chosen) {
  AddWhatIf(app, chosen);
  CLI::App* const rules = app.get_subcommand("rules");
  AddAnalyze(*rules, chosen);
  AddCompare(*rules, chosen);
  AddReplay(*rules, chosen);
}

}  // namespace devicetrust::ctl
