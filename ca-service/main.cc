#include "ca-service/ca_server.h"
#include "ca-service/config.h"
#include "libs/service/program.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  ca::Config config;
  service::Program program("dt-ca", DT_VERSION, "Device Trust certificate authority");
  program.AddComponent(config, "ca");
  program.AddEdgeListener(config);
  program.AddInternalListener(config);
  program.Text("--http-listen", config.http_listen, "HOST:PORT", "CRL and CA certificates");
  program.Text("--public-http-url", config.public_http_url, "URL",
               "Of that listener, as certificates name it (default: as bound)");
  program.AddOrgPeer(config);
  program.AddStore(config);
  program.AddStoreLimits(config);
  program.Heading("Certificates");
  program.Number("--validity-days", config.validity_days, 1, 825,
                 "Lifetime of a device certificate");
  program.Heading("Limits");
  program.Number("--account-calls-per-minute", config.account_calls_per_minute, 1, 1'000'000,
                 "Enrollments that one computer, or one user, may ask for in a minute");
  return program.Run(argc, argv, service::StepsOf<ca::CaServer>(config));
}
