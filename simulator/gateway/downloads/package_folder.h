// Packages for computers and IWA servers, in a folder that an operator fills (ORG-7):
//
//   FOLDER/agents/iwa/NAME-x.y.z.EXT      FOLDER/devicetrust/NAME-x.y.z.EXT
//
// with .msi, .exe or .deb as EXT. A file NAME-x.y.z.EXT.early beside one, whatever it holds, makes
// it early access: it is got by its address and not listed. Everything else in the folder is left
// alone: other names, links, folders, files that change while they are read. Uses libs alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/bytes.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"

namespace devicetrust::gateway {

// Of `a` and `b` alone: which comes first. Numbers, part by part.
using PackageVersion = std::array<std::uint32_t, 3>;

struct PackageName {
  std::string product;  // "dt-agent"
  PackageVersion version{};
  std::string extension;  // "msi", "exe", "deb"
};
// Nothing: it is not the name of a package.
std::optional<PackageName> ParsePackageName(std::string_view file_name);

struct Package {
  std::string path;  // "/static/devicetrust/dt-agent-1.4.1.msi"
  PackageName name;
  bool early_access = false;
  std::string sha256_hex;
  std::shared_ptr<const std::string> octets;
};

// Thread-safe. What is served and what its hash says are one: packages are held in memory, as they
// were when they were hashed.
class PackageFolder {
 public:
  static constexpr std::size_t kPackagesMax = 500;

  // Looks at the folder now and every few seconds. An empty one is none: there are no packages.
  PackageFolder(std::string folder, std::size_t bytes_max);
  PackageFolder(const PackageFolder&) = delete;
  PackageFolder& operator=(const PackageFolder&) = delete;

  using Packages = std::map<std::string, std::shared_ptr<const Package>, std::less<>>;  // By path.
  std::shared_ptr<const Packages> packages() const { return packages_.Get(); }

  // Looks now. What has not changed is not read again.
  void Scan();

 private:
  struct Seen;  // A file as it was read.

  const std::string folder_;
  const std::size_t bytes_max_;
  std::map<std::string, std::shared_ptr<const Seen>> seen_;  // By path; of Scan() alone.
  Snapshot<Packages> packages_;
  std::unique_ptr<BackgroundLoop> loop_;  // Last: it uses the above.
};

}  // namespace devicetrust::gateway
