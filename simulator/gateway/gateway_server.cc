#include "simulator/gateway/gateway_server.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "libs/base/background_loop.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/mutex.h"
#include "libs/http/client.h"
#include "libs/http/server.h"
#include "libs/kerberos/environment.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/quick_ec.h"
#include "libs/pki/tls_context.h"
#include "libs/rpc/channel.h"
#include "libs/service/component.h"
#include "libs/service/metrics.h"
#include "libs/service/self_check.h"
#include "simulator/gateway/mtls_host.h"
#include "simulator/gateway/org_host.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/tickets/ticket_acceptor.h"
#include "simulator/gateway/upstream/admin_backend.h"
#include "simulator/gateway/upstream/feeds.h"
#include "simulator/gateway/upstream/org_client.h"
#include "simulator/gateway/upstream/org_snapshots.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {

// What the files of a Config hold.
struct Files {
  pki::Identity org;
  pki::Identity mtls;
  std::string edge_ca_bundle;
  SiteMark mark;
  http::Networks proxies;                       // That speak the PROXY protocol.
  http::Networks header_proxies;                // That name their client in a field.
  http::Networks mail_hosts;                    // The same at the endpoint for mail clients.
  std::unique_ptr<const TicketSignIn> tickets;  // Null: none are taken.
  service::Component component;
};

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStartGrace{5000};
constexpr milliseconds kDrainGrace{3000};
constexpr milliseconds kWatchEvery{1000};
// A browser with many tabs brings a cookie for each sign-on in hand (kTransactionBytesMax).
constexpr std::size_t kOrgHeadBytesMax = 64 * 1024;
constexpr std::size_t kOrgBodyBytesMax = 128 * 1024;  // A SAML request as base64, escaped.

absl::StatusOr<std::string> ReadPem(std::string_view flag, const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(fmt::format("{} is missing: give a PEM file", flag));
  }
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Annotate(text.status(), flag);
  return text;
}

absl::StatusOr<SiteMark> LoadMark(const std::string& path) {
  if (path.empty()) return SiteMark();
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return Annotate(bytes.status(), "--org-mark");
  const bool png = bytes->starts_with("\x89PNG\r\n\x1a\n");
  const bool svg = bytes->find("<svg") != std::string::npos;
  if ((!png && !svg) || bytes->size() > kMarkBytesMax) {
    return absl::InvalidArgumentError(fmt::format(
        "--org-mark: {} is not a PNG or SVG image of at most {} bytes", path, kMarkBytesMax));
  }
  return SiteMark{png ? "image/png" : "image/svg+xml", *std::move(bytes)};
}

absl::StatusOr<pki::Identity> LoadServerIdentity(std::string_view name, const std::string& cert,
                                                 const std::string& key) {
  const std::string cert_flag = fmt::format("--{}-cert", name);
  const std::string key_flag = fmt::format("--{}-key", name);
  DT_ASSIGN_OR_RETURN(const std::string chain, ReadPem(cert_flag, cert));
  DT_ASSIGN_OR_RETURN(const std::string secret, ReadPem(key_flag, key));
  DT_RETURN_IF_ERROR(RefuseIfShared(key));
  absl::StatusOr<pki::Identity> identity = pki::IdentityFromPem(chain, secret);
  if (!identity.ok())
    return Annotate(identity.status(), fmt::format("{} and {}", cert_flag, key_flag));
  return identity;
}

// Whether a certificate's names cover `host`, a leading wildcard label included.
bool Covers(const pki::Certificate& certificate, std::string_view host) {
  const std::vector<std::string> names = certificate.dns_names();
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    if (name == host) return true;
    const std::size_t dot = host.find('.');
    return name.starts_with("*.") && dot != std::string_view::npos &&
           host.substr(dot) == std::string_view(name).substr(1);
  });
}

// What the listeners show.
struct Identities {
  pki::Identity org;
  pki::Identity mtls;
};

