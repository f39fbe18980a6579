#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <unordered_set>

#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "simulator/forest/account_layout.h"

namespace devicetrust::simulator {

absl::Status TooLong(std::string_view what, std::string_view value) {
  return absl::InvalidArgumentError(fmt::format(
      "{} \"{}\" is too long for the forest's table or holds a NUL", what, value.substr(0, 100)));
}

namespace {

// RFC 4514, section 2.4.
std::string BaseDn(std::string_view realm_name) {
  std::string dn = "DC=";
  for (const char c : LowerCase(realm_name)) {
    if (c == '.') {
      dn += ",DC=";
    } else {
      dn += c;
    }
  }
  return dn;
}

std::string Container(const Realm& realm, AccountKind kind, std::string_view ou) {
  std::string container;
  if (ou.empty()) {
    container = kind == AccountKind::kComputer ? "CN=Computers" : "CN=Users";
  } else {
    container = ou.find('=') == std::string_view::npos ? fmt::format("OU={}", EscapeRdnValue(ou))
                                                       : std::string(ou);
  }
  return fmt::format("{},{}", container, realm.base_dn.view());
}

// Where the first part of a distinguished name ends: at a comma that is not escaped.
std::size_t FirstPartEnd(std::string_view dn) {
  std::size_t at = 0;
  while (at < dn.size() && dn[at] != ',') at += dn[at] == '\\' ? 2 : 1;
  return std::min(at, dn.size());
}

std::string CommonName(const Account& account, const Person& person) {
  if (!person.display_name.empty()) return person.display_name.str();
  std::string name = account.name.str();
  if (account.kind == AccountKind::kComputer && name.ends_with('$')) name.pop_back();
  return name;
}

absl::Status SetDn(const Realm& realm, std::string_view ou, Row& row) {
  const std::string dn =
      fmt::format("CN={},{}", EscapeRdnValue(CommonName(row.account, row.person)),
                  Container(realm, row.account.kind, ou));
  return row.person.dn.Assign(dn) ? absl::OkStatus() : TooLong("DN", dn);
}

std::uint32_t PrimaryGroup(AccountKind kind) {
  switch (kind) {
    case AccountKind::kUser:
      return kRidDomainUsers;
    case AccountKind::kComputer:
      return kRidDomainComputers;
    case AccountKind::kService:
    case AccountKind::kTrust:
      break;
  }
  return kRidDomainUsers;
}

absl::Status AssignGroups(std::span<const std::uint32_t> rids, Account& account) {
  if (rids.size() > kGroupsPerAccountMax) {
    return absl::InvalidArgumentError(fmt::format("{} is in {} groups; the table holds {} each",
                                                  account.name.view(), rids.size(),
                                                  kGroupsPerAccountMax));
  }
  account.group_rids.fill(0);
  std::copy(rids.begin(), rids.end(), account.group_rids.begin());
  account.group_count = static_cast<std::uint32_t>(rids.size());
  return absl::OkStatus();
}

}  // namespace

AccountTable::AccountTable(std::string path, AccountView view, const Clock& clock, Random& random)
    : path_(std::move(path)), view_(std::move(view)), clock_(clock), random_(random) {
  next_rid_.fill(kRidFirst);
}

absl::StatusOr<std::unique_ptr<AccountTable>> AccountTable::Create(const std::string& path,
                                                                   std::uint32_t accounts_max,
                                                                   const Clock& clock,
                                                                   Random& random) {
  const std::uint32_t rows_max = accounts_max + kRealmsMax * 4;  // Services and trusts too.
  const std::uint32_t index_slots = std::bit_ceil(rows_max * kKeysPerRow * 2);
  const std::size_t bytes = AccountView::Mapping::BytesFor(index_slots, rows_max);

  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return absl::FailedPreconditionError(path + ": " + std::strerror(errno));
  void* memory = MAP_FAILED;
  if (::ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  const int error = errno;
  ::close(file);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(fmt::format("{}: cannot map {} MB for {} accounts: {}",
                                                    path, bytes >> 20U, rows_max,
                                                    std::strerror(error)));
  }

  auto mapping = std::make_shared<const AccountView::Mapping>(memory, bytes);
  TableHeader& header = mapping->header();
  header.row_bytes = sizeof(Row);
  header.rows_max = rows_max;
  header.index_slots = index_slots;
  header.version = kTableVersion;
  std::array<std::uint8_t, sizeof header.invocation> invocation{};
  DT_RETURN_IF_ERROR(random.Fill(invocation));
  std::memcpy(header.invocation, invocation.data(), sizeof header.invocation);
  std::memcpy(header.magic, kTableMagic, sizeof kTableMagic);
  return std::unique_ptr<AccountTable>(
      new AccountTable(path, AccountView(std::move(mapping)), clock, random));
}

absl::StatusOr<std::uint32_t> AccountTable::AddRealm(const NewRealm& realm) {
  Realm made;
  const std::string base_dn = BaseDn(realm.name);
  if (realm.name.empty() || !made.name.Assign(realm.name)) return TooLong("realm", realm.name);
  if (!made.netbios.Assign(realm.netbios)) return TooLong("NetBIOS name", realm.netbios);
  if (!made.base_dn.Assign(base_dn)) return TooLong("base DN", base_dn);
  if (realm.forest && *realm.forest >= view_.realms().size()) {
    return absl::InvalidArgumentError("no such forest");
  }
  if (realm.domain) {
    made.domain = *realm.domain;
  } else {
    std::array<std::uint8_t, sizeof made.domain> bytes{};
    DT_RETURN_IF_ERROR(random_.Fill(bytes));
    std::memcpy(made.domain.data(), bytes.data(), bytes.size());
  }

  std::uint32_t index = 0;
  {
    const MutexLock lock(mutex_);
    TableHeader& header = view_.mapping_->header();
    if (view_.FindRealm(realm.name)) return absl::AlreadyExistsError(realm.name);
    index = header.realms.load(std::memory_order_relaxed);
    if (index == kRealmsMax) return absl::ResourceExhaustedError("the table is full of realms");
    made.forest = realm.forest.value_or(index);
    header.realm[index] = made;
    header.realms.store(index + 1, std::memory_order_release);
  }
  const NewAccount krbtgt{.kind = AccountKind::kTrust, .name = "krbtgt/" + realm.name};
  DT_RETURN_IF_ERROR(Add(index, {&krbtgt, 1}).status());
  return index;
}

absl::StatusOr<Row> AccountTable::MakeRow(std::uint32_t realm, const NewAccount& account,
                                          std::uint32_t rid) const {
  Row row;
  Account& a = row.account;
  Person& p = row.person;
  if (account.name.empty() || account.name.find('@') != std::string::npos ||
      !a.name.Assign(account.name)) {
    return TooLong("account name", account.name);
  }
  a.realm = realm;
  a.kind = account.kind;
  a.rid = rid;
  a.primary_group_rid = PrimaryGroup(account.kind);
  a.created = a.password_set = UnixSeconds(clock_.Now());
  DT_RETURN_IF_ERROR(AssignGroups(account.group_rids, a));
  if (!a.password.Assign(account.password)) return TooLong("password of", account.name);

  const Realm& domain = view_.realms()[realm];
  std::string upn = account.upn;
  if (upn.empty() && account.kind == AccountKind::kUser) {
    upn = LowerCase(fmt::format("{}@{}", account.name, domain.name.view()));
  }
  if (!p.upn.Assign(upn)) return TooLong("UPN", upn);
  if (!p.display_name.Assign(account.display_name)) return TooLong("name", account.display_name);
  if (!p.given_name.Assign(account.given_name)) return TooLong("name", account.given_name);
  if (!p.surname.Assign(account.surname)) return TooLong("surname", account.surname);
  if (!p.mail.Assign(account.mail)) return TooLong("mail", account.mail);
  if (!p.operating_system.Assign(account.operating_system)) {
    return TooLong("operating system", account.operating_system);
  }
  if (!p.operating_system_version.Assign(account.operating_system_version)) {
    return TooLong("version", account.operating_system_version);
  }
  const bool listed = account.kind == AccountKind::kUser || account.kind == AccountKind::kComputer;
  if (listed) DT_RETURN_IF_ERROR(SetDn(domain, account.ou, row));
  return row;
}

absl::StatusOr<std::uint32_t> AccountTable::Add(std::uint32_t realm,
                                                std::span<const NewAccount> accounts) {
  const MutexLock lock(mutex_);
  return AddLocked(realm, accounts);
}

absl::StatusOr<std::uint32_t> AccountTable::AddLocked(std::uint32_t realm,
                                                      std::span<const NewAccount> accounts) {
  TableHeader& header = view_.mapping_->header();
  if (realm >= view_.realms().size()) return absl::InvalidArgumentError("no such realm");
  const std::uint32_t first = header.rows.load(std::memory_order_relaxed);
  if (accounts.size() > header.rows_max - first) {
    return absl::ResourceExhaustedError(
        fmt::format("{} more accounts do not fit: the table has {} of {}", accounts.size(), first,
                    header.rows_max));
  }

  Bytes keys(accounts.size() * sizeof(Account::key));
  DT_RETURN_IF_ERROR(random_.Fill(keys));
  std::vector<Row> rows;
  rows.reserve(accounts.size());
  std::unordered_set<std::string> taken;
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    const bool trust = accounts[i].kind == AccountKind::kTrust;
    const std::uint32_t rid = trust ? kRidKrbtgt : next_rid_[realm] + static_cast<std::uint32_t>(i);
    DT_ASSIGN_OR_RETURN(Row row, MakeRow(realm, accounts[i], rid));
    std::memcpy(row.account.key.data(), &keys[i * sizeof(Account::key)], sizeof(Account::key));
    const Person& person = row.person;
    const bool fresh =
        taken.insert("n" + FoldName(row.account.name)).second &&
        !view_.FindName(realm, row.account.name) &&
        (person.upn.empty() ||
         (taken.insert("u" + FoldName(person.upn)).second && !view_.FindUpn(person.upn))) &&
        (person.dn.empty() ||
         (taken.insert("d" + FoldName(person.dn)).second && !view_.FindDn(person.dn)));
    if (!fresh) {
      return absl::AlreadyExistsError(
          fmt::format("account {} (name, UPN or DN is taken)", row.account.name.view()));
    }
    rows.push_back(row);
  }

