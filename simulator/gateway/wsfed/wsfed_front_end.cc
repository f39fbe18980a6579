#include "simulator/gateway/wsfed/wsfed_front_end.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/wsfed/error.h"
#include "libs/wsfed/metadata.h"
#include "libs/wsfed/names.h"
#include "libs/wsfed/request.h"
#include "libs/wsfed/token.h"
#include "simulator/gateway/sso/packing.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/wsfed/addresses.h"

namespace devicetrust::gateway {
namespace {

using Party = org::v1::WsFedRelyingParty;

constexpr std::uint8_t kStateVersion = 1;
constexpr std::int64_t kAnyAge = -1;

}  // namespace

struct WsFedFrontEnd::State {
  std::string reply_url;
  std::string context;  // wctx
  Party::TokenType token_type = Party::TOKEN_TYPE_SAML_1_1;
  bool multi_factor = false;
  std::int64_t fresh_minutes = kAnyAge;  // How old the password may be.

  absl::StatusOr<std::string> Pack() const {
    Packer packer(kStateVersion);
    packer.Text(reply_url)
        .Text(context)
        .Number(token_type)
        .Flag(multi_factor)
        .Number(fresh_minutes);
    std::string packed = ToString(packer.Take());
    if (packed.size() <= kProtocolStateBytesMax) return packed;
    return wsfed::Error(reason::v1::REASON_WSFED_REQUEST_MALFORMED, "the request is too long");
  }

