#include "iwa/status_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/printable.h"
#include "libs/base/process.h"
#include "libs/base/utc_time.h"
#include "libs/pki/digest.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"
#include "libs/service/component.h"
#include "libs/service/options.h"

namespace devicetrust::iwa {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

// Path by option, of all options that name a file that is there at the start.
void CollectFiles(const service::Options& options, const std::string& prefix,
                  std::map<std::string, std::string>& files) {
  for (const service::Option& option : options.all()) {
    const auto value = option.get();
    if (!value) continue;
    if (const auto* items = std::get_if<std::vector<service::TomlTable>>(&*value)) {
      for (std::size_t at = 0; at < items->size(); ++at) {
        CollectFiles(option.item(at), fmt::format("{}{}[{}].", prefix, option.name, at), files);
      }
    } else if (const auto* path = std::get_if<std::string>(&*value);
               path != nullptr && option.form == "FILE" && option.name != "keytab") {
      files.emplace("--" + prefix + option.name, *path);
    }
  }
}

// Empty: it can't be read.
std::string FileDigest(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path, kFileBytesMax);
  return content.ok() ? HexEncode(pki::Sha256(*content)) : std::string();
}

std::string OptionsDigest(const Config& config) {
  return HexEncode(pki::Sha256(service::ToToml(config)));
}

v1::SigningKeyState StateOf(const StoredKey& key) {
  if (key.retired_at) return v1::SIGNING_KEY_STATE_RETIRED;
  return key.signs_from ? v1::SIGNING_KEY_STATE_SIGNING : v1::SIGNING_KEY_STATE_PUBLISHED;
}

std::string_view StateText(v1::SigningKeyState state) {
  switch (state) {
    case v1::SIGNING_KEY_STATE_PUBLISHED:
      return "the next one";
    case v1::SIGNING_KEY_STATE_SIGNING:
      return "signs";
    case v1::SIGNING_KEY_STATE_RETIRED:
      return "signs no more";
    default:
      return "?";
  }
}

std::string StatusText(const v1::GetStatusResponse& status, const Config& config) {
  std::string text =
      fmt::format("IWA           {}, {}, as IWA {}, since {}\n", Printable(status.name()),
                  status.primary() ? "primary" : "backup", Printable(status.version()),
                  FormatUtc(rpc::FromTimestamp(status.started_at())));
  text += fmt::format("Org           {}\n", status.registered() ? "knows it" : "does not know it");
  text +=
      fmt::format("Tokens        {}\n",
                  status.refusal().empty() ? "are issued" : "none: " + Printable(status.refusal()));
  std::vector<std::string> changed;
  if (status.options_digest() != OptionsDigest(config)) changed.emplace_back("options");
  for (const std::string& file : status.changed_files()) changed.push_back(Printable(file));
  text += changed.empty() ? "Configuration as it was at the start\n"
                          : fmt::format("Configuration changed: {}; a restart takes it up\n",
                                        fmt::join(changed, ", "));
  for (const v1::DomainStatus& domain : status.domains()) {
    text += fmt::format("Domain        {}, of forest {}: {}\n", Printable(domain.domain()),
                        Printable(domain.forest()),
                        domain.problem().empty() ? "good" : Printable(domain.problem()));
  }
  for (const v1::SigningKeyStatus& key : status.keys()) {
    text += fmt::format("Signing key   {}, of {}: {}\n", Printable(key.kid()),
                        FormatUtc(rpc::FromTimestamp(key.created_at())), StateText(key.state()));
  }
  return text;
}

}  // namespace

TakenUp::TakenUp(const Config& config) : options_digest_(OptionsDigest(config)) {
  Config copy = config;
  CollectFiles(service::OptionsOf(copy), "", files_);
  for (const auto& [option, path] : files_) digests_[option] = FileDigest(path);
}

std::vector<std::string> TakenUp::ChangedFiles() const {
  std::vector<std::string> changed;
  for (const auto& [option, path] : files_) {
    if (FileDigest(path) != digests_.at(option)) changed.push_back(option);
  }
  return changed;
}

grpc::Status StatusService::GetStatus(grpc::ServerContext* context,
                                      const v1::GetStatusRequest* /*request*/,
                                      v1::GetStatusResponse* response) {
  const absl::StatusOr<rpc::Caller> caller = rpc::CallerOf(*context);
  if (!caller.ok()) return rpc::ToGrpc(caller.status());
  if (caller->kind == rpc::Caller::Kind::kComponent && caller->name != parts_.config.name) {
    return rpc::ToGrpc(rpc::MakeError(
        absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
        "an IWA tells its status to administrators and to itself", caller->ToString(),
        "Use the configuration of this IWA, or an administrator's certificate."));
  }
  response->set_name(parts_.config.name);
  response->set_version(kIwaVersion);
  *response->mutable_started_at() = rpc::ToTimestamp(parts_.started_at);
  response->set_registered(parts_.registered());
  response->set_primary(parts_.config.primary);
  response->set_refusal(Printable(std::string(parts_.keys.forbidden().message())));
  response->set_options_digest(taken_up_.options_digest());
  for (std::string& option : taken_up_.ChangedFiles()) {
    response->add_changed_files(std::move(option));
  }
  for (const StoredKey& stored : parts_.keys.ring()->keys) {
    v1::SigningKeyStatus* key = response->add_keys();
    key->set_kid(stored.key.kid);
    key->set_state(StateOf(stored));
    *key->mutable_created_at() = rpc::ToTimestamp(stored.created_at);
  }
  for (const ForestTrusts::State& state : parts_.trusts.states()) {
    v1::DomainStatus* domain = response->add_domains();
    domain->set_domain(state.domain);
    domain->set_forest(state.forest);
    domain->set_problem(Printable(state.problem));
  }
  return grpc::Status::OK;
}

absl::StatusOr<std::string> AskStatus(const Config& config) {
  DT_ASSIGN_OR_RETURN(const auto component, service::Component::Load(config, config.name));
  DT_ASSIGN_OR_RETURN(HostPort address, ParseHostPort(config.internal_listen, "--internal-listen"));
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  const auto channel = rpc::NewChannel(component.Peer(
      fmt::format("{}:{}", address.host, address.port), config.name + ".devicetrust.internal"));
  const auto stub = v1::IwaStatusService::NewStub(channel);
  const auto status =
      rpc::Call(*stub, &v1::IwaStatusService::Stub::GetStatus, v1::GetStatusRequest());
  if (!status.ok()) {
    return Annotate(status.status(),
                    fmt::format("no IWA answers at --internal-listen {}", config.internal_listen));
  }
  return StatusText(*status, config);
}

}  // namespace devicetrust::iwa
