// A folder of a test's or benchmark's own.
#pragma once

#include <string>
#include <string_view>

namespace devicetrust::testing {

// New, empty, for this user only; deleted with all that is in it, unless DT_KEEP is set in the
// environment: then it stays, and its name is printed. As the first member it outlives
// whatever keeps files open in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }  // Absolute, no slash at the end.

 private:
  std::string path_;
};

// The path of `name` in it: "sqlite:" + folder / "ca.db".
std::string operator/(const TempFolder& folder, std::string_view name);

}  // namespace devicetrust::testing
