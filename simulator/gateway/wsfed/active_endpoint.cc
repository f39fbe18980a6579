#include "simulator/gateway/wsfed/active_endpoint.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/log_sparsely.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/sso_flow.h"
#include "simulator/gateway/wsfed/addresses.h"
#include "simulator/gateway/wsfed/wsfed_front_end.h"

namespace devicetrust::gateway {
namespace {

constexpr std::string_view kSoapType = "application/soap+xml";

http::Response Soap(int status, std::string envelope) {
  http::Response response;
  response.status = status;
  response.fields.Set("content-type", "application/soap+xml; charset=utf-8");
  response.body = std::move(envelope);
  return response;
}

http::Response Refused(wsfed::Fault fault, std::string_view text) {
  // SOAP 1.2, part 2, section 7.5.2.2: 400 for what the sender can change.
  return Soap(fault == wsfed::Fault::kUnavailable ? 503 : 400, wsfed::BuildFault(fault, text));
}

bool IsSoap(const http::Request& request) {
  const std::string type = LowerCase(request.fields.Find("content-type").value_or(""));
  return type.substr(0, type.find(';')) == kSoapType;
}

// Of a password that the org did not take. A wrong name reads like a wrong password.
http::Response NotSignedIn(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
      return Refused(wsfed::Fault::kFailedAuthentication,
                     "The name or the password is wrong, or the account may not sign in.");
    case absl::StatusCode::kResourceExhausted:
      return Refused(wsfed::Fault::kUnavailable, "Too many attempts. Wait a minute and try again.");
    default:
      break;
  }
  const std::string name = rpc::ReasonName(status);
  LogSparsely(LogLevel::kWarning, "gateway.password.unchecked", name,
              {{"reason", name}, {"message", std::string(status.message())}});
  return Refused(wsfed::Fault::kUnavailable,
                 "Passwords can't be checked just now. Try again in a moment.");
}

// Exchange Online asks for its clients and says whose address it was. Else one guesser behind it
// would use up the attempts of everybody, and rules would see the mail service's network.
constexpr std::string_view kForwardedClientField = "x-ms-forwarded-client-ip";

org::v1::ClientInfo MailClientOf(const Site& site, const http::Request& request) {
  org::v1::ClientInfo client = ClientOf(request);
  if (!site.mail_hosts.Contain(request.connection.peer_address)) return client;
  if (request.fields.Count(kForwardedClientField) != 1) return client;
  if (const auto address = http::LastAddress(*request.fields.Find(kForwardedClientField))) {
    client.set_address(address->to_string());
  }
  return client;
}

org::v1::EvaluateRequest EvaluationOf(const org::v1::ClientInfo& client, const org::v1::App& app,
                                      const org::v1::StartSessionResponse& session) {
  org::v1::EvaluateRequest request;
  request.set_app_id(app.id());
  org::v1::SessionInfo* info = request.mutable_session();
  info->set_session_id(session.session_id());
  info->set_user_id(session.user().id());
  *info->mutable_authenticated_at() = session.authenticated_at();
  *request.mutable_client() = client;
  request.set_client_kind(org::v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY);
  request.set_session_hash(ToString(pki::Sha256(session.session_id())));
  return request;
}

}  // namespace

bool WsFedActiveEndpoint::Serves(std::string_view path) {
  return path == kWsFedActivePath || AppOfPath(path, kWsFedActivePath).has_value();
}

Task<http::Response> WsFedActiveEndpoint::Answer(const RequestContext& context) const {
  if (context.request.method != "POST") {
    co_return RenderNotFound(site_, "This address is for mail programs. Open the app instead.");
  }
  if (!IsSoap(context.request)) {
    co_return Refused(wsfed::Fault::kInvalidRequest,
                      "The body must be a SOAP 1.2 envelope, application/soap+xml.");
  }
  const auto request = wsfed::ParseTokenRequest(context.request.body, context.now);
  if (!request.ok()) {
    co_return Refused(wsfed::Fault::kInvalidRequest, std::string(request.status().message()));
  }
  const std::optional<std::string> named = AppOfPath(context.request.path, kWsFedActivePath);
  const org::v1::App* app = context.apps->FindByRealm(request->realm);
  if (app == nullptr || (named && app->id() != *named)) {
    co_return Refused(wsfed::Fault::kInvalidRequest,
                      "No app is registered here with the address that the token is asked for.");
  }
  if (!app->has_client_conditions()) {
    co_return Refused(wsfed::Fault::kRequestFailed,
                      "People sign in to this app with a browser, not with a name and a password "
                      "in a message.");
  }
  org::v1::StartSessionRequest start;
  start.set_principal(request->user_name);
  start.set_password(request->password);
  *start.mutable_client() = MailClientOf(site_, context.request);
  const auto session = co_await org_.StartSession(std::move(start));
  if (!session.ok()) co_return NotSignedIn(session.status());
  http::Response response = co_await Decide(context, *request, *app, *session);
  org::v1::EndSessionRequest end;
  end.set_session_id(session->session_id());
  end.set_user_id(session->user().id());
  // Nobody holds it: if this fails, it is over by itself.
  (void)co_await org_.EndSession(std::move(end));
  co_return response;
}

Task<http::Response> WsFedActiveEndpoint::Decide(
    const RequestContext& context, const wsfed::TokenRequest& request, const org::v1::App& app,
    const org::v1::StartSessionResponse& session) const {
  const org::v1::ClientInfo client = MailClientOf(site_, context.request);
  const auto evaluated = co_await org_.Evaluate(EvaluationOf(client, app, session));
  if (!evaluated.ok()) co_return NotSignedIn(evaluated.status());
  const org::v1::SignOnResult& result = evaluated->result();
  switch (result.outcome()) {
    case org::v1::OUTCOME_ALLOWED:
      break;
    case org::v1::OUTCOME_FACTOR_REQUIRED:
      co_return Refused(wsfed::Fault::kRequestFailed,
                        fmt::format("The rules of this app ask for a second factor, which a client "
                                    "like this can't give. Use a browser, or a client with modern "
                                    "authentication. Code {}.",
                                    result.code()));
    default:
      co_return Refused(wsfed::Fault::kRequestFailed,
                        fmt::format("The rules of this app refuse this client. Use a browser, or "
                                    "a client with modern authentication. Code {}.",
                                    result.code()));
  }
  const absl::StatusOr<std::string> envelope =
      Envelope(context, request, app,
               {result.user(), rpc::FromTimestamp(session.authenticated_at()), false});
  if (!envelope.ok()) {
    co_return Refused(wsfed::Fault::kUnavailable, "Something went wrong. Try again in a moment.");
  }
  co_return Soap(200, *envelope);
}

absl::StatusOr<std::string> WsFedActiveEndpoint::Envelope(const RequestContext& context,
                                                          const wsfed::TokenRequest& request,
                                                          const org::v1::App& app,
                                                          const wsfed::Subject& subject) const {
  const wsfed::Answer answer{WsFedIssuer(site_), "",
                             request.token_type.value_or(app.ws_fed().token_type()), context.now};
  DT_ASSIGN_OR_RETURN(
      const std::string token,
      wsfed::BuildToken(answer, app.ws_fed(), subject,
                        context.keys->SamlSigner(org::v1::SAML_KEY_KIND_RSA), random_));
  return wsfed::BuildTokenEnvelope(
      request, wsfed::BuildTokenResponse(request.trust_ns, answer, app.ws_fed().realm(), token));
}

}  // namespace devicetrust::gateway
