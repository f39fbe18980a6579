// Issuers of device certificates on their way to a root that is kept offline, and back: files.
#pragma once

#include <string>
#include <string_view>

#include "devicetrust/ca/v1/ca.pb.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// A request in DER as PEM.
std::string RequestToPem(std::string_view csr_der);

// The issuing certificate and its root, in PEM. kInvalidArgument names `file`.
absl::StatusOr<ca::v1::InstallIssuerRequest> ChainFromPem(const std::string& file,
                                                          std::string_view text);

// Issuers, roots and requests as tables for people; empty without any.
std::string IssuersText(const ca::v1::ListIssuersResponse& all);

}  // namespace devicetrust::admin
