#include "simulator/forest/ldap/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "libs/base/names.h"

namespace devicetrust::simulator {
namespace {

using Kind = LdapEntry::Kind;

constexpr std::array<std::pair<std::uint32_t, std::string_view>, 2> kWellKnownGroups = {
    {{kRidDomainUsers, "Domain Users"}, {kRidDomainComputers, "Domain Computers"}}};

constexpr std::uint32_t kContainerIdBase = 0x8000'0000;  // Above all RIDs.

// The name of the entry above; empty at the top. A backslash takes the next character.
std::string_view ParentOf(std::string_view dn) {
  bool escaped = false;
  for (std::size_t i = 0; i < dn.size(); ++i) {
    if (!escaped && dn[i] == ',') return dn.substr(i + 1);
    escaped = !escaped && dn[i] == '\\';
  }
  return {};
}

bool IsNamedBy(const LdapEntry& entry, std::string_view type) {
  return SameName(std::string_view(entry.dn).substr(0, entry.dn.find('=')), type);
}

std::string_view CategoryOf(const LdapEntry& entry) {
  switch (entry.kind) {
    case Kind::kDomain:
      return "Domain-DNS";
    case Kind::kContainer:
      return IsNamedBy(entry, "OU") ? "Organizational-Unit" : "Container";
    case Kind::kTrustedDomain:
      return "Trusted-Domain";
    case Kind::kGroup:
      return "Group";
    case Kind::kUser:
      return "Person";
    case Kind::kComputer:
      return "Computer";
  }
  return {};
}

std::string Guid(std::uint32_t id, const Realm& realm) {
  std::string guid(16, '\0');
  const std::array<std::uint32_t, 4> words = {id, realm.domain[0], realm.domain[1],
                                              realm.domain[2]};
  for (std::size_t i = 0; i < guid.size(); ++i) {
    guid[i] = static_cast<char>((words[i / 4] >> (i % 4 * 8)) & 0xffU);
  }
  return guid;
}

// "CN=Ada\0ADEL:12ab…,CN=Deleted Objects,DC=…": a name of its own, since the one before is free.
std::string TombstoneName(const LdapEntry& entry, const Realm& realm) {
  std::string guid;
  for (const char octet : Guid(entry.rid, realm)) {
    guid += fmt::format("{:02x}", static_cast<unsigned char>(octet));
  }
  return fmt::format("CN={}\\0ADEL:{},CN=Deleted Objects,{}",
                     EscapeRdnValue(FirstNameValue(entry.row.person.dn)), guid,
                     realm.base_dn.view());
}

// [MS-ADTS] 2.2.12: of the scope, and security enabled.
std::int32_t GroupType(GroupScope scope) {
  return static_cast<std::int32_t>(0x8000'0000U | static_cast<std::uint32_t>(scope));
}

// What Active Directory keeps of a deleted account.
bool IsKeptOfTombstones(LdapAttribute attribute) {
  switch (attribute) {
    case LdapAttribute::kObjectClass:
    case LdapAttribute::kName:
    case LdapAttribute::kDistinguishedName:
    case LdapAttribute::kSamAccountName:
    case LdapAttribute::kObjectSid:
    case LdapAttribute::kObjectGuid:
    case LdapAttribute::kUserAccountControl:
    case LdapAttribute::kUsnChanged:
    case LdapAttribute::kWhenCreated:
    case LdapAttribute::kWhenChanged:
    case LdapAttribute::kIsDeleted:
      return true;
    default:
      return false;
  }
}

std::vector<std::uint32_t> AllIfNone(std::vector<std::uint32_t> realms,
                                     const AccountView& accounts) {
  if (!realms.empty()) return realms;
  for (std::uint32_t i = 0; i < accounts.realms().size(); ++i) realms.push_back(i);
  return realms;
}

}  // namespace

LdapEntries::LdapEntries(AccountView accounts, std::vector<std::uint32_t> realms,
                         const Clock& clock)
    : accounts_(std::move(accounts)),
      realms_(AllIfNone(std::move(realms), accounts_)),
      clock_(clock) {}

std::optional<std::uint32_t> LdapEntries::RealmOfName(std::string_view canonical_dn) const {
  std::optional<std::uint32_t> best;  // The longest: a child domain ends like its parent.
  for (const std::uint32_t i : realms_) {
    const std::string base = CanonicalName(realm(i).base_dn);
    if (canonical_dn != base && !canonical_dn.ends_with("," + base)) continue;
    if (!best || realm(*best).base_dn.view().size() < base.size()) best = i;
  }
  return best;
}

LdapEntry LdapEntries::DomainEntry(std::uint32_t realm) const {
  LdapEntry entry;
  entry.kind = Kind::kDomain;
  entry.realm = realm;
  entry.dn = accounts_.realms()[realm].base_dn.str();
  entry.name = FirstNameValue(entry.dn);
  return entry;
}

std::optional<LdapEntry> LdapEntries::AccountEntry(std::uint32_t slot, bool deleted) const {
  LdapEntry entry;
  entry.row = accounts_.Read(slot);
  const Account& account = entry.row.account;
  entry.deleted = account.has(kDeleted);
  if (entry.deleted && !deleted) return {};
  if (account.kind != AccountKind::kUser && account.kind != AccountKind::kComputer) return {};
  if (std::ranges::find(realms_, account.realm) == realms_.end()) return {};
  entry.kind = account.kind == AccountKind::kUser ? Kind::kUser : Kind::kComputer;
  entry.realm = account.realm;
  entry.name = account.name.str();
  entry.dn = entry.row.person.dn.str();
  entry.rid = account.rid;
  if (entry.deleted) entry.dn = TombstoneName(entry, RealmOf(entry));
  return entry;
}

LdapEntry LdapEntries::GroupEntry(std::size_t index) const {
  const Group& group = accounts_.groups()[index];
  LdapEntry entry;
  entry.kind = Kind::kGroup;
  entry.realm = group.realm;
  entry.name = group.name.str();
  entry.dn = group.dn.str();
  entry.rid = group.rid;
  entry.group = index;
  return entry;
}

std::vector<LdapEntry> LdapEntries::GroupEntries(std::uint32_t realm) const {
  std::vector<LdapEntry> entries;
  for (const auto& [rid, name] : kWellKnownGroups) {
    LdapEntry& entry = entries.emplace_back();
    entry.kind = Kind::kGroup;
    entry.realm = realm;
    entry.name = name;
    entry.dn = GroupDn(realm, rid);
    entry.rid = rid;
    entry.group = LdapEntry::kWellKnown;
  }
  const std::span<const Group> groups = accounts_.groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].realm == realm) entries.push_back(GroupEntry(i));
  }
  return entries;
}

