#include "policy-engine/enrollment/iwa_version.h"

#include <algorithm>
#include <charconv>

namespace devicetrust::policy {

std::optional<IwaVersion> IwaVersion::Parse(std::string_view text) {
  IwaVersion version;
  std::size_t count = 0;
  for (std::size_t begin = 0; begin <= text.size(); ++count) {
    if (count == version.parts.size()) return std::nullopt;
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    if (part.empty() || part.size() > 9) return std::nullopt;
    const auto [stop, error] =
        std::from_chars(part.data(), part.data() + part.size(), version.parts[count]);
    if (error != std::errc() || stop != part.data() + part.size()) return std::nullopt;
    begin = end + 1;
  }
  if (count < 2) return std::nullopt;
  return version;
}

}  // namespace devicetrust::policy
