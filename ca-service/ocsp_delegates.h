#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca-service/issuers.h"
#include "libs/base/background_loop.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/pki/ocsp.h"

namespace devicetrust::ca {

// How long the certificate of a delegate is good, and how long before its end the next one takes
// over: clients keep answers, and check the certificate that came along.
inline constexpr std::chrono::days kDelegateValidity{30};
inline constexpr std::chrono::days kDelegateRenewal{10};
// Between two looks at the issuers and the clock; ten times as long after a failure.
inline constexpr std::chrono::milliseconds kDelegatePace{1000};

// Who signs the answers about the certificates of one issuer.
struct OcspDelegate {
  std::string issuer_id;
  pki::OcspIssuer issuer;                 // As requests name it.
  std::optional<pki::OcspSigner> signer;  // Nothing: it has no certificate that is good now.
};

// One for each issuer that is good now.
struct OcspDelegateSet {
  std::vector<std::shared_ptr<const OcspDelegate>> all;

  const OcspDelegate* Of(const pki::OcspCertId& id) const;  // Null: no issuer of ours.
};

// Keeps a delegate for each issuer: a key of its own, certified by the very issuer, that signs
// OCSP answers and nothing else (RFC 6960, section 4.2.2.2), so that answers cost the issuer's key
// nothing. Their keys lie in the store, sealed with the key-encryption key. Each is renewed with a
// new key before it ends; an issuer that is new has its delegate within a second. When an issuer
// cannot sign, its delegate goes on as long as its certificate is good. Owns one thread.
// Thread-safe.
class OcspDelegates {
 public:
  struct Config {
    std::string org;
    pki::AeadKey kek;
  };
  // Has the delegates of all issuers that can sign once it returns. The references must outlive
  // it. Errors: those of the store.
  static absl::StatusOr<std::unique_ptr<OcspDelegates>> Start(
      Config config, db::Database& database, const Issuers& issuers, const Clock& clock,
      Random& random, std::chrono::milliseconds pace = kDelegatePace);
  ~OcspDelegates();  // Stop().
  OcspDelegates(const OcspDelegates&) = delete;
  OcspDelegates& operator=(const OcspDelegates&) = delete;

  // Those that may sign at this moment.
  std::shared_ptr<const OcspDelegateSet> Current() const { return current_.Get(); }

  // Renews none any more. Idempotent.
  void Stop();

 private:
  OcspDelegates(Config config, db::Database& database, const Issuers& issuers, const Clock& clock,
                Random& random, std::chrono::milliseconds pace)
      : config_(std::move(config)),
        database_(database),
        issuers_(issuers),
        clock_(clock),
        random_(random),
        pace_(pace) {}

  BackgroundLoop::Pause Step();
  // Brings the set up to date; the first error, after all issuers had their turn.
  absl::Status Renew();
  // Null: there is none yet that opens.
  absl::StatusOr<std::shared_ptr<const OcspDelegate>> Load(const Issuer& issuer) const;
  absl::StatusOr<std::shared_ptr<const OcspDelegate>> Make(const Issuer& issuer);
  std::string Purpose(std::string_view issuer_id) const;

  const Config config_;
  db::Database& database_;
  const Issuers& issuers_;
  const Clock& clock_;
  Random& random_;
  const std::chrono::milliseconds pace_;
  // By issuer; of the loop's thread, before it of Start().
  std::map<std::string, std::shared_ptr<const OcspDelegate>, std::less<>> known_;
  bool failing_ = false;  // As above.
  Snapshot<OcspDelegateSet> current_{std::make_shared<const OcspDelegateSet>()};
  std::optional<BackgroundLoop> loop_;  // Last: it uses all of the above.
};

}  // namespace devicetrust::ca
