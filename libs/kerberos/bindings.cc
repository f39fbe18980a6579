#include "libs/kerberos/bindings.h"

#include <span>

#include "libs/pki/digest.h"

namespace devicetrust::kerberos {
namespace {

void Append(std::span<const std::uint8_t> part, Bytes& out) {
  const auto size = static_cast<std::uint32_t>(part.size());
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>((size >> static_cast<unsigned>(shift)) & 0xffU));
  }
  out.insert(out.end(), part.begin(), part.end());
}

}  // namespace

Bindings BindingsOf(const BoundRequest& request) {
  Bytes text;
  Append(AsBytes(request.method), text);
  Append(AsBytes(request.iwa), text);
  Append(AsBytes(request.key_thumbprint), text);
  if (request.device_token.empty()) {
    Append({}, text);
  } else {
    Append(pki::Sha256(request.device_token), text);
  }
  return pki::Sha256(text);
}

}  // namespace devicetrust::kerberos
