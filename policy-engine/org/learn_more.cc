#include "policy-engine/org/learn_more.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "libs/base/ascii.h"

namespace devicetrust::policy {
namespace {

constexpr std::string_view kScheme = "https://";

absl::Status UrlError(std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("the Learn-more address must be an absolute https URL with a public name, such "
                  "as https://help.example.com/device-trust: {}",
                  why));
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= 63 && IsAlnum(label.front()) && IsAlnum(label.back()) &&
         IsAll(label, [](char c) { return IsAlnum(c) || c == '-'; });
}

// Also what inet_aton and browsers read as an address: 2130706433, 0x7f.1, 127.1.
bool LooksLikeAddress(std::string_view host) {
  const std::size_t dot = host.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  return last.empty() || IsAll(last, IsDigit) || last.starts_with("0x");
}

absl::Status ValidatePort(std::string_view port) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535) {
    return UrlError("its port is none");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsDnsName(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::size_t labels = 0;
  for (std::size_t begin = 0; begin <= name.size(); ++labels) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (!IsLabel(name.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return labels >= 2;
}

absl::Status ValidateLearnMoreUrl(std::string_view url) {
  if (url.size() > kLearnMoreBytesMax) {
    return UrlError(fmt::format("it is longer than {} bytes", kLearnMoreBytesMax));
  }
  if (!std::ranges::all_of(url, IsVisible) ||
      url.find_first_of("\\\"<>`{}|^") != std::string_view::npos) {
    return UrlError("it holds characters that must be percent-encoded");
  }
  if (LowerCase(url.substr(0, kScheme.size())) != kScheme) return UrlError("it is not https");

  const std::string_view rest = url.substr(kScheme.size());
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) return UrlError("it holds a user name");
  if (authority.starts_with('[')) return UrlError("its host is an address");
  const std::size_t colon = authority.find(':');
  if (colon != std::string_view::npos)
    DT_RETURN_IF_ERROR(ValidatePort(authority.substr(colon + 1)));

  const std::string host = LowerCase(authority.substr(0, colon));
  if (LooksLikeAddress(host)) return UrlError("its host is an address");
  if (!IsDnsName(host)) return UrlError("its host is not a DNS name of two or more labels");
  if (host.ends_with(".localhost")) return UrlError(".localhost is each reader's own computer");
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
