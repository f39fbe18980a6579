#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/status.h"
#include "libs/rpc/channel.h"

namespace devicetrust::policy {

// The connection to dt-ca's internal listener. Thread-safe.
class CaLink {
 public:
  explicit CaLink(rpc::ChannelConfig config) : config_(std::move(config)) { Connect(); }

  void ConnectTo(const std::string& address) {
    const std::lock_guard lock(mutex_);
    config_.address = address;
    Connect();
  }

  // Errors as rpc::Call.
  absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(
      const ca::v1::RevokeForUserRequest& request) {
    return rpc::Call(*stub(), &ca::v1::CertificateAdminService::Stub::RevokeForUser, request);
  }

 private:
  void Connect() { stub_ = ca::v1::CertificateAdminService::NewStub(rpc::NewChannel(config_)); }
  std::shared_ptr<ca::v1::CertificateAdminService::Stub> stub() {
    const std::lock_guard lock(mutex_);
    return stub_;
  }

  std::mutex mutex_;
  rpc::ChannelConfig config_;  // Guarded by mutex_, as is stub_.
  std::shared_ptr<ca::v1::CertificateAdminService::Stub> stub_;
};

}  // namespace devicetrust::policy
