#include "policy-engine/sessions/session_stream.h"

#include <chrono>
#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kChangesPerMessage = 1000;
constexpr std::chrono::milliseconds kSessionHeartbeat{1000};
// How often it looks for what another process on the same store has written.
constexpr std::chrono::milliseconds kSessionPoll{200};

}  // namespace

grpc::Status StreamSessionChanges(SessionChanges& changes, const Clock& clock,
                                  grpc::ServerContext& context,
                                  const v1::WatchSessionsRequest& request,
                                  grpc::ServerWriter<v1::WatchSessionsResponse>& writer) {
  std::int64_t after = request.after_sequence();
  auto last_message = std::chrono::steady_clock::now() - kSessionHeartbeat;
  while (!context.IsCancelled() && !changes.announced().stopped()) {
    const std::uint64_t seen = changes.announced().Generation();
    auto following = changes.After(after, kChangesPerMessage);
    if (!following.ok()) return rpc::ToGrpc(rpc::StoreError(following.status()));
    const bool news = !following->changes.empty();
    const auto now = std::chrono::steady_clock::now();
    if (news || now - last_message >= kSessionHeartbeat) {
      v1::WatchSessionsResponse message;
      for (v1::SessionChange& change : following->changes) {
        *message.add_changes() = std::move(change);
      }
      message.set_sequence(following->sequence);
      message.set_more(message.changes_size() == kChangesPerMessage);
      *message.mutable_sent_at() = rpc::ToTimestamp(clock.Now());
      if (!writer.Write(message)) return grpc::Status::CANCELLED;  // The reader is gone.
      last_message = now;
      after = following->sequence;
    }
    if (!news) changes.announced().WaitForChange(seen, kSessionPoll);
  }
  return rpc::ToGrpc(rpc::DrainingError());
}

}  // namespace devicetrust::policy
