#include "iwa/iwa_server.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "iwa/domain_proof_service.h"
#include "iwa/forest_trusts.h"
#include "iwa/iwa_report.h"
#include "iwa/registration.h"
#include "iwa/signing_key_store.h"
#include "iwa/signing_keys.h"
#include "iwa/status_service.h"
#include "iwa/ticket_acceptor.h"
#include "iwa/token_issuer.h"
#include "iwa/web_config.h"
#include "iwa/web_face.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/names.h"
#include "libs/db/open.h"
#include "libs/kerberos/keytab.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/service/component.h"
#include "libs/service/directories.h"
#include "libs/service/self_check.h"
#include "libs/token/names.h"

namespace devicetrust::iwa {

// What the files of a Config hold.
struct Files {
  service::Component component;
  rpc::ListenerConfig edge;
  pki::AeadKey kek;
  std::unique_ptr<directory::Registry> domains;
};

namespace {

using Faults = std::vector<absl::Status>;  // Good ones among them.

Faults FormFaults(const Config& config) {
  Faults faults;
  if (!rpc::IsName(config.name)) {
    faults.push_back(absl::InvalidArgumentError("--name must be 1 to 64 of a-z 0-9 . _ -"));
  }
  if (!config.spn.starts_with("HTTP/")) {
    faults.push_back(
        absl::InvalidArgumentError("--spn must be HTTP/host.domain, as agents ask for it"));
  }
  faults.push_back(Annotate(db::CheckUrl(config.database), "--database"));
  faults.push_back(ParseHostPort(config.edge_listen, "--edge-listen").status());
  faults.push_back(ParseHostPort(config.internal_listen, "--internal-listen").status());
  faults.push_back(ParseHostPort(config.org_address, "--org-address").status());
  if (!config.web_listen.empty()) {
    faults.push_back(ParseHostPort(config.web_listen, "--web-listen").status());
  }
  return faults;
}

// All of them, a line each; of one option the first.
absl::Status Joined(const Faults& faults) {
  absl::Status first;
  std::string lines;
  std::set<std::string, std::less<>> options;
  for (const absl::Status& fault : faults) {
    if (fault.ok()) continue;
    const std::string message(fault.message());
    if (!options.insert(message.substr(0, message.find_first_of(": "))).second) continue;
    first.Update(fault);
    lines += (lines.empty() ? "" : "\n") + message;
  }
  return first.ok() ? first : absl::Status(first.code(), lines);
}

// DNS name of the forest that the IWA is a member of.
std::string OwnForest(const Config& config, const directory::Registry& domains) {
  return config.forest.empty() ? domains.domains().front().forest : FoldName(config.forest);
}

// What a forest trusts, the directory of its root domain says.
absl::Status CheckForest(const Config& config, const directory::Registry& domains) {
  const std::string own = OwnForest(config, domains);
  bool others = false;
  bool root = false;
  for (const directory::Domain& domain : domains.domains()) {
    others = others || domain.forest != own;
    root = root || domain.dns_name == own;
  }
  if (!others || root) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "--forest {}: give a --directory for that domain, which says whom the forest trusts", own));
}

absl::StatusOr<Files> LoadFiles(const Config& config) {
  if (config.directories.empty()) {
    return absl::InvalidArgumentError("--directory is missing: give the domains to serve");
  }
  DT_RETURN_IF_ERROR(Annotate(RefuseIfShared(config.keytab), "--keytab"));
  DT_ASSIGN_OR_RETURN(auto component, service::Component::Load(config, config.name));
  DT_ASSIGN_OR_RETURN(auto edge, service::EdgeListener(config.org, config));
  DT_ASSIGN_OR_RETURN(auto kek, service::LoadKek(config));
  DT_ASSIGN_OR_RETURN(auto domains, service::LoadDirectories(config));
  DT_RETURN_IF_ERROR(CheckForest(config, *domains));
  edge.in_flight_max = config.in_flight_max;
  return Files{std::move(component), std::move(edge), std::move(kek), std::move(domains)};
}

