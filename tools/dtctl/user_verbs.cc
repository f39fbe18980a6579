#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include "libs/admin/text.h"
#include "libs/admin/users_file.h"
#include "libs/base/bytes.h"
#include "libs/base/encoding.h"
#include "libs/base/printable.h"
#include "libs/base/wait_until.h"
#include "libs/qr/qr_code.h"
#include "libs/rpc/error.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;
using admin::PersonText;
using admin::Plural;

constexpr std::size_t kPeopleBytesMax = 256 * 1024 * 1024;  // A million people.
constexpr const char* kWho = "Principal (ada@corp.test), SID or id";

struct PeopleOptions {
  std::string file;
  std::string who;
  std::string query;
  int limit = 50;
  bool yes = false;
  bool json = false;
};

int Import(AdminClient& client, const PeopleOptions& options) {
  const auto text = ReadInput(options.file, kPeopleBytesMax);
  if (!text.ok()) return Failed(text.status());
  std::vector<std::string> places;
  const auto people = admin::UsersFromFile(InputName(options.file), *text, &places);
  if (!people.ok()) return Failed(people.status());
  const auto answer = client.ImportUsers(*people);
  if (!answer.ok()) return Failed(answer.status());
  for (const org::v1::RetiredUser& user : answer->retired()) {
    std::cerr << fmt::format(
        "dtctl: {} is another account now; the person who had it is deactivated ({}).\n",
        Printable(user.principal()), user.user_id());
  }
  for (const org::v1::RefusedUser& user : answer->refused()) {
    std::cerr << fmt::format("dtctl: {}: {}: {} ({}). {}\n",
                             places.at(static_cast<std::size_t>(user.index())),
                             Printable(user.principal()), Printable(user.message()),
                             rpc::ReasonName(user.reason()), user.remedy());
  }
  std::string text_answer = fmt::format("{} added, {} updated", answer->added(), answer->updated());
  if (!answer->refused().empty())
    text_answer += fmt::format(", {} refused", answer->refused_size());
  const int code = Print(options.json, *answer, text_answer + ".\n");
  return answer->refused().empty() ? code : kFailed;
}

int List(AdminClient& client, const PeopleOptions& options) {
  auto users = client.ListUsers(options.query, options.limit + 1);
  if (!users.ok()) return Failed(users.status());
  if (static_cast<int>(users->size()) > options.limit) {
    users->pop_back();
    std::cerr << fmt::format("dtctl: the first {}; more with --limit N.\n", options.limit);
  }
  org::v1::ListUsersResponse all;
  for (const org::v1::User& user : *users) *all.add_users() = user;
  if (users->empty() && !options.json) {
    return Nothing(options.query.empty() ? "nobody is imported yet; `dtctl people import FILE`"
                                         : "nobody's principal or name begins so");
  }
  return Print(options.json, all, admin::UsersTable(*users));
}

int Show(AdminClient& client, const PeopleOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  return Print(options.json, *user, admin::UserText(*user));
}

int SetStatus(AdminClient& client, const PeopleOptions& options, bool activate) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  const std::string name = PersonText(*user);
  if (!activate) {
    const std::string act =
        fmt::format("deactivate {}, end all sessions and revoke all certificates of theirs", name);
    if (const int code = Confirm(act, options.yes); code != kDone) return code;
  }
  const auto answer = client.SetUserStatus(
      user->id(), activate ? org::v1::USER_STATUS_ACTIVE : org::v1::USER_STATUS_DEACTIVATED);
  if (!answer.ok()) return Failed(answer.status());
  std::string text = fmt::format("{} is active.\n", name);
  if (!activate) {
    text = fmt::format(
        "{} is deactivated; {}.\n", name,
        answer->has_certificates_revoked()
            ? Plural(static_cast<std::size_t>(answer->certificates_revoked()), "certificate") +
                  " revoked"
            : "the certificates are revoked as soon as the CA answers");
  }
  return Print(options.json, *answer, text);
}

