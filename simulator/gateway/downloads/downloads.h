// GET below /static/: packages by name and version, for whoever has the address, whole or in parts;
// and what there is for everybody. Uses the folder and libs/http alone.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "libs/http/message.h"
#include "simulator/gateway/downloads/package_folder.h"

namespace devicetrust::gateway {

inline constexpr std::string_view kDownloadsPath = "/static/";

// Nothing: there is no such package. One range of octets is answered alone (RFC 9110, section 14);
// several are answered by the whole.
std::optional<http::Response> ServePackage(const PackageFolder& folder,
                                           const http::Request& request);

// Generally available ones: by product, the newest version first.
std::vector<std::shared_ptr<const Package>> ListedPackages(const PackageFolder& folder);

// The same as JSON: {"packages":[{"path","product","version","extension","size","sha256"}]}.
http::Response ListPackagesJson(const PackageFolder& folder);

}  // namespace devicetrust::gateway
