#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ca-service/authority_keys.h"
#include "ca-service/issuer.h"
#include "ca-service/issuer_store.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// How long an issuer is published before it may sign. A gateway asks for issuers each second and
// trusts no device once the CA has been silent for five, so each that trusts any knows it by then;
// whoever else follows the contract asks every few minutes.
inline constexpr std::chrono::minutes kPublishedFor{10};

// Whether a list that its root signed may be published. kInvalidArgument: it is a delta or a part,
// or has ended.
absl::Status CheckRootCrl(const pki::Crl& crl, WallTime now);

// The issuers whose certificates are good at one moment. Never changes; never empty.
struct IssuerSet {
  // The active one first, which signs new certificates; then those that are accepted and sign
  // their lists alone, the one whose certificate ends last first.
  std::vector<std::shared_ptr<const Issuer>> all;
  // The roots whose keys are elsewhere, with the list that was brought last; null: none yet.
  std::map<std::string, std::shared_ptr<const StoredCrl>, std::less<>> offline_roots;

  const Issuer& active() const { return *all.front(); }
  const Issuer* Find(std::string_view id) const;  // Null: there is none, or it has expired.
};

// One issuer as an administrator sees it. Times are Unix seconds, 0: not yet.
struct IssuerReport {
  std::shared_ptr<const Issuer> issuer;
  bool is_active = false;
  std::string key_uri;  // Of a key in a token; else empty.
  std::int64_t published_at = 0;
  std::int64_t usable_from = 0;
  std::int64_t activated_at = 0;
  std::int64_t last_expiry = 0;  // Of the certificates that it issued.
};

struct RootReport {
  pki::Certificate certificate;
  bool key_is_here = false;
  std::int64_t list_ends_at = 0;  // Of one whose key is elsewhere; 0: no list was brought.
};

struct IssuersReport {
  std::vector<IssuerReport> issuers;  // As in IssuerSet.
  std::vector<RootReport> roots;
  std::vector<StoredIssuerRequest> requests;
};

// The CA's issuers, and how they change while it serves. A new one is accepted first: gateways take
// its certificates, and it signs nothing but its list. Once everybody has had time to hear of it,
// it becomes active. The one before stays accepted until its last certificate has ended. A root's
// key, where it is here at all, is opened only to certify an issuer and to sign the root's list.
// Thread-safe.
//
// Errors of those that change something, besides the ones named: rpc::StoreError().
class Issuers {
 public:
  struct Config {
    std::string org;
    pki::AeadKey kek;
    std::string first_key = {};  // URI of the first issuer's key; empty: it is made.
    pki::Pkcs11Options pkcs11 = {};
  };
  // What is stored together with a change: its event. The id is the issuer's; of a request and a
  // root's list there is none.
  using Beside = std::function<absl::Status(db::Transaction&, const std::string& id)>;

  // Loads them or, in an empty store, makes a root for 20 years and one issuer, active, for 10;
  // keys are P-256. Accepted issuers that have expired are left out. The references must outlive
  // it. A token that is away does not matter until something is to be signed.
  //
  // Errors: kNotFound, kPermissionDenied: sealed with another KEK. kFailedPrecondition: no issuer
  // is active yet, since the certificate of a request is missing; or a token refuses the active
  // issuer's PIN, or has another key. Those of the store.
  static absl::StatusOr<std::unique_ptr<Issuers>> Open(Config config, db::Database& database,
                                                       const Clock& clock, Random& random);
  // The same for a store that may have none, and makes none: to request and install the first. No
  // other function may be called then but those two.
  static absl::StatusOr<std::unique_ptr<Issuers>> OpenForSetup(Config config,
                                                               db::Database& database,
                                                               const Clock& clock, Random& random);

  // A look-up; callers keep the set for one request and ask again for the next.
  std::shared_ptr<const IssuerSet> Current() const { return current_.Get(); }
  absl::StatusOr<IssuersReport> Report() const;

