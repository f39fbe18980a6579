// URLs: an address that was taken is taken again, and means the same.
#include "libs/http/url.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto url = http::ParseUrl(input.Text());
  if (!url.ok()) return 0;
  const auto again = http::ParseUrl(url->Origin() + url->target);
  DT_CHECK(again.ok());
  DT_CHECK(again->host == url->host && again->port == url->port && again->target == url->target);
  DT_CHECK(again->IsLoopback() == url->IsLoopback());
  return 0;
}