absl::Status CheckNames(const Config& config, const Identities& files) {
  if (config.mtls_names != "fresh" && config.mtls_names != "fixed") {
    return absl::InvalidArgumentError(
        fmt::format("--mtls-names: \"{}\" is neither fresh nor fixed", config.mtls_names));
  }
  if (!Covers(files.org.certificate, config.org_host)) {
    return absl::InvalidArgumentError(
        fmt::format("--org-cert is not a certificate for {} (--org-host)", config.org_host));
  }
  const std::string challenge_host =
      config.mtls_names == "fresh" ? "x." + config.mtls_host : config.mtls_host;
  if (!Covers(files.mtls.certificate, challenge_host)) {
    return absl::InvalidArgumentError(
        fmt::format("--mtls-cert is not a certificate for {}{} (--mtls-host, --mtls-names {})",
                    config.mtls_names == "fresh" ? "*." : "", config.mtls_host, config.mtls_names));
  }
  // Else a browser could reuse its connection to one for the other.
  if (Covers(files.mtls.certificate, config.org_host)) {
    return absl::FailedPreconditionError(
        fmt::format("--mtls-cert also covers {}; give the mTLS hosts a certificate of their own",
                    config.org_host));
  }
  return absl::OkStatus();
}

absl::StatusOr<Identities> LoadIdentities(const Config& config) {
  DT_ASSIGN_OR_RETURN(pki::Identity org,
                      LoadServerIdentity("org", config.org_cert, config.org_key));
  DT_ASSIGN_OR_RETURN(pki::Identity mtls,
                      LoadServerIdentity("mtls", config.mtls_cert, config.mtls_key));
  Identities identities{std::move(org), std::move(mtls)};
  DT_RETURN_IF_ERROR(CheckNames(config, identities));
  return identities;
}

// What changes when one of their files does.
std::string StampOf(const Config& config) {
  std::string stamp;
  for (const std::string& path :
       {config.org_cert, config.org_key, config.mtls_cert, config.mtls_key, config.internal_cert,
        config.internal_key, config.deployment_ca}) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) status = {};
    stamp += fmt::format("{} {} {} {}.{};", status.st_dev, status.st_ino, status.st_size,
                         status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return stamp;
}

absl::StatusOr<std::unique_ptr<const TicketSignIn>> LoadTickets(const Config& config) {
  if (config.ticket_keytab.empty()) return nullptr;
  DT_RETURN_IF_ERROR(RefuseIfShared(config.ticket_keytab));
  if (!config.krb5_config.empty()) DT_RETURN_IF_ERROR(kerberos::UseConfig(config.krb5_config));
  auto tickets = std::make_unique<TicketSignIn>();
  DT_ASSIGN_OR_RETURN(tickets->networks,
                      http::Networks::Parse(config.ticket_from, "--ticket-from"));
  auto check = NewTicketCheck({config.ticket_keytab, config.ticket_replay_cache, config.org_host});
  if (!check.ok()) return Annotate(check.status(), "--ticket-keytab");
  tickets->check = *std::move(check);
  return tickets;
}

absl::StatusOr<Files> LoadFiles(const Config& config) {
  DT_ASSIGN_OR_RETURN(Identities identities, LoadIdentities(config));
  DT_ASSIGN_OR_RETURN(http::Networks proxies,
                      http::Networks::Parse(config.proxy_protocol_from, "--proxy-protocol-from"));
  DT_ASSIGN_OR_RETURN(http::Networks header_proxies,
                      http::Networks::Parse(config.client_address_from, "--client-address-from"));
  DT_ASSIGN_OR_RETURN(auto tickets, LoadTickets(config));
  DT_ASSIGN_OR_RETURN(http::Networks mail_hosts,
                      http::Networks::Parse(config.mail_hosts_from, "--mail-hosts-from"));
  DT_ASSIGN_OR_RETURN(std::string bundle, ReadPem("--edge-ca-bundle", config.edge_ca_bundle));
  DT_ASSIGN_OR_RETURN(SiteMark mark, LoadMark(config.org_mark));
  DT_ASSIGN_OR_RETURN(service::Component component, service::Component::Load(config, "gateway"));
  return Files{.org = std::move(identities.org),
               .mtls = std::move(identities.mtls),
               .edge_ca_bundle = std::move(bundle),
               .mark = std::move(mark),
               .proxies = std::move(proxies),
               .header_proxies = std::move(header_proxies),
               .mail_hosts = std::move(mail_hosts),
               .tickets = std::move(tickets),
               .component = std::move(component)};
}