std::vector<LdapEntry> LdapEntries::ContainerEntries(std::uint32_t realm) const {
  const MutexLock lock(mutex_);
  const std::uint64_t usn = accounts_.highest_usn();
  if (containers_.empty() || usn != containers_usn_) {
    std::set<std::string, std::less<>> known;
    for (const Container& container : containers_) known.insert(CanonicalName(container.dn));
    std::string last;  // Neighbours in the table mostly share their container.
    const auto learn = [&](std::uint32_t of_realm,
                           std::string_view dn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      const std::string_view base = accounts_.realms()[of_realm].base_dn;
      if (ParentOf(dn) == last) return;
      last = ParentOf(dn);
      for (std::string_view up = last; up.size() > base.size(); up = ParentOf(up)) {
        if (!known.insert(CanonicalName(up)).second) break;
        containers_.push_back({of_realm, std::string(up)});
      }
    };
    for (std::uint32_t i = 0; i < accounts_.realms().size(); ++i) {
      learn(i, GroupDn(i, kRidDomainUsers));
      last.clear();
      for (const char* container : {"Computers", "System"}) {
        learn(i, fmt::format("CN=x,CN={},{}", container, accounts_.realms()[i].base_dn.view()));
      }
    }
    const std::uint32_t size = accounts_.size();
    for (std::uint32_t slot = 0; slot < size; ++slot) {
      const Row row = accounts_.Read(slot);
      if (!row.person.dn.empty()) learn(row.account.realm, row.person.dn);
    }
    containers_usn_ = usn;
  }
  std::vector<LdapEntry> entries;
  for (std::size_t i = 0; i < containers_.size(); ++i) {
    if (containers_[i].realm != realm) continue;
    LdapEntry& entry = entries.emplace_back();
    entry.kind = Kind::kContainer;
    entry.realm = realm;
    entry.dn = containers_[i].dn;
    entry.name = FirstNameValue(entry.dn);
  }
  return entries;
}

