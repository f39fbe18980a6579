#include "libs/net/proxy_header.h"

#include <algorithm>

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;

constexpr std::array<std::uint8_t, 12> kSignature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                     0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::uint8_t kLocal = 0x20;  // Version 2 and the command.
constexpr std::uint8_t kProxy = 0x21;
constexpr std::uint8_t kTcp4 = 0x11;
constexpr std::uint8_t kTcp6 = 0x21;
// Source and destination: addresses, then ports.
constexpr std::size_t kTcp4Bytes = 4 + 4 + 2 + 2;
constexpr std::size_t kTcp6Bytes = 16 + 16 + 2 + 2;

std::uint16_t Number(std::span<const std::uint8_t> octets, std::size_t at) {
  return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}

template <typename Address>
Tcp::endpoint EndpointIn(std::span<const std::uint8_t> rest, std::size_t port_at) {
  typename Address::bytes_type octets;
  std::copy_n(rest.begin(), octets.size(), octets.begin());
  return {Unmapped(Address(octets)), Number(rest, port_at)};
}

}  // namespace

absl::StatusOr<std::size_t> ProxyRestBytes(std::span<const std::uint8_t, kProxyHeadBytes> head) {
  const std::uint8_t command = head[12];
  const std::uint8_t family = head[13];
  const std::size_t size = Number(head, 14);
  const bool known = std::equal(kSignature.begin(), kSignature.end(), head.begin()) &&
                     (command == kLocal || command == kProxy);
  if (!known || size > kProxyRestBytesMax) {
    return absl::InvalidArgumentError("not a header of the PROXY protocol, version 2");
  }
  if (command == kProxy && family != kTcp4 && family != kTcp6) {
    return absl::InvalidArgumentError("the PROXY header names no client over TCP");
  }
  return size;
}

absl::StatusOr<std::optional<Tcp::endpoint>> ProxyClient(
    std::span<const std::uint8_t, kProxyHeadBytes> head, std::span<const std::uint8_t> rest) {
  if (head[12] == kLocal) return std::nullopt;
  const bool v4 = head[13] == kTcp4;
  if (rest.size() < (v4 ? kTcp4Bytes : kTcp6Bytes)) {
    return absl::InvalidArgumentError("the PROXY header is too short for its addresses");
  }
  if (v4) return EndpointIn<asio::ip::address_v4>(rest, 8);
  return EndpointIn<asio::ip::address_v6>(rest, 32);
}

}  // namespace devicetrust::net
