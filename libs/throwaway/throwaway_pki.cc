#include "libs/throwaway/throwaway_pki.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "libs/base/random.h"

namespace devicetrust::throwaway {
namespace {

pki::CertificateSpec Spec(const std::string& name, pki::Usage usage, WallTime now) {
  SystemRandom random;
  return {.common_name = name,
          .serial_hex = pki::NewSerial(now, random).value(),
          .usage = usage,
          .not_before = now - std::chrono::hours{1},
          .not_after = now + std::chrono::days{365}};
}

pki::ExportableIdentity Issue(const pki::CertificateSpec& spec, const pki::Identity& ca) {
  pki::PrivateKey key = pki::PrivateKey::Generate().value();
  pki::Certificate certificate = pki::SignCertificate(spec, key.public_key(), ca).value();
  return {std::move(certificate), std::move(key)};
}

// Plain writing: nobody reads these files after the run, so no fsync.
absl::Status Write(const std::filesystem::path& path, const std::string& data) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = file >= 0 && fchmod(file, 0600) == 0 &&
                       write(file, data.data(), data.size()) == static_cast<ssize_t>(data.size());
  const int error = errno;
  if (file >= 0) close(file);
  if (written) return absl::OkStatus();
  return absl::InternalError(fmt::format("{}: {}", path.string(), std::strerror(error)));
}

}  // namespace

pki::ExportableIdentity NewCa(const std::string& name, WallTime now) {
  pki::PrivateKey key = pki::PrivateKey::Generate().value();
  pki::Certificate certificate = pki::SignSelf(Spec(name, pki::Usage::kCa, now), key).value();
  return {std::move(certificate), std::move(key)};
}

pki::ExportableIdentity NewIdentity(const std::string& name, pki::Usage usage,
                                    const pki::Identity& ca, WallTime now) {
  return Issue(Spec(name, usage, now), ca);
}

pki::ExportableIdentity NewDevice(const std::string& org, const std::string& device_id,
                                  const std::string& enrollment_id, const pki::Identity& device_ca,
                                  WallTime now) {
  pki::CertificateSpec spec = Spec(device_id, pki::Usage::kClientAuth, now);
  spec.uris = {fmt::format("urn:devicetrust:{}:device:{}", org, device_id),
               fmt::format("urn:devicetrust:{}:enrollment:{}", org, enrollment_id)};
  return Issue(spec, device_ca);
}

ThrowawayPki::ThrowawayPki(std::string org, WallTime now)
    : org_(std::move(org)),
      now_(now),
      deployment_ca_(NewCa("Throw-away deployment CA", now)),
      web_ca_(NewCa("Throw-away web CA", now)) {}

const pki::ExportableIdentity& ThrowawayPki::Keep(const std::string& file,
                                                  const pki::CertificateSpec& spec,
                                                  const pki::Identity& ca) {
  if (const auto it = made_.find(file); it != made_.end()) return it->second;
  return made_.emplace(file, Issue(spec, ca)).first->second;
}

const pki::ExportableIdentity& ThrowawayPki::Component(const std::string& name) {
  pki::CertificateSpec spec = Spec(name, pki::Usage::kServerAndClientAuth, now_);
  spec.uris = {fmt::format("urn:devicetrust:{}:component:{}", org_, name)};
  spec.dns_names = {"localhost", name + ".devicetrust.internal"};
  spec.ip_addresses = {"127.0.0.1"};
  return Keep(name, spec, deployment_ca_);
}

const pki::ExportableIdentity& ThrowawayPki::Admin(const std::string& name) {
  pki::CertificateSpec spec = Spec(name, pki::Usage::kClientAuth, now_);
  spec.uris = {fmt::format("urn:devicetrust:{}:admin:{}", org_, name)};
  return Keep("admin-" + name, spec, deployment_ca_);
}

const pki::ExportableIdentity& ThrowawayPki::Server(const std::string& name,
                                                    const std::vector<std::string>& dns_names) {
  pki::CertificateSpec spec = Spec(name, pki::Usage::kServerAuth, now_);
  spec.dns_names = dns_names;
  spec.ip_addresses = {"127.0.0.1"};
  return Keep(name, spec, web_ca_);
}

absl::Status ThrowawayPki::WriteTo(const std::string& dir) const {
  const std::filesystem::path folder(dir);
  std::error_code error;
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) return absl::InternalError(fmt::format("{}: {}", dir, error.message()));
  if (made) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  DT_RETURN_IF_ERROR(Write(folder / "deployment-ca.pem", deployment_ca_.certificate.Pem()));
  DT_RETURN_IF_ERROR(Write(folder / "web-ca.pem", web_ca_.certificate.Pem()));
  for (const auto& [name, identity] : made_) {
    DT_RETURN_IF_ERROR(Write(folder / (name + ".pem"), identity.certificate.Pem()));
    DT_RETURN_IF_ERROR(Write(folder / (name + ".key"), identity.key.Pem()));
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::throwaway
