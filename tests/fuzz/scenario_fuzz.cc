// Scenario files.
#include "simulator/scenario/file/scenario_file.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  DT_FUZZ_USE(simulator::ParseScenario("fuzz.yaml", input.Text()));
  return 0;
}
