// A web.config that an administrator has dt-iwa check.
#include "iwa/web_config.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  for (const char* site : {"https", "http"}) {
    const iwa::WebConfigReport report = iwa::CheckWebConfig(input.Text(), site);
    for (const iwa::WebConfigFault& fault : report.faults) {
      DT_CHECK(fault.line >= 1 && !fault.what.empty() && !fault.remedy.empty());
    }
  }
  return 0;
}
