// The two lines on the device task's socket.
#include "agent/linux/device_task_lines.h"
#include "libs/rpc/error.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line = fuzz::Input(data, size).Text();
  if (const auto request = agent::ParseDeviceRequest(line); request.ok()) {
    const std::string again = agent::FormatDeviceRequest(*request);
    DT_CHECK(again.find('\n') == std::string::npos);
    const auto same = agent::ParseDeviceRequest(again);
    DT_CHECK(same.ok() && *same == *request);
  }
  if (const auto answer = agent::ParseDeviceAnswer(line)) {
    const std::string again = agent::FormatDeviceAnswer(*answer);
    DT_CHECK(again.find('\n') == std::string::npos);
    const auto same = agent::ParseDeviceAnswer(again);
    DT_CHECK(same && same->status().code() == answer->status().code());
    DT_CHECK(same->status().message() == answer->status().message());
    DT_CHECK(!answer->ok() || **same == **answer);
  }
  return 0;
}
