// Short texts that come from outside: trace ids, callers' names, addresses, encodings, times.
#include "libs/base/encoding.h"
#include "libs/base/process.h"
#include "libs/base/trace.h"
#include "libs/rpc/caller.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  if (const auto id = ParseTraceParent(input.Text())) DT_CHECK(*id != TraceId());
  if (const auto caller = rpc::ParseCaller(input.Text()); caller.ok()) {
    DT_CHECK(rpc::IsName(caller->name) && rpc::IsName(caller->org));
  }
  DT_FUZZ_USE(ParseHostPort(input.Text(), "--listen"));
  if (const auto bytes = HexDecode(input.Text()); bytes.ok()) {
    DT_CHECK(HexEncode(*bytes).size() == size);
  }
  DT_FUZZ_USE(Base64UrlDecode(input.Text()));
  DT_FUZZ_USE(JsonQuote(input.Text()));
  DT_FUZZ_USE(CutText(input.Text(), 16));
  return 0;
}
