#include <iostream>

#include "tools/dtctl/text.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {

int Failed(const absl::Status& status) {
  std::cerr << ErrorText(status);
  return EXIT_FAILURE;
}

int ShowDeviceTrust(AdminClient& client, const DeviceTrustOptions& options) {
  const auto settings = client.GetSettings();
  if (!settings.ok()) return Failed(settings.status());
  std::cout << (options.json ? ToJson(*settings) + "\n" : SettingsText(*settings));
  return EXIT_SUCCESS;
}

int SwitchDeviceTrust(AdminClient& client, bool enabled, const DeviceTrustOptions& options) {
  org::v1::SetDeviceTrustRequest request;
  request.set_enabled(enabled);
  request.set_force(options.force);
  if (options.learn_more_url.has_value()) request.set_learn_more_url(*options.learn_more_url);
  const auto answer = client.SetDeviceTrust(request);
  if (!answer.ok()) return Failed(answer.status());
  for (const std::string& warning : answer->warnings()) {
    std::cerr << "warning: " << Printable(warning) << "\n";
  }
  std::cout << (options.json ? ToJson(answer->settings()) + "\n"
                             : SettingsText(answer->settings()));
  return EXIT_SUCCESS;
}

int Explain(AdminClient& client, const std::string& code, bool json) {
  const auto decision = client.Explain(code);
  if (!decision.ok()) return Failed(decision.status());
  std::cout << (json ? ToJson(*decision) + "\n" : DecisionText(*decision));
  return EXIT_SUCCESS;
}

}  // namespace devicetrust::ctl
