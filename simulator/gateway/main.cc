#include <fmt/format.h>

#include "libs/service/program.h"
#include "simulator/gateway/gateway_server.h"

namespace {

using devicetrust::gateway::Config;
using devicetrust::service::Need;
using devicetrust::service::Program;

void AddOrgHost(Program& program, Config& config) {
  program.Heading("Org host: sign-in and SAML");
  program.Text("--org-listen", config.org_listen, "HOST:PORT", "Where it listens");
  program.Text("--org-host", config.org_host, "NAME", "Its host name");
  program.Text("--org-cert", config.org_cert, "FILE", "Certificate for --org-host, PEM",
               Need::kRequired);
  program.Text("--org-key", config.org_key, "FILE", "Its private key, PEM, mode 0600",
               Need::kRequired);
  program.Text("--org-url", config.org_url, "URL",
               "What browsers see, e.g. https://sso.example.com (default: https://, --org-host and "
               "the port as bound)");
}

void AddMtlsHost(Program& program, Config& config) {
  program.Heading("mTLS host: device challenge");
  program.Text("--mtls-listen", config.mtls_listen, "HOST:PORT", "Where it listens");
  program.Text("--mtls-host", config.mtls_host, "NAME", "Its host name");
  program.Text("--mtls-cert", config.mtls_cert, "FILE",
               "Certificate for --mtls-host and *.MTLS-HOST, not for --org-host, PEM",
               Need::kRequired);
  program.Text("--mtls-key", config.mtls_key, "FILE", "Its private key, PEM, mode 0600",
               Need::kRequired);
  program.Number("--mtls-public-port", config.mtls_public_port, 0, 65535,
                 "Port that browsers see, 0: as bound");
  program.Choice("--mtls-names", config.mtls_names, {"fresh", "fixed"},
                 "A host name for each challenge, or one for all");
  program.Text("--device-ca", config.device_ca, "FILE", "Who signs device certificates, PEM",
               Need::kRequired);
}

void AddLimits(Program& program, Config& config) {
  program.Heading("Limits");
  program.Number("--threads", config.threads, 0, 256, "Serving threads, 0: one per core");
  program.Number("--revocation-age-max-ms", config.revocation_age_max_ms, 1000, 600'000,
                 "Trust nobody when revocation news are older, milliseconds");
  program.Number("--connections-max", config.connections_max, 1, 1'000'000, "Of each listener");
  program.Number("--connections-per-address-max", config.connections_per_address_max, 0, 1'000'000,
                 "Of each listener and client address, 0: no bound");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace devicetrust;
  Config config;
  Program program(
      "dt-gateway", DT_VERSION,
      "The org's HTTPS front: sign-in, SAML, device challenge over mutual TLS",
      {"dt-gateway --config gateway.toml --org-listen 0.0.0.0:443 --mtls-listen 0.0.0.0:8444"});
  program.AddComponent(config, "gateway");
  AddOrgHost(program, config);
  AddMtlsHost(program, config);
  program.AddOrgPeer(config);
  program.AddCaPeer(config);
  program.Text("--edge-ca-bundle", config.edge_ca_bundle, "FILE",
               "Who signs the servers that agents call, PEM; told to agents", Need::kRequired);
  AddLimits(program, config);

  service::Steps steps;
  steps.check = [&](const Clock& clock) { return gateway::CheckConfig(config, clock); };
  steps.start = [&](const Clock& clock, Random& random) -> absl::StatusOr<service::Service> {
    DT_ASSIGN_OR_RETURN(const std::shared_ptr<gateway::GatewayServer> server,
                        gateway::GatewayServer::Create(config, clock, random));
    return service::Service{
        server->addresses(), [server] { server->Stop(); },
        [server](std::chrono::milliseconds limit) { return server->WaitUntilReady(limit); },
        fmt::format("dt-policy at {} and dt-ca at {}", config.org_address, config.ca_address)};
  };
  return program.Run(argc, argv, steps);
}
