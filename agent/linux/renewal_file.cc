#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "agent/linux/personal_store.h"
#include "libs/base/files.h"

namespace devicetrust::agent {

std::map<std::string, std::int64_t> RenewalFile::Read() const {
  std::map<std::string, std::int64_t> moments;
  const auto text = ReadFile(path_);
  if (!text.ok()) return moments;
  std::istringstream lines(*text);
  std::string serial;
  std::int64_t seconds = 0;
  while (lines >> serial >> seconds) moments[serial] = seconds;
  return moments;
}

absl::Status RenewalFile::Write(const std::map<std::string, std::int64_t>& moments) const {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  std::string text;
  for (const auto& [serial, seconds] : moments) text += fmt::format("{} {}\n", serial, seconds);
  return WriteFileAtomically(path_, text);
}

std::optional<WallTime> RenewalFile::Find(const std::string& serial) const {
  const auto moments = Read();
  const auto found = moments.find(serial);
  if (found == moments.end()) return std::nullopt;
  return AtUnixSeconds(found->second);
}

absl::Status RenewalFile::Set(const std::string& serial, WallTime renew_at) const {
  auto moments = Read();
  moments[serial] = UnixSeconds(renew_at);
  return Write(moments);
}

// At worst a line too many stays.
void RenewalFile::Forget(const std::string& serial) const {
  auto moments = Read();
  if (moments.erase(serial) > 0) Write(moments).IgnoreError();
}

}  // namespace devicetrust::agent
