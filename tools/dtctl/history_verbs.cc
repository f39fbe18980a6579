#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "libs/admin/message_diff.h"
#include "libs/admin/rules_file.h"
#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "libs/rpc/error.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

struct HistoryOptions {
  std::string object;  // "settings", "zones", or an app.
  std::int64_t first = 0;
  std::int64_t second = 0;  // 0: the newest.
  int limit = 50;
  bool allow_unknown = false;
  bool force = false;
  bool yes = false;
  bool json = false;
};

constexpr std::string_view kAppPrefix = "app/";  // For an app of the name "zones".

org::v1::ObjectName ObjectOf(const std::string& word) {
  org::v1::ObjectName object;
  object.set_kind(word == "settings" ? org::v1::OBJECT_KIND_SETTINGS
                  : word == "zones"  ? org::v1::OBJECT_KIND_ZONES
                                     : org::v1::OBJECT_KIND_APP);
  const bool prefixed = word.starts_with(kAppPrefix);
  if (object.kind() == org::v1::OBJECT_KIND_APP) {
    object.set_app_id(prefixed ? word.substr(kAppPrefix.size()) : word);
  }
  return object;
}

std::string TextOf(const org::v1::ObjectName& object) {
  if (object.kind() == org::v1::OBJECT_KIND_SETTINGS) return "settings";
  return object.kind() == org::v1::OBJECT_KIND_ZONES ? "zones" : "app " + object.app_id();
}

std::string VersionsTable(const std::vector<org::v1::ObjectVersion>& versions) {
  std::vector<std::vector<std::string>> rows;
  for (const org::v1::ObjectVersion& version : versions) {
    rows.push_back({Printable(TextOf(version.object())),
                    fmt::format("{}{}", version.number(), version.newest() ? " (now)" : ""),
                    admin::FormatTime(version.at()),
                    version.changed_by().empty() ? "-" : Printable(version.changed_by()),
                    Printable(version.message())});
  }
  return admin::TableText({"OF", "VERSION", "SINCE", "BY", "WHAT"}, rows);
}

int ListVersions(AdminClient& client, const HistoryOptions& options) {
  std::optional<org::v1::ObjectName> object;
  if (!options.object.empty()) object = ObjectOf(options.object);
  const auto versions = client.ListVersions(object, options.limit);
  if (!versions.ok()) return Failed(versions.status());
  if (versions->empty() && object && object->kind() == org::v1::OBJECT_KIND_APP) {
    return Failed(rpc::MakeError(
        absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
        fmt::format("there is no version of {}: no app of this id is or was there",
                    TextOf(*object)),
        object->app_id(), "`dtctl app list` shows the apps, `dtctl history list` all changes."));
  }
  if (versions->empty() && !options.json) return Nothing("there are no versions of it");
  org::v1::ListVersionsResponse all;
  for (const org::v1::ObjectVersion& version : *versions) *all.add_versions() = version;
  return Print(options.json, all, VersionsTable(*versions));
}

// What an object was, as a message; without one where the app was removed.
const google::protobuf::Message& ContentOf(const org::v1::GetVersionResponse& version) {
  switch (version.content_case()) {
    case org::v1::GetVersionResponse::kSettings:
      return version.settings();
    case org::v1::GetVersionResponse::kZones:
      return version.zones();
    default:
      return version.app();
  }
}

int ShowVersion(AdminClient& client, const HistoryOptions& options) {
  const auto version = client.GetVersion(ObjectOf(options.object), options.first);
  if (!version.ok()) return Failed(version.status());
  if (version->version().removed() && !options.json) {
    return Nothing("the app was removed with this version; look at the one before");
  }
  if (options.json) return Print(true, ContentOf(*version), "");
  switch (version->content_case()) {
    case org::v1::GetVersionResponse::kSettings:
      return Print(false, *version, admin::SettingsText(version->settings()));
    case org::v1::GetVersionResponse::kZones:
      return Print(
          false, *version,
          admin::ZonesTable({version->zones().zones().begin(), version->zones().zones().end()}));
    default:
      return Print(false, *version, admin::AppText(version->app()));
  }
}

// Who made a version, and when, is told beside it and is no content of it.
void ClearAuthor(org::v1::GetVersionResponse& version) {
  if (!version.has_settings()) return;
  version.mutable_settings()->clear_device_trust_changed_by();
  version.mutable_settings()->clear_device_trust_changed_at();
}

// The versions of `options`, in their order, to be compared.
absl::StatusOr<std::pair<org::v1::GetVersionResponse, org::v1::GetVersionResponse>> Two(
    AdminClient& client, const org::v1::ObjectName& object, std::int64_t first,
    std::int64_t second) {
  DT_ASSIGN_OR_RETURN(org::v1::GetVersionResponse one, client.GetVersion(object, first));
  DT_ASSIGN_OR_RETURN(org::v1::GetVersionResponse other, client.GetVersion(object, second));
  ClearAuthor(one);
  ClearAuthor(other);
  return std::pair(std::move(one), std::move(other));
}

