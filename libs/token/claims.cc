#include "libs/token/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/ordered_id.h"
#include "libs/token/json.h"

namespace devicetrust::token {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::string_view kDeviceType = "dt-device+jwt";
constexpr std::string_view kUserType = "dt-user+jwt";
constexpr std::string_view kProofType = "dt-proof+jwt";
constexpr std::size_t kThumbprintChars = 43;
constexpr std::size_t kClaimBytesMax = 256;
constexpr std::int64_t kTimeMax = 9'200'000'000;  // In 2261: what WallTime holds, less some room.

// A JSON object under construction: every value is quoted here and nowhere else.
class Claims {
 public:
  explicit Claims(const Envelope& envelope)
      : begin_(envelope.issued_at), end_(envelope.expires_at) {
    Add("iss", envelope.issuer);
    Add("aud", envelope.audience);
    Add("jti", envelope.id);
    json_ += fmt::format(R"("iat":{},"exp":{},)", UnixSeconds(begin_), UnixSeconds(end_));
  }
  void Add(std::string_view name, std::string_view value) {
    if (value.empty()) fault_ = name;
    AddOptional(name, value);
  }
  void AddOptional(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (value.size() > kClaimBytesMax) fault_ = name;
    json_ += fmt::format("{}:{},", JsonQuote(name), JsonQuote(value));
  }
  void AddFlag(std::string_view name, bool value) {
    json_ += fmt::format("{}:{},", JsonQuote(name), value);
  }
  void AddKey(std::string_view thumbprint) {
    if (thumbprint.size() != kThumbprintChars) fault_ = "cnf";
    json_ += fmt::format(R"("cnf":{{"jkt":{}}},)", JsonQuote(thumbprint));
  }
  absl::StatusOr<std::string> Sign(std::string_view typ, seconds lifetime_max,
                                   const SigningKey& key) && {
    if (!fault_.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("claim '{}' must have 1 to {} bytes", fault_, kClaimBytesMax));
    }
    if (end_ <= begin_ || end_ - begin_ > lifetime_max) {
      return absl::InvalidArgumentError(
          fmt::format("{} lives 1 to {} s", typ, lifetime_max.count()));
    }
    json_.back() = '}';
    return SignEs256(json_, typ, key);
  }

 private:
  const WallTime begin_;
  const WallTime end_;
  std::string json_ = "{";
  std::string fault_;
};

// The payload under a verified signature. Reading remembers the first claim at fault.
class Reader {
 public:
  explicit Reader(json payload) : payload_(std::move(payload)) {}

  std::string Text(const char* name) {
    absl::StatusOr<std::string> text = StringMember(payload_, name);
    if (text.ok()) return *std::move(text);
    Fault(name);
    return {};
  }
  std::string OptionalText(const char* name) {
    return payload_.contains(name) ? Text(name) : std::string();
  }
  bool Flag(const char* name) {
    const auto it = payload_.find(name);
    if (it != payload_.end() && it->is_boolean()) return it->get<bool>();
    Fault(name);
    return false;
  }
  WallTime Time(const char* name) {
    const auto it = payload_.find(name);
    // Unsigned: whatever the parser holds as such is an integer that fits 64 bits.
    if (it == payload_.end() || !it->is_number_unsigned() ||
        it->get<std::uint64_t>() > std::uint64_t{kTimeMax}) {
      Fault(name);
      return WallTime();
    }
    return WallTime(seconds(it->get<std::int64_t>()));
  }
  std::optional<WallTime> OptionalTime(const char* name) {
    return payload_.contains(name) ? std::optional(Time(name)) : std::nullopt;
  }
  std::string KeyThumbprint() {
    const auto it = payload_.find("cnf");
    if (it != payload_.end() && it->is_object()) {
      absl::StatusOr<std::string> text = StringMember(*it, "jkt");
      const bool whole = text.ok() && text->size() == kThumbprintChars;
      if (whole && Base64UrlDecode(*text).ok()) return *std::move(text);
    }
    Fault("cnf");
    return {};
  }
  absl::Status status() const {
    if (fault_.empty()) return absl::OkStatus();
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED,
                  fmt::format("token claim '{}' is missing or malformed", fault_));
  }

 private:
  void Fault(const char* name) {
    if (fault_.empty()) fault_ = name;
  }
  json payload_;
  std::string fault_;
};

struct Expected {
  std::string_view typ;
  std::string_view audience;
  seconds lifetime_max;
  WallTime now;
  seconds late_max = kClockSkew;  // After its end.
};

absl::Status CheckEnvelope(const Envelope& envelope, const KeySet::Entry& signer,
                           const Expected& expected) {
  if (envelope.issuer != signer.issuer) {
    return Refuse(reason::v1::REASON_TOKEN_WRONG_ISSUER,
                  "token is signed with a key of another issuer");
  }
  if (envelope.audience != expected.audience) {
    return Refuse(reason::v1::REASON_TOKEN_WRONG_AUDIENCE,
                  fmt::format("token is not for {}", expected.audience));
  }
  const auto lifetime = envelope.expires_at - envelope.issued_at;
  if (lifetime <= seconds(0) || lifetime > expected.lifetime_max) {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED,
                  fmt::format("token must live 1 to {} s", expected.lifetime_max.count()));
  }
  if (expected.now + kClockSkew < envelope.issued_at) {
    return Refuse(reason::v1::REASON_TOKEN_NOT_YET_VALID,
                  "token is of the future: compare the clocks");
  }
  if (expected.now >= envelope.expires_at + expected.late_max) {
    return Refuse(reason::v1::REASON_TOKEN_EXPIRED, "token has expired: get a new one");
  }
  return absl::OkStatus();
}

