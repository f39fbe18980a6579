#include "libs/rpc/peer_address.h"

#include <string_view>

namespace devicetrust::rpc {

std::string PeerAddress(const grpc::ServerContext* context) {
  return context == nullptr ? std::string() : AddressOfPeer(context->peer());
}

std::string AddressOfPeer(std::string peer) {
  if (peer.starts_with("unix-abstract:devicetrust/")) return peer.substr(peer.rfind('/') + 1);
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) return {};
  std::string_view address(peer);
  address.remove_prefix(5);
  address = address.substr(0, address.rfind(':'));
  for (const std::string_view open : {"%5B", "["}) {
    if (address.starts_with(open)) address.remove_prefix(open.size());
  }
  for (const std::string_view close : {"%5D", "]"}) {
    if (address.ends_with(close)) address.remove_suffix(close.size());
  }
  return std::string(address);
}

}  // namespace devicetrust::rpc
