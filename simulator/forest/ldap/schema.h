// The attributes that the fake directory knows, and how their values compare.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace devicetrust::simulator {

enum class LdapAttribute {
  kObjectClass,
  kObjectCategory,
  kCn,
  kName,
  kDistinguishedName,
  kSamAccountName,
  kSamAccountType,
  kUserPrincipalName,
  kDisplayName,
  kGivenName,
  kSurname,
  kMail,
  kMemberOf,
  kUserAccountControl,
  kPrimaryGroupId,
  kObjectSid,
  kObjectGuid,
  kAccountExpires,
  kPwdLastSet,
  kWhenCreated,
  kUsnChanged,
  kDnsHostName,
  kOperatingSystem,
  kOperatingSystemVersion,
};
inline constexpr int kLdapAttributeCount = 24;

enum class LdapSyntax {
  kText,      // ASCII letters compare without case.
  kNumber,    // 64-bit decimal; ordered, and bits can be tested.
  kName,      // Distinguished name.
  kSid,       // Binary; an assertion may also be S-1-….
  kBinary,    // Byte by byte.
  kCategory,  // Name of a schema object; an assertion may be a class name.
};

// The name as Active Directory spells it.
std::string_view NameOf(LdapAttribute attribute);
LdapSyntax SyntaxOf(LdapAttribute attribute);

// By name without regard to case; options (";binary") are ignored.
std::optional<LdapAttribute> FindLdapAttribute(std::string_view description);

// The form in which two values of the syntax compare equal: lower case, blanks around
// , and = of a name removed, binary SID, class of a category. Numbers stay text.
std::string CanonicalValue(LdapSyntax syntax, std::string_view value);

// Canonical distinguished name: lower case, no blanks around , and =.
std::string CanonicalName(std::string_view name);

}  // namespace devicetrust::simulator
