// The servers that an enrollment talks to. Blocking, thread-safe: one object serves any
// number of computers.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery.h"
#include "agent/renewal.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::agent {

// An IWA's answer: a token, and the reply that proves who gave it.
struct TokenAnswer {
  std::string token;
  Bytes spnego_reply;
};

struct CertificateAnswer {
  Bytes certificate_der;
  std::vector<pki::Certificate> issuers;      // The one that signed it first, its root last.
  std::optional<RenewalWindow> renewal = {};  // Unset: the CA does not say.
};

// The certificate that a new one is to follow.
struct Renewed {
  std::string serial;   // Empty: there is none, or none that can be read.
  bool forced = false;  // Somebody asked for it: also when the former one is revoked.
};

// Errors of all calls: what the server said, with its reason (libs/rpc/error.h), or
// kUnavailable, kDeadlineExceeded when it did not answer.
class Services {
 public:
  virtual ~Services() = default;

  // `org_url`: "https://HOST[:PORT]". kInvalidArgument: the URL or the answer is malformed.
  virtual absl::StatusOr<std::shared_ptr<const Discovery>> Discover(const std::string& org_url) = 0;

  virtual absl::StatusOr<TokenAnswer> IssueDeviceToken(const Discovery& discovery,
                                                       const IwaEntry& iwa, const Bytes& spnego,
                                                       const std::string& key_thumbprint) = 0;
  virtual absl::StatusOr<TokenAnswer> IssueUserToken(const Discovery& discovery,
                                                     const IwaEntry& iwa, const Bytes& spnego,
                                                     const std::string& key_thumbprint,
                                                     const std::string& device_token) = 0;
  virtual absl::StatusOr<CertificateAnswer> Enroll(const Discovery& discovery,
                                                   const std::string& user_token,
                                                   const Bytes& csr_der,
                                                   const Renewed& renewed) = 0;
};

}  // namespace devicetrust::agent
