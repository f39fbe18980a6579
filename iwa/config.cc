#include "iwa/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/files.h"
#include "libs/base/process.h"
#include "libs/db/connection.h"
#include "libs/rpc/caller.h"
#include "libs/service/component.h"

namespace devicetrust::iwa {
namespace {

absl::Status Named(const absl::Status& status, std::string_view flag) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", flag, std::string(status.message())));
}

bool IsRealm(std::string_view realm) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  return !realm.empty() && realm.size() <= 255 && std::ranges::all_of(realm, fits);
}

absl::Status CheckRequired(const Config& config) {
  const std::pair<const char*, const std::string*> required[] = {
      {"--keytab", &config.keytab},
      {"--replay-cache", &config.replay_cache},
      {"--ldap-url", &config.ldap_url},
      {"--ldap-ca", &config.ldap_ca},
      {"--ldap-bind-dn", &config.ldap_bind_dn},
      {"--ldap-password-file", &config.ldap_password_file},
  };
  for (const auto& [flag, value] : required) {
    if (value->empty()) return absl::InvalidArgumentError(fmt::format("{} is missing", flag));
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const Config& config) {
  DT_RETURN_IF_ERROR(service::LoadKek(config).status());
  DT_RETURN_IF_ERROR(service::EdgeListener(config.org, config).status());
  DT_RETURN_IF_ERROR(service::Component::Load(config, config.name).status());
  DT_RETURN_IF_ERROR(Named(ReadFile(config.ldap_ca).status(), "--ldap-ca"));
  DT_RETURN_IF_ERROR(Named(RefuseIfShared(config.keytab), "--keytab"));
  return Named(RefuseIfShared(config.ldap_password_file), "--ldap-password-file");
}

}  // namespace

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(CheckRequired(config));
  if (!rpc::IsName(config.name)) {
    return absl::InvalidArgumentError("--name must be 1 to 64 of a-z 0-9 . _ -");
  }
  if (!config.spn.starts_with("HTTP/")) {
    return absl::InvalidArgumentError("--spn must be HTTP/host.domain, as agents ask for it");
  }
  if (config.realms.empty() || !std::ranges::all_of(config.realms, IsRealm)) {
    return absl::InvalidArgumentError("--realm must be a realm in capitals, such as CORP.TEST");
  }
  DT_RETURN_IF_ERROR(db::CheckUrl(config.database));
  DT_RETURN_IF_ERROR(ParseHostPort(config.edge_listen, "--edge-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.org_address, "--org-address").status());
  return CheckFiles(config);
}

}  // namespace devicetrust::iwa
