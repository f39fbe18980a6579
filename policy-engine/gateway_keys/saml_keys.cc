#include "policy-engine/gateway_keys/saml_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/metrics.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kKind = "saml";  // In the store, of both kinds.
constexpr std::chrono::years kCertificateLifetime{10};
constexpr std::chrono::hours kWaitMax{24 * 366};

std::string PurposeOf(std::string_view org_id, std::string_view kid) {
  return fmt::format("policy.gateway_key/{}/{}/{}", org_id, kKind, kid);
}

absl::Status UnknownKey(const std::string& kid) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                        fmt::format("the org has no SAML key '{}'", kid), kid,
                        "List the keys for their names.");
}

absl::Status Conflict(const std::string& kid, std::string message, std::string remedy) {
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        std::move(message), kid, std::move(remedy));
}

absl::StatusOr<std::chrono::seconds> Wait(bool given, const google::protobuf::Duration& duration,
                                          const char* field) {
  if (!given) return kSamlKeyLead;
  const std::chrono::seconds wait{duration.seconds()};
  if (wait.count() >= 0 && wait <= kWaitMax && duration.nanos() == 0) return wait;
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        "a key waits for whole seconds, from none to a year", field);
}

absl::StatusOr<v1::SamlKeyKind> KindOf(v1::SamlKeyKind asked) {
  switch (asked) {
    case v1::SAML_KEY_KIND_UNSPECIFIED:
    case v1::SAML_KEY_KIND_RSA:
      return v1::SAML_KEY_KIND_RSA;
    case v1::SAML_KEY_KIND_ECDSA:
      return v1::SAML_KEY_KIND_ECDSA;
    default:
      break;
  }
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        "a key of SAML is of RSA or of ECDSA", "kind");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SamlKeys>> SamlKeys::Create(Parts parts, pki::AeadKey kek,
                                                           std::string org_id) {
  std::unique_ptr<SamlKeys> keys(new SamlKeys(parts, std::move(kek), std::move(org_id)));
  const MutexLock lock(keys->mutex_);
  DT_RETURN_IF_ERROR(keys->Load());
  for (const v1::SamlKeyKind kind : {v1::SAML_KEY_KIND_RSA, v1::SAML_KEY_KIND_ECDSA}) {
    if (std::ranges::count(keys->keys_, kind, &Key::kind) > 0) continue;
    DT_ASSIGN_OR_RETURN(Key key, keys->MakeKey(kind));
    DT_RETURN_IF_ERROR(
        parts.database.Write([&](db::Transaction& txn) { return keys->WriteKey(txn, key); }));
    keys->keys_.push_back(std::move(key));
  }
  return keys;
}

absl::Status SamlKeys::Load() {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      parts_.database.Read([](db::Transaction& txn) -> absl::StatusOr<std::vector<db::Row>> {
        return txn.Run(
            "SELECT kid, created_at, sealed, certificate_pem, signs_from, retires_at"
            " FROM gateway_keys WHERE kind = $1 ORDER BY created_at DESC, kid",
            {std::string(kKind)});
      }));
  for (const db::Row& row : rows) {
    Key key;
    key.kid = db::Text(row[0]);
    const absl::StatusOr<Bytes> secret =
        pki::Open(kek_, PurposeOf(org_id_, key.kid), db::Blob(row[2]));
    if (!secret.ok()) {
      return absl::Status(secret.status().code(),
                          fmt::format("the org's SAML key '{}' does not open with this "
                                      "key-encryption key ({}): is --kek-file the one it was "
                                      "sealed with?",
                                      key.kid, std::string(secret.status().message())));
    }
    key.private_key_pem = ToString(*secret);
    key.certificate_pem = db::Text(row[3]);
    key.created_at = AtUnixSeconds(db::Int(row[1]));
    // Of a release that had one key: it has always signed.
    const std::int64_t signs_from = db::Int(row[4]);
    key.signs_from = signs_from == 0 ? key.created_at : AtUnixSeconds(signs_from);
    if (const std::int64_t retires = db::Int(row[5]); retires != 0) {
      key.retires_at = AtUnixSeconds(retires);
    }
    DT_ASSIGN_OR_RETURN(const auto parsed, pki::Certificate::FromPem(key.certificate_pem));
    DT_ASSIGN_OR_RETURN(const auto public_key, parsed.public_key());
    key.kind = public_key.type() == pki::KeyType::kRsa2048 ? v1::SAML_KEY_KIND_RSA
                                                           : v1::SAML_KEY_KIND_ECDSA;
    kSamlKeyExpiry.With({key.kid}).Set(static_cast<double>(UnixSeconds(parsed.not_after())));
    keys_.push_back(std::move(key));
  }
  return absl::OkStatus();
}

