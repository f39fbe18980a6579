#include "policy-engine/apps/app_validation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/http/url.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/error.h"
#include "policy-engine/org/name_id_format.h"

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

// Where a browser may be sent with a token.
bool IsReplyUrl(const std::string& url) {
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
    if (!IsReplyUrl(acs.url())) {
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

absl::Status ValidateEncryption(const v1::SamlServiceProvider& saml) {
  if (!saml.has_encryption_key()) {
    if (saml.settings().encryption() != v1::SAML_ENCRYPTION_ALWAYS) return absl::OkStatus();
    return AppError("saml.settings.encryption",
                    "assertions can't be encrypted: the metadata has no RSA key for it");
  }
  const v1::SamlEncryptionKey& key = saml.encryption_key();
  const auto certificate = pki::Certificate::FromDer(AsBytes(key.certificate_der()));
  const auto public_key = certificate.ok() ? certificate->public_key()
                                           : absl::StatusOr<pki::PublicKey>(certificate.status());
  if (!public_key.ok() || public_key->type() != pki::KeyType::kRsa2048) {
    return AppError("saml.encryption_key",
                    "the certificate to encrypt to must be X.509 with an RSA key of 2048 to 4096 "
                    "bits");
  }
  if (key.methods_size() > kEncryptionMethodsMax) {
    return AppError("saml.encryption_key",
                    fmt::format("at most {} encryption methods", kEncryptionMethodsMax));
  }
  return absl::OkStatus();
}

absl::Status ValidateLogout(const v1::SamlServiceProvider& saml) {
  if (saml.single_logout_size() > kLogoutServicesMax) {
    return AppError("saml.single_logout", fmt::format("at most {} services", kLogoutServicesMax));
  }
  for (const v1::SingleLogoutService& service : saml.single_logout()) {
    const bool known = service.binding() == v1::SAML_BINDING_REDIRECT ||
                       service.binding() == v1::SAML_BINDING_POST;
    const bool good = IsReplyUrl(service.url()) &&
                      (service.response_url().empty() || IsReplyUrl(service.response_url()));
    if (known && good) continue;
    return AppError("saml.single_logout",
                    fmt::format("'{}' is no logout address: by Redirect or POST, https or http on "
                                "this computer",
                                service.url().substr(0, 200)));
  }
  return absl::OkStatus();
}

// What is wrong with a mapping; empty: nothing.
std::string_view ProblemOf(const v1::AttributeMapping& mapping) {
  constexpr std::size_t kBytesMax = 256;
  if (mapping.name().empty() || mapping.name().size() > kBytesMax || HasControl(mapping.name())) {
    return "its name must be 1 to 256 printable bytes";
  }
  if (mapping.value().size() > kBytesMax || mapping.group_prefix().size() > kBytesMax ||
      HasControl(mapping.value()) || HasControl(mapping.group_prefix())) {
    return "a value or group prefix has at most 256 printable bytes";
  }
  const bool has_field = mapping.field() != v1::USER_FIELD_UNSPECIFIED;
  if (has_field == !mapping.value().empty()) return "it needs a field or a value, and not both";
  if (!v1::UserField_IsValid(mapping.field()) ||
      !v1::AttributeNameFormat_IsValid(mapping.name_format())) {
    return "its field or name format is not known";
  }
  if (!mapping.group_prefix().empty() && mapping.field() != v1::USER_FIELD_GROUPS) {
    return "a group prefix is for groups";
  }
  return {};
}

absl::Status ValidateSettings(const v1::SamlSettings& settings) {
  if (!IsNameIdFormatOrEmpty(settings.name_id_format())) {
    return AppError("saml.settings.name_id_format",
                    fmt::format("a NameID format is one of {}", fmt::join(kNameIdFormats, ", ")));
  }
  if (!v1::UserField_IsValid(settings.name_id_field()) ||
      settings.name_id_field() == v1::USER_FIELD_GROUPS) {
    return AppError("saml.settings.name_id_field", "a person is named by a field with one value");
  }
  if (!v1::SamlSignedPart_IsValid(settings.signed_part()) ||
      !v1::SamlKeyKind_IsValid(settings.signing_key()) ||
      !v1::SamlEncryption_IsValid(settings.encryption())) {
    return AppError("saml.settings", "a choice that this release does not know");
  }
  if (settings.attributes_size() > kAttributesPerAppMax) {
    return AppError("saml.settings.attributes",
                    fmt::format("at most {} attributes", kAttributesPerAppMax));
  }
  std::set<std::string> names;
  for (const v1::AttributeMapping& mapping : settings.attributes()) {
    std::string_view problem = ProblemOf(mapping);
    // Several libraries keep the last of one name only.
    if (!names.insert(mapping.name()).second) problem = "another one has its name";
    if (problem.empty()) continue;
    return AppError("saml.settings.attributes",
                    fmt::format("attribute '{}': {}", CutText(mapping.name(), 200), problem));
  }
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
  DT_RETURN_IF_ERROR(ValidateEncryption(saml));
  DT_RETURN_IF_ERROR(ValidateLogout(saml));
  return ValidateSettings(saml.settings());
}

// An absolute URI (RFC 3986, section 4.3) in characters that need no escape where it is shown.
bool IsAbsoluteUri(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return false;
  const auto in_scheme = [](char c) { return IsAlnum(c) || c == '+' || c == '-' || c == '.'; };
  return IsAll(text.substr(0, colon), in_scheme) &&
         IsAll(text, [](char c) { return IsVisible(c) && c != '<' && c != '>' && c != '"'; });
}

// SAML 1.1 names an attribute in two parts, which relying parties put together with a slash.
bool IsClaimName(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return name.size() <= 256 && IsAbsoluteUri(name) && slash != std::string::npos && slash > 0 &&
         slash + 1 < name.size() && name[slash - 1] != '/' && name[slash - 1] != ':';
}

absl::Status ValidateClaims(const v1::WsFedRelyingParty& party) {
  const auto error = [](std::string message) {
    return AppError("ws_fed.attributes", std::move(message));
  };
  if (party.attributes_size() > kClaimsPerAppMax) {
    return error(fmt::format("at most {} claims", kClaimsPerAppMax));
  }
  if (party.attributes_size() > 0 && party.claims() == v1::WsFedRelyingParty::CLAIMS_OFFICE_365) {
    return error("Office 365 reads the claims that it knows, no others");
  }
  std::set<std::string> names;
  for (const v1::AttributeMapping& claim : party.attributes()) {
    if (!IsClaimName(claim.name())) {
      return error(
          fmt::format("'{}' is no claim: it must be an address with a path, like "
                      "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
                      claim.name().substr(0, 200)));
    }
    if (!names.insert(claim.name()).second) {
      return error(fmt::format("'{}' is given twice", claim.name()));
    }
    const bool known = v1::UserField_IsValid(claim.field());
    const bool of_field = claim.field() != v1::USER_FIELD_UNSPECIFIED;
    if (!known || of_field != claim.value().empty() || claim.value().size() > 1024 ||
        HasControl(claim.value())) {
      return error(fmt::format("'{}' needs a field of the user, or a value of at most 1024 bytes",
                               claim.name()));
    }
    if (claim.name_format() != v1::ATTRIBUTE_NAME_FORMAT_UNSPECIFIED ||
        claim.group_prefix().size() > 256) {
      return error(
          fmt::format("'{}': claims have no name format, and a group prefix has at most "
                      "256 bytes",
                      claim.name()));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateWsFed(const v1::WsFedRelyingParty& party, bool has_client_conditions) {
  constexpr std::size_t kRealmBytesMax = 1024;
  if (party.realm().size() > kRealmBytesMax || !IsAbsoluteUri(party.realm())) {
    return AppError("ws_fed.realm", "the realm must be an absolute URI of at most 1024 bytes");
  }
  if (party.reply_urls_size() < 1 || party.reply_urls_size() > kReplyUrlsPerAppMax) {
    return AppError("ws_fed.reply_urls",
                    fmt::format("a WS-Federation app has 1 to {} reply URLs", kReplyUrlsPerAppMax));
  }
  std::set<std::string> seen;
  for (const std::string& url : party.reply_urls()) {
    if (!IsReplyUrl(url)) {
      return AppError(
          "ws_fed.reply_urls",
          fmt::format("'{}' is no reply URL: https, or http on this computer", url.substr(0, 200)));
    }
    if (!seen.insert(url).second) {
      return AppError("ws_fed.reply_urls", fmt::format("'{}' is given twice", url));
    }
  }
  if (!v1::WsFedRelyingParty::TokenType_IsValid(party.token_type())) {
    return AppError("ws_fed.token_type", "this release gives SAML 1.1 and SAML 2.0 tokens");
  }
  if (!v1::WsFedRelyingParty::Claims_IsValid(party.claims())) {
    return AppError("ws_fed.claims", "this release gives the general claims and Office 365's");
  }
  if (party.claims() == v1::WsFedRelyingParty::CLAIMS_OFFICE_365 && !has_client_conditions) {
    return AppError("has_client_conditions",
                    "an app with the claims of Office 365 tells clients apart");
  }
  return ValidateClaims(party);
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
    case v1::App::kWsFed:
      return ValidateWsFed(app.ws_fed(), app.has_client_conditions());
    case v1::App::PROTOCOL_SETTINGS_NOT_SET:
      break;
  }
  return AppError("protocol_settings",
                  "this release signs people in to SAML 2.0 and WS-Federation apps");
}

}  // namespace devicetrust::policy
