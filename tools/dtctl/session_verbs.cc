#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;
using admin::PersonText;
using admin::Plural;

constexpr std::size_t kSessionIdShown = 12;  // Enough to tell the sessions of a person apart.

struct SessionOptions {
  std::string who;
  std::vector<std::string> ids;
  std::optional<int> lifetime_minutes;
  std::optional<int> idle_minutes;
  bool all = false;
  bool yes = false;
  bool json = false;
};

std::string DeviceOf(const org::v1::UserSession& session) {
  const std::string browser = session.browser().empty() ? "unknown browser" : session.browser();
  const std::string system = session.system().empty() ? "unknown system" : session.system();
  return fmt::format("{} on {}{}", browser, system,
                     session.device_id().empty() ? "" : ", trusted device " + session.device_id());
}

std::string PlaceOf(const org::v1::UserSession& session) {
  if (session.zones().empty()) return session.client().address();
  return fmt::format("{} ({})", session.client().address(), fmt::join(session.zones(), ", "));
}

std::string SessionLines(const org::v1::ListSessionsResponse& sessions) {
  std::string text;
  for (const org::v1::UserSession& session : sessions.sessions()) {
    text += fmt::format("{}  {}\n", session.id().substr(0, kSessionIdShown),
                        Printable(DeviceOf(session)));
    text += fmt::format("  {:<10}{}\n", "from", Printable(PlaceOf(session)));
    text +=
        fmt::format("  {:<10}{}, last used {}, ends {} at the latest\n", "since",
                    admin::FormatTime(session.started_at()), admin::FormatTime(session.used_at()),
                    admin::FormatTime(session.expires_at()));
    text += fmt::format("  {:<10}{}\n", "apps",
                        session.app_ids().empty()
                            ? "none"
                            : Printable(fmt::format("{}", fmt::join(session.app_ids(), ", "))));
  }
  if (sessions.more() > 0) text += fmt::format("and {} more\n", sessions.more());
  return text;
}

int ListSessions(AdminClient& client, const SessionOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  const auto sessions = client.ListSessions(user->id());
  if (!sessions.ok()) return Failed(sessions.status());
  if (sessions->sessions().empty() && !options.json) {
    return Nothing(PersonText(*user) + " is signed in nowhere");
  }
  return Print(options.json, *sessions, SessionLines(*sessions));
}

int EndSessions(AdminClient& client, const SessionOptions& options) {
  if (options.ids.empty() != options.all) {
    return Usage("name the sessions, as `sessions list` shows them, or give --all");
  }
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  org::v1::EndSessionsRequest request;
  request.set_user_id(user->id());
  request.set_all(options.all);
  if (!options.all) {
    const auto sessions = client.ListSessions(user->id());
    if (!sessions.ok()) return Failed(sessions.status());
    for (const std::string& id : options.ids) {
      const auto is_meant = [&id](const auto& session) { return session.id().starts_with(id); };
      const auto count = std::ranges::count_if(sessions->sessions(), is_meant);
      if (count != 1) {
        return Usage(fmt::format("{} of {}'s sessions begin with '{}'",
                                 count == 0 ? "none" : "some", user->principal(), Printable(id)));
      }
      request.add_ids(std::ranges::find_if(sessions->sessions(), is_meant)->id());
    }
  }
  const std::string what =
      options.all ? "sign out everywhere: every session"
                  : "end " + Plural(static_cast<std::size_t>(request.ids_size()), "session");
  if (const int code = Confirm(fmt::format("{} of {}", what, PersonText(*user)), options.yes);
      code != kDone) {
    return code;
  }
  const auto answer = client.EndSessions(request);
  if (!answer.ok()) return Failed(answer.status());
  return Print(
      options.json, *answer,
      fmt::format("{} ended\n", Plural(static_cast<std::size_t>(answer->ended()), "session")));
}

int SetSessionLimits(AdminClient& client, const SessionOptions& options) {
  if (!options.lifetime_minutes && !options.idle_minutes) {
    return Usage("give --lifetime, --idle or both; `dtctl settings` shows what they are");
  }
  org::v1::SetSessionLimitsRequest request;
  if (options.lifetime_minutes) {
    request.mutable_lifetime()->set_seconds(std::int64_t{60} * *options.lifetime_minutes);
  }
  if (options.idle_minutes) {
    request.mutable_idle_timeout()->set_seconds(std::int64_t{60} * *options.idle_minutes);
  }
  const auto settings = client.SetSessionLimits(request);
  if (!settings.ok()) return Failed(settings.status());
  return Print(options.json, *settings, admin::SettingsText(*settings));
}

}  // namespace

void AddSessionVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<SessionOptions>();
  CLI::App* const verb = app.add_subcommand("sessions", "Who is signed in, and for how long");
  verb->require_subcommand(1);
  const auto act = [options, &chosen](CLI::App* word,
                                      int (*run)(AdminClient&, const SessionOptions&)) {
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, run, &chosen] {
      chosen = [options, run](AdminClient& client) { return run(client, *options); };
    });
  };
  CLI::App* const list =
      verb->add_subcommand("list", "Where somebody is signed in: browser, place, device, last use");
  CLI::App* const end = verb->add_subcommand("end", "Sign somebody out, at every gateway at once");
  for (CLI::App* const word : {list, end}) {
    word->add_option("who", options->who, "Principal (ada@corp.test), SID or id")->required();
  }
  end->add_option("id", options->ids, "Sessions, by the first letters of their ids");
  end->add_flag("--all", options->all, "Every session: sign out everywhere");
  end->add_flag("--yes", options->yes, "Don't ask first");
  CLI::App* const limits = verb->add_subcommand(
      "limits", "How long sessions last; counts at once, for those that are open too");
  limits
      ->add_option("--lifetime", options->lifetime_minutes,
                   "Since the password: 5 minutes to 7 days; 0: 12 hours")
      ->type_name("MINUTES");
  limits
      ->add_option("--idle", options->idle_minutes,
                   "Since the last use: 5 minutes to 7 days; 0: not by that")
      ->type_name("MINUTES");
  act(list, &ListSessions);
  act(end, &EndSessions);
  act(limits, &SetSessionLimits);
  verb->footer(
      "Examples:\n"
      "  dtctl sessions list ada@corp.test\n"
      "  dtctl sessions end ada@corp.test --all\n"
      "  dtctl sessions limits --lifetime 480 --idle 30");
}

}  // namespace devicetrust::ctl
