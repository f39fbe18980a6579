#include "simulator/gateway/downloads/package_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/pki/digest.h"

namespace devicetrust::gateway {
namespace {

constexpr std::chrono::seconds kLookedAtEvery{5};
constexpr std::string_view kEarly = ".early";
constexpr std::size_t kNameBytesMax = 128;
constexpr std::string_view kExtensions[] = {"msi", "exe", "deb"};
constexpr std::string_view kFolders[] = {"agents/iwa", "devicetrust"};

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// A folder below `root`, through no link.
Descriptor OpenBelow(const std::string& root, std::string_view path) {
  Descriptor at(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (at.get() >= 0 && !path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string part(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
    at =
        Descriptor(openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  return at;
}

std::set<std::string> NamesIn(const Descriptor& folder) {
  std::set<std::string> names;
  DIR* const stream = fdopendir(dup(folder.get()));
  if (stream == nullptr) return names;
  while (const dirent* entry = readdir(stream)) names.insert(entry->d_name);
  closedir(stream);
  return names;
}

// Whether two looks at a file saw the same.
bool IsSame(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

std::optional<std::string> ReadWhole(const Descriptor& file, std::size_t size) {
  std::string octets(size, '\0');
  std::size_t at = 0;
  while (at < size) {
    const ssize_t count = read(file.get(), octets.data() + at, size - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    at += static_cast<std::size_t>(count);
  }
  return octets;
}

}  // namespace

std::optional<PackageName> ParsePackageName(std::string_view file_name) {
  if (file_name.size() > kNameBytesMax) return std::nullopt;
  const std::size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  PackageName name;
  name.extension = file_name.substr(dot + 1);
  if (std::ranges::count(kExtensions, name.extension) == 0) return std::nullopt;
  std::string_view rest = file_name.substr(0, dot);
  const std::size_t dash = rest.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  name.product = rest.substr(0, dash);
  const auto fits = [](char c) { return IsAlnum(c) || c == '-' || c == '_'; };
  if (!IsAlnum(name.product.front()) || !std::ranges::all_of(name.product, fits)) {
    return std::nullopt;
  }
  rest.remove_prefix(dash + 1);
  for (std::size_t i = 0; i < name.version.size(); ++i) {
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), name.version[i]);
    if (error != std::errc() || (rest.size() > 1 && rest[0] == '0' && IsDigit(rest[1]))) {
      return std::nullopt;
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const bool last = i + 1 == name.version.size();
    if (last != rest.empty() || (!last && rest.front() != '.')) return std::nullopt;
    if (!last) rest.remove_prefix(1);
  }
  return name;
}

struct PackageFolder::Seen {
  struct stat facts {};
  Package package;
};

PackageFolder::PackageFolder(std::string folder, std::size_t bytes_max)
    : folder_(std::move(folder)), bytes_max_(bytes_max) {
  packages_.Set(std::make_shared<const Packages>());
  if (folder_.empty()) return;
  Scan();
  loop_ = std::make_unique<BackgroundLoop>(kLookedAtEvery, [this]() -> BackgroundLoop::Pause {
    Scan();
    return kLookedAtEvery;
  });
}

void PackageFolder::Scan() {
  std::map<std::string, std::shared_ptr<const Seen>> seen;
  auto packages = std::make_shared<Packages>();
  std::size_t bytes = 0;
  for (const std::string_view below : kFolders) {
    const Descriptor folder = OpenBelow(folder_, below);
    if (folder.get() < 0) continue;
    const std::set<std::string> names = NamesIn(folder);
    for (const std::string& file_name : names) {
      std::optional<PackageName> name = ParsePackageName(file_name);
      if (!name || packages->size() >= kPackagesMax) continue;
      const Descriptor file(
          openat(folder.get(), file_name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      struct stat facts {};
      if (file.get() < 0 || fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
      const auto size = static_cast<std::size_t>(facts.st_size);
      const std::string path = fmt::format("/static/{}/{}", below, file_name);
      if (size == 0 || size > bytes_max_ - bytes) {
        if (size > 0) Log(LogLevel::kWarning, "gateway.package.too_large", {{"path", path}});
        continue;
      }
      const auto before = seen_.find(path);
      auto fresh = std::make_shared<Seen>();
      if (before != seen_.end() && IsSame(before->second->facts, facts)) {
        *fresh = *before->second;
      } else {
        std::optional<std::string> octets = ReadWhole(file, size);
        struct stat after {};
        // Somebody is still writing it: the next look finds it whole.
        if (!octets || fstat(file.get(), &after) != 0 || !IsSame(facts, after)) continue;
        fresh->facts = facts;
        fresh->package.path = path;
        fresh->package.name = *std::move(name);
        fresh->package.sha256_hex = HexEncode(pki::Sha256(*octets));
        fresh->package.octets = std::make_shared<const std::string>(*std::move(octets));
      }
      bytes += size;
      fresh->package.early_access = names.contains(file_name + std::string(kEarly));
      seen[path] = fresh;
      (*packages)[path] = std::shared_ptr<const Package>(fresh, &fresh->package);
    }
  }
  seen_ = std::move(seen);
  packages_.Set(std::move(packages));
}

}  // namespace devicetrust::gateway