  next_rid_[realm] += static_cast<std::uint32_t>(accounts.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) Publish(first + i, rows[i]);
  return first;
}

// The row before its keys: whoever finds a key finds a whole row.
void AccountTable::Publish(std::uint32_t slot, const Row& row) {
  Store(slot, row, Of::kRow);
  const Account& account = row.account;
  Insert(HashKey(KeyKind::kName, account.realm, account.name), slot);
  Insert(HashRid(account.realm, account.rid), slot);
  if (!row.person.upn.empty()) Insert(HashKey(KeyKind::kUpn, 0, row.person.upn), slot);
  if (!row.person.dn.empty()) Insert(HashKey(KeyKind::kDn, 0, row.person.dn), slot);
  std::atomic<std::uint32_t>& rows = view_.mapping_->header().rows;
  if (rows.load(std::memory_order_relaxed) <= slot) rows.store(slot + 1, std::memory_order_release);
}

std::uint64_t AccountTable::NextUsn() const {
  return view_.mapping_->header().usn.load(std::memory_order_relaxed) + 1;
}

void AccountTable::TouchGroups(const Account& account, const Account& other, std::uint64_t usn) {
  for (const std::uint32_t rid : account.groups()) {
    if (std::ranges::find(other.groups(), rid) != other.groups().end()) continue;
    const auto found = group_index_.find(GroupKey(account.realm, rid));
    if (found == group_index_.end()) continue;
    view_.mapping_->header().group_usn[found->second].store(usn, std::memory_order_release);
  }
}

