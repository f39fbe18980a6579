#include "simulator/forest/ldap/schema.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "libs/base/bytes.h"
#include "libs/directory/sid.h"

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
    {A::kPwdLastSet, "pwdLastSet", S::kNumber},
    {A::kWhenCreated, "whenCreated", S::kText},
    {A::kUsnChanged, "uSNChanged", S::kNumber},
    {A::kDnsHostName, "dNSHostName", S::kText},
    {A::kOperatingSystem, "operatingSystem", S::kText},
    {A::kOperatingSystemVersion, "operatingSystemVersion", S::kText},
}};

constexpr bool InOrder() {
  for (std::size_t i = 0; i < kKnown.size(); ++i) {
    if (kKnown[i].attribute != static_cast<LdapAttribute>(i)) return false;
  }
  return true;
}
static_assert(InOrder());

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = Lower(c);
  return out;
}

// "CN=Person,CN=Schema,…", "person" and "user" -> "person": AD lets an assertion name a
// class and takes that class's category.
std::string CanonicalCategory(std::string_view value) {
  std::string lower = Lowered(value);
  if (lower.starts_with("cn=")) lower = lower.substr(3, lower.find(',') - 3);
  return lower == "user" || lower == "organizationalperson" ? "person" : lower;
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
                   [](char a, char b) { return Lower(a) == Lower(b); })) {
      return known.attribute;
    }
  }
  return std::nullopt;
}

std::string CanonicalName(std::string_view name) {
  std::string out;
  bool escaped = false;
  bool at_edge = true;  // Behind a separator: blanks there mean nothing.
  for (const char c : Lowered(name)) {
    if (at_edge && c == ' ') continue;
    at_edge = !escaped && (c == ',' || c == '=');
    if (at_edge) {
      while (out.ends_with(' ')) out.pop_back();
    }
    escaped = !escaped && c == '\\';
    out += c;
  }
  return out;
}

std::string CanonicalValue(LdapSyntax syntax, std::string_view value) {
  switch (syntax) {
    case LdapSyntax::kText:
      return Lowered(value);
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
