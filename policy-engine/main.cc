#include "libs/service/program.h"
#include "policy-engine/config.h"
#include "policy-engine/policy_server.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  policy::Config config;
  service::Program program(
      "dt-policy", DT_VERSION, "Device Trust org: settings, people, policy, System Log",
      {"dt-policy --config policy.toml --capability off    (Device Trust off, sign-ins go on)"});
  program.AddComponent(config, "policy");
  program.AddInternalListener(config);
  program.AddCaPeer(config);
  program.AddStore(config);
  program.Text("--log-database", config.log_database, "URL", "The System Log's, sqlite:PATH");
  program.AddStoreLimits(config);
  program.AddDirectory(config, service::Need::kOptional);
  program.Text("--domain", config.domain, "NAME", "DNS name of the domain, e.g. corp.test");
  program.Heading("Org");
  program.OnOff("--capability", config.capability,
                "Switch Device Trust for the whole deployment (default: as it was, at first on)");
  return program.Run(argc, argv, service::StepsOf<policy::PolicyServer>(config));
}
