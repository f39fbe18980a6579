#include "iwa/iwa_server.h"

#include <optional>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "iwa/domain_proof_service.h"
#include "iwa/registration.h"
#include "iwa/signing_key_store.h"
#include "iwa/ticket_acceptor.h"
#include "iwa/token_issuer.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/service/component.h"
#include "libs/service/directories.h"

namespace devicetrust::iwa {
namespace {

class GrpcOrgRegistry final : public OrgRegistry {
 public:
  explicit GrpcOrgRegistry(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(org::v1::IwaRegistryService::NewStub(channel)) {}

  absl::Status Register(const org::v1::Iwa& iwa) override {
    org::v1::RegisterIwaRequest request;
    *request.mutable_iwa() = iwa;
    return rpc::Call(*stub_, &org::v1::IwaRegistryService::Stub::RegisterIwa, request).status();
  }
  absl::Status Heartbeat(const std::string& name) override {
    org::v1::HeartbeatRequest request;
    request.set_name(name);
    return rpc::Call(*stub_, &org::v1::IwaRegistryService::Stub::Heartbeat, request).status();
  }

 private:
  const std::unique_ptr<org::v1::IwaRegistryService::Stub> stub_;
};

absl::StatusOr<org::v1::Iwa> DescribeIwa(const Config& config, const directory::Registry& domains,
                                         const std::vector<token::SigningKey>& keys,
                                         const std::string& bound_address) {
  org::v1::Iwa iwa;
  iwa.set_name(config.name);
  iwa.set_address(config.edge_address.empty() ? bound_address : config.edge_address);
  iwa.set_spn(config.spn);
  iwa.set_version(kIwaVersion);
  iwa.set_primary(config.primary);
  iwa.set_binding("https");
  for (const directory::Domain& domain : domains.domains()) iwa.add_forests(domain.dns_name);
  for (const token::SigningKey& key : keys) {
    DT_ASSIGN_OR_RETURN(std::string jwk, token::ToJwk(key.key.public_key(), key.kid));
    org::v1::IwaKey* added = iwa.add_keys();
    added->set_kid(key.kid);
    added->set_jwk(std::move(jwk));
  }
  return iwa;
}

}  // namespace

// In the order of use: destroyed in reverse.
struct IwaServer::Parts {
  std::optional<SigningKeyStore> store;
  std::unique_ptr<TicketAcceptor> tickets;
  std::unique_ptr<directory::Registry> domains;
  std::unique_ptr<TokenIssuer> issuer;
  std::unique_ptr<DomainProofService> service;
  std::unique_ptr<rpc::Server> edge;
  std::unique_ptr<rpc::Server> internal;
  std::unique_ptr<OrgRegistry> org;
  std::unique_ptr<Registration> registration;

  absl::Status Listen(const Config& config, const service::Component& component);
};

absl::Status IwaServer::Parts::Listen(const Config& config, const service::Component& component) {
  DT_ASSIGN_OR_RETURN(rpc::ListenerConfig edge_listener, service::EdgeListener(config.org, config));
  edge_listener.in_flight_max = config.in_flight_max;
  DT_ASSIGN_OR_RETURN(
      edge, rpc::Server::Start(
                std::move(edge_listener), {service.get()},
                {{"devicetrust.iwa.v1.DomainProofService.IssueDeviceToken", {rpc::kAnyone}},
                 {"devicetrust.iwa.v1.DomainProofService.IssueUserToken", {rpc::kAnyone}}}));
  DT_ASSIGN_OR_RETURN(internal, rpc::Server::Start(component.InternalListener(config), {}, {}));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<IwaServer>> IwaServer::Create(const Config& config,
                                                             const Clock& clock, Random& random) {
  DT_RETURN_IF_ERROR(CheckConfig(config));
  auto parts = std::make_unique<Parts>();
  DT_ASSIGN_OR_RETURN(const pki::AeadKey kek, service::LoadKek(config));
  DT_ASSIGN_OR_RETURN(const service::Component component,
                      service::Component::Load(config, config.name));

  DT_ASSIGN_OR_RETURN(parts->store, SigningKeyStore::Open(config.database));
  DT_ASSIGN_OR_RETURN(const std::vector<token::SigningKey> keys,
                      parts->store->Load(config.org, config.name, kek, clock, random));
  DT_ASSIGN_OR_RETURN(parts->tickets, NewKerberosAcceptor(config));
  DT_ASSIGN_OR_RETURN(parts->domains, service::LoadDirectories(config));
  parts->issuer = std::make_unique<TokenIssuer>(
      IssuerConfig{config.org, config.name, config.account_calls_per_minute}, keys, *parts->tickets,
      *parts->domains, clock, random);
  parts->service = std::make_unique<DomainProofService>(*parts->issuer);
  DT_RETURN_IF_ERROR(parts->Listen(config, component));

  DT_ASSIGN_OR_RETURN(org::v1::Iwa iwa,
                      DescribeIwa(config, *parts->domains, keys, parts->edge->address()));
  parts->org = std::make_unique<GrpcOrgRegistry>(
      rpc::NewChannel(component.Peer(config.org_address, config.org_server_name)));
  parts->registration = std::make_unique<Registration>(*parts->org, std::move(iwa));
  return std::unique_ptr<IwaServer>(new IwaServer(std::move(parts)));
}

IwaServer::IwaServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
IwaServer::~IwaServer() { Stop(); }

Addresses IwaServer::addresses() const {
  return {{"edge", parts_->edge->address()}, {"internal", parts_->internal->address()}};
}

bool IwaServer::registered() const {
  return parts_->registration != nullptr && parts_->registration->registered();
}

void IwaServer::Stop() {
  parts_->registration.reset();
  parts_->edge->Stop();
  parts_->internal->Stop();
}

}  // namespace devicetrust::iwa
