#include "simulator/gateway/gateway_server.h"

#include <fmt/format.h>

#include <atomic>
#include <optional>
#include <thread>

#include "libs/base/background_loop.h"
#include "libs/base/log.h"
#include "libs/base/mutex.h"
#include "libs/http/client.h"
#include "libs/http/server.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/quick_ec.h"
#include "libs/pki/tls_context.h"
#include "libs/rpc/channel.h"
#include "libs/service/component.h"
#include "libs/service/self_check.h"
#include "simulator/gateway/config_files.h"
#include "simulator/gateway/mtls_host.h"
#include "simulator/gateway/org_host.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/upstream/admin_backend.h"
#include "simulator/gateway/upstream/feeds.h"
#include "simulator/gateway/upstream/org_client.h"
#include "simulator/gateway/upstream/org_snapshots.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStartGrace{5000};
constexpr milliseconds kDrainGrace{3000};
constexpr milliseconds kWatchEvery{1000};
// A browser with many tabs brings a cookie for each sign-on in hand (kTransactionBytesMax).
constexpr std::size_t kOrgHeadBytesMax = 64 * 1024;
constexpr std::size_t kOrgBodyBytesMax = 128 * 1024;  // A SAML request as base64, escaped.

// `devices`: null while nobody is known to sign device certificates; then none is asked for.
absl::StatusOr<std::shared_ptr<const pki::TlsContext>> NewTls(
    const Config& config, pki::Identity identity, std::vector<pki::Identity> others,
    std::shared_ptr<const pki::CertificateValidator> devices) {
  DT_ASSIGN_OR_RETURN(pki::TlsContext context,
                      pki::TlsContext::ForServer({.identity = std::move(identity),
                                                  .client_validator = std::move(devices),
                                                  .plain = config.tls == "plain",
                                                  .others = std::move(others)}));
  return std::make_shared<const pki::TlsContext>(std::move(context));
}

// Of a Reload() that changed nothing.
void LogRefused(const absl::Status& status) {
  if (status.ok()) return;
  Log(LogLevel::kWarning, "gateway.certificates.refused",
      {{"status", std::string(status.ToString())}});
}

}  // namespace

// In the order of use: destroyed in reverse.
struct GatewayServer::Parts {
  Parts(const Config& settings, Files read, const Clock& time, Random& source)
      : config(settings),
        files(std::move(read)),
        clock(time),
        random(source),
        shown(files.shown),
        revocations(milliseconds(config.revocation_age_max_ms), clock) {}
  ~Parts() { Stop(); }

  // Reads the certificates and keys of the listeners again; those before stay when they are bad.
  absl::Status Reload();
  void Watch();  // Reload() when a file has changed.

  absl::Status Listen();
  void MakeHosts();
  void Follow();  // The org and the CA.
  void Stop();

  absl::StatusOr<http::ListenerConfig> OrgListener();
  absl::StatusOr<http::ListenerConfig> MtlsListener();
  const std::string& OrgName() const {
    return config.org_name.empty() ? config.org : config.org_name;
  }
  Site DescribeSite() const;
  absl::Status UseIssuers(const DeviceIssuers& issuers);
  std::string EdgeCaBundle() {
    const MutexLock lock(tls_mutex);
    return shown.edge_ca_bundle;
  }
  // Answers until the ports are known, which the site's names need.
  http::Response Malformed(const http::Refusal& refusal) const;
  static Task<http::Response> Starting() { co_return http::Text(503, "starting\n"); }

  const Config config;
  const Files files;
  const Clock& clock;
  Random& random;

  Mutex tls_mutex;
  // What the next contexts, and what agents are told, are made of.
  Shown shown ABSL_GUARDED_BY(tls_mutex);
  std::shared_ptr<const pki::CertificateValidator> devices ABSL_GUARDED_BY(tls_mutex);

  OrgSnapshots snapshots;
  RevocationState revocations;
  std::shared_ptr<grpc::Channel> org_channel;
  std::shared_ptr<grpc::Channel> ca_channel;
  std::unique_ptr<OrgClient> org;
  std::unique_ptr<AccountClient> account;
  std::unique_ptr<PackageFolder> packages;
  std::unique_ptr<AdminBackend> admins;
  Site site;  // Constant once `serving` is set.
  std::unique_ptr<OrgHost> org_host;
  std::unique_ptr<MtlsHost> mtls_host;
  std::atomic<bool> serving{false};
  // Their handlers use all of the above. Each has threads of its own: whatever strangers make the
  // org host do, a device check waits for a core at most, never behind a queue of theirs.
  std::unique_ptr<http::Server> org_server;
  std::unique_ptr<http::Server> mtls_server;
  std::unique_ptr<Feeds> feeds;  // Hands issuers to the mTLS hosts.
  std::unique_ptr<BackgroundLoop> watch;
  std::optional<service::SelfCheck> self_check;
};

