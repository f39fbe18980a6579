#include "ca-service/revocation_feed_service.h"

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "libs/rpc/error.h"
#include "libs/rpc/status.h"

namespace devicetrust::ca {
namespace {

constexpr std::chrono::milliseconds kHeartbeat{1000};
constexpr std::int64_t kRevocationsPerMessageMax = 1000;
constexpr std::chrono::hours kForgetEvery{1};
constexpr std::size_t kKeysPerMessageMax = 50'000;  // 550 kB.

void Fill(v1::Revocation& message, const StoredRevocation& revocation) {
  message.set_sequence(revocation.sequence);
  message.set_serial(revocation.serial);
  message.set_released(revocation.released);
  if (!revocation.released) {
    message.set_reason(revocation.reason);
    message.mutable_revoked_at()->set_seconds(revocation.revoked_at);
  }
  message.mutable_not_after()->set_seconds(revocation.not_after);
}

}  // namespace

// Of one stream: what its reader is told to forget.
class RevocationFeedService::Forgetting {
 public:
  Forgetting(Revocations& revocations, const Clock& clock)
      : revocations_(revocations), clock_(clock), due_(clock.Now() + kForgetEvery) {
    last_.not_after = UnixSeconds(clock.Now() - kKeptAfterExpiry);
  }

  absl::Status AddTo(v1::WatchRevocationsResponse& message) {
    const WallTime now = clock_.Now();
    if (now < due_) return absl::OkStatus();
    DT_ASSIGN_OR_RETURN(const auto ended, revocations_.Ended(last_, now - kKeptAfterExpiry,
                                                             kRevocationsPerMessageMax));
    for (const CertificateStore::Ended& one : ended) {
      v1::Revocation& forgotten = *message.add_revocations();
      forgotten.set_serial(one.serial);
      forgotten.mutable_not_after()->set_seconds(one.not_after);
      forgotten.set_expired(true);
    }
    if (!ended.empty()) last_ = ended.back();
    // More of them come with the next message.
    if (std::ssize(ended) < kRevocationsPerMessageMax) due_ = now + kForgetEvery;
    return absl::OkStatus();
  }

 private:
  Revocations& revocations_;
  const Clock& clock_;
  CertificateStore::Ended last_;
  WallTime due_;
};

grpc::Status RevocationFeedService::SendEverything(
    grpc::ServerWriter<v1::WatchRevocationsResponse>& writer, std::int64_t& sequence) {
  const auto everything = everything_.UpToDate();
  if (!everything.ok()) return rpc::ToGrpc(everything.status());
  const RevokedSet::Contents& contents = **everything;
  if (contents.sequence == 0) return grpc::Status::OK;  // Nothing was ever revoked.
  std::vector<std::string> parts = contents.keys.Encode(kKeysPerMessageMax);
  parts.emplace_back();  // The last one has the others.
  for (std::size_t i = 0; i < parts.size(); ++i) {
    v1::WatchRevocationsResponse message;
    v1::RevokedSet& set = *message.mutable_set();
    set.set_keys(std::move(parts[i]));
    message.set_more(true);
    if (i + 1 == parts.size()) {
      set.mutable_serials()->Assign(contents.serials.begin(), contents.serials.end());
      message.set_sequence(contents.sequence);
    }
    if (!writer.Write(message)) return grpc::Status::CANCELLED;
  }
  sequence = contents.sequence;
  return grpc::Status::OK;
}

grpc::Status RevocationFeedService::WatchRevocations(
    grpc::ServerContext* context, const v1::WatchRevocationsRequest* request,
    grpc::ServerWriter<v1::WatchRevocationsResponse>* writer) {
  std::int64_t sequence = request->after_sequence();
  if (sequence < 0) {
    return rpc::ToGrpc(rpc::MakeError(absl::StatusCode::kInvalidArgument,
                                      reason::v1::REASON_MALFORMED_REQUEST,
                                      "after_sequence is negative", "after_sequence"));
  }
  if (sequence == 0 && request->takes_set()) {
    const grpc::Status sent = SendEverything(*writer, sequence);
    if (!sent.ok()) return sent;
  }
  Forgetting forgetting(revocations_, clock_);
  while (!context->IsCancelled() && !revocations_.committed().stopped()) {
    // Read before the store is: a commit in between ends the wait below at once.
    const std::uint64_t generation = revocations_.committed().Generation();
    const auto revocations = revocations_.After(sequence, kRevocationsPerMessageMax);
    if (!revocations.ok()) return rpc::ToGrpc(revocations.status());

    v1::WatchRevocationsResponse message;
    for (const StoredRevocation& revocation : *revocations) {
      sequence = revocation.sequence;
      if (revocation.released && !request->takes_set()) continue;  // It would take it for revoked.
      Fill(*message.add_revocations(), revocation);
    }
    if (request->takes_set()) {
      const absl::Status forgotten = forgetting.AddTo(message);
      if (!forgotten.ok()) return rpc::ToGrpc(forgotten);
    }
    message.set_sequence(sequence);
    message.mutable_sent_at()->set_seconds(UnixSeconds(clock_.Now()));
    message.set_more(std::ssize(*revocations) == kRevocationsPerMessageMax);
    if (!writer->Write(message)) return grpc::Status::CANCELLED;
    if (message.more()) continue;
    revocations_.committed().WaitForChange(generation, kHeartbeat);
  }
  return rpc::ToGrpc(rpc::DrainingError());
}

}  // namespace devicetrust::ca
