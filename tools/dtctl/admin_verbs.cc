#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>

#include "libs/admin/text.h"
#include "libs/base/printable.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;
using admin::PersonText;

const std::map<std::string, ::devicetrust::access::v1::Role>& Roles() {
  static const std::map<std::string, ::devicetrust::access::v1::Role> kRoles = {
      {"read-only", ::devicetrust::access::v1::ROLE_READ_ONLY},
      {"help-desk", ::devicetrust::access::v1::ROLE_HELP_DESK},
      {"app-admin", ::devicetrust::access::v1::ROLE_APP_ADMIN},
      {"super-admin", ::devicetrust::access::v1::ROLE_SUPER_ADMIN}};
  return kRoles;
}

std::string RoleText(::devicetrust::access::v1::Role role) {
  for (const auto& [name, value] : Roles()) {
    if (value == role) return name;
  }
  return fmt::format("role {}", static_cast<int>(role));
}

struct AdminOptions {
  std::string who;
  std::string role;
  bool yes = false;
  bool json = false;
};

int Grant(AdminClient& client, const AdminOptions& options) {
  const auto granted = client.GrantRole(options.who, Roles().at(options.role));
  if (!granted.ok()) return Failed(granted.status());
  const int done = Print(options.json, *granted,
                         fmt::format("{} is {} from the next sign-in on.\n",
                                     PersonText(granted->admin().user()), options.role));
  if (!granted->warning().empty()) {
    std::cerr << fmt::format("dtctl: {}.\n        Give one: dtctl factor enroll {}\n",
                             granted->warning(), Printable(granted->admin().user().principal()));
  }
  return done;
}

int Revoke(AdminClient& client, const AdminOptions& options) {
  const auto user = client.GetUser(options.who);
  if (!user.ok()) return Failed(user.status());
  const int answer = Confirm(
      fmt::format("take the role of an administrator from {}", PersonText(*user)), options.yes);
  if (answer != kDone) return answer;
  const auto revoked = client.RevokeRole(options.who);
  if (!revoked.ok()) return Failed(revoked.status());
  return Print(options.json, *revoked,
               fmt::format("{} {}.\n", PersonText(*user),
                           revoked->had_role() ? "administers nothing any more" : "had no role"));
}

int List(AdminClient& client, const AdminOptions& options) {
  const auto listed = client.ListAdmins();
  if (!listed.ok()) return Failed(listed.status());
  if (listed->admins().empty() && !options.json) {
    return Nothing("nobody has a role; dtctl admin grant gives the first");
  }
  std::string text;
  for (const org::v1::Admin& one : listed->admins()) {
    text += fmt::format("{:<12} {}{}{}, by {}\n", RoleText(one.role()), PersonText(one.user()),
                        one.user().status() == org::v1::USER_STATUS_ACTIVE ? "" : ", deactivated",
                        one.user().factors().empty() ? ", no second factor" : "",
                        Printable(one.granted_by()));
  }
  return Print(options.json, *listed, text);
}

}  // namespace

void AddAdminVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<AdminOptions>();
  CLI::App* const verb = app.add_subcommand("admin", "Who administers the org in the console");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* about,
                       int (*act)(AdminClient&, const AdminOptions&)) {
    CLI::App* const word = verb->add_subcommand(name, about);
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, act, &chosen] {
      chosen = [options, act](AdminClient& client) { return act(client, *options); };
    });
    return word;
  };
  CLI::App* const grant = add("grant", "Give somebody a role, in place of another one", &Grant);
  grant->add_option("who", options->who, "Principal (ada@corp.test), SID or id")->required();
  grant->add_option("role", options->role, "read-only, help-desk, app-admin or super-admin")
      ->required()
      ->check(CLI::IsMember({"read-only", "help-desk", "app-admin", "super-admin"}));
  CLI::App* const revoke = add("revoke", "Take somebody's role away, at once", &Revoke);
  revoke->add_option("who", options->who, "Principal (ada@corp.test), SID or id")->required();
  revoke->add_flag("--yes", options->yes, "Don't ask first");
  add("list", "Everybody who has a role", &List);
  verb->footer(
      "Roles: read-only looks at everything; help-desk also sees to people, devices and\n"
      "certificates; app-admin to apps, rules and zones; super-admin to all.\n"
      "Examples:\n"
      "  dtctl admin grant ada@corp.test super-admin\n"
      "  dtctl admin list\n"
      "  dtctl admin revoke ada@corp.test");
}

}  // namespace devicetrust::ctl
