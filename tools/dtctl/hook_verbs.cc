#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "libs/admin/hook_text.h"
#include "libs/admin/text.h"
#include "libs/base/printable.h"
#include "libs/rpc/error.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

struct HookOptions {
  std::string name;
  std::string url;
  std::string expression;
  int overlap_hours = 24;
  std::int64_t id = 0;
  bool yes = false;
  bool json = false;
};
using SharedHookOptions = std::shared_ptr<HookOptions>;

// Standard output holds nothing else, so that it can go into a file.
template <typename Response>
int TellSecret(const Response& response, const std::string& what, bool json) {
  if (json) return Print(true, response, "");
  const org::v1::HookSecret& secret = response.secret();
  std::cerr << fmt::format(
      "dtctl: {}. This is its key {}, told this once: the receiver checks signatures with it.\n",
      Printable(what), secret.key_id());
  std::cout << secret.secret() << "\n";
  return kDone;
}

int ListHooks(AdminClient& client, bool json) {
  const auto hooks = client.ListHooks();
  if (!hooks.ok()) return Failed(hooks.status());
  if (hooks->hooks().empty() && !json) return Nothing("there is no hook; add one with hooks add");
  return Print(json, *hooks, admin::HooksTable(*hooks));
}

int ShowHook(AdminClient& client, const HookOptions& options) {
  const auto hooks = client.ListHooks();
  if (!hooks.ok()) return Failed(hooks.status());
  for (const org::v1::EventHook& hook : hooks->hooks()) {
    if (hook.name() == options.name) return Print(options.json, hook, admin::HookText(hook));
  }
  return Failed(rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                               fmt::format("there is no hook '{}'", options.name), options.name,
                               "`dtctl hooks list` names them."));
}

int AddHook(AdminClient& client, const HookOptions& options) {
  org::v1::AddHookRequest request;
  request.set_name(options.name);
  request.set_url(options.url);
  request.set_expression(options.expression);
  const auto added = client.AddHook(request);
  if (!added.ok()) return Failed(added.status());
  return TellSecret(*added, "hook " + options.name + " is told of events from now on",
                    options.json);
}

int RotateKey(AdminClient& client, const HookOptions& options) {
  const auto rotated = client.RotateHookKey(options.name, options.overlap_hours);
  if (!rotated.ok()) return Failed(rotated.status());
  return TellSecret(
      *rotated, fmt::format("the old key still signs, too, for {} hours", options.overlap_hours),
      options.json);
}

int RemoveHook(AdminClient& client, const HookOptions& options) {
  const int answer = Confirm("remove hook " + options.name + " with its dead letters", options.yes);
  if (answer != kDone) return answer;
  const absl::Status removed = client.RemoveHook(options.name);
  if (!removed.ok()) return Failed(removed);
  return Print(options.json, org::v1::RemoveHookResponse(),
               fmt::format("Hook {} is removed.\n", Printable(options.name)));
}

int TestHook(AdminClient& client, const HookOptions& options) {
  const auto tested = client.TestHook(options.name);
  if (!tested.ok()) return Failed(tested.status());
  if (options.json) {
    Print(true, *tested, "");
    return tested->delivered() ? kDone : kFailed;
  }
  if (!tested->delivered()) return Failed(absl::UnavailableError(tested->error()));
  std::cout << "The receiver took it.\n";
  return kDone;
}

int ListDeadLetters(AdminClient& client, const HookOptions& options) {
  const auto letters = client.ListDeadLetters(options.name);
  if (!letters.ok()) return Failed(letters.status());
  if (letters->dead_letters().empty() && !options.json) return Nothing("there is no dead letter");
  return Print(options.json, *letters, admin::DeadLettersTable(*letters));
}

int ResendLetters(AdminClient& client, const HookOptions& options) {
  const auto count = client.ResendDeadLetters(options.name, options.id);
  if (!count.ok()) return Failed(count.status());
  org::v1::ResendDeadLettersResponse answer;
  answer.set_count(*count);
  return Print(options.json, answer,
               fmt::format("{} to be sent again.\n",
                           admin::Plural(static_cast<std::size_t>(*count), "dead letter")));
}

