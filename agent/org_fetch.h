// HTTPS of the agent: one document of the org host.
#pragma once

#include <string>

#include "agent/discovery.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::agent {

// Blocks for one TLS connection, through `http_proxy` (install_options.h) unless that is empty.
// Errors: kInvalidArgument the URL is no https one, the trust is no PEM, or the answer is
// malformed; kUnavailable, kDeadlineExceeded, kUnauthenticated as in libs/http/client.h;
// kUnavailable for an answer other than 200.
absl::StatusOr<Discovery> FetchDiscovery(const std::string& org_url, const std::string& trust_pem,
                                         const Clock& clock, const std::string& http_proxy = {});

}  // namespace devicetrust::agent
