// One NSS database (cert9.db, key4.db), the store of certificates that Chromium and Firefox read on
// Linux, through NSS itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/key.h"

namespace devicetrust::agent {

// What keys of ours are labelled with, so that they can be told from others'.
inline constexpr std::string_view kPendingLabel = "Device Trust (pending)";
inline constexpr std::string_view kKeyLabel = "Device Trust";

// An open database. NSS is one for the whole process, so at most one is open at a time: Open()
// waits for the thread that has one. Browsers may run meanwhile: each call is one transaction of
// NSS.
//
// Errors of all calls: kUnavailable somebody holds the database, or it is busy; kPermissionDenied
// it is read-only or belongs to somebody else; kFailedPrecondition it is protected by a password;
// kDataLoss it is damaged. Each message names the folder.
class NssDatabase {
 public:
  // `create`: folder and database are made when there are none, mode 0700; else kNotFound.
  static absl::StatusOr<NssDatabase> Open(const std::string& folder, bool create);
  NssDatabase(NssDatabase&&) noexcept;
  NssDatabase& operator=(NssDatabase&&) noexcept;
  ~NssDatabase();

  struct Entry {
    pki::Certificate certificate;
    bool has_key;
  };
  // Those that parse; with a key or without.
  std::vector<Entry> Certificates() const;

  struct Key {
    std::string id;  // Hex of CKA_ID.
    std::string label;
    pki::PublicKey public_key;
    bool has_certificate;
  };
  // Makes a P-256 key in the database. NSS lets the user that may read the files export it, as it
  // does with every software key.
  absl::StatusOr<Key> CreateKey(std::string_view label);
  // Those whose label begins with kKeyLabel.
  std::vector<Key> OurKeys() const;
  absl::Status Relabel(const std::string& id, std::string_view label);
  // kNotFound: there is none.
  absl::Status DeleteKey(const std::string& id);
  // ECDSA over `digest`: r and s. kFailedPrecondition: the key is gone.
  absl::StatusOr<Bytes> Sign(const std::string& id, std::span<const std::uint8_t> digest) const;

  // OK when that very certificate is there already.
  absl::Status Import(const pki::Certificate& certificate, const std::string& nickname);
  // That very certificate, told by its octets, then its key unless another certificate has the
  // same. OK when it is not there.
  absl::Status Remove(const pki::Certificate& certificate);

  // The key of a certificate, encrypted under `secret`, for another database.
  absl::StatusOr<Bytes> ExportKey(const pki::Certificate& certificate, const std::string& secret);
  // The key of `certificate`, from ExportKey() of another database.
  absl::Status ImportKey(const pki::Certificate& certificate, const Bytes& exported,
                         const std::string& secret);

 private:
  struct State;
  explicit NssDatabase(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Signs with a key of the database in `folder`, which is open while a signature is made only.
absl::StatusOr<pki::Signer> SignerInDatabase(const std::string& folder,
                                             const NssDatabase::Key& key);

}  // namespace devicetrust::agent
