#include "ca-service/authority.h"

#include <fmt/format.h>

#include <algorithm>

#include "ca-service/issuer.h"
#include "libs/base/encoding.h"
#include "libs/base/printable.h"
#include "libs/pki/certificate_validator.h"

namespace devicetrust::ca {
namespace {

absl::StatusOr<pki::CertificateSpec> CaSpec(const char* name, const std::string& org,
                                            int path_length, std::chrono::days validity,
                                            WallTime now, Random& random) {
  pki::CertificateSpec spec;
  spec.common_name = name;
  spec.organization = org;
  spec.usage = pki::Usage::kCa;
  spec.path_length = path_length;
  spec.not_before = now - std::chrono::hours(1);
  spec.not_after = now + validity;
  DT_ASSIGN_OR_RETURN(spec.serial_hex, pki::NewSerial(now, random));
  return spec;
}

absl::Status Unfit(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("the issuing certificate {}", why));
}

}  // namespace

std::string AuthorityId(const pki::Certificate& certificate) {
  return HexEncode(certificate.subject_key_id());
}

absl::StatusOr<pki::Certificate> MakeRoot(const std::string& org, const pki::Signer& key,
                                          WallTime now, Random& random) {
  DT_ASSIGN_OR_RETURN(const auto spec, CaSpec(kRootName, org, 1, kRootValidity, now, random));
  return pki::SignSelf(spec, key);
}

absl::StatusOr<pki::Certificate> CertifyIssuer(const pki::Identity& root, const std::string& org,
                                               const pki::PublicKey& key,
                                               std::chrono::days validity, WallTime now,
                                               Random& random) {
  DT_ASSIGN_OR_RETURN(auto spec, CaSpec(kIssuerName, org, 0, validity, now, random));
  spec.not_after = std::min(spec.not_after, root.certificate.not_after());
  return pki::SignCertificate(spec, key, root);
}

absl::Status CheckIssuerCertificate(const pki::Certificate& issuer, const pki::Certificate& root,
                                    WallTime now) {
  if (!issuer.is_ca() || !root.is_ca()) return Unfit("or the one above it is not one of a CA");
  if (issuer.common_name() != kIssuerName) {
    return Unfit(fmt::format("has the common name \"{}\", and agents and browsers look for \"{}\"",
                             Printable(issuer.common_name()), kIssuerName));
  }
  if (!pki::IsIssuedBy(root, root)) return Unfit("is not followed by a self-signed root");
  if (!pki::IsIssuedBy(issuer, root)) return Unfit("was not signed by the root behind it");
  if (issuer.subject_key_id().empty() || root.subject_key_id().empty()) {
    return Unfit("or its root has no subject key identifier");
  }
  if (now < issuer.not_before() || now < root.not_before()) return Unfit("is not valid yet");
  if (now > issuer.not_after() || now > root.not_after()) return Unfit("has expired");
  if (issuer.not_after() > root.not_after()) return Unfit("ends after its root");
  return absl::OkStatus();
}

}  // namespace devicetrust::ca
