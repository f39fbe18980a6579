#include "policy-engine/apps/app_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/http/url.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

absl::Status AppError(const std::string& field, std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), field);
}

bool IsAppId(const std::string& id) {
  return id.size() <= 64 && IsAll(id, [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

bool IsAcsUrl(const std::string& url) {
  constexpr std::size_t kUrlBytesMax = 2048;
  // It stands in a page; and a fragment never arrives.
  if (url.size() > kUrlBytesMax || url.find_first_of("<>#") != url.npos) return false;
  const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
  return parsed.ok() && (parsed->https || parsed->IsLoopback());
}

absl::Status ValidateAcs(const v1::SamlServiceProvider& saml) {
  if (saml.acs_size() < 1 || saml.acs_size() > kAcsPerAppMax) {
    return AppError("saml.acs", fmt::format("a SAML app has 1 to {} assertion consumer services",
                                            kAcsPerAppMax));
  }
  std::set<int> indexes;
  int defaults = 0;
  for (const v1::AssertionConsumerService& acs : saml.acs()) {
    if (!IsAcsUrl(acs.url())) {
      return AppError("saml.acs", fmt::format("'{}' is no assertion consumer address: https, or "
                                              "http on this computer",
                                              acs.url().substr(0, 200)));
    }
    if (acs.index() < 0 || acs.index() > 65535 || !indexes.insert(acs.index()).second) {
      return AppError("saml.acs",
                      fmt::format("index {} is out of range or given twice", acs.index()));
    }
    defaults += acs.is_default() ? 1 : 0;
  }
  if (defaults > 1) return AppError("saml.acs", "at most one service is the default");
  return absl::OkStatus();
}

absl::Status ValidateSaml(const v1::SamlServiceProvider& saml) {
  if (saml.entity_id().empty() || saml.entity_id().size() > 1024 || HasControl(saml.entity_id())) {
    return AppError("saml.entity_id", "the entity id must be 1 to 1024 printable bytes");
  }
  DT_RETURN_IF_ERROR(ValidateAcs(saml));
  if (saml.signing_certificates_der_size() > kSigningCertificatesMax) {
    return AppError("saml.signing_certificates_der",
                    fmt::format("at most {} certificates", kSigningCertificatesMax));
  }
  for (const std::string& der : saml.signing_certificates_der()) {
    const absl::StatusOr<pki::Certificate> certificate = pki::Certificate::FromDer(AsBytes(der));
    if (!certificate.ok()) {
      return AppError("saml.signing_certificates_der", "a certificate is not DER X.509");
    }
    if (!certificate->public_key().ok()) {
      return AppError("saml.signing_certificates_der",
                      "no signature verifies with the key of a certificate: it must be RSA of 2048 "
                      "to 4096 bits, P-256 or P-384");
    }
  }
  if (saml.requests_signed() && saml.signing_certificates_der().empty()) {
    return AppError("saml.requests_signed",
                    "signed requests are demanded, but no certificate verifies them");
  }
  if (saml.name_id_formats_size() > 20 || saml.default_relay_state().size() > 1024) {
    return AppError("saml", "at most 20 name id formats, and 1024 bytes of default relay state");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateApp(const v1::App& app) {
  if (!IsAppId(app.id())) {
    return AppError("id", "the id must be 1 to 64 lower-case letters, digits and '-'");
  }
  if (app.label().empty() || app.label().size() > 200 || HasControl(app.label())) {
    return AppError("label", "the label must be 1 to 200 printable bytes");
  }
  switch (app.protocol_settings_case()) {
    case v1::App::kSaml:
      return ValidateSaml(app.saml());
    case v1::App::PROTOCOL_SETTINGS_NOT_SET:
      break;
  }
  return AppError("protocol_settings", "this release signs people in to SAML 2.0 apps");
}

}  // namespace devicetrust::policy
