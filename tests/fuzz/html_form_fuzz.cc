// Pages as the virtual browser reads them.
#include "simulator/browser/html_form.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  DT_FUZZ_USE(simulator::ElementText(input.Text(), "title"));
  if (const auto form = simulator::ParseForm(input.Text())) DT_FUZZ_USE(form->Encode());
  return 0;
}
