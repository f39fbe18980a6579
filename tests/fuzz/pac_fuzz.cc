// The PAC's logon information: what was decoded is encoded and decoded to the same.
#include "libs/kerberos/pac.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto info = kerberos::DecodeLogonInfo({data, size});
  if (!info.ok()) return 0;
  const Bytes encoded = kerberos::EncodeLogonInfo(*info);
  if (encoded.size() > kerberos::kLogonInfoBytesMax) return 0;
  const auto again = kerberos::DecodeLogonInfo(encoded);
  DT_CHECK(again.ok());
  DT_CHECK(again->rid == info->rid && again->domain_sid == info->domain_sid &&
           again->group_rids == info->group_rids && again->extra_sids == info->extra_sids);
  return 0;
}