absl::StatusOr<SamlKeys::Key> SamlKeys::MakeKey(v1::SamlKeyKind kind) const {
  const WallTime now = parts_.clock.Now();
  const pki::KeyType type =
      kind == v1::SAML_KEY_KIND_RSA ? pki::KeyType::kRsa2048 : pki::KeyType::kP256;
  DT_ASSIGN_OR_RETURN(const auto secret, pki::PrivateKey::Generate(type));
  pki::CertificateSpec spec;
  spec.common_name = fmt::format("{} SAML signing", org_id_);
  DT_ASSIGN_OR_RETURN(spec.serial_hex, pki::NewSerial(now, parts_.random));
  spec.usage = pki::Usage::kServerAuth;  // Service providers read the key, not the usage.
  spec.not_before = now - std::chrono::hours(1);
  spec.not_after = now + kCertificateLifetime;
  DT_ASSIGN_OR_RETURN(const auto certificate, pki::SignSelf(spec, secret));
  DT_ASSIGN_OR_RETURN(const std::string random_id, NewRandomHex(12, parts_.random));
  kSamlKeyExpiry.With({fmt::format("{}-{}", kKind, random_id)})
      .Set(static_cast<double>(UnixSeconds(certificate.not_after())));
  return Key{fmt::format("{}-{}", kKind, random_id),
             kind,
             secret.Pem(),
             certificate.Pem(),
             now,
             now,
             std::nullopt};
}

// The youngest of those whose day has come.
const SamlKeys::Key* SamlKeys::SignerOf(const Keys& keys, v1::SamlKeyKind kind, WallTime now) {
  const Key* signer = nullptr;
  for (const Key& key : keys) {
    if (key.kind != kind || now < key.signs_from) continue;
    if (signer == nullptr || signer->signs_from < key.signs_from) signer = &key;
  }
  return signer;
}

void SamlKeys::AddTo(v1::GetGatewayKeysResponse& response) const {
  const MutexLock lock(mutex_);
  const WallTime now = parts_.clock.Now();
  const auto add = [&response](const Key& key, bool signs) {
    v1::SigningKey& message = *response.add_saml_keys();
    message.set_kid(key.kid);
    message.set_private_key_pem(key.private_key_pem);
    message.set_certificate_pem(key.certificate_pem);
    message.set_signs(signs);
  };
  const Key* const signers[] = {SignerOf(keys_, v1::SAML_KEY_KIND_RSA, now),
                                SignerOf(keys_, v1::SAML_KEY_KIND_ECDSA, now)};
  for (const Key* signer : signers) {
    if (signer != nullptr) add(*signer, true);
  }
  for (const Key& key : keys_) {
    if (std::ranges::count(signers, &key) > 0) continue;
    if (!key.retires_at || now < *key.retires_at) add(key, false);
  }
}

