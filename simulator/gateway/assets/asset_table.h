// What the build made of web/ (embed_assets.py).
#pragma once

#include <span>
#include <string_view>

namespace devicetrust::gateway {

struct Asset {
  std::string_view name;  // "console/main.js"; the table is sorted by it.
  std::string_view type;
  std::string_view plain;
  std::string_view gzip;
};

std::span<const Asset> AssetTable();
std::string_view AssetsHash();  // 16 hex digits, of all names and contents.

}  // namespace devicetrust::gateway
