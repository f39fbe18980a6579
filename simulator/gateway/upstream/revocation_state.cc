#include "simulator/gateway/upstream/revocation_state.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "libs/rpc/timestamps.h"
#include "simulator/gateway/metrics.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kRecentMax = 512;
// As long as sessions last that it proved, and this clock may be set back afterwards. Less than the
// CA waits before it says so.
constexpr std::chrono::hours kForgottenAfter{7 * 24 + 12};

void Merge(TimedSet::Map& into, const TimedSet::Map& changes) {
  for (const auto& [id, moment] : changes) {
    const auto [at, added] = into.emplace(id, moment);
    if (!added) at->second = std::max(at->second, moment);
  }
}

// NaN for never.
double SecondsSince(const std::atomic<RevocationState::Monotonic::rep>& ticks) {
  using Steady = RevocationState::Monotonic;
  const Steady::time_point at{Steady::duration(ticks.load())};
  if (at == Steady::time_point::min()) return std::nan("");
  return std::chrono::duration<double>(Steady::now() - at).count();
}

}  // namespace

TimedSet::TimedSet() {
  generations_.Set(std::make_shared<const Generations>(
      Generations{std::make_shared<const Map>(), std::make_shared<const Map>()}));
}

void TimedSet::Add(const Map& changes) {
  if (changes.empty()) return;
  const std::shared_ptr<const Generations> old = generations_.Get();
  auto recent = std::make_shared<Map>(*old->recent);
  Merge(*recent, changes);
  if (recent->size() <= kRecentMax) {
    generations_.Set(
        std::make_shared<const Generations>(Generations{old->large, std::move(recent)}));
    return;
  }
  auto large = std::make_shared<Map>(*old->large);
  Merge(*large, *recent);
  generations_.Set(std::make_shared<const Generations>(
      Generations{std::move(large), std::make_shared<const Map>()}));
}

void TimedSet::Forget(WallTime moment) {
  const std::shared_ptr<const Generations> old = generations_.Get();
  const auto past = [moment](const Map::value_type& each) { return each.second < moment; };
  if (std::none_of(old->large->begin(), old->large->end(), past)) return;
  auto large = std::make_shared<Map>(*old->large);
  std::erase_if(*large, past);
  generations_.Set(std::make_shared<const Generations>(Generations{std::move(large), old->recent}));
}

std::optional<WallTime> TimedSet::Find(const std::string& id) const {
  const std::shared_ptr<const Generations> generations = generations_.Get();
  std::optional<WallTime> found;
  for (const Map* map : {generations->recent.get(), generations->large.get()}) {
    const auto at = map->find(id);
    if (at != map->end() && (!found || *found < at->second)) found = at->second;
  }
  return found;
}

std::size_t TimedSet::size() const {
  const std::shared_ptr<const Generations> generations = generations_.Get();
  return generations->large->size() + generations->recent->size();
}

RevocationState::RevocationState(std::chrono::milliseconds age_max, const Clock& clock)
    : age_max_(age_max), clock_(clock), readings_([this] {
        std::vector<metrics::Reading> readings;
        readings.push_back(
            kFeedAge.Read({"revocations"}, [this] { return SecondsSince(revocations_at_); }));
        readings.push_back(
            kFeedAge.Read({"sessions"}, [this] { return SecondsSince(sessions_at_); }));
        readings.push_back(
            kRevokedKept.Read({}, [this] { return static_cast<double>(revoked_.size()); }));
        readings.push_back(
            kSessionsEnded.Read({}, [this] { return static_cast<double>(ended_.size()); }));
        return readings;
      }()) {}

const Clock& RevocationState::SystemTime() {
  static const SystemClock clock;
  return clock;
}

bool RevocationState::MayForget(const ca::v1::Revocation& expired) const {
  return expired.has_not_after() &&
         clock_.Now() >= rpc::FromTimestamp(expired.not_after()) + kForgottenAfter;
}

void RevocationState::BeginRevocationStream() {
  set_keys_ = {};
  set_serials_ = {};
}

bool RevocationState::Apply(const ca::v1::WatchRevocationsResponse& message) {
  if (message.has_set()) {
    if (!pki::DecodeSerialKeys(message.set().keys(), set_keys_).ok()) return false;
    set_serials_.insert(set_serials_.end(), message.set().serials().begin(),
                        message.set().serials().end());
    if (message.sequence() == 0) return true;
    revoked_.AddAll(std::exchange(set_keys_, {}), set_serials_);
    set_serials_ = {};
  }
  std::vector<RevokedSerials::Change> changes;
  changes.reserve(static_cast<std::size_t>(message.revocations_size()));
  for (const ca::v1::Revocation& revocation : message.revocations()) {
    if (revocation.expired() && !MayForget(revocation)) continue;
    changes.push_back({revocation.serial(), !revocation.released() && !revocation.expired()});
  }
  revoked_.Apply(changes);
  revocation_sequence_ = std::max<std::int64_t>(revocation_sequence_, message.sequence());
  // After the changes: who sees the new time sees them too, and all that came before.
  if (!message.more()) revocations_at_ = Monotonic::now().time_since_epoch().count();
  return true;
}

void RevocationState::Apply(const org::v1::WatchSessionsResponse& message) {
  TimedSet::Map ended;
  TimedSet::Map deactivated;
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
  if (message.has_oldest_session_at() && !message.changes().empty()) {
    const WallTime oldest = rpc::FromTimestamp(message.oldest_session_at());
    ended_.Forget(oldest);
    deactivated_.Forget(oldest);
  }
  session_sequence_ = std::max<std::int64_t>(session_sequence_, message.sequence());
  if (message.more()) return;
  sessions_at_ = Monotonic::now().time_since_epoch().count();
}

bool RevocationState::IsRevoked(const std::string& serial_hex) const {
  return revoked_.Contains(serial_hex);
}

bool RevocationState::IsEnded(const std::string& session_id, const std::string& user_id,
                              WallTime authenticated_at) const {
  if (ended_.Find(session_id)) return true;
  const std::optional<WallTime> deactivated = deactivated_.Find(user_id);
  return deactivated && authenticated_at <= *deactivated;
}

bool RevocationState::IsFresh() const {
  const Monotonic::time_point oldest{Monotonic::duration(
      std::min(revocations_at_.load(std::memory_order_acquire), sessions_at_.load()))};
  // Compared this way round: the smallest time can't be subtracted from.
  return oldest >= Monotonic::now() - age_max_;
}

}  // namespace devicetrust::gateway
