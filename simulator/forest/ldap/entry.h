// The directory as LDAP sees it: domains, containers, groups, users and computers, made
// on the fly from the account table. Nothing is copied, so a change acts at once.
// Services and trusts of the table are not shown; the groups that every domain has
// (Domain Users, Domain Computers) are, though the table does not list them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/ldap/schema.h"

namespace devicetrust::simulator {

struct LdapEntry {
  enum class Kind { kDomain, kContainer, kGroup, kUser, kComputer };

  bool is_account() const { return kind == Kind::kUser || kind == Kind::kComputer; }

  Kind kind = Kind::kDomain;
  std::uint32_t realm = 0;  // Index in the table.
  std::string name;         // sAMAccountName; of domain and container the first RDN's value.
  std::string dn;
  std::uint32_t rid = 0;  // 0: none.
  Row row;                // Of an account.
};

// Thread-safe.
class LdapEntries {
 public:
  // Of the `realms` of the table, by index, the root of their forest first; none: of all. What
  // belongs to another realm is as if it were not there.
  LdapEntries(AccountView accounts, std::vector<std::uint32_t> realms, const Clock& clock);

  const Realm& RealmOf(const LdapEntry& entry) const { return accounts_.realms()[entry.realm]; }
  std::span<const std::uint32_t> realms() const { return realms_; }  // At least one.
  const Realm& realm(std::uint32_t index) const { return accounts_.realms()[index]; }
  std::uint64_t highest_usn() const { return accounts_.highest_usn(); }

  // The domain that a canonical distinguished name is in (or is).
  std::optional<std::uint32_t> RealmOfName(std::string_view canonical_dn) const;

  // Direct look-ups; all compare without case.
  std::optional<LdapEntry> FindName(std::string_view dn) const;
  std::optional<LdapEntry> FindAccountName(std::uint32_t realm, std::string_view name) const;
  std::optional<LdapEntry> FindPrincipal(std::string_view upn) const;
  std::optional<LdapEntry> FindSid(std::string_view binary_sid) const;

  // The account that a simple bind names: UPN, DOMAIN\name or DN.
  std::optional<LdapEntry> FindForBind(std::string_view name) const;

  // Visits every entry of a domain, until `visit` returns false.
  void Scan(std::uint32_t realm, const std::function<bool(const LdapEntry&)>& visit) const;

  // Calls `take` with each value of an attribute of `entry`, as it is at the time of the clock.
  using Take = std::function<void(std::string_view)>;
  void Values(const LdapEntry& entry, LdapAttribute attribute, const Take& take) const;

 private:
  LdapEntry DomainEntry(std::uint32_t realm) const;
  // Nothing when it is no user or computer, or of another realm.
  std::optional<LdapEntry> AccountEntry(std::uint32_t slot) const;
  std::vector<LdapEntry> GroupEntries(std::uint32_t realm) const;
  std::vector<LdapEntry> ContainerEntries(std::uint32_t realm) const;
  std::string GroupDn(std::uint32_t realm, std::uint32_t rid) const;  // Empty: no such group.
  void ClassValues(const LdapEntry& entry, const Take& take) const;
  void AccountValues(const LdapEntry& entry, LdapAttribute attribute, const Take& take) const;

  struct Container {
    std::uint32_t realm = 0;
    std::string dn;
  };

  const AccountView accounts_;
  const std::vector<std::uint32_t> realms_;
  const Clock& clock_;
  // Containers are known by the names in them, and stay when the last one moves away.
  mutable Mutex mutex_;
  mutable std::uint64_t containers_usn_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::vector<Container> containers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::simulator