// Signature, envelope and a reader for the rest.
absl::StatusOr<std::pair<Envelope, Reader>> OpenToken(std::string_view compact, const KeySet& keys,
                                                      const Expected& expected) {
  DT_ASSIGN_OR_RETURN(const VerifiedJws jws, VerifyEs256(compact, expected.typ, keys));
  absl::StatusOr<json> payload = ParseObject(jws.payload);
  if (!payload.ok()) {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token payload is not a strict JSON object");
  }
  Reader reader(*std::move(payload));
  Envelope envelope{reader.Text("iss"), reader.Text("aud"), reader.Text("jti"),
                    reader.Time("iat"), reader.Time("exp"), jws.signer.kid};
  const std::optional<WallTime> not_before = reader.OptionalTime("nbf");
  DT_RETURN_IF_ERROR(reader.status());
  DT_RETURN_IF_ERROR(CheckEnvelope(envelope, jws.signer, expected));
  if (not_before && expected.now + kClockSkew < *not_before) {  // RFC 7519, section 4.1.5.
    return Refuse(reason::v1::REASON_TOKEN_NOT_YET_VALID,
                  "token is not valid yet: compare the clocks");
  }
  return std::pair(std::move(envelope), std::move(reader));
}

}  // namespace

absl::StatusOr<std::string> NewTokenId(WallTime now, Random& random) {
  constexpr std::size_t kOctets = 16;
  return NewOrderedId(kOctets, now, random);
}

absl::StatusOr<std::string> Sign(const DeviceToken& token, const SigningKey& key) {
  Claims claims(token.envelope);
  claims.Add("sub", token.computer_sid);
  claims.Add("name", token.computer_name);
  claims.Add("realm", token.realm);
  claims.AddKey(token.key_thumbprint);
  return std::move(claims).Sign(kDeviceType, kDeviceTokenLifetime, key);
}

absl::StatusOr<std::string> Sign(const UserToken& token, const SigningKey& key) {
  Claims claims(token.envelope);
  claims.Add("sub", token.user_sid);
  claims.Add("name", token.user_name);
  claims.Add("device", token.computer_sid);
  claims.Add("device_name", token.computer_name);
  claims.Add("realm", token.realm);
  claims.AddKey(token.key_thumbprint);
  return std::move(claims).Sign(kUserType, kUserTokenLifetime, key);
}

absl::StatusOr<std::string> Sign(const Proof& proof, const SigningKey& key) {
  Claims claims(proof.envelope);
  claims.Add("txn", proof.transaction_hash);
  claims.Add("ses", proof.session_hash);
  claims.AddFlag("trusted", proof.trusted);
  claims.AddOptional("reason", proof.reason);
  claims.AddOptional("serial", proof.serial);
  claims.AddOptional("device", proof.device_id);
  claims.AddOptional("enrollment", proof.enrollment_id);
  return std::move(claims).Sign(kProofType, kProofLifetime, key);
}

absl::StatusOr<DeviceToken> VerifyDeviceToken(std::string_view compact, const KeySet& keys,
                                              std::string_view audience, WallTime now) {
  DT_ASSIGN_OR_RETURN(auto opened,
                      OpenToken(compact, keys, {kDeviceType, audience, kDeviceTokenLifetime, now}));
  Reader& reader = opened.second;
  DeviceToken token{std::move(opened.first), reader.Text("sub"), reader.Text("name"),
                    reader.Text("realm"), reader.KeyThumbprint()};
  DT_RETURN_IF_ERROR(reader.status());
  return token;
}

absl::StatusOr<UserToken> VerifyUserToken(std::string_view compact, const KeySet& keys,
                                          std::string_view audience, WallTime now) {
  DT_ASSIGN_OR_RETURN(auto opened,
                      OpenToken(compact, keys, {kUserType, audience, kUserTokenLifetime, now}));
  Reader& reader = opened.second;
  UserToken token{std::move(opened.first), reader.Text("sub"),         reader.Text("name"),
                  reader.Text("device"),   reader.Text("device_name"), reader.Text("realm"),
                  reader.KeyThumbprint()};
  DT_RETURN_IF_ERROR(reader.status());
  return token;
}

absl::StatusOr<Proof> VerifyProof(std::string_view compact, const KeySet& keys,
                                  std::string_view audience, WallTime now) {
  DT_ASSIGN_OR_RETURN(
      auto opened,
      OpenToken(compact, keys, {kProofType, audience, kProofLifetime, now, seconds(0)}));
  Reader& reader = opened.second;
  Proof proof;
  proof.envelope = std::move(opened.first);
  proof.transaction_hash = reader.Text("txn");
  proof.session_hash = reader.Text("ses");
  proof.trusted = reader.Flag("trusted");
  proof.reason = reader.OptionalText("reason");
  proof.serial = reader.OptionalText("serial");
  proof.device_id = reader.OptionalText("device");
  proof.enrollment_id = reader.OptionalText("enrollment");
  DT_RETURN_IF_ERROR(reader.status());
  if (proof.trusted && (proof.serial.empty() || proof.enrollment_id.empty())) {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED,
                  "proof of a trusted device names no certificate");
  }
  return proof;
}

}  // namespace devicetrust::token
