#include "agent/linux/browser_setup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "agent/computer.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/digest.h"

namespace devicetrust::agent {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFolders[] = {"/etc/chromium/policies/managed",
                                    "/etc/opt/chrome/policies/managed",
                                    "/etc/opt/edge/policies/managed"};
constexpr const char* kFileName = "zz-device-trust.json";
constexpr const char* kPolicy = "AutoSelectCertificateForUrls";

std::string DigestOf(std::string_view text) { return HexEncode(pki::Sha256(text)); }

// Digests of what we wrote, by path: two while a file is being replaced, so that a power cut makes
// nobody else's of it.
class Written {
 public:
  explicit Written(const Paths& paths) : file_(paths.machine_state() + "/policies") {
    const auto text = ReadFile(file_);
    if (!text.ok()) return;
    std::istringstream lines(*text);
    std::string digest;
    std::string path;
    while (lines >> digest && std::getline(lines >> std::ws, path)) digests_[path].insert(digest);
  }
  bool IsOurs(const std::string& path, std::string_view text) const {
    const auto found = digests_.find(path);
    return found != digests_.end() && found->second.contains(DigestOf(text));
  }
  bool Knows(const std::string& path) const { return digests_.contains(path); }
  absl::Status Expect(const std::string& path, std::string_view text) {
    digests_[path].insert(DigestOf(text));
    return Save();
  }
  absl::Status Done(const std::string& path, std::string_view text) {
    digests_[path] = {DigestOf(text)};
    return Save();
  }
  absl::Status Forget(const std::string& path) {
    digests_.erase(path);
    return Save();
  }

 private:
  absl::Status Save() const {
    std::error_code error;
    fs::create_directories(fs::path(file_).parent_path(), error);
    std::string text;
    for (const auto& [path, digests] : digests_) {
      for (const std::string& digest : digests) text += fmt::format("{} {}\n", digest, path);
    }
    return WriteFileAtomically(file_, text, 0644);
  }
  const std::string file_;
  std::map<std::string, std::set<std::string>> digests_;
};

// The entries that other files of the folder set: of the last of them, which is the one in force.
std::vector<std::string> EntriesOfOthers(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json" && entry.path().filename() != kFileName) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<std::string> entries;
  for (const fs::path& file : files) {
    const auto text = ReadFile(file.string());
    const json policies = json::parse(text.ok() ? *text : "", nullptr, /*allow_exceptions=*/false);
    if (!policies.is_object() || !policies.contains(kPolicy)) continue;
    entries.clear();
    for (const json& entry : policies[kPolicy]) {
      if (entry.is_string()) entries.push_back(entry.get<std::string>());
    }
  }
  return entries;
}

absl::Status Changed(const std::string& path) {
  return absl::FailedPreconditionError(
      fmt::format("{} was written or changed by somebody else, and stays as it is", path));
}

}  // namespace

std::string AutoSelectEntry(const std::string& mtls_host) {
  const json entry = {{"pattern", fmt::format("https://[*.]{}", mtls_host)},
                      {"filter", {{"ISSUER", {{"CN", std::string(kIssuerCommonName)}}}}}};
  return entry.dump();
}

std::vector<std::string> PolicyFiles(const Paths& paths) {
  std::vector<std::string> files;
  for (const char* folder : kFolders) {
    files.push_back(fmt::format("{}{}/{}", paths.root, folder, kFileName));
  }
  return files;
}

absl::Status SetUpBrowsers(const Paths& paths, const std::string& mtls_host) {
  Written written(paths);
  absl::Status status;
  for (const std::string& path : PolicyFiles(paths)) {
    const std::string folder = fs::path(path).parent_path().string();
    std::vector<std::string> entries = EntriesOfOthers(folder);
    const std::string own = AutoSelectEntry(mtls_host);
    if (std::ranges::find(entries, own) == entries.end()) entries.push_back(own);
    const std::string text = json{{kPolicy, entries}}.dump(2) + "\n";
    const auto present = ReadFile(path);
    if (present.ok() && *present == text && written.Knows(path)) continue;
    if (present.ok() && !written.IsOurs(path, *present)) {
      status.Update(Changed(path));
      continue;
    }
    std::error_code error;
    fs::create_directories(folder, error);
    DT_RETURN_IF_ERROR(written.Expect(path, text));
    DT_RETURN_IF_ERROR(WriteFileAtomically(path, text, 0644));
    DT_RETURN_IF_ERROR(written.Done(path, text));
  }
  return status;
}

absl::Status CleanUpBrowsers(const Paths& paths) {
  Written written(paths);
  absl::Status status;
  for (const std::string& path : PolicyFiles(paths)) {
    const auto present = ReadFile(path);
    if (!written.Knows(path)) continue;
    if (present.ok() && !written.IsOurs(path, *present)) {
      status.Update(Changed(path));
      continue;
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      return absl::PermissionDeniedError(fmt::format("{}: cannot be deleted", path));
    }
    DT_RETURN_IF_ERROR(written.Forget(path));
  }
  return status;
}

}  // namespace devicetrust::agent