v1::SamlKey SamlKeys::Message(const Keys& keys, const Key& key) const {
  const WallTime now = parts_.clock.Now();
  v1::SamlKey message;
  message.set_kid(key.kid);
  message.set_kind(key.kind);
  message.set_state(now < key.signs_from                            ? v1::SAML_KEY_STATE_PUBLISHED
                    : SignerOf(keys, key.kind, now)->kid == key.kid ? v1::SAML_KEY_STATE_SIGNING
                                                                    : v1::SAML_KEY_STATE_RETIRING);
  message.set_certificate_pem(key.certificate_pem);
  *message.mutable_created_at() = rpc::ToTimestamp(key.created_at);
  *message.mutable_signs_from() = rpc::ToTimestamp(key.signs_from);
  if (key.retires_at) *message.mutable_retires_at() = rpc::ToTimestamp(*key.retires_at);
  return message;
}

absl::StatusOr<v1::ListSamlKeysResponse> SamlKeys::List() const {
  const MutexLock lock(mutex_);
  const WallTime now = parts_.clock.Now();
  v1::ListSamlKeysResponse response;
  for (const Key& key : keys_) {
    v1::SamlKey message = Message(keys_, key);
    const bool over = key.retires_at && *key.retires_at <= now;
    if (over && message.state() == v1::SAML_KEY_STATE_RETIRING) continue;
    *response.add_keys() = std::move(message);
  }
  return response;
}

v1::Event SamlKeys::AdminEvent(std::string_view type, std::string_view message,
                               const rpc::Caller& admin, const Key& key) const {
  return EventBuilder(type, message, parts_.clock.Now())
      .Actor(admin)
      .Target("SamlKey", key.kid, key.kind == v1::SAML_KEY_KIND_RSA ? "RSA" : "ECDSA")
      .Outcome(v1::EventOutcome::RESULT_SUCCESS)
      .Debug("signs_from", fmt::format("{}", UnixSeconds(key.signs_from)))
      .Take();
}

absl::Status SamlKeys::WriteKey(db::Transaction& txn, const Key& key) const {
  DT_ASSIGN_OR_RETURN(const Bytes sealed, pki::Seal(kek_, PurposeOf(org_id_, key.kid),
                                                    AsBytes(key.private_key_pem), parts_.random));
  return txn
      .Run(
          "INSERT INTO gateway_keys (kid, kind, created_at, sealed, certificate_pem, signs_from,"
          " retires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
          {key.kid, std::string(kKind), UnixSeconds(key.created_at), sealed, key.certificate_pem,
           UnixSeconds(key.signs_from), key.retires_at ? UnixSeconds(*key.retires_at) : 0})
      .status();
}

absl::Status SamlKeys::Write(db::Transaction& txn, const Keys& before, const Keys& after) const {
  for (const Key& known : before) {
    if (std::ranges::count(after, known.kid, &Key::kid) > 0) continue;
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM gateway_keys WHERE kid = $1", {known.kid}).status());
  }
  for (const Key& key : after) {
    if (std::ranges::count(before, key.kid, &Key::kid) == 0) {
      DT_RETURN_IF_ERROR(WriteKey(txn, key));
      continue;
    }
    DT_RETURN_IF_ERROR(
        txn.Run("UPDATE gateway_keys SET signs_from = $2, retires_at = $3 WHERE kid = $1",
                {key.kid, UnixSeconds(key.signs_from),
                 key.retires_at ? UnixSeconds(*key.retires_at) : 0})
            .status());
  }
  return absl::OkStatus();
}

absl::Status SamlKeys::Change(Keys after, v1::Event event) {
  // Those whose time has passed go along.
  const WallTime now = parts_.clock.Now();
  const Keys all = after;
  std::erase_if(after, [&](const Key& key) {
    return key.retires_at && *key.retires_at <= now && SignerOf(all, key.kind, now)->kid != key.kid;
  });
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const Keys before = keys_;
  const absl::Status written = parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(Write(txn, before, after));
    return parts_.events.Append(txn, event);
  });
  if (!written.ok()) return written;
  keys_ = std::move(after);
  return absl::OkStatus();
}

