// The directory as LDAP sees it: domains, containers, trusted domains, groups, users and computers,
// made on the fly from the account table. Nothing is copied, so a change acts at once.
// Services and the keys of trusts are not shown; the groups that every domain has
// (Domain Users, Domain Computers) are, though the table does not list them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/ldap/schema.h"

namespace devicetrust::simulator {

struct LdapEntry {
  enum class Kind { kDomain, kContainer, kTrustedDomain, kGroup, kUser, kComputer };

  bool is_account() const { return kind == Kind::kUser || kind == Kind::kComputer; }

  Kind kind = Kind::kDomain;
  std::uint32_t realm = 0;  // Index in the table.
  std::string name;         // sAMAccountName; of domain and container the first RDN's value.
  std::string dn;
  std::uint32_t rid = 0;  // 0: none.
  std::size_t group = 0;  // Of a group: its index in the table; kWellKnown: not in it.
  bool deleted = false;   // A tombstone.
  Trust trust;            // Of a trusted domain.
  Row row;                // Of an account.

  static constexpr std::size_t kWellKnown = ~std::size_t{0};
};

// A place in the order in which the entries of a domain are visited; it stays the entry's. Accounts
// come last, so that a walk may go on among them without making those before.
using LdapPosition = std::uint64_t;

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

  // Visits every entry of a domain behind position `after`, 0 for all, until `visit` returns false;
  // deleted accounts when `deleted`.
  using Visit = std::function<bool(LdapPosition, const LdapEntry&)>;
  void Scan(std::uint32_t realm, bool deleted, LdapPosition after, const Visit& visit) const;
  // The same of those at `positions`, in their order.
  void Walk(std::uint32_t realm, bool deleted, LdapPosition after,
            std::span<const LdapPosition> positions, const Visit& visit) const;

  // Where the entries are that have changed since, that number included; and those that are in a
  // group directly.
  std::vector<LdapPosition> ChangedSince(std::uint32_t realm, std::uint64_t usn) const;
  std::vector<LdapPosition> MembersOf(std::uint32_t realm, std::string_view group_dn) const;

  // RIDs of the groups that an account or group is in, through other groups too; of an account
  // also the primary group.
  std::vector<std::uint32_t> GroupsThroughout(const LdapEntry& entry) const;
  std::string GroupDn(std::uint32_t realm, std::uint32_t rid) const;  // Empty: no such group.
  std::string invocation_id() const { return accounts_.invocation_id(); }

  // Calls `take` with each value of an attribute of `entry`, as it is at the time of the clock.
  using Take = std::function<void(std::string_view)>;
  void Values(const LdapEntry& entry, LdapAttribute attribute, const Take& take) const;

 private:
  LdapEntry DomainEntry(std::uint32_t realm) const;
  // Nothing when it is no user or computer, or of another realm.
  std::optional<LdapEntry> AccountEntry(std::uint32_t slot, bool deleted = false) const;
  std::vector<LdapEntry> GroupEntries(std::uint32_t realm) const;
  LdapEntry GroupEntry(std::size_t index) const;
  std::vector<LdapEntry> ContainerEntries(std::uint32_t realm) const;
  // Nothing when it is of another realm or was deleted.
  std::optional<LdapEntry> TrustEntry(std::uint32_t realm, std::size_t index) const;
  std::optional<std::size_t> GroupIndex(std::uint32_t realm, std::uint32_t rid) const;
  void LearnGroups() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefreshMembers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GroupValues(const LdapEntry& entry, LdapAttribute attribute, const Take& take) const;
  GroupScope ScopeOf(const LdapEntry& group) const;
  void ClassValues(const LdapEntry& entry, const Take& take) const;
  void TrustValues(const LdapEntry& entry, LdapAttribute attribute, const Take& take) const;
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

  // Groups by realm and RID, and who is in each: slots in order, as of change `members_usn_`.
  mutable std::unordered_map<std::uint64_t, std::size_t> groups_ ABSL_GUARDED_BY(mutex_);
  mutable std::unordered_map<std::string, std::size_t> groups_by_dn_ ABSL_GUARDED_BY(mutex_);
  mutable std::size_t groups_known_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::uint64_t members_usn_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::vector<std::set<std::uint32_t>> members_ ABSL_GUARDED_BY(mutex_);
  mutable std::vector<std::vector<std::uint32_t>> groups_of_ ABSL_GUARDED_BY(mutex_);  // By slot.
};

}  // namespace devicetrust::simulator
