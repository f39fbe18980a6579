#include "ca-service/ca_server.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "ca-service/admin_service.h"
#include "ca-service/crl_publisher.h"
#include "ca-service/enroller.h"
#include "ca-service/enrollment_service.h"
#include "ca-service/events.h"
#include "ca-service/http_endpoint.h"
#include "ca-service/issuer_admin_service.h"
#include "ca-service/issuer_service.h"
#include "ca-service/migrations.h"
#include "ca-service/revocation_feed_service.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/background_loop.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/http/server.h"
#include "libs/http/url.h"
#include "libs/pki/pkcs11_uri.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/service/component.h"
#include "libs/service/self_check.h"

namespace devicetrust::ca {

// What the files of a Config hold.
struct Files {
  service::Component component;
  rpc::ListenerConfig edge;
  pki::AeadKey kek;
  KnownKeys known_keys;
};

namespace {

constexpr std::chrono::milliseconds kDrain{2000};
constexpr std::chrono::hours kTendEvery{1};
constexpr std::size_t kHttpMemoryBytesMax = std::size_t{6} << 20;

// Printed in each certificate (RFC 5280, section 4.2.1.13); paths of issuers are put behind it.
absl::Status CheckPublicUrl(const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<http::Url> url = http::ParseUrl(text);
  const bool good = url.ok() && !url->https && !text.ends_with('/') &&
                    text.find_first_of("?#") == std::string::npos;
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "--public-http-url: \"{}\" is not of the form http://pki.example.com, without a slash at the"
      " end",
      text));
}

// The options of tokens that need no token to be judged.
absl::Status CheckTokenOptions(const Config& config) {
  if (!config.ca_key.empty()) {
    DT_RETURN_IF_ERROR(Annotate(pki::ParsePkcs11Uri(config.ca_key).status(), "--ca-key"));
  }
  if (config.pkcs11_pin_file.empty()) return absl::OkStatus();
  return Annotate(RefuseIfShared(config.pkcs11_pin_file), "--pkcs11-pin-file");
}

absl::StatusOr<Files> LoadFiles(const Config& config) {
  DT_RETURN_IF_ERROR(Annotate(db::CheckUrl(config.database), "--database"));
  DT_RETURN_IF_ERROR(CheckPublicUrl(config.public_http_url));
  DT_RETURN_IF_ERROR(CheckTokenOptions(config));
  DT_ASSIGN_OR_RETURN(auto component, service::Component::Load(config, "ca"));
  DT_ASSIGN_OR_RETURN(auto edge, service::EdgeListener(config.org, config));
  DT_ASSIGN_OR_RETURN(auto kek, service::LoadKek(config));
  KnownKeys known_keys;
  if (!config.known_keys.empty()) {
    auto loaded = KnownKeys::Load(config.known_keys);
    if (!loaded.ok()) return Annotate(loaded.status(), "--known-keys");
    known_keys = *std::move(loaded);
  }
  return Files{std::move(component), std::move(edge), std::move(kek), std::move(known_keys)};
}

std::vector<rpc::MethodAccess> InternalAccess() {
  const std::string package = "devicetrust.ca.v1.";
  return {{package + "CertificateAdminService.RevokeForUser", {"policy", "admin"}},
          {package + "CertificateAdminService.RevokeCertificate", {"admin"}},
          {package + "CertificateAdminService.RevokeForDevice", {"admin"}},
          {package + "CertificateAdminService.ReleaseHold", {"admin"}},
          {package + "CertificateAdminService.BlockDevice", {"admin"}},
          {package + "CertificateAdminService.UnblockDevice", {"admin"}},
          {package + "CertificateAdminService.ListBlockedDevices", {"admin"}},
          {package + "CertificateAdminService.ListBlockedKeys", {"admin"}},
          {package + "CertificateAdminService.ListCertificates", {"policy", "admin"}},
          {package + "RevocationFeedService.WatchRevocations", {"gateway"}},
          {package + "IssuerService.GetIssuers", {rpc::kAnyComponent, "admin"}},
          {package + "IssuerAdminService.ListIssuers", {"admin"}},
          {package + "IssuerAdminService.AddIssuer", {"admin"}},
          {package + "IssuerAdminService.RequestIssuer", {"admin"}},
          {package + "IssuerAdminService.InstallIssuer", {"admin"}},
          {package + "IssuerAdminService.ActivateIssuer", {"admin"}},
          {package + "IssuerAdminService.RetireIssuer", {"admin"}},
          {package + "IssuerAdminService.InstallRootCrl", {"admin"}}};
}

}  // namespace

