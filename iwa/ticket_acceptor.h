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
// What is accepted is bound to its request.
absl::StatusOr<std::unique_ptr<TicketAcceptor>> NewKerberosAcceptor(const Config& config);
// The same for whoever brings a ticket as browsers do, bound to the connection or to nothing, and
// is given no token for it.
absl::StatusOr<std::unique_ptr<TicketAcceptor>> NewWebAcceptor(const Config& config);

}  // namespace devicetrust::iwa
