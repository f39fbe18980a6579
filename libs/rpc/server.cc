#include "libs/rpc/server.h"

#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <mutex>

#include "libs/base/log.h"
#include "libs/rpc/admission_control.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/front.h"
#include "libs/rpc/prepare.h"
#include "libs/rpc/status.h"

namespace devicetrust::rpc {
namespace {

// For the last answers to leave, once all calls have ended.
constexpr std::chrono::milliseconds kGoodbye{100};
// Of gRPC's transports on one listener; beyond it connections without calls are closed, then calls
// cancelled.
constexpr std::size_t kMemoryBytesMax = 96 * 1024 * 1024;
constexpr std::size_t kPollingThreadsMax = 256;  // MAX_POLLERS of each of at least four queues.
constexpr std::chrono::milliseconds kEdgeAge{3'600'000};
constexpr std::chrono::milliseconds kEdgeAgeGrace{30'000};
constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";

// At an edge the front has ended TLS, and what comes to gRPC is a socket pair.
std::shared_ptr<grpc::ServerCredentials> Credentials(const ListenerConfig& config) {
  if (config.client_ca_pem.empty()) return grpc::experimental::LocalServerCredentials(UDS);
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
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
  const bool edge = config.client_ca_pem.empty();
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             edge ? kEdgeCallsPerConnectionMax
                                  : static_cast<int>(config.in_flight_max + config.streams_max));
  // Else gRPC makes windows and frames larger as it sees fit.
  if (edge) builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // A compressed message is UNIMPLEMENTED before anything of it is unpacked.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  grpc::ResourceQuota quota(config.name);
  quota.Resize(kMemoryBytesMax);
  quota.SetMaxThreads(
      static_cast<int>(config.in_flight_max + config.streams_max + kPollingThreadsMax));
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(config.connections.handshake.count()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(config.connections.idle.count()));
  // Streams of components last as long as both sides live.
  if (edge) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(kEdgeAge.count()));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                               static_cast<int>(kEdgeAgeGrace.count()));
  }
  // Clients ping every 15 s to notice a dead connection (channel.cc).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
}

}  // namespace

struct Server::State {
  std::string name;
  std::string address;
  Identity identity;
  std::shared_ptr<AdmissionControl> admission;
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<Front> front;
  std::once_flag stopped;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(); }
const std::string& Server::name() const { return state_->name; }
const std::string& Server::address() const { return state_->address; }
std::size_t Server::in_flight() const { return state_->admission->in_flight(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ListenerConfig config,
                                                      const std::vector<grpc::Service*>& services,
                                                      const std::vector<MethodAccess>& access) {
  PrepareGrpc();
  auto state = std::make_unique<State>();
  state->name = config.name;
  state->identity = config.identity;
  DT_ASSIGN_OR_RETURN(state->admission, AdmissionControl::Create(config, access));

  const auto credentials = Credentials(config);
  credentials->SetAuthMetadataProcessor(NewAdmissionProcessor(state->admission));
  grpc::ServerBuilder builder;
  state->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  for (grpc::Service* service : services) builder.RegisterService(service);
  SetLimits(builder, config);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> observers;
  observers.push_back(NewCallObserver(state->admission));
  builder.experimental().SetInterceptorCreators(std::move(observers));

  state->server = builder.BuildAndStart();
  if (state->server == nullptr) {
    return absl::InvalidArgumentError(fmt::format(
        "cannot listen on {} ({}): certificate or key do not fit", config.listen, config.flag));
  }
  DT_ASSIGN_OR_RETURN(state->front,
                      Front::Start(config, *state->acceptor, state->admission->newcomers()));
  state->address = state->front->address();
  Log(LogLevel::kInfo, "rpc.listening", {{"listener", config.name}, {"address", state->address}});
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

// A certificate that nobody verifies: whoever answers at our own address is us, or has taken it
// over, and then the health of this process is the least of worries.
absl::Status Server::AskOverNetwork(std::chrono::milliseconds timeout) const {
  namespace tls = grpc::experimental;
  tls::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<tls::NoOpCertificateVerifier>());
  options.set_certificate_provider(
      std::make_shared<tls::StaticDataCertificateProvider>(std::vector<tls::IdentityKeyCertPair>{
          {state_->identity.key_pem, state_->identity.certificate_pem}}));
  options.watch_identity_key_cert_pairs();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // A new connection each time.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel =
      grpc::CreateCustomChannel(state_->address, tls::TlsCredentials(options), arguments);

  grpc::ClientContext context;
  PrepareCall(context, timeout);
  context.set_wait_for_ready(true);
  grpc::CompletionQueue queue;
  const grpc::Slice empty("");
  const auto call = grpc::GenericStub(channel).PrepareUnaryCall(
      &context, kHealthCheck, grpc::ByteBuffer(&empty, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool good = false;
  queue.Next(&tag, &good);
  return FromGrpc(status);
}

void Server::SetHealth(const std::string& service, bool serving) {
  if (auto* health = state_->server->GetHealthCheckService()) {
    health->SetServingStatus(service, serving);
  }
}

void Server::Stop(std::chrono::milliseconds drain) {
  std::call_once(state_->stopped, [&] {
    if (auto* health = state_->server->GetHealthCheckService()) health->Shutdown();
    state_->admission->Drain(drain);
    state_->front->Refuse();
    // gRPC waits for clients to close their connections, which those without a call never do.
    const gpr_timespec wait = gpr_time_from_millis(kGoodbye.count(), GPR_TIMESPAN);
    state_->server->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), wait));
    state_->server->Wait();
    state_->front->Stop(kGoodbye);
    Log(LogLevel::kInfo, "rpc.stopped", {{"listener", state_->name}});
  });
}

}  // namespace devicetrust::rpc
