// Which realms trust one another, and where tickets lead. Compiled into the KDC's plug-in as well.
#include <algorithm>

#include "libs/base/names.h"
#include "simulator/forest/account_layout.h"

namespace devicetrust::simulator {
namespace {

// Whether a name is in the domain `parent`, and is not that domain's.
bool IsBelow(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() + 1 && name[name.size() - parent.size() - 1] == '.' &&
         SameName(name.substr(name.size() - parent.size()), parent);
}

}  // namespace

std::optional<std::uint32_t> AccountView::FindDomain(
    std::span<const std::uint32_t, 3> domain) const {
  const std::span<const Realm> all = realms();
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (std::ranges::equal(all[i].domain, domain)) return i;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> AccountView::RealmOfHost(std::string_view host) const {
  const std::span<const Realm> all = realms();
  std::optional<std::uint32_t> best;  // The longest: a child domain ends like its parent.
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const std::string_view name = all[i].name;
    if (!SameName(host, name) && !IsBelow(host, name)) continue;
    if (!best || all[*best].name.view().size() < name.size()) best = i;
  }
  return best;
}

std::optional<std::uint32_t> AccountView::ParentOf(std::uint32_t realm) const {
  const std::span<const Realm> all = realms();
  const std::uint32_t root = all[realm].forest;
  if (realm == root) return std::nullopt;
  std::uint32_t best = root;  // Of a tree of its own, too.
  std::size_t longest = 0;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const std::string_view name = all[i].name;
    if (all[i].forest != root || !IsBelow(all[realm].name, name) || name.size() < longest) continue;
    best = i;
    longest = name.size();
  }
  return best;
}

std::int64_t AccountView::ClockSkewSeconds(std::uint32_t realm) const {
  return mapping_->header().clock_skew[realms()[realm].forest].load(std::memory_order_acquire);
}

std::size_t AccountView::trusts() const {
  return mapping_->header().trusts.load(std::memory_order_acquire);
}

Trust AccountView::TrustAt(std::size_t index) const {
  const TrustCell& cell = mapping_->header().trust[index];
  Trust trust;
  trust.realm = cell.realm;
  trust.partner = cell.partner;
  trust.direction = static_cast<TrustDirection>(cell.direction.load(std::memory_order_acquire));
  trust.usn = cell.usn.load(std::memory_order_acquire);
  trust.created = cell.created.load(std::memory_order_relaxed);
  trust.changed_at = cell.changed_at.load(std::memory_order_relaxed);
  const Realm& realm = realms()[trust.realm];
  const Realm& partner = realms()[trust.partner];
  if (realm.forest == partner.forest) {
    trust.attributes = kTrustWithinForest;
  } else if (realm.forest == trust.realm && partner.forest == trust.partner) {
    trust.attributes = kTrustForestTransitive;
  } else {
    trust.attributes = kTrustQuarantined;
  }
  return trust;
}

Trust AccountView::TrustBetween(std::uint32_t realm, std::uint32_t partner) const {
  const std::size_t count = trusts();
  for (std::size_t i = 0; i < count; ++i) {
    const TrustCell& cell = mapping_->header().trust[i];
    if (cell.realm == realm && cell.partner == partner) return TrustAt(i);
  }
  return {.realm = realm, .partner = partner};
}

std::optional<std::uint32_t> AccountView::NextHop(std::uint32_t at, std::uint32_t to) const {
  if (at == to) return std::nullopt;
  const auto leads = [this](std::uint32_t from, std::uint32_t into) {
    return TrustBetween(from, into).has(TrustDirection::kInbound);
  };
  if (leads(at, to)) return to;
  const std::uint32_t root = realms()[at].forest;
  const std::uint32_t other_root = realms()[to].forest;
  std::uint32_t target = to;
  if (root != other_root) {
    if (!leads(root, other_root)) return std::nullopt;
    if (at == root) return other_root;
    target = root;
  }
  // Down, when it is on the way up from the target, else up.
  std::optional<std::uint32_t> next = ParentOf(at);
  for (std::uint32_t up = target;;) {
    const std::optional<std::uint32_t> parent = ParentOf(up);
    if (!parent) break;
    if (*parent == at) {
      next = up;
      break;
    }
    up = *parent;
  }
  return next && leads(at, *next) ? next : std::nullopt;
}

bool AccountView::Reaches(std::uint32_t from, std::uint32_t to) const {
  for (std::size_t hops = 0; from != to; ++hops) {
    const std::optional<std::uint32_t> next = NextHop(from, to);
    if (!next || hops == kRealmsMax) return false;
    from = *next;
  }
  return true;
}

bool AccountView::MayVouch(std::uint32_t realm, std::uint32_t peer, std::uint32_t of) const {
  const std::span<const Realm> all = realms();
  if (all[realm].forest == all[peer].forest) return true;
  const Trust trust = TrustBetween(realm, peer);
  if (!trust.has(TrustDirection::kOutbound)) return false;
  if ((trust.attributes & kTrustForestTransitive) == 0) return of == peer;
  return all[of].forest == all[peer].forest;
}

std::vector<Member> AccountView::ForeignMembers(std::size_t index) const {
  std::vector<Member> members;
  for (const auto& packed : mapping_->header().foreign_member) {
    const std::uint64_t one = packed.load(std::memory_order_acquire);
    if (one >> 48U != index + 1) continue;
    members.push_back({static_cast<std::uint32_t>(one >> 32U & 0xffffU),
                       static_cast<std::uint32_t>(one & 0xffff'ffffU)});
  }
  return members;
}

std::uint64_t AccountView::groups_version() const {
  return mapping_->header().groups_version.load(std::memory_order_acquire);
}

}  // namespace devicetrust::simulator
