#include "libs/service/program.h"
#include "simulator/gateway/gateway_server.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  return service::RunService<gateway::GatewayServer, gateway::Config>(
      {"dt-gateway",
       DT_VERSION,
       "The org's HTTPS front: sign-in, SAML, device challenge over mutual TLS",
       {"dt-gateway --config gateway.toml --org-listen 0.0.0.0:443 --mtls-listen 0.0.0.0:8444"}},
      argc, argv);
}
