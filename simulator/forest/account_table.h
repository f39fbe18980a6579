// The fake forest's accounts: one memory-mapped file, written by the simulator, read by
// the KDC plug-in (another process) and by the LDAP server.
//
// A row is an account (what Kerberos needs) and a person (what LDAP shows), under one
// sequence lock: a reader always gets a row as some single change left it. Rows never
// move and are never removed, so a slot number names an account for good: a deleted account keeps
// its row, as Active Directory keeps a tombstone, but no name leads to it. Groups are a
// list of their own: were they rows, the KDC would issue tickets for them.
//
// The file is valid on the machine that wrote it, for the build that wrote it: Open()
// refuses another layout version. It holds keys and passwords of throw-away accounts and
// is created with mode 0600.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust::simulator {

inline constexpr std::size_t kRealmsMax = 16;
inline constexpr std::size_t kGroupsMax = 1024;  // In all realms together.
inline constexpr std::size_t kGroupsPerAccountMax = 32;
inline constexpr std::size_t kGroupParentsMax = 8;       // Groups that one group is in.
inline constexpr std::size_t kForeignMembersMax = 4096;  // Of all groups together.
inline constexpr std::size_t kTrustsMax = 128;  // Trusted domain objects of all realms together.
inline constexpr std::size_t kSidHistoryMax = 2;

// Well-known relative ids of a domain (MS-DTYP, section 2.4.2.4).
inline constexpr std::uint32_t kRidKrbtgt = 502;
inline constexpr std::uint32_t kRidDomainUsers = 513;
inline constexpr std::uint32_t kRidDomainComputers = 515;
inline constexpr std::uint32_t kRidFirst = 1000;  // First one given to an own account or group.

// UTF-8 text of at most Size - 1 bytes inside a mapped row.
template <std::size_t Size>
class Text {
 public:
  // False, and unchanged, when `text` is too long or holds a NUL.
  bool Assign(std::string_view text) {
    if (text.size() >= Size || text.find('\0') != std::string_view::npos) return false;
    std::memset(data_, 0, Size);
    std::memcpy(data_, text.data(), text.size());
    return true;
  }
  std::string_view view() const { return {data_, ::strnlen(data_, Size)}; }
  operator std::string_view() const { return view(); }  // NOLINT: a drop-in for text.
  std::string str() const { return std::string(view()); }
  bool empty() const { return data_[0] == '\0'; }

 private:
  char data_[Size] = {};
};

// One domain, which is one Kerberos realm.
struct Realm {
  Text<64> name;                          // Upper case, "CORP.TEST".
  Text<16> netbios;                       // "CORP".
  Text<128> base_dn;                      // "DC=corp,DC=test".
  std::array<std::uint32_t, 3> domain{};  // The domain SID is S-1-5-21 and these three.
  std::uint32_t forest = 0;               // Index of the root of its forest.
};

// Where a group counts and who may be in it ([MS-ADTS] 2.2.12): global ones take accounts and
// global groups of their domain, and count everywhere; universal ones take those of the whole
// forest and universal groups, and count everywhere; domain-local ones take anybody, and count at
// services of their domain.
enum class GroupScope : std::uint32_t { kGlobal = 2, kDomainLocal = 4, kUniversal = 8 };

struct Group {
  std::uint32_t realm = 0;  // Index of its realm.
  std::uint32_t rid = 0;
  GroupScope scope = GroupScope::kGlobal;
  std::uint32_t unused = 0;
  Text<64> name;  // sAMAccountName.
  Text<128> dn;
};

// An account or group of any domain.
struct Member {
  std::uint32_t realm = 0;
  std::uint32_t rid = 0;
  friend auto operator<=>(const Member&, const Member&) = default;
};

// As one domain sees its partner ([MS-ADTS] 6.1.6.7.12): inbound, the partner trusts it, so that
// its accounts get tickets there; outbound, it trusts the partner.
enum class TrustDirection : std::uint32_t { kNone = 0, kInbound = 1, kOutbound = 2, kBoth = 3 };

// trustAttributes ([MS-ADTS] 6.1.6.7.9).
inline constexpr std::uint32_t kTrustQuarantined = 0x4;  // With one domain alone.
inline constexpr std::uint32_t kTrustForestTransitive = 0x8;
inline constexpr std::uint32_t kTrustWithinForest = 0x20;