struct SyncOptions {
  std::string approve;  // Domain.
  bool run = false;
  bool everybody = false;
  bool yes = false;
  bool json = false;
};

constexpr std::chrono::milliseconds kLookEvery{100};
constexpr std::chrono::minutes kSyncMax{10};

// Once each domain has had a pass that began after `before`.
absl::StatusOr<org::v1::GetPeopleSyncResponse> WaitForPasses(
    AdminClient& client,
    const google::protobuf::RepeatedPtrField<org::v1::PeopleSyncStatus>& before) {
  absl::StatusOr<org::v1::GetPeopleSyncResponse> now;
  const auto has_passed = [&now](const org::v1::PeopleSyncStatus& one) {
    const bool running = one.state() == org::v1::PeopleSyncStatus::STATE_RUNNING;
    return std::ranges::any_of(now->domains(), [&](const auto& domain) {
      return domain.domain() == one.domain() && domain.passes() > one.passes() + (running ? 1 : 0);
    });
  };
  const auto done = [&]() -> absl::StatusOr<bool> {
    now = client.GetPeopleSync();
    if (!now.ok()) return now.status();
    return std::ranges::all_of(before, has_passed);
  };
  DT_RETURN_IF_ERROR(WaitUntil(done, kLookEvery, kSyncMax));
  return now;
}

// `asked`: to read, which without a directory is refused.
int ShowSync(const org::v1::GetPeopleSyncResponse& sync, bool json, bool asked) {
  if (sync.domains().empty() && (asked || !json)) {
    const int code =
        Nothing("no directory keeps the people: give dt-policy a [[people]] group, or import");
    return asked ? kFailed : code;
  }
  std::string text;
  bool well = true;
  for (const org::v1::PeopleSyncStatus& domain : sync.domains()) {
    text += admin::PeopleSyncText(domain);
    well = well && domain.state() != org::v1::PeopleSyncStatus::STATE_FAILED &&
           domain.state() != org::v1::PeopleSyncStatus::STATE_STOPPED;
  }
  const int code = Print(json, sync, text);
  return well ? code : kFailed;
}

int ApproveSync(AdminClient& client, const SyncOptions& options) {
  const auto sync = client.GetPeopleSync();
  if (!sync.ok()) return Failed(sync.status());
  const auto domain = std::ranges::find(sync->domains(), options.approve,
                                        [](const auto& one) { return one.domain(); });
  const std::int64_t waiting = domain == sync->domains().end() ? 0 : domain->deactivations();
  if (waiting > 0) {
    const std::string act = fmt::format(
        "deactivate {} people of {} (for instance {}), end their sessions and revoke"
        " all certificates of theirs",
        waiting, domain->domain(), fmt::join(domain->deactivated_examples(), ", "));
    if (const int code = Confirm(act, options.yes); code != kDone) return code;
  }
  const auto approved = client.ApprovePeopleSync(options.approve, waiting);
  if (!approved.ok()) return Failed(approved.status());
  google::protobuf::RepeatedPtrField<org::v1::PeopleSyncStatus> before;
  *before.Add() = *approved;
  const auto now = WaitForPasses(client, before);
  if (!now.ok()) return Failed(now.status());
  return ShowSync(*now, options.json, /*asked=*/true);
}

int Sync(AdminClient& client, const SyncOptions& options) {
  if (!options.approve.empty()) return ApproveSync(client, options);
  if (options.run || options.everybody) {
    org::v1::RunPeopleSyncRequest request;
    request.set_everybody(options.everybody);
    const auto before = client.RunPeopleSync(request);
    if (!before.ok()) return Failed(before.status());
    const auto now = WaitForPasses(client, before->domains());
    if (!now.ok()) return Failed(now.status());
    return ShowSync(*now, options.json, /*asked=*/true);
  }
  const auto sync = client.GetPeopleSync();
  if (!sync.ok()) return Failed(sync.status());
  return ShowSync(*sync, options.json, /*asked=*/false);
}

