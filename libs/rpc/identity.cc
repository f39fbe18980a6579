#include "libs/rpc/identity.h"

#include <fmt/format.h>

#include <utility>

#include "libs/base/files.h"
#include "libs/pki/certificate.h"

namespace devicetrust::rpc {

absl::StatusOr<Identity> LoadIdentity(const std::string& certificate_file,
                                      const std::string& key_file) {
  DT_ASSIGN_OR_RETURN(std::string certificate, ReadFile(certificate_file));
  DT_RETURN_IF_ERROR(RefuseIfShared(key_file));
  DT_ASSIGN_OR_RETURN(std::string key, ReadFile(key_file));
  if (certificate.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("{} holds no PEM certificate", certificate_file));
  }
  if (key.find("PRIVATE KEY-----") == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("{} holds no PEM private key", key_file));
  }
  if (const auto pair = pki::IdentityFromPem(certificate, key); !pair.ok()) {
    return Annotate(pair.status(), fmt::format("{} and {}", certificate_file, key_file));
  }
  return Identity{std::move(certificate), std::move(key)};
}

}  // namespace devicetrust::rpc