// The number of the change is published last: whoever reads it finds what it numbers.
void AccountTable::Store(std::uint32_t slot, Row row, Of of, const Row* before) {
  const std::uint64_t usn = NextUsn();
  const bool is_new = row.usn == 0;
  if (of == Of::kRow) {
    row.usn = usn;
    row.changed_at = UnixSeconds(clock_.Now());
  }
  if (of == Of::kGroups || is_new) {
    row.groups_usn = usn;
    const Account other = before == nullptr ? Account() : before->account;
    TouchGroups(row.account, other, usn);
    TouchGroups(other, row.account, usn);
  }
  std::array<std::uint64_t, kRowWords> words;
  std::memcpy(words.data(), &row, sizeof row);

  Cell& cell = view_.mapping_->cell(slot);
  const std::uint64_t sequence = cell.sequence.load(std::memory_order_relaxed);
  cell.sequence.store(sequence + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t i = 0; i < kRowWords; ++i) {
    cell.word[i].store(words[i], std::memory_order_relaxed);
  }
  cell.sequence.store(sequence + 2, std::memory_order_release);
  view_.mapping_->header().usn.store(usn, std::memory_order_release);
}

void AccountTable::Insert(std::uint64_t hash, std::uint32_t slot) {
  const std::uint32_t mask = view_.mapping_->header().index_slots - 1;
  std::atomic<std::uint64_t>* index = view_.mapping_->index();
  const std::uint64_t entry = (hash >> 32U << 32U) | (slot + 1);
  for (std::uint32_t probe = static_cast<std::uint32_t>(hash);; ++probe) {  // Never full: 2x keys.
    std::atomic<std::uint64_t>& place = index[probe & mask];
    const std::uint64_t found = place.load(std::memory_order_relaxed);
    if (found == 0 || static_cast<std::uint32_t>(found) == kTombstone) {
      place.store(entry, std::memory_order_release);
      return;
    }
  }
}

