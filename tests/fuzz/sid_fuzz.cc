// SIDs in both forms, and values that go into an LDAP filter.
#include <string>

#include "libs/directory/escape.h"
#include "libs/directory/sid.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  if (const auto text = directory::SidToText(input.Bytes()); text.ok()) {
    const auto binary = directory::SidFromText(*text);
    DT_CHECK(binary.ok() && std::equal(binary->begin(), binary->end(), data, data + size));
  }
  if (const auto binary = directory::SidFromText(input.Text()); binary.ok()) {
    DT_CHECK(directory::SidToText(*binary).ok());
  }
  const std::string escaped = directory::EscapeFilterValue(input.Text());
  DT_CHECK(escaped.find_first_of(std::string("*()\0", 4)) == std::string::npos);
  DT_FUZZ_USE(directory::BaseNameOfDomain(input.Text()));
  return 0;
}
