#include "libs/testing/vectors.h"

#include <fstream>
#include <iterator>

#include "libs/base/check.h"

namespace devicetrust::testing {

std::string ReadVector(const std::string& name) {
  std::ifstream file(std::string(DT_VECTORS) + "/" + name, std::ios::binary);
  DT_CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Bytes ReadVectorBytes(const std::string& name) {
  const std::string text = ReadVector(name);
  return {text.begin(), text.end()};
}

}  // namespace devicetrust::testing
