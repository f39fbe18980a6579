#include "libs/rpc/admission_control.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "libs/base/log_sparsely.h"
#include "libs/base/trace.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"
#include "libs/rpc/metrics.h"

namespace devicetrust::rpc {
namespace {

constexpr std::string_view kHealthPrefix = "/grpc.health.v1.Health/";
constexpr std::string_view kHealthCheck = "/grpc.health.v1.Health/Check";
constexpr std::string_view kAdminRole = "admin";
constexpr std::string_view kGatewayRole = "gateway";
constexpr std::string_view kReflectionPrefix = "/grpc.reflection.";

std::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

absl::Status NotAllowed(std::string message) {
  return MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                   std::move(message));
}

// Time for streams to end as their methods choose, with DrainingError().
constexpr std::chrono::milliseconds kStreamsEnd{500};

}  // namespace

absl::StatusOr<std::shared_ptr<AdmissionControl>> AdmissionControl::Create(
    const ListenerConfig& config, const std::vector<MethodAccess>& access) {
  auto admission = std::make_shared<AdmissionControl>();
  admission->listener_ = config.name;
  admission->org_ = config.org;
  admission->grants_ = config.grants;
  admission->mutual_ = !config.client_ca_pem.empty();
  admission->in_flight_max_ = config.in_flight_max;
  admission->streams_max_ = config.streams_max;
  for (const MethodAccess& entry : access) {
    const auto* found =
        google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(entry.method);
    if (found == nullptr) {
      return absl::InvalidArgumentError(fmt::format("no method {} to allow", entry.method));
    }
    const std::string& service = found->service()->full_name();
    const std::string& method = found->name();
    const bool stream = found->server_streaming();
    admission->rules_[fmt::format("/{}/{}", service, method)] =
        Rule{entry.roles, ConsoleAccess(*found),
             stream,      service,
             method,      stream ? nullptr : &kServerSeconds.With({service, method})};
  }
  const auto read = [](const std::atomic<std::size_t>& count) {
    return [&count] { return static_cast<double>(count.load()); };
  };
  admission->readings_.push_back(kServerInFlight.Read({config.name}, read(admission->unary_)));
  admission->readings_.push_back(kServerStreams.Read({config.name}, read(admission->streams_)));
  return admission;
}

const AdmissionControl::Rule* AdmissionControl::FindRule(std::string_view path) const {
  const auto found = rules_.find(path);
  return found == rules_.end() ? nullptr : &found->second;
}

absl::Status AdmissionControl::Admit(std::string_view path,
                                     const std::vector<std::string_view>& grants,
                                     const grpc::AuthContext* peer) const {
  absl::Status status = Judge(path, grants, peer);
  if (!status.ok()) kServerRefused.With({listener_, ReasonName(status)}).Add();
  return status;
}

absl::Status AdmissionControl::Judge(std::string_view path,
                                     const std::vector<std::string_view>& grants,
                                     const grpc::AuthContext* peer) const {
  // Methods take whoever is in a grant for the caller (CallerOf), so one that is not good lets
  // nothing through, whoever brings it.
  if (!grants.empty()) {
    DT_RETURN_IF_ERROR(AuthorizeGrant(FindRule(path), path, grants, peer));
    return CheckRoom(*FindRule(path));
  }
  // A stranger who watches would keep a connection, which is then never cut for another.
  if (path.starts_with(kHealthPrefix) && (mutual_ || path == kHealthCheck)) return absl::OkStatus();
  if (mutual_ && path.starts_with(kReflectionPrefix)) return CallerOf(peer).status();
  const Rule* const rule = FindRule(path);
  if (rule == nullptr) {
    return NotAllowed(fmt::format("{} is not offered on this listener", path));
  }
  DT_RETURN_IF_ERROR(Authorize(*rule, path, peer));
  return CheckRoom(*rule);
}