class GrpcOrgRegistry final : public OrgRegistry {
 public:
  explicit GrpcOrgRegistry(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(org::v1::IwaRegistryService::NewStub(channel)) {}

  absl::Status Register(const org::v1::Iwa& iwa) override {
    org::v1::RegisterIwaRequest request;
    *request.mutable_iwa() = iwa;
    return rpc::Call(*stub_, &org::v1::IwaRegistryService::Stub::RegisterIwa, request).status();
  }
  absl::Status Heartbeat(const org::v1::HeartbeatRequest& heartbeat) override {
    return rpc::Call(*stub_, &org::v1::IwaRegistryService::Stub::Heartbeat, heartbeat).status();
  }

 private:
  const std::unique_ptr<org::v1::IwaRegistryService::Stub> stub_;
};

}  // namespace

// In the order of use: destroyed in reverse.
struct IwaServer::Parts {
  Parts(const Config& settings, Files read, const Clock& time, Random& source)
      : config(settings), files(std::move(read)), clock(time), random(source) {}
  ~Parts() { Stop(); }

  absl::Status Open();
  void MakeServices();
  absl::Status Listen();
  void Register();
  void Stop();

  const Config config;
  const Files files;
  const Clock& clock;
  Random& random;

  std::unique_ptr<SigningKeyStore> store;
  SigningKeyStore::Run run;
  std::unique_ptr<SigningKeys> keys;
  std::optional<ForestTrusts> trusts;
  std::unique_ptr<TicketAcceptor> tickets;
  std::unique_ptr<TokenIssuer> issuer;
  std::unique_ptr<DomainProofService> service;
  std::unique_ptr<StatusService> status;
  std::atomic<const Registration*> told{nullptr};  // For calls; null until there is one.
  std::unique_ptr<TicketAcceptor> web_tickets;
  std::unique_ptr<WebFace> web;
  std::unique_ptr<rpc::Server> edge;
  std::unique_ptr<rpc::Server> internal;
  std::unique_ptr<service::SelfCheck> self_check;
  std::unique_ptr<OrgRegistry> org;
  std::unique_ptr<IwaReport> report;
  std::unique_ptr<Registration> registration;
};

absl::Status IwaServer::Parts::Open() {
  DT_ASSIGN_OR_RETURN(store,
                      SigningKeyStore::Open(config.database, {config.org, config.name}, files.kek));
  DT_ASSIGN_OR_RETURN(run, store->BeginRun(random));
  DT_ASSIGN_OR_RETURN(keys,
                      SigningKeys::Open(*store, token::IwaUrn(config.org, config.name),
                                        std::chrono::days(config.signing_key_days), clock, random));
  DT_ASSIGN_OR_RETURN(tickets, NewKerberosAcceptor(config));
  DT_ASSIGN_OR_RETURN(const auto realms, kerberos::RealmsOfKeytab(config.keytab, config.spn));
  trusts.emplace(*files.domains, OwnForest(config, *files.domains), realms);
  trusts->Start();
  return absl::OkStatus();
}

void IwaServer::Parts::MakeServices() {
  issuer = std::make_unique<TokenIssuer>(
      IssuerConfig{config.org, config.name, config.account_calls_per_minute}, *keys, *tickets,
      *files.domains, *trusts, clock, random);
  service = std::make_unique<DomainProofService>(*issuer);
  status = std::make_unique<StatusService>(
      StatusService::Parts{config, *keys, *trusts,
                           [this] {
                             const Registration* const at_work = told.load();
                             return at_work != nullptr && at_work->heard();
                           },
                           clock.Now()});
}

absl::Status IwaServer::Parts::Listen() {
  DT_ASSIGN_OR_RETURN(
      edge, rpc::Server::Start(
                files.edge, {service.get()},
                {{"devicetrust.iwa.v1.DomainProofService.IssueDeviceToken", {rpc::kAnyone}},
                 {"devicetrust.iwa.v1.DomainProofService.IssueUserToken", {rpc::kAnyone}}}));
  DT_ASSIGN_OR_RETURN(
      internal,
      rpc::Server::Start(files.component.InternalListener(config), {status.get()},
                         {{"devicetrust.iwa.v1.IwaStatusService.GetStatus", {"admin", "iwa"}}}));
  std::vector<const http::Server*> pages;
  if (!config.web_listen.empty()) {
    DT_ASSIGN_OR_RETURN(web_tickets, NewWebAcceptor(config));
    DT_ASSIGN_OR_RETURN(web, WebFace::Start(config, *web_tickets, *issuer, clock));
    pages.push_back(&web->server());
  }
  self_check = std::make_unique<service::SelfCheck>(std::vector{edge.get(), internal.get()}, pages);
  return absl::OkStatus();
}

