#pragma once

#include <string>
#include <string_view>

namespace devicetrust {

// Who is counted as one client by address: an IPv4 address, also as ::ffff:192.0.2.1, or the /64
// of an IPv6 address, of which anybody has 2^64: "2001:db8:1:2::/64". Text that is no address is
// returned as it is.
std::string ClientNetwork(std::string_view address);

}  // namespace devicetrust