void AccountTable::Remove(std::uint64_t hash, std::uint32_t slot) {
  const std::uint32_t mask = view_.mapping_->header().index_slots - 1;
  std::atomic<std::uint64_t>* index = view_.mapping_->index();
  const std::uint64_t entry = (hash >> 32U << 32U) | (slot + 1);
  for (std::uint32_t probe = 0; probe <= mask; ++probe) {
    std::atomic<std::uint64_t>& place = index[(static_cast<std::uint32_t>(hash) + probe) & mask];
    const std::uint64_t found = place.load(std::memory_order_relaxed);
    if (found == 0) return;
    if (found == entry) return place.store(kTombstone, std::memory_order_release);
  }
}

template <typename Change>
absl::Status AccountTable::ChangeRow(std::uint32_t realm, std::string_view name, Change change) {
  const MutexLock lock(mutex_);
  const std::optional<std::uint32_t> slot = view_.FindName(realm, name);
  if (!slot) return absl::NotFoundError(fmt::format("no account {} in the forest", name));
  const Row before = view_.Read(*slot);
  Row after = before;
  DT_RETURN_IF_ERROR(change(after));
  struct Key {
    std::string_view before;
    std::string_view after;
    KeyKind kind;
    std::uint32_t realm;
  };
  const Key keys[] = {{before.account.name, after.account.name, KeyKind::kName, realm},
                      {before.person.upn, after.person.upn, KeyKind::kUpn, 0},
                      {before.person.dn, after.person.dn, KeyKind::kDn, 0}};
  const auto moves = [](const Key& key) { return !SameName(key.before, key.after); };
  for (const Key& key : keys) {
    if (!moves(key) || key.after.empty()) continue;
    const auto owner = key.kind == KeyKind::kName  ? view_.FindName(realm, key.after)
                       : key.kind == KeyKind::kUpn ? view_.FindUpn(key.after)
                                                   : view_.FindDn(key.after);
    if (owner) return absl::AlreadyExistsError(std::string(key.after));
  }
  const bool of_groups = !std::ranges::equal(before.account.groups(), after.account.groups());
  Store(*slot, after, of_groups ? Of::kGroups : Of::kRow, &before);
  for (const Key& key : keys) {
    if (!moves(key)) continue;
    if (!key.after.empty()) Insert(HashKey(key.kind, key.realm, key.after), *slot);
    if (!key.before.empty()) Remove(HashKey(key.kind, key.realm, key.before), *slot);
  }
  return absl::OkStatus();
}

absl::Status AccountTable::SetFlag(std::uint32_t realm, std::string_view name, AccountFlag flag,
                                   bool on) {
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.flags = on ? row.account.flags | flag : row.account.flags & ~std::uint32_t{flag};
    return absl::OkStatus();
  });
}

absl::Status AccountTable::SetPassword(std::uint32_t realm, std::string_view name,
                                       std::string_view password) {
  return ChangeRow(realm, name, [&](Row& row) -> absl::Status {
    if (!row.account.password.Assign(password)) return TooLong("password of", name);
    row.account.flags &= ~std::uint32_t{kMustChangePassword};
    row.account.password_expires = 0;
    row.account.kvno++;
    row.account.password_set = UnixSeconds(clock_.Now());
    return random_.Fill(row.account.key);
  });
}

