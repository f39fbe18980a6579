// libkrb5 takes its configuration from the process's environment, and from the machine's
// /etc/krb5.conf when there is none: then a forgotten line makes a test or a service talk to
// a realm on the Internet. So everything here refuses to work until KRB5_CONFIG is set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::kerberos {

// Sets KRB5_CONFIG to `krb5_config` for the whole process, and puts default credential cache
// and keytabs out of use, so that nobody's tickets are picked up by accident. Before the
// first use of this library and before other threads read the environment.
// Errors: kNotFound the file is unreadable.
absl::Status UseConfig(const std::string& krb5_config);

// The same for a program that runs on a computer of the domain as one of its users: that computer's
// own configuration (KRB5_CONFIG, else /etc/krb5.conf). Returns the name of the credential cache
// that the user's logon filled (KRB5CCNAME, else as the configuration says), which is out of use
// for all but who names it.
absl::StatusOr<std::string> UseMachineConfig();

// Sends what this library asks a KDC of one of `realms` to 127.0.0.1:`port`, over one UDP socket
// per thread that stays open: libkrb5 by itself opens one for each question and looks the KDC up
// again, which costs a process full of virtual computers more than the ticket. Whatever is not
// answered with a ticket there (an error, an answer too long for UDP, silence) is asked again
// in libkrb5's own way, so nothing is lost by it. For the whole process; no realms end it,
// whereupon the calling thread closes its socket, and each other one when it asks again or ends.
void UseLoopbackKdc(std::vector<std::string> realms, std::uint16_t port);

// kFailedPrecondition when KRB5_CONFIG is not set.
absl::Status RequireConfig();

}  // namespace devicetrust::kerberos
