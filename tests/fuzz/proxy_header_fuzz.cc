// The header by which a load balancer says whose a connection is.
#include "libs/net/proxy_header.h"

#include <span>

#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> all(data, size);
  if (all.size() < net::kProxyHeadBytes) return 0;
  const auto head = all.first<net::kProxyHeadBytes>();
  const auto rest = net::ProxyRestBytes(head);
  if (!rest.ok()) return 0;
  DT_CHECK(*rest <= net::kProxyRestBytesMax);
  if (all.size() - head.size() < *rest) return 0;
  const auto client = net::ProxyClient(head, all.subspan(head.size(), *rest));
  // What is behind the header belongs to the client.
  if (client.ok() && client->has_value()) DT_CHECK(!net::AddressOf(**client).empty());
  return 0;
}