  // Makes an issuer below the root, accepted, with a key of its own or the one that `key_uri`
  // names; returns its id. It is in the store and in Current() then. kFailedPrecondition: the
  // root's key is elsewhere. ALREADY_EXISTS: the token's key has an issuer.
  absl::StatusOr<std::string> Add(const std::string& key_uri = {}, const Beside& beside = {});

  // The same where the root is offline: returns a request (PKCS#10, DER) to be certified there.
  absl::StatusOr<Bytes> Request(const std::string& key_uri = {}, const Beside& beside = {});
  // Takes the certificate of a request, with its root behind it; returns the issuer's id. Accepted
  // then, or active when there is none yet. kInvalidArgument: it is of no request, or may not issue
  // (CheckIssuerCertificate), or is named otherwise than the active one, octet for octet.
  absl::StatusOr<std::string> Install(const std::vector<pki::Certificate>& chain,
                                      const Beside& beside = {});

  // Signs a list of the issuers of one root that were taken back; opens the root's key for it.
  // kNotFound: no such root. Those of Open().
  absl::StatusOr<Bytes> SignRootCrl(const std::string& root_id, const pki::Crl& crl,
                                    std::span<const std::uint8_t> entries) const;
  // Publishes the list of a root whose key is elsewhere; returns the ids of those of Current() that
  // it takes back. kInvalidArgument: no such root signed it, it has ended, or an older number.
  absl::StatusOr<std::vector<std::string>> InstallRootCrl(std::span<const std::uint8_t> der,
                                                          const Beside& beside = {});

  // From now on `id` signs new certificates, and the active one before it is accepted. Idempotent.
  // kNotFound: no such issuer. kFailedPrecondition: it has expired, or was published less than
  // kPublishedFor ago and nobody insists.
  absl::Status Activate(const std::string& id, bool insist = false, const Beside& beside = {});

  // It is none any more: its certificates are refused everywhere, its list is no longer made, its
  // sealed key is gone. kNotFound. kFailedPrecondition: it is active, or certificates of it have
  // not ended and nobody insists.
  absl::Status Retire(const std::string& id, bool insist = false, const Beside& beside = {});

  // From time to time: retires issuers that were active and whose last certificate has ended long
  // enough ago that a list showed it, `beside` with each; and warns of what ends soon. `validity`:
  // of new certificates.
  absl::Status Tend(std::chrono::days validity, const Beside& beside = {});

 private:
  Issuers(Config config, db::Database& database, const Clock& clock, Random& random)
      : config_(std::move(config)),
        keys_(config_.org, config_.kek, config_.pkcs11),
        database_(database),
        clock_(clock),
        random_(random) {}

  // The root with its key, out of the store and the seal.
  absl::StatusOr<pki::Identity> OpenRoot(const std::string& root_id) const;
  absl::Status Create() ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::StatusOr<StoredAuthority> NewIssuer(const pki::Identity& root, const std::string& key_uri)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  // Makes the set of what is in the store now.
  absl::Status Reload() ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::StatusOr<std::shared_ptr<const Issuer>> IssuerOf(const StoredAuthority& row,
                                                         const pki::Certificate& root)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::Status CheckTokens() ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::StatusOr<StoredIssuerRequest> RequestOf(const pki::Certificate& certificate);
  absl::Status CheckRetirement(const Issuer& issuer, bool insist) const;
  absl::Status Store(const std::string& id, const Beside& beside,
                     const std::function<absl::Status(IssuerStore&)>& change);

  const Config config_;
  const AuthorityKeys keys_;
  db::Database& database_;
  const Clock& clock_;
  Random& random_;
  Mutex change_mutex_;  // One change at a time.
  // Of the issuers of the set whose key is in a token.
  std::map<std::string, std::shared_ptr<const pki::Pkcs11Key>> tokens_
      ABSL_GUARDED_BY(change_mutex_);
  Snapshot<IssuerSet> current_;
};

}  // namespace devicetrust::ca
