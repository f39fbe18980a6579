#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "agent/linux/nss_database.h"
#include "agent/linux/personal_store.h"
#include "libs/base/files.h"
#include "libs/base/random_id.h"

namespace devicetrust::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSecretOctets = 32;
constexpr std::size_t kProfilesMax = 64;

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The folders of the profiles that Firefox lists in `root`/profiles.ini.
void AddProfiles(const std::string& root, std::vector<std::string>& folders) {
  const auto text = ReadFile(root + "/profiles.ini");
  if (!text.ok()) return;
  std::istringstream lines(*text);
  bool relative = true;
  std::string line;
  while (std::getline(lines, line) && folders.size() < kProfilesMax) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.starts_with('[')) relative = true;
    if (line == "IsRelative=0") relative = false;
    if (!line.starts_with("Path=")) continue;
    const std::string path = line.substr(5);
    const std::string folder = relative ? root + "/" + path : path;
    // A profile that was never opened has no database yet: it gets one when it is shared to.
    if (Exists(folder) && std::ranges::find(folders, folder) == folders.end()) {
      folders.push_back(folder);
    }
  }
}

std::string NicknameOf(const pki::Certificate& certificate) {
  return fmt::format("Device Trust {}", certificate.common_name());
}

bool IsOurs(const pki::Certificate& certificate) {
  return certificate.issuer_common_name() == kIssuerCommonName;
}

}  // namespace

std::vector<std::string> BrowserDatabases(const std::string& home) {
  std::vector<std::string> folders;
  const std::string classic = home + "/.pki/nssdb";
  // Where Chromium looks when there is no ~/.pki, and where packages of other kinds have their
  // home.
  for (const std::string& other :
       {home + "/.local/share/pki/nssdb", home + "/snap/chromium/current/.pki/nssdb"}) {
    if (Exists(other + "/cert9.db")) folders.push_back(other);
  }
  if (folders.empty() || Exists(classic)) folders.insert(folders.begin(), classic);
  for (const char* root :
       {"/.mozilla/firefox", "/.config/mozilla/firefox", "/snap/firefox/common/.mozilla/firefox",
        "/.var/app/org.mozilla.firefox/.mozilla/firefox"}) {
    AddProfiles(home + root, folders);
  }
  return folders;
}

absl::StatusOr<std::vector<PersonalCertificate>> NssStore::Certificates() const {
  std::vector<PersonalCertificate> found;
  for (const std::string& folder : BrowserDatabases(home_)) {
    auto database = NssDatabase::Open(folder, /*create=*/false);
    if (absl::IsNotFound(database.status())) continue;
    if (!database.ok()) return database.status();
    for (NssDatabase::Entry& entry : database->Certificates()) {
      const auto same = std::ranges::find_if(found, [&](const PersonalCertificate& one) {
        return one.certificate.Fingerprint() == entry.certificate.Fingerprint();
      });
      if (same != found.end()) {
        same->has_key = same->has_key || entry.has_key;
        continue;
      }
      found.push_back({std::move(entry.certificate), entry.has_key, {}});
    }
  }
  for (PersonalCertificate& one : found) {
    if (IsOurs(one.certificate)) one.renew_at = renewals_.Find(one.certificate.serial_hex());
  }
  return found;
}

absl::Status NssStore::Install(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                               WallTime renew_at) {
  if (chain.empty()) return absl::InvalidArgumentError("there is no certificate to install");
  const std::string first = BrowserDatabases(home_).front();
  DT_RETURN_IF_ERROR(renewals_.Set(chain.front().serial_hex(), renew_at));
  {
    DT_ASSIGN_OR_RETURN(NssDatabase database, NssDatabase::Open(first, /*create=*/true));
    DT_RETURN_IF_ERROR(database.Import(chain.front(), NicknameOf(chain.front())));
    DT_RETURN_IF_ERROR(database.Relabel(key.id, kKeyLabel));
  }
  // A profile that is busy now gets it at the next run.
  Share().IgnoreError();
  return absl::OkStatus();
}

