#pragma once

#include <grpcpp/server_context.h>

#include <string>

namespace devicetrust::rpc {

// The numeric address that a call came from, without its port: "192.0.2.1", "2001:db8::1". Empty
// for null, and where the peer has none.
std::string PeerAddress(const grpc::ServerContext* context);

// The same of gRPC's text: "ipv4:192.0.2.1:40312", "ipv6:%5B2001:db8::1%5D:40312", or the name of a
// socket of our own front (front.cc), "unix-abstract:devicetrust/PROCESS/NUMBER/PORT/ADDRESS".
std::string AddressOfPeer(std::string peer);

}  // namespace devicetrust::rpc