int EnableHook(AdminClient& client, const HookOptions& options, bool enabled) {
  const auto hook = client.SetHookEnabled(options.name, enabled);
  if (!hook.ok()) return Failed(hook.status());
  return Print(options.json, *hook, admin::HookText(*hook));
}

// A word below `hooks` that does `act`; with a name unless it is about all.
CLI::App* AddHookWord(CLI::App& verb, const char* word, const char* help,
                      const SharedHookOptions& options, Action& chosen,
                      int (*act)(AdminClient&, const HookOptions&)) {
  CLI::App* const app = verb.add_subcommand(word, help);
  app->add_option("name", options->name, "The hook's name")->required();
  app->callback([options, act, &chosen] {
    chosen = [options, act](AdminClient& client) { return act(client, *options); };
  });
  return app;
}

void AddHookJson(CLI::App* word, const SharedHookOptions& options) {
  word->add_flag("--json", options->json, "Print it as JSON");
}

}  // namespace

void AddHookVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<HookOptions>();
  CLI::App* const verb = app.add_subcommand(
      "hooks", "Who is told of System Log events by HTTPS; docs/system-log.md tells receivers how");
  verb->require_subcommand(1);
  CLI::App* const add = AddHookWord(*verb, "add", "Tell a receiver of what happens from now on",
                                    options, chosen, &AddHook);
  add->add_option("url", options->url, "Where to: https")->required();
  add->add_option("--filter", options->expression, "Only events that this matches, as of `log`")
      ->type_name("EXPRESSION");
  AddHookJson(add, options);
  add->footer(
      "The key that signs deliveries is told this once: the key on standard output, its id beside"
      " it;\nwith --json both are on standard output.\n"
      "Examples:\n"
      "  dtctl hooks add siem https://siem.example.com/events > siem.key\n"
      "  dtctl hooks add siem https://siem.example.com/events --json | jq .secret");
  CLI::App* const list = verb->add_subcommand("list", "All of them, and how far each has come");
  AddHookJson(list, options);
  list->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return ListHooks(client, options->json); };
  });
  AddHookJson(AddHookWord(*verb, "show", "One, with its keys", options, chosen, &ShowHook),
              options);
  AddHookJson(AddHookWord(*verb, "pause", "Deliver nothing for now", options, chosen,
                          [](AdminClient& client, const HookOptions& o) {
                            return EnableHook(client, o, false);
                          }),
              options);
  AddHookJson(AddHookWord(*verb, "resume", "Go on where it was", options, chosen,
                          [](AdminClient& client, const HookOptions& o) {
                            return EnableHook(client, o, true);
                          }),
              options);
  CLI::App* const remove = AddHookWord(*verb, "remove", "Forget it, its keys and its dead letters",
                                       options, chosen, &RemoveHook);
  remove->add_flag("--yes", options->yes, "Don't ask first");
  AddHookJson(remove, options);
  CLI::App* const rotate =
      AddHookWord(*verb, "rotate-key", "A new key; both sign until the old one expires", options,
                  chosen, &RotateKey);
  rotate->add_option("--overlap-hours", options->overlap_hours, "How long the old one still signs")
      ->capture_default_str();
  AddHookJson(rotate, options);
  AddHookJson(
      AddHookWord(*verb, "test", "Send a delivery without events now", options, chosen, &TestHook),
      options);
  AddHookJson(AddHookWord(*verb, "dead-letters", "Deliveries that were given up", options, chosen,
                          &ListDeadLetters),
              options);
  CLI::App* const resend =
      AddHookWord(*verb, "resend", "Send dead letters again", options, chosen, &ResendLetters);
  resend->add_option("--id", options->id, "This one (default: all)");
  AddHookJson(resend, options);
  verb->footer(
      "Examples:\n"
      "  dtctl hooks add siem https://siem.example.com/events > siem.key\n"
      "  dtctl hooks add alarm https://a.example.com/ --filter 'eventType eq \"pki.cert.revoke\"'\n"
      "  dtctl hooks test siem\n"
      "  dtctl hooks dead-letters siem && dtctl hooks resend siem");
}

}  // namespace devicetrust::ctl
