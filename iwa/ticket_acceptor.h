#pragma once

#include <memory>
#include <span>

#include "iwa/config.h"
#include "libs/base/status.h"
#include "libs/kerberos/acceptor.h"

namespace devicetrust::iwa {

// Who holds this ticket. Thread-safe.
class TicketAcceptor {
 public:
  virtual ~TicketAcceptor() = default;

  // Errors as kerberos::Acceptor::Accept.
  virtual absl::StatusOr<kerberos::Accepted> Accept(std::span<const std::uint8_t> spnego,
                                                    const kerberos::Bindings& bindings) = 0;
};

// A GSSAPI acceptor over the keytab of the configuration, which has a key of each realm served.
absl::StatusOr<std::unique_ptr<TicketAcceptor>> NewKerberosAcceptor(const Config& config);

}  // namespace devicetrust::iwa