void ClearRegistration(org::v1::GetVersionResponse& version) {
  org::v1::App rules;
  rules.mutable_rules()->Swap(version.mutable_app()->mutable_rules());
  *version.mutable_app() = std::move(rules);
}

// Exit code as of diff(1): 1 when they differ.
int DiffVersions(AdminClient& client, const HistoryOptions& options, bool rules_only) {
  auto two = Two(client, ObjectOf(options.object), options.first, options.second);
  if (!two.ok()) return Failed(two.status());
  if (rules_only) {
    ClearRegistration(two->first);
    ClearRegistration(two->second);
  }
  const std::string text = admin::DiffText(ContentOf(two->first), ContentOf(two->second));
  std::cout << text;
  return text.empty() ? Nothing("they are the same") : kFailed;
}

int Warned(const org::v1::RollbackResponse& answer, const HistoryOptions& options) {
  for (const std::string& warning : answer.warnings()) {
    std::cerr << "warning: " << Printable(warning) << "\n";
  }
  return Print(
      options.json, answer,
      fmt::format("{} is what it was in version {}; that is version {} now.\n",
                  TextOf(answer.version().object()), options.first, answer.version().number()));
}

// Shows what would change before it asks.
int Ask(const std::string& what, const std::string& diff, const HistoryOptions& options) {
  std::cerr << diff;
  return Confirm(fmt::format("make {} what it was in version {}", what, options.first),
                 options.yes);
}

int Rollback(AdminClient& client, const HistoryOptions& options) {
  const org::v1::ObjectName object = ObjectOf(options.object);
  const auto two = Two(client, object, 0, options.first);
  if (!two.ok()) return Failed(two.status());
  const std::string diff = admin::DiffText(ContentOf(two->first), ContentOf(two->second));
  if (const int code = Ask(TextOf(object), diff, options); code != kDone) return code;
  org::v1::RollbackRequest request;
  *request.mutable_object() = object;
  request.set_number(options.first);
  request.set_expected_number(two->first.version().number());
  request.set_allow_unknown(options.allow_unknown);
  request.set_force(options.force);
  const auto answer = client.Rollback(request);
  return answer.ok() ? Warned(*answer, options) : Failed(answer.status());
}

// Of the rules alone: what is registered of the app stays as it is now.
int RollbackRules(AdminClient& client, const HistoryOptions& options) {
  const org::v1::ObjectName object = ObjectOf(std::string(kAppPrefix) + options.object);
  auto two = Two(client, object, 0, options.first);
  if (!two.ok()) return Failed(two.status());
  for (const org::v1::GetVersionResponse* const one : {&two->first, &two->second}) {
    if (!one->version().removed()) continue;
    return Failed(rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
        fmt::format("{} is not there in version {}", TextOf(object), one->version().number()),
        options.object, "dtctl history rollback brings a removed app back, with its rules."));
  }
  ClearRegistration(two->first);
  ClearRegistration(two->second);
  const std::string diff = admin::DiffText(two->first.app(), two->second.app());
  if (diff.empty()) return Nothing("the rules are what they were already");
  if (const int code = Ask("the rules of " + TextOf(object), diff, options); code != kDone) {
    return code;
  }
  org::v1::SetRulesRequest request;
  request.set_app_id(options.object);
  request.mutable_rules()->Swap(two->second.mutable_app()->mutable_rules());
  request.set_allow_unknown(options.allow_unknown);
  // Whoever changed anything since is not undone.
  const auto known = client.ListApps();
  if (!known.ok()) return Failed(known.status());
  const auto newest = client.GetVersion(object, 0);
  if (!newest.ok()) return Failed(newest.status());
  if (newest->version().number() != two->first.version().number()) {
    return Failed(rpc::MakeError(absl::StatusCode::kAborted, reason::v1::REASON_CONFLICTING_STATE,
                                 "somebody has changed the app meanwhile", options.object,
                                 "Look at its versions again."));
  }
  request.set_expected_version(known->version());
  const auto app = client.SetRules(request);
  if (!app.ok()) return Failed(app.status());
  return Print(options.json, *app, admin::AppText(*app));
}

constexpr const char* kVersionHelp = "Its number, as history shows it";

using VersionAct = std::function<int(AdminClient&, const HistoryOptions&)>;

// A word below `verb`, about one object.
CLI::App* AddWord(CLI::App& verb, const std::shared_ptr<HistoryOptions>& options, const char* name,
                  const char* about, Action& chosen, VersionAct act) {
  CLI::App* const word = verb.add_subcommand(name, about);
  word->callback([options, act, &chosen] {
    chosen = [options, act](AdminClient& client) { return act(client, *options); };
  });
  return word;
}

