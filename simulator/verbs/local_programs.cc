#include "simulator/verbs/local_programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace devicetrust::simulator {

bool IsProgram(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

bool IsInstalled(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (IsProgram(std::string(rest.substr(0, end)) + "/" + program)) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

absl::Status CheckCommand(const std::vector<std::string>& command) {
  if (command.empty()) return absl::OkStatus();
  const std::string& program = command.front();
  const bool has_path = program.find('/') != std::string::npos;
  if (has_path ? IsProgram(program) : IsInstalled(program)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("-- {}: {}", program,
                  has_path ? "that is no program that can be run" : "there is no such program"));
}

std::string Suggestion(const std::string& command, bool is_there, std::string_view needs) {
  return fmt::format("             {}{}\n", command,
                     is_there ? "" : fmt::format("     (needs: {})", needs));
}

std::string OpenBrowserPath(const std::string& bin_dir) {
  std::error_code ignored;
  const std::filesystem::path near = bin_dir + "/../../../tools/open-browser";
  if (!IsProgram(near.string())) return "";
  const std::filesystem::path from_here = std::filesystem::proximate(near, ignored);
  return (*from_here.begin() == ".." ? std::filesystem::canonical(near, ignored) : from_here)
      .string();
}

}  // namespace devicetrust::simulator
