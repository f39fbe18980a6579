// What is in a sealed cookie, should a key ever be lost: unpacking reads nothing that is not there,
// and is done only when all was read.
#include "simulator/gateway/sso/packing.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t order = input.Choice();
  gateway::Unpacker unpacker(input.Bytes(), 1);
  gateway::Packer packer(1);
  for (unsigned bit = 0; bit < 8; ++bit) {
    if ((order >> bit & 1U) != 0) {
      packer.Text(unpacker.Text());
    } else {
      packer.Number(unpacker.Number());
    }
  }
  if (!unpacker.Done()) return 0;
  const Bytes again = packer.Take();
  DT_CHECK(std::equal(again.begin(), again.end(), input.Bytes().begin(), input.Bytes().end()));
  return 0;
}
