#include "libs/wsfed/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/saml/xml.h"
#include "libs/wsfed/error.h"
#include "libs/wsfed/names.h"

namespace devicetrust::wsfed {
namespace {

using Party = org::v1::WsFedRelyingParty;

constexpr std::string_view kMultipleAuthn = "http://schemas.microsoft.com/claims/multipleauthn";
// What every sign-in here is.
constexpr std::array<std::string_view, 6> kPasswordMethods = {
    "urn:oasis:names:tc:SAML:1.0:am:password",
    "urn:oasis:names:tc:SAML:1.0:am:unspecified",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
    "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
};
// Longer than any session, and short enough to be added to a time in nanoseconds.
constexpr int kFreshMinutesMax = 10'000'000;

absl::Status Malformed(std::string why, std::string foreign = {}) {
  return Error(reason::v1::REASON_WSFED_REQUEST_MALFORMED, std::move(why), std::move(foreign));
}

// Empty when it is absent: in this protocol that means the same.
absl::StatusOr<std::string> ValueOf(const http::Parameters& parameters, std::string_view name) {
  absl::StatusOr<std::string> value = parameters.SingleOr(name, "");
  if (!value.ok()) return Malformed(fmt::format("{} came more than once", name));
  return value;
}

absl::StatusOr<std::string> ReplyUrl(const http::Parameters& parameters, const Party& party) {
  DT_ASSIGN_OR_RETURN(std::string wanted, ValueOf(parameters, "wreply"));
  if (party.reply_urls().empty()) {
    return Error(reason::v1::REASON_WSFED_REPLY_NOT_REGISTERED, "the app has no reply URL");
  }
  if (wanted.empty()) return party.reply_urls(0);
  if (!IsRegisteredReply(party, wanted)) {
    return Error(reason::v1::REASON_WSFED_REPLY_NOT_REGISTERED,
                 "wreply is not one of the reply URLs that are registered for the app, letter for "
                 "letter",
                 std::move(wanted));
  }
  return wanted;
}

absl::StatusOr<std::optional<std::chrono::minutes>> FreshWithin(
    const http::Parameters& parameters) {
  DT_ASSIGN_OR_RETURN(const std::string text, ValueOf(parameters, "wfresh"));
  std::optional<std::chrono::minutes> fresh;
  if (text.empty()) return fresh;
  int minutes = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), minutes);
  if (!IsAll(text, IsDigit) || (error != std::errc() && error != std::errc::result_out_of_range) ||
      stop != text.data() + text.size()) {
    return Malformed("wfresh is not a number of minutes", text);
  }
  if (error != std::errc()) minutes = kFreshMinutesMax;
  fresh = std::chrono::minutes(std::min(minutes, kFreshMinutesMax));
  return fresh;
}

absl::StatusOr<Authentication> AuthenticationOf(const http::Parameters& parameters) {
  DT_ASSIGN_OR_RETURN(std::string wanted, ValueOf(parameters, "wauth"));
  if (wanted.empty() || std::ranges::count(kPasswordMethods, wanted) != 0) {
    return Authentication::kAny;
  }
  if (wanted == kMultipleAuthn) return Authentication::kMultiFactor;
  return Error(
      reason::v1::REASON_WSFED_AUTHENTICATION_NOT_POSSIBLE,
      "wauth asks for a way to authenticate that this org does not have: it has a password "
      "(urn:oasis:names:tc:SAML:1.0:am:password), and a second factor "
      "(http://schemas.microsoft.com/claims/multipleauthn)",
      std::move(wanted));
}

