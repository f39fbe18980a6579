// The attributes that the fake directory knows, and how their values compare.
#pragma once

#include <cstdint>
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
  kLockoutTime,
  kComputedAccountControl,
  kLockoutDuration,
  kPwdLastSet,
  kWhenCreated,
  kUsnChanged,
  kDnsHostName,
  kOperatingSystem,
  kOperatingSystemVersion,
  kOrganizationalUnit,
  kDomainComponent,
  kGroupType,
  kMember,
  kTokenGroups,
  kIsDeleted,
  kWhenChanged,
  kTrustPartner,
  kFlatName,
  kSecurityIdentifier,
  kTrustDirection,
  kTrustType,
  kTrustAttributes,
  kSupportedEncryptionTypes,
  kLogonHours,
  kSidHistory,
};
inline constexpr int kLdapAttributeCount = 43;

enum class LdapSyntax {
  kText,      // Compares as names do (libs/base/names.h).
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

// The form in which two values of the syntax compare equal: folded case, blanks around
// , and = of a name removed, binary SID, class of a category. Numbers stay text.
std::string CanonicalValue(LdapSyntax syntax, std::string_view value);

// "20260101000000.0Z" (X.680, section 46).
std::string GeneralizedTime(std::int64_t unix_seconds);

// Canonical distinguished name (RFC 4514): folded case, no blanks around , and =, "cn" for
// 2.5.4.3, a value escaped as in the account table however it was written. What is no name
// gets some form that no entry has.
std::string CanonicalName(std::string_view name);
bool IsName(std::string_view name);

// The value of a name's first part without its escapes: "Hopper, Grace" of
// "CN=Hopper\, Grace,OU=Staff,DC=corp,DC=test".
std::string FirstNameValue(std::string_view name);

}  // namespace devicetrust::simulator
