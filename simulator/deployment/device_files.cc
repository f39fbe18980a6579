#include "simulator/deployment/device_files.h"

#include "libs/base/files.h"
#include "libs/pki/pkcs12.h"

namespace devicetrust::simulator {
namespace {

constexpr const char* kP12Password = "device";  // Not a secret: the key lies beside it.

}  // namespace

absl::StatusOr<EndpointDevice> WriteDevice(const std::string& folder, const std::string& name,
                                           const std::string& user, const std::string& state,
                                           const pki::ExportableIdentity& identity) {
  const std::string base = folder + "/" + name;
  EndpointDevice device{user, state, base + ".pem", base + ".key", base + ".p12", kP12Password};
  DT_RETURN_IF_ERROR(WriteFileAtomically(device.cert_pem, identity.certificate.Pem()));
  DT_RETURN_IF_ERROR(WriteFileAtomically(device.key_pem, identity.key.Pem()));
  DT_ASSIGN_OR_RETURN(const Bytes p12, pki::ToPkcs12(identity, kP12Password, name));
  DT_RETURN_IF_ERROR(WriteFileAtomically(device.p12, ToString(p12)));
  return device;
}

}  // namespace devicetrust::simulator
