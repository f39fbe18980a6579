#include "simulator/gateway/live_state.h"

#include <algorithm>
#include <optional>

#include "libs/rpc/timestamps.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kRecentMax = 512;

void Merge(LiveSet::Map& into, const LiveSet::Map& changes) {
  for (const auto& [name, moment] : changes) {
    const auto [at, added] = into.emplace(name, moment);
    if (!added) at->second = std::max(at->second, moment);
  }
}

}  // namespace

LiveSet::LiveSet() {
  parts_.Set(std::make_shared<const Parts>(
      Parts{std::make_shared<const Map>(), std::make_shared<const Map>()}));
}

void LiveSet::Add(const Map& changes) {
  if (changes.empty()) return;
  const std::shared_ptr<const Parts> old = parts_.Get();
  auto recent = std::make_shared<Map>(*old->recent);
  Merge(*recent, changes);
  if (recent->size() <= kRecentMax) {
    parts_.Set(std::make_shared<const Parts>(Parts{old->large, std::move(recent)}));
    return;
  }
  auto large = std::make_shared<Map>(*old->large);
  Merge(*large, *recent);
  parts_.Set(std::make_shared<const Parts>(Parts{std::move(large), std::make_shared<const Map>()}));
}

void LiveSet::Forget(WallTime moment) {
  const std::shared_ptr<const Parts> old = parts_.Get();
  const auto past = [moment](const Map::value_type& each) { return each.second < moment; };
  if (std::none_of(old->large->begin(), old->large->end(), past)) return;
  auto large = std::make_shared<Map>(*old->large);
  std::erase_if(*large, past);
  parts_.Set(std::make_shared<const Parts>(Parts{std::move(large), old->recent}));
}

std::optional<WallTime> LiveSet::Find(const std::string& name) const {
  const std::shared_ptr<const Parts> parts = parts_.Get();
  std::optional<WallTime> found;
  for (const Map* map : {parts->recent.get(), parts->large.get()}) {
    const auto at = map->find(name);
    if (at != map->end() && (!found || *found < at->second)) found = at->second;
  }
  return found;
}

std::size_t LiveSet::size() const {
  const std::shared_ptr<const Parts> parts = parts_.Get();
  return parts->large->size() + parts->recent->size();
}

void LiveState::Apply(const ca::v1::WatchRevocationsResponse& message) {
  LiveSet::Map changes;
  for (const ca::v1::Revocation& revocation : message.revocations()) {
    changes[revocation.serial()] = rpc::FromTimestamp(revocation.not_after());
  }
  revoked_.Add(changes);
  revocation_sequence_ = std::max<std::int64_t>(revocation_sequence_, message.sequence());
  // After the changes: who sees the new time sees them too, and all that came before.
  if (message.more()) return;
  revocations_at_ = Monotonic::now().time_since_epoch().count();
}

void LiveState::Apply(const org::v1::WatchSessionsResponse& message, WallTime now) {
  LiveSet::Map ended;
  LiveSet::Map deactivated;
  for (const org::v1::SessionChange& change : message.changes()) {
    const WallTime at = rpc::FromTimestamp(change.at());
    if (!change.ended_session_id().empty()) ended[change.ended_session_id()] = at;
    if (!change.deactivated_user_id().empty()) {
      WallTime& latest = deactivated[change.deactivated_user_id()];
      latest = std::max(latest, at);
    }
  }
  ended_.Add(ended);
  deactivated_.Add(deactivated);
  // A session that old is over anyway.
  if (!message.changes().empty()) {
    ended_.Forget(now - kSessionLifetime - std::chrono::minutes{5});
    deactivated_.Forget(now - kSessionLifetime - std::chrono::minutes{5});
  }
  session_sequence_ = std::max<std::int64_t>(session_sequence_, message.sequence());
  if (message.more()) return;
  sessions_at_ = Monotonic::now().time_since_epoch().count();
}

bool LiveState::IsRevoked(const std::string& serial_hex) const {
  return revoked_.Find(serial_hex).has_value();
}

bool LiveState::IsOver(const Session& session) const {
  if (ended_.Find(session.id)) return true;
  const std::optional<WallTime> deactivated = deactivated_.Find(session.user_id);
  if (deactivated && session.authenticated_at <= *deactivated) return true;
  return !session.last_serial.empty() && IsRevoked(session.last_serial);
}

bool LiveState::IsFresh() const {
  const Monotonic::time_point oldest{Monotonic::duration(
      std::min(revocations_at_.load(std::memory_order_acquire), sessions_at_.load()))};
  // Compared this way round: the smallest time can't be subtracted from.
  return oldest >= Monotonic::now() - age_max_;
}

}  // namespace devicetrust::gateway
