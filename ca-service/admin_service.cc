#include "ca-service/admin_service.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"

namespace devicetrust::ca {
namespace {

constexpr int kPageMax = 1000;
constexpr int kPageDefault = 100;
constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kRequesterBytesMax = 128;
constexpr std::size_t kSerialOctetsMax = 20;  // RFC 5280, section 4.1.2.2.

absl::Status Malformed(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

absl::Status CheckReason(v1::RevocationReason reason) {
  if (v1::RevocationReason_IsValid(reason)) return absl::OkStatus();
  return Malformed(fmt::format("{} is no revocation reason", static_cast<int>(reason)), "reason");
}

// An admin is who the certificate says; the org may speak for one of its own admins.
absl::StatusOr<std::string> RequestedBy(const grpc::ServerContext* context,
                                        const std::string& claimed) {
  if (claimed.size() > kRequesterBytesMax) {
    return Malformed("requested_by is longer than 128 characters", "requested_by");
  }
  const auto caller = context == nullptr ? absl::UnauthenticatedError("") : rpc::CallerOf(*context);
  if (caller.ok() && (claimed.empty() || caller->kind == rpc::Caller::Kind::kAdmin)) {
    return caller->ToString();
  }
  if (claimed.empty()) return Malformed("requested_by is empty", "requested_by");
  return claimed;
}

// What stands before a serial and between its octets where tools print one: "serial=01A2",
// "01:A2", "01 A2", "0x1a2", and invisible marks at its ends.
std::string BareSerial(std::string_view typed) {
  std::string text = WithoutBlanks(typed);
  for (const std::string_view before : {"serialnumber", "serial", "=", ":", "0x"}) {
    if (EqualIgnoringCase(std::string_view(text).substr(0, before.size()), before)) {
      text.erase(0, before.size());
    }
  }
  std::erase_if(text, [](char c) { return c == ':' || c == '-'; });
  return text;
}

// The form that the store and certificates use: lower case, no leading zero octets.
absl::StatusOr<std::string> CanonicalSerial(const std::string& typed) {
  std::string text = BareSerial(typed);
  if (text.size() % 2 != 0) text.insert(0, "0");
  while (text.size() > 2 && text.starts_with("00")) text.erase(0, 2);
  const auto octets = HexDecode(text);
  if (!octets.ok() || octets->empty() || octets->size() > kSerialOctetsMax) {
    return Malformed(
        fmt::format("serial must be 1 to {} octets in hex, as openssl prints it", kSerialOctetsMax),
        "serial");
  }
  return HexEncode(*octets);
}

absl::StatusOr<DeviceName> DeviceOf(const v1::DeviceName& message) {
  DeviceName name{message.device_id(), message.computer_sid()};
  const std::size_t size = name.device_id.size() + name.computer_sid.size();  // One is empty.
  if (size == 0 || size > kIdBytesMax) {
    return Malformed("name the computer by device_id or computer_sid, of 1 to 256 characters",
                     "device");
  }
  if (!name.computer_sid.empty() && !name.computer_sid.starts_with("S-1-")) {
    return Malformed("computer_sid must be of the form S-1-5-21-…", "device");
  }
  return name;
}

// Fills `list(after, limit)` into pages; `limit` is one more than a page, to tell of another.
template <typename Request, typename Lister>
auto Page(const Request& request, Lister list, std::size_t& page)
    -> decltype(list(std::string(), std::int64_t{})) {
  if (request.page_size() < 0 || request.page_size() > kPageMax) {
    return Malformed(fmt::format("page_size must be 0 to {}", kPageMax), "page_size");
  }
  if (request.page_token().size() > kIdBytesMax) {
    return Malformed("page_token is not from an earlier answer", "page_token");
  }
  const int size = request.page_size() == 0 ? kPageDefault : request.page_size();
  page = static_cast<std::size_t>(size);
  return list(request.page_token(), size + 1);
}

std::string PageToken(const StoredCertificate& last) {
  return fmt::format("{}.{}", last.issued_at, last.serial);
}

absl::StatusOr<CertificateFilter> FilterOf(const v1::ListCertificatesRequest& request) {
  CertificateFilter filter;
  filter.user_id = request.user_id();
  filter.device_id = request.device_id();
  if (!request.serial().empty()) {
    DT_ASSIGN_OR_RETURN(filter.serial, CanonicalSerial(request.serial()));
  }
  if (request.page_size() < 0 || request.page_size() > kPageMax) {
    return Malformed(fmt::format("page_size must be 0 to {}", kPageMax), "page_size");
  }
  filter.limit = request.page_size() == 0 ? kPageDefault : request.page_size();
  const std::string& token = request.page_token();
  if (!token.empty()) {
    std::int64_t issued_at = 0;
    const char* const end = token.data() + token.size();
    const auto [dot, error] = std::from_chars(token.data(), end, issued_at);
    if (error != std::errc() || dot == end || *dot != '.' || token.size() > kIdBytesMax) {
      return Malformed("page_token is not from an earlier answer", "page_token");
    }
    filter.after.emplace(issued_at, std::string(dot + 1, end));
  }
  return filter;
}

void Fill(v1::CertificateRecord& record, const StoredCertificate& certificate) {
  record.set_serial(certificate.serial);
  record.set_issuer_id(certificate.issuer_id);
  record.set_user_id(certificate.user_id);
  record.set_device_id(certificate.device_id);
  record.set_enrollment_id(certificate.enrollment_id);
  record.mutable_issued_at()->set_seconds(certificate.issued_at);
  record.mutable_not_after()->set_seconds(certificate.not_after);
  if (certificate.revoked_at) {
    record.mutable_revoked_at()->set_seconds(*certificate.revoked_at);
    record.set_reason(certificate.reason);
  }
  record.set_certificate_der(ToString(certificate.der));
}

// Whom the call must not touch; nothing: anybody may be touched.
std::optional<rpc::Caller> RestrictedCaller(const grpc::ServerContext* context) {
  if (context == nullptr) return std::nullopt;
  absl::StatusOr<rpc::Caller> caller = rpc::CallerOf(*context);
  if (!caller.ok() || caller->protected_users.empty()) return std::nullopt;
  return *std::move(caller);
}

absl::Status CheckMayTouchAll(const rpc::Caller& caller, const std::vector<std::string>& users) {
  for (const std::string& user : users) {
    if (caller.MayTouch(user)) continue;
    return rpc::MakeError(
        absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
        "the certificates are, or one of them is, of an administrator", user, "Ask a super admin.");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AdminService::CheckMayTouchUser(const grpc::ServerContext* context,
                                             const std::string& user_id) const {
  const auto caller = RestrictedCaller(context);
  return caller ? CheckMayTouchAll(*caller, {user_id}) : absl::OkStatus();
}

absl::Status AdminService::CheckMayTouchCertificate(const grpc::ServerContext* context,
                                                    const std::string& serial) const {
  const auto caller = RestrictedCaller(context);
  if (!caller) return absl::OkStatus();
  const auto found = database_.Read(
      [&](db::Transaction& txn) { return CertificateStore(txn).FindBySerial(serial); });
  DT_RETURN_IF_ERROR(found.status());
  return *found ? CheckMayTouchAll(*caller, {(*found)->user_id}) : absl::OkStatus();
}

absl::Status AdminService::CheckMayTouchDevice(const grpc::ServerContext* context,
                                               const DeviceName& device) const {
  const auto caller = RestrictedCaller(context);
  if (!caller) return absl::OkStatus();
  const auto users =
      database_.Read([&](db::Transaction& txn) -> absl::StatusOr<std::vector<std::string>> {
        DT_ASSIGN_OR_RETURN(const auto found, BlockStore(txn).FindDevice(device));
        if (!found) return std::vector<std::string>();
        return CertificateStore(txn).UsersOfDevice(found->device_id);
      });
  DT_RETURN_IF_ERROR(users.status());
  return CheckMayTouchAll(*caller, *users);
}

grpc::Status AdminService::RevokeForUser(grpc::ServerContext* context,
                                         const v1::RevokeForUserRequest* request,
                                         v1::RevokeForUserResponse* response) {
  const auto revoke = [&]() -> absl::StatusOr<Revocations::UserRevocation> {
    if (request->user_id().empty() || request->user_id().size() > kIdBytesMax) {
      return Malformed("user_id must be 1 to 256 characters", "user_id");
    }
    DT_RETURN_IF_ERROR(CheckMayTouchUser(context, request->user_id()));
    DT_RETURN_IF_ERROR(CheckReason(request->reason()));
    DT_ASSIGN_OR_RETURN(const std::string by, RequestedBy(context, request->requested_by()));
    return revocations_.RevokeForUser(request->user_id(), request->reason(), by);
  };
  const auto revoked = revoke();
  if (!revoked.ok()) return rpc::ToGrpc(revoked.status());
  response->set_revoked(revoked->revoked);
  response->set_sequence(revoked->sequence);
  return grpc::Status::OK;
}

grpc::Status AdminService::RevokeCertificate(grpc::ServerContext* context,
                                             const v1::RevokeCertificateRequest* request,
                                             v1::RevokeCertificateResponse* response) {
  const auto revoke = [&]() -> absl::StatusOr<Revocations::CertificateRevocation> {
    DT_ASSIGN_OR_RETURN(const std::string serial, CanonicalSerial(request->serial()));
    DT_RETURN_IF_ERROR(CheckMayTouchCertificate(context, serial));
    DT_RETURN_IF_ERROR(CheckReason(request->reason()));
    DT_ASSIGN_OR_RETURN(const std::string by, RequestedBy(context, request->requested_by()));
    return revocations_.RevokeCertificate(serial, request->reason(), by);
  };
  const auto revoked = revoke();
  if (!revoked.ok()) return rpc::ToGrpc(revoked.status());
  response->mutable_revoked_at()->set_seconds(revoked->certificate.revoked_at.value_or(0));
  response->set_was_already_revoked(revoked->was_already_revoked);
  response->set_was_on_hold(revoked->was_on_hold);
  response->set_sequence(revoked->certificate.revocation_sequence);
  return grpc::Status::OK;
}

grpc::Status AdminService::RevokeForDevice(grpc::ServerContext* context,
                                           const v1::RevokeForDeviceRequest* request,
                                           v1::RevokeForDeviceResponse* response) {
  const auto revoke = [&]() -> absl::StatusOr<Revocations::DeviceRevocation> {
    DT_ASSIGN_OR_RETURN(const DeviceName device, DeviceOf(request->device()));
    DT_RETURN_IF_ERROR(CheckMayTouchDevice(context, device));
    DT_RETURN_IF_ERROR(CheckReason(request->reason()));
    DT_ASSIGN_OR_RETURN(const std::string by, RequestedBy(context, request->requested_by()));
    return revocations_.RevokeForDevice(device, request->reason(), by);
  };
  const auto revoked = revoke();
  if (!revoked.ok()) return rpc::ToGrpc(revoked.status());
  response->set_revoked(revoked->revoked);
  response->set_sequence(revoked->sequence);
  response->set_device_id(revoked->device_id);
  return grpc::Status::OK;
}

grpc::Status AdminService::ReleaseHold(grpc::ServerContext* context,
                                       const v1::ReleaseHoldRequest* request,
                                       v1::ReleaseHoldResponse* response) {
  const auto release = [&]() -> absl::StatusOr<Revocations::HoldRelease> {
    DT_ASSIGN_OR_RETURN(const std::string serial, CanonicalSerial(request->serial()));
    DT_RETURN_IF_ERROR(CheckMayTouchCertificate(context, serial));
    DT_ASSIGN_OR_RETURN(const std::string by, RequestedBy(context, request->requested_by()));
    return revocations_.ReleaseHold(serial, by);
  };
  const auto released = release();
  if (!released.ok()) return rpc::ToGrpc(released.status());
  response->set_was_on_hold(released->was_on_hold);
  response->set_sequence(released->sequence);
  return grpc::Status::OK;
}

grpc::Status AdminService::BlockDevice(grpc::ServerContext* context,
                                       const v1::BlockDeviceRequest* request,
                                       v1::BlockDeviceResponse* response) {
  const auto block = [&]() -> absl::StatusOr<DeviceBlocks::BlockResult> {
    DT_ASSIGN_OR_RETURN(const DeviceName device, DeviceOf(request->device()));
    DT_RETURN_IF_ERROR(CheckMayTouchDevice(context, device));
    DT_RETURN_IF_ERROR(CheckReason(request->reason()));
    DT_ASSIGN_OR_RETURN(const std::string by, RequestedBy(context, request->requested_by()));
    return blocks_.Block(device, request->reason(), by, request->allow_unknown());
  };
  const auto blocked = block();
  if (!blocked.ok()) return rpc::ToGrpc(blocked.status());
  response->set_device_id(blocked->revocation.device_id);
  response->set_was_already_blocked(blocked->was_already_blocked);
  response->set_revoked(blocked->revocation.revoked);
  response->set_sequence(blocked->revocation.sequence);
  return grpc::Status::OK;
}

grpc::Status AdminService::UnblockDevice(grpc::ServerContext* context,
                                         const v1::UnblockDeviceRequest* request,
                                         v1::UnblockDeviceResponse* response) {
  const auto unblock = [&]() -> absl::StatusOr<DeviceBlocks::UnblockResult> {
    DT_ASSIGN_OR_RETURN(const DeviceName device, DeviceOf(request->device()));
    DT_RETURN_IF_ERROR(CheckMayTouchDevice(context, device));
    DT_ASSIGN_OR_RETURN(const std::string by, RequestedBy(context, request->requested_by()));
    return blocks_.Unblock(device, by);
  };
  const auto unblocked = unblock();
  if (!unblocked.ok()) return rpc::ToGrpc(unblocked.status());
  response->set_device_id(unblocked->device_id);
  response->set_was_blocked(unblocked->was_blocked);
  return grpc::Status::OK;
}

grpc::Status AdminService::ListBlockedDevices(grpc::ServerContext* /*context*/,
                                              const v1::ListBlockedDevicesRequest* request,
                                              v1::ListBlockedDevicesResponse* response) {
  std::size_t page = 0;
  const auto list = [&](const std::string& after, std::int64_t limit) {
    return database_.Read(
        [&](db::Transaction& txn) { return BlockStore(txn).Devices(after, limit); });
  };
  auto devices = Page(*request, list, page);
  if (!devices.ok()) return rpc::ToGrpc(rpc::StoreError(devices.status()));
  if (devices->size() > page) {
    devices->resize(page);
    response->set_next_page_token(devices->back().device_id);
  }
  for (const BlockedDevice& device : *devices) {
    v1::BlockedDevice& message = *response->add_devices();
    message.set_device_id(device.device_id);
    message.set_computer_sid(device.computer_sid);
    message.mutable_blocked_at()->set_seconds(device.blocked_at);
    message.set_requested_by(device.requested_by);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::ListBlockedKeys(grpc::ServerContext* /*context*/,
                                           const v1::ListBlockedKeysRequest* request,
                                           v1::ListBlockedKeysResponse* response) {
  std::size_t page = 0;
  const auto list = [&](const std::string& after, std::int64_t limit) {
    return database_.Read([&](db::Transaction& txn) { return BlockStore(txn).Keys(after, limit); });
  };
  auto keys = Page(*request, list, page);
  if (!keys.ok()) return rpc::ToGrpc(rpc::StoreError(keys.status()));
  if (keys->size() > page) {
    keys->resize(page);
    response->set_next_page_token(keys->back().thumbprint);
  }
  for (const BlockedKey& key : *keys) {
    v1::BlockedKey& message = *response->add_keys();
    message.set_thumbprint(key.thumbprint);
    message.set_serial(key.serial);
    message.mutable_blocked_at()->set_seconds(key.blocked_at);
    message.set_requested_by(key.requested_by);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::ListCertificates(grpc::ServerContext* /*context*/,
                                            const v1::ListCertificatesRequest* request,
                                            v1::ListCertificatesResponse* response) {
  std::size_t page = 0;
  const auto list = [&]() -> absl::StatusOr<std::vector<StoredCertificate>> {
    DT_ASSIGN_OR_RETURN(CertificateFilter filter, FilterOf(*request));
    page = static_cast<std::size_t>(filter.limit);
    ++filter.limit;  // One more tells whether there is another page.
    return database_.Read([&](db::Transaction& txn) { return CertificateStore(txn).List(filter); });
  };
  auto certificates = list();
  if (!certificates.ok()) return rpc::ToGrpc(rpc::StoreError(certificates.status()));
  if (certificates->size() > page) {
    certificates->resize(page);
    response->set_next_page_token(PageToken(certificates->back()));
  }
  for (const StoredCertificate& certificate : *certificates) {
    Fill(*response->add_certificates(), certificate);
  }
  return grpc::Status::OK;
}

}  // namespace devicetrust::ca