absl::StatusOr<v1::RotateSamlKeyResponse> SamlKeys::Rotate(
    const rpc::Caller& admin, const v1::RotateSamlKeyRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::chrono::seconds use_after,
                      Wait(request.has_use_after(), request.use_after(), "use_after"));
  DT_ASSIGN_OR_RETURN(const std::chrono::seconds retire_after,
                      Wait(request.has_retire_after(), request.retire_after(), "retire_after"));
  DT_ASSIGN_OR_RETURN(const v1::SamlKeyKind kind, KindOf(request.kind()));
  DT_ASSIGN_OR_RETURN(Key key, MakeKey(kind));
  key.signs_from += use_after;
  const MutexLock lock(mutex_);
  const WallTime now = parts_.clock.Now();
  Keys after = keys_;
  for (Key& other : after) {
    if (other.kind != key.kind) continue;
    if (now < other.signs_from) {
      return Conflict(other.kid, fmt::format("the key '{}' waits for its day already", other.kid),
                      "Let it sign now (activate), or drop it (retire), then rotate again.");
    }
    if (!other.retires_at) other.retires_at = key.signs_from + retire_after;
  }
  after.insert(after.begin(), key);
  DT_RETURN_IF_ERROR(Change(std::move(after),
                            AdminEvent("org.saml_key.rotate", "SAML key published", admin, key)));
  v1::RotateSamlKeyResponse response;
  *response.mutable_key() = Message(keys_, key);
  return response;
}

absl::StatusOr<v1::ActivateSamlKeyResponse> SamlKeys::Activate(
    const rpc::Caller& admin, const v1::ActivateSamlKeyRequest& request) {
  const MutexLock lock(mutex_);
  const WallTime now = parts_.clock.Now();
  Keys after = keys_;
  const auto key = std::ranges::find(after, request.kid(), &Key::kid);
  if (key == after.end()) return UnknownKey(request.kid());
  if (key->signs_from <= now) {
    return Conflict(key->kid, fmt::format("the key '{}' is in use, or was", key->kid),
                    "Rotate to make another one.");
  }
  const auto sooner = key->signs_from - now;
  // Of an earlier rotation, one may be about to go already; that stays as it was.
  for (Key& other : after) {
    const bool waits = other.retires_at && *other.retires_at >= key->signs_from;
    if (other.kind == key->kind && waits) *other.retires_at -= sooner;
  }
  key->signs_from = now;
  const Key active = *key;
  DT_RETURN_IF_ERROR(
      Change(std::move(after),
             AdminEvent("org.saml_key.activate", "SAML key signs from now on", admin, active)));
  v1::ActivateSamlKeyResponse response;
  *response.mutable_key() = Message(keys_, active);
  return response;
}

absl::StatusOr<v1::RetireSamlKeyResponse> SamlKeys::Retire(
    const rpc::Caller& admin, const v1::RetireSamlKeyRequest& request) {
  const MutexLock lock(mutex_);
  const WallTime now = parts_.clock.Now();
  Keys after = keys_;
  const auto key = std::ranges::find(after, request.kid(), &Key::kid);
  if (key == after.end()) return UnknownKey(request.kid());
  if (SignerOf(after, key->kind, now)->kid == key->kid) {
    return Conflict(key->kid, fmt::format("the key '{}' signs", key->kid),
                    "Rotate first; once the new key signs, this one can go.");
  }
  const Key gone = *key;
  after.erase(key);
  if (now < gone.signs_from) {  // It will not come: what it would have replaced stays.
    for (Key& other : after) {
      const bool signs = SignerOf(after, other.kind, now)->kid == other.kid;
      if (other.kind == gone.kind && signs) other.retires_at.reset();
    }
  }
  DT_RETURN_IF_ERROR(
      Change(std::move(after), AdminEvent("org.saml_key.retire", "SAML key deleted", admin, gone)));
  return v1::RetireSamlKeyResponse();
}

}  // namespace devicetrust::policy
