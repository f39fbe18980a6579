#include "iwa/config.h"
#include "iwa/iwa_server.h"
#include "libs/service/program.h"

namespace {

using devicetrust::service::Need;
using devicetrust::service::Program;

void AddKerberos(Program& program, devicetrust::iwa::Config& config) {
  program.Heading("Kerberos");
  program.Text("--spn", config.spn, "HTTP/HOST", "Service principal that agents ask a ticket for");
  program.Text("--keytab", config.keytab, "FILE", "Keytab with its keys, mode 0600",
               Need::kRequired);
  program.Text("--replay-cache", config.replay_cache, "PREFIX",
               "Files of spent tickets; of this IWA alone");
  program.Text("--krb5-config", config.krb5_config, "FILE",
               "krb5.conf (default: what KRB5_CONFIG names)");
  program.Texts("--realm", config.realms, "REALM", "Served realms, in capitals");
  program.Switch("--primary", "--backup", config.primary, "Primary IWA of its forests, or backup");
}

void AddLimits(Program& program, devicetrust::iwa::Config& config) {
  program.Heading("Limits");
  program.Number("--account-calls-per-minute", config.account_calls_per_minute, 1, 1'000'000,
                 "Calls of one account in a minute");
  program.Number("--in-flight-max", config.in_flight_max, 1, 100'000, "Calls of agents at once");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace devicetrust;
  iwa::Config config;
  Program program("dt-iwa", DT_VERSION,
                  "Integrated Windows authentication server: proof of domain membership");
  program.AddComponent(config, "NAME");
  program.Text("--name", config.name, "NAME", "Name of this IWA");
  program.AddEdgeListener(config);
  program.AddInternalListener(config);
  program.AddOrgPeer(config);
  program.AddStore(config);
  AddKerberos(program, config);
  program.AddDirectory(config, Need::kRequired);
  program.Text("--ldap-domain", config.ldap_domain, "NAME", "DNS name where searches begin");
  program.Number("--ldap-connections", config.ldap_connections, 1, 256, "Searches at once");
  AddLimits(program, config);
  return program.Run(argc, argv, service::StepsOf<iwa::IwaServer>(config));
}
