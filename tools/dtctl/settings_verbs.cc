#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "libs/admin/saml_words.h"
#include "libs/admin/text.h"
#include "libs/base/printable.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;
using admin::SettingsText;

struct DeviceTrustOptions {
  std::optional<std::string> learn_more_url;  // Empty text: remove it.
  bool force = false;
  bool json = false;
};

int Changed(const absl::StatusOr<org::v1::OrgSettings>& settings, bool json) {
  if (!settings.ok()) return Failed(settings.status());
  return Print(json, *settings, SettingsText(*settings));
}

// Answers that say, too, which rules a switch has put in or out of force.
template <typename Response>
int Changed(const absl::StatusOr<Response>& answer, bool json) {
  if (!answer.ok()) return Failed(answer.status());
  for (const std::string& warning : answer->warnings()) {
    std::cerr << "warning: " << Printable(warning) << "\n";
  }
  return Print(json, answer->settings(), SettingsText(answer->settings()));
}

int SwitchDeviceTrust(AdminClient& client, bool enabled, const DeviceTrustOptions& options) {
  org::v1::SetDeviceTrustRequest request;
  request.set_enabled(enabled);
  request.set_force(options.force);
  if (options.learn_more_url.has_value()) request.set_learn_more_url(*options.learn_more_url);
  return Changed(client.SetDeviceTrust(request), options.json);
}

void AddDeviceTrust(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<DeviceTrustOptions>();
  CLI::App* const verb = app.add_subcommand("device-trust", "The org's Device Trust setting");
  verb->require_subcommand(1);
  CLI::App* const status = verb->add_subcommand("status", "Show it, and what else must be on");
  CLI::App* const on = verb->add_subcommand("on", "Switch it on");
  CLI::App* const off =
      verb->add_subcommand("off", "Switch it off; refused while rules ask for trust");
  for (CLI::App* const one : {status, on, off}) {
    one->add_flag("--json", options->json, "Print the settings as JSON");
  }
  on->add_option("--learn-more-url", options->learn_more_url,
                 "Where the refusal page's Learn more leads: https, a public name; \"\" removes it")
      ->type_name("URL");
  off->add_flag("--force", options->force, "Although rules ask for trust: they then match nobody");
  verb->footer(
      "Examples:\n"
      "  dtctl device-trust status\n"
      "  dtctl device-trust on --learn-more-url https://help.example.com/device-trust\n"
      "  dtctl device-trust off");
  status->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      return Changed(client.GetSettings(), options->json);
    };
  });
  on->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return SwitchDeviceTrust(client, true, *options); };
  });
  off->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return SwitchDeviceTrust(client, false, *options); };
  });
}

// A verb with the words on and off, for `set`.
template <typename Set>
void AddSwitch(CLI::App& app, const std::string& name, const std::string& about,
               const std::string& on_help, const std::string& off_help, const std::string& footer,
               Action& chosen, Set set) {
  CLI::App* const verb = app.add_subcommand(name, about);
  verb->require_subcommand(1);
  verb->footer(footer);
  const auto json = std::make_shared<bool>(false);
  for (const bool on : {true, false}) {
    CLI::App* const word = verb->add_subcommand(on ? "on" : "off", on ? on_help : off_help);
    word->add_flag("--json", *json, "Print the settings as JSON");
    word->callback([json, on, set, &chosen] {
      chosen = [json, on, set](AdminClient& client) { return Changed(set(client, on), *json); };
    });
  }
}

