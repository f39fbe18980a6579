#pragma once

#include <cstdint>
#include <string>

namespace devicetrust::net {

// Who listens on that TCP port of this machine: "nginx (pid 4121)". Empty when nobody
// does or /proc does not show it (another user's process).
std::string PortOwner(std::uint16_t port);

}  // namespace devicetrust::net
