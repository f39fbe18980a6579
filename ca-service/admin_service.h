#pragma once

#include "ca-service/device_blocks.h"
#include "ca-service/revocations.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// v1.CertificateAdminService. Who may call what is the listener's business.
class AdminService final : public v1::CertificateAdminService::Service {
 public:
  // All must outlive it.
  AdminService(Revocations& revocations, DeviceBlocks& blocks, db::Database& database)
      : revocations_(revocations), blocks_(blocks), database_(database) {}

  grpc::Status RevokeForUser(grpc::ServerContext* context, const v1::RevokeForUserRequest* request,
                             v1::RevokeForUserResponse* response) override;
  grpc::Status RevokeCertificate(grpc::ServerContext* context,
                                 const v1::RevokeCertificateRequest* request,
                                 v1::RevokeCertificateResponse* response) override;
  grpc::Status RevokeForDevice(grpc::ServerContext* context,
                               const v1::RevokeForDeviceRequest* request,
                               v1::RevokeForDeviceResponse* response) override;
  grpc::Status ReleaseHold(grpc::ServerContext* context, const v1::ReleaseHoldRequest* request,
                           v1::ReleaseHoldResponse* response) override;
  grpc::Status BlockDevice(grpc::ServerContext* context, const v1::BlockDeviceRequest* request,
                           v1::BlockDeviceResponse* response) override;
  grpc::Status UnblockDevice(grpc::ServerContext* context, const v1::UnblockDeviceRequest* request,
                             v1::UnblockDeviceResponse* response) override;
  grpc::Status ListBlockedDevices(grpc::ServerContext* context,
                                  const v1::ListBlockedDevicesRequest* request,
                                  v1::ListBlockedDevicesResponse* response) override;
  grpc::Status ListBlockedKeys(grpc::ServerContext* context,
                               const v1::ListBlockedKeysRequest* request,
                               v1::ListBlockedKeysResponse* response) override;
  grpc::Status ListCertificates(grpc::ServerContext* context,
                                const v1::ListCertificatesRequest* request,
                                v1::ListCertificatesResponse* response) override;

 private:
  // kPermissionDenied, CALLER_NOT_ALLOWED: whom a call concerns, the administrator who asks must
  // not touch (access.v1.Grant).
  absl::Status CheckMayTouchUser(const grpc::ServerContext* context,
                                 const std::string& user_id) const;
  absl::Status CheckMayTouchCertificate(const grpc::ServerContext* context,
                                        const std::string& serial) const;
  absl::Status CheckMayTouchDevice(const grpc::ServerContext* context,
                                   const DeviceName& device) const;

  Revocations& revocations_;
  DeviceBlocks& blocks_;
  db::Database& database_;
};

}  // namespace devicetrust::ca
