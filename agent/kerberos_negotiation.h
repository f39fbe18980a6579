// Negotiation by libs/kerberos: for computers whose credentials we hold ourselves.
#pragma once

#include <memory>
#include <string_view>

#include "agent/computer.h"
#include "libs/kerberos/credentials.h"

namespace devicetrust::agent {

// Errors as in kerberos::Initiator::Start().
absl::StatusOr<std::unique_ptr<Negotiation>> StartKerberos(kerberos::Credentials credentials,
                                                           std::string_view service,
                                                           const kerberos::Bindings& bindings);

}  // namespace devicetrust::agent
