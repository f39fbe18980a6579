#include "simulator/handshake/client_certificates.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/pki/crl.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::simulator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBundleBytesMax = std::size_t{512} * 1024 * 1024;
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr const char* kClientsFile = "clients.pem";
constexpr const char* kRevokedFile = "revoked.pem";

// The next PEM block of `text` from `at`, which moves behind it. Empty at the end, and for a block
// without one.
std::string_view NextBlock(std::string_view text, std::size_t& at) {
  const std::size_t begin = text.find(kBegin, at);
  if (begin == std::string_view::npos) return {};
  const std::size_t end_mark = text.find("-----END ", begin);
  const std::size_t end =
      end_mark == std::string_view::npos ? std::string_view::npos : text.find('\n', end_mark);
  at = end == std::string_view::npos ? text.size() : end + 1;
  return text.substr(begin, at - begin);
}

bool IsKey(std::string_view block) {
  return block.substr(0, block.find('\n')).find("PRIVATE KEY") != std::string_view::npos;
}

absl::Status InFile(const absl::Status& status, const std::string& path) {
  return absl::Status(status.code(), fmt::format("{}: {}", path, std::string(status.message())));
}

absl::Status TooMany(const std::string& path) {
  return absl::InvalidArgumentError(
      fmt::format("{} holds more than {} certificates", path, kClientCertificatesMax));
}

absl::StatusOr<std::vector<pki::Identity>> ReadBundle(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kBundleBytesMax));
  std::vector<pki::Identity> identities;
  std::string chain;
  std::size_t at = 0;
  for (std::string_view block = NextBlock(text, at); !block.empty(); block = NextBlock(text, at)) {
    if (!IsKey(block)) {
      chain += block;
      continue;
    }
    absl::StatusOr<pki::Identity> identity = pki::IdentityFromPem(chain, block);
    if (!identity.ok()) {
      return InFile(identity.status(), fmt::format("{}, key {}", path, identities.size() + 1));
    }
    if (identities.size() == kClientCertificatesMax) return TooMany(path);
    identities.push_back(*std::move(identity));
    chain.clear();
  }
  if (!chain.empty()) {
    return absl::InvalidArgumentError(
        path + " ends with a certificate without its key: each chain is followed by its key");
  }
  if (identities.empty()) {
    return absl::NotFoundError(path + " holds no certificate with its private key, as PEM");
  }
  return identities;
}

absl::StatusOr<pki::Identity> ReadPair(const fs::path& chain_file) {
  fs::path key_file = chain_file;
  key_file.replace_extension(".key");
  DT_ASSIGN_OR_RETURN(const std::string chain, ReadFile(chain_file.string()));
  DT_ASSIGN_OR_RETURN(const std::string key, ReadFile(key_file.string()));
  absl::StatusOr<pki::Identity> identity = pki::IdentityFromPem(chain, key);
  if (!identity.ok()) return InFile(identity.status(), chain_file.string());
  return identity;
}

absl::StatusOr<std::vector<pki::Identity>> ReadPairs(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    fs::path key = entry.path();
    if (entry.path().extension() != ".crt" && entry.path().extension() != ".pem") continue;
    if (fs::exists(key.replace_extension(".key"))) files.push_back(entry.path());
  }
  if (error) return absl::NotFoundError(fmt::format("{}: {}", folder, error.message()));
  if (files.empty()) {
    return absl::NotFoundError(folder + " holds no NAME.pem or NAME.crt with its NAME.key");
  }
  if (files.size() > kClientCertificatesMax) return TooMany(folder);
  std::ranges::sort(files);  // The same folder, the same order.
  std::vector<pki::Identity> identities;
  for (const fs::path& file : files) {
    DT_ASSIGN_OR_RETURN(pki::Identity identity, ReadPair(file));
    identities.push_back(std::move(identity));
  }
  return identities;
}

