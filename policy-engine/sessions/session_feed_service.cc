#include "policy-engine/sessions/session_feed_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kChangesPerMessage = 1000;
constexpr std::chrono::milliseconds kSessionHeartbeat{1000};
constexpr std::chrono::milliseconds kSessionLook{200};  // At whether the caller has left.
// Clocks of the org and of gateways differ a little, and a session that is forgotten too early
// would be open again.
constexpr std::chrono::minutes kForgetMargin{5};

v1::WatchSessionsResponse MessageOf(SessionChanges::Following following, WallTime now) {
  v1::WatchSessionsResponse message;
  const WallTime usual = now - kSessionLifetime;
  const WallTime oldest = std::min(following.oldest_session_at.value_or(usual), usual);
  for (v1::SessionChange& change : following.changes) *message.add_changes() = std::move(change);
  message.set_sequence(following.sequence);
  message.set_more(message.changes_size() == kChangesPerMessage);
  *message.mutable_sent_at() = rpc::ToTimestamp(now);
  *message.mutable_oldest_session_at() = rpc::ToTimestamp(oldest - kForgetMargin);
  return message;
}

}  // namespace

grpc::Status SessionFeedService::WatchSessions(
    grpc::ServerContext* context, const v1::WatchSessionsRequest* request,
    grpc::ServerWriter<v1::WatchSessionsResponse>* writer) {
  std::int64_t after = request->after_sequence();
  auto last_message = std::chrono::steady_clock::now() - kSessionHeartbeat;
  while (!context->IsCancelled() && !changes_.announced().stopped()) {
    const std::uint64_t seen = changes_.announced().Generation();
    auto following = changes_.After(after, kChangesPerMessage);
    if (!following.ok()) return rpc::ToGrpc(rpc::StoreError(following.status()));
    const bool news = !following->changes.empty();
    const auto now = std::chrono::steady_clock::now();
    if (news || now - last_message >= kSessionHeartbeat) {
      after = following->sequence;
      if (!writer->Write(MessageOf(*std::move(following), clock_.Now()))) {
        return grpc::Status::CANCELLED;  // The reader is gone.
      }
      last_message = now;
    }
    if (!news) changes_.announced().WaitForChange(seen, kSessionLook);
  }
  return rpc::ToGrpc(rpc::DrainingError());
}

}  // namespace devicetrust::policy