// What a domain knows of another: a trusted domain object.
struct Trust {
  std::uint32_t realm = 0;    // Whose it is.
  std::uint32_t partner = 0;  // Of whom.
  TrustDirection direction = TrustDirection::kNone;
  std::uint32_t attributes = 0;
  std::uint64_t usn = 0;     // Of its last change.
  std::int64_t created = 0;  // Unix seconds; so the next one.
  std::int64_t changed_at = 0;

  bool has(TrustDirection part) const {
    return (static_cast<std::uint32_t>(direction) & static_cast<std::uint32_t>(part)) != 0;
  }
};

enum class AccountKind : std::uint32_t { kUser = 1, kComputer = 2, kService = 3, kTrust = 4 };

enum AccountFlag : std::uint32_t {  // May be combined.
  kDisabled = 1,
  kMustChangePassword = 2,
  kDeleted = 4,  // By Delete() alone.
};

// How long a lock lasts, in every domain: the default of Active Directory's lockoutDuration.
inline constexpr std::int64_t kLockoutSeconds = 30 * 60;

constexpr std::array<std::uint8_t, 21> AllHours() {
  std::array<std::uint8_t, 21> hours{};
  hours.fill(0xff);
  return hours;
}

// What Kerberos needs of an account.
struct Account {
  Text<80> name;            // sAMAccountName: "ada", "PC0042$"; for a service "HTTP/iwa.corp.test".
  std::uint32_t realm = 0;  // Index of its realm.
  AccountKind kind = AccountKind::kUser;
  std::uint32_t flags = 0;  // AccountFlag, combined.
  std::uint32_t rid = 0;
  std::uint32_t primary_group_rid = 0;
  std::uint32_t kvno = 1;  // Grows by one with each new key or password.
  // The random key. For computers, services and trusts it is the account's AES256 key. A
  // user's AES256 key is that of the password, as kinit expects; virtual logons of users
  // spare the 3.6 ms of its derivation and use the first 16 bytes here as the AES128 key.
  // See LogonKey().
  std::array<std::uint8_t, 32> key{};
  Text<64> password;              // Users only, empty: no logon by password.
  std::int64_t password_set = 0;  // Unix seconds.
  std::int64_t created = 0;       // Unix seconds.
  std::int64_t expires = 0;       // Unix seconds, 0: never.
  // Unix seconds of the last lock, 0: never, or unlocked since. It stays when the lock has ended.
  std::int64_t locked_at = 0;
  std::int64_t password_expires = 0;  // Unix seconds, 0: never.
  std::uint32_t group_count = 0;
  std::array<std::uint32_t, kGroupsPerAccountMax> group_rids{};  // Without the primary group.
  // SIDs that it had in domains it came from: S-1-5-21 and these four.
  std::array<std::array<std::uint32_t, 4>, kSidHistoryMax> sid_history{};
  std::uint32_t sid_history_count = 0;
  // A bit for each hour of the week in UTC, from Sunday 0:00, the lowest bit of an octet first.
  std::array<std::uint8_t, 21> logon_hours = AllHours();
  std::array<std::uint8_t, 3> unused{};

  std::span<const std::uint32_t> groups() const {
    return {group_rids.data(), std::min<std::size_t>(group_count, kGroupsPerAccountMax)};
  }
  bool has(AccountFlag flag) const { return (flags & flag) != 0; }
  std::span<const std::array<std::uint32_t, 4>> earlier_sids() const {
    return {sid_history.data(), std::min<std::size_t>(sid_history_count, kSidHistoryMax)};
  }
  bool HasExpired(std::int64_t now) const { return expires != 0 && expires <= now; }
  bool PasswordHasExpired(std::int64_t now) const {
    return password_expires != 0 && password_expires <= now;
  }
  bool MayLogOnAt(std::int64_t now) const {
    const std::int64_t hour = (now / 3600 + 4 * 24) % (7 * 24);  // 1970 began on a Thursday.
    return (logon_hours[static_cast<std::size_t>(hour / 8)] >> (hour % 8) & 1U) != 0;
  }
  bool IsLocked(std::int64_t now) const {
    return locked_at != 0 && now < locked_at + kLockoutSeconds;
  }
};

// What LDAP shows beside it. Computers: name, DN and system only.
struct Person {
  Text<96> display_name;
  Text<48> given_name;
  Text<48> surname;
  Text<80> mail;
  Text<80> upn;                       // "ada@corp.test".
  Text<192> dn;                       // "CN=Ada Lovelace,OU=Staff,DC=corp,DC=test".
  Text<48> operating_system;          // Computers: "Windows 10 Enterprise".
  Text<24> operating_system_version;  // "10.0 (19045)".
};

