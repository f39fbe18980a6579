#include "libs/rpc/prepare.h"

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include <mutex>
#include <string>
#include <string_view>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/base/log_sparsely.h"

namespace devicetrust::rpc {
namespace {

// gRPC's threads connect until the process is gone, and OpenSSL's exit handler would take away
// what they use. OpenSSL installs it when it is first used, so this comes before main().
[[maybe_unused]] const int without_exit_handler =
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);

// A channel that has failed once makes each call fail at once until it is connected, and while no
// call waits nobody drives its TLS handshake but gRPC's backup poller: every 5 s, as long as an
// attempt may take. A client that starts before its server would then never reach it. Set before
// main(), while there is one thread; whoever sets it outside is heard.
[[maybe_unused]] const int often_polled =
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0);

constexpr std::size_t kLogMessageBytesMax = 512;

// gRPC's own log lines take the form of ours. Some of its errors any stranger can cause, and choose
// their text: a header that it does not take, a handshake that fails.
void ForwardGrpcLog(gpr_log_func_args* args) {
  const std::string message = CutText(args->message, kLogMessageBytesMax);
  if (args->severity != GPR_LOG_SEVERITY_ERROR) {
    return Log(LogLevel::kDebug, "grpc", {{"message", message}});
  }
  const std::string_view file(args->file);
  LogSparsely(LogLevel::kWarning, "grpc",
              fmt::format("{}:{}", file.substr(file.rfind('/') + 1), args->line),
              {{"message", message}});
}

// Of Protobuf come complaints about what strangers send.
void ForwardProtobufLog(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                        const std::string& message) {
  Log(LogLevel::kDebug, "protobuf", {{"message", message}});
}

}  // namespace

void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(&ForwardGrpcLog);
    google::protobuf::SetLogHandler(&ForwardProtobufLog);
    // Debian builds Abseil without NDEBUG: every lock of gRPC's then enters a graph that looks
    // for cycles, under a lock of its own.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

}  // namespace devicetrust::rpc