void AddSwitches(CLI::App& app, Action& chosen) {
  AddSwitch(app, "read-only", "Sign-ins go on, nobody can enroll", "Refuse enrollment for now",
            "Take enrollments again",
            "Examples:\n"
            "  dtctl read-only on      before a migration or a restore\n"
            "  dtctl read-only off     agents try again by themselves",
            chosen, [](AdminClient& client, bool on) { return client.SetReadOnly(on); });
  AddSwitch(app, "capability", "The operator's switch of Device Trust for the whole deployment",
            "Rules that ask for trust come into force, if the org's setting is on too",
            "No rule that asks for trust matches; nobody can enroll",
            "Examples:\n"
            "  dtctl capability off    takes Device Trust out of force, whatever the org has set\n"
            "  dtctl capability on     lists the rules that come into force",
            chosen, [](AdminClient& client, bool on) { return client.SetCapability(on); });
  AddSwitch(app, "self-enrollment", "Whether people enroll their first second factor by themselves",
            "With the password alone, at a sign-in that asks for it or from their dashboard",
            "An administrator gives people their first one",
            "Examples:\n"
            "  dtctl self-enrollment on     for a while, when second factors are introduced\n"
            "  dtctl self-enrollment off    from then on `dtctl factor enroll`\n"
            "Whoever has one and shows it may replace it in any case.",
            chosen,
            [](AdminClient& client, bool on) { return client.SetFactorSelfEnrollment(on); });
}

void AddAdIntegration(CLI::App& app, Action& chosen) {
  struct Options {
    std::vector<std::string> domains;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand(
      "ad-integration", "Whether people come from Active Directory: a condition of enrollment");
  verb->require_subcommand(1);
  CLI::App* const on = verb->add_subcommand("on", "Active, with these domains");
  on->add_option(
      "domain", options->domains,
      "DNS names, the first that of user names without a domain (default: as they were)");
  CLI::App* const off = verb->add_subcommand("off", "Not active: nobody can enroll");
  for (CLI::App* const one : {on, off}) {
    one->add_flag("--json", options->json, "Print the settings as JSON");
  }
  verb->footer(
      "Examples:\n"
      "  dtctl ad-integration on corp.example.com sales.example.com\n"
      "  dtctl ad-integration off");
  on->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      org::v1::SetAdIntegrationRequest request;
      request.set_active(true);
      for (const std::string& domain : options->domains) request.add_domains(domain);
      return Changed(client.SetAdIntegration(request), options->json);
    };
  });
  off->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      return Changed(client.SetAdIntegration(org::v1::SetAdIntegrationRequest()), options->json);
    };
  });
}

int ListIwas(AdminClient& client, bool json) {
  const auto iwas = client.ListIwas();
  if (!iwas.ok()) return Failed(iwas.status());
  org::v1::ListIwasResponse all;
  for (const org::v1::Iwa& iwa : *iwas) *all.add_iwas() = iwa;
  if (iwas->empty() && !json) {
    return Nothing("no IWA has registered; start dt-iwa with --org-address of this org");
  }
  return Print(json, all, admin::IwasTable(*iwas));
}