struct Row {
  Account account;
  Person person;
  std::uint64_t usn = 0;  // uSNChanged: number of the change that left the row like this.
  // The same of its groups, which are no part of the account: as in Active Directory, whose
  // uSNChanged grows is the group.
  std::uint64_t groups_usn = 0;
  std::int64_t changed_at = 0;  // Unix seconds, with `usn`.
};
static_assert(std::is_trivially_copyable_v<Row> && sizeof(Row) % 8 == 0);

// The key of a logon without password, with its Kerberos encryption type (RFC 3961).
struct LogonKey {
  int enctype = 0;  // 18 aes256-cts-hmac-sha1-96 or 17 aes128-cts-hmac-sha1-96.
  Bytes key;
};
LogonKey LogonKeyOf(const Account& account);

// `value` as it stands in a distinguished name (RFC 4514, section 2.4).
std::string EscapeRdnValue(std::string_view value);

// "S-1-5-21-a-b-c" without `rid`, and with it.
std::string DomainSid(const Realm& realm);
std::string Sid(const Realm& realm, std::uint32_t rid);
// The same as MS-DTYP 2.4.2.2 bytes (LDAP's objectSid): 24 and 28 bytes.
Bytes SidBytes(const Realm& realm);
Bytes SidBytes(const Realm& realm, std::uint32_t rid);

// The account's userAccountControl as LDAP shows it (MS-ADTS 2.2.16), and as it stands in a
// PAC (MS-SAMR 2.2.1.12); the two number their bits differently. No lock is in either: of that
// LDAP's lockoutTime and msDS-User-Account-Control-Computed tell.
std::uint32_t LdapUserAccountControl(const Account& account);
std::uint32_t PacUserAccountControl(const Account& account);

// Reads a table that this or another process writes. Thread-safe; a read never blocks the
// writer and repeats at most while that row changes. Look-ups by name compare as Active
// Directory does (libs/base/names.h); the realm of a principal alone is exact.
class AccountView {
 public:
  // Errors: kNotFound no such file; kFailedPrecondition not a table of this layout version.
  static absl::StatusOr<AccountView> Open(const std::string& path);

  // Realms are added before readers start, and then stay as they are.
  std::span<const Realm> realms() const;
  std::optional<std::uint32_t> FindRealm(std::string_view name) const;
  // Of the realm S-1-5-21 and these three; nothing for a domain of none.
  std::optional<std::uint32_t> FindDomain(std::span<const std::uint32_t, 3> domain) const;
  // The realm whose domain a host is in by its name: "iwa.corp.test".
  std::optional<std::uint32_t> RealmOfHost(std::string_view host) const;
  // The domain above it in its forest; nothing for the forest's root.
  std::optional<std::uint32_t> ParentOf(std::uint32_t realm) const;
  // By how much the clocks of the realm's forest are ahead.
  std::int64_t ClockSkewSeconds(std::uint32_t realm) const;

  // Trusted domain objects by index: 0 to trusts() - 1, those that were deleted with direction
  // kNone. Grows.
  std::size_t trusts() const;
  Trust TrustAt(std::size_t index) const;
  // Direction kNone: there is none.
  Trust TrustBetween(std::uint32_t realm, std::uint32_t partner) const;

  // Where a ticket-granting ticket leads an account of realm `at`, or one that came there, on its
  // way to services of `to`: along the tree of a forest, between the roots of forests that trust
  // one another, or straight to a partner. Nothing: nowhere.
  std::optional<std::uint32_t> NextHop(std::uint32_t at, std::uint32_t to) const;
  // Whether that leads all the way.
  bool Reaches(std::uint32_t from, std::uint32_t to) const;
  // Whether `realm` takes `peer`'s word for accounts of domain `of` ([MS-PAC] 4.1.2.2): inside a
  // forest always, of another forest for the domains of that forest.
  bool MayVouch(std::uint32_t realm, std::uint32_t peer, std::uint32_t of) const;

