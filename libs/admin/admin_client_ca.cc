#include "libs/admin/admin_stubs.h"

namespace devicetrust::admin {
namespace {

ca::v1::DeviceName DeviceNameOf(const std::string& text) {
  ca::v1::DeviceName name;
  if (text.starts_with("S-1-")) {
    name.set_computer_sid(text);
  } else {
    name.set_device_id(text);
  }
  return name;
}

}  // namespace

absl::StatusOr<std::vector<ca::v1::CertificateRecord>> AdminClient::ListCertificates(
    const ca::v1::ListCertificatesRequest& filter) {
  ca::v1::ListCertificatesRequest request = filter;
  request.set_page_size(kPageSizeMax);
  std::vector<ca::v1::CertificateRecord> certificates;
  do {
    DT_ASSIGN_OR_RETURN(
        const ca::v1::ListCertificatesResponse page,
        stubs_->Ca(stubs_->certificates, &Certificates::Stub::ListCertificates, request));
    certificates.insert(certificates.end(), page.certificates().begin(), page.certificates().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return certificates;
}

absl::StatusOr<ca::v1::RevokeForUserResponse> AdminClient::RevokeForUser(
    const std::string& user_id, ca::v1::RevocationReason reason) {
  ca::v1::RevokeForUserRequest request;
  request.set_user_id(user_id);
  request.set_reason(reason);
  request.set_requested_by(stubs_->config.name);
  return stubs_->Ca(stubs_->certificates, &Certificates::Stub::RevokeForUser, request);
}

absl::StatusOr<ca::v1::RevokeCertificateResponse> AdminClient::RevokeCertificate(
    const std::string& serial, ca::v1::RevocationReason reason) {
  ca::v1::RevokeCertificateRequest request;
  request.set_serial(serial);
  request.set_reason(reason);
  request.set_requested_by(stubs_->config.name);
  return stubs_->Ca(stubs_->certificates, &Certificates::Stub::RevokeCertificate, request);
}

absl::StatusOr<ca::v1::RevokeForDeviceResponse> AdminClient::RevokeForDevice(
    const std::string& device, ca::v1::RevocationReason reason) {
  ca::v1::RevokeForDeviceRequest request;
  *request.mutable_device() = DeviceNameOf(device);
  request.set_reason(reason);
  request.set_requested_by(stubs_->config.name);
  return stubs_->Ca(stubs_->certificates, &Certificates::Stub::RevokeForDevice, request);
}

absl::StatusOr<ca::v1::ReleaseHoldResponse> AdminClient::ReleaseHold(const std::string& serial) {
  ca::v1::ReleaseHoldRequest request;
  request.set_serial(serial);
  request.set_requested_by(stubs_->config.name);
  return stubs_->Ca(stubs_->certificates, &Certificates::Stub::ReleaseHold, request);
}

absl::StatusOr<ca::v1::BlockDeviceResponse> AdminClient::BlockDevice(
    const std::string& device, ca::v1::RevocationReason reason, bool allow_unknown) {
  ca::v1::BlockDeviceRequest request;
  *request.mutable_device() = DeviceNameOf(device);
  request.set_reason(reason);
  request.set_allow_unknown(allow_unknown);
  request.set_requested_by(stubs_->config.name);
  return stubs_->Ca(stubs_->certificates, &Certificates::Stub::BlockDevice, request);
}

absl::StatusOr<ca::v1::UnblockDeviceResponse> AdminClient::UnblockDevice(
    const std::string& device) {
  ca::v1::UnblockDeviceRequest request;
  *request.mutable_device() = DeviceNameOf(device);
  request.set_requested_by(stubs_->config.name);
  return stubs_->Ca(stubs_->certificates, &Certificates::Stub::UnblockDevice, request);
}

absl::StatusOr<std::vector<ca::v1::BlockedDevice>> AdminClient::ListBlockedDevices() {
  std::vector<ca::v1::BlockedDevice> devices;
  ca::v1::ListBlockedDevicesRequest request;
  do {
    DT_ASSIGN_OR_RETURN(auto page, stubs_->Ca(stubs_->certificates,
                                              &Certificates::Stub::ListBlockedDevices, request));
    devices.insert(devices.end(), page.devices().begin(), page.devices().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return devices;
}

absl::StatusOr<std::vector<ca::v1::BlockedKey>> AdminClient::ListBlockedKeys() {
  std::vector<ca::v1::BlockedKey> keys;
  ca::v1::ListBlockedKeysRequest request;
  do {
    DT_ASSIGN_OR_RETURN(
        auto page, stubs_->Ca(stubs_->certificates, &Certificates::Stub::ListBlockedKeys, request));
    keys.insert(keys.end(), page.keys().begin(), page.keys().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return keys;
}

absl::StatusOr<ca::v1::GetIssuersResponse> AdminClient::GetIssuers() {
  return stubs_->Ca(stubs_->issuers, &ca::v1::IssuerService::Stub::GetIssuers,
                    ca::v1::GetIssuersRequest());
}

absl::StatusOr<ca::v1::ListIssuersResponse> AdminClient::ListIssuers() {
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::ListIssuers,
                    ca::v1::ListIssuersRequest());
}

absl::StatusOr<ca::v1::AddIssuerResponse> AdminClient::AddIssuer(const std::string& key_uri) {
  ca::v1::AddIssuerRequest request;
  request.set_key_uri(key_uri);
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::AddIssuer, request);
}

absl::StatusOr<ca::v1::RequestIssuerResponse> AdminClient::RequestIssuer(
    const std::string& key_uri) {
  ca::v1::RequestIssuerRequest request;
  request.set_key_uri(key_uri);
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::RequestIssuer, request);
}

absl::StatusOr<ca::v1::InstallIssuerResponse> AdminClient::InstallIssuer(
    const ca::v1::InstallIssuerRequest& request) {
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::InstallIssuer, request);
}

absl::StatusOr<ca::v1::ActivateIssuerResponse> AdminClient::ActivateIssuer(const std::string& id,
                                                                           bool force) {
  ca::v1::ActivateIssuerRequest request;
  request.set_id(id);
  request.set_force(force);
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::ActivateIssuer, request);
}

absl::StatusOr<ca::v1::RetireIssuerResponse> AdminClient::RetireIssuer(const std::string& id,
                                                                       bool force) {
  ca::v1::RetireIssuerRequest request;
  request.set_id(id);
  request.set_force(force);
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::RetireIssuer, request);
}

absl::StatusOr<ca::v1::InstallRootCrlResponse> AdminClient::InstallRootCrl(
    const std::string& crl_der) {
  ca::v1::InstallRootCrlRequest request;
  request.set_crl_der(crl_der);
  return stubs_->Ca(stubs_->issuer_admin, &IssuerAdmin::Stub::InstallRootCrl, request);
}

}  // namespace devicetrust::admin
