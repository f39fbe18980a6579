#include "policy-engine/config.h"

#include "libs/service/options.h"

namespace devicetrust::policy {

void Describe(Config& config, service::Options& options) {
  service::DescribeComponent(config, "policy", options);
  service::DescribeInternalListener(config, options);
  service::DescribeCaPeer(config, options);
  service::DescribeGrowingStore(config, options);
  options.Text("log-database", config.log_database, "URL", "The System Log's, sqlite:PATH");
  service::DescribeDirectories(config, service::Need::kOptional, options);
  options.Heading("Org");
  options.OnOff("capability", config.capability,
                "Switch Device Trust for the whole deployment (default: as it was, at first on)");
}

}  // namespace devicetrust::policy
