// Form data, queries and cookies: what is parsed and written again is the same.
#include <utility>
#include <vector>

#include "libs/http/form.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  DT_FUZZ_USE(http::ParseCookies(input.Text()));
  DT_FUZZ_USE(http::EscapeHtml(input.Text()));
  DT_FUZZ_USE(http::PercentDecode(input.Text(), false));
  const auto parameters = http::ParseParameters(input.Text());
  if (!parameters.ok()) return 0;
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (const http::Parameter& each : parameters->all()) pairs.emplace_back(each.name, each.value);
  const auto again = http::ParseParameters(http::EncodeParameters(pairs));
  DT_CHECK(again.ok() && again->all().size() == pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    DT_CHECK(again->all()[i].name == pairs[i].first && again->all()[i].value == pairs[i].second);
  }
  return 0;
}
