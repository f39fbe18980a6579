#include "libs/service/program.h"
#include "policy-engine/policy_server.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  return service::RunService<policy::PolicyServer, policy::Config>(
      {"dt-policy",
       DT_VERSION,
       "Device Trust org: settings, people, policy, System Log",
       {"dt-policy --config policy.toml --capability off    (Device Trust off, sign-ins go on)"}},
      argc, argv);
}
