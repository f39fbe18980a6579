#include "libs/testing/temp_folder.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "libs/base/check.h"

namespace devicetrust::testing {

TempFolder::TempFolder()
    : path_((std::filesystem::temp_directory_path() / "dt-test-XXXXXX").string()) {
  DT_CHECK(mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() {
  if (std::getenv("DT_KEEP") != nullptr) {
    std::cerr << "kept: " << path_ << '\n';
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string operator/(const TempFolder& folder, std::string_view name) {
  return folder.path() + "/" + std::string(name);
}

}  // namespace devicetrust::testing