// `devices`: null while nobody is known to sign device certificates; then none is asked for.
absl::StatusOr<std::shared_ptr<const pki::TlsContext>> NewTls(
    const Config& config, pki::Identity identity,
    std::shared_ptr<const pki::CertificateValidator> devices) {
  DT_ASSIGN_OR_RETURN(pki::TlsContext context,
                      pki::TlsContext::ForServer({.identity = std::move(identity),
                                                  .client_validator = std::move(devices),
                                                  .plain = config.tls == "plain"}));
  return std::make_shared<const pki::TlsContext>(std::move(context));
}

// Of a Reload() that changed nothing.
void LogRefused(const absl::Status& status) {
  if (status.ok()) return;
  Log(LogLevel::kWarning, "gateway.certificates.refused",
      {{"status", std::string(status.ToString())}});
}

void NoteExpiry(std::string_view option, const pki::Certificate& certificate) {
  const std::int64_t ends = UnixSeconds(certificate.not_after());
  service::kCertificateExpiry.With({option}).Set(static_cast<double>(ends));
}

}  // namespace

// In the order of use: destroyed in reverse.
struct GatewayServer::Parts {
  Parts(const Config& settings, Files read, const Clock& time, Random& source)
      : config(settings),
        files(std::move(read)),
        clock(time),
        random(source),
        identities{files.org, files.mtls},
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
  // Answers until the ports are known, which the site's names need.
  http::Response Malformed(const http::Refusal& refusal) const;
  static Task<http::Response> Starting() { co_return http::Text(503, "starting\n"); }

  const Config config;
  const Files files;
  const Clock& clock;
  Random& random;

  Mutex tls_mutex;
  // What the next contexts are made of.
  Identities identities ABSL_GUARDED_BY(tls_mutex);
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
  NoteExpiry("org-cert", files.org.certificate);
  DT_ASSIGN_OR_RETURN(listener.tls, NewTls(config, files.org, nullptr));
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
  NoteExpiry("mtls-cert", files.mtls.certificate);
  DT_ASSIGN_OR_RETURN(listener.tls, NewTls(config, files.mtls, nullptr));
  listener.handler = [this](const http::Request& request) {
    return serving ? mtls_host->Handle(request) : Starting();
  };
  listener.refusal_page = [this](const http::Refusal& refusal) { return Malformed(refusal); };
  return listener;
}

absl::Status GatewayServer::Parts::Listen() {
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
          files.mail_hosts};
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
          .ca_bundle = files.edge_ca_bundle,
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
    DT_ASSIGN_OR_RETURN(auto tls, NewTls(config, identities.mtls, validator));
    devices = std::move(validator);
    mtls_server->ReplaceTls(0, std::move(tls));
  }
  Log(LogLevel::kInfo, "gateway.issuers.changed", {{"issuers", issuers.certificates.size()}});
  return absl::OkStatus();
}

absl::Status GatewayServer::Parts::Reload() {
  const MutexLock lock(tls_mutex);  // Also while it reads: what is read last is what stays.
  DT_ASSIGN_OR_RETURN(Identities read, LoadIdentities(config));
  // This one is used where connections to the org and the CA are made (rpc::ChannelConfig::Files);
  // here it is judged, and when it ends is noted.
  DT_RETURN_IF_ERROR(service::Component::Load(config, "gateway").status());
  DT_ASSIGN_OR_RETURN(auto org_tls, NewTls(config, read.org, nullptr));
  DT_ASSIGN_OR_RETURN(auto mtls_tls, NewTls(config, read.mtls, devices));
  org_server->ReplaceTls(0, std::move(org_tls));
  mtls_server->ReplaceTls(0, std::move(mtls_tls));
  NoteExpiry("org-cert", read.org.certificate);
  NoteExpiry("mtls-cert", read.mtls.certificate);
  Log(LogLevel::kInfo, "gateway.certificates.changed",
      {{"org", read.org.certificate.serial_hex()}, {"mtls", read.mtls.certificate.serial_hex()}});
  identities = std::move(read);
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
