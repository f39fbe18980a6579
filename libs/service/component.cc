#include "libs/service/component.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/pki/certificate.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/sealed_file.h"
#include "libs/rpc/caller.h"
#include "libs/service/metrics.h"

namespace devicetrust::service {
namespace {

absl::Status Missing(std::string_view option, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{} is missing: give {}", option, what));
}

// Of --NAME-cert and --NAME-key.
absl::StatusOr<rpc::Identity> LoadIdentity(std::string_view name, const std::string& certificate,
                                           const std::string& key) {
  const std::string cert_option = fmt::format("--{}-cert", name);
  const std::string key_option = fmt::format("--{}-key", name);
  if (certificate.empty()) return Missing(cert_option, "a PEM file");
  if (key.empty()) return Missing(key_option, "a PEM file");
  auto identity = rpc::LoadIdentity(certificate, key);
  if (!identity.ok()) {
    return Annotate(identity.status(), fmt::format("{} and {}", cert_option, key_option));
  }
  return identity;
}

rpc::ConnectionLimits EdgeConnections(const EdgeListenerConfig& config) {
  return {.connections_max = config.edge_connections_max,
          .connections_per_address_max = config.edge_connections_per_address_max,
          .memory_bytes_max = config.edge_memory_mib << 20,
          .handshake = std::chrono::milliseconds(config.edge_handshake_ms),
          .message = std::chrono::milliseconds(config.edge_message_ms),
          .idle = std::chrono::milliseconds(config.edge_idle_ms)};
}

absl::Status CheckNames(const std::string& certificate_pem, const std::string& org,
                        std::string_view self) {
  DT_ASSIGN_OR_RETURN(const auto chain, pki::CertificatesFromPem(certificate_pem));
  const std::vector<std::string> names = chain.front().uris();
  const auto named =
      names.size() == 1 ? rpc::ParseCaller(names.front()) : absl::UnauthenticatedError("");
  if (named.ok() && named->kind == rpc::Caller::Kind::kComponent && named->org == org &&
      (named->name == self || named->role == self)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("--internal-cert is of {}: give one of urn:devicetrust:{}:component:{}",
                  names.empty() ? "nobody" : names.front(), org, self));
}

// A certificate that another CA signed is refused by every component that we call, one by one.
absl::Status CheckSigner(const ComponentConfig& config, const std::string& certificate_pem,
                         const std::vector<pki::Certificate>& cas) {
  DT_ASSIGN_OR_RETURN(const auto chain, pki::CertificatesFromPem(certificate_pem));
  for (std::size_t at = 0; at < chain.size(); ++at) {  // The leaf, then intermediate CAs.
    for (const pki::Certificate& ca : cas) {
      if (pki::IsIssuedBy(chain[at], ca)) return absl::OkStatus();
    }
    if (at + 1 == chain.size() || !pki::IsIssuedBy(chain[at], chain[at + 1])) break;
  }
  return absl::InvalidArgumentError(fmt::format(
      "--internal-cert {} is not signed by a CA of --deployment-ca {}: its issuer is \"{}\"",
      config.internal_cert, config.deployment_ca, chain.front().issuer_common_name()));
}

// For whoever watches the metrics: when it must have been replaced.
absl::Status NoteExpiry(std::string_view option, const std::string& certificate_pem) {
  DT_ASSIGN_OR_RETURN(const auto chain, pki::CertificatesFromPem(certificate_pem));
  const std::int64_t ends = UnixSeconds(chain.front().not_after());
  kCertificateExpiry.With({option}).Set(static_cast<double>(ends));
  return absl::OkStatus();
}

// What changes when the file does.
std::string StampOf(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) status = {};
  return fmt::format("{} {} {} {}.{};", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

}  // namespace

absl::StatusOr<Component> Component::Load(const ComponentConfig& config, std::string_view self) {
  Component component;
  if (!rpc::IsName(config.org)) {
    return absl::InvalidArgumentError("--org must be 1 to 64 of a-z 0-9 . _ -");
  }
  component.org_ = config.org;
  DT_ASSIGN_OR_RETURN(component.identity_,
                      LoadIdentity("internal", config.internal_cert, config.internal_key));
  DT_RETURN_IF_ERROR(CheckNames(component.identity_.certificate_pem, config.org, self));
  if (config.deployment_ca.empty()) return Missing("--deployment-ca", "a PEM file");
  auto pem = ReadFile(config.deployment_ca);
  if (!pem.ok()) return Annotate(pem.status(), "--deployment-ca");
  auto cas = pki::CertificatesFromPem(*pem);
  if (!cas.ok()) {
    return Annotate(cas.status(), fmt::format("--deployment-ca {}", config.deployment_ca));
  }
  DT_RETURN_IF_ERROR(CheckSigner(config, component.identity_.certificate_pem, *cas));
  component.deployment_ca_pem_ = *std::move(pem);
  component.files_ = {config.internal_cert, config.internal_key, config.deployment_ca};
  DT_RETURN_IF_ERROR(NoteExpiry("internal-cert", component.identity_.certificate_pem));
  return component;
}

rpc::ChannelConfig Component::Peer(std::string address, std::string server_name) const {
  return {.address = std::move(address),
          .server_name = std::move(server_name),
          .trust_pem = deployment_ca_pem_,
          .identity = identity_,
          .files = files_};
}

rpc::ListenerConfig Component::InternalListener(const InternalListenerConfig& config) const {
  return {
      .name = "internal",
      .flag = "--internal-listen",
      .listen = config.internal_listen,
      .identity = identity_,
      .client_ca_pem = deployment_ca_pem_,
      .org = org_,
      .connections = {.connections_max = config.internal_connections_max,
                      .connections_per_address_max = config.internal_connections_per_address_max,
                      .memory_bytes_max = config.internal_memory_mib << 20}};
}

absl::StatusOr<std::shared_ptr<const rpc::GrantVerifier>> Component::Grants(
    const Clock& clock) const {
  return rpc::GrantVerifier::Create(org_, deployment_ca_pem_, clock);
}

GrantSource::GrantSource(std::string cert, std::string key, std::string stamp,
                         rpc::GrantSigner signer)
    : cert_(std::move(cert)),
      key_(std::move(key)),
      stamp_(std::move(stamp)),
      signer_(std::make_shared<const rpc::GrantSigner>(std::move(signer))) {}

absl::StatusOr<std::unique_ptr<GrantSource>> GrantSource::Create(const ComponentConfig& config) {
  std::string stamp = StampOf(config.internal_cert) + StampOf(config.internal_key);
  DT_ASSIGN_OR_RETURN(const rpc::Identity identity,
                      LoadIdentity("internal", config.internal_cert, config.internal_key));
  DT_ASSIGN_OR_RETURN(rpc::GrantSigner signer, rpc::GrantSigner::Create(identity));
  return std::unique_ptr<GrantSource>(new GrantSource(config.internal_cert, config.internal_key,
                                                      std::move(stamp), std::move(signer)));
}

absl::StatusOr<std::string> GrantSource::Sign(const access::v1::Grant& grant) {
  std::shared_ptr<const rpc::GrantSigner> signer;
  {
    const MutexLock lock(mutex_);
    std::string stamp = StampOf(cert_) + StampOf(key_);
    if (stamp != stamp_) {
      stamp_ = std::move(stamp);  // One that is bad is not read with each call.
      const auto identity = LoadIdentity("internal", cert_, key_);
      auto fresh = identity.ok() ? rpc::GrantSigner::Create(*identity) : identity.status();
      if (fresh.ok()) {
        signer_ = std::make_shared<const rpc::GrantSigner>(*std::move(fresh));
      } else {
        Log(LogLevel::kWarning, "grants.certificate.refused",
            {{"status", fresh.status().ToString()}});
      }
    }
    signer = signer_;
  }
  return signer->Sign(grant);
}

absl::StatusOr<rpc::ListenerConfig> EdgeListener(const std::string& org,
                                                 const EdgeListenerConfig& config) {
  DT_ASSIGN_OR_RETURN(rpc::Identity identity,
                      LoadIdentity("edge", config.edge_cert, config.edge_key));
  DT_RETURN_IF_ERROR(NoteExpiry("edge-cert", identity.certificate_pem));
  return rpc::ListenerConfig{.name = "edge",
                             .flag = "--edge-listen",
                             .listen = config.edge_listen,
                             .identity = std::move(identity),
                             .client_ca_pem = {},
                             .org = org,
                             .message_bytes_max = rpc::kEdgeMessageBytesMax,
                             .connections = EdgeConnections(config)};
}

absl::StatusOr<pki::AeadKey> LoadKek(const StoreConfig& config) {
  if (config.kek_file.empty()) return Missing("--kek-file", "a file of 64 hex digits, mode 0600");
  auto key = pki::LoadKeyEncryptionKey(config.kek_file);
  if (!key.ok()) return Annotate(key.status(), "--kek-file");
  return key;
}

absl::Status CheckCanWrite(std::string_view option, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const std::string folder = path.find('/') == std::string::npos
                                 ? "."
                                 : path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  const auto refused = [&](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("{} {}: {}", option, path, what));
  };
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
    return refused(fmt::format("there is no folder {}; make it", folder));
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return refused(fmt::format("this account may not write to the folder {}", folder));
  }
  if (::stat(path.c_str(), &facts) != 0) return absl::OkStatus();
  if (S_ISDIR(facts.st_mode)) return refused("that is a folder; name a file");
  if (::access(path.c_str(), W_OK) != 0) return refused("this account may not write to it");
  return absl::OkStatus();
}

absl::Status CheckStore(std::string_view option, const std::string& url) {
  constexpr std::string_view kScheme = "sqlite:";
  if (!url.starts_with(kScheme) || url.size() == kScheme.size()) {
    return absl::InvalidArgumentError(fmt::format("{} {}: not sqlite:PATH", option, url));
  }
  const std::string path = url.substr(kScheme.size());
  return path == ":memory:" ? absl::OkStatus() : CheckCanWrite(option, path);
}

}  // namespace devicetrust::service
