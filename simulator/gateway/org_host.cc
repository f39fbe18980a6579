#include "simulator/gateway/org_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "libs/http/form.h"
#include "simulator/gateway/assets/assets.h"
#include "simulator/gateway/sso/app_page.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/problems.h"
#include "simulator/gateway/wsfed/addresses.h"

namespace devicetrust::gateway {
namespace {

constexpr std::string_view kDiscoveryPath = "/.well-known/device-trust";
// Paths without a form. All paths take HEAD where they take GET (RFC 9110, section 9.1).
constexpr std::string_view kReadPaths[] = {
    "/",       "/dashboard/version", kConsolePath,     "/continue",
    "/proof",  "/refused",           "/saml/metadata", kFederationMetadataPath,
    kMarkPath, kDiscoveryPath};

}  // namespace

Task<http::Response> OrgHost::Handle(const http::Request& request) const {
  co_return WithOpener(co_await Serve(request));
}

Task<http::Response> OrgHost::Serve(const http::Request& request) const {
  if (!NamesAgree(request) || request.host != site_.org_host) co_return Misdirected();
  const bool post = request.method == "POST";
  if (request.path.starts_with(kAssetsPath)) {
    co_return post ? RenderMethodNotAllowed(site_) : ServeAsset(request);
  }
  if (request.path.starts_with(kDownloadsPath)) {
    if (post) co_return RenderMethodNotAllowed(site_);
    auto package = ServePackage(packages_, request);
    co_return package ? *std::move(package) : RenderNotFound(site_, "There is no such package.");
  }
  if (post && std::ranges::count(kReadPaths, request.path) > 0) {
    co_return RenderMethodNotAllowed(site_);
  }
  if (request.path == kDiscoveryPath) co_return Discovery();
  if (request.path == kMarkPath) co_return Mark();
  const RequestContext context{request, clock_.Now(), snapshots_.keys.Get(), snapshots_.apps.Get()};
  if (context.keys == nullptr || context.apps == nullptr) {
    co_return ProblemResponse(site_, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                              {.ways = {{"Try again", "/"}}});
  }
  if (request.path.starts_with(kConsoleApiPath)) co_return co_await api_.Serve(context);
  if (saml_.Serves(request.path)) co_return co_await BeginSignOn(context, saml_);
  if (wsfed_.Serves(request.path)) {
    if (WsFedFrontEnd::AsksToSignOut(request)) co_return co_await SignOutByApp(context);
    co_return co_await BeginSignOn(context, wsfed_);
  }
  if (WsFedActiveEndpoint::Serves(request.path)) co_return co_await wsfed_active_.Answer(context);
  if (Account::Serves(request.path)) co_return co_await account_.Handle(context);
  if (SignOutFlow::Serves(request.path)) co_return co_await sign_out_.Handle(context);
  if (post) co_return co_await Post(context);
  co_return co_await Get(context);
}

Task<http::Response> OrgHost::Post(const RequestContext& context) const {
  const std::string& path = context.request.path;
  if (path == "/signin") co_return co_await forms_.SubmitSignIn(context);
  if (path == "/factor") co_return co_await forms_.SubmitFactor(context);
  co_return RenderNotFound(site_, "There is no form at this address.");
}

Task<http::Response> OrgHost::Get(const RequestContext& context) const {
  const std::string& path = context.request.path;
  if (path == kConsolePath) co_return co_await Console(context);
  if (path == "/signin") co_return co_await forms_.ShowSignIn(context);
  if (path == "/factor") co_return co_await forms_.ShowFactor(context);
  if (path == "/continue") co_return co_await Continue(context);
  if (path == "/proof") co_return co_await flow_.TakeProof(context);
  if (path == "/refused") co_return flow_.ShowRefusal(context);
  if (path == "/saml/metadata") co_return saml_.Metadata(context);
  if (path == kFederationMetadataPath) co_return wsfed_.Metadata(context);
  co_return RenderNotFound(site_, "There is no page at this address.");
}

Task<http::Response> OrgHost::BeginSignOn(const RequestContext& context,
                                          const ProtocolFrontEnd& front_end) const {
  std::string app_id;
  absl::StatusOr<ProtocolFrontEnd::Begun> begun = front_end.Begin(context, app_id);
  if (!begun.ok()) {
    const org::v1::App* app = context.apps->Find(app_id);
    co_return ProblemResponse(
        site_, begun.status(),
        {.app_id = app_id,
         .app_label = app == nullptr ? std::string_view() : std::string_view(app->label()),
         .ways = flow_.WaysTo(nullptr)});
  }
  if (http::Response* answer = std::get_if<http::Response>(&*begun)) co_return std::move(*answer);
  co_return co_await flow_.Begin(context, std::get<Transaction>(*std::move(begun)));
}

// At once, as the protocol wants it; an app's page of another site has no other way to say it. Only
// where the person's window goes: what another site's page loads, an image say, ends nothing,
// though for a neighbour of the same site the cookie comes along.
Task<http::Response> OrgHost::SignOutByApp(const RequestContext& context) const {
  const http::Request& request = context.request;
  if (request.method == "POST") {  // The cookie stays home with a form of another site.
    const auto form = request.FormParameters();
    const auto reply = form.ok() ? form->SingleOr("wreply", "") : form.status();
    const std::string query = http::EncodeParameters(
        {{"wa", "wsignout1.0"}, {"wreply", reply.ok() ? std::string_view(*reply) : ""}});
    co_return http::SeeOther(fmt::format("{}?{}", kWsFedPath, query));
  }
  const bool by_window = request.fields.Find("sec-fetch-dest").value_or("document") == "document";
  if (request.method != "GET" || !by_window) co_return RenderSignedOut(site_);
  co_return co_await sign_out_.Begin(context, wsfed_.WayBack(context));
}

Task<http::Response> OrgHost::Continue(const RequestContext& context) const {
  const auto query = context.request.QueryParameters();
  const auto id = query.ok() ? query->Single("t") : query.status();
  std::optional<Transaction> transaction;
  if (id.ok()) transaction = cookies_.FindTransaction(context, *id);
  if (!transaction) co_return flow_.TransactionOver(context, query);
  co_return co_await flow_.Advance(context, *std::move(transaction));
}

// Whoever is signed in sees the frame; all that fills it comes by json_api.h.
Task<http::Response> OrgHost::Console(const RequestContext& context) const {
  if (!cookies_.CurrentSession(context)) {
    absl::StatusOr<Transaction> transaction = NewTransaction(context.now, random_);
    if (!transaction.ok()) {
      co_return ProblemResponse(site_, transaction.status(),
                                {.ways = {{"Try again", std::string(kConsolePath)}}});
    }
    transaction->protocol_state = kConsolePath;
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }
  co_return RenderAppPage(site_, {.title = "Console",
                                  .script = "console/main.js",
                                  .styles = {"console/console.css"},
                                  .content = "<div id=\"app\"></div>"});
}

// Pages of the mTLS hosts show it, too.
http::Response OrgHost::Mark() const {
  if (site_.mark.bytes.empty()) return RenderNotFound(site_, "There is no page at this address.");
  http::Response response;
  response.fields.Set("content-type", site_.mark.type);
  response.fields.Set("cache-control", "public, max-age=3600");
  response.fields.Set("cross-origin-resource-policy", "cross-origin");
  response.body = site_.mark.bytes;
  return response;
}

http::Response OrgHost::Discovery() const {
  const std::shared_ptr<const std::string> discovery = snapshots_.discovery.Get();
  if (discovery == nullptr) return ProblemJson(reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  return http::Json(200, *discovery);
}

}  // namespace devicetrust::gateway