absl::Status AccountTable::Rekey(std::uint32_t realm, std::string_view name) {
  return ChangeRow(realm, name, [&](Row& row) -> absl::Status {
    row.account.kvno++;
    row.account.password_set = UnixSeconds(clock_.Now());
    return random_.Fill(row.account.key);
  });
}

absl::Status AccountTable::Move(std::uint32_t realm, std::string_view name, std::string_view ou) {
  return ChangeRow(realm, name, [&](Row& row) { return SetDn(view_.realms()[realm], ou, row); });
}

absl::Status AccountTable::SetGroups(std::uint32_t realm, std::string_view name,
                                     std::span<const std::uint32_t> group_rids) {
  return ChangeRow(realm, name, [&](Row& row) { return AssignGroups(group_rids, row.account); });
}

absl::Status AccountTable::Rename(std::uint32_t realm, std::string_view name, const Names& names) {
  return ChangeRow(realm, name, [&](Row& row) -> absl::Status {
    if (!names.name.empty() && !row.account.name.Assign(names.name)) {
      return TooLong("account name", names.name);
    }
    if (!names.upn.empty() && !row.person.upn.Assign(names.upn)) return TooLong("UPN", names.upn);
    if (names.display_name.empty()) return absl::OkStatus();
    if (!row.person.display_name.Assign(names.display_name)) {
      return TooLong("name", names.display_name);
    }
    const std::string dn = fmt::format("CN={}{}", EscapeRdnValue(names.display_name),
                                       row.person.dn.view().substr(FirstPartEnd(row.person.dn)));
    return row.person.dn.Assign(dn) ? absl::OkStatus() : TooLong("DN", dn);
  });
}

absl::Status AccountTable::Delete(std::uint32_t realm, std::string_view name) {
  const MutexLock lock(mutex_);
  const std::optional<std::uint32_t> slot = view_.FindName(realm, name);
  if (!slot) return absl::NotFoundError(fmt::format("no account {} in the forest", name));
  Unpublish(*slot, view_.Read(*slot));
  return absl::OkStatus();
}

void AccountTable::Unpublish(std::uint32_t slot, Row row) {
  row.account.flags |= kDeleted;
  Store(slot, row, Of::kRow);
  const Account& account = row.account;
  Remove(HashKey(KeyKind::kName, account.realm, account.name), slot);
  Remove(HashRid(account.realm, account.rid), slot);
  if (!row.person.upn.empty()) Remove(HashKey(KeyKind::kUpn, 0, row.person.upn), slot);
  if (!row.person.dn.empty()) Remove(HashKey(KeyKind::kDn, 0, row.person.dn), slot);
}

absl::Status AccountTable::Lock(std::uint32_t realm, std::string_view name) {
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.locked_at = UnixSeconds(clock_.Now());
    return absl::OkStatus();
  });
}

absl::Status AccountTable::Unlock(std::uint32_t realm, std::string_view name) {
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.locked_at = 0;
    return absl::OkStatus();
  });
}

absl::Status AccountTable::SetExpiry(std::uint32_t realm, std::string_view name,
                                     std::int64_t unix_seconds) {
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.expires = unix_seconds;
    return absl::OkStatus();
  });
}

absl::Status AccountTable::SetPasswordExpiry(std::uint32_t realm, std::string_view name,
                                             std::int64_t unix_seconds) {
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.password_expires = unix_seconds;
    return absl::OkStatus();
  });
}

absl::Status AccountTable::SetLogonHours(std::uint32_t realm, std::string_view name,
                                         const std::array<std::uint8_t, 21>& hours) {
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.logon_hours = hours;
    return absl::OkStatus();
  });
}

absl::Status AccountTable::SetSidHistory(std::uint32_t realm, std::string_view name,
                                         std::span<const std::array<std::uint32_t, 4>> sids) {
  if (sids.size() > kSidHistoryMax) {
    return absl::InvalidArgumentError(
        fmt::format("an account has at most {} earlier SIDs", kSidHistoryMax));
  }
  return ChangeRow(realm, name, [&](Row& row) {
    row.account.sid_history = {};
    std::copy(sids.begin(), sids.end(), row.account.sid_history.begin());
    row.account.sid_history_count = static_cast<std::uint32_t>(sids.size());
    return absl::OkStatus();
  });
}

}  // namespace devicetrust::simulator
