// Addresses as options name them, and listening at one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::net {

using Tcp = boost::asio::ip::tcp;

// "127.0.0.1:8443", "[::1]:8443".
std::string AddressOf(const Tcp::endpoint& endpoint);

// That form, or "localhost:PORT", to an endpoint; kInvalidArgument names `flag`.
absl::StatusOr<Tcp::endpoint> ParseEndpoint(std::string_view address, std::string_view flag);

// The same, but HOST may be any name that resolves on this machine. Asks the resolver, so it may
// take its time. kFailedPrecondition: it does not resolve.
absl::StatusOr<Tcp::endpoint> ResolveEndpoint(std::string_view address, std::string_view flag);

// An IPv4 address that came over an IPv6 socket (RFC 4291, section 2.5.5.2) as what it is.
boost::asio::ip::address Unmapped(const boost::asio::ip::address& address);

// Binds and listens. `shared`: beside the listeners of our other threads (SO_REUSEPORT).
// kFailedPrecondition: the port is in use, or needs a right that this process lacks; the message
// names the holder when it can, and `flag`.
absl::StatusOr<Tcp::acceptor> Listen(boost::asio::io_context& io, const Tcp::endpoint& endpoint,
                                     std::string_view flag, bool shared);

}  // namespace devicetrust::net
