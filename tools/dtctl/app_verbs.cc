#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "libs/admin/app_file.h"
#include "libs/admin/rules_file.h"
#include "libs/admin/text.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/printable.h"
#include "libs/rpc/error.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/app_settings.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

// The default rule lets everybody in, which nobody should find out by accident.
void WarnIfOpen(const org::v1::App& app) {
  const bool guarded = std::any_of(app.rules().begin(), app.rules().end(), [](const auto& rule) {
    return rule.active() && !rule.is_default();
  });
  if (guarded) return;
  std::cerr << fmt::format(
      "warning: no active rule but the default one, so everybody may sign in to {}.\n"
      "         Guard it: dtctl rules set {} FILE\n",
      app.id(), app.id());
}

// A rule that names nobody matches nobody, and a denial that matches nobody lets everybody in.
void WarnOfLost(const org::v1::App& app) {
  for (const org::v1::LostReference& lost : app.lost_references()) {
    std::cerr << "warning: " << admin::LostReferenceText(app, lost) << "\n";
  }
}

// The rules of a file, or of standard input, for the app `id`.
absl::StatusOr<org::v1::SetRulesRequest> ReadRules(const std::string& id, const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadInput(path));
  DT_ASSIGN_OR_RETURN(org::v1::SetRulesRequest request,
                      admin::RulesFromJson(InputName(path), text));
  request.set_app_id(id);
  return request;
}

// An app that is new and whose rules the org refuses would let everybody in: it goes again.
absl::StatusOr<org::v1::App> SetRulesOrRemove(AdminClient& client, bool is_new,
                                              const org::v1::SetRulesRequest& rules) {
  absl::StatusOr<org::v1::App> app = client.SetRules(rules);
  if (app.ok() || !is_new) return app;
  org::v1::RemoveAppRequest removal;
  removal.set_app_id(rules.app_id());
  if (!client.RemoveApp(removal).ok()) {
    std::cerr << fmt::format(
        "warning: {} is registered without its rules, so everybody may sign in to it.\n"
        "         Remove it: dtctl app remove {}\n",
        rules.app_id(), rules.app_id());
  }
  return app.status();
}

// What is registered of the app, but for what only an administrator says.
absl::StatusOr<org::v1::App> Described(const AppOptions& options) {
  if (!options.realm.empty()) return admin::AppOfRealm(options.realm, options.reply_urls);
  const bool ws_fed = !options.wsfed_file.empty();
  const std::string& path = ws_fed ? options.wsfed_file : options.file;
  DT_ASSIGN_OR_RETURN(const std::string metadata, ReadInput(path));
  return (ws_fed ? admin::AppFromFederationMetadata : admin::AppFromMetadata)(
      InputName(path), metadata, SystemClock().Now());
}

absl::StatusOr<org::v1::App> Add(AdminClient& client, const AppOptions& options) {
  DT_ASSIGN_OR_RETURN(org::v1::App app, Described(options));
  const bool has_name = app.label() != app.id();
  if (!options.id.empty()) app.set_id(options.id);
  if (!has_name) app.set_label(app.id());
  org::v1::SetRulesRequest rules;
  if (!options.rules_file.empty()) {
    DT_ASSIGN_OR_RETURN(rules, ReadRules(app.id(), options.rules_file));
  }

  DT_ASSIGN_OR_RETURN(const org::v1::ListAppsResponse known, client.ListApps());
  const bool exists = std::any_of(known.apps().begin(), known.apps().end(),
                                  [&app](const auto& one) { return one.id() == app.id(); });
  if (exists && !options.replace) {
    return rpc::MakeError(absl::StatusCode::kAlreadyExists, reason::v1::REASON_ALREADY_EXISTS,
                          fmt::format("there is an app \"{}\" already", app.id()), app.id(),
                          "Give another --id, or --replace to take its new metadata.");
  }
  if (exists) {  // What is not given stays; the metadata says nothing of it.
    DT_ASSIGN_OR_RETURN(const org::v1::App before, client.GetApp(app.id()));
    KeepSettings(before, app);
  }
  DT_RETURN_IF_ERROR(ChangeSettings(options, app));
  org::v1::PutAppRequest request;
  *request.mutable_app() = std::move(app);
  request.set_expected_version(known.version());  // Nobody has added it meanwhile.
  DT_ASSIGN_OR_RETURN(org::v1::App stored, client.PutApp(request));
  if (options.rules_file.empty()) return stored;
  return SetRulesOrRemove(client, !exists, rules);
}

