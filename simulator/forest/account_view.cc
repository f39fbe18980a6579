#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "simulator/forest/account_layout.h"

namespace devicetrust::simulator {
namespace {

// FNV-1a with a final mix: the upper half serves as tag and must depend on all bytes.
class Hasher {
 public:
  void Add(unsigned char byte) { value_ = (value_ ^ byte) * 1099511628211U; }
  void Add(std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      Add(static_cast<unsigned char>((value >> shift) & 0xffU));
    }
  }
  std::uint64_t Finish() const {
    std::uint64_t h = value_;
    h = (h ^ (h >> 33U)) * 0xff51afd7ed558ccdU;
    h = (h ^ (h >> 33U)) * 0xc4ceb9fe1a85ec53U;
    return h ^ (h >> 33U);
  }

 private:
  std::uint64_t value_ = 14695981039346656037U;
};

}  // namespace

std::uint64_t HashKey(KeyKind kind, std::uint32_t realm, std::string_view text) {
  Hasher hasher;
  hasher.Add(static_cast<unsigned char>(kind));
  hasher.Add(realm);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) {  // The rest costs a string.
      for (const char c : FoldName(text.substr(i))) hasher.Add(static_cast<unsigned char>(c));
      break;
    }
    hasher.Add(static_cast<unsigned char>(ToLower(text[i])));
  }
  return hasher.Finish();
}

std::uint64_t HashRid(std::uint32_t realm, std::uint32_t rid) {
  Hasher hasher;
  hasher.Add(static_cast<unsigned char>(KeyKind::kRid));
  hasher.Add(realm);
  hasher.Add(rid);
  return hasher.Finish();
}

std::string EscapeRdnValue(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool edge_space = c == ' ' && (i == 0 || i + 1 == value.size());
    if (edge_space || (c == '#' && i == 0) ||
        std::string_view("\"+,;<>\\").find(c) != std::string_view::npos) {
      out += '\\';
    }
    out += c;
  }
  return out;
}

LogonKey LogonKeyOf(const Account& account) {
  // A user's AES keys of RFC 3962 come from the password; no client prefers this one.
  constexpr int kAes128Sha2 = 19;
  constexpr int kAes256 = 18;
  if (account.kind == AccountKind::kUser) {
    return {kAes128Sha2, Bytes(account.key.begin(), account.key.begin() + 16)};
  }
  return {kAes256, Bytes(account.key.begin(), account.key.end())};
}

std::string DomainSid(const Realm& realm) {
  std::string sid = "S-1-5-21";
  for (const std::uint32_t part : realm.domain) sid += "-" + std::to_string(part);
  return sid;
}

std::string Sid(const Realm& realm, std::uint32_t rid) {
  return DomainSid(realm) + "-" + std::to_string(rid);
}

Bytes SidBytes(const Realm& realm, std::uint32_t rid) {
  Bytes out = {1, 5, 0, 0, 0, 0, 0, 5};  // Revision, count of sub-authorities, authority 5.
  for (const std::uint32_t part :
       {std::uint32_t{21}, realm.domain[0], realm.domain[1], realm.domain[2], rid}) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      out.push_back(static_cast<std::uint8_t>((part >> shift) & 0xffU));
    }
  }
  return out;
}

Bytes SidBytes(const Realm& realm) {
  Bytes sid = SidBytes(realm, 0);
  --sid[1];  // One sub-authority less: the relative id.
  sid.resize(sid.size() - 4);
  return sid;
}

std::uint32_t LdapUserAccountControl(const Account& account) {
  std::uint32_t bits = account.kind == AccountKind::kComputer ? 0x1000U : 0x200U;
  if (account.has(kDisabled)) bits |= 0x2U;
  return bits;
}

std::uint32_t PacUserAccountControl(const Account& account) {
  std::uint32_t bits = account.kind == AccountKind::kComputer ? 0x80U : 0x10U;
  if (account.has(kDisabled)) bits |= 0x1U;
  return bits;
}

AccountView::Mapping::~Mapping() { ::munmap(memory, bytes); }

AccountView::AccountView(std::shared_ptr<const Mapping> mapping) : mapping_(std::move(mapping)) {}

absl::StatusOr<AccountView> AccountView::Open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return absl::NotFoundError(path + ": " + std::strerror(errno));
  struct stat info {};
  void* memory = MAP_FAILED;
  const bool sized =
      ::fstat(file, &info) == 0 && info.st_size >= static_cast<off_t>(sizeof(TableHeader));
  const auto bytes = static_cast<std::size_t>(info.st_size);
  if (sized) memory = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return absl::FailedPreconditionError(path + " is no account table");

  auto mapping = std::make_shared<const Mapping>(memory, bytes);
  const TableHeader& header = mapping->header();
  const bool known = std::memcmp(header.magic, kTableMagic, sizeof kTableMagic) == 0 &&
                     header.version == kTableVersion && header.row_bytes == sizeof(Row) &&
                     Mapping::BytesFor(header.index_slots, header.rows_max) <= bytes;
  if (!known) {
    return absl::FailedPreconditionError(path + " is no account table of layout version " +
                                         std::to_string(kTableVersion));
  }
  return AccountView(std::move(mapping));
}

