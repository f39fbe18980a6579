#include "ca-service/revocation_feed_service.h"

#include "libs/rpc/error.h"
#include "libs/rpc/status.h"

namespace devicetrust::ca {
namespace {

constexpr std::chrono::milliseconds kHeartbeat{1000};
constexpr std::int64_t kRevocationsPerMessageMax = 1000;

void Fill(v1::Revocation& message, const StoredRevocation& revocation) {
  message.set_sequence(revocation.sequence);
  message.set_serial(revocation.serial);
  message.set_reason(revocation.reason);
  message.mutable_revoked_at()->set_seconds(revocation.revoked_at);
  message.mutable_not_after()->set_seconds(revocation.not_after);
}

}  // namespace

grpc::Status RevocationFeedService::WatchRevocations(
    grpc::ServerContext* context, const v1::WatchRevocationsRequest* request,
    grpc::ServerWriter<v1::WatchRevocationsResponse>* writer) {
  std::int64_t sequence = request->after_sequence();
  if (sequence < 0) {
    return rpc::ToGrpc(rpc::MakeError(absl::StatusCode::kInvalidArgument,
                                      reason::v1::REASON_MALFORMED_REQUEST,
                                      "after_sequence is negative", "after_sequence"));
  }
  while (!context->IsCancelled() && !revocations_.committed().stopped()) {
    // Read before the store is: a commit in between ends the wait below at once.
    const std::uint64_t generation = revocations_.committed().Generation();
    const auto revocations = revocations_.After(sequence, kRevocationsPerMessageMax);
    if (!revocations.ok()) return rpc::ToGrpc(revocations.status());

    v1::WatchRevocationsResponse message;
    for (const StoredRevocation& revocation : *revocations) {
      Fill(*message.add_revocations(), revocation);
      sequence = revocation.sequence;
    }
    message.set_sequence(sequence);
    message.mutable_sent_at()->set_seconds(UnixSeconds(clock_.Now()));
    message.set_more(message.revocations_size() == kRevocationsPerMessageMax);
    if (!writer->Write(message)) return grpc::Status::CANCELLED;
    if (message.more()) continue;
    revocations_.committed().WaitForChange(generation, kHeartbeat);
  }
  return rpc::ToGrpc(rpc::DrainingError());
}

}  // namespace devicetrust::ca
