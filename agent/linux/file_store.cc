#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/linux/personal_store.h"
#include "libs/base/files.h"

namespace devicetrust::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPendingId = "pending";
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";

// The certificates and the key of a file; the latter may be missing.
struct Stored {
  std::vector<pki::Certificate> chain;
  bool has_key = false;
};

absl::StatusOr<Stored> ReadStored(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::size_t begin = text.find(kBegin);
  if (begin == std::string::npos) {
    return absl::DataLossError(path + ": holds no certificate");
  }
  Stored stored;
  auto chain = pki::CertificatesFromPem(std::string_view(text).substr(begin));
  if (!chain.ok() || chain->empty()) {
    return absl::DataLossError(fmt::format("{}: {}", path, std::string(chain.status().message())));
  }
  stored.chain = *std::move(chain);
  const auto key = pki::PrivateKey::FromPem(std::string_view(text).substr(0, begin));
  const auto certified = stored.chain.front().public_key();
  stored.has_key = key.ok() && certified.ok() && key->public_key() == *certified;
  return stored;
}

absl::Status Unlink(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("{}: cannot be deleted", path));
}

}  // namespace

std::string FileStore::PathOf(const pki::Certificate& certificate) const {
  return fmt::format("{}/{}.pem", folder_, certificate.serial_hex());
}

absl::StatusOr<std::vector<PersonalCertificate>> FileStore::Certificates() const {
  std::vector<PersonalCertificate> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() != ".pem") continue;
    DT_ASSIGN_OR_RETURN(Stored stored, ReadStored(entry.path().string()));
    const std::string serial = stored.chain.front().serial_hex();
    found.push_back({std::move(stored.chain.front()), stored.has_key, renewals_.Find(serial)});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::PermissionDeniedError(fmt::format("{}: {}", folder_, error.message()));
  }
  return found;
}

absl::Status FileStore::Install(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                                WallTime renew_at) {
  if (chain.empty() || key.id != kPendingId) {
    return absl::FailedPreconditionError("the key of this certificate is not in the store");
  }
  DT_ASSIGN_OR_RETURN(std::string text, ReadFile(pending()));
  for (const pki::Certificate& certificate : chain) text += certificate.Pem();
  DT_RETURN_IF_ERROR(renewals_.Set(chain.front().serial_hex(), renew_at));
  DT_RETURN_IF_ERROR(WriteFileAtomically(PathOf(chain.front()), text));
  return Unlink(pending());
}

absl::Status FileStore::Remove(const pki::Certificate& certificate) {
  DT_RETURN_IF_ERROR(Unlink(PathOf(certificate)));
  renewals_.Forget(certificate.serial_hex());
  return absl::OkStatus();
}

// A key is in its certificate's file; only the pending one may be left over.
absl::StatusOr<int> FileStore::RemoveOrphanKeys() {
  const std::optional<DeviceKey> pending_key = OpenPendingKey();
  if (!pending_key) return 0;
  DT_ASSIGN_OR_RETURN(const std::vector<PersonalCertificate> all, Certificates());
  for (const PersonalCertificate& one : all) {
    const auto certified = one.certificate.public_key();
    if (certified.ok() && *certified == pending_key->signer.public_key()) {
      DT_RETURN_IF_ERROR(Unlink(pending()));
      return 0;  // It is in the certificate's file.
    }
  }
  return 0;
}

absl::StatusOr<DeviceKey> FileStore::CreateKey() {
  std::error_code error;
  fs::create_directories(folder_, error);
  ::chmod(folder_.c_str(), 0700);
  DT_ASSIGN_OR_RETURN(pki::PrivateKey key, pki::PrivateKey::Generate());
  DT_RETURN_IF_ERROR(WriteFileAtomically(pending(), key.Pem()));
  return DeviceKey{kPendingId, std::move(key)};
}

std::optional<DeviceKey> FileStore::OpenPendingKey() const {
  const auto text = ReadFile(pending());
  if (!text.ok()) return std::nullopt;
  auto key = pki::PrivateKey::FromPem(*text);
  if (!key.ok()) return std::nullopt;
  return DeviceKey{kPendingId, *std::move(key)};
}

void FileStore::DeletePendingKey() { Unlink(pending()).IgnoreError(); }

}  // namespace devicetrust::agent