void IwaServer::Parts::Register() {
  org = std::make_unique<GrpcOrgRegistry>(
      rpc::NewChannel(files.component.Peer(config.org_address, config.org_server_name)));
  report = std::make_unique<StandingReport>(
      config, config.edge_address.empty() ? edge->address() : config.edge_address, run, *keys,
      *trusts);
  registration = std::make_unique<Registration>(*org, *report);
  told = registration.get();
}

void IwaServer::Parts::Stop() {
  self_check.reset();
  if (internal != nullptr) internal->Stop();  // Its calls ask the registration.
  registration.reset();
  if (web != nullptr) web->Stop();
  if (edge != nullptr) edge->Stop();
}

absl::StatusOr<std::unique_ptr<IwaServer>> IwaServer::Create(const Config& config,
                                                             const Clock& clock, Random& random) {
  for (const absl::Status& fault : FormFaults(config)) DT_RETURN_IF_ERROR(fault);
  DT_ASSIGN_OR_RETURN(Files files, LoadFiles(config));
  auto parts = std::make_unique<Parts>(config, std::move(files), clock, random);
  DT_RETURN_IF_ERROR(parts->Open());
  parts->MakeServices();
  DT_RETURN_IF_ERROR(parts->Listen());
  parts->Register();
  return std::unique_ptr<IwaServer>(new IwaServer(std::move(parts)));
}

IwaServer::IwaServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
IwaServer::~IwaServer() = default;

Addresses IwaServer::addresses() const {
  Addresses addresses = {{"edge", parts_->edge->address()},
                         {"internal", parts_->internal->address()}};
  if (parts_->web) {
    addresses.emplace_back("web", http::AddressOf(parts_->web->server().endpoint(0)));
  }
  return addresses;
}

bool IwaServer::registered() const {
  return parts_->registration != nullptr && parts_->registration->registered();
}

void IwaServer::Stop() { parts_->Stop(); }

namespace {

// All that is wrong with the file, a line each.
absl::Status CheckWebConfigFile(const Config& config) {
  if (config.web_config.empty()) return absl::OkStatus();
  const auto text = ReadFile(config.web_config, kWebConfigBytesMax);
  if (!text.ok()) return Annotate(text.status(), "--web-config");
  const WebConfigReport report = CheckWebConfig(*text, config.web_binding);
  if (report.faults.empty()) {
    Log(LogLevel::kInfo, "iwa.web_config.good",
        {{"file", config.web_config}, {"binding", report.binding}});
    return absl::OkStatus();
  }
  std::string faults = "--web-config:";
  for (const WebConfigFault& fault : report.faults) {
    faults +=
        fmt::format("\n{}:{}: {}. {}", config.web_config, fault.line, fault.what, fault.remedy);
  }
  return absl::InvalidArgumentError(faults);
}

}  // namespace

absl::Status CheckConfig(const Config& config) {
  Faults faults = FormFaults(config);
  faults.push_back(Annotate(RefuseIfShared(config.keytab), "--keytab"));
  faults.push_back(service::Component::Load(config, config.name).status());
  faults.push_back(service::EdgeListener(config.org, config).status());
  faults.push_back(service::LoadKek(config).status());
  if (!config.directories.empty()) faults.push_back(service::LoadDirectories(config).status());
  faults.push_back(LoadFiles(config).status());
  faults.push_back(service::CheckStore("--database", config.database));
  faults.push_back(service::CheckCanWrite("--replay-cache", config.replay_cache));
  faults.push_back(CheckWebConfigFile(config));
  return Joined(faults);
}

}  // namespace devicetrust::iwa
