// Results of dt-sim run, the page of one, and the sum of two.
#include "simulator/report/result.h"

#include "simulator/report/comparison.h"
#include "simulator/report/html_report.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const absl::StatusOr<simulator::RunResult> result = simulator::ParseResult(input.Text());
  if (!result.ok()) return 0;
  DT_FUZZ_USE(simulator::HtmlReport(*result));
  const simulator::RunResult sum = simulator::MergeResults({*result, *result});
  DT_FUZZ_USE(simulator::ToJson(sum));
  return 0;
}
