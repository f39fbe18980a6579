// The header of the PROXY protocol, version 2: how a load balancer that passes octets on says
// whose they are (HAProxy's proxy-protocol.txt, section 2.2). Strangers write one too: who listens
// takes it from proxies that were configured, and from nobody else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libs/base/status.h"
#include "libs/net/endpoint.h"

namespace devicetrust::net {

// Before all else that a header has; says how much follows.
inline constexpr std::size_t kProxyHeadBytes = 16;
// Addresses and whatever a proxy adds: what was negotiated, certificates' names.
inline constexpr std::size_t kProxyRestBytesMax = 4096;

// The octets behind the head. kInvalidArgument: it is no head of a header that is taken here: of
// another version, longer than kProxyRestBytesMax, or of a transport that is not TCP.
absl::StatusOr<std::size_t> ProxyRestBytes(std::span<const std::uint8_t, kProxyHeadBytes> head);

// Whose the connection is; nothing when it is the proxy's own (LOCAL: it looks whether we are
// well). `rest`: as long as ProxyRestBytes() said. What stands behind the addresses is not looked
// at. kInvalidArgument: too short for its addresses.
absl::StatusOr<std::optional<Tcp::endpoint>> ProxyClient(
    std::span<const std::uint8_t, kProxyHeadBytes> head, std::span<const std::uint8_t> rest);

}  // namespace devicetrust::net
