// Trusts between realms, and the clocks of their forests, as they are set.
#include <fmt/format.h>

#include <algorithm>

#include "simulator/forest/account_layout.h"

namespace devicetrust::simulator {
namespace {

TrustDirection FromTheOtherSide(TrustDirection direction) {
  switch (direction) {
    case TrustDirection::kInbound:
      return TrustDirection::kOutbound;
    case TrustDirection::kOutbound:
      return TrustDirection::kInbound;
    case TrustDirection::kNone:
    case TrustDirection::kBoth:
      break;
  }
  return direction;
}

}  // namespace

absl::StatusOr<std::size_t> AccountTable::TrustSlot(std::uint32_t realm, std::uint32_t partner) {
  TableHeader& header = view_.mapping_->header();
  const std::uint32_t count = header.trusts.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (header.trust[i].realm == realm && header.trust[i].partner == partner) return i;
  }
  if (count == kTrustsMax) return absl::ResourceExhaustedError("the table is full of trusts");
  header.trust[count].realm = realm;
  header.trust[count].partner = partner;
  header.trusts.store(count + 1, std::memory_order_release);
  return count;
}

absl::Status AccountTable::SetTrustKey(std::size_t trust, bool on) {
  TrustCell& cell = view_.mapping_->header().trust[trust];
  const std::uint32_t key = cell.key.load(std::memory_order_relaxed);
  if (key == 0) {
    if (!on) return absl::OkStatus();
    const NewAccount account{.kind = AccountKind::kTrust,
                             .name = "krbtgt/" + view_.realms()[cell.partner].name.str()};
    DT_ASSIGN_OR_RETURN(const std::uint32_t slot, AddLocked(cell.realm, {&account, 1}));
    cell.key.store(slot + 1, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  Row row = view_.Read(key - 1);
  if (on != row.account.has(kDeleted)) return absl::OkStatus();
  if (!on) {
    Unpublish(key - 1, row);
    return absl::OkStatus();
  }
  row.account.flags &= ~std::uint32_t{kDeleted};
  row.account.kvno++;
  row.account.password_set = UnixSeconds(clock_.Now());
  DT_RETURN_IF_ERROR(random_.Fill(row.account.key));
  Publish(key - 1, row);
  return absl::OkStatus();
}

absl::Status AccountTable::SetTrust(std::uint32_t realm, std::uint32_t partner,
                                    TrustDirection direction) {
  const MutexLock lock(mutex_);
  if (realm == partner || std::max(realm, partner) >= view_.realms().size()) {
    return absl::InvalidArgumentError("a trust is between two realms of the table");
  }
  TableHeader& header = view_.mapping_->header();
  struct Side {
    std::uint32_t realm;
    std::uint32_t partner;
    TrustDirection direction;
  };
  const Side sides[] = {{realm, partner, direction}, {partner, realm, FromTheOtherSide(direction)}};
  for (const Side& side : sides) {
    DT_ASSIGN_OR_RETURN(const std::size_t trust, TrustSlot(side.realm, side.partner));
    Trust now{.direction = side.direction};
    TrustCell& cell = header.trust[trust];
    // Before the key goes, after it has come: nobody is sent where no key is.
    if (!now.has(TrustDirection::kInbound)) {
      cell.direction.store(static_cast<std::uint32_t>(side.direction), std::memory_order_release);
    }
    DT_RETURN_IF_ERROR(SetTrustKey(trust, now.has(TrustDirection::kInbound)));
    const std::int64_t time = UnixSeconds(clock_.Now());
    if (cell.created.load(std::memory_order_relaxed) == 0) {
      cell.created.store(time, std::memory_order_relaxed);
    }
    cell.changed_at.store(time, std::memory_order_relaxed);
    const std::uint64_t usn = NextUsn();
    cell.usn.store(usn, std::memory_order_release);
    cell.direction.store(static_cast<std::uint32_t>(side.direction), std::memory_order_release);
    header.usn.store(usn, std::memory_order_release);
  }
  return absl::OkStatus();
}

absl::Status AccountTable::SetClockSkew(std::uint32_t realm, std::int64_t seconds) {
  if (realm >= view_.realms().size()) return absl::InvalidArgumentError("no such realm");
  view_.mapping_->header().clock_skew[view_.realms()[realm].forest].store(
      seconds, std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
