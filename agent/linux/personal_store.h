// The user's personal certificate store on Linux, which keeps the keys too (computer.h says what
// each call promises). Two kinds: the NSS databases of browsers, and PEM files.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/computer.h"
#include "libs/base/random.h"

namespace devicetrust::agent {

class PersonalStore {
 public:
  virtual ~PersonalStore() = default;
  virtual absl::StatusOr<std::vector<PersonalCertificate>> Certificates() const = 0;
  virtual absl::Status Install(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                               WallTime renew_at) = 0;
  virtual absl::Status Remove(const pki::Certificate& certificate) = 0;
  virtual absl::StatusOr<int> RemoveOrphanKeys() = 0;
  virtual absl::StatusOr<DeviceKey> CreateKey() = 0;
  virtual std::optional<DeviceKey> OpenPendingKey() const = 0;
  virtual void DeletePendingKey() = 0;
  // Where it is, for people.
  virtual std::vector<std::string> Places() const = 0;
};

// The moments at which certificates are renewed, by serial, in one file: NSS has no place for them.
// A file that is gone or damaged is an empty one.
class RenewalFile {
 public:
  explicit RenewalFile(std::string path) : path_(std::move(path)) {}
  std::optional<WallTime> Find(const std::string& serial) const;
  absl::Status Set(const std::string& serial, WallTime renew_at) const;
  void Forget(const std::string& serial) const;

 private:
  std::map<std::string, std::int64_t> Read() const;
  absl::Status Write(const std::map<std::string, std::int64_t>& moments) const;
  const std::string path_;
};

// The databases below `home` that browsers read, Chromium's first, which is ~/.pki/nssdb unless
// there is none and a newer place is used; then those of Firefox profiles.
std::vector<std::string> BrowserDatabases(const std::string& home);

// Keys are made in the first database. Once its certificate is there, both are copied to the
// others, also to a profile that is made later (Share()).
class NssStore final : public PersonalStore {
 public:
  // `random` must outlive it.
  NssStore(std::string home, std::string renewals, Random& random)
      : home_(std::move(home)), renewals_(std::move(renewals)), random_(random) {}

  absl::StatusOr<std::vector<PersonalCertificate>> Certificates() const override;
  absl::Status Install(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                       WallTime renew_at) override;
  absl::Status Remove(const pki::Certificate& certificate) override;
  absl::StatusOr<int> RemoveOrphanKeys() override;
  absl::StatusOr<DeviceKey> CreateKey() override;
  std::optional<DeviceKey> OpenPendingKey() const override;
  void DeletePendingKey() override;
  std::vector<std::string> Places() const override { return BrowserDatabases(home_); }

  // Copies each certificate of ours that has a key to the databases that lack it.
  absl::Status Share();

 private:
  const std::string home_;
  const RenewalFile renewals_;
  Random& random_;
};

// One file for each certificate, SERIAL.pem: key, certificate, issuers; and pending.key. Mode 0600.
// For programs that take files, such as curl.
class FileStore final : public PersonalStore {
 public:
  FileStore(std::string folder, std::string renewals)
      : folder_(std::move(folder)), renewals_(std::move(renewals)) {}

  absl::StatusOr<std::vector<PersonalCertificate>> Certificates() const override;
  absl::Status Install(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                       WallTime renew_at) override;
  absl::Status Remove(const pki::Certificate& certificate) override;
  absl::StatusOr<int> RemoveOrphanKeys() override;
  absl::StatusOr<DeviceKey> CreateKey() override;
  std::optional<DeviceKey> OpenPendingKey() const override;
  void DeletePendingKey() override;
  std::vector<std::string> Places() const override { return {folder_}; }

 private:
  std::string PathOf(const pki::Certificate& certificate) const;
  std::string pending() const { return folder_ + "/pending.key"; }

  const std::string folder_;
  const RenewalFile renewals_;
};

}  // namespace devicetrust::agent
