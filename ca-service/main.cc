#include "ca-service/ca_server.h"
#include "ca-service/commands.h"
#include "libs/service/program.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  if (const auto code = ca::RunCommand(argc, argv)) return *code;
  return service::RunService<ca::CaServer, ca::Config>(
      {"dt-ca", DT_VERSION, "Device Trust certificate authority", ca::CommandExamples()}, argc,
      argv);
}
