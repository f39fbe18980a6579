// What a gateway remembers of a browser: all of it in the browser, sealed, so that any gateway
// of the org can go on. The cookies and URL parameters are values here; browser_cookies.h reads
// and sets them. Uses libs and the keys' types, knows neither HTTP nor a protocol.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/aead.h"

namespace devicetrust::gateway {

inline constexpr std::chrono::minutes kTransactionLifetime{30};
inline constexpr std::chrono::seconds kChallengeLifetime{60};
inline constexpr std::chrono::hours kRefusalLifetime{24};
inline constexpr std::size_t kProtocolStateBytesMax = 8 * 1024;
inline constexpr std::chrono::minutes kSignOutLifetime{30};
inline constexpr std::size_t kParticipationBytesMax = 512;

// A signed-in person.
struct Session {
  std::string id;  // Of the org.
  std::string user_id;
  std::string principal;  // For pages.
  WallTime authenticated_at;
  WallTime expires_at;  // As the org said.
  std::optional<WallTime> factor_at;
  // Serial number of the certificate proved last; when it is revoked, the session is over.
  std::string last_serial;
  bool by_ticket = false;  // Signed in with a Kerberos ticket, without a password.
  // Of each app that was told of it, the mark: so that there are not too many (NoteAppTold()).
  std::string told_apps;
};

// How many apps may be told of one session, for a sign-out to ask them all.
inline constexpr std::size_t kToldAppsMax = 100;
// Counts an app, once. False when there are too many already.
bool NoteAppTold(Session& session, std::string_view app_id);
// Whether an app more was told than a sign-out can ask.
bool TooManyWereTold(const Session& session);

// In which protocol a sign-on began and will be answered. The numbers are in browsers' cookies.
enum class Protocol : std::uint8_t {
  kNone = 0,  // Signing in to the org itself.
  kSaml = 1,
  kWsFed = 2,
};

// One sign-on from request to answer. It has a cookie of its own, so that tabs opened at once do
// not overwrite each other; it takes its session along for the same reason.
struct Transaction {
  std::string id;  // See IsTransactionId(). In URLs and forms, and in the cookie's name.
  Protocol protocol = Protocol::kNone;
  std::string app_id;  // Empty: signing in to the org itself.
  // Whatever the protocol needs for its answer; its front end alone reads it. At most
  // kProtocolStateBytesMax.
  std::string protocol_state;
  bool fresh_sign_in = false;  // The password has to be given within this transaction.
  bool passive = false;        // The person must not be asked anything.
  WallTime started_at;
  bool signed_in_here = false;  // The password was given within this transaction.
  std::optional<Session> session;
  std::string decision_code;     // Of a decision that waits for a second factor.
  bool decision_trusts = false;  // That decision was made of a trusted device.
};

// A transaction with a fresh id. kInternal when the random source fails.
absl::StatusOr<Transaction> NewTransaction(WallTime now, Random& random);

// 22 characters of base64url (128 bits): safe as a part of a cookie's name.
inline constexpr std::size_t kTransactionIdBytes = 22;
bool IsTransactionId(std::string_view text);

// What the org host tells an mTLS host by way of the browser, as a URL parameter.
struct Challenge {
  std::string transaction_id;
  std::string app_id;
  std::string session_hash;  // base64url of SHA-256 of the session's id.
  WallTime made_at;
};

// What a refusal page says, as a parameter of its address: so the page can be loaded again and
// gone back to. It says nothing that the person has not seen, and nobody can make one up.
struct Refusal {
  std::string transaction_id = {};
  std::string app_id = {};
  std::string code = {};  // Of the decision.
  bool security_message = false;
  bool lacks_factor = false;       // The person has no second factor, and the app asks for one.
  bool may_enroll_factor = false;  // And may set one up.
  std::string learn_more_url = {};
  WallTime made_at = {};
};

// That an app was told of a session: whom a sign-out has to ask. Kept where sign-outs alone see it.
struct Participation {
  // Which may be one of before a fresh sign-in: the app knows that one, and goes on with it.
  std::string session_id;
  std::string user_id;
  std::string app_id;
  Protocol protocol = Protocol::kNone;
  // What the protocol needs to ask the app, e.g. by what name it knows the person. At most
  // kParticipationBytesMax.
  std::string detail;
};

// A sign-out on its way from app to app.
struct SignOut {
  WallTime started_at;
  // Who wants it; no app: the person, at the org itself.
  std::string asking_app_id;
  Protocol asking_protocol = Protocol::kNone;
  std::string asking_state;  // For the answer; the protocol's own, at most kProtocolStateBytesMax.
  // Once the org has ended the session: whose it was. Before that the browser's session must be
  // looked at.
  std::string user_id;
  bool partial = false;  // An app could not be asked, or has not ended its session.
  int asked = 0;         // Apps.
  // Apps that the last page tells of it, by images; and a way on from there.
  std::vector<std::string> image_app_ids;
  std::string back_text;
  std::string back_url;
  // The app whose answer is awaited, and the name of the question.
  std::string waiting_app_id;
  std::string waiting_id;
};

// What an app has answered, on its way through the browser (SameSite).
struct SignOutAnswer {
  std::string app_id;
  std::string in_response_to;
  bool success = false;
};

// base64url(SHA-256(text)), as proofs name transactions and sessions.
std::string HashName(std::string_view text);

// Seals and opens each of the above for one org. Borrows its arguments.
class StateSealer {
 public:
  // `keys`: not empty; the first seals, all open.
  StateSealer(std::string_view org, const std::vector<pki::AeadKey>& keys)
      : org_(org), keys_(keys) {}

  // base64url text. kInternal when the random source fails.
  absl::StatusOr<std::string> Seal(const Session& session, Random& random) const;
  absl::StatusOr<std::string> Seal(const Transaction& transaction, Random& random) const;
  absl::StatusOr<std::string> Seal(const Challenge& challenge, Random& random) const;
  absl::StatusOr<std::string> Seal(const Refusal& refusal, Random& random) const;
  absl::StatusOr<std::string> Seal(const Participation& participation, Random& random) const;
  absl::StatusOr<std::string> Seal(const SignOut& sign_out, Random& random) const;
  absl::StatusOr<std::string> Seal(const SignOutAnswer& answer, Random& random) const;

  // Nothing when the text was not sealed by us as this, was changed, or is too old by `now`.
  std::optional<Session> OpenSession(std::string_view text, WallTime now) const;
  std::optional<Transaction> OpenTransaction(std::string_view text, WallTime now) const;
  std::optional<Challenge> OpenChallenge(std::string_view text, WallTime now) const;
  std::optional<Refusal> OpenRefusal(std::string_view text, WallTime now) const;
  // Of any age: it is worth what its session is, or the SignOut that waits for it.
  std::optional<Participation> OpenParticipation(std::string_view text) const;
  std::optional<SignOut> OpenSignOut(std::string_view text, WallTime now) const;
  std::optional<SignOutAnswer> OpenSignOutAnswer(std::string_view text) const;

 private:
  absl::StatusOr<std::string> SealBytes(std::string_view kind, const Bytes& plain,
                                        Random& random) const;
  std::optional<Bytes> OpenBytes(std::string_view kind, std::string_view text) const;

  const std::string_view org_;
  const std::vector<pki::AeadKey>& keys_;
};

}  // namespace devicetrust::gateway