void AddSync(CLI::App& people, Action& chosen) {
  const auto options = std::make_shared<SyncOptions>();
  CLI::App* const word =
      people.add_subcommand("sync", "How far people are as directories have them; reads them now");
  word->add_flag("--run", options->run, "Read what has changed, now");
  word->add_flag("--everybody", options->everybody, "Read everybody, now");
  word->add_option("--approve", options->approve,
                   "Let the sync of that domain deactivate the people for whom it has stopped")
      ->type_name("DOMAIN");
  word->add_flag("--yes", options->yes, "Don't ask first");
  word->add_flag("--json", options->json, "Print the answer as JSON");
  word->footer(
      "Without an option it only shows. Exit code 1: a reading has failed or stopped.\n"
      "Examples:\n"
      "  dtctl people sync\n"
      "  dtctl people sync --run\n"
      "  dtctl people sync --approve corp.test");
  word->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return Sync(client, *options); };
  });
}

void AddPeople(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<PeopleOptions>();
  CLI::App* const verb = app.add_subcommand("people", "Who may sign in and enroll computers");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, auto act) {
    CLI::App* const word = verb->add_subcommand(name, about);
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, act, &chosen] {
      chosen = [options, act](AdminClient& client) { return act(client, *options); };
    });
    return word;
  };
  const char* const file_help = "CSV or JSON; - is standard input";
  CLI::App* const import = add("import", "Add people, or update those with the same SID", &Import);
  import->add_option("file", options->file, file_help)->required();
  import->footer(
      "The file is CSV, its first line naming the columns, or a JSON list of objects:\n"
      "  sid           S-1-5-21-…, required: what Active Directory never changes\n"
      "  principal     ada@corp.test, required: what the person types\n"
      "  account_name, display_name, email, given_name, surname\n"
      "  groups        names; in CSV separated by ';', in JSON a list\n"
      "  totp_secret   Base32, 16 to 64 bytes; left out, or the same again: the second factor\n"
      "                stays as it is\n"
      "Who is not in the file stays; deactivate who has left. A principal is one account's: "
      "whoever\n"
      "had one that the file gives to another SID, and is not in it, is deactivated.\n"
      "Examples:\n"
      "  dtctl people import people.csv\n"
      "  dtctl people import - < people.json");
  AddSync(*verb, chosen);
  CLI::App* const list = add("list", "List people by principal", &List);
  list->add_option("query", options->query, "Beginning of a principal or display name");
  CLI::Option* const limit = list->add_option("--limit", options->limit, "At most so many");
  limit->capture_default_str();
  service::MustBeNumber(*limit, 1, 1'000'000);
  CLI::App* const show = add("show", "What the org knows of one person", &Show);
  CLI::App* const activate = add("activate", "Let somebody sign in and enroll again",
                                 [](AdminClient& client, const PeopleOptions& given) {
                                   return SetStatus(client, given, /*activate=*/true);
                                 });
  CLI::App* const deactivate =
      add("deactivate", "End somebody's sessions and revoke all certificates",
          [](AdminClient& client, const PeopleOptions& given) {
            return SetStatus(client, given, /*activate=*/false);
          });
  for (CLI::App* const one : {show, activate, deactivate}) {
    one->add_option("who", options->who, kWho)->required();
  }
  deactivate->add_flag("--yes", options->yes, "Don't ask first");
  verb->footer(
      "Examples:\n"
      "  dtctl people import people.csv     `dtctl people import --help` shows the columns\n"
      "  dtctl people sync                  people of a directory, kept by dt-policy\n"
      "  dtctl people list ada\n"
      "  dtctl people deactivate ada@corp.test");
}