int AddApp(AdminClient& client, const AppOptions& options) {
  const auto app = Add(client, options);
  if (!app.ok()) return Failed(app.status());
  WarnIfOpen(*app);
  return Print(options.json, *app, admin::AppText(*app));
}

// Changes an app that is there by `edit`, if nobody else does meanwhile.
template <typename Edit>
int Change(AdminClient& client, const AppOptions& options, Edit edit) {
  const auto change = [&]() -> absl::StatusOr<org::v1::App> {
    DT_ASSIGN_OR_RETURN(const org::v1::ListAppsResponse known, client.ListApps());
    org::v1::PutAppRequest request;
    DT_ASSIGN_OR_RETURN(*request.mutable_app(), client.GetApp(options.id));
    request.set_expected_version(known.version());
    DT_RETURN_IF_ERROR(edit(*request.mutable_app()));
    DT_RETURN_IF_ERROR(ChangeSettings(options, *request.mutable_app()));
    return client.PutApp(request);
  };
  const auto app = change();
  if (!app.ok()) return Failed(app.status());
  return Print(options.json, *app, admin::AppText(*app));
}

int SetApp(AdminClient& client, const AppOptions& options) {
  return Change(client, options, [&options](const org::v1::App& app) {
    if (app.has_saml() || !HasSamlFlags(options)) return absl::OkStatus();
    return absl::FailedPreconditionError(
        fmt::format("{} is no SAML app: of those flags it takes --attribute alone", app.id()));
  });
}

// New metadata; what the administrator chose stays.
int RefreshApp(AdminClient& client, const AppOptions& options) {
  return Change(client, options, [&options](org::v1::App& app) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const std::string metadata, ReadInput(options.file));
    DT_ASSIGN_OR_RETURN(org::v1::App read, admin::AppFromMetadata(InputName(options.file), metadata,
                                                                  SystemClock().Now()));
    if (!app.has_saml()) {
      return absl::FailedPreconditionError(
          fmt::format("{} is no SAML app: dtctl app add --replace takes its metadata", app.id()));
    }
    if (read.saml().entity_id() != app.saml().entity_id()) {
      return rpc::MakeError(
          absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
          fmt::format("the metadata is of {}, and {} is {}", Printable(read.saml().entity_id()),
                      app.id(), Printable(app.saml().entity_id())),
          app.id(), "Give the metadata of this app, or add the other one.");
    }
    read.mutable_saml()->set_default_relay_state(app.saml().default_relay_state());
    *read.mutable_saml()->mutable_settings() = app.saml().settings();
    *app.mutable_saml() = std::move(*read.mutable_saml());
    return absl::OkStatus();
  });
}

int ListApps(AdminClient& client, const AppOptions& options) {
  const auto list = client.ListApps();
  if (!list.ok()) return Failed(list.status());
  if (list->apps().empty() && !options.json) {
    return Nothing("no app is registered; `dtctl app add FILE` takes its metadata");
  }
  return Print(options.json, *list, admin::AppsTable({list->apps().begin(), list->apps().end()}));
}

int ShowApp(AdminClient& client, const AppOptions& options) {
  const auto app = client.GetApp(options.id);
  if (!app.ok()) return Failed(app.status());
  return Print(options.json, *app, admin::AppText(*app));
}