  // Grows; an entry never changes. A group read through one returned span is complete.
  std::span<const Group> groups() const;
  const Group* FindGroup(std::uint32_t realm, std::uint32_t rid) const;  // Null: none.
  // Of groups()[index]: the number of its last change, of members too; RIDs of the groups that it
  // is in.
  std::uint64_t GroupUsn(std::size_t index) const;
  std::vector<std::uint32_t> GroupParents(std::size_t index) const;
  // What the domain says at the logon of who somebody is, the primary group first: global groups of
  // the account's domain and universal ones of its forest, through groups in groups.
  std::vector<Member> GroupsAtLogon(const Account& account) const;
  // What `realm` adds to that in tickets to its services: the domain-local groups that these, of
  // whatever domain, are in.
  std::vector<Member> LocalGroups(std::uint32_t realm, std::span<const Member> members) const;
  // Members from other domains.
  std::vector<Member> ForeignMembers(std::size_t index) const;
  // Grows with each group and each change of what groups are in one another.
  std::uint64_t groups_version() const;

  // Slots 0 to size() - 1 are in use. Grows.
  std::uint32_t size() const;
  std::uint64_t highest_usn() const;
  std::string invocation_id() const;   // 16 bytes that no other table has.
  Row Read(std::uint32_t slot) const;  // slot < size().
  // Of the row, without reading it.
  std::uint64_t UsnOf(std::uint32_t slot) const;
  std::uint64_t GroupsUsnOf(std::uint32_t slot) const;

  std::optional<std::uint32_t> FindPrincipal(std::string_view name_at_realm) const;
  std::optional<std::uint32_t> FindName(std::uint32_t realm, std::string_view name) const;
  std::optional<std::uint32_t> FindUpn(std::string_view upn) const;
  std::optional<std::uint32_t> FindDn(std::string_view dn) const;
  std::optional<std::uint32_t> FindRid(std::uint32_t realm, std::uint32_t rid) const;

 private:
  friend class AccountTable;
  struct Mapping;
  explicit AccountView(std::shared_ptr<const Mapping> mapping);
  template <typename Counts>
  void AddGroupsOfGroups(std::vector<Member>& members, Counts counts) const;
  template <typename Match>
  std::optional<std::uint32_t> Find(std::uint64_t hash, Match match) const;

  std::shared_ptr<const Mapping> mapping_;
};

struct NewRealm {
  std::string name = {};     // "CORP.TEST"; the base DN follows from it.
  std::string netbios = {};  // "CORP".
  std::optional<std::array<std::uint32_t, 3>> domain = {};  // None: random.
  std::optional<std::uint32_t> forest = {};  // The forest's root by index; none: it is one.
};

struct NewAccount {
  AccountKind kind = AccountKind::kUser;
  std::string name = {};      // See Account::name. A computer's ends in '$'.
  std::string password = {};  // Users: empty means none.
  // Besides the primary group, which follows from kind.
  std::vector<std::uint32_t> group_rids = {};
  std::string display_name = {};
  std::string given_name = {};
  std::string surname = {};
  std::string mail = {};
  std::string upn = {};  // Empty for users: name@realm in lower case.
  // "Staff" or "OU=North,OU=Staff"; empty: the default container, CN=Users or CN=Computers.
  std::string ou = {};
  std::string operating_system = {};
  std::string operating_system_version = {};
};

// Creates and changes a table. One writer process; thread-safe within it. A change is
// visible to every reader when the call returns: the next Kerberos or LDAP request meets it.
//
// Names are as in FindName(). Errors of all changes: kNotFound no such account;
// kInvalidArgument a text that is too long or not allowed, naming it.
class AccountTable {
 public:
  // A new file of at most `accounts_max` rows; disk and memory are used as rows appear.
  static absl::StatusOr<std::unique_ptr<AccountTable>> Create(const std::string& path,
                                                              std::uint32_t accounts_max,
                                                              const Clock& clock, Random& random);

  // Also adds the realm's krbtgt. Errors: kAlreadyExists; kResourceExhausted.
  absl::StatusOr<std::uint32_t> AddRealm(const NewRealm& realm);

  // Makes, changes or deletes (kNone) the trust between two realms, with what each knows of the
  // other: between roots of forests a forest trust, of one forest a trust within it, else one of
  // these two domains alone. A trust that is made anew has new keys. Errors: kInvalidArgument.
  absl::Status SetTrust(std::uint32_t realm, std::uint32_t partner, TrustDirection direction);
  // By how much the clocks of its domain controllers are ahead, in the whole forest of `realm`.
  absl::Status SetClockSkew(std::uint32_t realm, std::int64_t seconds);

  // The new group's RID. Errors: kAlreadyExists; kResourceExhausted.
  absl::StatusOr<std::uint32_t> AddGroup(std::uint32_t realm, const std::string& name,
                                         GroupScope scope = GroupScope::kGlobal);