std::string RecoveryText(const std::vector<std::string>& codes) {
  std::string text =
      "Recovery codes, each good once when the app is not at hand; shown this once:\n";
  for (const std::string& code : codes) text += "  " + code + "\n";
  return text;
}

int EnrollFactor(AdminClient& client, const PeopleOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  if (!user->factors().empty()) {
    const std::string act = fmt::format(
        "replace the second factor of {}; the old one stops working", PersonText(*user));
    if (const int code = Confirm(act, options.yes); code != kDone) return code;
  }
  const auto answer = client.EnrollTotp(user->id());
  if (!answer.ok()) return Failed(answer.status());
  // The secret is shown once: the org keeps it sealed.
  std::string text = fmt::format(
      "{} has a second factor now. In an authenticator app, once:\n"
      "  {}\n  or typed: {}\n",
      PersonText(*user), answer->otpauth_uri(), Base32Encode(AsBytes(answer->secret())));
  text += RecoveryText({answer->recovery_codes().begin(), answer->recovery_codes().end()});
  const auto code = qr::MakeQrCode(answer->otpauth_uri());
  if (!options.json && code.ok() && isatty(STDOUT_FILENO) != 0) {
    std::cout << qr::ToTerminal(*code);
  }
  return Print(options.json, *answer, text);
}

int MakeRecoveryCodes(AdminClient& client, const PeopleOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  const std::string act =
      fmt::format("make new recovery codes for {}; the old ones stop working", PersonText(*user));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.MakeRecoveryCodes(user->id());
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               RecoveryText({answer->recovery_codes().begin(), answer->recovery_codes().end()}));
}

int ShowFactor(AdminClient& client, const PeopleOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  const auto status = client.GetFactorStatus(user->id());
  if (!status.ok()) return Failed(status.status());
  std::string text = fmt::format("{}: ", PersonText(*user));
  if (!status->totp()) {
    text += "no second factor";
  } else {
    text += fmt::format(
        "authenticator app, {} left, {} in a row",
        admin::Plural(static_cast<std::size_t>(status->recovery_codes_left()), "recovery code"),
        admin::Plural(static_cast<std::size_t>(status->wrong_codes()), "wrong code"));
    if (status->locked()) text += ", locked but where the owner is known";
  }
  if (status->enrollment_begun()) text += "; an enrollment waits for its first code";
  return Print(options.json, *status, text + "\n");
}

int ResetFactor(AdminClient& client, const PeopleOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  const std::string act = fmt::format(
      "remove the second factor of {}, who cannot pass rules that prompt for one until another "
      "is enrolled",
      PersonText(*user));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.ResetFactors(user->id());
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("{} has no second factor now.\n", PersonText(*user)));
}

void AddFactor(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<PeopleOptions>();
  CLI::App* const verb =
      app.add_subcommand("factor", "Second factors: codes of an authenticator app (TOTP)");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, bool asks,
                       int (*act)(AdminClient&, const PeopleOptions&)) {
    CLI::App* const word = verb->add_subcommand(name, about);
    word->add_option("who", options->who, kWho)->required();
    if (asks) word->add_flag("--yes", options->yes, "Don't ask first");
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, act, &chosen] {
      chosen = [options, act](AdminClient& client) { return act(client, *options); };
    });
  };
  add("enroll", "Give somebody a new one, and show it once", true, &EnrollFactor);
  add("reset", "Take somebody's away, for a lost telephone", true, &ResetFactor);
  add("recovery-codes", "Make somebody new recovery codes, and show them once", true,
      &MakeRecoveryCodes);
  add("show", "Whether somebody has one, and how it stands", false, &ShowFactor);
  verb->footer(
      "Examples:\n"
      "  dtctl factor enroll ada@corp.test\n"
      "  dtctl factor reset ada@corp.test");
}

}  // namespace

void AddUserVerbs(CLI::App& app, Action& chosen) {
  AddPeople(app, chosen);
  AddFactor(app, chosen);
}

}  // namespace devicetrust::ctl
