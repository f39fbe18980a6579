// A listener on loopback with services of the tests, and who calls it.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/trace.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/peer_address.h"
#include "libs/rpc/server.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::rpc {

using ca::v1::CertificateAdminService;
using ca::v1::IssuerService;
using ca::v1::RevocationFeedService;

// Stands for any service: answers with the caller's name, can be held.
class FakeService final : public CertificateAdminService::Service {
 public:
  grpc::Status RevokeForUser(grpc::ServerContext* context, const ca::v1::RevokeForUserRequest* ask,
                             ca::v1::RevokeForUserResponse* answer) override {
    {
      const MutexLock lock(mutex_);
      seen_trace_ = CurrentTrace();
      seen_address_ = PeerAddress(context);
    }
    if (ask->user_id() == "held") {
      inside_.count_down();
      open_.wait();
    }
    if (ask->user_id() == "unknown") {
      return ToGrpc(MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_USER_UNKNOWN,
                              "no user", ask->user_id(), "Import the user."));
    }
    const auto caller = CallerOf(*context);
    answer->set_revoked(caller.ok() && caller->role == "policy" ? 1 : 2);
    return grpc::Status::OK;
  }
  // Of the last RevokeForUser().
  std::string seen_trace() const {
    const MutexLock lock(mutex_);
    return seen_trace_;
  }
  std::string seen_address() const {
    const MutexLock lock(mutex_);
    return seen_address_;
  }
  void WaitInside() { inside_.wait(); }
  void Open() { open_.count_down(); }

 private:
  mutable Mutex mutex_;
  std::string seen_trace_ ABSL_GUARDED_BY(mutex_);
  std::string seen_address_ ABSL_GUARDED_BY(mutex_);
  std::latch inside_{1};
  std::latch open_{1};
};

class FakeStream final : public RevocationFeedService::Service {
 public:
  grpc::Status WatchRevocations(
      grpc::ServerContext* context, const ca::v1::WatchRevocationsRequest* /*ask*/,
      grpc::ServerWriter<ca::v1::WatchRevocationsResponse>* writer) override {
    writer->Write({});
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  }
};

// A call of a method whose messages are only bytes here. Blocks.
class RawCall {
 public:
  RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method)
      : call_(grpc::GenericStub(channel).PrepareCall(&context_, method, &queue_)) {
    call_->StartCall(this);
    Wait();
  }
  // The whole message of the call. False: the call has ended.
  bool Send(const std::string& request) {
    const grpc::Slice slice(request);
    call_->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), this);
    return Wait();
  }
  // None: the call has ended.
  std::optional<std::string> Exchange(const std::string& request) {
    const grpc::Slice slice(request);
    call_->Write(grpc::ByteBuffer(&slice, 1), this);
    return Wait() ? Read() : std::nullopt;
  }
  std::optional<std::string> Read() {
    grpc::ByteBuffer answer;
    call_->Read(&answer, this);
    grpc::Slice slice;
    if (!Wait() || !answer.DumpToSingleSlice(&slice).ok()) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  grpc::Status Finish() {
    grpc::Status status;
    call_->WritesDone(this);
    Wait();
    call_->Finish(&status, this);
    Wait();
    return status;
  }

 private:
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

inline Identity Pem(const pki::ExportableIdentity& identity) {
  return {identity.certificate.Pem(), identity.key.Pem()};
}

class ServerTest : public ::testing::Test {
 protected:
  ListenerConfig Internal() {
    return {.name = "internal",
            .flag = "--internal-listen",
            .listen = "127.0.0.1:0",
            .identity = Pem(pki_.Component("ca")),
            .client_ca_pem = pki_.deployment_ca().certificate.Pem(),
            .org = "acme"};
  }
  // As for agents: server TLS only.
  ListenerConfig Edge() {
    ListenerConfig config = Internal();
    config.name = "edge";
    config.flag = "--edge-listen";
    config.client_ca_pem.clear();
    config.message_bytes_max = kEdgeMessageBytesMax;
    return config;
  }
  void Start(const ListenerConfig& config) {
    const bool edge = config.client_ca_pem.empty();
    auto server =
        Server::Start(config, {&service_, &stream_, &issuers_},
                      {{"devicetrust.ca.v1.CertificateAdminService.RevokeForUser",
                        edge ? std::vector<std::string_view>{kAnyone}
                             : std::vector<std::string_view>{"policy", "admin"}},
                       {"devicetrust.ca.v1.RevocationFeedService.WatchRevocations", {"gateway"}},
                       {"devicetrust.ca.v1.IssuerService.GetIssuers", {kAnyComponent}}});
    DT_ASSERT_OK(server);
    server_ = *std::move(server);
  }
  std::shared_ptr<grpc::Channel> Channel(const std::optional<Identity>& identity) {
    return NewChannel({.address = server_->address(),
                       .server_name = {},
                       .trust_pem = pki_.deployment_ca().certificate.Pem(),
                       .identity = identity});
  }
  std::unique_ptr<CertificateAdminService::Stub> As(const std::optional<Identity>& identity) {
    return CertificateAdminService::NewStub(Channel(identity));
  }
  std::unique_ptr<CertificateAdminService::Stub> AsComponent(const std::string& name) {
    return As(Pem(pki_.Component(name)));
  }
  static absl::StatusOr<ca::v1::RevokeForUserResponse> Revoke(CertificateAdminService::Stub& stub,
                                                              const std::string& user) {
    ca::v1::RevokeForUserRequest request;
    request.set_user_id(user);
    return Call(stub, &CertificateAdminService::Stub::RevokeForUser, request);
  }

  const WallTime now_ = SystemClock().Now();
  throwaway::ThrowawayPki pki_{"acme", now_};
  FakeService service_;
  FakeStream stream_;
  IssuerService::Service issuers_;  // Implements nothing.
  std::unique_ptr<Server> server_;
};

}  // namespace devicetrust::rpc
