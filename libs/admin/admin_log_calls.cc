// The calls of an AdminClient to the System Log.
#include <algorithm>

#include "libs/admin/admin_stubs.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

absl::StatusOr<std::vector<v1::Event>> AdminClient::SearchEvents(
    const v1::EventFilter& filter, int count, std::optional<WallTime>* kept_since) {
  v1::SearchEventsRequest request;
  *request.mutable_filter() = filter;
  std::vector<v1::Event> events;
  while (static_cast<int>(events.size()) < count) {
    request.set_page_size(std::min(kPageSizeMax, count - static_cast<int>(events.size())));
    DT_ASSIGN_OR_RETURN(
        const v1::SearchEventsResponse page,
        stubs_->Org(stubs_->log, &v1::SystemLogService::Stub::SearchEvents, request));
    events.insert(events.end(), page.events().begin(), page.events().end());
    if (kept_since != nullptr && page.has_kept_since()) {
      *kept_since = rpc::FromTimestamp(page.kept_since());
    }
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  std::reverse(events.begin(), events.end());
  return events;
}

absl::Status AdminClient::ForEachEvent(const v1::EventFilter& filter,
                                       const std::function<void(const v1::Event&)>& visit) {
  v1::SearchEventsRequest request;
  *request.mutable_filter() = filter;
  request.set_page_size(kPageSizeMax);
  do {
    DT_ASSIGN_OR_RETURN(
        const v1::SearchEventsResponse page,
        stubs_->Org(stubs_->log, &v1::SystemLogService::Stub::SearchEvents, request));
    for (const v1::Event& event : page.events()) visit(event);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::StatusOr<v1::CountEventsResponse> AdminClient::CountEvents(const v1::EventFilter& filter) {
  v1::CountEventsRequest request;
  *request.mutable_filter() = filter;
  v1::CountEventsResponse all;
  do {
    DT_ASSIGN_OR_RETURN(
        const v1::CountEventsResponse page,
        stubs_->Org(stubs_->log, &v1::SystemLogService::Stub::CountEvents, request));
    for (const auto& [type, count] : page.by_type()) (*all.mutable_by_type())[type] += count;
    all.set_total(all.total() + page.total());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::Status AdminClient::TailEvents(const v1::EventFilter& filter, std::int64_t& after_sequence,
                                     const std::function<bool(const v1::Event&)>& seen,
                                     const std::function<void()>& lost) {
  if (stubs_->log == nullptr) return NoAddress(stubs_->org_peer);
  grpc::ClientContext context;  // No deadline: it lasts until somebody has enough.
  v1::TailEventsRequest request;
  *request.mutable_filter() = filter;
  request.set_after_sequence(after_sequence);
  const auto reader = stubs_->log->TailEvents(&context, request);
  v1::TailEventsResponse part;
  while (reader->Read(&part)) {
    if (part.deleted_to_sequence() > 0 && lost) lost();
    for (const v1::Event& event : part.events()) {
      if (seen(event)) continue;
      context.TryCancel();
      static_cast<void>(reader->Finish());
      return absl::OkStatus();
    }
    after_sequence = std::max(after_sequence, part.sequence());
  }
  const absl::Status ended = rpc::FromGrpc(reader->Finish());
  return ended.ok() ? ended : Explained(ended, stubs_->org_peer);
}

absl::Status AdminClient::ReplayEvents(const v1::EventFilter& filter, std::int64_t after,
                                       std::int64_t last,
                                       const std::function<bool(const v1::Event&)>& seen,
                                       const std::function<void()>& lost) {
  if (stubs_->log == nullptr) return NoAddress(stubs_->org_peer);
  grpc::ClientContext context;  // No deadline: it may be much.
  v1::TailEventsRequest request;
  *request.mutable_filter() = filter;
  request.set_after_sequence(after);
  const auto reader = stubs_->log->TailEvents(&context, request);
  v1::TailEventsResponse part;
  bool done = after >= last;
  while (!done && reader->Read(&part)) {
    if (part.deleted_to_sequence() > 0 && lost) lost();
    for (const v1::Event& event : part.events()) {
      done = done || event.sequence() > last || !seen(event);
      if (done) break;
    }
    done = done || part.sequence() >= last;
  }
  if (done) context.TryCancel();
  const absl::Status ended = rpc::FromGrpc(reader->Finish());
  if (done) return absl::OkStatus();
  if (!ended.ok()) return Explained(ended, stubs_->org_peer);
  return absl::UnavailableError("the org stops: try again when it is back");
}

absl::StatusOr<std::int64_t> AdminClient::LastEventSequence() {
  v1::SearchEventsRequest request;
  request.set_page_size(1);
  DT_ASSIGN_OR_RETURN(const v1::SearchEventsResponse page,
                      stubs_->Org(stubs_->log, &v1::SystemLogService::Stub::SearchEvents, request));
  return page.events().empty() ? 0 : page.events(0).sequence();
}

absl::StatusOr<v1::GetLogChainResponse> AdminClient::GetLogChain() {
  return stubs_->Org(stubs_->log, &v1::SystemLogService::Stub::GetLogChain,
                     v1::GetLogChainRequest());
}

absl::StatusOr<std::vector<v1::LogHead>> AdminClient::ListLogHeads(std::int64_t after) {
  v1::ListLogHeadsRequest request;
  request.set_after_sequence(after);
  request.set_page_size(kPageSizeMax);
  std::vector<v1::LogHead> heads;
  for (bool more = true; more;) {
    DT_ASSIGN_OR_RETURN(
        const v1::ListLogHeadsResponse page,
        stubs_->Org(stubs_->log, &v1::SystemLogService::Stub::ListLogHeads, request));
    heads.insert(heads.end(), page.heads().begin(), page.heads().end());
    more = page.heads_size() == kPageSizeMax;
    if (more) request.set_after_sequence(heads.back().sequence());
  }
  return heads;
}

absl::StatusOr<v1::AddHookResponse> AdminClient::AddHook(const v1::AddHookRequest& request) {
  return stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::AddHook, request);
}

absl::StatusOr<v1::ListHooksResponse> AdminClient::ListHooks() {
  return stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::ListHooks, v1::ListHooksRequest());
}

absl::StatusOr<v1::EventHook> AdminClient::SetHookEnabled(const std::string& name, bool enabled) {
  v1::SetHookEnabledRequest request;
  request.set_name(name);
  request.set_enabled(enabled);
  DT_ASSIGN_OR_RETURN(
      const v1::SetHookEnabledResponse answer,
      stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::SetHookEnabled, request));
  return answer.hook();
}

absl::Status AdminClient::RemoveHook(const std::string& name) {
  v1::RemoveHookRequest request;
  request.set_name(name);
  return stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::RemoveHook, request).status();
}

absl::StatusOr<v1::RotateHookKeyResponse> AdminClient::RotateHookKey(const std::string& name,
                                                                     int overlap_hours) {
  v1::RotateHookKeyRequest request;
  request.set_name(name);
  request.set_overlap_hours(overlap_hours);
  return stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::RotateHookKey, request);
}

absl::StatusOr<v1::TestHookResponse> AdminClient::TestHook(const std::string& name) {
  v1::TestHookRequest request;
  request.set_name(name);
  return stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::TestHook, request);
}

absl::StatusOr<v1::ListDeadLettersResponse> AdminClient::ListDeadLetters(const std::string& name) {
  v1::ListDeadLettersRequest request;
  request.set_name(name);
  return stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::ListDeadLetters, request);
}

absl::StatusOr<int> AdminClient::ResendDeadLetters(const std::string& name, std::int64_t id) {
  v1::ResendDeadLettersRequest request;
  request.set_name(name);
  request.set_id(id);
  DT_ASSIGN_OR_RETURN(
      const v1::ResendDeadLettersResponse answer,
      stubs_->Org(stubs_->hooks, &v1::EventHookService::Stub::ResendDeadLetters, request));
  return answer.count();
}

}  // namespace devicetrust::admin
