// Text that goes into LDAP filters and names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace devicetrust::directory {

// `value` as an assertion value of a search filter (RFC 4515, section 3): everything
// but letters, digits and a few harmless marks becomes \XX, so that no input can
// close a parenthesis or add a wildcard. Any bytes are allowed.
std::string EscapeFilterValue(std::string_view value);

// The same for a binary attribute (objectSid, objectGUID): each byte as \XX.
std::string EscapeFilterBytes(std::span<const std::uint8_t> value);

// "corp.test" -> "DC=corp,DC=test": where the directory of a DNS domain begins.
// Characters with a meaning in distinguished names are escaped (RFC 4514).
std::string BaseNameOfDomain(std::string_view domain);

}  // namespace devicetrust::directory
