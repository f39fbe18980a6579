// The devices of a running environment as files: what a browser or curl can use.
#pragma once

#include <string>

#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "simulator/deployment/endpoints.h"

namespace devicetrust::simulator {

// Writes NAME.pem, NAME.key and NAME.p12 into `folder`, which exists, and returns an entry
// with their paths. Files have mode 0600.
absl::StatusOr<EndpointDevice> WriteDevice(const std::string& folder, const std::string& name,
                                           const std::string& user, const std::string& state,
                                           const pki::ExportableIdentity& identity);

}  // namespace devicetrust::simulator
