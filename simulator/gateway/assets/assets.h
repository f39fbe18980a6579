// The files of the folder web/, which the build puts into this program: style sheets and scripts
// of its pages. All of them together have one address, /assets/HASH/, whose hash is that of their
// contents; so scripts import each other by relative names, and a browser keeps each for good. A
// new file needs nothing but to be there. Uses libs alone.
#pragma once

#include <string>
#include <string_view>

#include "libs/http/message.h"

namespace devicetrust::gateway {

inline constexpr std::string_view kAssetsPath = "/assets/";

// Of the file web/NAME: "/assets/HASH/console/main.js". There must be one.
std::string AssetUrl(std::string_view name);

// What the file web/NAME holds. There must be one.
std::string_view AssetText(std::string_view name);

// For a GET below kAssetsPath, compressed where the browser takes that. 404 when there is no such
// file. Under the hash of another release, as while gateways are replaced one by one, it is what
// this one has, and nobody keeps it.
http::Response ServeAsset(const http::Request& request);

}  // namespace devicetrust::gateway