void AddIwa(CLI::App& app, Action& chosen) {
  struct Options {
    std::string name;
    std::vector<std::string> domains;
    bool none = false;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand(
      "iwa", "The IWA servers, which vouch for computers of the domain; they register themselves");
  verb->require_subcommand(1);
  CLI::App* const list = verb->add_subcommand("list", "All of them, with their last heartbeat");
  list->add_flag("--json", options->json, "Print them as JSON, with their keys");
  list->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return ListIwas(client, options->json); };
  });
  for (const bool enabled : {true, false}) {
    CLI::App* const word =
        enabled ? verb->add_subcommand("enable", "Take this IWA's word for computers again")
                : verb->add_subcommand("disable", "Refuse enrollments that this IWA vouches for");
    word->add_option("name", options->name, "The IWA's name, as `iwa list` shows it")->required();
    word->add_flag("--json", options->json, "Print the IWA as JSON");
    word->callback([options, enabled, &chosen] {
      chosen = [options, enabled](AdminClient& client) {
        const auto iwa = client.SetIwaEnabled(options->name, enabled);
        if (!iwa.ok()) return Failed(iwa.status());
        return Print(options->json, *iwa, admin::IwasTable({*iwa}));
      };
    });
  }
  CLI::App* const grant = verb->add_subcommand(
      "grant", "Let an IWA vouch for computers and people of these domains, and of no others");
  grant->add_option("name", options->name, "The IWA's name; it need not have registered yet")
      ->required();
  grant->add_option("domain", options->domains, "DNS names, such as corp.example.com");
  grant->add_flag("--none", options->none, "No domain: it vouches for nobody");
  grant->add_flag("--json", options->json, "Print the IWA as JSON");
  grant->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      if (options->domains.empty() != options->none) {
        return Usage("name the domains that the IWA may vouch for, or give --none");
      }
      const auto iwa = client.SetIwaDomains(options->name, options->domains);
      if (!iwa.ok()) return Failed(iwa.status());
      return Print(options->json, *iwa, admin::IwasTable({*iwa}));
    };
  });
  CLI::App* const failover = verb->add_subcommand(
      "failover", "Whether computers turn to backup IWAs when no primary one serves them");
  failover->require_subcommand(1);
  for (const bool primary_only : {false, true}) {
    CLI::App* const word =
        primary_only
            ? failover->add_subcommand("off", "Primary ones alone; a backup's word is refused")
            : failover->add_subcommand("on", "To a backup, as at first");
    word->add_flag("--json", options->json, "Print the settings as JSON");
    word->callback([options, primary_only, &chosen] {
      chosen = [options, primary_only](AdminClient& client) {
        return Changed(client.SetIwaFailover(primary_only), options->json);
      };
    });
  }
  verb->footer(
      "Examples:\n"
      "  dtctl iwa list\n"
      "  dtctl iwa grant iwa-1 corp.example.com     without it, enrollments by it are refused\n"
      "  dtctl iwa disable iwa-2     at once, also for tokens that it has signed already\n"
      "  dtctl iwa failover off      enrollments by a backup are refused");
}

void AddOrgName(CLI::App& app, Action& chosen) {
  struct Options {
    std::string name;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb =
      app.add_subcommand("org-name", "What people call the org, in their authenticator apps too");
  verb->add_option("display-name", options->name, "At most 64 bytes, no colon; \"\" removes it")
      ->required();
  verb->add_flag("--json", options->json, "Print the settings as JSON");
  verb->footer(
      "Examples:\n"
      "  dtctl org-name \"Example Inc.\"     for factors that are enrolled from now on");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      return Changed(client.SetDisplayName(options->name), options->json);
    };
  });
}

void AddNameIdFormat(CLI::App& app, Action& chosen) {
  struct Options {
    std::string format;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb =
      app.add_subcommand("name-id", "By which NameID format SAML apps name people that don't say");
  verb->add_option("format", options->format, "Of what an app gets that asks for none")
      ->required()
      ->check(CLI::IsMember(admin::NameIdWords()));
  verb->add_flag("--json", options->json, "Print the settings as JSON");
  verb->footer("Examples:\n  dtctl name-id email     one app: dtctl app set mail --name-id email");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      return Changed(client.SetDefaultNameIdFormat(admin::NameIdFormatOf(options->format)),
                     options->json);
    };
  });
}

}  // namespace

void AddSettingsVerbs(CLI::App& app, Action& chosen) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* const settings =
      app.add_subcommand("settings", "Every switch of the org, and whether people can enroll");
  settings->add_flag("--json", *json, "Print them as JSON");
  settings->footer(
      "Examples:\n"
      "  dtctl settings\n"
      "  dtctl settings --json | jq .device_trust_enabled\n"
      "Change them with device-trust, capability, read-only, ad-integration, org-name, sessions "
      "limits "
      "and self-enrollment; "
      "`dtctl history list\n"
      "settings` shows who did.");
  settings->callback([json, &chosen] {
    chosen = [json](AdminClient& client) { return Changed(client.GetSettings(), *json); };
  });
  AddDeviceTrust(app, chosen);
  AddSwitches(app, chosen);
  AddAdIntegration(app, chosen);
  AddOrgName(app, chosen);
  AddNameIdFormat(app, chosen);
  AddIwa(app, chosen);
}

}  // namespace devicetrust::ctl
