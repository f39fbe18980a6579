#include "simulator/gateway/account/account.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/http/form.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "simulator/gateway/account/account_pages.h"
#include "simulator/gateway/downloads/downloads.h"
#include "simulator/gateway/sso/client_kind.h"

namespace devicetrust::gateway {
namespace {

constexpr std::string_view kOpenPath = "/open/";
constexpr std::string_view kLogoPath = "/logo/";
constexpr std::string_view kLogoEnd = ".png";
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kQueryBytesMax = 256;
constexpr std::size_t kNextBytesMax = 256;
constexpr std::size_t kUriBytesMax = 600;
constexpr std::size_t kCodeBytesMax = 64;
// As the org: replacing a factor needs one that was shown so lately. A little less, so that a form
// that is shown can be sent.
constexpr std::chrono::minutes kShownLately{13};

org::v1::SessionInfo InfoOf(const Session& session) {
  org::v1::SessionInfo info;
  info.set_session_id(session.id);
  info.set_user_id(session.user_id);
  *info.mutable_authenticated_at() = rpc::ToTimestamp(session.authenticated_at);
  if (session.factor_at) *info.mutable_factor_at() = rpc::ToTimestamp(*session.factor_at);
  return info;
}

// Where a sign-on goes on, and nowhere else: an address of ours that this program makes.
std::string NextOf(const absl::StatusOr<http::Parameters>& parameters) {
  const auto next = parameters.ok() ? parameters->SingleOr("next", "") : parameters.status();
  if (!next.ok() || next->size() > kNextBytesMax || !next->starts_with("/continue?t=")) return "";
  const bool plain = std::ranges::all_of(*next, [](char c) {
    return IsBase64Url(c) || c == '/' || c == '?' || c == '=' || c == '&' || c == '%' || c == '.';
  });
  return plain ? *next : "";
}

bool IsSixDigits(const std::string& code) {
  return code.size() == 6 && std::ranges::all_of(code, IsDigit);
}

std::string CodeOf(const absl::StatusOr<http::Parameters>& form) {
  const auto code = form.ok() ? form->SingleOr("code", "") : form.status();
  if (!code.ok() || code->size() > kCodeBytesMax || !IsUtf8(*code)) return "";
  return WithoutBlanks(*code);
}

bool IsSessionProblem(const absl::Status& status) {
  const reason::v1::Reason reason = rpc::ReasonOf(status);
  return reason == reason::v1::REASON_SESSION_EXPIRED || reason == reason::v1::REASON_SESSION_ENDED;
}

// For what a page asks by itself: it loads again, and meets the sign-in form.
http::Response SessionOver() { return http::Json(401, R"({"error":"SESSION_EXPIRED"})"); }

}  // namespace

// One request of a signed-in person.
struct Account::Visit {
  const RequestContext& context;
  const Session session;
  absl::StatusOr<http::Parameters> parameters;  // Of the query, or of the form.
};

bool Account::Serves(std::string_view path) {
  return path == "/" || path == "/dashboard/version" || path == "/sessions" ||
         path == "/second-factor" || path == "/downloads" || path == "/downloads.json" ||
         path.starts_with("/second-factor/") || path.starts_with(kOpenPath) ||
         path.starts_with(kLogoPath);
}

Task<http::Response> Account::Handle(const RequestContext& context) const {
  const std::string& path = context.request.path;
  const bool post = context.request.method == "POST";
  std::optional<Session> session = cookies_.CurrentSession(context);
  if (!session) {
    if (path == "/dashboard/version" || path == "/downloads.json" || path.starts_with(kLogoPath)) {
      co_return SessionOver();
    }
    co_return co_await AskToSignIn(context, false);
  }
  const Visit visit{context, *std::move(session),
                    post ? context.request.FormParameters() : context.request.QueryParameters()};
  if (post) co_return co_await Post(visit);
  if (path == "/") co_return co_await ShowDashboard(visit, false);
  if (path == "/dashboard/version") co_return co_await ShowDashboard(visit, true);
  if (path == "/sessions") co_return co_await ShowSessions(visit, "");
  if (path == "/downloads.json") co_return ListPackagesJson(packages_);
  if (path == "/downloads") {
    co_return RenderDownloads(site_, visit.session.principal, ListedPackages(packages_));
  }
  if (path.starts_with("/second-factor")) co_return co_await ShowSecondFactor(visit, std::string());
  if (path.starts_with(kOpenPath)) co_return co_await OpenApp(visit);
  co_return co_await ShowLogo(visit);
}

Task<http::Response> Account::Post(const Visit& visit) const {
  const std::string& path = visit.context.request.path;
  if (!IsSameOrigin(site_, visit.context.request)) {
    co_return flow_.TransactionOver(visit.context, http::Parameters());
  }
  if (path == "/sessions") co_return co_await EndSessions(visit);
  if (path == "/second-factor/begin") co_return co_await BeginEnrollment(visit);
  if (path == "/second-factor/confirm") co_return co_await ConfirmEnrollment(visit);
  if (path == "/second-factor/show") co_return co_await ShowFactor(visit);
  if (path == "/second-factor/codes") co_return co_await MakeCodes(visit);
  co_return RenderMethodNotAllowed(site_);
}

Task<http::Response> Account::AskToSignIn(const RequestContext& context, bool anew) const {
  absl::StatusOr<Transaction> transaction = NewTransaction(context.now, random_);
  if (!transaction.ok()) {
    co_return ProblemResponse(site_, transaction.status(), {.ways = {{"Try again", "/"}}});
  }
  transaction->fresh_sign_in = anew;
  co_return co_await flow_.Advance(context, *std::move(transaction));
}

Task<http::Response> Account::Refused(const Visit& visit, absl::Status status) const {
  if (IsSessionProblem(status)) co_return co_await AskToSignIn(visit.context, true);
  co_return ProblemResponse(site_, status,
                            {.principal = visit.session.principal,
                             .ways = {{"Try again", visit.context.request.method == "POST"
                                                        ? std::string("/")
                                                        : visit.context.request.path}}});
}

std::string Account::StartUrlOf(const org::v1::App& app) const {
  for (const ProtocolFrontEnd* front_end : front_ends_) {
    if (std::string url = front_end->StartUrl(app); !url.empty()) return url;
  }
  return "";
}

Task<http::Response> Account::ShowDashboard(const Visit& visit, bool version_alone) const {
  org::v1::GetDashboardRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  *request.mutable_client() = ClientOf(visit.context.request);
  request.set_client_kind(ClientKindOf(request.client().user_agent()));
  const auto dashboard = co_await account_.GetDashboard(std::move(request));
  if (!dashboard.ok()) {
    if (version_alone) {
      co_return IsSessionProblem(dashboard.status())
          ? SessionOver()
          : ProblemJson(rpc::ReasonOf(dashboard.status()));
    }
    co_return co_await Refused(visit, dashboard.status());
  }
  const auto query =
      visit.parameters.ok() ? visit.parameters->SingleOr("q", "") : visit.parameters.status();
  DashboardPage page;
  page.principal = visit.session.principal;
  if (query.ok() && query->size() <= kQueryBytesMax && IsUtf8(*query)) page.query = *query;
  page.learn_more_url = dashboard->learn_more_url();
  page.may_enroll_factor = dashboard->may_enroll_factor();
  for (const org::v1::DashboardApp& app : dashboard->apps()) {
    // One that this gateway has not heard of yet comes with the next look.
    const org::v1::App* known = visit.context.apps->Find(app.app_id());
    if (known == nullptr || StartUrlOf(*known).empty()) continue;
    page.tiles.push_back(
        {app.label(), std::string(kOpenPath) + app.app_id(),
         app.logo_sha256().empty()
             ? ""
             : fmt::format("{}{}{}", kLogoPath, HexEncode(AsBytes(app.logo_sha256())), kLogoEnd),
         app.locked()});
  }
  if (!version_alone) co_return RenderDashboard(site_, page);
  co_return http::Json(200, fmt::format("{{\"version\":\"{}\"}}", DashboardVersion(page)));
}

Task<http::Response> Account::OpenApp(const Visit& visit) const {
  const std::string id = visit.context.request.path.substr(kOpenPath.size());
  const org::v1::App* app = visit.context.apps->Find(id);
  const std::string url = app == nullptr ? "" : StartUrlOf(*app);
  if (url.empty()) {
    co_return ProblemResponse(site_, reason::v1::REASON_APP_UNKNOWN,
                              {.ways = {{"Go to your apps", "/"}}});
  }
  org::v1::NoteAppOpenedRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  request.set_app_id(id);
  // It decides nothing but a lock on the dashboard; the sign-on finds out the rest.
  (void)co_await account_.NoteAppOpened(std::move(request));
  co_return http::SeeOther(url);
}

Task<http::Response> Account::ShowLogo(const Visit& visit) const {
  std::string_view name = visit.context.request.path;
  name.remove_prefix(kLogoPath.size());
  const bool named = name.ends_with(kLogoEnd);
  if (named) name.remove_suffix(kLogoEnd.size());
  const auto hash = HexDecode(name);
  if (!named || !hash.ok() || hash->size() != kHashBytes) {
    co_return RenderNotFound(site_, "There is no page at this address.");
  }
  const std::string sha256 = ToString(*hash);
  std::shared_ptr<const std::string> png = logos_.Find(sha256);
  if (png == nullptr) {
    org::v1::GetAppLogoRequest request;
    request.set_sha256(sha256);
    const auto logo = co_await account_.GetAppLogo(std::move(request));
    if (!logo.ok()) co_return RenderNotFound(site_, "There is no such logo.");
    png = std::make_shared<const std::string>(logo->png());
    logos_.Keep(sha256, png);
  }
  http::Response response;
  response.fields.Set("content-type", "image/png");
  response.fields.Set("cache-control", "private, max-age=31536000, immutable");
  response.fields.Set("content-security-policy", "default-src 'none'");
  response.body = *png;
  co_return response;
}

Task<http::Response> Account::ShowSessions(const Visit& visit, std::string_view notice) const {
  org::v1::ListSessionsRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  const auto sessions = co_await account_.ListSessions(std::move(request));
  if (!sessions.ok()) co_return co_await Refused(visit, sessions.status());
  co_return RenderSessions(site_, {visit.session.principal, *sessions, visit.context.now, notice});
}

Task<http::Response> Account::EndSessions(const Visit& visit) const {
  org::v1::EndSessionsRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  const bool all =
      visit.parameters.ok() && visit.parameters->SingleOr("all", "").value_or("") == "1";
  const auto id =
      visit.parameters.ok() ? visit.parameters->SingleOr("id", "") : visit.parameters.status();
  request.set_all(all);
  if (!all) {
    if (!id.ok() || id->empty() || !IsAll(*id, IsBase64Url)) {
      co_return co_await ShowSessions(visit, "Choose a session to end.");
    }
    request.add_ids(*id);
  }
  const auto ended = co_await account_.EndSessions(std::move(request));
  if (!ended.ok()) co_return co_await Refused(visit, ended.status());
  if (!all) co_return http::SeeOther("/sessions");
  http::Response response = RenderSignedOut(site_);
  BrowserCookies::ClearSession(response);
  co_return response;
}

Task<http::Response> Account::ShowSecondFactor(const Visit& visit, std::string problem) const {
  org::v1::GetDashboardRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  *request.mutable_client() = ClientOf(visit.context.request);
  const auto dashboard = co_await account_.GetDashboard(std::move(request));
  if (!dashboard.ok()) co_return co_await Refused(visit, dashboard.status());
  const std::optional<WallTime>& shown = visit.session.factor_at;
  const std::string next = NextOf(visit.parameters);
  SecondFactorPage page{.principal = visit.session.principal,
                        .has_factor = dashboard->has_factor(),
                        .recovery_codes_left = dashboard->recovery_codes_left(),
                        .may_enroll = dashboard->may_enroll_factor(),
                        .shown_lately = shown && visit.context.now - *shown < kShownLately,
                        .next = next};
  if (!problem.empty()) page.problem = {std::move(problem), kNotTaken};
  co_return RenderSecondFactor(site_, page);
}

Task<http::Response> Account::BeginEnrollment(const Visit& visit) const {
  org::v1::BeginTotpEnrollmentRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  const auto begun = co_await account_.BeginTotpEnrollment(std::move(request));
  if (!begun.ok()) {
    const reason::v1::Reason reason = rpc::ReasonOf(begun.status());
    if (reason == reason::v1::REASON_FACTOR_NEEDED ||
        reason == reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF) {
      co_return co_await ShowSecondFactor(visit, std::string());
    }
    co_return co_await Refused(visit, begun.status());
  }
  const std::string next = NextOf(visit.parameters);
  co_return RenderEnrollment(site_, {.principal = visit.session.principal,
                                     .enrollment_id = begun->enrollment_id(),
                                     .otpauth_uri = begun->otpauth_uri(),
                                     .next = next});
}

Task<http::Response> Account::ConfirmEnrollment(const Visit& visit) const {
  const auto& form = visit.parameters;
  const auto id = form.ok() ? form->SingleOr("enrollment", "") : form.status();
  const auto uri = form.ok() ? form->SingleOr("uri", "") : form.status();
  // The page is shown again with what it showed before; nothing but the person's own browser has
  // it.
  const bool whole = id.ok() && uri.ok() && id->size() <= kCodeBytesMax &&
                     IsAll(*id, IsBase64Url) && uri->size() <= kUriBytesMax && IsUtf8(*uri) &&
                     uri->starts_with("otpauth://totp/");
  if (!whole) co_return co_await ShowSecondFactor(visit, std::string());
  const std::string next = NextOf(form);
  const std::string code = CodeOf(form);
  EnrollmentPage again{.principal = visit.session.principal,
                       .enrollment_id = *id,
                       .otpauth_uri = *uri,
                       .next = next};
  if (!IsSixDigits(code)) {
    again.problem = {"Type the six digits.", kNotTaken};
    co_return RenderEnrollment(site_, again);
  }
  org::v1::ConfirmTotpEnrollmentRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  request.set_enrollment_id(*id);
  request.set_totp_code(code);
  *request.mutable_client() = ClientOf(visit.context.request);
  const auto confirmed = co_await account_.ConfirmTotpEnrollment(std::move(request));
  if (!confirmed.ok()) {
    if (rpc::ReasonOf(confirmed.status()) == reason::v1::REASON_FACTOR_WRONG) {
      again.problem = {
          "That code is not of this picture. Type the one that the app shows now; if it "
          "is never taken, check the telephone's clock.",
          kNotTaken};
      co_return RenderEnrollment(site_, again);
    }
    if (rpc::ReasonOf(confirmed.status()) == reason::v1::REASON_ENROLLMENT_UNKNOWN) {
      co_return co_await ShowSecondFactor(
          visit, std::string("That picture is no longer good. Set it up again."));
    }
    co_return co_await Refused(visit, confirmed.status());
  }
  RecoveryCodesPage page{.principal = visit.session.principal, .enrolled = true, .next = next};
  page.codes.assign(confirmed->recovery_codes().begin(), confirmed->recovery_codes().end());
  co_return WithFactor(visit, rpc::FromTimestamp(confirmed->factor_at()),
                       RenderRecoveryCodes(site_, page));
}

http::Response Account::WithFactor(const Visit& visit, WallTime factor_at,
                                   http::Response response) const {
  Session session = visit.session;
  session.factor_at = factor_at;
  cookies_.SetSession(visit.context, session, response);
  return response;
}

Task<http::Response> Account::ShowFactor(const Visit& visit) const {
  const std::string code = CodeOf(visit.parameters);
  if (code.empty()) co_return co_await ShowSecondFactor(visit, std::string("Type the code."));
  org::v1::ShowFactorRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  if (IsSixDigits(code)) {
    request.set_totp_code(code);
  } else {
    request.set_recovery_code(code);
  }
  *request.mutable_client() = ClientOf(visit.context.request);
  const auto shown = co_await account_.ShowFactor(std::move(request));
  if (!shown.ok()) {
    if (const auto message = FactorMessage(shown.status())) {
      co_return co_await ShowSecondFactor(visit, message->text);
    }
    if (rpc::ReasonOf(shown.status()) == reason::v1::REASON_THROTTLED) {
      co_return ProblemResponse(site_, shown.status(),
                                {.principal = visit.session.principal,
                                 .ways = {{"Back", "/second-factor"}},
                                 .sentence = PauseSentence(shown.status())});
    }
    co_return co_await Refused(visit, shown.status());
  }
  const std::string next = NextOf(visit.parameters);
  const std::string back =
      next.empty() ? "/second-factor" : "/second-factor?next=" + http::PercentEncode(next);
  co_return WithFactor(visit, rpc::FromTimestamp(shown->factor_at()), http::SeeOther(back));
}

Task<http::Response> Account::MakeCodes(const Visit& visit) const {
  org::v1::MakeRecoveryCodesRequest request;
  *request.mutable_session() = InfoOf(visit.session);
  const auto made = co_await account_.MakeRecoveryCodes(std::move(request));
  if (!made.ok()) {
    if (rpc::ReasonOf(made.status()) == reason::v1::REASON_FACTOR_NEEDED) {
      co_return co_await ShowSecondFactor(visit, std::string());
    }
    co_return co_await Refused(visit, made.status());
  }
  const std::string next = NextOf(visit.parameters);
  RecoveryCodesPage page{.principal = visit.session.principal, .next = next};
  page.codes.assign(made->recovery_codes().begin(), made->recovery_codes().end());
  co_return RenderRecoveryCodes(site_, page);
}

}  // namespace devicetrust::gateway
