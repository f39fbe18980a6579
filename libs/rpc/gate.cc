#include "libs/rpc/gate.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "libs/base/log.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"

namespace devicetrust::rpc {
namespace {

constexpr std::string_view kHealthPrefix = "/grpc.health.v1.Health/";
constexpr std::string_view kReflectionPrefix = "/grpc.reflection.";

std::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

absl::Status NotAllowed(std::string message) {
  return MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                   std::move(message));
}

// Time for streams to end as their methods choose, with DrainingError().
constexpr std::chrono::milliseconds kStreamsEnd{500};

}  // namespace

absl::StatusOr<std::shared_ptr<Gate>> Gate::Create(const ListenerConfig& config,
                                                   const std::vector<MethodAccess>& access) {
  auto gate = std::make_shared<Gate>();
  gate->org_ = config.org;
  gate->mutual_ = !config.client_ca_pem.empty();
  gate->in_flight_max_ = config.in_flight_max;
  gate->streams_max_ = config.streams_max;
  for (const MethodAccess& entry : access) {
    const auto* method =
        google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(entry.method);
    if (method == nullptr) {
      return absl::InvalidArgumentError(fmt::format("no method {} to allow", entry.method));
    }
    gate->rules_[fmt::format("/{}/{}", method->service()->full_name(), method->name())] =
        Rule{entry.roles, method->server_streaming()};
  }
  return gate;
}

absl::Status Gate::Admit(std::string_view path, const grpc::AuthContext* peer) const {
  if (path.starts_with(kHealthPrefix)) return absl::OkStatus();
  if (mutual_ && path.starts_with(kReflectionPrefix)) return CallerOf(peer).status();
  const auto found = rules_.find(path);
  if (found == rules_.end()) {
    return NotAllowed(fmt::format("{} is not offered on this listener", path));
  }
  DT_RETURN_IF_ERROR(Authorize(found->second, path, peer));
  if (draining_) return DrainingError();
  const bool full = found->second.stream ? streams_ >= streams_max_ : unary_ >= in_flight_max_;
  if (full) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                     "too many calls at once: try again in a moment");
  }
  return absl::OkStatus();
}

void Gate::Drain(std::chrono::milliseconds at_most) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + at_most;
  std::unique_lock lock(mutex_);
  draining_ = true;
  const auto streams_ended = [this] { return open_streams_.empty(); };
  if (!ended_.wait_until(lock, std::min(end, steady_clock::now() + kStreamsEnd), streams_ended)) {
    for (grpc::ServerContextBase* stream : open_streams_) stream->TryCancel();
  }
  ended_.wait_until(lock, end, [&] { return unary_ == 0 && streams_ended(); });
}

absl::Status Gate::Authorize(const Rule& rule, std::string_view path,
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
    Log(LogLevel::kWarning, "rpc.call.denied", {{"caller", caller.ToString()}, {"method", path}});
    return NotAllowed(fmt::format("{} may not call {}", caller.ToString(), path));
  }
  if (!component) {
    Log(LogLevel::kInfo, "rpc.admin.call", {{"caller", caller.ToString()}, {"method", path}});
  }
  return absl::OkStatus();
}

namespace {

class GateKeeper final : public grpc::AuthMetadataProcessor {
 public:
  explicit GateKeeper(std::shared_ptr<const Gate> gate) : gate_(std::move(gate)) {}

  // Admit() computes and never waits: no thread hop.
  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& headers, grpc::AuthContext* peer,
                       OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) override {
    const auto path = headers.find(":path");
    const absl::Status status =
        gate_->Admit(path == headers.end() ? std::string_view() : View(path->second), peer);
    if (status.ok()) return grpc::Status::OK;
    // gRPC takes code and message from here and drops details.
    return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
  }

 private:
  const std::shared_ptr<const Gate> gate_;
};

}  // namespace

class CountedCall final : public grpc::experimental::Interceptor {
 public:
  CountedCall(std::shared_ptr<Gate> gate, grpc::experimental::ServerRpcInfo* call)
      : gate_(std::move(gate)) {
    const bool stream = call->type() != grpc::experimental::ServerRpcInfo::Type::UNARY;
    count_ = stream ? &gate_->streams_ : &gate_->unary_;
    ++*count_;
    // Whoever watches the health shall hear of the drain.
    if (!stream || std::string_view(call->method()).starts_with(kHealthPrefix)) return;
    stream_ = call->server_context();
    const std::lock_guard lock(gate_->mutex_);
    gate_->open_streams_.insert(stream_);
  }
  // The call's context, about to end, deletes this.
  ~CountedCall() override {
    --*count_;
    if (stream_ == nullptr && !gate_->draining_) return;
    const std::lock_guard lock(gate_->mutex_);
    gate_->open_streams_.erase(stream_);
    gate_->ended_.notify_all();
  }
  CountedCall(const CountedCall&) = delete;
  CountedCall& operator=(const CountedCall&) = delete;

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  const std::shared_ptr<Gate> gate_;
  std::atomic<std::size_t>* count_ = nullptr;
  grpc::ServerContextBase* stream_ = nullptr;
};

namespace {

class CallCounter final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallCounter(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new CountedCall(gate_, call);
  }

 private:
  const std::shared_ptr<Gate> gate_;
};

}  // namespace

std::shared_ptr<grpc::AuthMetadataProcessor> NewGateKeeper(std::shared_ptr<const Gate> gate) {
  return std::make_shared<GateKeeper>(std::move(gate));
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallCounter(
    std::shared_ptr<Gate> gate) {
  return std::make_unique<CallCounter>(std::move(gate));
}

}  // namespace devicetrust::rpc