std::string LdapEntries::GroupDn(std::uint32_t realm, std::uint32_t rid) const {
  for (const auto& [known, name] : kWellKnownGroups) {
    if (known == rid) {
      return fmt::format("CN={},CN=Users,{}", name, accounts_.realms()[realm].base_dn.view());
    }
  }
  const std::optional<std::size_t> index = GroupIndex(realm, rid);
  return index ? accounts_.groups()[*index].dn.str() : std::string();
}

std::optional<LdapEntry> LdapEntries::FindName(std::string_view dn) const {
  const std::string wanted = CanonicalName(dn);
  const std::optional<std::uint32_t> realm = RealmOfName(wanted);
  if (!realm) return std::nullopt;
  if (wanted == CanonicalName(accounts_.realms()[*realm].base_dn)) return DomainEntry(*realm);
  if (const auto slot = accounts_.FindDn(wanted)) return AccountEntry(*slot);
  for (LdapEntry& entry : GroupEntries(*realm)) {
    if (CanonicalName(entry.dn) == wanted) return std::move(entry);
  }
  for (LdapEntry& entry : ContainerEntries(*realm)) {
    if (CanonicalName(entry.dn) == wanted) return std::move(entry);
  }
  for (std::size_t i = 0; i < accounts_.trusts(); ++i) {
    auto entry = TrustEntry(*realm, i);
    if (entry && CanonicalName(entry->dn) == wanted) return entry;
  }
  return std::nullopt;
}

std::optional<LdapEntry> LdapEntries::FindAccountName(std::uint32_t realm,
                                                      std::string_view name) const {
  if (const auto slot = accounts_.FindName(realm, name)) return AccountEntry(*slot);
  for (LdapEntry& entry : GroupEntries(realm)) {
    if (SameName(entry.name, name)) return std::move(entry);
  }
  return std::nullopt;
}

std::optional<LdapEntry> LdapEntries::FindPrincipal(std::string_view upn) const {
  if (const auto slot = accounts_.FindUpn(upn)) return AccountEntry(*slot);
  return std::nullopt;
}

std::optional<LdapEntry> LdapEntries::FindSid(std::string_view binary_sid) const {
  constexpr std::size_t kAccountSidBytes = 28;
  for (const std::uint32_t realm : realms_) {
    if (ToString(SidBytes(accounts_.realms()[realm])) == binary_sid) return DomainEntry(realm);
  }
  if (binary_sid.size() != kAccountSidBytes) return std::nullopt;
  std::uint32_t rid = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    rid = rid << 8U | static_cast<unsigned char>(binary_sid[kAccountSidBytes - 1 - i]);
  }
  for (const std::uint32_t realm : realms_) {
    if (ToString(SidBytes(accounts_.realms()[realm], rid)) != binary_sid) continue;
    if (const auto slot = accounts_.FindRid(realm, rid)) return AccountEntry(*slot);
    for (LdapEntry& entry : GroupEntries(realm)) {
      if (entry.rid == rid) return std::move(entry);
    }
  }
  return std::nullopt;
}

std::optional<LdapEntry> LdapEntries::FindForBind(std::string_view name) const {
  name = TrimName(name);  // As Active Directory: "ada " binds.
  if (const std::size_t at = name.rfind('@'); at != name.npos && name.find('=') == name.npos) {
    if (auto entry = FindPrincipal(name)) return entry;
    // Active Directory also takes sAMAccountName@domain when the UPN differs.
    for (const std::uint32_t i : realms_) {
      if (!SameName(accounts_.realms()[i].name, name.substr(at + 1))) continue;
      if (const auto slot = accounts_.FindName(i, name.substr(0, at))) return AccountEntry(*slot);
    }
    return std::nullopt;
  }
  if (const std::size_t at = name.find('\\'); at != name.npos && name.find('=') == name.npos) {
    for (const std::uint32_t i : realms_) {
      if (!SameName(accounts_.realms()[i].netbios, name.substr(0, at))) continue;
      if (const auto slot = accounts_.FindName(i, name.substr(at + 1))) return AccountEntry(*slot);
    }
    return std::nullopt;
  }
  if (const auto slot = accounts_.FindDn(CanonicalName(name))) return AccountEntry(*slot);
  return std::nullopt;
}

