#include "libs/base/client_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace devicetrust {

std::string ClientNetwork(std::string_view address) {
  // A zone, as in fe80::1%eth0, says which link; the prefix is the same on all of them.
  const std::string text(address.substr(0, address.find('%')));
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return std::string(address);
  std::array<char, INET6_ADDRSTRLEN> shown{};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    in_addr v4{};
    std::copy_n(v6.s6_addr + 12, 4, reinterpret_cast<unsigned char*>(&v4.s_addr));
    inet_ntop(AF_INET, &v4, shown.data(), shown.size());
    return shown.data();
  }
  std::fill_n(v6.s6_addr + 8, 8, std::uint8_t{0});
  inet_ntop(AF_INET6, &v6, shown.data(), shown.size());
  return std::string(shown.data()) + "/64";
}

}  // namespace devicetrust
