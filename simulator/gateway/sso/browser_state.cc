#include "simulator/gateway/sso/browser_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libs/base/ascii.h"
#include "libs/base/check.h"
#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "simulator/gateway/sso/packing.h"

namespace devicetrust::gateway {
namespace {

// The first octet of what is sealed; one number for each form that ever was.
constexpr std::uint8_t kSessionVersion = 16;
constexpr std::uint8_t kTransactionVersion = 17;
constexpr std::uint8_t kChallengeVersion = 6;
constexpr std::uint8_t kRefusalVersion = 10;
constexpr std::uint8_t kParticipationVersion = 18;
constexpr std::uint8_t kSignOutVersion = 19;
constexpr std::uint8_t kSignOutAnswerVersion = 13;

constexpr std::size_t kToldMarkBytes = 4;

void Pack(Packer& packer, const Session& session) {
  packer.Text(session.id).Text(session.user_id).Text(session.principal);
  // To the millisecond: it is compared with when a person signed out everywhere.
  packer.Number(UnixMillis(session.authenticated_at)).Time(session.expires_at);
  packer.Flag(session.factor_at.has_value());
  if (session.factor_at) packer.Time(*session.factor_at);
  packer.Text(session.last_serial).Text(session.told_apps).Flag(session.by_ticket);
}

Session UnpackSession(Unpacker& unpacker) {
  Session session;
  session.id = unpacker.Text();
  session.user_id = unpacker.Text();
  session.principal = unpacker.Text();
  session.authenticated_at = AtUnixMillis(unpacker.Number());
  session.expires_at = unpacker.Time();
  if (unpacker.Flag()) session.factor_at = unpacker.Time();
  session.last_serial = unpacker.Text();
  session.told_apps = unpacker.Text();
  session.by_ticket = unpacker.Flag();
  return session;
}

// A little of the future is allowed: another gateway's clock.
bool IsBetween(WallTime begin, WallTime end, WallTime now) {
  return begin <= now + std::chrono::seconds{30} && now < end;
}

bool IsCurrent(const Session& session, WallTime now) {
  return IsBetween(session.authenticated_at, session.expires_at, now);
}

}  // namespace

// Two apps of one mark count as one, which happens in a session once in a million.
bool NoteAppTold(Session& session, std::string_view app_id) {
  const pki::Sha256Digest digest = pki::Sha256(app_id);
  const std::string mark(digest.begin(), digest.begin() + kToldMarkBytes);
  for (std::size_t at = 0; at < session.told_apps.size(); at += kToldMarkBytes) {
    if (session.told_apps.compare(at, kToldMarkBytes, mark) == 0) return true;
  }
  if (TooManyWereTold(session)) return false;
  session.told_apps += mark;
  return !TooManyWereTold(session);
}

bool TooManyWereTold(const Session& session) {
  return session.told_apps.size() > kToldAppsMax * kToldMarkBytes;
}

absl::StatusOr<Transaction> NewTransaction(WallTime now, Random& random) {
  std::array<std::uint8_t, 16> octets;
  DT_RETURN_IF_ERROR(random.Fill(octets));
  Transaction transaction;
  transaction.id = Base64UrlEncode(octets);
  transaction.started_at = now;
  return transaction;
}

bool IsTransactionId(std::string_view text) {
  return text.size() == kTransactionIdBytes && IsAll(text, IsBase64Url);
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
  DT_CHECK(transaction.protocol_state.size() <= kProtocolStateBytesMax);
  Packer packer(kTransactionVersion);
  packer.Text(transaction.id);
  packer.Number(static_cast<std::int64_t>(transaction.protocol));
  packer.Text(transaction.app_id).Text(transaction.protocol_state);
  packer.Flag(transaction.fresh_sign_in).Flag(transaction.passive);
  packer.Time(transaction.started_at).Flag(transaction.signed_in_here);
  packer.Text(transaction.decision_code).Flag(transaction.decision_trusts);
  packer.Flag(transaction.session.has_value());
  if (transaction.session) Pack(packer, *transaction.session);
  return SealBytes("transaction", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const Challenge& challenge, Random& random) const {
  Packer packer(kChallengeVersion);
  packer.Text(challenge.transaction_id).Text(challenge.app_id).Text(challenge.session_hash);
  packer.Time(challenge.made_at);
  return SealBytes("challenge", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const Refusal& refusal, Random& random) const {
  Packer packer(kRefusalVersion);
  packer.Text(refusal.transaction_id).Text(refusal.app_id).Text(refusal.code);
  packer.Flag(refusal.security_message).Flag(refusal.lacks_factor);
  packer.Flag(refusal.may_enroll_factor).Text(refusal.learn_more_url);
  packer.Time(refusal.made_at);
  return SealBytes("refusal", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const Participation& participation,
                                              Random& random) const {
  DT_CHECK(participation.detail.size() <= kParticipationBytesMax);
  Packer packer(kParticipationVersion);
  packer.Text(participation.session_id).Text(participation.user_id).Text(participation.app_id);
  packer.Number(static_cast<std::int64_t>(participation.protocol)).Text(participation.detail);
  return SealBytes("participation", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const SignOut& sign_out, Random& random) const {
  DT_CHECK(sign_out.asking_state.size() <= kProtocolStateBytesMax);
  Packer packer(kSignOutVersion);
  packer.Time(sign_out.started_at).Text(sign_out.asking_app_id);
  packer.Number(static_cast<std::int64_t>(sign_out.asking_protocol)).Text(sign_out.asking_state);
  packer.Text(sign_out.user_id).Flag(sign_out.partial).Number(sign_out.asked);
  packer.Text(sign_out.waiting_app_id).Text(sign_out.waiting_id);
  packer.Text(sign_out.back_text).Text(sign_out.back_url);
  packer.Number(static_cast<std::int64_t>(sign_out.image_app_ids.size()));
  for (const std::string& id : sign_out.image_app_ids) packer.Text(id);
  return SealBytes("sign-out", packer.Take(), random);
}

absl::StatusOr<std::string> StateSealer::Seal(const SignOutAnswer& answer, Random& random) const {
  Packer packer(kSignOutAnswerVersion);
  packer.Text(answer.app_id).Text(answer.in_response_to).Flag(answer.success);
  return SealBytes("sign-out-answer", packer.Take(), random);
}

std::optional<Session> StateSealer::OpenSession(std::string_view text, WallTime now) const {
  const std::optional<Bytes> plain = OpenBytes("session", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kSessionVersion);
  Session session = UnpackSession(unpacker);
  if (!unpacker.Done() || !IsCurrent(session, now)) {
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
  transaction.protocol = static_cast<Protocol>(unpacker.Number());
  transaction.app_id = unpacker.Text();
  transaction.protocol_state = unpacker.Text();
  transaction.fresh_sign_in = unpacker.Flag();
  transaction.passive = unpacker.Flag();
  transaction.started_at = unpacker.Time();
  transaction.signed_in_here = unpacker.Flag();
  transaction.decision_code = unpacker.Text();
  transaction.decision_trusts = unpacker.Flag();
  if (unpacker.Flag()) transaction.session = UnpackSession(unpacker);
  if (!unpacker.Done() ||
      !IsBetween(transaction.started_at, transaction.started_at + kTransactionLifetime, now)) {
    return std::nullopt;
  }
  if (transaction.session && !IsCurrent(*transaction.session, now)) {
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
  challenge.app_id = unpacker.Text();
  challenge.session_hash = unpacker.Text();
  challenge.made_at = unpacker.Time();
  if (!unpacker.Done() ||
      !IsBetween(challenge.made_at, challenge.made_at + kChallengeLifetime, now)) {
    return std::nullopt;
  }
  return challenge;
}

std::optional<Refusal> StateSealer::OpenRefusal(std::string_view text, WallTime now) const {
  const std::optional<Bytes> plain = OpenBytes("refusal", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kRefusalVersion);
  Refusal refusal;
  refusal.transaction_id = unpacker.Text();
  refusal.app_id = unpacker.Text();
  refusal.code = unpacker.Text();
  refusal.security_message = unpacker.Flag();
  refusal.lacks_factor = unpacker.Flag();
  refusal.may_enroll_factor = unpacker.Flag();
  refusal.learn_more_url = unpacker.Text();
  refusal.made_at = unpacker.Time();
  if (!unpacker.Done() || !IsBetween(refusal.made_at, refusal.made_at + kRefusalLifetime, now)) {
    return std::nullopt;
  }
  return refusal;
}

std::optional<Participation> StateSealer::OpenParticipation(std::string_view text) const {
  const std::optional<Bytes> plain = OpenBytes("participation", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kParticipationVersion);
  Participation participation;
  participation.session_id = unpacker.Text();
  participation.user_id = unpacker.Text();
  participation.app_id = unpacker.Text();
  participation.protocol = static_cast<Protocol>(unpacker.Number());
  participation.detail = unpacker.Text();
  if (!unpacker.Done()) return std::nullopt;
  return participation;
}

std::optional<SignOut> StateSealer::OpenSignOut(std::string_view text, WallTime now) const {
  const std::optional<Bytes> plain = OpenBytes("sign-out", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kSignOutVersion);
  SignOut sign_out;
  sign_out.started_at = unpacker.Time();
  sign_out.asking_app_id = unpacker.Text();
  sign_out.asking_protocol = static_cast<Protocol>(unpacker.Number());
  sign_out.asking_state = unpacker.Text();
  sign_out.user_id = unpacker.Text();
  sign_out.partial = unpacker.Flag();
  sign_out.asked = static_cast<int>(unpacker.Number());
  sign_out.waiting_app_id = unpacker.Text();
  sign_out.waiting_id = unpacker.Text();
  sign_out.back_text = unpacker.Text();
  sign_out.back_url = unpacker.Text();
  const std::int64_t images = unpacker.Number();
  for (std::int64_t i = 0; i < images; ++i) sign_out.image_app_ids.push_back(unpacker.Text());
  if (!unpacker.Done() ||
      !IsBetween(sign_out.started_at, sign_out.started_at + kSignOutLifetime, now)) {
    return std::nullopt;
  }
  return sign_out;
}

std::optional<SignOutAnswer> StateSealer::OpenSignOutAnswer(std::string_view text) const {
  const std::optional<Bytes> plain = OpenBytes("sign-out-answer", text);
  if (!plain) return std::nullopt;
  Unpacker unpacker(*plain, kSignOutAnswerVersion);
  SignOutAnswer answer;
  answer.app_id = unpacker.Text();
  answer.in_response_to = unpacker.Text();
  answer.success = unpacker.Flag();
  if (!unpacker.Done()) return std::nullopt;
  return answer;
}

}  // namespace devicetrust::gateway
