#include "simulator/gateway/assets/assets.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/check.h"
#include "simulator/gateway/assets/asset_table.h"

namespace devicetrust::gateway {
namespace {

const Asset* Find(std::string_view name) {
  const auto table = AssetTable();
  const auto found = std::ranges::lower_bound(table, name, {}, &Asset::name);
  return found != table.end() && found->name == name ? &*found : nullptr;
}

// Whether gzip is among the codings of an Accept-Encoding field, and not by a weight of 0
// (RFC 9110, section 12.5.3).
bool TakesGzip(const http::Request& request) {
  std::string_view field = request.fields.Find("accept-encoding").value_or("");
  while (!field.empty()) {
    const std::size_t comma = field.find(',');
    std::string_view item = field.substr(0, comma);
    field = comma == std::string_view::npos ? std::string_view() : field.substr(comma + 1);
    item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
    if (!item.starts_with("gzip")) continue;
    item.remove_prefix(4);
    if (!item.empty() && item.front() != ';' && item.front() != ' ') continue;
    return item.find("q=0") == std::string_view::npos ||
           item.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

}  // namespace

std::string AssetUrl(std::string_view name) {
  DT_CHECK(Find(name) != nullptr);
  return fmt::format("{}{}/{}", kAssetsPath, AssetsHash(), name);
}

std::string_view AssetText(std::string_view name) {
  const Asset* asset = Find(name);
  DT_CHECK(asset != nullptr);
  return asset->plain;
}

http::Response ServeAsset(const http::Request& request) {
  std::string_view path = request.path;
  path.remove_prefix(std::min(kAssetsPath.size(), path.size()));
  const std::size_t slash = path.find('/');
  const Asset* asset = slash == std::string_view::npos ? nullptr : Find(path.substr(slash + 1));
  if (asset == nullptr) return http::Text(404, "There is no file at this address.\n");

  http::Response response;
  response.fields.Set("content-type", asset->type);
  response.fields.Set("vary", "accept-encoding");
  response.fields.Set("cross-origin-resource-policy", "same-origin");
  if (path.substr(0, slash) == AssetsHash()) {
    response.fields.Set("cache-control", "public, max-age=31536000, immutable");
  }
  const bool gzip = TakesGzip(request);
  if (gzip) response.fields.Set("content-encoding", "gzip");
  static const auto kProgram = std::make_shared<bool>(true);  // Its octets end with it.
  response.shared_body = {kProgram, gzip ? asset->gzip : asset->plain};
  return response;
}

}  // namespace devicetrust::gateway