  // Adds all or none and returns the first slot; they follow in order. Random keys, RIDs in
  // order. About 2 us an account. Errors: kAlreadyExists naming the first double;
  // kResourceExhausted the table is full.
  absl::StatusOr<std::uint32_t> Add(std::uint32_t realm, std::span<const NewAccount> accounts);

  absl::Status SetFlag(std::uint32_t realm, std::string_view name, AccountFlag flag, bool on);
  // New random key as well: tickets of the old password's time stay valid, logons do not.
  absl::Status SetPassword(std::uint32_t realm, std::string_view name, std::string_view password);
  absl::Status Rekey(std::uint32_t realm, std::string_view name);  // New random key.
  // `ou` as in NewAccount: the account gets a new DN.
  absl::Status Move(std::uint32_t realm, std::string_view name, std::string_view ou);
  absl::Status SetGroups(std::uint32_t realm, std::string_view name,
                         std::span<const std::uint32_t> group_rids);
  // Which groups of its realm a group is in. Cycles are allowed, as in Active Directory.
  absl::Status SetGroupParents(std::uint32_t realm, std::uint32_t group_rid,
                               std::span<const std::uint32_t> parent_rids);
  // Somebody of another domain comes into a group of `realm`, or leaves it. kInvalidArgument: its
  // scope does not allow that.
  absl::Status SetForeignMember(std::uint32_t realm, std::uint32_t group_rid, const Member& member,
                                bool on);
  // What is empty stays as it is; the DN follows a display name.
  struct Names {
    std::string name = {};
    std::string display_name = {};
    std::string upn = {};
  };
  absl::Status Rename(std::uint32_t realm, std::string_view name, const Names& names);
  // For good: its names are free for another account, of another RID.
  absl::Status Delete(std::uint32_t realm, std::string_view name);
  absl::Status SetExpiry(std::uint32_t realm, std::string_view name, std::int64_t unix_seconds);
  absl::Status SetPasswordExpiry(std::uint32_t realm, std::string_view name,
                                 std::int64_t unix_seconds);
  absl::Status SetLogonHours(std::uint32_t realm, std::string_view name,
                             const std::array<std::uint8_t, 21>& hours);
  // At most kSidHistoryMax, as in Account.
  absl::Status SetSidHistory(std::uint32_t realm, std::string_view name,
                             std::span<const std::array<std::uint32_t, 4>> sids);
  // For kLockoutSeconds from now; and an administrator's unlocking.
  absl::Status Lock(std::uint32_t realm, std::string_view name);
  absl::Status Unlock(std::uint32_t realm, std::string_view name);

  const AccountView& view() const { return view_; }
  const std::string& path() const { return path_; }

 private:
  AccountTable(std::string path, AccountView view, const Clock& clock, Random& random);
  template <typename Change>
  absl::Status ChangeRow(std::uint32_t realm, std::string_view name, Change change);
  absl::StatusOr<std::uint32_t> AddLocked(std::uint32_t realm, std::span<const NewAccount> accounts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The trusted domain object of `partner` in `realm`, made when there is none.
  absl::StatusOr<std::size_t> TrustSlot(std::uint32_t realm, std::uint32_t partner)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether there is a key for tickets from the trust's realm to its partner.
  absl::Status SetTrustKey(std::size_t trust, bool on) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckMember(const Group& group, const Member& member) const;
  void Unpublish(std::uint32_t slot, Row row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TouchGroup(std::size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Row> MakeRow(std::uint32_t realm, const NewAccount& account,
                              std::uint32_t rid) const;
  void Publish(std::uint32_t slot, const Row& row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Insert(std::uint64_t hash, std::uint32_t slot);
  void Remove(std::uint64_t hash, std::uint32_t slot);
  // What the change is of: the row, or its groups, of which those change that `before` or `row` has
  // alone.
  enum class Of { kRow, kGroups };
  void Store(std::uint32_t slot, Row row, Of of, const Row* before = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The groups of `account` that `other` is not in.
  void TouchGroups(const Account& account, const Account& other, std::uint64_t usn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::uint64_t NextUsn() const;

  const std::string path_;
  const AccountView view_;
  const Clock& clock_;
  Random& random_;
  Mutex mutex_;  // Held by every change.
  std::array<std::uint32_t, kRealmsMax> next_rid_ ABSL_GUARDED_BY(mutex_){};
  // Index of a group by realm and RID.
  std::unordered_map<std::uint64_t, std::uint32_t> group_index_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::simulator
