#include "ca-service/ca_server.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "ca-service/admin_service.h"
#include "ca-service/crl_publisher.h"
#include "ca-service/enroller.h"
#include "ca-service/enrollment_service.h"
#include "ca-service/http_endpoint.h"
#include "ca-service/issuer_service.h"
#include "ca-service/migrations.h"
#include "ca-service/revocation_feed_service.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/http/server.h"
#include "libs/http/url.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/service/component.h"

namespace devicetrust::ca {
namespace {

constexpr std::chrono::milliseconds kDrain{2000};

// The outbox's payloads are AppendRequests, which concatenate to one.
absl::Status DeliverEvents(OrgClient& org, std::span<const db::OutboxEvent> events) {
  std::string joined;
  for (const db::OutboxEvent& event : events) joined += ToString(event.payload);
  org::v1::AppendEventsRequest request;
  if (!request.ParseFromString(joined)) return absl::DataLossError("an event does not parse");
  return org.Append(request);
}

// What the files of a Config hold.
struct Files {
  service::Component component;
  rpc::ListenerConfig edge;
  pki::AeadKey kek;
};

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

absl::StatusOr<Files> LoadFiles(const Config& config) {
  DT_RETURN_IF_ERROR(db::CheckUrl(config.database));
  DT_RETURN_IF_ERROR(CheckPublicUrl(config.public_http_url));
  DT_ASSIGN_OR_RETURN(auto component, service::Component::Load(config, "ca"));
  DT_ASSIGN_OR_RETURN(auto edge, service::EdgeListener(config.org, config));
  DT_ASSIGN_OR_RETURN(auto kek, service::LoadKek(config));
  return Files{std::move(component), std::move(edge), std::move(kek)};
}

std::vector<rpc::MethodAccess> InternalAccess() {
  const std::string package = "devicetrust.ca.v1.";
  return {{package + "CertificateAdminService.RevokeForUser", {"policy", "admin"}},
          {package + "CertificateAdminService.RevokeCertificate", {"admin"}},
          {package + "CertificateAdminService.ListCertificates", {"admin"}},
          {package + "RevocationFeedService.WatchRevocations", {"gateway"}},
          {package + "IssuerService.GetIssuers", {rpc::kAnyComponent, "admin"}}};
}

}  // namespace

// In the order of construction; destroyed from the end.
struct CaServer::Parts {
  std::unique_ptr<db::Database> database;
  std::unique_ptr<Issuers> issuers;
  std::unique_ptr<OrgClient> org;
  std::unique_ptr<db::Outbox> outbox;
  std::unique_ptr<Revocations> revocations;
  std::unique_ptr<CrlPublisher> crl;
  std::unique_ptr<http::Server> http;
  std::unique_ptr<IwaKeys> iwa_keys;
  std::unique_ptr<Enroller> enroller;
  std::unique_ptr<EnrollmentService> enrollment_service;
  std::unique_ptr<AdminService> admin_service;
  std::unique_ptr<RevocationFeedService> feed_service;
  std::unique_ptr<IssuerService> issuer_service;
  std::unique_ptr<rpc::Server> edge;
  std::unique_ptr<rpc::Server> internal;

