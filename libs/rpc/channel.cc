#include "libs/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "libs/base/trace.h"
#include "libs/rpc/prepare.h"

namespace devicetrust::rpc {

std::shared_ptr<grpc::Channel> NewChannel(const ChannelConfig& config) {
  PrepareGrpc();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = config.trust_pem;
  if (config.identity) {
    options.pem_cert_chain = config.identity->certificate_pem;
    options.pem_private_key = config.identity->key_pem;
  }
  grpc::ChannelArguments arguments;
  if (!config.server_name.empty()) arguments.SetSslTargetNameOverride(config.server_name);
  // A component that comes back is found again at once, without a stampede.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // This one is how long an attempt may take, TLS included: a busy machine needs its time.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // A peer that vanished without a word is noticed while a stream waits for it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 15'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  // Channels of two tests, or of two identities, never share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(16 * 1024 * 1024);
  return grpc::CreateCustomChannel(config.address, grpc::SslCredentials(options), arguments);
}

void PrepareCall(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
  if (std::string trace = FormatTraceParent(CurrentTraceId()); !trace.empty()) {
    context.AddMetadata(kTraceHeader, trace);
  }
}

}  // namespace devicetrust::rpc
