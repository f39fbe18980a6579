#include "simulator/gateway/org_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/saml/metadata.h"
#include "simulator/gateway/pages.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kUserAgentBytesMax = 512;
constexpr std::string_view kSamlSuffix = "/sso/saml";
constexpr std::string_view kDiscoveryPath = "/.well-known/device-trust";
// Paths without a form. All paths take HEAD where they take GET (RFC 9110, section 9.1).
constexpr std::string_view kReadPaths[] = {"/", "/continue", "/proof", "/saml/metadata",
                                           kDiscoveryPath};

// ID of /app/ID/sso/saml.
std::optional<std::string> AppOfPath(std::string_view path) {
  constexpr std::string_view kPrefix = "/app/";
  if (!path.starts_with(kPrefix) || !path.ends_with(kSamlSuffix) ||
      path.size() <= kPrefix.size() + kSamlSuffix.size()) {
    return std::nullopt;
  }
  const std::string_view id =
      path.substr(kPrefix.size(), path.size() - kPrefix.size() - kSamlSuffix.size());
  if (id.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(id);
}

}  // namespace

org::v1::ClientInfo ClientOf(const http::Request& request) {
  org::v1::ClientInfo client;
  client.set_address(request.connection.peer_address.to_string());
  // Protobuf strings are UTF-8: other octets (which no browser sends) become '?'.
  std::string agent(request.fields.Find("user-agent").value_or("").substr(0, kUserAgentBytesMax));
  for (char& c : agent) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  client.set_user_agent(agent);
  return client;
}

http::Response TransactionGone() {
  return RenderProblem(400, "This sign-in is over",
                       "It was finished already, is too old, or your browser keeps no cookies. "
                       "Go back to the app and start again.",
                       "SESSION_EXPIRED");
}

Task<http::Response> OrgHost::Handle(const http::Request& request) {
  co_return WithOpener(co_await Serve(request));
}

Task<http::Response> OrgHost::Serve(const http::Request& request) {
  if (!NamesAgree(request) || request.host != site_.org_host) co_return Misdirected();
  if (request.method == "POST" && std::ranges::count(kReadPaths, request.path) > 0) {
    co_return RenderMethodNotAllowed();
  }
  Turn turn{request, clock_.Now(), view_.keys.Get(), view_.apps.Get(), ""};
  if (request.path == kDiscoveryPath) co_return Discovery();
  if (turn.keys == nullptr || turn.apps == nullptr) {
    co_return RenderProblem(503, "Not ready",
                            "The sign-in service is starting. Try again in a moment.",
                            "DEPENDENCY_UNAVAILABLE", "/");
  }
  co_return co_await Route(turn);
}

Task<http::Response> OrgHost::Route(Turn& turn) {
  const http::Request& request = turn.request;
  const bool post = request.method == "POST";
  if (request.path == kSamlSuffix) co_return co_await BeginSaml(turn, "");
  if (const std::optional<std::string> app_id = AppOfPath(request.path)) {
    co_return co_await BeginSaml(turn, *app_id);
  }
  if (request.path == "/signin" && post) co_return co_await SignInPost(turn);
  if (request.path == "/factor" && post) co_return co_await FactorPost(turn);
  if (request.path == "/signout") co_return co_await SignOut(turn);
  if (post) {
    co_return RenderProblem(404, "Nothing here", "There is no form at this address.", "");
  }
  if (request.path == "/") co_return co_await Home(turn);
  if (request.path == "/proof") co_return co_await TakeProof(turn);
  if (request.path == "/saml/metadata") co_return IdpMetadata(turn);
  if (request.path == "/signin" || request.path == "/factor" || request.path == "/continue") {
    const auto query = request.QueryParameters();
    const auto id = query.ok() ? query->Single("t") : query.status();
    if (!id.ok()) co_return TransactionGone();
    const std::optional<Transaction> transaction = TransactionOf(turn, *id);
    if (!transaction) co_return TransactionGone();
    if (request.path == "/signin") co_return SignInForm(turn, *transaction, "", "", 200);
    if (request.path == "/factor") co_return FactorForm(turn, *transaction, "", 200);
    co_return co_await Advance(turn, *transaction);
  }
  co_return RenderProblem(404, "Nothing here", "There is no page at this address.", "");
}

http::Response OrgHost::Discovery() const {
  const std::shared_ptr<const std::string> discovery = view_.discovery.Get();
  if (discovery == nullptr) {
    return http::Json(503, "{\"error\":\"DEPENDENCY_UNAVAILABLE\"}");
  }
  return http::Json(200, *discovery);
}

http::Response OrgHost::IdpMetadata(const Turn& turn) const {
  http::Response response;
  response.fields.Set("content-type", "application/samlmetadata+xml; charset=utf-8");
  response.body = saml::BuildIdpMetadata(
      {site_.MetadataUrl(), site_.SignOnUrl(), turn.keys->saml_certificates});
  return response;
}

Task<http::Response> OrgHost::Home(Turn& turn) {
  if (const std::optional<Session> session = CurrentSession(turn)) {
    co_return RenderHome(session->principal);
  }
  Transaction transaction;
  const absl::StatusOr<std::string> id = NewId();
  if (!id.ok()) co_return Unavailable(id.status(), transaction);
  transaction.id = *id;
  transaction.started_at = turn.now;
  co_return co_await Advance(turn, std::move(transaction));
}

