// A call of the console: which method, and its body. What is taken as a message reads the same once
// it was written and taken again.
#include "libs/rpc/error.h"
#include "simulator/gateway/console/transcoder.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const std::string_view text = input.Text();
  const std::size_t line = text.find('\n');
  const std::string_view name = text.substr(0, line);
  const std::string_view body = line == std::string_view::npos ? "" : text.substr(line + 1);
  const auto* method = gateway::FindConsoleMethod(name);
  if (method == nullptr) return 0;
  const auto wire = gateway::ToWire(*method->input_type(), body);
  if (!wire.ok()) {
    DT_CHECK(rpc::ReasonOf(wire.status()) == reason::v1::REASON_MALFORMED_REQUEST);
    DT_FUZZ_USE(gateway::ErrorJson(wire.status()));
    return 0;
  }
  const auto json = gateway::ToJson(*method->input_type(), *wire);
  if (!json.ok()) return 0;  // A time that has no text.
  const auto again = gateway::ToWire(*method->input_type(), *json);
  DT_CHECK(again.ok());
  DT_CHECK(gateway::ToJson(*method->input_type(), *again).value() == *json);
  return 0;
}