http::Response GatewayServer::Parts::Malformed(const http::Refusal& refusal) const {
  if (serving) return RenderMalformed(site, refusal);
  Site unready;
  unready.org = config.org;
  unready.org_name = OrgName();
  return RenderMalformed(unready, refusal);
}

absl::StatusOr<http::ListenerConfig> GatewayServer::Parts::OrgListener() {
  http::ListenerConfig listener;
  listener.address = config.org_listen;
  listener.flag = "--org-listen";
  listener.limits.connections_max = config.connections_max;
  listener.limits.connections_per_address_max = config.connections_per_address_max;
  listener.limits.memory_bytes_max = config.memory_mib << 20;
  listener.limits.parser.head_bytes_max = kOrgHeadBytesMax;
  listener.limits.parser.target_bytes_max = kOrgHeadBytesMax / 2;
  listener.limits.parser.body_bytes_max = kOrgBodyBytesMax;
  listener.proxies = files.proxies;
  listener.header_proxies = files.header_proxies;
  listener.client_address_field = config.client_address_field;
  DT_ASSIGN_OR_RETURN(listener.tls, NewTls(config, files.shown.org, {}, nullptr));
  listener.handler = [this](const http::Request& request) {
    return serving ? org_host->Handle(request) : Starting();
  };
  listener.refusal_page = [this](const http::Refusal& refusal) { return Malformed(refusal); };
  return listener;
}

absl::StatusOr<http::ListenerConfig> GatewayServer::Parts::MtlsListener() {
  http::ListenerConfig listener;
  listener.address = config.mtls_listen;
  listener.flag = "--mtls-listen";
  listener.limits.connections_max = config.connections_max;
  listener.limits.connections_per_address_max = config.connections_per_address_max;
  listener.limits.memory_bytes_max = config.memory_mib << 20;
  listener.close_always = true;
  listener.proxies = files.proxies;
  DT_ASSIGN_OR_RETURN(listener.tls,
                      NewTls(config, files.shown.mtls, files.shown.mtls_also, nullptr));
  listener.handler = [this](const http::Request& request) {
    return serving ? mtls_host->Handle(request) : Starting();
  };
  listener.refusal_page = [this](const http::Refusal& refusal) { return Malformed(refusal); };
  return listener;
}

absl::Status GatewayServer::Parts::Listen() {
  NoteExpiry(files.shown);
  DT_ASSIGN_OR_RETURN(http::ListenerConfig org_listener, OrgListener());
  DT_ASSIGN_OR_RETURN(http::ListenerConfig mtls_listener, MtlsListener());
  const std::size_t threads =
      config.threads != 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
  DT_ASSIGN_OR_RETURN(org_server, http::Server::Start({.listeners = {std::move(org_listener)},
                                                       .threads = threads,
                                                       .clock = &clock}));
  DT_ASSIGN_OR_RETURN(mtls_server, http::Server::Start({.listeners = {std::move(mtls_listener)},
                                                        .threads = threads,
                                                        .clock = &clock}));
  return absl::OkStatus();
}

Site GatewayServer::Parts::DescribeSite() const {
  const std::uint16_t org_port = org_server->endpoint(0).port();
  const std::uint16_t mtls_port = mtls_server->endpoint(0).port();
  return {config.org,
          config.org_host,
          !config.org_url.empty() ? config.org_url
                                  : http::Url{true, config.org_host, org_port, "/"}.Origin(),
          config.mtls_host,
          config.mtls_public_port != 0 ? static_cast<std::uint16_t>(config.mtls_public_port)
                                       : mtls_port,
          config.mtls_names == "fresh",
          OrgName(),
          files.mark,
          files.mail_hosts,
          FurtherHosts(config)};
}

void GatewayServer::Parts::MakeHosts() {
  site = DescribeSite();
  org_channel = rpc::NewChannel(files.component.Peer(config.org_address, config.org_server_name));
  ca_channel = rpc::NewChannel(files.component.Peer(config.ca_address, config.ca_server_name));
  org = NewOrgClient(org_channel);
  account = NewAccountClient(org_channel);
  packages = std::make_unique<PackageFolder>(config.downloads, config.downloads_mib << 20);
  admins = NewAdminBackend(org_channel, ca_channel);
  org_host = std::make_unique<OrgHost>(site, snapshots, revocations, *org, *account, *packages,
                                       *admins, clock, random, files.tickets.get());
  mtls_host = std::make_unique<MtlsHost>(site, snapshots, revocations, clock, random);
  serving = true;
}

void GatewayServer::Parts::Follow() {
  feeds = std::make_unique<Feeds>(
      FeedsConfig{
          .org = config.org,
          .ca_bundle = [this] { return EdgeCaBundle(); },
          .mtls_host = config.mtls_host,
          .org_channel = org_channel,
          .ca_channel = ca_channel,
          .use_issuers = [this](const DeviceIssuers& issuers) { return UseIssuers(issuers); }},
      snapshots, revocations);
}