absl::Status AdmissionControl::CheckRoom(const Rule& rule) const {
  if (draining_) return DrainingError();
  const bool full = rule.stream ? streams_ >= streams_max_ : unary_ >= in_flight_max_;
  if (full) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                     "too many calls at once: try again in a moment");
  }
  return absl::OkStatus();
}

absl::Status AdmissionControl::AuthorizeGrant(const Rule* rule, std::string_view path,
                                              const std::vector<std::string_view>& grants,
                                              const grpc::AuthContext* peer) const {
  const auto admin_calls = [rule] {
    return std::ranges::find(rule->roles, kAdminRole) != rule->roles.end();
  };
  if (rule == nullptr || rule->console == nullptr || grants_ == nullptr || grants.size() != 1 ||
      !admin_calls()) {
    return NotAllowed(fmt::format("{} takes no grant on this listener", path));
  }
  DT_ASSIGN_OR_RETURN(const Caller gateway, CallerOf(peer));
  if (gateway.org != org_ || gateway.kind != Caller::Kind::kComponent ||
      gateway.role != kGatewayRole) {
    return NotAllowed(fmt::format("{} may not bring a grant", gateway.ToString()));
  }
  DT_ASSIGN_OR_RETURN(const access::v1::Grant grant, grants_->Check(grants.front(), path));
  if (!MayCall(*rule->console, grant.role())) {
    return NotAllowed(fmt::format("{} may not call {} with that role", grant.principal(), path));
  }
  Log(LogLevel::kInfo, "rpc.admin.call",
      {{"caller", AdminOf(grant).ToString()}, {"method", path}, {"via", gateway.ToString()}});
  return absl::OkStatus();
}

void AdmissionControl::Drain(std::chrono::milliseconds at_most) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + at_most;
  const MutexLock lock(mutex_);
  draining_ = true;
  const auto streams_end = std::min(end, steady_clock::now() + kStreamsEnd);
  while (!open_streams_.empty() && ended_.WaitUntil(mutex_, streams_end)) {
  }
  for (grpc::ServerContextBase* stream : open_streams_) stream->TryCancel();
  while ((unary_ != 0 || !open_streams_.empty()) && ended_.WaitUntil(mutex_, end)) {
  }
}

absl::Status AdmissionControl::Authorize(const Rule& rule, std::string_view path,
                                         const grpc::AuthContext* peer) const {
  const auto named = [&rule](std::string_view role) {
    return std::find(rule.roles.begin(), rule.roles.end(), role) != rule.roles.end();
  };
  if (named(kAnyone)) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const Caller caller, CallerOf(peer));
  if (caller.org != org_) {
    return NotAllowed(
        fmt::format("{} belongs to org {}, not to {}", caller.ToString(), caller.org, org_));
  }
  const bool component = caller.kind == Caller::Kind::kComponent;
  if (!named(caller.role) && !(component && named(kAnyComponent))) {
    LogSparsely(LogLevel::kWarning, "rpc.call.denied", caller.ToString(),
                {{"caller", caller.ToString()}, {"method", path}});
    return NotAllowed(fmt::format("{} may not call {}", caller.ToString(), path));
  }
  if (!component) {
    Log(LogLevel::kInfo, "rpc.admin.call", {{"caller", caller.ToString()}, {"method", path}});
  }
  return absl::OkStatus();
}

namespace {

// What the caller sent; all zero when it sent none.
TraceId TraceOf(const std::multimap<grpc::string_ref, grpc::string_ref>& headers) {
  const auto header = headers.find(kTraceHeader);
  if (header == headers.end()) return TraceId();
  return ParseTraceParent(View(header->second)).value_or(TraceId());
}

class AdmissionProcessor final : public grpc::AuthMetadataProcessor {
 public:
  explicit AdmissionProcessor(std::shared_ptr<const AdmissionControl> admission)
      : admission_(std::move(admission)) {}

