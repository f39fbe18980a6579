// Posts to a receiver of an event hook: by HTTPS alone, with its certificate and name checked, no
// redirect followed, within deadlines, and to public addresses unless the operator allows others
// (docs/threat-model.md).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/tls_context.h"
#include "policy-engine/log/hook_message.h"

namespace devicetrust::policy {

struct HookDeadlines {
  std::chrono::milliseconds connect{5'000};    // Name, TCP and TLS.
  std::chrono::milliseconds exchange{10'000};  // From the request to the end of the answer.
};

// OK: the receiver answered 2xx. Otherwise the message says what it did, for an administrator; of
// the answer itself it tells the status code and no more.
using PostHook =
    std::function<absl::Status(const std::string& url, const HookMessage& message,
                               HookDeadlines deadlines, const std::function<bool()>& given_up)>;

class HookPoster {
 public:
  // `trusted`: the CAs of receivers; without any, nothing is posted. `private_addresses`: they may
  // be on this machine, in this network, or wherever else is not public. Errors: those of
  // TlsContext.
  static absl::StatusOr<std::unique_ptr<HookPoster>> Create(std::vector<pki::Certificate> trusted,
                                                            bool private_addresses,
                                                            const Clock& clock);

  // Ends early, some 0.1 s after `given_up` says so. Thread-safe; blocks.
  absl::Status Post(const std::string& url, const HookMessage& message, HookDeadlines deadlines,
                    const std::function<bool()>& given_up) const;

 private:
  HookPoster(std::optional<pki::TlsContext> tls, bool private_addresses)
      : tls_(std::move(tls)), private_addresses_(private_addresses) {}

  std::optional<pki::TlsContext> tls_;
  const bool private_addresses_;
};

// kInvalidArgument, MALFORMED_REQUEST: no https URL, longer than 2,048 bytes, or with a private
// address as its host where those are not allowed.
absl::Status CheckHookUrl(const std::string& url, bool private_addresses);

// An IP address, numeric, that is not of the public Internet: loopback, private, link-local,
// shared, documentation, multicast, and IPv6 forms of those. Also what is no address.
bool IsPrivateAddress(const std::string& address);

}  // namespace devicetrust::policy