void AddNumbers(CLI::App& word, const std::shared_ptr<HistoryOptions>& options, bool second) {
  CLI::Option* const first = word.add_option("version", options->first, kVersionHelp);
  first->required();
  service::MustBeNumber(*first, 1, 1'000'000'000'000);
  if (!second) return;
  service::MustBeNumber(*word.add_option("other", options->second, "Another (default: the newest)"),
                        1, 1'000'000'000'000);
}

void AddLimit(CLI::App& word, const std::shared_ptr<HistoryOptions>& options) {
  CLI::Option* const limit = word.add_option("--limit", options->limit, "At most so many");
  limit->capture_default_str();
  service::MustBeNumber(*limit, 1, 100'000);
  word.add_flag("--json", options->json, "Print them as JSON");
}

void AddRollbackFlags(CLI::App& word, const std::shared_ptr<HistoryOptions>& options) {
  word.add_flag("--allow-unknown", options->allow_unknown,
                "Take users and groups that nobody knows any more");
  word.add_flag("--yes", options->yes, "Don't ask first");
  word.add_flag("--json", options->json, "Print the answer as JSON");
}

// `dtctl rules` has words for an app's rules alone.
void AddRulesWords(CLI::App& app, Action& chosen) {
  CLI::App& rules = *app.get_subcommand("rules");
  const auto options = std::make_shared<HistoryOptions>();
  CLI::App* const history =
      AddWord(rules, options, "history", "Versions of an app: who changed its rules, and when",
              chosen, [](AdminClient& client, HistoryOptions given) {
                given.object = std::string(kAppPrefix) + given.object;
                return ListVersions(client, given);
              });
  AddLimit(*history, options);
  CLI::App* const diff =
      AddWord(rules, options, "diff", "What differs between two versions of an app's rules", chosen,
              [](AdminClient& client, HistoryOptions given) {
                given.object = std::string(kAppPrefix) + given.object;
                return DiffVersions(client, given, /*rules_only=*/true);
              });
  CLI::App* const rollback = AddWord(
      rules, options, "rollback", "Set an app's rules to what they were", chosen, &RollbackRules);
  for (CLI::App* const one : {history, diff, rollback}) {
    one->add_option("app", options->object, "The app's id, as `app list` shows it")->required();
  }
  AddNumbers(*diff, options, /*second=*/true);
  AddNumbers(*rollback, options, /*second=*/false);
  AddRollbackFlags(*rollback, options);
  history->footer("Examples:\n  dtctl rules history mail");
  diff->footer(
      "Exit code 1: they differ.\n"
      "Examples:\n"
      "  dtctl rules diff mail 3        what has changed since version 3\n"
      "  dtctl rules diff mail 3 4");
  rollback->footer(
      "Shows what would change, and asks. The app's registration stays as it is.\n"
      "Examples:\n"
      "  dtctl rules rollback mail 3");
}

}  // namespace

void AddHistoryVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<HistoryOptions>();
  CLI::App* const verb = app.add_subcommand(
      "history", "Versions of settings, zones and apps: who changed what, and the way back");
  verb->require_subcommand(1);
  CLI::App* const list =
      AddWord(*verb, options, "list", "Versions, the newest first", chosen, &ListVersions);
  list->add_option("object", options->object, "settings, zones, or an app's id (default: all)");
  AddLimit(*list, options);
  CLI::App* const show =
      AddWord(*verb, options, "show", "One version, as it was", chosen, &ShowVersion);
  CLI::App* const diff = AddWord(*verb, options, "diff", "What differs between two versions",
                                 chosen, [](AdminClient& client, const HistoryOptions& given) {
                                   return DiffVersions(client, given, /*rules_only=*/false);
                                 });
  CLI::App* const rollback = AddWord(*verb, options, "rollback",
                                     "Make it what it was, as a new version", chosen, &Rollback);
  for (CLI::App* const one : {show, diff, rollback}) {
    one->add_option("object", options->object, "settings, zones, or an app's id")->required();
  }
  AddNumbers(*show, options, /*second=*/false);
  show->add_flag("--json", options->json, "Print it as JSON");
  AddNumbers(*diff, options, /*second=*/true);
  AddNumbers(*rollback, options, /*second=*/false);
  rollback->add_flag("--force", options->force,
                     "Switch Device Trust off although rules ask for trust");
  AddRollbackFlags(*rollback, options);
  verb->footer(
      "The newest 500 versions of each are kept, and all of the last 100 days.\n"
      "Examples:\n"
      "  dtctl history list                 what changed last\n"
      "  dtctl history diff mail 3          what has changed since version 3\n"
      "  dtctl history diff settings 1 2    exit code 1: they differ\n"
      "  dtctl history rollback mail 3      shows what would change, and asks\n"
      "  dtctl rules rollback mail 3        its rules alone");
  AddRulesWords(app, chosen);
}

}  // namespace devicetrust::ctl
