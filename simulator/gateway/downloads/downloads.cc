#include "simulator/gateway/downloads/downloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"

namespace devicetrust::gateway {
namespace {

struct Range {
  std::size_t first = 0;
  std::size_t size = 0;
};

std::optional<std::size_t> NumberOf(std::string_view text) {
  if (text.empty() || text.size() > 18 || !std::ranges::all_of(text, IsDigit)) return std::nullopt;
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

enum class RangeKind { kNone, kOne, kBeyond };

// "bytes=0-99", "bytes=100-", "bytes=-100". What is none, or several, counts as not sent.
RangeKind ParseRange(std::string_view field, std::size_t size, Range& range) {
  constexpr std::string_view kUnit = "bytes=";
  if (!field.starts_with(kUnit)) return RangeKind::kNone;
  field.remove_prefix(kUnit.size());
  const std::size_t dash = field.find('-');
  if (dash == std::string_view::npos) return RangeKind::kNone;
  const std::string_view begin = field.substr(0, dash);
  const std::string_view end = field.substr(dash + 1);
  const auto first = NumberOf(begin);
  const auto last = NumberOf(end);
  if ((!begin.empty() && !first) || (!end.empty() && !last)) return RangeKind::kNone;
  if (begin.empty()) {
    if (!last) return RangeKind::kNone;
    if (*last == 0) return RangeKind::kBeyond;
    range.size = std::min(*last, size);
    range.first = size - range.size;
    return RangeKind::kOne;
  }
  if (last && *last < *first) return RangeKind::kNone;
  if (*first >= size) return RangeKind::kBeyond;
  range.first = *first;
  range.size = std::min(last.value_or(size - 1), size - 1) - *first + 1;
  return RangeKind::kOne;
}

std::string VersionText(const PackageVersion& version) {
  return fmt::format("{}.{}.{}", version[0], version[1], version[2]);
}

}  // namespace

std::optional<http::Response> ServePackage(const PackageFolder& folder,
                                           const http::Request& request) {
  const auto packages = folder.packages();
  const auto found = packages->find(request.path);
  if (found == packages->end()) return std::nullopt;
  const Package& package = *found->second;
  const std::string etag = '"' + package.sha256_hex + '"';
  http::Response response;
  response.fields.Set("etag", etag);
  response.fields.Set("accept-ranges", "bytes");
  response.fields.Set("cache-control", "public, max-age=300");
  if (request.Has(etag)) {
    response.status = 304;
    return response;
  }
  response.fields.Set("content-type", "application/octet-stream");
  response.fields.Set("content-disposition", "attachment");
  response.fields.Set("digest",
                      "sha-256=" + Base64Encode(HexDecode(package.sha256_hex).value_or(Bytes())));
  const std::size_t size = package.octets->size();
  Range range{0, size};
  const auto field = request.fields.Find("range");
  const auto if_range = request.fields.Find("if-range");
  if (field && request.fields.Count("range") == 1 && (!if_range || *if_range == etag)) {
    switch (ParseRange(*field, size, range)) {
      case RangeKind::kNone:
        break;
      case RangeKind::kOne:
        response.status = 206;
        response.fields.Set("content-range", fmt::format("bytes {}-{}/{}", range.first,
                                                         range.first + range.size - 1, size));
        break;
      case RangeKind::kBeyond: {
        http::Response beyond = http::Text(416, "there is no such part of the package\n");
        beyond.fields.Set("content-range", fmt::format("bytes */{}", size));
        return beyond;
      }
    }
  }
  response.shared_body = {package.octets,
                          std::string_view(*package.octets).substr(range.first, range.size)};
  return response;
}

std::vector<std::shared_ptr<const Package>> ListedPackages(const PackageFolder& folder) {
  const auto packages = folder.packages();  // Held: another look at the folder replaces it.
  std::vector<std::shared_ptr<const Package>> listed;
  for (const auto& [path, package] : *packages) {
    if (!package->early_access) listed.push_back(package);
  }
  std::ranges::sort(listed, [](const auto& a, const auto& b) {
    return std::tie(a->name.product, b->name.version, a->name.extension) <
           std::tie(b->name.product, a->name.version, b->name.extension);
  });
  return listed;
}

http::Response ListPackagesJson(const PackageFolder& folder) {
  std::string rows;
  for (const auto& package : ListedPackages(folder)) {
    rows += fmt::format(
        "{}{{\"path\":{},\"product\":{},\"version\":\"{}\",\"extension\":\"{}\",\"size\":{},"
        "\"sha256\":\"{}\"}}",
        rows.empty() ? "" : ",", JsonQuote(package->path), JsonQuote(package->name.product),
        VersionText(package->name.version), package->name.extension, package->octets->size(),
        package->sha256_hex);
  }
  return http::Json(200, fmt::format("{{\"packages\":[{}]}}", rows));
}

}  // namespace devicetrust::gateway
