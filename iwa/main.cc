#include <string>

#include "iwa/config.h"
#include "iwa/iwa_server.h"
#include "iwa/status_service.h"
#include "libs/service/program.h"

int main(int argc, char** argv) {
  using namespace devicetrust;
  return service::RunService<iwa::IwaServer, iwa::Config>(
      {"dt-iwa",
       std::string(DT_VERSION) + " (as IWA " + iwa::kIwaVersion + ")",
       "Integrated Windows authentication server: proof of domain membership",
       {"dt-iwa --config iwa.toml status"}},
      argc, argv);
}
