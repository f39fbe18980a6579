#include "ca-service/ca_server.h"
#include "libs/service/program.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  return service::RunService<ca::CaServer, ca::Config>(
      {"dt-ca", DT_VERSION, "Device Trust certificate authority", {}}, argc, argv);
}
