#pragma once

#include <boost/asio/ip/address.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::net {

// Addresses by their networks: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32".
class Networks {
 public:
  // kInvalidArgument names `flag` and the text that is none; a network has no bits behind its
  // prefix.
  static absl::StatusOr<Networks> Parse(const std::vector<std::string>& texts,
                                        std::string_view flag);

  // An IPv4 address counts as one also in the form that IPv6 sockets give it.
  bool Contain(const boost::asio::ip::address& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::array<std::uint8_t, 16> octets;  // An IPv4 address as ::ffff:a.b.c.d.
    std::size_t bits;
  };
  std::vector<Network> networks_;
};

}  // namespace devicetrust::net
