#include "simulator/gateway/mtls_host.h"

#include <fmt/format.h>

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "simulator/gateway/metrics.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/problems.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kSerialDigitsMax = 40;  // RFC 5280, section 4.1.2.2: 20 octets.

reason::v1::Reason ReasonOfVerdict(pki::CertificateVerdict verdict) {
  switch (verdict) {
    case pki::CertificateVerdict::kValid:
      return reason::v1::REASON_UNSPECIFIED;
    case pki::CertificateVerdict::kNone:
      return reason::v1::REASON_CERTIFICATE_NOT_PRESENTED;
    case pki::CertificateVerdict::kUnknownIssuer:
      return reason::v1::REASON_CERTIFICATE_OF_ANOTHER_CA;
    case pki::CertificateVerdict::kBadSignature:
      return reason::v1::REASON_CERTIFICATE_SIGNATURE_INVALID;
    case pki::CertificateVerdict::kNotYetValid:
      return reason::v1::REASON_CERTIFICATE_NOT_YET_VALID;
    case pki::CertificateVerdict::kExpired:
      return reason::v1::REASON_CERTIFICATE_EXPIRED;
    case pki::CertificateVerdict::kWrongUsage:
    case pki::CertificateVerdict::kUnknownCriticalExtension:
      return reason::v1::REASON_CERTIFICATE_WRONG_USAGE;
    case pki::CertificateVerdict::kMalformed:
      return reason::v1::REASON_CERTIFICATE_MALFORMED;
  }
  return reason::v1::REASON_CERTIFICATE_MALFORMED;
}

// The one URI name of that kind; empty when there is none or more than one.
std::string OnlyId(const std::vector<std::string>& uris, std::string_view org,
                   std::string_view kind) {
  std::string found;
  for (const std::string& uri : uris) {
    const std::optional<std::string> id = token::IdOfUrn(uri, org, kind);
    if (!id) continue;
    if (!found.empty()) return "";
    found = *id;
  }
  return found;
}

}  // namespace

DeviceFinding Inspect(const http::Connection& connection, std::string_view org,
                      const RevocationState& revocations) {
  DeviceFinding finding;
  if (connection.peer_certificate) finding.serial = connection.peer_certificate->serial_hex();
  if (finding.serial.size() > kSerialDigitsMax) finding.serial.clear();  // No issuer of ours.
  finding.reason = ReasonOfVerdict(connection.peer_verdict);
  if (connection.peer_verdict != pki::CertificateVerdict::kValid || !connection.peer_certificate) {
    return finding;
  }
  const std::vector<std::string> uris = connection.peer_certificate->uris();
  finding.device_id = OnlyId(uris, org, "device");
  finding.enrollment_id = OnlyId(uris, org, "enrollment");
  if (finding.device_id.empty() || finding.enrollment_id.empty()) {
    finding.reason = reason::v1::REASON_CERTIFICATE_UNKNOWN;  // Not of this org.
    finding.device_id.clear();
    finding.enrollment_id.clear();
    return finding;
  }
  if (revocations.IsRevoked(finding.serial)) {
    finding.reason = reason::v1::REASON_CERTIFICATE_REVOKED;
    return finding;
  }
  if (!revocations.IsFresh()) {
    finding.reason = reason::v1::REASON_REVOCATION_DATA_STALE;
    return finding;
  }
  finding.trusted = true;
  return finding;
}

Task<http::Response> MtlsHost::Handle(const http::Request& request) {
  co_return WithOpener(Route(request));
}

http::Response MtlsHost::Route(const http::Request& request) const {
  if (!NamesAgree(request) || !site_.IsMtlsHost(request.host)) return Misdirected();
  if (request.path != "/check" && request.path != "/challenge") {
    return RenderNotFound(site_, "This host only checks devices.");
  }
  if (request.method == "POST") return RenderMethodNotAllowed(site_);
  return request.path == "/check" ? Check(request) : AnswerChallenge(request);
}

DeviceFinding MtlsHost::Find(const http::Connection& connection) const {
  DeviceFinding finding;
  finding.reason = reason::v1::REASON_REVOCATION_DATA_STALE;
  if (snapshots_.issuers.Get() != nullptr) finding = Inspect(connection, site_.org, revocations_);
  kDeviceVerdicts.With({finding.trusted ? "OK" : rpc::ReasonName(finding.reason)}).Add();
  return finding;
}

http::Response MtlsHost::Check(const http::Request& request) const {
  const DeviceFinding finding = Find(request.connection);
  return http::Json(200,
                    fmt::format("{{\"trusted\":{},\"reason\":{},\"serial\":{},\"device_id\":{}}}\n",
                                finding.trusted,
                                JsonQuote(finding.trusted ? "" : rpc::ReasonName(finding.reason)),
                                JsonQuote(finding.serial), JsonQuote(finding.device_id)));
}

absl::StatusOr<std::string> MtlsHost::SignProof(const Challenge& challenge,
                                                const DeviceFinding& finding, const Keyring& keys,
                                                WallTime now) const {
  DT_ASSIGN_OR_RETURN(const std::string id, token::NewTokenId(now, random_));
  token::Proof proof;
  proof.envelope = {token::ProofIssuer(site_.org), token::ProofAudience(site_.org), id, now,
                    now + token::kProofLifetime};
  proof.transaction_hash = HashName(challenge.transaction_id);
  proof.session_hash = challenge.session_hash;
  proof.trusted = finding.trusted;
  proof.reason = finding.trusted ? "" : rpc::ReasonName(finding.reason);
  proof.serial = finding.serial;
  proof.device_id = finding.device_id;
  proof.enrollment_id = finding.enrollment_id;
  return token::Sign(proof, keys.proof_key);
}

http::Response MtlsHost::AnswerChallenge(const http::Request& request) const {
  const std::shared_ptr<const Keyring> keys = snapshots_.keys.Get();
  if (keys == nullptr) {
    return ProblemResponse(site_, reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  }
  const WallTime now = clock_.Now();
  const auto parameters = request.QueryParameters();
  const auto text = parameters.ok() ? parameters->Single("c") : parameters.status();
  const std::optional<Challenge> challenge =
      text.ok() ? StateSealer(keys->org, keys->cookie_keys).OpenChallenge(*text, now)
                : std::nullopt;
  if (!challenge) return ProblemResponse(site_, reason::v1::REASON_CHALLENGE_NOT_DONE);

  const DeviceFinding finding = Find(request.connection);
  const absl::StatusOr<std::string> proof = SignProof(*challenge, finding, *keys, now);
  if (!proof.ok()) return ProblemResponse(site_, proof.status());
  return http::SeeOther(fmt::format("{}/proof?t={}&p={}&app={}", site_.org_origin,
                                    http::PercentEncode(challenge->transaction_id), *proof,
                                    http::PercentEncode(challenge->app_id)));
}

}  // namespace devicetrust::gateway