  // Admit() computes and never waits: no thread hop.
  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& headers, grpc::AuthContext* peer,
                       OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) override {
    const TraceScope scope(TraceOf(headers));
    const auto path = headers.find(":path");
    std::vector<std::string_view> grants;
    const auto sent = headers.equal_range(kGrantHeader);
    for (auto at = sent.first; at != sent.second; ++at) grants.push_back(View(at->second));
    const absl::Status status = admission_->Admit(
        path == headers.end() ? std::string_view() : View(path->second), grants, peer);
    if (status.ok()) return grpc::Status::OK;
    return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
  }

 private:
  const std::shared_ptr<const AdmissionControl> admission_;
};

}  // namespace

class ObservedCall final : public grpc::experimental::Interceptor {
 public:
  ObservedCall(std::shared_ptr<AdmissionControl> admission, grpc::experimental::ServerRpcInfo* call)
      : admission_(std::move(admission)),
        rule_(admission_->FindRule(call->method())),
        context_(call->server_context()) {
    const bool stream = call->type() != grpc::experimental::ServerRpcInfo::Type::UNARY;
    count_ = stream ? &admission_->streams_ : &admission_->unary_;
    ++*count_;
    // Whoever watches the health shall hear of the drain.
    if (!stream || std::string_view(call->method()).starts_with(kHealthPrefix)) return;
    stream_ = context_;
    const MutexLock lock(admission_->mutex_);
    admission_->open_streams_.insert(stream_);
  }
  // The call's context, about to end, deletes this.
  ~ObservedCall() override {
    --*count_;
    if (stream_ == nullptr && !admission_->draining_) return;
    const MutexLock lock(admission_->mutex_);
    admission_->open_streams_.erase(stream_);
    admission_->ended_.NotifyAll();
  }
  ObservedCall(const ObservedCall&) = delete;
  ObservedCall& operator=(const ObservedCall&) = delete;

  // The thread that brings the headers runs the method, and sends its status.
  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (batch->QueryInterceptionHookPoint(Point::POST_RECV_INITIAL_METADATA)) {
      if (admission_->mutual_ && admission_->newcomers_.any()) {
        admission_->newcomers_.Called(context_->peer());
      }
      const TraceId sent = TraceOf(*batch->GetRecvInitialMetadata());
      SetCurrentTraceId(sent == TraceId() ? NewTraceId() : sent);
    }
    if (batch->QueryInterceptionHookPoint(Point::PRE_SEND_STATUS)) {
      if (rule_ != nullptr) Note(batch->GetSendStatus().error_code());
      SetCurrentTraceId(TraceId());
    }
    batch->Proceed();
  }

 private:
  void Note(grpc::StatusCode status) const {
    const std::string code = absl::StatusCodeToString(static_cast<absl::StatusCode>(status));
    const auto took = std::chrono::steady_clock::now() - start_;
    kServerCalls.With({rule_->service, rule_->method, code}).Add();
    if (rule_->seconds != nullptr) rule_->seconds->Observe(took);
    Log(LogLevel::kDebug, "rpc.call",
        {{"service", rule_->service},
         {"method", rule_->method},
         {"code", code},
         {"seconds", std::chrono::duration<double>(took).count()}});
  }

  const std::shared_ptr<AdmissionControl> admission_;
  const AdmissionControl::Rule* const rule_;  // Null: health or reflection.
  grpc::ServerContextBase* const context_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<std::size_t>* count_ = nullptr;
  grpc::ServerContextBase* stream_ = nullptr;
};

namespace {

class CallObserver final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallObserver(std::shared_ptr<AdmissionControl> admission)
      : admission_(std::move(admission)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new ObservedCall(admission_, call);
  }

 private:
  const std::shared_ptr<AdmissionControl> admission_;
};

}  // namespace

std::shared_ptr<grpc::AuthMetadataProcessor> NewAdmissionProcessor(
    std::shared_ptr<const AdmissionControl> admission) {
  return std::make_shared<AdmissionProcessor>(std::move(admission));
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallObserver(
    std::shared_ptr<AdmissionControl> admission) {
  return std::make_unique<CallObserver>(std::move(admission));
}

}  // namespace devicetrust::rpc
