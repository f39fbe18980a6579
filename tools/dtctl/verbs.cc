#include "tools/dtctl/verbs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "libs/admin/text.h"
#include "libs/base/files.h"
#include "libs/base/printable.h"

namespace devicetrust::ctl {

int Failed(const absl::Status& status) {
  std::cerr << admin::ErrorText("dtctl", status);
  return kFailed;
}

int Usage(std::string_view what) {
  std::cerr << "dtctl: " << Printable(what) << ".\n";
  return kUsageError;
}

int Nothing(std::string_view what) {
  std::cerr << "dtctl: " << Printable(what) << ".\n";
  return kDone;
}

int Print(bool json, const google::protobuf::Message& message, const std::string& text) {
  std::cout << (json ? admin::ToJson(message) + "\n" : PrintableLines(text));
  return kDone;
}

int Confirm(const std::string& act, bool yes) {
  if (yes) return kDone;
  if (isatty(STDIN_FILENO) == 0) {
    std::cerr << "dtctl: this would " << Printable(act) << "\n"
              << "       Nothing was done. Add --yes to do it without being asked.\n";
    return kUsageError;
  }
  std::cerr << "About to " << Printable(act) << ".\nGo on? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return kDone;
  std::cerr << "Nothing was done.\n";
  return kFailed;
}

absl::StatusOr<std::string> ReadInput(const std::string& path, std::size_t bytes_max) {
  if (path != "-") return ReadFile(path, bytes_max);
  std::string text;
  char block[16 * 1024];
  while (std::cin.read(block, sizeof block) || std::cin.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > bytes_max) {
      return absl::InvalidArgumentError(
          fmt::format("standard input is longer than {} bytes", bytes_max));
    }
  }
  return text;
}

std::string InputName(const std::string& path) { return path == "-" ? "standard input" : path; }

}  // namespace devicetrust::ctl
