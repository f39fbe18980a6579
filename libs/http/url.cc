#include "libs/http/url.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "absl/strings/match.h"

#include "libs/base/ascii.h"

namespace devicetrust::http {
namespace {

// Names as DNS has them, and as people have them in their own networks: with underscores.
bool IsName(std::string_view host) {
  constexpr std::size_t kNameBytesMax = 253;
  if (host.ends_with('.')) host.remove_suffix(1);
  bool in_label = false;
  for (const char c : host) {
    if (c == '.' ? !in_label : !IsBase64Url(c)) return false;
    in_label = c != '.';
  }
  return in_label && host.size() <= kNameBytesMax;
}

bool IsHost(const std::string& host) {
  if (!host.starts_with('[')) return IsName(host);
  std::array<unsigned char, sizeof(in6_addr)> octets{};
  return host.size() > 2 && host.ends_with(']') &&
         inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), octets.data()) == 1;
}

}  // namespace

std::string Url::Origin() const {
  const bool usual = port == (https ? 443 : 80);
  return fmt::format("{}://{}{}", https ? "https" : "http", host,
                     usual ? std::string() : fmt::format(":{}", port));
}

std::string Url::Address() const { return fmt::format("{}:{}", host, port); }

bool Url::IsLoopback() const {
  return absl::EqualsIgnoreCase(host, "localhost") ||
         absl::EndsWithIgnoreCase(host, ".localhost") || host == "127.0.0.1" || host == "[::1]";
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not an absolute http or https URL", text.substr(0, 200)));
  };
  Url url;
  const std::size_t colon = text.find("://");
  if (colon == text.npos) return bad();
  const std::string_view scheme = text.substr(0, colon);
  url.https = EqualIgnoringCase(scheme, "https");
  if (!url.https && !EqualIgnoringCase(scheme, "http")) return bad();
  url.port = url.https ? 443 : 80;
  std::string_view rest = text.substr(colon + 3);
  for (const char c : rest) {
    if (!IsVisible(c) || c == '\\' || c == '"') return bad();
  }
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");

  const std::string_view authority = rest.substr(0, end);
  const std::size_t close = authority.find(']');
  const std::size_t port = authority.find(':', close == authority.npos ? 0 : close);
  url.host = authority.substr(0, port);
  if (!IsHost(url.host)) return bad();
  if (port == authority.npos) return url;
  const std::string_view digits = authority.substr(port + 1);
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
  const bool whole = error == std::errc() && stop == digits.data() + digits.size();
  if (!whole || url.port == 0) return bad();
  return url;
}

}  // namespace devicetrust::http