absl::Status NssStore::Share() {
  const std::vector<std::string> folders = BrowserDatabases(home_);
  DT_ASSIGN_OR_RETURN(const std::string secret, NewRandomHex(kSecretOctets, random_));
  struct Shared {
    pki::Certificate certificate;
    Bytes key;
  };
  std::vector<Shared> all;
  for (const std::string& folder : folders) {
    auto database = NssDatabase::Open(folder, /*create=*/false);
    if (!database.ok()) continue;
    for (const NssDatabase::Entry& entry : database->Certificates()) {
      const bool known = std::ranges::any_of(all, [&](const Shared& one) {
        return one.certificate.Fingerprint() == entry.certificate.Fingerprint();
      });
      if (known || !entry.has_key || !IsOurs(entry.certificate)) continue;
      DT_ASSIGN_OR_RETURN(Bytes key, database->ExportKey(entry.certificate, secret));
      all.push_back({entry.certificate, std::move(key)});
    }
  }
  absl::Status status;
  for (const std::string& folder : folders) {
    if (all.empty()) break;
    auto database = NssDatabase::Open(folder, /*create=*/true);
    if (!database.ok()) {
      status.Update(database.status());
      continue;
    }
    const std::vector<NssDatabase::Entry> there = database->Certificates();
    for (const Shared& one : all) {
      const bool has = std::ranges::any_of(there, [&](const NssDatabase::Entry& entry) {
        return entry.has_key && entry.certificate.Fingerprint() == one.certificate.Fingerprint();
      });
      if (has) continue;
      // The key first: a certificate without one is offered to nobody.
      absl::Status copied = database->ImportKey(one.certificate, one.key, secret);
      if (copied.ok()) copied = database->Import(one.certificate, NicknameOf(one.certificate));
      status.Update(copied);
    }
  }
  return status;
}

absl::Status NssStore::Remove(const pki::Certificate& certificate) {
  for (const std::string& folder : BrowserDatabases(home_)) {
    auto database = NssDatabase::Open(folder, /*create=*/false);
    if (absl::IsNotFound(database.status())) continue;
    if (!database.ok()) return database.status();
    DT_RETURN_IF_ERROR(database->Remove(certificate));
  }
  renewals_.Forget(certificate.serial_hex());
  return absl::OkStatus();
}

absl::StatusOr<int> NssStore::RemoveOrphanKeys() {
  int removed = 0;
  bool first = true;
  for (const std::string& folder : BrowserDatabases(home_)) {
    const bool keeps_pending = std::exchange(first, false);
    auto database = NssDatabase::Open(folder, /*create=*/false);
    if (absl::IsNotFound(database.status())) continue;
    if (!database.ok()) return database.status();
    bool pending_seen = false;
    for (const NssDatabase::Key& key : database->OurKeys()) {
      const bool pending = key.label == kPendingLabel;
      if (key.has_certificate) {
        if (pending) DT_RETURN_IF_ERROR(database->Relabel(key.id, kKeyLabel));
        continue;
      }
      if (pending && keeps_pending && !std::exchange(pending_seen, true)) continue;
      DT_RETURN_IF_ERROR(database->DeleteKey(key.id));
      ++removed;
    }
  }
  return removed;
}

absl::StatusOr<DeviceKey> NssStore::CreateKey() {
  const std::string folder = BrowserDatabases(home_).front();
  std::optional<NssDatabase::Key> key;
  {
    DT_ASSIGN_OR_RETURN(NssDatabase database, NssDatabase::Open(folder, /*create=*/true));
    for (const NssDatabase::Key& older : database.OurKeys()) {
      if (older.label == kPendingLabel && !older.has_certificate) {
        DT_RETURN_IF_ERROR(database.DeleteKey(older.id));
      }
    }
    DT_ASSIGN_OR_RETURN(key, database.CreateKey(kPendingLabel));
  }
  DT_ASSIGN_OR_RETURN(pki::Signer signer, SignerInDatabase(folder, *key));
  return DeviceKey{key->id, std::move(signer)};
}

std::optional<DeviceKey> NssStore::OpenPendingKey() const {
  const std::string folder = BrowserDatabases(home_).front();
  std::optional<NssDatabase::Key> pending;
  {
    const auto database = NssDatabase::Open(folder, /*create=*/false);
    if (!database.ok()) return std::nullopt;
    for (NssDatabase::Key& key : database->OurKeys()) {
      if (key.label == kPendingLabel && !key.has_certificate) pending = std::move(key);
    }
  }
  if (!pending) return std::nullopt;
  auto signer = SignerInDatabase(folder, *pending);
  if (!signer.ok()) return std::nullopt;
  return DeviceKey{pending->id, *std::move(signer)};
}

void NssStore::DeletePendingKey() {
  auto database = NssDatabase::Open(BrowserDatabases(home_).front(), /*create=*/false);
  if (!database.ok()) return;
  for (const NssDatabase::Key& key : database->OurKeys()) {
    // One that stays is deleted by the next CreateKey().
    if (key.label == kPendingLabel) database->DeleteKey(key.id).IgnoreError();
  }
}

}  // namespace devicetrust::agent
