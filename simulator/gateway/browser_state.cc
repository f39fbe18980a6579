#include "simulator/gateway/browser_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "simulator/gateway/packing.h"

namespace devicetrust::gateway {
namespace {

constexpr std::uint8_t kSessionVersion = 1;
constexpr std::uint8_t kTransactionVersion = 2;
constexpr std::uint8_t kChallengeVersion = 3;
constexpr std::int64_t kNoTime = 0;

enum TransactionFlag : std::int64_t {
  kForce = 1,
  kPassive = 2,
  kSignedIn = 4,
  kHasSession = 8,
  kHasSubject = 16,
  kTrusts = 32,
};

void Pack(Packer& packer, const Session& session) {
  packer.Text(session.id).Text(session.user_id).Text(session.principal);
  packer.Time(session.authenticated_at);
  packer.Number(session.factor_at ? UnixSeconds(*session.factor_at) : kNoTime);
  packer.Text(session.last_serial);
}

Session UnpackSession(Unpacker& unpacker) {
  Session session;
  session.id = unpacker.Text();
  session.user_id = unpacker.Text();
  session.principal = unpacker.Text();
  session.authenticated_at = unpacker.Time();
  if (const std::int64_t at = unpacker.Number(); at != kNoTime) {
    session.factor_at = AtUnixSeconds(at);
  }
  session.last_serial = unpacker.Text();
  return session;
}

// A little of the future is allowed: another gateway's clock.
bool IsCurrent(WallTime made_at, std::chrono::seconds lifetime, WallTime now) {
  return made_at <= now + std::chrono::seconds{30} && now < made_at + lifetime;
}

}  // namespace

std::string TransactionCookie(std::string_view transaction_id) {
  return fmt::format("{}{}", kTransactionCookiePrefix, transaction_id);
}

bool IsTransactionId(std::string_view text) {
  return text.size() == 22 && IsAll(text, IsBase64Url);
}

std::string HashName(std::string_view text) { return Base64UrlEncode(pki::Sha256(text)); }

absl::StatusOr<std::string> StateSealer::SealBytes(std::string_view kind, const Bytes& plain,
                                                   Random& random) const {
  DT_ASSIGN_OR_RETURN(
      const Bytes sealed,
      pki::Seal(keys_.front(), fmt::format("gateway.{}/{}", kind, org_), plain, random));
  return Base64UrlEncode(sealed);
}

std::optional<Bytes> StateSealer::OpenBytes(std::string_view kind, std::string_view text) const {
  const absl::StatusOr<Bytes> sealed = Base64UrlDecode(text);
  if (!sealed.ok()) return std::nullopt;
  absl::StatusOr<Bytes> plain = pki::Open(keys_, fmt::format("gateway.{}/{}", kind, org_), *sealed);
  if (!plain.ok()) return std::nullopt;
  return *std::move(plain);
}

absl::StatusOr<std::string> StateSealer::Seal(const Session& session, Random& random) const {
  Packer packer(kSessionVersion);
  Pack(packer, session);
  return SealBytes("session", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const Transaction& transaction,
                                              Random& random) const {
  Packer packer(kTransactionVersion);
  packer.Text(transaction.id).Text(transaction.app_id).Text(transaction.acs_url);
  packer.Text(transaction.request_id).Text(transaction.relay_state);
  packer.Text(transaction.name_id_format);
  std::int64_t flags = 0;
  if (transaction.force_authn) flags |= kForce;
  if (transaction.is_passive) flags |= kPassive;
  if (transaction.signed_in_here) flags |= kSignedIn;
  if (transaction.session) flags |= kHasSession;
  if (!transaction.subject_hash.empty()) flags |= kHasSubject;
  if (transaction.decision_trusts) flags |= kTrusts;
  packer.Number(flags);
  packer.Time(transaction.started_at).Text(transaction.decision_code);
  if (transaction.session) Pack(packer, *transaction.session);
  if (!transaction.subject_hash.empty()) packer.Text(transaction.subject_hash);
  return SealBytes("transaction", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const Challenge& challenge, Random& random) const {
  Packer packer(kChallengeVersion);
  packer.Text(challenge.transaction_id).Text(challenge.session_hash).Time(challenge.made_at);
  return SealBytes("challenge", packer.Take(), random);
}

std::optional<Session> StateSealer::OpenSession(std::string_view text, WallTime now) const {
  const std::optional<Bytes> plain = OpenBytes("session", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kSessionVersion);
  Session session = UnpackSession(unpacker);
  if (!unpacker.Done() || !IsCurrent(session.authenticated_at, kSessionLifetime, now)) {
    return std::nullopt;
  }
  return session;
}

std::optional<Transaction> StateSealer::OpenTransaction(std::string_view text, WallTime now) const {
  const std::optional<Bytes> plain = OpenBytes("transaction", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kTransactionVersion);
  Transaction transaction;
  transaction.id = unpacker.Text();
  transaction.app_id = unpacker.Text();
  transaction.acs_url = unpacker.Text();
  transaction.request_id = unpacker.Text();
  transaction.relay_state = unpacker.Text();
  transaction.name_id_format = unpacker.Text();
  const std::int64_t flags = unpacker.Number();
  transaction.force_authn = (flags & kForce) != 0;
  transaction.is_passive = (flags & kPassive) != 0;
  transaction.signed_in_here = (flags & kSignedIn) != 0;
  transaction.decision_trusts = (flags & kTrusts) != 0;
  transaction.started_at = unpacker.Time();
  transaction.decision_code = unpacker.Text();
  if ((flags & kHasSession) != 0) transaction.session = UnpackSession(unpacker);
  if ((flags & kHasSubject) != 0) transaction.subject_hash = unpacker.Text();
  if (!unpacker.Done() || !IsCurrent(transaction.started_at, kTransactionLifetime, now)) {
    return std::nullopt;
  }
  if (transaction.session &&
      !IsCurrent(transaction.session->authenticated_at, kSessionLifetime, now)) {
    transaction.session.reset();
  }
  return transaction;
}

std::optional<Challenge> StateSealer::OpenChallenge(std::string_view text, WallTime now) const {
  const std::optional<Bytes> plain = OpenBytes("challenge", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kChallengeVersion);
  Challenge challenge;
  challenge.transaction_id = unpacker.Text();
  challenge.session_hash = unpacker.Text();
  challenge.made_at = unpacker.Time();
  if (!unpacker.Done() || !IsCurrent(challenge.made_at, kChallengeLifetime, now)) {
    return std::nullopt;
  }
  return challenge;
}

}  // namespace devicetrust::gateway