std::span<const Realm> AccountView::realms() const {
  const TableHeader& header = mapping_->header();
  return {header.realm, header.realms.load(std::memory_order_acquire)};
}

std::optional<std::uint32_t> AccountView::FindRealm(std::string_view name) const {
  const std::span<const Realm> all = realms();
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (all[i].name.view() == name) return i;
  }
  return std::nullopt;
}

std::span<const Group> AccountView::groups() const {
  const TableHeader& header = mapping_->header();
  return {header.group, header.groups.load(std::memory_order_acquire)};
}

const Group* AccountView::FindGroup(std::uint32_t realm, std::uint32_t rid) const {
  for (const Group& group : groups()) {
    if (group.realm == realm && group.rid == rid) return &group;
  }
  return nullptr;
}

std::uint64_t AccountView::GroupUsn(std::size_t index) const {
  return mapping_->header().group_usn[index].load(std::memory_order_acquire);
}

std::vector<std::uint32_t> AccountView::GroupParents(std::size_t index) const {
  std::vector<std::uint32_t> rids;
  for (const auto& parent : mapping_->header().group_parent[index]) {
    if (const std::uint32_t rid = parent.load(std::memory_order_acquire); rid != 0) {
      rids.push_back(rid);
    }
  }
  return rids;
}

std::uint32_t AccountView::size() const {
  return mapping_->header().rows.load(std::memory_order_acquire);
}

std::uint64_t AccountView::highest_usn() const {
  return mapping_->header().usn.load(std::memory_order_acquire);
}

std::string AccountView::invocation_id() const {
  const auto& words = mapping_->header().invocation;
  return {reinterpret_cast<const char*>(words), sizeof words};
}

std::uint64_t AccountView::UsnOf(std::uint32_t slot) const {
  return mapping_->cell(slot).word[kUsnWord].load(std::memory_order_relaxed);
}

std::uint64_t AccountView::GroupsUsnOf(std::uint32_t slot) const {
  return mapping_->cell(slot).word[kGroupsUsnWord].load(std::memory_order_relaxed);
}

Row AccountView::Read(std::uint32_t slot) const {
  const Cell& cell = mapping_->cell(slot);
  std::array<std::uint64_t, kRowWords> words;
  for (int attempt = 0;; ++attempt) {
    if (attempt > 100) std::this_thread::yield();  // The writer lost its core mid-change.
    const std::uint64_t before = cell.sequence.load(std::memory_order_acquire);
    if ((before & 1U) != 0) continue;
    for (std::size_t i = 0; i < kRowWords; ++i) {
      words[i] = cell.word[i].load(std::memory_order_relaxed);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (cell.sequence.load(std::memory_order_relaxed) == before) break;
  }
  Row row;
  std::memcpy(static_cast<void*>(&row), words.data(), sizeof row);
  return row;
}

template <typename Match>
std::optional<std::uint32_t> AccountView::Find(std::uint64_t hash, Match match) const {
  const std::uint32_t mask = mapping_->header().index_slots - 1;
  const std::atomic<std::uint64_t>* index = mapping_->index();
  for (std::uint32_t probe = 0; probe <= mask; ++probe) {
    const std::uint64_t entry =
        index[(static_cast<std::uint32_t>(hash) + probe) & mask].load(std::memory_order_acquire);
    if (entry == 0) return std::nullopt;
    const auto low = static_cast<std::uint32_t>(entry);
    if (low == kTombstone || (entry >> 32U) != (hash >> 32U)) continue;
    const Row row = Read(low - 1);
    if (!row.account.has(kDeleted) && match(row)) return low - 1;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> AccountView::FindPrincipal(std::string_view name_at_realm) const {
  const std::size_t at = name_at_realm.rfind('@');
  if (at == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint32_t> realm = FindRealm(name_at_realm.substr(at + 1));
  if (!realm) return std::nullopt;
  const std::string_view name = name_at_realm.substr(0, at);
  return Find(HashKey(KeyKind::kName, *realm, name), [&](const Row& row) {
    return row.account.realm == *realm && SameName(row.account.name, name);
  });
}

std::optional<std::uint32_t> AccountView::FindName(std::uint32_t realm,
                                                   std::string_view name) const {
  return Find(HashKey(KeyKind::kName, realm, name), [&](const Row& row) {
    return row.account.realm == realm && SameName(row.account.name, name);
  });
}

std::optional<std::uint32_t> AccountView::FindUpn(std::string_view upn) const {
  if (upn.empty()) return std::nullopt;
  return Find(HashKey(KeyKind::kUpn, 0, upn),
              [&](const Row& row) { return SameName(row.person.upn, upn); });
}

std::optional<std::uint32_t> AccountView::FindDn(std::string_view dn) const {
  if (dn.empty()) return std::nullopt;
  return Find(HashKey(KeyKind::kDn, 0, dn),
              [&](const Row& row) { return SameName(row.person.dn, dn); });
}

std::optional<std::uint32_t> AccountView::FindRid(std::uint32_t realm, std::uint32_t rid) const {
  return Find(HashRid(realm, rid),
              [&](const Row& row) { return row.account.realm == realm && row.account.rid == rid; });
}

}  // namespace devicetrust::simulator
