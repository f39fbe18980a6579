#include "libs/token/bound_request.h"

#include <span>

#include "libs/pki/digest.h"

namespace devicetrust::token {
namespace {

void AppendWithLength(std::span<const std::uint8_t> part, Bytes& out) {
  const auto size = static_cast<std::uint32_t>(part.size());
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>((size >> static_cast<unsigned>(shift)) & 0xffU));
  }
  out.insert(out.end(), part.begin(), part.end());
}

}  // namespace

Bytes BindingsOf(const BoundRequest& request) {
  Bytes text;
  AppendWithLength(AsBytes(request.method), text);
  AppendWithLength(AsBytes(request.iwa), text);
  AppendWithLength(AsBytes(request.key_thumbprint), text);
  if (request.device_token.empty()) {
    AppendWithLength({}, text);
  } else {
    AppendWithLength(pki::Sha256(request.device_token), text);
  }
  const pki::Sha256Digest digest = pki::Sha256(text);
  return {digest.begin(), digest.end()};
}

}  // namespace devicetrust::token
