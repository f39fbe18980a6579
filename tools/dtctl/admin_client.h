// The calls of an administrator to the org and the CA, as plain functions: deadline, error
// detail and paging are dealt with here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/status.h"
#include "tools/dtctl/endpoints.h"

namespace devicetrust::ctl {

// Errors of every call: those of the proto, with their ErrorDetail; kUnavailable when nothing
// answers at the address, which the message names. Each call gives up after 5 s.
class AdminClient {
 public:
  // Connects with the first call.
  explicit AdminClient(const Endpoints& endpoints);
  ~AdminClient();

  absl::StatusOr<org::v1::OrgSettings> GetSettings();
  absl::StatusOr<org::v1::SetDeviceTrustResponse> SetDeviceTrust(
      const org::v1::SetDeviceTrustRequest& request);

  // By principal ("ada@corp.test"), SID ("S-1-5-…") or id.
  absl::StatusOr<org::v1::User> GetUser(const std::string& name);

  absl::StatusOr<org::v1::Decision> Explain(const std::string& code);

  // The newest `count` events, oldest of them first.
  absl::StatusOr<std::vector<org::v1::Event>> Search(const org::v1::EventFilter& filter, int count);

  // Calls `seen` for each event after `after_sequence`, as they come, until it returns false,
  // and keeps `after_sequence` up to date. Returns when the stream ends: OK at drain.
  absl::Status Tail(const org::v1::EventFilter& filter, std::int64_t& after_sequence,
                    const std::function<bool(const org::v1::Event&)>& seen);
  // Waits until the org answers again, or `seconds` have gone by.
  void WaitForOrg(int seconds);

  // All of a user, or the one of a serial.
  absl::StatusOr<std::vector<ca::v1::CertificateRecord>> ListCertificates(
      const ca::v1::ListCertificatesRequest& filter);
  absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(
      const ca::v1::RevokeForUserRequest& request);
  absl::StatusOr<ca::v1::RevokeCertificateResponse> RevokeCertificate(
      const ca::v1::RevokeCertificateRequest& request);

  const std::string& admin_name() const { return admin_name_; }

 private:
  struct Stubs;
  std::unique_ptr<Stubs> stubs_;
  std::string admin_name_;  // For `requested_by`.
};

}  // namespace devicetrust::ctl
