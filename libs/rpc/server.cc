#include "libs/rpc/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/rpc/admission_control.h"
#include "libs/rpc/prepare.h"

namespace devicetrust::rpc {
namespace {

// For the last answers to leave, once all calls have ended.
constexpr std::chrono::milliseconds kGoodbye{100};

// gRPC does not say why it could not bind; trying it ourselves does.
std::string WhyNotBound(const HostPort& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (const int error = getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    return gai_strerror(error);
  }
  std::string why = "certificate or key do not fit";
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) != 0) why = std::strerror(errno);
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return why;
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const ListenerConfig& config) {
  grpc::SslServerCredentialsOptions options(
      config.client_ca_pem.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                   : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = config.client_ca_pem;
  options.pem_key_cert_pairs.push_back({config.identity.key_pem, config.identity.certificate_pem});
  return grpc::SslServerCredentials(options);
}

void SetLimits(grpc::ServerBuilder& builder, const ListenerConfig& config) {
  builder.SetMaxReceiveMessageSize(config.message_bytes_max);
  // By default a thread is made for nearly every call that blocks, and ends with it.
  // Keeping up to 64 saves a third of a call's CPU: 410 -> 270 us, client and TLS
  // included, for 32 to 64 callers of a method that waits 2 ms (2 vCPUs, gRPC 1.51.1).
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 4);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 64);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(config.in_flight_max + config.streams_max));
  // Else a second server on the same port starts, and each gets some of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Clients ping every 15 s to notice a dead connection (channel.cc).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
}

}  // namespace

struct Server::State {
  std::string name;
  std::string address;
  std::shared_ptr<AdmissionControl> admission;
  std::unique_ptr<grpc::Server> server;
  std::once_flag stopped;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(); }
const std::string& Server::address() const { return state_->address; }
std::size_t Server::in_flight() const { return state_->admission->in_flight(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ListenerConfig config,
                                                      const std::vector<grpc::Service*>& services,
                                                      const std::vector<MethodAccess>& access) {
  PrepareGrpc();
  DT_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(config.listen, config.flag));
  auto state = std::make_unique<State>();
  state->name = config.name;
  DT_ASSIGN_OR_RETURN(state->admission, AdmissionControl::Create(config, access));

  const auto credentials = Credentials(config);
  credentials->SetAuthMetadataProcessor(NewAdmissionProcessor(state->admission));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(config.listen, credentials, &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  SetLimits(builder, config);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> observers;
  observers.push_back(NewCallObserver(state->admission));
  builder.experimental().SetInterceptorCreators(std::move(observers));

  state->server = builder.BuildAndStart();
  if (state->server == nullptr || port == 0) {
    return absl::FailedPreconditionError(
        fmt::format("cannot listen on {} ({}): {}; stop the other program or choose another port",
                    config.listen, config.flag, WhyNotBound(address)));
  }
  const bool v6 = address.host.find(':') != std::string::npos;
  state->address = fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", port);
  Log(LogLevel::kInfo, "rpc.listening", {{"listener", config.name}, {"address", state->address}});
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

void Server::Stop(std::chrono::milliseconds drain) {
  std::call_once(state_->stopped, [&] {
    if (auto* health = state_->server->GetHealthCheckService()) health->Shutdown();
    state_->admission->Drain(drain);
    // gRPC waits for clients to close their connections, which those without a call never do.
    const gpr_timespec wait = gpr_time_from_millis(kGoodbye.count(), GPR_TIMESPAN);
    state_->server->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), wait));
    state_->server->Wait();
    Log(LogLevel::kInfo, "rpc.stopped", {{"listener", state_->name}});
  });
}

}  // namespace devicetrust::rpc
