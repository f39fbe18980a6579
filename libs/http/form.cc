#include "libs/http/form.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/ascii.h"
#include "libs/base/octet_class.h"

namespace devicetrust::http {
namespace {

constexpr OctetClass kUnreserved([](char c) { return IsBase64Url(c) || c == '.' || c == '~'; });

// RFC 6265, section 4.1.1: cookie-octet.
constexpr OctetClass kCookieOctet([](char c) {
  return IsVisible(c) && c != '"' && c != ',' && c != ';' && c != '\\';
});

constexpr OctetClass kCookieNameChar([](char c) {
  return kUnreserved(c) || std::string_view("!#$%&'*+^`|").find(c) != std::string_view::npos;
});

constexpr OctetClass kPlainInHtml([](char c) {
  return std::string_view("&<>\"'").find(c) == std::string_view::npos;
});

}  // namespace

absl::StatusOr<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0) return absl::InvalidArgumentError("percent escape is not %XX");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return absl::InvalidArgumentError("NUL in a URL or form");
    decoded.push_back(c);
  }
  return decoded;
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kUnreserved(c)) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded.push_back('%');
    encoded.push_back(kHex[byte >> 4]);
    encoded.push_back(kHex[byte & 15]);
  }
  return encoded;
}

absl::StatusOr<std::optional<Parameter>> Parameters::Optional(std::string_view name) const {
  const Parameter* found = nullptr;
  for (const Parameter& parameter : list_) {
    if (parameter.name != name) continue;
    if (found != nullptr) {
      return absl::InvalidArgumentError(fmt::format("parameter {} came more than once", name));
    }
    found = &parameter;
  }
  if (found == nullptr) return std::optional<Parameter>();
  return std::optional<Parameter>(*found);
}

absl::StatusOr<std::string> Parameters::Single(std::string_view name) const {
  DT_ASSIGN_OR_RETURN(std::optional<Parameter> found, Optional(name));
  if (!found) return absl::InvalidArgumentError(fmt::format("parameter {} is missing", name));
  return std::move(found->value);
}

absl::StatusOr<std::string> Parameters::SingleOr(std::string_view name,
                                                 std::string_view fallback) const {
  DT_ASSIGN_OR_RETURN(std::optional<Parameter> found, Optional(name));
  return found ? std::move(found->value) : std::string(fallback);
}

absl::StatusOr<Parameters> ParseParameters(std::string_view text) {
  std::vector<Parameter> list;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (list.size() == kParametersMax) return absl::InvalidArgumentError("too many parameters");
    for (const char c : pair) {
      if (!IsVisible(c)) {
        return absl::InvalidArgumentError("octet in a query or form that must be escaped");
      }
    }
    const std::size_t equals = std::min(pair.find('='), pair.size());
    Parameter parameter;
    parameter.raw_name = pair.substr(0, equals);
    parameter.raw_value = pair.substr(std::min(equals + 1, pair.size()));
    DT_ASSIGN_OR_RETURN(parameter.name, PercentDecode(parameter.raw_name, true));
    DT_ASSIGN_OR_RETURN(parameter.value, PercentDecode(parameter.raw_value, true));
    list.push_back(std::move(parameter));
  }
  return Parameters(std::move(list));
}

std::string EncodeParameters(
    const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text.push_back('&');
    text += PercentEncode(name);
    text.push_back('=');
    text += PercentEncode(value);
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> ParseCookies(std::string_view field) {
  std::vector<std::pair<std::string, std::string>> cookies;
  while (!field.empty()) {
    const std::size_t end = std::min(field.find(';'), field.size());
    std::string_view pair = field.substr(0, end);
    field.remove_prefix(std::min(end + 1, field.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    if (kCookieNameChar.HasAll(name) && kCookieOctet.HasAll(value)) {
      cookies.emplace_back(name, value);
    }
  }
  return cookies;
}

std::string FormatCookie(const SetCookie& cookie) {
  std::string text = fmt::format("{}={}; Path={}; Secure; HttpOnly; SameSite=", cookie.name,
                                 cookie.value, cookie.path);
  switch (cookie.same_site) {
    case SetCookie::SameSite::kStrict:
      text += "Strict";
      break;
    case SetCookie::SameSite::kLax:
      text += "Lax";
      break;
    case SetCookie::SameSite::kNone:
      text += "None";
      break;
  }
  if (cookie.max_age_seconds) text += fmt::format("; Max-Age={}", *cookie.max_age_seconds);
  return text;
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (true) {
    const std::size_t run = kPlainInHtml.Run(text);
    escaped += text.substr(0, run);
    if (run == text.size()) return escaped;
    switch (text[run]) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += "&#39;";
        break;
    }
    text.remove_prefix(run + 1);
  }
}

}  // namespace devicetrust::http
