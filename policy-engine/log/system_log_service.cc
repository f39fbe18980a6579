#include "policy-engine/log/system_log_service.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <vector>

#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kPageDefault = 100;
constexpr int kPageMax = 1000;
constexpr int kTailBatch = 500;
constexpr std::chrono::milliseconds kTailHeartbeat{1000};
// At hundreds of events a second one message for each would cost more than the events.
constexpr std::chrono::milliseconds kTailLinger{50};

absl::Status PageError(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message));
}

absl::StatusOr<int> PageSize(int asked) {
  const int size = asked == 0 ? kPageDefault : asked;
  if (size < 1 || size > kPageMax) return PageError("page_size must be 1 to 1000, or 0 for 100");
  return size;
}

// 0 for the first page.
absl::StatusOr<std::int64_t> ParsePageToken(const std::string& token) {
  if (token.empty()) return 0;
  std::int64_t before = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
  if (error != std::errc() || end != token.data() + token.size() || before <= 0) {
    return PageError("the page token is none that this log gave out");
  }
  return before;
}

}  // namespace

grpc::Status SystemLogService::AppendEvents(grpc::ServerContext* context,
                                            const v1::AppendEventsRequest* request,
                                            v1::AppendEventsResponse* response) {
  const std::vector<const v1::Event*> events(request->events().pointer_begin(),
                                             request->events().pointer_end());
  const auto writer = rpc::CallerOf(*context);
  if (!writer.ok()) return rpc::ToGrpc(writer.status());
  const auto appended = log_.Append(*writer, events);
  if (!appended.ok()) return rpc::ToGrpc(rpc::StoreError(appended.status()));
  response->set_stored(appended->stored);
  response->set_duplicates(appended->duplicates);
  response->set_refused(appended->refused);
  return grpc::Status::OK;
}

grpc::Status SystemLogService::SearchEvents(grpc::ServerContext* /*context*/,
                                            const v1::SearchEventsRequest* request,
                                            v1::SearchEventsResponse* response) {
  const auto before = ParsePageToken(request->page_token());
  if (!before.ok()) return rpc::ToGrpc(before.status());
  const auto size = PageSize(request->page_size());
  if (!size.ok()) return rpc::ToGrpc(size.status());
  auto page = log_.Search(request->filter(), *before, *size);
  if (!page.ok()) return rpc::ToGrpc(rpc::StoreError(page.status()));
  for (v1::Event& event : page->events) *response->add_events() = std::move(event);
  if (page->deleted_to != 0) {
    *response->mutable_kept_since() = rpc::ToTimestamp(ArrivalOf(page->deleted_to));
  }
  if (page->next_before != 0) response->set_next_page_token(std::to_string(page->next_before));
  return grpc::Status::OK;
}

grpc::Status SystemLogService::TailEvents(grpc::ServerContext* context,
                                          const v1::TailEventsRequest* request,
                                          grpc::ServerWriter<v1::TailEventsResponse>* writer) {
  std::int64_t after = request->after_sequence();
  if (after < 0) {
    const auto last = log_.LastSequence();
    if (!last.ok()) return rpc::ToGrpc(rpc::StoreError(last.status()));
    after = *last;
  }
  ChangeSignal linger;  // Never fires.
  auto last_message = std::chrono::steady_clock::now() - kTailHeartbeat;
  while (!context->IsCancelled() && !log_.appended().stopped()) {
    const std::uint64_t seen = log_.appended().Generation();
    auto following = log_.After(request->filter(), after, kTailBatch);
    if (!following.ok()) return rpc::ToGrpc(rpc::StoreError(following.status()));
    const bool more = following->sequence > after;
    const bool lost = after > 0 && following->deleted_to > after;
    const auto now = std::chrono::steady_clock::now();
    if (lost || !following->events.empty() || now - last_message >= kTailHeartbeat) {
      v1::TailEventsResponse message;
      if (lost) message.set_deleted_to_sequence(following->deleted_to);
      for (v1::Event& event : following->events) *message.add_events() = std::move(event);
      message.set_sequence(following->sequence);
      if (!writer->Write(message)) return grpc::Status::CANCELLED;  // The reader is gone.
      last_message = now;
    }
    after = following->sequence;
    if (!more) log_.appended().WaitForChange(seen, kTailHeartbeat / 5);
    if (log_.appended().Generation() != seen) linger.WaitForChange(0, kTailLinger);
  }
  return rpc::ToGrpc(rpc::DrainingError());
}

grpc::Status SystemLogService::CountEvents(grpc::ServerContext* /*context*/,
                                           const v1::CountEventsRequest* request,
                                           v1::CountEventsResponse* response) {
  const auto before = ParsePageToken(request->page_token());
  if (!before.ok()) return rpc::ToGrpc(before.status());
  const auto counts = log_.Count(request->filter(), *before);
  if (!counts.ok()) return rpc::ToGrpc(rpc::StoreError(counts.status()));
  std::int64_t total = 0;
  for (const auto& [type, count] : counts->by_type) {
    (*response->mutable_by_type())[type] = count;
    total += count;
  }
  response->set_total(total);
  if (counts->next_before != 0) response->set_next_page_token(std::to_string(counts->next_before));
  return grpc::Status::OK;
}

grpc::Status SystemLogService::GetLogChain(grpc::ServerContext* /*context*/,
                                           const v1::GetLogChainRequest* /*request*/,
                                           v1::GetLogChainResponse* response) {
  auto chain = heads_.Current();
  if (!chain.ok()) return rpc::ToGrpc(rpc::StoreError(chain.status()));
  *response = *std::move(chain);
  return grpc::Status::OK;
}

grpc::Status SystemLogService::ListLogHeads(grpc::ServerContext* /*context*/,
                                            const v1::ListLogHeadsRequest* request,
                                            v1::ListLogHeadsResponse* response) {
  const auto size = PageSize(request->page_size());
  if (!size.ok()) return rpc::ToGrpc(size.status());
  auto heads = heads_.List(request->after_sequence(), *size);
  if (!heads.ok()) return rpc::ToGrpc(rpc::StoreError(heads.status()));
  for (v1::LogHead& head : *heads) *response->add_heads() = std::move(head);
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