  absl::Status OpenStore(const Config& config, const Files& files, const Clock& clock,
                         Random& random);
  absl::Status StartHttp(const Config& config, const Clock& clock);
  absl::Status StartServices(const Config& config, const Files& files, const Clock& clock,
                             Random& random);
};

absl::Status CaServer::Parts::OpenStore(const Config& config, const Files& files,
                                        const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(database, db::Database::Open(config.database, Migrations(),
                                                   {.bytes_max = config.store_bytes_max}));
  DT_ASSIGN_OR_RETURN(issuers, Issuers::Open({config.org, files.kek}, *database, clock, random));
  org = NewGrpcOrgClient(
      rpc::NewChannel(files.component.Peer(config.org_address, config.org_server_name)));
  outbox = std::make_unique<db::Outbox>(*database,
                                        db::OutboxOptions{.backlog_max = config.log_backlog_max},
                                        [raw = org.get()](std::span<const db::OutboxEvent> events) {
                                          return DeliverEvents(*raw, events);
                                        });
  revocations = std::make_unique<Revocations>(*database, *outbox, clock);
  DT_ASSIGN_OR_RETURN(crl, CrlPublisher::Start(*database, *issuers, *revocations, clock));
  return absl::OkStatus();
}

absl::Status CaServer::Parts::StartHttp(const Config& config, const Clock& clock) {
  http::ServerConfig server;
  server.clock = &clock;
  http::ListenerConfig listener;
  listener.address = config.http_listen;
  listener.flag = "--http-listen";
  listener.handler = NewHttpEndpoint(*issuers, *crl);
  listener.limits.connections_per_address_max = 256;
  server.listeners.push_back(std::move(listener));
  DT_ASSIGN_OR_RETURN(http, http::Server::Start(std::move(server)));
  return absl::OkStatus();
}

absl::Status CaServer::Parts::StartServices(const Config& config, const Files& files,
                                            const Clock& clock, Random& random) {
  const std::string url = config.public_http_url.empty()
                              ? "http://" + http::AddressOf(http->endpoint(0))
                              : config.public_http_url;
  iwa_keys = std::make_unique<IwaKeys>(config.org, *org);
  IssuanceConfig issuance{config.org, Profile{.validity = std::chrono::days(config.validity_days)},
                          url};
  enroller = std::make_unique<Enroller>(
      EnrollerConfig{std::move(issuance), config.account_calls_per_minute}, *iwa_keys,
      Context{*database, *outbox, *issuers, *org, clock, random});
  enrollment_service = std::make_unique<EnrollmentService>(*enroller, *issuers);
  admin_service = std::make_unique<AdminService>(*revocations, *database);
  feed_service = std::make_unique<RevocationFeedService>(*revocations, clock);
  issuer_service = std::make_unique<IssuerService>(*issuers, url);

  DT_ASSIGN_OR_RETURN(
      edge, rpc::Server::Start(files.edge, {enrollment_service.get()},
                               {{"devicetrust.ca.v1.EnrollmentService.Enroll", {rpc::kAnyone}}}));
  issuer_service->set_edge_address(config.edge_address.empty() ? edge->address()
                                                               : config.edge_address);
  DT_ASSIGN_OR_RETURN(
      internal, rpc::Server::Start(files.component.InternalListener(config),
                                   {admin_service.get(), feed_service.get(), issuer_service.get()},
                                   InternalAccess()));
  return absl::OkStatus();
}

CaServer::CaServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CaServer::~CaServer() { Stop(); }

absl::StatusOr<std::unique_ptr<CaServer>> CaServer::Create(const Config& config, const Clock& clock,
                                                           Random& random) {
  DT_ASSIGN_OR_RETURN(const Files files, LoadFiles(config));
  // Made first: its destructor stops what was started when a later step fails.
  std::unique_ptr<CaServer> server(new CaServer(std::make_unique<Parts>()));
  DT_RETURN_IF_ERROR(server->parts_->OpenStore(config, files, clock, random));
  DT_RETURN_IF_ERROR(server->parts_->StartHttp(config, clock));
  DT_RETURN_IF_ERROR(server->parts_->StartServices(config, files, clock, random));
  return server;
}

Addresses CaServer::addresses() const {
  return {{"edge", parts_->edge->address()},
          {"internal", parts_->internal->address()},
          {"http", http::AddressOf(parts_->http->endpoint(0))}};
}

void CaServer::Stop() {
  if (parts_->revocations) parts_->revocations->committed().Stop();  // Ends the streams.
  if (parts_->edge) parts_->edge->Stop(kDrain);
  if (parts_->internal) parts_->internal->Stop(kDrain);
  if (parts_->http) parts_->http->Stop(kDrain);
  if (parts_->outbox) parts_->outbox->Stop();
}

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(LoadFiles(config).status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.edge_listen, "--edge-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.http_listen, "--http-listen").status());
  return ParseHostPort(config.org_address, "--org-address").status();
}

}  // namespace devicetrust::ca
