#include "simulator/forest/ldap/schema.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/bytes.h"
#include "libs/base/names.h"
#include "libs/directory/sid.h"
#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {
namespace {

struct Known {
  LdapAttribute attribute;
  std::string_view name;
  LdapSyntax syntax;
};

using A = LdapAttribute;
using S = LdapSyntax;
// In the order of the enumeration.
constexpr std::array<Known, kLdapAttributeCount> kKnown = {{
    {A::kObjectClass, "objectClass", S::kText},
    {A::kObjectCategory, "objectCategory", S::kCategory},
    {A::kCn, "cn", S::kText},
    {A::kName, "name", S::kText},
    {A::kDistinguishedName, "distinguishedName", S::kName},
    {A::kSamAccountName, "sAMAccountName", S::kText},
    {A::kSamAccountType, "sAMAccountType", S::kNumber},
    {A::kUserPrincipalName, "userPrincipalName", S::kText},
    {A::kDisplayName, "displayName", S::kText},
    {A::kGivenName, "givenName", S::kText},
    {A::kSurname, "sn", S::kText},
    {A::kMail, "mail", S::kText},
    {A::kMemberOf, "memberOf", S::kName},
    {A::kUserAccountControl, "userAccountControl", S::kNumber},
    {A::kPrimaryGroupId, "primaryGroupID", S::kNumber},
    {A::kObjectSid, "objectSid", S::kSid},
    {A::kObjectGuid, "objectGUID", S::kBinary},
    {A::kAccountExpires, "accountExpires", S::kNumber},
    {A::kLockoutTime, "lockoutTime", S::kNumber},
    {A::kComputedAccountControl, "msDS-User-Account-Control-Computed", S::kNumber},
    {A::kLockoutDuration, "lockoutDuration", S::kNumber},
    {A::kPwdLastSet, "pwdLastSet", S::kNumber},
    {A::kWhenCreated, "whenCreated", S::kText},
    {A::kUsnChanged, "uSNChanged", S::kNumber},
    {A::kDnsHostName, "dNSHostName", S::kText},
    {A::kOperatingSystem, "operatingSystem", S::kText},
    {A::kOperatingSystemVersion, "operatingSystemVersion", S::kText},
    {A::kOrganizationalUnit, "ou", S::kText},
    {A::kDomainComponent, "dc", S::kText},
    {A::kGroupType, "groupType", S::kNumber},
    {A::kMember, "member", S::kName},
    {A::kTokenGroups, "tokenGroups", S::kSid},
    {A::kIsDeleted, "isDeleted", S::kText},
    {A::kWhenChanged, "whenChanged", S::kText},
    {A::kTrustPartner, "trustPartner", S::kText},
    {A::kFlatName, "flatName", S::kText},
    {A::kSecurityIdentifier, "securityIdentifier", S::kSid},
    {A::kTrustDirection, "trustDirection", S::kNumber},
    {A::kTrustType, "trustType", S::kNumber},
    {A::kTrustAttributes, "trustAttributes", S::kNumber},
    {A::kSupportedEncryptionTypes, "msDS-SupportedEncryptionTypes", S::kNumber},
    {A::kLogonHours, "logonHours", S::kBinary},
    {A::kSidHistory, "sIDHistory", S::kSid},
}};

constexpr bool InOrder() {
  for (std::size_t i = 0; i < kKnown.size(); ++i) {
    if (kKnown[i].attribute != static_cast<LdapAttribute>(i)) return false;
  }
  return true;
}
static_assert(InOrder());

// "CN=Person,CN=Schema,…", "person" and "user" -> "person": AD lets an assertion name a
// class and takes that class's category.
std::string CanonicalCategory(std::string_view value) {
  std::string lower = LowerCase(value);
  if (lower.starts_with("cn=")) lower = lower.substr(3, lower.find(',') - 3);
  if (lower == "user" || lower == "organizationalperson") return "person";
  if (lower == "organizationalunit") return "organizational-unit";
  if (lower == "trusteddomain") return "trusted-domain";
  return lower == "domaindns" ? "domain-dns" : lower;
}

// Takes an attribute value from the front of `rest`, up to the separator that ends it (, or
// +) or the end. `valid` becomes false on what RFC 4514 does not allow.
std::string TakeValue(std::string_view& rest, bool& valid) {
  std::string value;
  std::size_t keep = 0;  // Blanks at the end count when they were escaped.
  std::size_t i = rest.find_first_not_of(' ');
  if (i == rest.npos) i = rest.size();
  for (; i < rest.size() && rest[i] != ',' && rest[i] != '+'; ++i) {
    char c = rest[i];
    valid = valid && std::string_view("\";<>\0", 5).find(c) == std::string_view::npos;
    const bool escaped = c == '\\';
    if (escaped) {
      const std::string_view behind = rest.substr(i + 1);
      const int high = behind.empty() ? -1 : HexValue(behind[0]);
      const int low = behind.size() < 2 ? -1 : HexValue(behind[1]);
      if (high >= 0 && low >= 0) {
        c = static_cast<char>(high * 16 + low);
        i += 2;
      } else if (!behind.empty()) {
        valid = valid && std::string_view(" \"#+,;<=>\\").find(behind[0]) != std::string_view::npos;
        c = behind[0];
        i += 1;
      } else {
        valid = false;
      }
    }
    value += c;
    if (escaped || c != ' ') keep = value.size();
  }
  value.resize(keep);
  rest.remove_prefix(i);
  return value;
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The canonical form of an attribute type in a name.
std::string CanonicalType(std::string_view type) {
  if (type == "2.5.4.3") return "cn";
  if (type == "2.5.4.11") return "ou";
  if (type == "0.9.2342.19200300.100.1.25") return "dc";
  return LowerCase(type);
}

// The canonical form of `name`, and whether it is one at all.
std::pair<std::string, bool> Canonicalize(std::string_view name) {
  std::string out;
  bool valid = true;
  while (!name.empty()) {
    const std::size_t equals = name.find('=');
    const std::string_view type = Trimmed(name.substr(0, equals));
    valid = valid && equals != name.npos &&
            IsAll(type, [](char c) { return IsAlnum(c) || c == '-' || c == '.'; });
    out += CanonicalType(type);
    if (equals == name.npos) return {out, false};
    name.remove_prefix(equals + 1);
    out += '=';
    out += EscapeRdnValue(FoldName(TakeValue(name, valid)));
    if (name.empty()) break;
    out += name.front();
    name.remove_prefix(1);
    valid = valid && !name.empty();
  }
  return {out, valid};
}

}  // namespace

std::string_view NameOf(LdapAttribute attribute) {
  return kKnown[static_cast<std::size_t>(attribute)].name;
}

LdapSyntax SyntaxOf(LdapAttribute attribute) {
  return kKnown[static_cast<std::size_t>(attribute)].syntax;
}

std::optional<LdapAttribute> FindLdapAttribute(std::string_view description) {
  const std::string_view wanted = description.substr(0, description.find(';'));
  for (const Known& known : kKnown) {
    if (std::equal(wanted.begin(), wanted.end(), known.name.begin(), known.name.end(),
                   [](char a, char b) { return ToLower(a) == ToLower(b); })) {
      return known.attribute;
    }
  }
  return std::nullopt;
}

std::string GeneralizedTime(std::int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  return fmt::format("{:%Y%m%d%H%M%S}.0Z", fmt::gmtime(seconds));
}

std::string CanonicalName(std::string_view name) { return Canonicalize(name).first; }

bool IsName(std::string_view name) { return Canonicalize(name).second; }

std::string FirstNameValue(std::string_view name) {
  bool valid = true;
  const std::size_t equals = name.find('=');
  name.remove_prefix(equals == name.npos ? name.size() : equals + 1);
  return TakeValue(name, valid);
}

std::string CanonicalValue(LdapSyntax syntax, std::string_view value) {
  switch (syntax) {
    case LdapSyntax::kText:
      return FoldName(value);
    case LdapSyntax::kName:
      return CanonicalName(value);
    case LdapSyntax::kCategory:
      return CanonicalCategory(value);
    case LdapSyntax::kSid:
      if (const absl::StatusOr<Bytes> sid = directory::SidFromText(value); sid.ok()) {
        return ToString(*sid);
      }
      return std::string(value);
    case LdapSyntax::kNumber:
    case LdapSyntax::kBinary:
      break;
  }
  return std::string(value);
}

}  // namespace devicetrust::simulator