int RemoveApp(AdminClient& client, const AppOptions& options) {
  const auto app = client.GetApp(options.id);
  if (!app.ok()) return Failed(app.status());
  const std::string act = fmt::format(
      "remove the app {} ({}) and its {}; nobody can sign in to it any more", app->id(),
      Printable(app->label()),
      admin::Plural(static_cast<std::size_t>(std::max(0, app->rules_size() - 1)), "rule"));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  org::v1::RemoveAppRequest request;
  request.set_app_id(options.id);
  const absl::Status status = client.RemoveApp(request);
  if (!status.ok()) return Failed(status);
  return Print(options.json, *app, fmt::format("App {} removed.\n", app->id()));
}

constexpr std::size_t kLogoBytesMax = 1024 * 1024;  // The org takes less, and says how much.

int SetLogo(AdminClient& client, const AppOptions& options) {
  if (options.file.empty() != options.none) return Usage("name a PNG file, or give --none");
  org::v1::SetAppLogoRequest request;
  request.set_app_id(options.id);
  if (!options.none) {
    auto png = ReadInput(options.file, kLogoBytesMax);
    if (!png.ok()) return Failed(png.status());
    request.set_png(*std::move(png));
  }
  const auto answer = client.SetAppLogo(request);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("App {} {}.\n", options.id,
                           options.none ? "has no logo now" : "has this logo now"));
}

void AddApp(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<AppOptions>();
  CLI::App* const verb = app.add_subcommand("app", "The apps that people sign in to");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* about,
                       int (*act)(AdminClient&, const AppOptions&)) {
    CLI::App* const word = verb->add_subcommand(name, about);
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, act, &chosen] {
      chosen = [options, act](AdminClient& client) { return act(client, *options); };
    });
    return word;
  };
  CLI::App* const put = add(
      "add", "Register a SAML or WS-Federation app, by the metadata that it publishes", &AddApp);
  CLI::Option_group* const what = put->add_option_group("what the app says of itself");
  CLI::Option* const file =
      what->add_option("file", options->file, "SAML 2.0 metadata; - is standard input");
  what->add_option("--wsfed-metadata", options->wsfed_file,
                   "Metadata of a WS-Federation relying party; - is standard input")
      ->type_name("FILE");
  CLI::Option* const realm =
      what->add_option("--realm", options->realm,
                       "Realm (wtrealm) of a WS-Federation relying party without metadata")
          ->type_name("URI");
  what->require_option(1);
  CLI::Option* const reply =
      put->add_option("--reply", options->reply_urls,
                      "With --realm: where its tokens go, the default first; may come again")
          ->type_name("URL")
          ->needs(realm);
  realm->needs(reply);
  CLI::Option* const token =
      put->add_option("--token", options->token,
                      "Of WS-Federation: saml1.1, which relying parties expect, or saml2.0")
          ->excludes(file);
  service::MustBeOneOf(*token, {"saml1.1", "saml2.0"});
  put->add_flag("--office365", options->office365,
                "Of WS-Federation: the claims of Office 365, and --client-conditions")
      ->excludes(file);
  put->add_option("--id", options->id,
                  "Id in URLs: lower-case letters, digits, '-' (default: the file's name)")
      ->type_name("ID");
  put->add_option("--label", options->label,
                  "Name that people see (default: the metadata's, or the id)")
      ->type_name("NAME");
  put->add_option("--rules", options->rules_file, "JSON of its sign-on rules; see dtctl rules")
      ->type_name("FILE");
  AddSamlFlags(*put, *options, file);
  put->add_flag("--client-conditions", options->client_conditions,
                "Its rules may tell browsers, modern and legacy clients apart");
  put->add_flag("--replace", options->replace,
                "Take new metadata of an app that is there; rules and what is not given stay");
  put->footer(
      "Examples:\n"
      "  dtctl app add mail.xml --label Mail --rules trusted-only.json\n"
      "  curl -s https://app.example.com/saml/metadata | dtctl app add - --id app\n"
      "  dtctl app add --wsfed-metadata crm.xml --label Customers\n"
      "  dtctl app add --realm urn:federation:MicrosoftOnline --id office --office365 \\\n"
      "      --reply https://login.microsoftonline.com/login.srf\n"
      "Give the app the org's metadata: https://ORG-HOST/saml/metadata, or\n"
      "https://ORG-HOST/FederationMetadata/2007-06/FederationMetadata.xml");
  add("list", "List all apps", &ListApps);
  CLI::App* const show = add("show", "One app with its rules", &ShowApp);
  CLI::App* const remove = add("remove", "Remove an app with its rules", &RemoveApp);
  CLI::App* const set = add("set", "Change what an app is told and by whom it is signed", &SetApp);
  CLI::App* const refresh =
      add("refresh", "Take an app's metadata of today; all that was chosen stays", &RefreshApp);
  for (CLI::App* const one : {show, remove, set, refresh}) {
    one->add_option("id", options->id, "The app's id, as `app list` shows it")->required();
  }
  CLI::App* const logo = add(
      "logo", "The picture beside its name: PNG, at most 64 KiB and 512 x 512 pixels", &SetLogo);
  logo->add_option("id", options->id, "The app's id, as `app list` shows it")->required();
  logo->add_option("file", options->file, "A PNG image; - is standard input");
  logo->add_flag("--none", options->none, "Take it away");
  AddSamlFlags(*set, *options, nullptr);
  set->add_option("--label", options->label, "Name that people see")->type_name("NAME");
  set->add_flag("--client-conditions", options->client_conditions,
                "Its rules may tell browsers, modern and legacy clients apart");
  set->footer(
      "FIELD is principal, email, display-name, given-name, surname, groups, account-name, sid or\n"
      "user-id, or groups:PREFIX for groups whose names begin so, or text:VALUE.\n"
      "Examples:\n"
      "  dtctl app set mail --name-id persistent --sign both\n"
      "  dtctl app set wiki --attribute urn:oid:0.9.2342.19200300.100.1.3=email --attribute-format "
      "uri\n"
      "  dtctl app set crm --attribute role=groups:CRM- --attribute tenant=text:42");
  refresh->add_option("--metadata", options->file, "Its SAML 2.0 metadata; - is standard input")
      ->type_name("FILE")
      ->required();
  remove->add_flag("--yes", options->yes, "Don't ask first");
  verb->footer(
      "Examples:\n"
      "  dtctl app add mail.xml --label Mail\n"
      "  dtctl app list\n"
      "  dtctl app refresh mail --metadata mail.xml\n"
      "  dtctl app remove mail");
}