Task<http::Response> OrgHost::SignOut(Turn& turn) {
  const std::optional<Session> session = CurrentSession(turn);
  // Any site can link here (GET is safe: RFC 9110, section 9.2.1), so a link only asks.
  if (turn.request.method != "POST") co_return session ? RenderSignOut() : RenderSignedOut();
  if (!FromOurselves(turn.request)) co_return TransactionGone();
  if (session) {
    org::v1::EndSessionRequest end;
    end.set_session_id(session->id);
    end.set_user_id(session->user_id);
    const absl::Status ended = co_await org_.EndSession(std::move(end));
    if (!ended.ok()) {
      co_return RenderProblem(503, "Still signed in",
                              "Signing out did not work just now. Try again in a moment.",
                              "DEPENDENCY_UNAVAILABLE", "/signout");
    }
  }
  http::Response response = RenderSignedOut();
  response.fields.Add(
      "set-cookie",
      http::FormatCookie({.name = std::string(kSessionCookie), .value = "", .max_age_seconds = 0}));
  co_return response;
}

std::optional<Session> OrgHost::CurrentSession(const Turn& turn) const {
  const std::optional<std::string> cookie = turn.request.Cookie(kSessionCookie);
  if (!cookie) return std::nullopt;
  std::optional<Session> session = turn.keys->sealer.OpenSession(*cookie, turn.now);
  if (session && live_.IsOver(*session)) session.reset();
  return session;
}

std::optional<Transaction> OrgHost::TransactionOf(Turn& turn, const std::string& id) const {
  if (!IsTransactionId(id)) return std::nullopt;
  const std::optional<std::string> cookie = turn.request.Cookie(TransactionCookie(id));
  if (!cookie) return std::nullopt;
  std::optional<Transaction> transaction = turn.keys->sealer.OpenTransaction(*cookie, turn.now);
  // A cookie copied to another transaction's name is not that transaction.
  if (!transaction || transaction->id != id) return std::nullopt;
  if (transaction->session && live_.IsOver(*transaction->session)) {
    transaction->session.reset();
    transaction->decision_code.clear();
  }
  if (const org::v1::App* app = turn.apps->Find(transaction->app_id)) turn.app_label = app->label();
  return transaction;
}

absl::StatusOr<std::string> OrgHost::NewId() const {
  std::array<std::uint8_t, 16> octets;
  DT_RETURN_IF_ERROR(random_.Fill(octets));
  return Base64UrlEncode(octets);
}

void OrgHost::Keep(const Turn& turn, const Transaction& transaction,
                   http::Response& response) const {
  const absl::StatusOr<std::string> sealed = turn.keys->sealer.Seal(transaction, random_);
  if (!sealed.ok()) {
    response = Unavailable(sealed.status(), transaction);
    return;
  }
  const std::chrono::seconds lifetime = kTransactionLifetime;
  const std::string name = TransactionCookie(transaction.id);
  MakeRoom(turn, transaction, name.size() + sealed->size(), response);
  response.fields.Add(
      "set-cookie",
      http::FormatCookie({.name = name, .value = *sealed, .max_age_seconds = lifetime.count()}));
}

void OrgHost::MakeRoom(const Turn& turn, const Transaction& transaction, std::size_t bytes,
                       http::Response& response) const {
  struct Held {
    WallTime started_at;  // Long ago when it can't be opened.
    std::string name;
    std::size_t bytes;
  };
  std::vector<Held> held;
  const std::string own_name = TransactionCookie(transaction.id);
  for (const auto& [name, value] :
       http::ParseCookies(turn.request.fields.Find("cookie").value_or(""))) {
    if (!name.starts_with(kTransactionCookiePrefix) || name == own_name) continue;
    const std::optional<Transaction> other = turn.keys->sealer.OpenTransaction(value, turn.now);
    held.push_back({other ? other->started_at : WallTime{}, name, name.size() + value.size()});
  }
  // Within a second the browser's order counts: oldest first (RFC 6265, section 5.4).
  std::stable_sort(held.begin(), held.end(),
                   [](const Held& a, const Held& b) { return a.started_at < b.started_at; });
  std::size_t count = 1;
  for (auto each = held.rbegin(); each != held.rend(); ++each) {
    bytes += each->bytes;
    if (++count <= kTransactionsMax && bytes <= kTransactionBytesMax) continue;
    response.fields.Add(
        "set-cookie", http::FormatCookie({.name = each->name, .value = "", .max_age_seconds = 0}));
  }
}

void OrgHost::Drop(const Transaction& transaction, http::Response& response) const {
  response.fields.Add("set-cookie", http::FormatCookie({.name = TransactionCookie(transaction.id),
                                                        .value = "",
                                                        .max_age_seconds = 0}));
}

void OrgHost::KeepSession(const Turn& turn, const Session& session,
                          http::Response& response) const {
  const absl::StatusOr<std::string> sealed = turn.keys->sealer.Seal(session, random_);
  if (!sealed.ok()) return;  // Then it is not remembered, and the next sign-on asks again.
  response.fields.Add("set-cookie",
                      http::FormatCookie({.name = std::string(kSessionCookie), .value = *sealed}));
}

bool OrgHost::FromOurselves(const http::Request& request) const {
  // Programs that are no browsers send neither field, and have no cookies to be stolen.
  const std::optional<std::string_view> origin = request.fields.Find("origin");
  if (origin && *origin != site_.org_origin) return false;
  const std::optional<std::string_view> site = request.fields.Find("sec-fetch-site");
  return !site || *site == "same-origin";
}

}  // namespace devicetrust::gateway
