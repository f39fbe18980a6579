#include "simulator/gateway/upstream/admin_backend.h"

#include <grpcpp/generic/generic_stub.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>

#include "devicetrust/org/v1/console.grpc.pb.h"
#include "libs/base/mutex.h"
#include "libs/rpc/async_call.h"
#include "libs/rpc/grant.h"

namespace devicetrust::gateway {
namespace {

constexpr std::chrono::milliseconds kListenOn{150};  // Behind the first message.
// A heartbeat holds a number or two and a time.
constexpr std::size_t kHeartbeatBytesMax = 32;

grpc::ByteBuffer ToBuffer(const std::string& message) {
  const grpc::Slice slice(message);
  return grpc::ByteBuffer(&slice, 1);
}

std::optional<std::string> ToText(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
}

// One stream being listened to. It keeps itself until gRPC is through with it.
class Listening final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Listening(AdminCall call) : request_(ToBuffer(call.request)) {
    rpc::PrepareCall(context_, kListenMax);
    context_.AddMetadata(rpc::kGrantHeader, call.grant);
    method_ = std::move(call.method);
  }

  // Calls back once it has said something, or ended.
  void Start(grpc::GenericStub& stub, std::shared_ptr<Listening> self,
             std::function<void(bool)> spoke) {
    self_ = std::move(self);
    spoke_ = std::move(spoke);
    stub.PrepareBidiStreamingCall(&context_, method_, grpc::StubOptions(), this);
    StartWriteLast(&request_, grpc::WriteOptions());
    StartRead(&incoming_);
    StartCall();
  }

  // Ends it, and calls back when it has.
  void Finish(std::function<void(bool)> over) {
    {
      const MutexLock lock(mutex_);
      if (!done_) {
        over_ = std::move(over);
        context_.TryCancel();
        return;
      }
    }
    over(true);
  }

  // Once it is over.
  absl::StatusOr<Listened> Take() {
    const MutexLock lock(mutex_);
    using grpc::StatusCode;
    const bool cut = status_.error_code() == StatusCode::CANCELLED ||
                     status_.error_code() == StatusCode::DEADLINE_EXCEEDED;
    // Nothing in all that time, not even a heartbeat: the other side is away.
    const bool spoke = heard_ || cancelled_;
    if (!status_.ok() && !(cut && spoke)) return rpc::FromGrpc(status_);
    heard_messages_.ended = status_.ok();
    return std::move(heard_messages_);
  }

  void OnReadDone(bool good) override {
    if (!good) return;  // OnDone() follows.
    std::optional<std::string> text = ToText(incoming_);
    incoming_.Clear();
    bool says = false;
    bool full = false;
    {
      const MutexLock lock(mutex_);
      heard_ = true;
      if (text) {
        // A short one may be no heartbeat, but the last word of a stream about to end: it is kept.
        says = text->size() > kHeartbeatBytesMax;
        bytes_ += text->size();
        heard_messages_.messages.push_back(*std::move(text));
      }
      full = heard_messages_.messages.size() >= kListenMessagesMax || bytes_ >= kListenBytesMax;
      cancelled_ = cancelled_ || full;
    }
    if (says) Speak();
    if (full) {
      context_.TryCancel();
    } else {
      StartRead(&incoming_);
    }
  }

  void OnDone(const grpc::Status& status) override {
    std::function<void(bool)> over;
    {
      const MutexLock lock(mutex_);
      status_ = status;
      done_ = true;
      over = std::move(over_);
    }
    Speak();
    if (over) over(true);
    const std::shared_ptr<Listening> last = std::move(self_);
  }

 private:
  void Speak() {
    if (spoke_) std::exchange(spoke_, nullptr)(true);  // gRPC calls one at a time.
  }

