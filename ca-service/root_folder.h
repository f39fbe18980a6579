// A root CA that is kept offline: a folder, on a machine that runs no service and reaches none.
#pragma once

#include <chrono>
#include <string>

#include "ca-service/authority_keys.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::ca {

// How the root's key is opened: one of the first two.
struct RootKeyOptions {
  std::string kek_file;  // Seals it in the folder: 64 hex digits, mode 0600.
  std::string key_uri;   // In a PKCS#11 token (RFC 7512).
  pki::Pkcs11Options pkcs11;
};

// The folder holds root.pem, the key (root.key, sealed) or where it is (root.uri), a copy of each
// certificate that it signed (issued/SERIAL.pem), what it took back (revoked/SERIAL), and the
// number of its last list. Whoever copies the folder has no key without the key-encryption key or
// the token. One process at a time.
class RootFolder {
 public:
  // Makes key, certificate and folder. kAlreadyExists: there is a root in it. kFailedPrecondition:
  // somebody is making one.
  static absl::StatusOr<RootFolder> Create(const std::string& path, const std::string& org,
                                           const RootKeyOptions& options, const Clock& clock,
                                           Random& random);
  // `options` without a URI: the one that the folder names. kNotFound: it is none.
  static absl::StatusOr<RootFolder> Open(const std::string& path, const RootKeyOptions& options,
                                         const Clock& clock, Random& random);

  const pki::Certificate& certificate() const { return root_.certificate; }

  // The certificate of an issuer, for a request whose possession was proven.
  absl::StatusOr<pki::Certificate> Certify(const pki::PublicKey& key, std::chrono::days validity);
  // From its next list on. kInvalidArgument: the root did not sign it. Idempotent.
  absl::Status Revoke(const pki::Certificate& issuer);
  // A new list of what it took back, DER, good for `validity`. Numbers and thisUpdate grow.
  absl::StatusOr<Bytes> MakeCrl(std::chrono::days validity);

 private:
  RootFolder(std::string path, std::string org, pki::Identity root, const Clock& clock,
             Random& random)
      : path_(std::move(path)),
        org_(std::move(org)),
        root_(std::move(root)),
        clock_(clock),
        random_(random) {}

  std::string File(const std::string& name) const { return path_ + "/" + name; }

  const std::string path_;
  const std::string org_;
  const pki::Identity root_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace devicetrust::ca
