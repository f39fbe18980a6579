// The attributes of accounts and groups.
#include <fmt/format.h>

#include <limits>

#include "simulator/forest/ldap/entry.h"

namespace devicetrust::simulator {
namespace {

// Windows counts 100 ns since 1601.
std::int64_t FileTime(std::int64_t unix_seconds) {
  return (unix_seconds + 11'644'473'600) * 10'000'000;
}

}  // namespace

void LdapEntries::GroupValues(const LdapEntry& entry, LdapAttribute attribute,
                              const Take& take) const {
  if (entry.group == LdapEntry::kWellKnown) return;  // Whose primary group it is, is not listed.
  switch (attribute) {
    case LdapAttribute::kMember: {
      const auto members = MembersOf(entry.realm, CanonicalName(entry.dn));
      Walk(entry.realm, /*deleted=*/false, 0, members, [&take](LdapPosition, const LdapEntry& one) {
        take(one.dn);
        return true;
      });
      return;
    }
    case LdapAttribute::kMemberOf:
      for (const std::uint32_t rid : accounts_.GroupParents(entry.group)) {
        take(GroupDn(entry.realm, rid));
      }
      return;
    case LdapAttribute::kUsnChanged:
      return take(std::to_string(accounts_.GroupUsn(entry.group)));
    default:
      return;
  }
}

void LdapEntries::AccountValues(const LdapEntry& entry, LdapAttribute attribute,
                                const Take& take) const {
  const Account& account = entry.row.account;
  const Person& person = entry.row.person;
  const auto take_text = [&take](std::string_view text) {
    if (!text.empty()) take(text);
  };
  const auto take_number = [&take](std::int64_t number) { take(std::to_string(number)); };
  const std::int64_t now = UnixSeconds(clock_.Now());
  switch (attribute) {
    case LdapAttribute::kUserPrincipalName:
      return take_text(person.upn);
    case LdapAttribute::kDisplayName:
      return take_text(person.display_name);
    case LdapAttribute::kGivenName:
      return take_text(person.given_name);
    case LdapAttribute::kSurname:
      return take_text(person.surname);
    case LdapAttribute::kMail:
      return take_text(person.mail);
    case LdapAttribute::kMemberOf:
      for (const std::uint32_t rid : account.groups()) take_text(GroupDn(entry.realm, rid));
      return;
    case LdapAttribute::kUserAccountControl:
      return take_number(LdapUserAccountControl(account));
    case LdapAttribute::kPrimaryGroupId:
      return take_number(account.primary_group_rid);
    case LdapAttribute::kAccountExpires:
      return take_number(account.expires == 0 ? std::numeric_limits<std::int64_t>::max()
                                              : FileTime(account.expires));
    case LdapAttribute::kLockoutTime:  // Outlives the lock.
      if (account.locked_at != 0) take_number(FileTime(account.locked_at));
      return;
    case LdapAttribute::kComputedAccountControl:
      return take_number((account.IsLocked(now) ? 0x10 : 0) |
                         (account.PasswordHasExpired(now) ? 0x80'0000 : 0));
    case LdapAttribute::kLogonHours:
      if (account.logon_hours != AllHours()) {
        take({reinterpret_cast<const char*>(account.logon_hours.data()),
              account.logon_hours.size()});
      }
      return;
    case LdapAttribute::kSidHistory:
      for (const auto& [a, b, c, rid] : account.earlier_sids()) {
        Realm earlier;
        earlier.domain = {a, b, c};
        take(ToString(SidBytes(earlier, rid)));
      }
      return;
    case LdapAttribute::kPwdLastSet:
      return take_number(account.has(kMustChangePassword) ? 0 : FileTime(account.password_set));
    case LdapAttribute::kWhenCreated:
      return take(GeneralizedTime(account.created));
    case LdapAttribute::kWhenChanged:
      return take(GeneralizedTime(entry.row.changed_at));
    case LdapAttribute::kIsDeleted:
      if (entry.deleted) take("TRUE");
      return;
    case LdapAttribute::kUsnChanged:
      return take_number(static_cast<std::int64_t>(entry.row.usn));
    case LdapAttribute::kDnsHostName:
      if (entry.kind == Kind::kComputer) {
        take(CanonicalValue(LdapSyntax::kText,
                            fmt::format("{}.{}", entry.name.substr(0, entry.name.rfind('$')),
                                        RealmOf(entry).name.view())));
      }
      return;
    case LdapAttribute::kOperatingSystem:
      return take_text(person.operating_system);
    case LdapAttribute::kOperatingSystemVersion:
      return take_text(person.operating_system_version);
    default:
      return;
  }
}

}  // namespace devicetrust::simulator
