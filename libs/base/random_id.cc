#include "libs/base/random_id.h"

#include "libs/base/bytes.h"
#include "libs/base/encoding.h"

namespace devicetrust {

absl::StatusOr<std::string> NewRandomId(Random& random) {
  Bytes id(16);
  DT_RETURN_IF_ERROR(random.Fill(id));
  return Base64UrlEncode(id);
}

absl::StatusOr<std::string> NewRandomHex(std::size_t octets, Random& random) {
  Bytes id(octets);
  DT_RETURN_IF_ERROR(random.Fill(id));
  return HexEncode(id);
}

}  // namespace devicetrust