Issuers::Config IssuersConfig(const Config& config, pki::AeadKey kek) {
  return {.org = config.org,
          .kek = std::move(kek),
          .first_key = config.ca_key,
          .pkcs11 = {.module_path = config.pkcs11_module,
                     .pin_file = config.pkcs11_pin_file,
                     .deadline = std::chrono::milliseconds(config.pkcs11_deadline_ms)}};
}

// In the order of construction; destroyed from the end.
struct CaServer::Parts {
  Parts(const Config& settings, Files read, const Clock& time, Random& source)
      : config(settings), files(std::move(read)), clock(time), random(source) {}
  ~Parts() { Stop(); }

  absl::Status Open();
  absl::Status ServeHttp();  // Before the services, which tell its address.
  void MakeServices();
  absl::Status Listen();
  void Stop();

  const Config config;
  const Files files;
  const Clock& clock;
  Random& random;

  std::unique_ptr<db::Database> database;
  std::unique_ptr<Issuers> issuers;
  std::unique_ptr<OrgClient> org;
  std::unique_ptr<db::Outbox> outbox;
  std::unique_ptr<Revocations> revocations;
  std::unique_ptr<RevokedSet> revoked_set;
  std::unique_ptr<DeviceBlocks> blocks;
  std::unique_ptr<CrlPublisher> crl;
  std::unique_ptr<OcspDelegates> delegates;
  std::unique_ptr<OcspResponder> ocsp;
  std::unique_ptr<http::Server> http;
  std::unique_ptr<IwaKeys> iwa_keys;
  std::unique_ptr<Enroller> enroller;
  std::unique_ptr<EnrollmentService> enrollment_service;
  std::unique_ptr<AdminService> admin_service;
  std::unique_ptr<RevocationFeedService> feed_service;
  std::unique_ptr<IssuerService> issuer_service;
  std::unique_ptr<IssuerAdminService> issuer_admin_service;
  std::unique_ptr<rpc::Server> edge;
  std::unique_ptr<rpc::Server> internal;
  std::unique_ptr<service::SelfCheck> self_check;
  std::optional<BackgroundLoop> tending;  // Of the issuers.
};

absl::Status CaServer::Parts::Open() {
  DT_ASSIGN_OR_RETURN(database, db::Database::Open(config.database, Migrations(),
                                                   {.bytes_max = config.store_bytes_max}));
  DT_ASSIGN_OR_RETURN(issuers,
                      Issuers::Open(IssuersConfig(config, files.kek), *database, clock, random));
  org = NewGrpcOrgClient(
      rpc::NewChannel(files.component.Peer(config.org_address, config.org_server_name)));
  outbox = std::make_unique<db::Outbox>(*database,
                                        db::OutboxOptions{.backlog_max = config.log_backlog_max},
                                        [raw = org.get()](std::span<const db::OutboxEvent> events) {
                                          return DeliverEvents(*raw, events);
                                        });
  revocations = std::make_unique<Revocations>(*database, *outbox, clock);
  revoked_set = std::make_unique<RevokedSet>(*database, clock);
  blocks = std::make_unique<DeviceBlocks>(*database, *outbox, *revocations, clock, random);
  DT_ASSIGN_OR_RETURN(
      crl, CrlPublisher::Start(*database, *issuers, clock, {.public_url = config.public_http_url}));
  DT_ASSIGN_OR_RETURN(
      delegates, OcspDelegates::Start({config.org, files.kek}, *database, *issuers, clock, random));
  DT_ASSIGN_OR_RETURN(
      ocsp, OcspResponder::Start(
                *database, *delegates, clock,
                {.memory_bytes_max = static_cast<std::size_t>(config.ocsp_memory_mib) << 20,
                 .signatures_per_second = config.ocsp_signatures_per_second}));
  return absl::OkStatus();
}

absl::Status CaServer::Parts::ServeHttp() {
  http::ServerConfig server;
  server.clock = &clock;
  http::ListenerConfig listener;
  listener.address = config.http_listen;
  listener.flag = "--http-listen";
  listener.handler = NewHttpEndpoint(*issuers, *crl, *ocsp, clock);
  listener.limits.connections_per_address_max = 256;
  listener.limits.memory_bytes_max = kHttpMemoryBytesMax;
  listener.limits.parser.host_optional = true;
  listener.limits.parser.escaped_slash = true;
  server.listeners.push_back(std::move(listener));
  DT_ASSIGN_OR_RETURN(http, http::Server::Start(std::move(server)));
  return absl::OkStatus();
}

