#include "ca-service/issuer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ca-service/metrics.h"
#include "ca-service/profile_lint.h"
#include "libs/base/encoding.h"
#include "libs/base/log_sparsely.h"
#include "libs/rpc/error.h"
#include "libs/token/names.h"

namespace devicetrust::ca {
namespace {

void CountSignature(std::string_view of, bool good) {
  kSignatures.With({of, good ? "OK" : "error"}).Add();
}

}  // namespace

absl::StatusOr<Bytes> SignCrl(const pki::Crl& crl, const pki::Identity& authority) {
  auto list = pki::BuildCrl(crl, authority);
  CountSignature("crl", list.ok());
  return list;
}

absl::StatusOr<Bytes> SignCrl(const pki::Crl& crl, std::span<const std::uint8_t> entries,
                              const pki::Identity& authority) {
  auto list = pki::BuildCrl(crl, entries, authority);
  CountSignature("crl", list.ok());
  return list;
}

std::string CrlPath(std::string_view id) { return fmt::format("/crl/{}.crl", id); }

Issuer::Issuer(pki::Identity identity, pki::Certificate root)
    : identity_(std::move(identity)),
      root_(std::move(root)),
      id_(HexEncode(identity_.certificate.subject_key_id())),
      root_id_(HexEncode(root_.subject_key_id())) {}

std::string Issuer::CertificatePath() const { return fmt::format("/ca/{}.crt", id_); }

absl::StatusOr<Issuer::Draft> Issuer::Prepare(const DeviceSpec& spec, const pki::PublicKey& key,
                                              const Profile& profile, WallTime now,
                                              Random& random) const {
  if (now > certificate().not_after()) {
    return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                          "the CA's issuing certificate has ended", {},
                          "An administrator makes the next one: `dtctl issuers add`.",
                          std::chrono::hours(1));
  }
  pki::CertificateSpec leaf;
  DT_ASSIGN_OR_RETURN(leaf.serial_hex, pki::NewSerial(now, random));
  leaf.common_name = spec.device_id;
  leaf.usage = pki::Usage::kClientAuth;
  leaf.not_before = now - profile.backdate;
  leaf.not_after = std::min(now + profile.validity, certificate().not_after());
  leaf.uris = {token::Urn(spec.org, "device", spec.device_id),
               token::Urn(spec.org, "enrollment", spec.enrollment_id)};
  leaf.crl_urls = {spec.crl_url.empty() ? spec.public_url + CrlPath(id_) : spec.crl_url};
  leaf.ocsp_urls = {spec.public_url + kOcspPath};
  leaf.ca_issuer_urls = {spec.public_url + CertificatePath()};
  DT_ASSIGN_OR_RETURN(Bytes content, pki::CertificateContent(leaf, key, identity_));
  if (absl::Status good = LintDeviceCertificate(content, {certificate(), key, spec, profile, now});
      !good.ok()) {
    Log(LogLevel::kError, "ca.profile.deviates",
        {{"issuer", id_}, {"field", std::string(good.message())}});
    return good;
  }
  return Draft{leaf.serial_hex, std::chrono::floor<std::chrono::seconds>(leaf.not_after),
               std::move(content)};
}

absl::StatusOr<pki::Certificate> Issuer::Sign(std::span<const std::uint8_t> content) const {
  auto signed_one = pki::SignContent(content, identity_.key);
  CountSignature("certificate", signed_one.ok());
  if (signed_one.ok()) return signed_one;
  // Why, in words of the CA's files and tokens, is for its log.
  LogSparsely(LogLevel::kError, "ca.signature.failed", id_,
              {{"issuer", id_}, {"status", signed_one.status().ToString()}});
  return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                        "the CA's key does not sign at the moment", {},
                        "Try again; if it repeats, look into the CA's log.",
                        std::chrono::seconds(5));
}

absl::StatusOr<pki::Certificate> Issuer::CertifyResponder(const std::string& org,
                                                          const pki::PublicKey& key,
                                                          std::chrono::days validity, WallTime now,
                                                          Random& random) const {
  pki::CertificateSpec responder;
  DT_ASSIGN_OR_RETURN(responder.serial_hex, pki::NewSerial(now, random));
  responder.common_name = kResponderName;
  responder.organization = org;
  responder.usage = pki::Usage::kOcspSigning;
  responder.not_before = now - std::chrono::hours(1);
  responder.not_after = std::min<WallTime>(now + validity, certificate().not_after());
  auto certified = pki::SignCertificate(responder, key, identity_);
  CountSignature("responder", certified.ok());
  return certified;
}

}  // namespace devicetrust::ca
