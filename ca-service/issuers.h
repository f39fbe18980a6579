#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ca-service/issuer.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"

namespace devicetrust::ca {

// The issuers whose certificates are good at one moment. Never changes; never empty.
struct IssuerSet {
  // The active one first, which signs new certificates; then those that are accepted and sign
  // their lists alone, the one whose certificate ends last first.
  std::vector<std::shared_ptr<const Issuer>> all;

  const Issuer& active() const { return *all.front(); }
  const Issuer* Find(std::string_view id) const;  // Null: there is none, or it has expired.
};

// The CA's issuers, and how they change while it serves: a new one is added as accepted, and
// becomes active once every gateway has had time to fetch it. Their keys lie in the store, sealed
// with the key-encryption key; a root's key is opened only to certify an issuer, and to sign the
// root's list. Thread-safe.
class Issuers {
 public:
  struct Config {
    std::string org;
    pki::AeadKey kek;
  };

  // Loads them or, in an empty store, makes a root for 20 years and one issuer, active, for 10;
  // keys are P-256. Accepted issuers that have expired are left out. The references must outlive
  // it.
  //
  // Errors: kNotFound, kPermissionDenied: sealed with another KEK. kFailedPrecondition: the
  // active issuer's certificate has expired. Those of the store.
  static absl::StatusOr<std::unique_ptr<Issuers>> Open(Config config, db::Database& database,
                                                       const Clock& clock, Random& random);

  // A look-up; callers keep the set for one request and ask again for the next.
  std::shared_ptr<const IssuerSet> Current() const { return current_.Get(); }

  // Makes an issuer with a key of its own below the root, accepted; returns its id. It is in the
  // store and in Current() then.
  absl::StatusOr<std::string> Add();

  // Signs a list of the issuers of one root that were taken back; opens the root's key for it.
  // kNotFound: no such root. Those of Open().
  absl::StatusOr<Bytes> SignRootCrl(const std::string& root_id, const pki::Crl& crl) const;

  // From now on `id` signs new certificates, and the active one before it is accepted.
  // Idempotent. kNotFound: no such issuer. kFailedPrecondition: it has expired.
  absl::Status Activate(const std::string& id);

 private:
  Issuers(Config config, db::Database& database, const Clock& clock, Random& random)
      : config_(std::move(config)), database_(database), clock_(clock), random_(random) {}

  // The root with its key, out of the store and the seal.
  absl::StatusOr<pki::Identity> OpenRoot(const std::string& root_id) const;
  absl::Status Create() ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  // Makes the set of what is in the store now.
  absl::Status Reload() ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);

  const Config config_;
  db::Database& database_;
  const Clock& clock_;
  Random& random_;
  Mutex change_mutex_;  // One change at a time.
  Snapshot<IssuerSet> current_;
};

}  // namespace devicetrust::ca