  // Of what Pack() made, which a seal protects.
  static State Unpack(const std::string& packed) {
    Unpacker unpacker(AsBytes(packed), kStateVersion);
    State state;
    state.reply_url = unpacker.Text();
    state.context = unpacker.Text();
    state.token_type = unpacker.Number() == Party::TOKEN_TYPE_SAML_2_0 ? Party::TOKEN_TYPE_SAML_2_0
                                                                       : Party::TOKEN_TYPE_SAML_1_1;
    state.multi_factor = unpacker.Flag();
    state.fresh_minutes = unpacker.Number();
    return unpacker.Done() ? state : State();
  }
};

std::string WsFedIssuer(const Site& site) {
  return fmt::format("{}{}", site.org_origin, kFederationMetadataPath);
}

http::Response WsFedFrontEnd::Metadata(const RequestContext& context) const {
  std::shared_ptr<const SignedMetadata> made = metadata_.Get();
  if (made == nullptr || made->keys != context.keys) {
    const auto xml = wsfed::BuildFederationMetadata(
        {.entity_id = WsFedIssuer(site_),
         .passive_url = fmt::format("{}{}", site_.org_origin, kWsFedPath),
         .active_url = fmt::format("{}{}", site_.org_origin, kWsFedActivePath),
         .name = site_.org_name,
         .signing_certificates = context.keys->SamlCertificates(/*curves=*/false)},
        context.keys->SamlSigner(org::v1::SAML_KEY_KIND_RSA));
    if (!xml.ok()) return RenderNotFound(site_, "There is no federation metadata just now.");
    made = std::make_shared<const SignedMetadata>(SignedMetadata{context.keys, *xml});
    metadata_.Set(made);
  }
  http::Response response;
  response.fields.Set("content-type", "application/samlmetadata+xml; charset=utf-8");
  response.body = made->xml;
  return response;
}

bool WsFedFrontEnd::Serves(std::string_view path) const {
  return path == kWsFedPath || AppOfPath(path, kWsFedPath).has_value();
}

bool WsFedFrontEnd::AsksToSignOut(const http::Request& request) {
  const auto parameters =
      request.method == "POST" ? request.FormParameters() : request.QueryParameters();
  if (!parameters.ok()) return false;
  const absl::StatusOr<wsfed::Action> action = wsfed::ActionOf(*parameters);
  return action.ok() && *action != wsfed::Action::kSignIn;
}

std::optional<Link> WsFedFrontEnd::WayBack(const RequestContext& context) const {
  const auto parameters = context.request.QueryParameters();
  const auto url = parameters.ok() ? parameters->SingleOr("wreply", "") : parameters.status();
  if (!url.ok() || url->empty()) return std::nullopt;
  for (const auto& [id, app] : context.apps->all()) {
    if (app.has_ws_fed() && wsfed::IsRegisteredReply(app.ws_fed(), *url)) {
      return Link{fmt::format("Back to {}", app.label()), *url};
    }
  }
  return std::nullopt;
}

std::string WsFedFrontEnd::SignOutImageUrl(const org::v1::App& app) const {
  if (!app.has_ws_fed() || app.ws_fed().reply_urls().empty()) return "";
  const std::string& url = app.ws_fed().reply_urls(0);
  return fmt::format("{}{}wa=wsignoutcleanup1.0", url,
                     url.find('?') == std::string::npos ? '?' : '&');
}

std::string WsFedFrontEnd::StartUrl(const org::v1::App& app) const {
  return app.has_ws_fed() ? fmt::format("/app/{}{}", app.id(), kWsFedPath) : "";
}

absl::StatusOr<WsFedFrontEnd::Begun> WsFedFrontEnd::Begin(const RequestContext& context,
                                                          std::string& app_id) const {
  const http::Request& request = context.request;
  const std::optional<std::string> named = AppOfPath(request.path, kWsFedPath);
  const bool post = request.method == "POST";
  const auto parsed = wsfed::Typed(post ? request.FormParameters() : request.QueryParameters());
  if (!parsed.ok()) return parsed.status();
  DT_ASSIGN_OR_RETURN(const org::v1::App* app, FindWsFedApp(*context.apps, named, *parsed));
  app_id = app->id();

  DT_ASSIGN_OR_RETURN(const auto action, wsfed::Typed(parsed->Optional("wa")));
  const bool unsolicited = named && !action && !post;
  if (!unsolicited) {
    DT_ASSIGN_OR_RETURN(const wsfed::Action asked, wsfed::ActionOf(*parsed));
    if (asked != wsfed::Action::kSignIn) {
      return wsfed::Error(reason::v1::REASON_WSFED_REQUEST_MALFORMED, "wa is no sign-in");
    }
  }
  DT_ASSIGN_OR_RETURN(const wsfed::SignInRequest checked,
                      wsfed::CheckSignIn(*parsed, app->ws_fed()));
  const State state{checked.reply_url, checked.context, checked.token_type,
                    checked.authentication == wsfed::Authentication::kMultiFactor,
                    checked.fresh_within ? checked.fresh_within->count() : kAnyAge};
  DT_ASSIGN_OR_RETURN(Transaction transaction, NewTransaction(context.now, random_));
  transaction.protocol = Protocol::kWsFed;
  transaction.app_id = app->id();
  transaction.fresh_sign_in = state.fresh_minutes == 0;
  DT_ASSIGN_OR_RETURN(transaction.protocol_state, state.Pack());
  return transaction;
}

bool WsFedFrontEnd::IsStillRegistered(const Transaction& transaction,
                                      const org::v1::App& app) const {
  return app.has_ws_fed() && wsfed::IsRegisteredReply(
                                 app.ws_fed(), State::Unpack(transaction.protocol_state).reply_url);
}

bool WsFedFrontEnd::WantsFresherSignIn(const Transaction& transaction, const Session& session,
                                       WallTime now) const {
  const State state = State::Unpack(transaction.protocol_state);
  return state.fresh_minutes != kAnyAge &&
         session.authenticated_at + std::chrono::minutes(state.fresh_minutes) < now;
}

bool WsFedFrontEnd::ExpectsOtherUser(const Transaction& /*transaction*/,
                                     const org::v1::App& /*app*/,
                                     const Session& /*session*/) const {
  return false;
}

absl::StatusOr<http::Response> WsFedFrontEnd::ReplyAllowed(const RequestContext& context,
                                                           const Transaction& transaction,
                                                           const org::v1::App& app,
                                                           const org::v1::User& user) const {
  const State state = State::Unpack(transaction.protocol_state);
  const Session& session = *transaction.session;
  if (state.multi_factor && !session.factor_at) {
    return wsfed::Error(reason::v1::REASON_WSFED_AUTHENTICATION_NOT_POSSIBLE,
                        "wauth asks for a second factor, and no rule of the app has prompted for "
                        "one; let a rule do so");
  }
  const wsfed::Answer answer{WsFedIssuer(site_), state.reply_url, state.token_type, context.now};
  const wsfed::Subject subject{user, session.authenticated_at, session.factor_at.has_value(),
                               session.by_ticket};
  DT_ASSIGN_OR_RETURN(
      const std::string token,
      wsfed::BuildToken(answer, app.ws_fed(), subject,
                        context.keys->SamlSigner(org::v1::SAML_KEY_KIND_RSA), random_));
  const std::string result =
      wsfed::BuildTokenResponse(wsfed::kTrust2005Ns, answer, app.ws_fed().realm(), token);
  const std::array<std::pair<std::string_view, std::string_view>, 3> fields = {
      {{"wa", "wsignin1.0"}, {"wresult", result}, {"wctx", state.context}}};
  return RenderAutoPost(site_, {.url = state.reply_url,
                                .fields = std::span(fields).first(state.context.empty() ? 2 : 3),
                                .app_label = app.label()});
}

absl::StatusOr<http::Response> WsFedFrontEnd::ReplyFailure(const RequestContext& /*context*/,
                                                           const Transaction& /*transaction*/,
                                                           const org::v1::App& /*app*/,
                                                           SsoFailure /*failure*/) const {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_SESSION_EXPIRED,
                        "WS-Federation has no answer without a token");
}

}  // namespace devicetrust::gateway
