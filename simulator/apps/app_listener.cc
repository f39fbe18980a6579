#include "simulator/apps/app_listener.h"

#include <fmt/format.h>

#include <array>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/http/form.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::simulator {
namespace {

// One for each sign-in that is under way, so that tabs do not forget one another.
constexpr std::string_view kStateCookiePrefix = "__Host-app-state-";
constexpr long kStateSeconds = 600;
constexpr std::size_t kStateIdBytesMax = 64;
// More in one browser are tabs left behind: the oldest go, lest they fill the request's head.
constexpr std::size_t kStatesMax = 16;

std::string StateCookie(std::string_view state) {
  return fmt::format("{}{}", kStateCookiePrefix, state);
}

void ClearCookie(const std::string& name, http::Response& response) {
  response.fields.Add("set-cookie",
                      http::FormatCookie({name, "", 0, http::SetCookie::SameSite::kNone}));
}

// The states that the browser holds beside a new one; oldest first (RFC 6265, section 5.4).
void ClearOldStates(const http::Request& request, http::Response& response) {
  auto cookies = http::ParseCookies(request.fields.Find("cookie").value_or(""));
  std::erase_if(cookies,
                [](const auto& each) { return !each.first.starts_with(kStateCookiePrefix); });
  for (std::size_t i = 0; i + kStatesMax <= cookies.size(); ++i) {
    ClearCookie(cookies[i].first, response);
  }
}

constexpr std::size_t kResponseBytesMax = 512 * 1024;

http::Response AppPage(int status, std::string_view title, std::string_view content) {
  http::Response response = http::Html(
      status, fmt::format("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                          "<meta name=\"viewport\" content=\"width=device-width\">"
                          "<title>{0}</title><style>:root{{color-scheme:light dark}}body{{font:16px"
                          "/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 "
                          "1rem}}td,th{{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:"
                          "top}}</style><h1>{0}</h1>\n{1}</html>\n",
                          http::EscapeHtml(title), content));
  response.fields.Set("content-security-policy",
                      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                      "frame-ancestors 'none'");
  return response;
}

std::string Row(std::string_view name, std::string_view value) {
  return fmt::format("<tr><th>{}<td>{}\n", http::EscapeHtml(name), http::EscapeHtml(value));
}

std::string NoteLine(const AppListener::Note& note) {
  const std::string text = http::EscapeHtml(note.text);
  if (note.url.empty()) return fmt::format("<p>{}</p>\n", text);
  return fmt::format("<p><a href=\"{}\">{}</a></p>\n", http::EscapeHtml(note.url), text);
}

std::string HowDecided(std::string_view name) {
  return fmt::format(
      "<p>How the org decided, by which rule and on which device: "
      "<code>dtctl log --user {}</code></p>\n<p><a href=\"/\">All apps</a></p>",
      http::EscapeHtml(name));
}

http::Response NotAccepted(std::string_view why, std::string_view app_id) {
  return AppPage(403, "The sign-in was not accepted",
                 fmt::format("<p>{}.</p><p><a href=\"/{}/\">Try again</a></p>",
                             http::EscapeHtml(why), app_id));
}

http::Response ShowToken(const RelyingParty& party, const Token& token) {
  std::string rows =
      Row("subject", token.name) + Row("token", token.saml11 ? "SAML 1.1" : "SAML 2.0");
  std::string who = token.name;
  for (const auto& [name, values] : token.claims) {
    for (const std::string& value : values) rows += Row(name, value);
    if (name == "http://schemas.xmlsoap.org/claims/UPN" && !values.empty()) who = values.front();
  }
  return AppPage(200, "Welcome to " + party.config().label,
                 fmt::format("<p>The identity provider says who you are:</p>\n<table>\n{}</table>\n"
                             "<p><a href=\"{}\">Sign out everywhere</a></p>\n{}",
                             rows, http::EscapeHtml(party.SignOutUrl()), HowDecided(who)));
}

// At the reply URL without a token: the identity provider's page tells by an image that the session
// is over, or its link leads the person back.
http::Response SignedOut(const RelyingParty& party, const http::Request& request) {
  const absl::StatusOr<http::Parameters> query = request.QueryParameters();
  const auto action = query.ok() ? query->SingleOr("wa", "") : query.status();
  if (!action.ok() || *action != "wsignoutcleanup1.0") {
    return AppPage(200, party.config().label,
                   fmt::format("<p>You are signed out here.</p><p><a href=\"/{}/\">Sign in</a></p>",
                               party.config().id));
  }
  static constexpr std::string_view kDot(
      "GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 35);
  http::Response response;
  response.fields.Set("content-type", "image/gif");
  response.fields.Set("cross-origin-resource-policy", "cross-origin");
  response.body = kDot;
  return response;
}

// What begins a sign-in at `url`, in a browser that will bring `state` back.
http::Response ToSignIn(const std::string& url, std::string_view state,
                        const http::Request& request) {
  http::Response response = http::SeeOther(url);
  // The answer is a POST from another site.
  response.fields.Add("set-cookie", http::FormatCookie({StateCookie(state), "1", kStateSeconds,
                                                        http::SetCookie::SameSite::kNone}));
  ClearOldStates(request, response);
  return response;
}

http::Response ShowAssertion(const ServiceProviderConfig& app, const Assertion& assertion) {
  std::string rows = Row("NameID", assertion.name_id) + Row("session", assertion.session_index);
  for (const auto& [name, values] : assertion.attributes) {
    for (const std::string& value : values) rows += Row(name, value);
  }
  return AppPage(200, "Welcome to " + app.label,
                 fmt::format("<p>The identity provider says who you are:</p>\n<table>\n{}</table>\n"
                             "{}",
                             rows, HowDecided(assertion.name_id)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AppListener>> AppListener::Start(const std::string& address,
                                                                const std::string& host,
                                                                pki::Identity identity,
                                                                const Clock& clock,
                                                                Random& random) {
  std::unique_ptr<AppListener> listener(new AppListener(host, random));
  pki::TlsServerConfig tls{std::move(identity)};
  DT_ASSIGN_OR_RETURN(pki::TlsContext context, pki::TlsContext::ForServer(std::move(tls)));
  http::ListenerConfig config;
  config.address = address;
  config.flag = "--apps-port";
  config.tls = std::make_shared<const pki::TlsContext>(std::move(context));
  config.handler = [raw = listener.get()](const http::Request& request) {
    return raw->Answer(request);
  };
  config.limits.parser.body_bytes_max = kResponseBytesMax;
  http::ServerConfig server;
  server.listeners.push_back(std::move(config));
  server.clock = &clock;
  DT_ASSIGN_OR_RETURN(listener->server_, http::Server::Start(std::move(server)));
  return listener;
}

AppListener::~AppListener() = default;

std::string AppListener::origin() const {
  return fmt::format("https://{}:{}", host_, server_->endpoint(0).port());
}

void AppListener::SetApps(std::vector<ServiceProvider*> apps, std::vector<RelyingParty*> parties) {
  apps_ = std::move(apps);
  parties_ = std::move(parties);
  ready_ = true;
}

void AppListener::SetNotes(std::vector<Note> notes) {
  notes_.Set(std::make_shared<const std::vector<Note>>(std::move(notes)));
}

Task<http::Response> AppListener::Answer(const http::Request& request) {
  if (!ready_) co_return AppPage(503, "Starting", "<p>Try again in a moment.</p>");
  if (request.path == "/") {
    std::string list;
    for (const ServiceProvider* app : apps_) {
      list += fmt::format("<li><a href=\"/{}/\">{}</a>\n", app->config().id,
                          http::EscapeHtml(app->config().label));
    }
    for (const RelyingParty* party : parties_) {
      list += fmt::format("<li><a href=\"/{}/\">{}</a>\n", party->config().id,
                          http::EscapeHtml(party->config().label));
    }
    std::string notes;
    if (const auto known = notes_.Get()) {
      for (const Note& note : *known) notes += NoteLine(note);
    }
    co_return AppPage(200, "Apps", fmt::format("<ul>\n{}</ul>\n{}", list, notes));
  }
  for (ServiceProvider* app : apps_) {
    const std::string folder = "/" + app->config().id + "/";
    if (request.path == folder && request.method == "GET") {
      co_return Begin(*app, request);
    }
    if (request.path == folder + "acs" && request.method == "POST") {
      co_return Finish(*app, request);
    }
  }
  for (RelyingParty* party : parties_) {
    if (request.path.starts_with("/" + party->config().id + "/")) {
      co_return AnswerFor(*party, request);
    }
  }
  co_return AppPage(404, "Nothing here", "<p><a href=\"/\">All apps</a></p>");
}

http::Response AppListener::Begin(ServiceProvider& app, const http::Request& request) {
  const auto start = [&]() -> absl::StatusOr<ServiceProvider::SignOn> {
    DT_ASSIGN_OR_RETURN(const std::string state, NewRandomId(random_));
    return app.StartSignOn(ServiceProvider::Binding::kRedirect, state);
  };
  const absl::StatusOr<ServiceProvider::SignOn> sign_on = start();
  if (!sign_on.ok()) {
    return AppPage(503, "Sign-in can't begin",
                   http::EscapeHtml(std::string(sign_on.status().message())));
  }
  return ToSignIn(sign_on->url, sign_on->relay_state, request);
}

http::Response AppListener::Finish(ServiceProvider& app, const http::Request& request) {
  const auto refused = [&app](std::string_view why) { return NotAccepted(why, app.config().id); };
  const absl::StatusOr<http::Parameters> form = request.FormParameters();
  if (!form.ok()) return refused("The form is malformed");
  const absl::StatusOr<std::string> response = form->Single("SAMLResponse");
  const absl::StatusOr<std::string> state = form->Single("RelayState");
  if (!response.ok() || !state.ok()) return refused("The form lacks SAMLResponse or RelayState");
  if (state->size() > kStateIdBytesMax || !request.Cookie(StateCookie(*state))) {
    return refused("This browser did not ask for it, or too long ago");
  }
  const absl::StatusOr<Assertion> assertion = app.FinishSignOn(*response, *state);
  http::Response page = assertion.ok() ? ShowAssertion(app.config(), *assertion)
                                       : refused(std::string(assertion.status().message()));
  ClearCookie(StateCookie(*state), page);
  return page;
}

http::Response AppListener::AnswerFor(RelyingParty& party, const http::Request& request) {
  const std::string folder = "/" + party.config().id + "/";
  if (request.path == folder && request.method == "GET") return Begin(party, request);
  if (request.path == folder + "wsfed" && request.method == "POST") return Finish(party, request);
  if (request.path == folder + "wsfed") return SignedOut(party, request);
  return AppPage(404, "Nothing here", "<p><a href=\"/\">All apps</a></p>");
}

http::Response AppListener::Begin(RelyingParty& party, const http::Request& request) {
  const absl::StatusOr<std::string> state = NewRandomId(random_);
  if (!state.ok()) return AppPage(503, "Sign-in can't begin", "<p>Try again in a moment.</p>");
  return ToSignIn(party.SignInUrl(*state), *state, request);
}

http::Response AppListener::Finish(RelyingParty& party, const http::Request& request) {
  const auto refused = [&party](std::string_view why) {
    return NotAccepted(why, party.config().id);
  };
  const absl::StatusOr<http::Parameters> form = request.FormParameters();
  if (!form.ok()) return refused("The form is malformed");
  const absl::StatusOr<std::string> action = form->Single("wa");
  const absl::StatusOr<std::string> result = form->Single("wresult");
  const absl::StatusOr<std::string> state = form->Single("wctx");
  if (!action.ok() || *action != "wsignin1.0" || !result.ok() || !state.ok()) {
    return refused("The form is no wsignin1.0 with wresult and wctx");
  }
  if (state->size() > kStateIdBytesMax || !request.Cookie(StateCookie(*state))) {
    return refused("This browser did not ask for it, or too long ago");
  }
  const absl::StatusOr<Token> token = party.TakeToken(*result);
  http::Response page =
      token.ok() ? ShowToken(party, *token) : refused(std::string(token.status().message()));
  ClearCookie(StateCookie(*state), page);
  return page;
}

}  // namespace devicetrust::simulator
