// What a proxy answers to CONNECT.
#include "libs/http/tunnel.h"

#include <algorithm>

#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view head = fuzz::Input(data, size).Text();
  const absl::Status status = http::CheckTunnelAnswer(head);
  if (status.ok()) DT_CHECK(head.starts_with("HTTP/1.") && head[9] == '2');
  DT_CHECK(status.ok() || absl::IsPermissionDenied(status) || absl::IsUnavailable(status));
  DT_CHECK(std::ranges::all_of(status.message(), [](char c) { return c >= ' ' && c <= '~'; }));
  return 0;
}