void LdapEntries::ClassValues(const LdapEntry& entry, const Take& take) const {
  take("top");
  switch (entry.kind) {
    case Kind::kDomain:
      return take("domainDNS");
    case Kind::kContainer:
      return take(IsNamedBy(entry, "OU") ? "organizationalUnit" : "container");
    case Kind::kTrustedDomain:
      take("leaf");
      return take("trustedDomain");
    case Kind::kGroup:
      return take("group");
    case Kind::kUser:
    case Kind::kComputer:
      break;
  }
  take("person");
  take("organizationalPerson");
  take("user");
  if (entry.kind == Kind::kComputer) take("computer");
}

GroupScope LdapEntries::ScopeOf(const LdapEntry& entry) const {
  return entry.group == LdapEntry::kWellKnown ? GroupScope::kGlobal
                                              : accounts_.groups()[entry.group].scope;
}

void LdapEntries::Values(const LdapEntry& entry, LdapAttribute attribute, const Take& take) const {
  if (entry.deleted && !IsKeptOfTombstones(attribute)) return;
  const Realm& realm = RealmOf(entry);
  const bool has_account_name = entry.is_account() || entry.kind == Kind::kGroup;
  switch (attribute) {
    case LdapAttribute::kObjectClass:
      return ClassValues(entry, take);
    case LdapAttribute::kObjectCategory:
      return take(fmt::format("CN={},CN=Schema,CN=Configuration,{}", CategoryOf(entry),
                              accounts_.realms()[realms_.front()].base_dn.view()));
    case LdapAttribute::kCn:
      if (IsNamedBy(entry, "CN")) take(FirstNameValue(entry.dn));
      return;
    case LdapAttribute::kOrganizationalUnit:
      if (IsNamedBy(entry, "OU")) take(FirstNameValue(entry.dn));
      return;
    case LdapAttribute::kDomainComponent:
      if (IsNamedBy(entry, "DC")) take(FirstNameValue(entry.dn));
      return;
    case LdapAttribute::kGroupType:
      if (entry.kind == Kind::kGroup) take(std::to_string(GroupType(ScopeOf(entry))));
      return;
    case LdapAttribute::kName:
      return take(FirstNameValue(entry.dn));
    case LdapAttribute::kDistinguishedName:
      return take(entry.dn);
    case LdapAttribute::kSamAccountName:
      if (has_account_name) take(entry.name);
      return;
    case LdapAttribute::kSamAccountType:
      if (has_account_name) {
        take(entry.kind == Kind::kUser                    ? "805306368"
             : entry.kind == Kind::kComputer              ? "805306369"
             : ScopeOf(entry) == GroupScope::kDomainLocal ? "536870912"
                                                          : "268435456");
      }
      return;
    case LdapAttribute::kObjectSid:
      if (has_account_name) take(ToString(SidBytes(realm, entry.rid)));
      if (entry.kind == Kind::kDomain) take(ToString(SidBytes(realm)));
      return;
    case LdapAttribute::kLockoutDuration:  // A negative number of 100 ns ([MS-ADTS] 3.1.1.4.5.17).
      if (entry.kind == Kind::kDomain) take(std::to_string(-kLockoutSeconds * 10'000'000));
      return;
    case LdapAttribute::kObjectGuid: {
      const std::uint32_t id =
          has_account_name
              ? entry.rid
              : kContainerIdBase | static_cast<std::uint32_t>(std::hash<std::string>()(entry.dn));
      return take(Guid(id, realm));
    }
    case LdapAttribute::kTokenGroups:
      if (!entry.is_account()) return;
      for (const std::uint32_t rid : GroupsThroughout(entry)) take(ToString(SidBytes(realm, rid)));
      return;
    default:
      if (entry.is_account()) AccountValues(entry, attribute, take);
      if (entry.kind == Kind::kGroup) GroupValues(entry, attribute, take);
      if (entry.kind == Kind::kTrustedDomain) TrustValues(entry, attribute, take);
  }
}

}  // namespace devicetrust::simulator
