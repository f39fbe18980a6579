#include "libs/net/endpoint.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include "libs/base/process.h"
#include "libs/net/port_owner.h"

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

absl::Status BindError(const error_code& error, const Tcp::endpoint& endpoint,
                       std::string_view flag) {
  const std::string where = AddressOf(endpoint);
  if (error == asio::error::address_in_use) {
    const std::string owner = PortOwner(endpoint.port());
    return absl::FailedPreconditionError(
        fmt::format("{} is in use{}{}; free it or choose another with {}", where,
                    owner.empty() ? "" : " by ", owner, flag));
  }
  return absl::FailedPreconditionError(
      fmt::format("can't listen at {}: {}; choose another with {}", where, error.message(), flag));
}

}  // namespace

std::string AddressOf(const Tcp::endpoint& endpoint) {
  const bool v6 = endpoint.address().is_v6();
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.address().to_string(), v6 ? "]" : "",
                     endpoint.port());
}

absl::StatusOr<Tcp::endpoint> ParseEndpoint(std::string_view address, std::string_view flag) {
  DT_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(address, flag));
  error_code error;
  const asio::ip::address parsed =
      asio::ip::make_address(parts.host == "localhost" ? "127.0.0.1" : parts.host, error);
  if (!error) return Tcp::endpoint(parsed, static_cast<std::uint16_t>(parts.port));
  return absl::InvalidArgumentError(fmt::format(
      "{}: \"{}\" is not HOST:PORT with an IP address, like 127.0.0.1:8443", flag, address));
}

absl::StatusOr<Tcp::endpoint> ResolveEndpoint(std::string_view address, std::string_view flag) {
  absl::StatusOr<Tcp::endpoint> parsed = ParseEndpoint(address, flag);
  if (parsed.ok()) return parsed;
  DT_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(address, flag));
  asio::io_context io;
  Tcp::resolver resolver(io);
  error_code error;
  const auto found =
      resolver.resolve(parts.host, std::to_string(parts.port),
                       Tcp::resolver::passive | Tcp::resolver::numeric_service, error);
  if (!error && !found.empty()) return found.begin()->endpoint();
  return absl::FailedPreconditionError(
      fmt::format("{}: \"{}\" does not resolve ({}); give an address of this machine", flag,
                  address, error.message()));
}

asio::ip::address Unmapped(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

absl::StatusOr<Tcp::acceptor> Listen(asio::io_context& io, const Tcp::endpoint& endpoint,
                                     std::string_view flag, bool shared) {
  Tcp::acceptor acceptor(io);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error && shared) acceptor.set_option(ReusePort(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(Tcp::acceptor::max_listen_connections, error);
  if (error) return BindError(error, endpoint, flag);
  return acceptor;
}

}  // namespace devicetrust::net
