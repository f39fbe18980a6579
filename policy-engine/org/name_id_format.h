#pragma once

#include <algorithm>
#include <string_view>

namespace devicetrust::policy {

// The formats by which SAML apps can name people (SAML core, section 8.3).
inline constexpr std::string_view kNameIdFormats[] = {
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
};

// One of them, or nothing: then somebody else decides.
inline bool IsNameIdFormatOrEmpty(std::string_view format) {
  return format.empty() || std::ranges::count(kNameIdFormats, format) > 0;
}

}  // namespace devicetrust::policy
