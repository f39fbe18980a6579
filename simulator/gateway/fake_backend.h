// The org and the CA as the gateway's feeds see them, over real gRPC. Tests only.
#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <string>
#include <vector>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/pki/certificate.h"

namespace devicetrust::gateway {

// Answers what the feeds ask, as the org and the CA at once; heartbeats every few milliseconds.
class FakeBackend final : public org::v1::GatewayKeyService::Service,
                          public org::v1::SessionFeedService::Service,
                          public org::v1::AppService::Service,
                          public org::v1::IwaRegistryService::Service,
                          public ca::v1::RevocationFeedService::Service,
                          public ca::v1::IssuerService::Service {
 public:
  explicit FakeBackend(org::v1::GetGatewayKeysResponse keys) : keys_(std::move(keys)) {}

  grpc::Status GetGatewayKeys(grpc::ServerContext*, const org::v1::GetGatewayKeysRequest*,
                              org::v1::GetGatewayKeysResponse* keys) override {
    *keys = keys_;
    return grpc::Status::OK;
  }
  grpc::Status ListApps(grpc::ServerContext*, const org::v1::ListAppsRequest*,
                        org::v1::ListAppsResponse* apps) override {
    apps->set_version(1);
    return grpc::Status::OK;
  }
  grpc::Status ListIwas(grpc::ServerContext*, const org::v1::ListIwasRequest*,
                        org::v1::ListIwasResponse*) override {
    return IwasStatus();
  }
  grpc::Status GetIssuers(grpc::ServerContext*, const ca::v1::GetIssuersRequest*,
                          ca::v1::GetIssuersResponse* response) override {
    const MutexLock lock(mutex_);
    for (const pki::Certificate& issuer : issuers_) {
      response->add_issuers()->add_chain_der(ToString(issuer.der()));
    }
    response->set_edge_address("127.0.0.1:7401");
    return grpc::Status::OK;
  }
  grpc::Status WatchSessions(grpc::ServerContext* context, const org::v1::WatchSessionsRequest*,
                             grpc::ServerWriter<org::v1::WatchSessionsResponse>* writer) override {
    while (!context->IsCancelled() && writer->Write(org::v1::WatchSessionsResponse())) Wait();
    return grpc::Status::OK;
  }
  grpc::Status WatchRevocations(
      grpc::ServerContext* context, const ca::v1::WatchRevocationsRequest* request,
      grpc::ServerWriter<ca::v1::WatchRevocationsResponse>* writer) override {
    last_after = request->after_sequence();
    std::int64_t sent = request->after_sequence();
    while (!context->IsCancelled()) {
      ca::v1::WatchRevocationsResponse message;
      {
        const MutexLock lock(mutex_);
        for (; sent < static_cast<std::int64_t>(revoked_.size()); ++sent) {
          message.add_revocations()->set_serial(revoked_[static_cast<std::size_t>(sent)]);
        }
      }
      message.set_sequence(sent);
      if (!writer->Write(message)) break;
      Wait();
    }
    return grpc::Status::OK;
  }

  void Revoke(const std::string& serial) {
    const MutexLock lock(mutex_);
    revoked_.push_back(serial);
    changed_.NotifyAll();
  }

  void SetIssuers(const std::vector<pki::Identity>& issuers) {
    const MutexLock lock(mutex_);
    issuers_.clear();
    for (const pki::Identity& issuer : issuers) issuers_.push_back(issuer.certificate);
  }

  std::atomic<std::int64_t> last_after{-1};
  std::atomic<int> iwa_calls{0};
  std::atomic<bool> iwas_fail{false};

 private:
  grpc::Status IwasStatus() {
    ++iwa_calls;
    return iwas_fail ? grpc::Status(grpc::StatusCode::INTERNAL, "broken") : grpc::Status::OK;
  }

  void Wait() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{10};
    const MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, end);
  }

  const org::v1::GetGatewayKeysResponse keys_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<pki::Certificate> issuers_ ABSL_GUARDED_BY(mutex_);
  // In the order of their sequence numbers, from 1.
  std::vector<std::string> revoked_ ABSL_GUARDED_BY(mutex_);
};

// Fresh keys of each kind.
inline org::v1::GetGatewayKeysResponse MakeKeys(WallTime now) {
  org::v1::GetGatewayKeysResponse keys;
  keys.add_cookie_keys()->set_kid("c1");
  keys.mutable_cookie_keys(0)->set_key(std::string(32, 'k'));
  keys.add_proof_keys()->set_kid("p1");
  keys.mutable_proof_keys(0)->set_private_key_pem(pki::PrivateKey::Generate().value().Pem());
  const pki::PrivateKey rsa = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  keys.add_saml_keys()->set_private_key_pem(rsa.Pem());
  keys.mutable_saml_keys(0)->set_certificate_pem(
      pki::SignSelf({.common_name = "org",
                     .serial_hex = "01",
                     .usage = pki::Usage::kCa,
                     .not_before = now,
                     .not_after = now + std::chrono::hours{1}},
                    rsa)
          .value()
          .Pem());
  return keys;
}

}  // namespace devicetrust::gateway
