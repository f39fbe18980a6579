// What a gateway remembers of a browser: all of it in the browser, sealed, so that any
// gateway of the org can go on. Keys come from the org; two are valid during a rotation.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/aead.h"

namespace devicetrust::gateway {

inline constexpr std::chrono::hours kSessionLifetime{12};
inline constexpr std::chrono::minutes kTransactionLifetime{30};
// What one browser holds at once, names and values of the cookies. Beyond that the oldest go:
// tabs left behind would fill the request's head, and the browser would get only refusals.
inline constexpr std::size_t kTransactionsMax = 16;
inline constexpr std::size_t kTransactionBytesMax = 24 * 1024;
inline constexpr std::chrono::seconds kChallengeLifetime{60};
inline constexpr std::string_view kSessionCookie = "__Host-dt-session";
inline constexpr std::string_view kTransactionCookiePrefix = "__Host-dt-t-";

// A signed-in person. Cookie kSessionCookie.
struct Session {
  std::string id;  // Of the org.
  std::string user_id;
  std::string principal;  // For pages.
  WallTime authenticated_at;
  std::optional<WallTime> factor_at;
  std::string last_serial;  // Of the certificate last proved; revoked: the session is over.
};

// One sign-on from request to answer. A cookie of its own (see TransactionCookie()), so that
// tabs opened at once do not overwrite each other; it takes its session along for the same
// reason.
struct Transaction {
  std::string id;      // 128 random bits, base64url. In URLs and forms; the cookie's name.
  std::string app_id;  // Empty: signing in to the org itself.
  std::string acs_url;
  std::string request_id;  // Empty: IdP-initiated.
  std::string relay_state;
  std::string name_id_format;
  std::string subject_hash;  // HashName() of the NameID that was asked for; empty: none was.
  bool force_authn = false;
  bool is_passive = false;
  WallTime started_at;
  bool signed_in_here = false;  // The password was given within this transaction.
  std::optional<Session> session;
  std::string decision_code;     // Waits for a second factor.
  bool decision_trusts = false;  // It was made of a trusted device.
};

std::string TransactionCookie(std::string_view transaction_id);
// 22 characters of base64url, as we make them: safe as part of a cookie's name.
bool IsTransactionId(std::string_view text);

// What the org host tells an mTLS host by way of the browser, as a URL parameter.
struct Challenge {
  std::string transaction_id;
  std::string session_hash;  // base64url of SHA-256 of the session's id.
  WallTime made_at;
};

// base64url(SHA-256(text)), as proofs name transactions and sessions.
std::string HashName(std::string_view text);

// Seals and opens each of the above for one org.
class StateSealer {
 public:
  // `keys`: not empty; the first seals.
  StateSealer(std::string org, std::vector<pki::AeadKey> keys)
      : org_(std::move(org)), keys_(std::move(keys)) {}

  // base64url text. kInternal when the random source fails.
  absl::StatusOr<std::string> Seal(const Session& session, Random& random) const;
  absl::StatusOr<std::string> Seal(const Transaction& transaction, Random& random) const;
  absl::StatusOr<std::string> Seal(const Challenge& challenge, Random& random) const;

  // Nothing when the text was not sealed by us as this, was changed, or is too old by `now`.
  std::optional<Session> OpenSession(std::string_view text, WallTime now) const;
  std::optional<Transaction> OpenTransaction(std::string_view text, WallTime now) const;
  std::optional<Challenge> OpenChallenge(std::string_view text, WallTime now) const;

 private:
  absl::StatusOr<std::string> SealBytes(std::string_view kind, const Bytes& plain,
                                        Random& random) const;
  std::optional<Bytes> OpenBytes(std::string_view kind, std::string_view text) const;

  const std::string org_;
  const std::vector<pki::AeadKey> keys_;
};

}  // namespace devicetrust::gateway
