#include "libs/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "libs/base/ascii.h"
#include "libs/base/bytes.h"
#include "libs/base/encoding.h"
#include "libs/base/trace.h"
#include "libs/rpc/prepare.h"

namespace devicetrust::rpc {

namespace {

// gRPC itself splits a password that holds an '@' in the wrong place.
void SetProxy(const std::string& url, grpc::ChannelArguments& arguments) {
  constexpr std::size_t kScheme = 7;  // "http://"
  const std::size_t at = url.rfind('@');
  if (at == std::string::npos || at < kScheme) {
    arguments.SetString(GRPC_ARG_HTTP_PROXY, url);
    return;
  }
  std::string credentials;
  for (std::size_t i = kScheme; i < at; ++i) {
    const bool escaped = url[i] == '%' && i + 2 < at;
    const int high = escaped ? HexValue(url[i + 1]) : -1;
    const int low = escaped ? HexValue(url[i + 2]) : -1;
    if (high < 0 || low < 0) {
      credentials += url[i];
      continue;
    }
    credentials += static_cast<char>(high * 16 + low);
    i += 2;
  }
  arguments.SetString(GRPC_ARG_HTTP_PROXY, "http://" + url.substr(at + 1));
  // The name of GRPC_ARG_HTTP_CONNECT_HEADERS, whose header is not installed.
  arguments.SetString("grpc.http_connect_headers",
                      "Proxy-Authorization:Basic " + Base64Encode(AsBytes(credentials)));
}

constexpr unsigned int kFilesLookedAtSeconds = 1;

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const ChannelConfig& config) {
  if (config.files) {
    namespace tls = grpc::experimental;
    tls::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(std::make_shared<tls::FileWatcherCertificateProvider>(
        config.files->key, config.files->certificate, config.files->trust, kFilesLookedAtSeconds));
    options.watch_identity_key_cert_pairs();
    options.watch_root_certs();
    return tls::TlsCredentials(options);
  }
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = config.trust_pem;
  if (config.identity) {
    options.pem_cert_chain = config.identity->certificate_pem;
    options.pem_private_key = config.identity->key_pem;
  }
  return grpc::SslCredentials(options);
}

}  // namespace

std::shared_ptr<grpc::Channel> NewChannel(const ChannelConfig& config) {
  PrepareGrpc();
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
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, config.http_proxy.empty() ? 0 : 1);
  if (!config.http_proxy.empty()) SetProxy(config.http_proxy, arguments);
  arguments.SetMaxReceiveMessageSize(16 * 1024 * 1024);
  return grpc::CreateCustomChannel(config.address, CredentialsOf(config), arguments);
}

void PrepareCall(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
  if (std::string trace = FormatTraceParent(CurrentTraceId()); !trace.empty()) {
    context.AddMetadata(kTraceHeader, trace);
  }
}

}  // namespace devicetrust::rpc