int SetRules(AdminClient& client, const AppOptions& options) {
  auto rules = ReadRules(options.id, options.file);
  if (!rules.ok()) return Failed(rules.status());
  rules->set_expected_version(options.expected_version);
  rules->set_allow_unknown(options.allow_unknown);
  const auto app = client.SetRules(*rules);
  if (!app.ok()) return Failed(app.status());
  WarnIfOpen(*app);
  WarnOfLost(*app);
  return Print(options.json, *app, admin::AppText(*app));
}

// Of one app, or of all.
int CheckRules(AdminClient& client, const AppOptions& options) {
  std::vector<std::string> ids = {options.id};
  if (options.id.empty()) {
    const auto list = client.ListApps();
    if (!list.ok()) return Failed(list.status());
    ids.clear();
    for (const org::v1::App& app : list->apps()) ids.push_back(app.id());
  }
  std::string text;
  for (const std::string& id : ids) {
    const auto app = client.GetApp(id);
    if (!app.ok()) return Failed(app.status());
    for (const org::v1::LostReference& lost : app->lost_references()) {
      text += admin::LostReferenceText(*app, lost) + "\n";
    }
  }
  std::cout << text;
  return text.empty() ? Nothing("every user and group that a rule names is there") : kFailed;
}

void AddRules(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<AppOptions>();
  CLI::App* const verb =
      app.add_subcommand("rules", "The sign-on rules of an app; the first that matches decides");
  verb->require_subcommand(1);
  CLI::App* const get = verb->add_subcommand("get", "Print an app's rules as JSON, for rules set");
  CLI::App* const set = verb->add_subcommand("set", "Replace an app's rules by those of a file");
  CLI::App* const check = verb->add_subcommand(
      "check", "List users and groups that rules name and that are not, or no longer, there");
  check->add_option("app", options->id, "Only of this app");
  for (CLI::App* const one : {get, set}) {
    one->add_option("app", options->id, "The app's id, as `app list` shows it")->required();
  }
  set->add_option("file", options->file, "JSON, as `rules get` prints it; - is standard input")
      ->required();
  service::MustBeNumber(
      *set->add_option("--expected-version", options->expected_version,
                       "Refuse if the org has changed since `app list --json` showed this version"),
      0, 1'000'000'000'000);
  set->add_flag("--allow-unknown", options->allow_unknown,
                "Take users and groups that nobody knows yet");
  set->add_flag("--json", options->json, "Print the app as JSON");
  verb->footer(
      "A rule, with a condition left out where it should match everything:\n"
      "  [{\"name\": \"trusted Windows\", \"active\": true,\n"
      "    \"people\": {\"groups\": [\"Sales\"]},\n"
      "    \"platforms\": [\"PLATFORM_KIND_WINDOWS\"],\n"
      "    \"trust\": \"TRUST_CONDITION_TRUSTED\",\n"
      "    \"action\": {\"access\": \"ACCESS_ALLOWED\", \"prompt_for_factor\": true}},\n"
      "   {\"name\": \"everybody else\", \"active\": true, \"action\": {\"access\": "
      "\"ACCESS_DENIED\"}}]\n"
      "The default rule comes last by itself: it allows whom no other rule matched.\n"
      "With \"report_only\": true instead of \"active\", a rule only tells the log what it would "
      "do.\n"
      "People are named by principal, SID or id, groups by name; case does not matter.\n"
      "Examples:\n"
      "  dtctl rules get mail > mail.json     then edit it\n"
      "  dtctl rules set mail mail.json\n"
      "  dtctl rules get mail | dtctl rules set calendar -\n"
      "  dtctl rules check                    exit code 1 when a rule names who is not there");
  get->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      const auto found = client.GetApp(options->id);
      if (!found.ok()) return Failed(found.status());
      std::cout << admin::RulesToJson(*found);
      WarnOfLost(*found);
      return kDone;
    };
  });
  set->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return SetRules(client, *options); };
  });
  check->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return CheckRules(client, *options); };
  });
}

