#include "simulator/gateway/sso/sign_out_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/problems.h"

namespace devicetrust::gateway {
namespace {

constexpr std::string_view kContinuePath = "/signout/continue";
// Browsers follow about twenty redirects without a page in between, and each app takes two.
constexpr int kAppsWithoutAPage = 5;

// Sessions of before fresh sign-ins that are ended with the browser's.
constexpr std::size_t kOldSessionsMax = 8;

// Whether the org knows of an app in the sessions that the browser has no cookie of: it can't be
// asked.
bool MissesAnApp(const std::vector<Participation>& held, const AppIds& opened) {
  return std::ranges::any_of(opened, [&held](const std::string& id) {
    return std::ranges::find(held, id, &Participation::app_id) == held.end();
  });
}

// The sessions of `held`, but for `current`.
std::vector<std::string> OldSessions(const std::vector<Participation>& held,
                                     const std::string& current) {
  std::vector<std::string> old;
  for (const Participation& each : held) {
    if (each.session_id == current || std::ranges::count(old, each.session_id) > 0) continue;
    if (old.size() < kOldSessionsMax) old.push_back(each.session_id);
  }
  return old;
}

}  // namespace

bool SignOutFlow::Serves(std::string_view path) {
  return path == kSignOutPath || path.starts_with(fmt::format("{}/", kSignOutPath));
}

const ProtocolFrontEnd* SignOutFlow::FrontEndOf(Protocol protocol) const {
  for (const ProtocolFrontEnd* front_end : front_ends_) {
    if (front_end->protocol() == protocol) return front_end;
  }
  return nullptr;
}

Task<http::Response> SignOutFlow::Handle(const RequestContext& context) const {
  const std::string& path = context.request.path;
  if (path == kSignOutPath) co_return co_await AtTheOrg(context);
  if (path == kContinuePath) {
    if (context.request.method == "POST") co_return RenderMethodNotAllowed(site_);
    co_return co_await Continue(context);
  }
  for (const ProtocolFrontEnd* front_end : front_ends_) {
    if (front_end->ServesSignOut(path)) co_return co_await TakeMessage(context, *front_end);
  }
  co_return RenderNotFound(site_, "There is no page at this address.");
}

Task<http::Response> SignOutFlow::AtTheOrg(const RequestContext& context) const {
  const std::optional<Session> session = cookies_.CurrentSession(context);
  // GET is safe (RFC 9110, section 9.2.1), so a link only asks.
  if (context.request.method != "POST") {
    co_return session ? RenderSignOut(site_, session->principal) : RenderSignedOut(site_);
  }
  if (!IsSameOrigin(site_, context.request)) {
    co_return ProblemResponse(site_, reason::v1::REASON_SESSION_EXPIRED,
                              {.ways = {{"Sign out", std::string(kSignOutPath)}}});
  }
  co_return co_await Begin(context, std::nullopt);
}

Task<http::Response> SignOutFlow::Begin(const RequestContext& context,
                                        std::optional<Link> back) const {
  SignOut sign_out;
  sign_out.started_at = context.now;
  if (back) {
    sign_out.back_text = back->text;
    sign_out.back_url = back->url;
  }
  // Elsewhere browsers leave out the cookies that say which apps to ask.
  if (!Serves(context.request.path)) co_return ComeBack(context, sign_out);
  co_return co_await Advance(context, std::move(sign_out));
}

http::Response SignOutFlow::ComeBack(const RequestContext& context, const SignOut& sign_out) const {
  http::Response response = http::SeeOther(std::string(kContinuePath));
  const absl::Status kept = cookies_.SetSignOut(context, sign_out, response);
  return kept.ok() ? std::move(response) : ProblemResponse(site_, kept);
}

Task<http::Response> SignOutFlow::TakeMessage(const RequestContext& context,
                                              const ProtocolFrontEnd& front_end) const {
  const absl::StatusOr<SignOutMessage> message = front_end.ReadSignOut(context);
  if (!message.ok()) {
    co_return ProblemResponse(site_, message.status(),
                              {.ways = {{"Sign out", std::string(kSignOutPath)}},
                               .sentence = "You are still signed in."});
  }
  // A POST came from another site, so SameSite=Lax cookies stayed home: come back by GET.
  const bool posted = context.request.method == "POST";
  if (message->is_answer) {
    const SignOutAnswer answer{message->app_id, message->in_response_to, message->success};
    if (!posted) co_return co_await TakeAnswer(context, answer);
    const absl::StatusOr<std::string> sealed = context.sealer().Seal(answer, random_);
    if (!sealed.ok()) co_return ProblemResponse(site_, sealed.status());
    co_return http::SeeOther(fmt::format("{}?a={}", kContinuePath, *sealed));
  }
  SignOut sign_out;
  sign_out.started_at = context.now;
  sign_out.asking_app_id = message->app_id;
  sign_out.asking_protocol = front_end.protocol();
  sign_out.asking_state = message->state;
  if (!posted) co_return co_await Advance(context, std::move(sign_out));
  co_return ComeBack(context, sign_out);
}

Task<http::Response> SignOutFlow::Continue(const RequestContext& context) const {
  const auto query = context.request.QueryParameters();
  const auto sealed = query.ok() ? query->SingleOr("a", "") : query.status();
  if (sealed.ok() && !sealed->empty()) {
    if (const auto answer = context.sealer().OpenSignOutAnswer(*sealed)) {
      co_return co_await TakeAnswer(context, *answer);
    }
  }
  std::optional<SignOut> sign_out = cookies_.FindSignOut(context);
  if (!sign_out) co_return http::SeeOther(kSignOutPath);
  if (!sign_out->waiting_id.empty()) sign_out->partial = true;  // Without that app.
  co_return co_await Advance(context, *std::move(sign_out));
}

Task<http::Response> SignOutFlow::TakeAnswer(const RequestContext& context,
                                             const SignOutAnswer& answer) const {
  std::optional<SignOut> sign_out = cookies_.FindSignOut(context);
  // Late, doubled, or to a question of nobody: it changes nothing.
  if (!sign_out || sign_out->waiting_id.empty() || sign_out->waiting_id != answer.in_response_to ||
      sign_out->waiting_app_id != answer.app_id) {
    co_return http::SeeOther(kSignOutPath);
  }
  if (!answer.success) sign_out->partial = true;
  co_return co_await Advance(context, *std::move(sign_out));
}

std::vector<std::string> SignOutFlow::AppsWithImages(const RequestContext& context,
                                                     const AppIds& opened) const {
  constexpr std::size_t kBytesMax = 1500;  // All has to fit into one cookie.
  std::vector<std::string> apps;
  std::size_t bytes = 0;
  for (const std::string& id : opened) {
    AppIds one;
    *one.Add() = id;
    if (flow_.SignOutImages(context, one).empty()) continue;
    bytes += id.size() + 2;
    if (bytes <= kBytesMax) apps.push_back(id);
  }
  return apps;
}

Task<absl::StatusOr<org::v1::EndSessionResponse>> SignOutFlow::EndSession(
    const std::string& session_id, const std::string& user_id) const {
  org::v1::EndSessionRequest end;
  end.set_session_id(session_id);
  end.set_user_id(user_id);
  co_return co_await org_.EndSession(std::move(end));
}

Task<http::Response> SignOutFlow::Advance(const RequestContext& context, SignOut sign_out) const {
  sign_out.waiting_app_id.clear();
  sign_out.waiting_id.clear();
  if (!sign_out.user_id.empty()) co_return AskNext(context, std::move(sign_out));

  const std::optional<Session> session = cookies_.CurrentSession(context);
  if (!session) co_return Finish(context, sign_out, SignOutEnd::kDone);  // Nothing is left to end.
  const std::vector<Participation> held = BrowserCookies::Participations(context, session->user_id);
  const org::v1::App* const app = context.apps->Find(sign_out.asking_app_id);
  const ProtocolFrontEnd* const front_end = FrontEndOf(sign_out.asking_protocol);
  if (!sign_out.asking_app_id.empty()) {
    bool meant = false;
    for (const Participation& each : held) {
      meant = meant ||
              (each.app_id == sign_out.asking_app_id && each.protocol == sign_out.asking_protocol &&
               app != nullptr && front_end != nullptr &&
               front_end->MeansSession(sign_out.asking_state, *app, each.session_id, each.detail));
    }
    if (!meant) co_return Finish(context, sign_out, SignOutEnd::kOtherSession);
  }
  auto ended = co_await EndSession(session->id, session->user_id);
  if (!ended.ok()) {
    http::Response problem = ProblemResponse(
        site_, ended.status(),
        {.ways = {{"Try again", std::string(kSignOutPath)}},
         .sentence = "You are still signed in. Try to sign out again in a moment."});
    co_return problem;
  }
  AppIds opened = std::move(*ended->mutable_app_ids());
  const std::vector<std::string> old_sessions = OldSessions(held, session->id);
  for (const std::string& old : old_sessions) {
    const auto gone = co_await EndSession(old, session->user_id);
    if (!gone.ok()) {
      sign_out.partial = true;
      continue;
    }
    for (const std::string& id : gone->app_ids()) {
      if (std::ranges::find(opened, id) == opened.end()) *opened.Add() = id;
    }
  }
  sign_out.user_id = session->user_id;
  sign_out.image_app_ids = AppsWithImages(context, opened);
  // Of somebody else, who was signed in here before and has not signed out.
  const std::vector<Participation> lost =
      BrowserCookies::OtherParticipations(context, session->user_id);
  sign_out.partial =
      sign_out.partial || TooManyWereTold(*session) || !lost.empty() || MissesAnApp(held, opened);
  http::Response response = AskNext(context, std::move(sign_out));
  BrowserCookies::ClearSession(response);
  for (const Participation& each : lost) BrowserCookies::ClearParticipation(each.app_id, response);
  co_return response;
}

http::Response SignOutFlow::AskNext(const RequestContext& context, SignOut sign_out) const {
  std::vector<std::string> settled;
  std::optional<SignOutQuestion> question;
  std::string label;
  for (const Participation& each : BrowserCookies::Participations(context, sign_out.user_id)) {
    settled.push_back(each.app_id);
    if (each.app_id == sign_out.asking_app_id) continue;  // It has ended its own.
    const org::v1::App* const app = context.apps->Find(each.app_id);
    const ProtocolFrontEnd* const front_end = FrontEndOf(each.protocol);
    if (app != nullptr && front_end != nullptr) {
      auto asked = front_end->AskToSignOut(context, *app, each.session_id, each.detail);
      if (asked.ok()) question = *std::move(asked);
    }
    if (question) {
      sign_out.waiting_app_id = each.app_id;
      sign_out.waiting_id = question->id;
      label = app->label();
      break;
    }
    sign_out.partial = true;
  }
  http::Response response;
  if (question) {
    ++sign_out.asked;
    response = std::move(question->response);
    if (response.status == 303 && sign_out.asked % kAppsWithoutAPage == 0) {
      response = RenderLeaving(site_, response.fields.Find("location").value_or(""), label);
    }
    const absl::Status kept = cookies_.SetSignOut(context, sign_out, response);
    if (!kept.ok()) {
      sign_out.partial = true;
      question.reset();
    }
  }
  if (!question) {
    response =
        Finish(context, sign_out, sign_out.partial ? SignOutEnd::kPartial : SignOutEnd::kDone);
  }
  for (const std::string& app_id : settled) BrowserCookies::ClearParticipation(app_id, response);
  return response;
}

http::Response SignOutFlow::Finish(const RequestContext& context, const SignOut& sign_out,
                                   SignOutEnd end) const {
  std::optional<http::Response> answer;
  const org::v1::App* const app = context.apps->Find(sign_out.asking_app_id);
  const ProtocolFrontEnd* const front_end = FrontEndOf(sign_out.asking_protocol);
  if (app != nullptr && front_end != nullptr) {
    auto made = front_end->AnswerSignOut(context, *app, sign_out.asking_state, end);
    if (made.ok()) answer = *std::move(made);
  }
  const bool still_in = end == SignOutEnd::kOtherSession;
  SignedOutPage page;
  page.partial = end == SignOutEnd::kPartial || sign_out.user_id.empty();
  page.images =
      flow_.SignOutImages(context, {sign_out.image_app_ids.begin(), sign_out.image_app_ids.end()});
  if (answer && !page.images.empty()) {
    // The answer leads away from our pages, so the images get one of their own before it.
    SignOut rest = sign_out;
    rest.image_app_ids.clear();
    http::Response telling = RenderTelling(site_, page.images, kContinuePath);
    if (cookies_.SetSignOut(context, rest, telling).ok()) return telling;
  }
  if (!sign_out.back_url.empty()) page.back = Link{sign_out.back_text, sign_out.back_url};
  http::Response response = answer     ? *std::move(answer)
                            : still_in ? http::SeeOther(std::string(kSignOutPath))
                                       : RenderSignedOut(site_, page);
  BrowserCookies::ClearSignOut(response);
  return response;
}

}  // namespace devicetrust::gateway
