#include "libs/rpc/identity.h"

#include <fmt/format.h>

#include "libs/base/files.h"

namespace devicetrust::rpc {

absl::StatusOr<Identity> LoadIdentity(const std::string& certificate_file,
                                      const std::string& key_file) {
  Identity identity;
  DT_ASSIGN_OR_RETURN(identity.certificate_pem, ReadFile(certificate_file));
  DT_RETURN_IF_ERROR(RefuseIfShared(key_file));
  DT_ASSIGN_OR_RETURN(identity.key_pem, ReadFile(key_file));
  if (identity.certificate_pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("{} holds no PEM certificate", certificate_file));
  }
  if (identity.key_pem.find("PRIVATE KEY-----") == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("{} holds no PEM private key", key_file));
  }
  return identity;
}

}  // namespace devicetrust::rpc
