// libkrb5 takes its configuration from the process's environment, and from the machine's
// /etc/krb5.conf when there is none: then a forgotten line makes a test or a service talk to
// a realm on the Internet. So everything here refuses to work until KRB5_CONFIG is set.
#pragma once

#include <string>

#include "libs/base/status.h"

namespace devicetrust::kerberos {

// Sets KRB5_CONFIG to `krb5_config` for the whole process, and puts default credential cache
// and keytabs out of use, so that nobody's tickets are picked up by accident. Before the
// first use of this library and before other threads read the environment.
// Errors: kNotFound the file is unreadable.
absl::Status UseConfig(const std::string& krb5_config);

// kFailedPrecondition when KRB5_CONFIG is not set.
absl::Status RequireConfig();

}  // namespace devicetrust::kerberos
