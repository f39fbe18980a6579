// Trusted domain objects ([MS-ADTS] 6.1.6.7): what a domain's directory says of its partners.
#include <fmt/format.h>

#include "libs/base/ascii.h"
#include "simulator/forest/ldap/entry.h"

namespace devicetrust::simulator {
namespace {

constexpr std::int64_t kUplevelTrust = 2;   // A domain of Active Directory.
constexpr std::int64_t kAes128And256 = 24;  // [MS-KILE] 2.2.7.

}  // namespace

std::optional<LdapEntry> LdapEntries::TrustEntry(std::uint32_t realm, std::size_t index) const {
  const Trust trust = accounts_.TrustAt(index);
  if (trust.realm != realm || trust.direction == TrustDirection::kNone) return std::nullopt;
  LdapEntry entry;
  entry.kind = LdapEntry::Kind::kTrustedDomain;
  entry.realm = realm;
  entry.name = LowerCase(accounts_.realms()[trust.partner].name);
  entry.dn = fmt::format("CN={},CN=System,{}", entry.name, RealmOf(entry).base_dn.view());
  entry.trust = trust;
  return entry;
}

void LdapEntries::TrustValues(const LdapEntry& entry, LdapAttribute attribute,
                              const Take& take) const {
  const Realm& partner = accounts_.realms()[entry.trust.partner];
  const auto take_number = [&take](std::int64_t number) { take(std::to_string(number)); };
  switch (attribute) {
    case LdapAttribute::kTrustPartner:
      return take(entry.name);
    case LdapAttribute::kFlatName:
      return take(partner.netbios);
    case LdapAttribute::kSecurityIdentifier:
      return take(ToString(SidBytes(partner)));
    case LdapAttribute::kTrustDirection:
      return take_number(static_cast<std::int64_t>(entry.trust.direction));
    case LdapAttribute::kTrustType:
      return take_number(kUplevelTrust);
    case LdapAttribute::kTrustAttributes:
      return take_number(entry.trust.attributes);
    case LdapAttribute::kSupportedEncryptionTypes:
      return take_number(kAes128And256);
    case LdapAttribute::kUsnChanged:
      return take_number(static_cast<std::int64_t>(entry.trust.usn));
    case LdapAttribute::kWhenCreated:
      return take(GeneralizedTime(entry.trust.created));
    case LdapAttribute::kWhenChanged:
      return take(GeneralizedTime(entry.trust.changed_at));
    default:
      return;
  }
}

}  // namespace devicetrust::simulator