// The list of each authority as PEM; only the first one's has entries.
absl::StatusOr<std::string> MakeLists(const FolderPlan& plan,
                                      const std::vector<pki::Identity>& authorities,
                                      const std::vector<pki::Identity>& revoked, WallTime now) {
  SystemRandom random;
  pki::Crl list{
      .number = UnixSeconds(now), .this_update = now, .next_update = now + std::chrono::days(30)};
  for (const pki::Identity& identity : revoked) {
    list.revoked.push_back({.serial_hex = identity.certificate.serial_hex(), .revoked_at = now});
  }
  while (list.revoked.size() < plan.revoked_in_all) {
    DT_ASSIGN_OR_RETURN(std::string serial, pki::NewSerial(now, random));
    list.revoked.push_back({.serial_hex = std::move(serial), .revoked_at = now});
  }
  std::string pem;
  for (const pki::Identity& authority : authorities) {
    DT_ASSIGN_OR_RETURN(const Bytes der, pki::BuildCrl(list, authority));
    pem += pki::CrlToPem(der);
    list.revoked.clear();
  }
  return pem;
}

}  // namespace

absl::StatusOr<std::vector<pki::Identity>> ReadClientCertificates(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) ? ReadPairs(path) : ReadBundle(path);
}

absl::StatusOr<ClientCertificates> ReadClientCertificatesAndRevoked(const std::string& path) {
  const std::string clients = path + "/" + kClientsFile;
  const std::string revoked = path + "/" + kRevokedFile;
  std::error_code error;
  ClientCertificates certificates;
  DT_ASSIGN_OR_RETURN(certificates.current,
                      ReadClientCertificates(fs::exists(clients, error) ? clients : path));
  if (fs::exists(revoked, error)) {
    DT_ASSIGN_OR_RETURN(certificates.revoked, ReadBundle(revoked));
  }
  return certificates;
}

void MakeDevices(const pki::Identity& ca, const std::string& org, std::size_t count, WallTime now,
                 std::vector<pki::Identity>& to, std::string* pem) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string id = fmt::format("load-{:06}", to.size());
    const pki::ExportableIdentity device =
        throwaway::NewDevice(org, id, "enrollment-of-" + id, ca, now);
    if (pem != nullptr) *pem += device.certificate.Pem() + device.key.Pem();
    to.push_back(device);
  }
}

absl::Status MakeFolder(const FolderPlan& plan, const std::string& folder, WallTime now) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return absl::InternalError(fmt::format("{}: {}", folder, error.message()));
  std::vector<pki::Identity> authorities = plan.authorities;
  if (authorities.empty()) authorities.push_back(throwaway::NewCa("Throw-away client CA", now));
  ClientCertificates made;
  std::string clients;
  std::string revoked;
  MakeDevices(authorities[0], plan.org, plan.certificates, now, made.current, &clients);
  MakeDevices(authorities[0], plan.org, plan.revoked, now, made.revoked, &revoked);
  DT_ASSIGN_OR_RETURN(const std::string lists, MakeLists(plan, authorities, made.revoked, now));
  std::string ca_pem;
  for (const pki::Identity& authority : authorities) ca_pem += authority.certificate.Pem();
  throwaway::ThrowawayPki servers("load", now);
  const pki::ExportableIdentity& server = servers.Server("server", {plan.server_name});

  const auto write = [&folder](const char* name, std::string_view data) {
    return WriteFileAtomically(folder + "/" + name, data);
  };
  DT_RETURN_IF_ERROR(write("ca.pem", ca_pem));
  DT_RETURN_IF_ERROR(write("crl.pem", lists));
  DT_RETURN_IF_ERROR(write(kClientsFile, clients));
  if (!revoked.empty()) DT_RETURN_IF_ERROR(write(kRevokedFile, revoked));
  DT_RETURN_IF_ERROR(write("server-ca.pem", servers.web_ca().certificate.Pem()));
  DT_RETURN_IF_ERROR(write("server.key", server.key.Pem()));
  return write("server.pem", server.certificate.Pem());
}

}  // namespace devicetrust::simulator