  grpc::ClientContext context_;
  std::string method_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer incoming_;
  std::function<void(bool)> spoke_;
  std::shared_ptr<Listening> self_;
  Mutex mutex_;
  std::function<void(bool)> over_ ABSL_GUARDED_BY(mutex_);
  Listened heard_messages_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool heard_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

class GrpcAdminBackend final : public AdminBackend {
 public:
  GrpcAdminBackend(std::shared_ptr<grpc::Channel> org, std::shared_ptr<grpc::Channel> ca)
      : console_(org::v1::ConsoleService::NewStub(org)), org_(std::move(org)), ca_(std::move(ca)) {}

  Task<absl::StatusOr<org::v1::GetConsoleResponse>> GetConsole(
      org::v1::GetConsoleRequest request) override {
    co_return co_await rpc::AsyncCall(
        *console_->async(), &org::v1::ConsoleService::Stub::async::GetConsole, std::move(request));
  }
  Task<absl::StatusOr<org::v1::OpenConsoleResponse>> OpenConsole(
      org::v1::OpenConsoleRequest request) override {
    co_return co_await rpc::AsyncCall(
        *console_->async(), &org::v1::ConsoleService::Stub::async::OpenConsole, std::move(request));
  }
  Task<absl::StatusOr<org::v1::CloseConsoleResponse>> CloseConsole(
      org::v1::CloseConsoleRequest request) override {
    co_return co_await rpc::AsyncCall(*console_->async(),
                                      &org::v1::ConsoleService::Stub::async::CloseConsole,
                                      std::move(request));
  }
  Task<absl::StatusOr<org::v1::AuthorizeCallResponse>> AuthorizeCall(
      org::v1::AuthorizeCallRequest request) override {
    co_return co_await rpc::AsyncCall(*console_->async(),
                                      &org::v1::ConsoleService::Stub::async::AuthorizeCall,
                                      std::move(request));
  }

  Task<absl::StatusOr<std::string>> Call(AdminCall call) override {
    struct State {
      grpc::ClientContext context;
      grpc::ByteBuffer request;
      grpc::ByteBuffer response;
    };
    // Shared with gRPC's thread, which may finish after a coroutine that was destroyed.
    auto state = std::make_shared<State>();
    state->request = ToBuffer(call.request);
    rpc::PrepareCall(state->context, kAdminCallMax);
    state->context.AddMetadata(rpc::kGrantHeader, call.grant);
    grpc::GenericStub& stub = StubOf(call.peer);
    const auto start = [&](std::function<void(grpc::Status)> done) {
      stub.UnaryCall(
          &state->context, call.method, grpc::StubOptions(), &state->request, &state->response,
          [state, done = std::move(done)](grpc::Status status) { done(std::move(status)); });
    };
    const grpc::Status status = co_await AwaitCallback<grpc::Status>(start);
    if (!status.ok()) co_return rpc::FromGrpc(status);
    std::optional<std::string> text = ToText(state->response);
    if (!text) co_return absl::DataLossError("the answer has no octets");
    co_return *std::move(text);
  }

  Task<absl::StatusOr<Listened>> Listen(AdminCall call) override {
    grpc::GenericStub& stub = StubOf(call.peer);
    const auto stream = std::make_shared<Listening>(std::move(call));
    co_await AwaitCallback<bool>(
        [&](std::function<void(bool)> spoke) { stream->Start(stub, stream, std::move(spoke)); });
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, kListenOn);
    co_await timer.async_wait(kAsTuple);
    co_await AwaitCallback<bool>(
        [&](std::function<void(bool)> over) { stream->Finish(std::move(over)); });
    co_return stream->Take();
  }

 private:
  grpc::GenericStub& StubOf(AdminCall::Peer peer) {
    return peer == AdminCall::Peer::kCa ? ca_ : org_;
  }

  const std::unique_ptr<org::v1::ConsoleService::Stub> console_;
  grpc::GenericStub org_;
  grpc::GenericStub ca_;
};

}  // namespace

std::unique_ptr<AdminBackend> NewAdminBackend(std::shared_ptr<grpc::Channel> org,
                                              std::shared_ptr<grpc::Channel> ca) {
  return std::make_unique<GrpcAdminBackend>(std::move(org), std::move(ca));
}

}  // namespace devicetrust::gateway