int SetZones(AdminClient& client, const AppOptions& options) {
  const auto text = ReadInput(options.file);
  if (!text.ok()) return Failed(text.status());
  const auto request = admin::ZonesFromJson(InputName(options.file), *text);
  if (!request.ok()) return Failed(request.status());
  const absl::Status status = client.SetZones(*request);
  if (!status.ok()) return Failed(status);
  return Print(options.json, *request,
               admin::ZonesTable({request->zones().begin(), request->zones().end()}));
}

void AddZones(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<AppOptions>();
  CLI::App* const verb =
      app.add_subcommand("zones", "Network zones, for the location conditions of rules");
  verb->require_subcommand(1);
  CLI::App* const get = verb->add_subcommand("get", "Print them as JSON, for zones set");
  CLI::App* const set = verb->add_subcommand("set", "Replace all zones by those of a file");
  set->add_option("file", options->file, "JSON, as `zones get` prints it; - is standard input")
      ->required();
  set->add_flag("--json", options->json, "Print them as JSON");
  verb->footer(
      "The zone \"network\" is the company network of the conditions on and off network:\n"
      "  [{\"name\": \"network\", \"cidr\": [\"10.0.0.0/8\", \"fd00::/8\"]}]\n"
      "Examples:\n"
      "  dtctl zones get > zones.json     then edit it\n"
      "  dtctl zones set zones.json");
  get->callback([&chosen] {
    chosen = [](AdminClient& client) {
      const auto zones = client.GetZones();
      if (!zones.ok()) return Failed(zones.status());
      std::cout << admin::ZonesToJson(*zones);
      return kDone;
    };
  });
  set->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return SetZones(client, *options); };
  });
}

}  // namespace

void AddAppVerbs(CLI::App& app, Action& chosen) {
  AddApp(app, chosen);
  AddRules(app, chosen);
  AddZones(app, chosen);
}

}  // namespace devicetrust::ctl