// New handshakes of the mTLS hosts hint at these issuers, and are judged by them.
absl::Status GatewayServer::Parts::UseIssuers(const DeviceIssuers& issuers) {
  DT_ASSIGN_OR_RETURN(std::shared_ptr<const pki::CertificateValidator> validator,
                      pki::CertificateValidator::Create(issuers.certificates, clock));
  {
    const MutexLock lock(tls_mutex);
    DT_ASSIGN_OR_RETURN(auto tls, NewTls(config, shown.mtls, shown.mtls_also, validator));
    devices = std::move(validator);
    mtls_server->ReplaceTls(0, std::move(tls));
  }
  Log(LogLevel::kInfo, "gateway.issuers.changed", {{"issuers", issuers.certificates.size()}});
  return absl::OkStatus();
}

absl::Status GatewayServer::Parts::Reload() {
  const MutexLock lock(tls_mutex);  // Also while it reads: what is read last is what stays.
  DT_ASSIGN_OR_RETURN(Shown read, LoadShown(config));
  // This one is used where connections to the org and the CA are made (rpc::ChannelConfig::Files);
  // here it is judged, and when it ends is noted.
  DT_RETURN_IF_ERROR(service::Component::Load(config, "gateway").status());
  DT_ASSIGN_OR_RETURN(auto org_tls, NewTls(config, read.org, {}, nullptr));
  DT_ASSIGN_OR_RETURN(auto mtls_tls, NewTls(config, read.mtls, read.mtls_also, devices));
  org_server->ReplaceTls(0, std::move(org_tls));
  mtls_server->ReplaceTls(0, std::move(mtls_tls));
  NoteExpiry(read);
  Log(LogLevel::kInfo, "gateway.certificates.changed",
      {{"org", read.org.certificate.serial_hex()}, {"mtls", read.mtls.certificate.serial_hex()}});
  shown = std::move(read);
  return absl::OkStatus();
}

void GatewayServer::Parts::Watch() {
  // A file may be replaced before the other that belongs to it: that is seen as one more change.
  watch = std::make_unique<BackgroundLoop>(
      kWatchEvery, [this, seen = StampOf(config)]() mutable -> BackgroundLoop::Pause {
        std::string now = StampOf(config);
        if (now == seen) return kWatchEvery;
        seen = std::move(now);
        LogRefused(Reload());
        return kWatchEvery;
      });
}

void GatewayServer::Parts::Stop() {
  watch.reset();
  self_check.reset();
  // A sign-on in hand may still need a device check.
  if (org_server != nullptr) org_server->Stop(kDrainGrace);
  if (mtls_server != nullptr) mtls_server->Stop(kDrainGrace);
  feeds.reset();
}

GatewayServer::GatewayServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
GatewayServer::~GatewayServer() = default;

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Create(const Config& config,
                                                                     const Clock& clock,
                                                                     Random& random) {
  DT_ASSIGN_OR_RETURN(Files files, LoadFiles(config));
  if (config.tls == "quick" && !pki::UseQuickEcKeys()) {
    Log(LogLevel::kWarning, "gateway.tls.slow",
        {{"reason", "OpenSSL takes no methods for EC keys"}});
  }
  auto parts = std::make_unique<Parts>(config, std::move(files), clock, random);
  DT_RETURN_IF_ERROR(parts->Listen());
  parts->MakeHosts();
  parts->Follow();
  parts->Watch();
  parts->self_check.emplace(
      std::vector<rpc::Server*>(),
      std::vector<const http::Server*>{parts->org_server.get(), parts->mtls_server.get()});
  std::unique_ptr<GatewayServer> gateway(new GatewayServer(std::move(parts)));
  gateway->WaitUntilReady(kStartGrace);
  return gateway;
}

Addresses GatewayServer::addresses() const {
  return {{"org", http::AddressOf(parts_->org_server->endpoint(0))},
          {"mtls", http::AddressOf(parts_->mtls_server->endpoint(0))}};
}

bool GatewayServer::WaitUntilReady(milliseconds timeout) const {
  return parts_->feeds != nullptr && parts_->feeds->WaitUntilReady(timeout);
}

void GatewayServer::Stop() { parts_->Stop(); }

void GatewayServer::Reload() { LogRefused(parts_->Reload()); }

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(http::ParseEndpoint(config.org_listen, "--org-listen").status());
  DT_RETURN_IF_ERROR(http::ParseEndpoint(config.mtls_listen, "--mtls-listen").status());
  return LoadFiles(config).status();
}

std::string WaitsFor(const Config& config) {
  return fmt::format("dt-policy at {} and dt-ca at {}", config.org_address, config.ca_address);
}

}  // namespace devicetrust::gateway
