#pragma once

#include <memory>
#include <span>
#include <string>

#include "iwa/config.h"
#include "libs/base/status.h"
#include "libs/directory/client.h"
#include "libs/kerberos/acceptor.h"

namespace devicetrust::iwa {

// What the IWA asks of its domain: who holds this ticket, and what the directory says of
// the account now. Calls block for two seconds at most. Thread-safe.
class Domain {
 public:
  virtual ~Domain() = default;

  // Errors as kerberos::Acceptor::Accept.
  virtual absl::StatusOr<kerberos::Accepted> Accept(std::span<const std::uint8_t> spnego,
                                                    const kerberos::Bindings& bindings) = 0;
  // Errors as directory::LdapDirectory; kNotFound when no such account exists.
  virtual absl::StatusOr<directory::Computer> FindComputer(const std::string& sid) = 0;
  virtual absl::StatusOr<directory::User> FindUser(const std::string& sid) = 0;
};

// Active Directory: a GSSAPI acceptor over the keytab, and LDAP over TLS.
absl::StatusOr<std::unique_ptr<Domain>> NewActiveDirectory(const Config& config);

}  // namespace devicetrust::iwa