// The kind of token that wreq, a RequestSecurityToken, asks for; nothing when it does not say.
absl::StatusOr<std::optional<Party::TokenType>> AskedTokenType(const http::Parameters& parameters) {
  std::optional<Party::TokenType> type;
  DT_ASSIGN_OR_RETURN(const std::string xml, ValueOf(parameters, "wreq"));
  if (xml.empty()) return type;
  DT_ASSIGN_OR_RETURN(const saml::XmlDocument document, saml::XmlDocument::Parse(xml));
  for (const std::string_view ns : {kTrust2005Ns, kTrust13Ns}) {
    if (!document.root().Is(ns, "RequestSecurityToken")) continue;
    DT_ASSIGN_OR_RETURN(const auto element, document.root().Child(ns, "TokenType"));
    if (!element) return type;
    DT_ASSIGN_OR_RETURN(type, TokenTypeOf(element->Text()));
    return type;
  }
  return Malformed("wreq is no RequestSecurityToken of WS-Trust 1.3 or of February 2005");
}

}  // namespace

absl::StatusOr<Action> ActionOf(const http::Parameters& parameters) {
  DT_ASSIGN_OR_RETURN(std::string action, ValueOf(parameters, "wa"));
  if (action == "wsignin1.0") return Action::kSignIn;
  if (action == "wsignout1.0") return Action::kSignOut;
  if (action == "wsignoutcleanup1.0") return Action::kSignOutCleanup;
  if (action.empty()) return Malformed("wa is missing: the request does not say what it asks for");
  return Malformed("wa is none of wsignin1.0, wsignout1.0 and wsignoutcleanup1.0",
                   std::move(action));
}

absl::StatusOr<std::string> RealmOf(const http::Parameters& parameters) {
  return ValueOf(parameters, "wtrealm");
}

absl::StatusOr<std::string> ContextOf(const http::Parameters& parameters) {
  DT_ASSIGN_OR_RETURN(std::string context, ValueOf(parameters, "wctx"));
  if (context.size() > kContextBytesMax) {
    return Malformed(fmt::format("wctx is longer than {} bytes", kContextBytesMax));
  }
  if (!IsUtf8(context)) return Malformed("wctx is not UTF-8, so a form can't carry it back");
  return context;
}

bool IsRegisteredReply(const Party& party, std::string_view url) {
  return std::ranges::count(party.reply_urls(), url) != 0;
}

absl::StatusOr<Party::TokenType> TokenTypeOf(std::string_view uri) {
  constexpr std::string_view kProfile =
      "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#";
  const auto is_version = [&](std::string_view version) {
    return uri.starts_with(kProfile) && uri.substr(kProfile.size()) == version;
  };
  if (uri == kSaml11Ns || is_version("SAMLV1.1")) return Party::TOKEN_TYPE_SAML_1_1;
  if (uri == saml::kSamlNs || is_version("SAMLV2.0")) return Party::TOKEN_TYPE_SAML_2_0;
  return Malformed("a TokenType is asked for that is neither SAML 1.1 nor SAML 2.0",
                   std::string(uri));
}

absl::StatusOr<SignInRequest> CheckSignIn(const http::Parameters& parameters, const Party& party) {
  DT_ASSIGN_OR_RETURN(std::string realm, RealmOf(parameters));
  if (!realm.empty() && realm != party.realm()) {
    return Error(reason::v1::REASON_WSFED_UNKNOWN_REALM,
                 "wtrealm is not the realm of the app at this address", std::move(realm));
  }
  DT_ASSIGN_OR_RETURN(const std::string pointer, ValueOf(parameters, "wreqptr"));
  if (!pointer.empty()) {
    return Malformed("wreqptr is not followed: send the request itself, in wreq", pointer);
  }
  SignInRequest request;
  DT_ASSIGN_OR_RETURN(request.reply_url, ReplyUrl(parameters, party));
  DT_ASSIGN_OR_RETURN(request.context, ContextOf(parameters));
  DT_ASSIGN_OR_RETURN(request.authentication, AuthenticationOf(parameters));
  DT_ASSIGN_OR_RETURN(request.fresh_within, FreshWithin(parameters));
  const auto asked = Typed(AskedTokenType(parameters));
  if (!asked.ok()) return asked.status();
  const Party::TokenType own = party.token_type() == Party::TOKEN_TYPE_UNSPECIFIED
                                   ? Party::TOKEN_TYPE_SAML_1_1
                                   : party.token_type();
  request.token_type = asked->value_or(own);
  return request;
}

}  // namespace devicetrust::wsfed
