#include "policy-engine/config.h"

#include "libs/service/options.h"

namespace devicetrust::policy {

void Describe(PeopleConfig& config, service::Options& options) {
  options.Text("domain", config.domain, "NAME", "DNS name; it has a [[directory]]",
               service::Need::kRequired);
  options.Text("base", config.base, "DN", "Accounts below it (default: of the whole domain)");
  options.Text("group", config.group, "NAME",
               "Security group whose members they are, through other groups too (default: all)");
  options.Number("minutes", config.minutes, 1, 1440, "Between two readings of what has changed");
  options.Number("deactivate-percent", config.deactivate_percent, 0, 100,
                 "A reading that would deactivate more of the people stops and asks");
  options.Number("deactivate-least", config.deactivate_least, 0, 1'000'000,
                 "So many may be deactivated, whatever the percentage says");
}

void Describe(Config& config, service::Options& options) {
  service::DescribeComponent(config, "policy", options);
  service::DescribeInternalListener(config, options);
  service::DescribeCaPeer(config, options);
  service::DescribeGrowingStore(config, options);
  options.Text("log-database", config.log_database, "URL", "The System Log's, sqlite:PATH");
  options.Number("log-retention-days", config.log_retention_days, 1, 36'500,
                 "How long the System Log keeps an event");
  options.Number("log-bytes-max", config.log_bytes_max, 0, std::int64_t{1} << 50,
                 "Size of the System Log beyond which its oldest events go, 0: none");
  options.Heading("Event hooks");
  options.Text("hook-ca", config.hook_ca, "FILE",
               "CAs of the receivers of event hooks, PEM (default: those of the system)");
  options.Flag("hook-private-addresses", config.hook_private_addresses,
               "Let event hooks go to loopback and private addresses too");
  service::DescribeDirectories(config, service::Need::kOptional, options);
  options.Groups("people", config.people, "People whom the directory of a domain keeps");
  options.Heading("Guessing");
  options.Number("password-failures-max", config.password_failures_max, 1, 1'000'000,
                 "Wrong passwords of a user in a row from where the user has not signed in lately;"
                 " below what the directory locks at");
  options.Number("known-password-failures-max", config.known_password_failures_max, 1, 1'000'000,
                 "The same from an address where the user has");
  options.Number("network-failures-max", config.network_failures_max, 1, 1'000'000,
                 "Wrong passwords of anybody from one address, or /64 of IPv6, in the window");
  options.Number("failure-window-minutes", config.failure_window_minutes, 1, 1440,
                 "Wrong passwords are forgotten after so long without one; at least the directory's"
                 " observation window");
  options.Number("code-failures-max", config.code_failures_max, 5, 1'000'000,
                 "Wrong one-time codes of a user in a row, before the second factor is locked");
  options.Heading("Sessions");
  options.Flag("ticket-sign-in", config.ticket_sign_in,
               "Let gateways open sessions by Kerberos tickets that they have accepted");
  options.Number("session-check-minutes", config.session_check_minutes, 1, 720,
                 "A session asks the directory again whether its account is good, after so long");
  options.Number("session-check-grace-minutes", config.session_check_grace_minutes, 0, 720,
                 "Sessions go on for so much longer while the directory is away");
  options.Heading("Org");
  options.OnOff("capability", config.capability,
                "Switch Device Trust for the whole deployment (default: as it was, at first on)");
}

}  // namespace devicetrust::policy