void CaServer::Parts::MakeServices() {
  const std::string url = config.public_http_url.empty()
                              ? "http://" + http::AddressOf(http->endpoint(0))
                              : config.public_http_url;
  iwa_keys = std::make_unique<IwaKeys>(config.org, *org);
  IssuanceConfig issuance{.org = config.org,
                          .profile = {.validity = std::chrono::days(config.validity_days)},
                          .public_url = url,
                          .device_daily_max = config.device_certificates_per_day,
                          .user_daily_max = config.user_certificates_per_day};
  enroller = std::make_unique<Enroller>(
      EnrollerConfig{std::move(issuance), config.account_calls_per_minute, files.known_keys},
      *iwa_keys, Context{*database, *outbox, *issuers, *org, clock, random});
  enrollment_service = std::make_unique<EnrollmentService>(*enroller, *issuers);
  admin_service = std::make_unique<AdminService>(*revocations, *blocks, *database);
  feed_service = std::make_unique<RevocationFeedService>(*revocations, *revoked_set, clock);
  issuer_service = std::make_unique<IssuerService>(*issuers, url);
  issuer_admin_service = std::make_unique<IssuerAdminService>(*issuers, *outbox, clock, random);
}

absl::Status CaServer::Parts::Listen() {
  DT_ASSIGN_OR_RETURN(const int completed, enroller->CompletePlanned());
  if (completed > 0) Log(LogLevel::kInfo, "ca.plan.completed", {{"certificates", completed}});
  DT_ASSIGN_OR_RETURN(
      edge, rpc::Server::Start(files.edge, {enrollment_service.get()},
                               {{"devicetrust.ca.v1.EnrollmentService.Enroll", {rpc::kAnyone}}}));
  issuer_service->set_edge_address(config.edge_address.empty() ? edge->address()
                                                               : config.edge_address);
  rpc::ListenerConfig listener = files.component.InternalListener(config);
  DT_ASSIGN_OR_RETURN(listener.grants, files.component.Grants(clock));
  DT_ASSIGN_OR_RETURN(
      internal, rpc::Server::Start(std::move(listener),
                                   {admin_service.get(), feed_service.get(), issuer_service.get(),
                                    issuer_admin_service.get()},
                                   InternalAccess()));
  self_check = std::make_unique<service::SelfCheck>(std::vector{edge.get(), internal.get()},
                                                    std::vector<const http::Server*>{http.get()});
  tending.emplace(std::chrono::milliseconds(0), [this] {
    const auto event = IssuerEventBeside(*outbox, clock, random, kIssuerRetireEvent, "ca");
    absl::Status tended = event.status();
    if (event.ok()) tended = issuers->Tend(std::chrono::days(config.validity_days), *event);
    if (!tended.ok()) {
      Log(LogLevel::kError, "ca.issuers.failed", {{"status", tended.ToString()}});
    }
    return kTendEvery;
  });
  return absl::OkStatus();
}

void CaServer::Parts::Stop() {
  tending.reset();
  self_check.reset();
  if (revocations) revocations->committed().Stop();  // Ends the streams.
  if (crl) crl->Stop();
  if (delegates) delegates->Stop();
  if (ocsp) ocsp->Stop();
  if (edge) edge->Stop(kDrain);
  if (internal) internal->Stop(kDrain);
  if (http) http->Stop(kDrain);
  if (outbox) outbox->Stop();
}

CaServer::CaServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CaServer::~CaServer() = default;

absl::StatusOr<std::unique_ptr<CaServer>> CaServer::Create(const Config& config, const Clock& clock,
                                                           Random& random) {
  DT_ASSIGN_OR_RETURN(Files files, LoadFiles(config));
  auto parts = std::make_unique<Parts>(config, std::move(files), clock, random);
  DT_RETURN_IF_ERROR(parts->Open());
  DT_RETURN_IF_ERROR(parts->ServeHttp());
  parts->MakeServices();
  DT_RETURN_IF_ERROR(parts->Listen());
  return std::unique_ptr<CaServer>(new CaServer(std::move(parts)));
}

Addresses CaServer::addresses() const {
  return {{"edge", parts_->edge->address()},
          {"internal", parts_->internal->address()},
          {"http", http::AddressOf(parts_->http->endpoint(0))}};
}

void CaServer::Stop() { parts_->Stop(); }

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(LoadFiles(config).status());
  DT_RETURN_IF_ERROR(service::CheckStore("--database", config.database));
  DT_RETURN_IF_ERROR(ParseHostPort(config.edge_listen, "--edge-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.http_listen, "--http-listen").status());
  return ParseHostPort(config.org_address, "--org-address").status();
}

}  // namespace devicetrust::ca
