// The connections of an AdminClient and how each of its calls is made. For its sources alone.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/console.grpc.pb.h"
#include "devicetrust/org/v1/decisions.grpc.pb.h"
#include "devicetrust/org/v1/diagnostics.grpc.pb.h"
#include "devicetrust/org/v1/event_hooks.grpc.pb.h"
#include "devicetrust/org/v1/factors.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/history.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/people_sync.grpc.pb.h"
#include "devicetrust/org/v1/policy_analysis.grpc.pb.h"
#include "devicetrust/org/v1/policy_document.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "devicetrust/org/v1/users.grpc.pb.h"
#include "devicetrust/org/v1/zones.grpc.pb.h"
#include "libs/admin/admin_client.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"

namespace devicetrust::admin {

using Certificates = ca::v1::CertificateAdminService;
using IssuerAdmin = ca::v1::IssuerAdminService;

inline constexpr int kPageSizeMax = 1000;

template <typename Service>
std::unique_ptr<typename Service::Stub> StubOf(const std::shared_ptr<grpc::Channel>& channel) {
  return channel == nullptr ? nullptr : Service::NewStub(channel);
}

// A service as errors name it.
struct Peer {
  std::string_view name;
  std::string_view flag;
  std::string address;
};

inline absl::Status NoAddress(const Peer& peer) {
  return absl::InvalidArgumentError(fmt::format(
      "the address of the {} is missing; give {}, or --run-dir of a running environment", peer.name,
      peer.flag));
}

// Says which service does not answer; the other errors speak for themselves.
inline absl::Status Explained(const absl::Status& status, const Peer& peer) {
  const bool silent = status.code() == absl::StatusCode::kUnavailable ||
                      status.code() == absl::StatusCode::kDeadlineExceeded;
  if (!silent || rpc::DetailOf(status).has_value()) return status;
  return rpc::MakeError(
      absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
      fmt::format("the {} does not answer at {} ({})", peer.name, peer.address,
                  std::string(status.message())),
      peer.address,
      "Is it running? Are address, --deployment-ca and your certificate those of this deployment?");
}

struct AdminClient::Stubs {
  Stubs(const Channels& channels, AdminConfig admin)
      : config(std::move(admin)),
        org_peer{"org", "--org-address", config.org_address},
        ca_peer{"CA", "--ca-address", config.ca_address},
        org_channel(channels.org),
        admin_roles(StubOf<org::v1::AdminRoleService>(channels.org)),
        apps(StubOf<org::v1::AppService>(channels.org)),
        decisions(StubOf<org::v1::DecisionService>(channels.org)),
        diagnostics(StubOf<org::v1::DiagnosticsService>(channels.org)),
        documents(StubOf<org::v1::PolicyDocumentService>(channels.org)),
        factors(StubOf<org::v1::FactorService>(channels.org)),
        history(StubOf<org::v1::HistoryService>(channels.org)),
        hooks(StubOf<org::v1::EventHookService>(channels.org)),
        iwas(StubOf<org::v1::IwaRegistryService>(channels.org)),
        log(StubOf<org::v1::SystemLogService>(channels.org)),
        people_sync(StubOf<org::v1::PeopleSyncService>(channels.org)),
        policies(StubOf<org::v1::PolicyAnalysisService>(channels.org)),
        saml_keys(StubOf<org::v1::SamlKeyService>(channels.org)),
        sessions(StubOf<org::v1::SessionService>(channels.org)),
        settings(StubOf<org::v1::SettingsService>(channels.org)),
        users(StubOf<org::v1::UserService>(channels.org)),
        zones(StubOf<org::v1::ZoneService>(channels.org)),
        certificates(StubOf<Certificates>(channels.ca)),
        issuers(StubOf<ca::v1::IssuerService>(channels.ca)),
        issuer_admin(StubOf<IssuerAdmin>(channels.ca)) {}

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(const Peer& peer, const std::unique_ptr<Stub>& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) const {
    if (stub == nullptr) return NoAddress(peer);
    auto answer = rpc::Call(*stub, method, request, config.timeout);
    if (!answer.ok()) return Explained(answer.status(), peer);
    return answer;
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Org(const std::unique_ptr<Stub>& stub,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const Request& request) const {
    return Call(org_peer, stub, method, request);
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Ca(const std::unique_ptr<Stub>& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request) const {
    return Call(ca_peer, stub, method, request);
  }

  const AdminConfig config;
  const Peer org_peer;
  const Peer ca_peer;
  const std::shared_ptr<grpc::Channel> org_channel;  // Null, as its stubs: no address.
  const std::unique_ptr<org::v1::AdminRoleService::Stub> admin_roles;
  const std::unique_ptr<org::v1::AppService::Stub> apps;
  const std::unique_ptr<org::v1::DecisionService::Stub> decisions;
  const std::unique_ptr<org::v1::DiagnosticsService::Stub> diagnostics;
  const std::unique_ptr<org::v1::PolicyDocumentService::Stub> documents;
  const std::unique_ptr<org::v1::FactorService::Stub> factors;
  const std::unique_ptr<org::v1::HistoryService::Stub> history;
  const std::unique_ptr<org::v1::EventHookService::Stub> hooks;
  const std::unique_ptr<org::v1::IwaRegistryService::Stub> iwas;
  const std::unique_ptr<org::v1::SystemLogService::Stub> log;
  const std::unique_ptr<org::v1::PeopleSyncService::Stub> people_sync;
  const std::unique_ptr<org::v1::PolicyAnalysisService::Stub> policies;
  const std::unique_ptr<org::v1::SamlKeyService::Stub> saml_keys;
  const std::unique_ptr<org::v1::SessionService::Stub> sessions;
  const std::unique_ptr<org::v1::SettingsService::Stub> settings;
  const std::unique_ptr<org::v1::UserService::Stub> users;
  const std::unique_ptr<org::v1::ZoneService::Stub> zones;
  const std::unique_ptr<Certificates::Stub> certificates;
  const std::unique_ptr<ca::v1::IssuerService::Stub> issuers;
  const std::unique_ptr<IssuerAdmin::Stub> issuer_admin;
};

}  // namespace devicetrust::admin
