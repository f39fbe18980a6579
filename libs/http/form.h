// Percent encoding, form data and cookies, strictly.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::http {

// Decodes %XX. kInvalidArgument: an escape that is not two hex digits, or a decoded NUL.
// `plus_is_space`: true for forms and queries, false for paths.
absl::StatusOr<std::string> PercentDecode(std::string_view text, bool plus_is_space);

// Encodes all but RFC 3986's unreserved characters.
std::string PercentEncode(std::string_view text);

struct Parameter {
  std::string name;
  std::string value;
  std::string raw_name;  // As sent: a SAML Redirect signature covers the raw octets.
  std::string raw_value;
};

// The parameters of a query or form, in order. A name may come twice: what Single()
// refuses and Find-by-hand could get wrong.
class Parameters {
 public:
  Parameters() = default;
  explicit Parameters(std::vector<Parameter> list) : list_(std::move(list)) {}

  // The parameter; nothing when it is absent. kInvalidArgument: it came more than once.
  absl::StatusOr<std::optional<Parameter>> Optional(std::string_view name) const;
  // The decoded value. kInvalidArgument: absent, or more than once.
  absl::StatusOr<std::string> Single(std::string_view name) const;
  // The decoded value, or `fallback` when absent. kInvalidArgument: more than once.
  absl::StatusOr<std::string> SingleOr(std::string_view name, std::string_view fallback) const;

  const std::vector<Parameter>& all() const { return list_; }

 private:
  std::vector<Parameter> list_;
};

inline constexpr std::size_t kParametersMax = 64;

// application/x-www-form-urlencoded. kInvalidArgument: more than kParametersMax pairs,
// a bad escape, an octet that must be escaped (controls, non-ASCII, blank).
absl::StatusOr<Parameters> ParseParameters(std::string_view text);

// "a=1&b=2", both sides percent-encoded.
std::string EncodeParameters(
    const std::vector<std::pair<std::string_view, std::string_view>>& pairs);

// A Cookie field's pairs, in order. Pairs that RFC 6265 does not allow are left out: other
// applications of the same domain may have set them, which is no fault of this request.
std::vector<std::pair<std::string, std::string>> ParseCookies(std::string_view field);

struct SetCookie {
  std::string name;                          // With the prefix __Host- it binds to one host.
  std::string value;                         // Cookie octets only: base64url and the like.
  std::optional<long> max_age_seconds = {};  // Absent: until the browser closes; 0 deletes.
  enum class SameSite { kStrict, kLax, kNone } same_site = SameSite::kLax;
  std::string path = "/";  // What lies below gets it; __Host- demands this one.
};

// The Set-Cookie value: always Secure, HttpOnly.
std::string FormatCookie(const SetCookie& cookie);

// Text safe as HTML content and inside a double-quoted attribute.
std::string EscapeHtml(std::string_view text);

}  // namespace devicetrust::http
