#include "simulator/gateway/sso/sso_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "simulator/gateway/sso/client_kind.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/problems.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kUserAgentBytesMax = 512;

// The alphabet of a signed token (RFC 7515, section 7.1).
bool IsTokenText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return IsBase64Url(c) || c == '.'; });
}

// Whether the browser's session should be `session`, which has just proved something. Another tab's
// may be newer; but where only this one has passed a factor, the other tabs are spared the same.
bool IsBetter(const Session& session, const Session& current) {
  if (session.id == current.id) return true;
  if (session.user_id != current.user_id || !session.factor_at) return false;
  return !current.factor_at || *current.factor_at < *session.factor_at;
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

std::string StepUrl(std::string_view path, std::string_view transaction_id,
                    std::string_view app_id) {
  if (app_id.empty()) return fmt::format("{}?t={}", path, transaction_id);
  return fmt::format("{}?t={}&app={}", path, transaction_id, http::PercentEncode(app_id));
}

std::string StepUrl(std::string_view path, const Transaction& transaction) {
  return StepUrl(path, transaction.id, transaction.app_id);
}

Task<http::Response> SsoFlow::Begin(const RequestContext& context, Transaction transaction) const {
  if (context.request.method != "POST") {
    co_return co_await Advance(context, std::move(transaction));
  }
  // The POST came from another site, so SameSite=Lax cookies stayed home: come back by GET.
  co_return Keep(context, transaction, http::SeeOther(StepUrl("/continue", transaction)));
}

Task<http::Response> SsoFlow::Advance(const RequestContext& context,
                                      Transaction transaction) const {
  if (!transaction.session) transaction.session = cookies_.CurrentSession(context);
  const ProtocolFrontEnd* front_end = FrontEndOf(transaction);
  if (transaction.session && front_end != nullptr &&
      front_end->WantsFresherSignIn(transaction, *transaction.session, context.now)) {
    transaction.fresh_sign_in = true;
  }
  const bool fresh_wanted = transaction.fresh_sign_in && !transaction.signed_in_here;
  if (!transaction.session || fresh_wanted) {
    co_return AskToSignIn(context, std::move(transaction));
  }
  if (transaction.app_id.empty()) {
    const bool console = transaction.protocol_state == kConsolePath;
    co_return Finish(context, transaction, http::SeeOther(console ? kConsolePath : "/"));
  }
  const org::v1::App* app = context.AppOf(transaction);
  // The app may have been unregistered while the person was signing in.
  if (app == nullptr || front_end == nullptr || !front_end->IsStillRegistered(transaction, *app)) {
    co_return ProblemResponse(site_, reason::v1::REASON_APP_UNKNOWN,
                              {.app_id = transaction.app_id});
  }
  // Before anything is asked of the wrong person, and logged as allowed.
  if (front_end->ExpectsOtherUser(transaction, *app, *transaction.session)) {
    co_return Fail(context, transaction, SsoFailure::kOtherUserExpected);
  }
  if (app->needs_device_challenge()) co_return RedirectToChallenge(context, transaction);
  co_return co_await Decide(context, std::move(transaction), *app, "");
}

http::Response SsoFlow::AskToSignIn(const RequestContext& context, Transaction transaction) const {
  if (transaction.passive) return Fail(context, transaction, SsoFailure::kInteractionNeeded);
  transaction.session.reset();
  transaction.signed_in_here = false;
  transaction.decision_code.clear();
  return Keep(context, transaction, http::SeeOther(StepUrl("/signin", transaction)));
}

http::Response SsoFlow::RedirectToChallenge(const RequestContext& context,
                                            const Transaction& transaction) const {
  const Challenge challenge{transaction.id, transaction.app_id, HashName(transaction.session->id),
                            context.now};
  const absl::StatusOr<std::string> sealed = context.sealer().Seal(challenge, random_);
  if (!sealed.ok()) return Problem(context, sealed.status(), transaction);
  const absl::StatusOr<std::string> origin = site_.ChallengeOrigin(random_);
  if (!origin.ok()) return Problem(context, origin.status(), transaction);
  return Keep(context, transaction,
              http::SeeOther(fmt::format("{}/challenge?c={}", *origin, *sealed)));
}

Task<http::Response> SsoFlow::TakeProof(const RequestContext& context) const {
  const auto query = context.request.QueryParameters();
  const auto id = query.ok() ? query->Single("t") : query.status();
  const auto proof = query.ok() ? query->Single("p") : query.status();
  std::optional<Transaction> transaction;
  if (id.ok() && proof.ok()) transaction = cookies_.FindTransaction(context, *id);
  if (!transaction) co_return TransactionOver(context, query);
  const org::v1::App* app = context.AppOf(*transaction);
  // Signed out or deactivated while the browser was at the mTLS host.
  if (app == nullptr || !transaction->session) {
    co_return co_await Advance(context, *std::move(transaction));
  }
  // Text that the org could not even be sent is no proof.
  std::string shown = IsTokenText(*proof) ? *proof : "";
  co_return co_await Decide(context, *std::move(transaction), *app, std::move(shown));
}

// A proof is as old as its holder makes it; this looks at the certificate once more. Which
// proofs hold, the org decides.
reason::v1::Reason SsoFlow::ObjectionTo(const std::string& proof,
                                        const RequestContext& context) const {
  const absl::StatusOr<token::Proof> verified = token::VerifyProof(
      proof, context.keys->proof_keys, token::ProofAudience(site_.org), context.now);
  if (!verified.ok() || !verified->trusted) return reason::v1::REASON_UNSPECIFIED;
  if (revocations_.IsRevoked(verified->serial)) return reason::v1::REASON_CERTIFICATE_REVOKED;
  return revocations_.IsFresh() ? reason::v1::REASON_UNSPECIFIED
                                : reason::v1::REASON_REVOCATION_DATA_STALE;
}

Task<http::Response> SsoFlow::Decide(const RequestContext& context, Transaction transaction,
                                     const org::v1::App& app, std::string proof) const {
  const Session& session = *transaction.session;
  org::v1::EvaluateRequest request;
  request.set_app_id(app.id());
  org::v1::SessionInfo* info = request.mutable_session();
  info->set_session_id(session.id);
  info->set_user_id(session.user_id);
  *info->mutable_authenticated_at() = rpc::ToTimestamp(session.authenticated_at);
  if (session.factor_at) *info->mutable_factor_at() = rpc::ToTimestamp(*session.factor_at);
  *request.mutable_client() = ClientOf(context.request);
  request.set_client_kind(ClientKindOf(request.client().user_agent()));
  request.set_trust_override_reason(ObjectionTo(proof, context));
  request.set_proof(std::move(proof));
  request.set_transaction_hash(ToString(pki::Sha256(transaction.id)));
  request.set_session_hash(ToString(pki::Sha256(session.id)));

  const auto decision = co_await org_.Evaluate(std::move(request));
  if (decision.ok())
    co_return ApplyDecision(context, std::move(transaction), app, decision->result());
  if (decision.status().code() == absl::StatusCode::kUnauthenticated) {
    // The browser's session may look good here for a while: the password counts, not that.
    transaction.fresh_sign_in = true;
    co_return AskToSignIn(context, std::move(transaction));
  }
  // Straight from the app's request nothing has kept the transaction yet, and "Try again" needs it.
  co_return Keep(context, transaction, Problem(context, decision.status(), transaction));
}

http::Response SsoFlow::ApplyDecision(const RequestContext& context, Transaction transaction,
                                      const org::v1::App& app,
                                      const org::v1::SignOnResult& decision) const {
  const ProtocolFrontEnd* front_end = FrontEndOf(transaction);
  if (front_end == nullptr) return TransactionOver(context, http::Parameters());
  const bool trusted = decision.trust() == org::v1::TRUST_STATE_TRUSTED;
  Session& session = *transaction.session;
  if (trusted) session.last_serial = decision.certificate_serial();
  http::Response response;
  switch (decision.outcome()) {
    case org::v1::OUTCOME_ALLOWED: {
      auto reply = front_end->ReplyAllowed(context, transaction, app, decision.user());
      const auto detail =
          reply.ok() ? front_end->ParticipationOf(transaction, app, decision.user()) : std::nullopt;
      response = Finish(context, transaction, std::move(reply));
      if (detail) {
        const Participation told{session.id, session.user_id, app.id(), transaction.protocol,
                                 *detail};
        cookies_.AddParticipation(context, told, session, response);
      }
      break;
    }
    case org::v1::OUTCOME_FACTOR_REQUIRED:
      if (transaction.passive) return Fail(context, transaction, SsoFailure::kInteractionNeeded);
      // Who has none need not be asked for a code.
      if (decision.factor_reason() == reason::v1::REASON_FACTOR_NOT_ENROLLED) {
        return Refuse(context, transaction,
                      {.code = decision.code(),
                       .lacks_factor = true,
                       .may_enroll_factor = decision.may_enroll_factor()});
      }
      transaction.decision_code = decision.code();
      transaction.decision_trusts = trusted;
      // By redirect, so that loading the page again does not spend the proof again.
      return Keep(context, transaction, http::SeeOther(StepUrl("/factor", transaction)));
    case org::v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      transaction.fresh_sign_in = true;
      return AskToSignIn(context, std::move(transaction));
    default:
      if (transaction.passive) return Fail(context, transaction, SsoFailure::kDenied);
      transaction.decision_code.clear();
      response = Refuse(context, transaction,
                        {.code = decision.code(),
                         .security_message = decision.show_security_message(),
                         .learn_more_url = decision.learn_more_url()});
      break;
  }
  const std::optional<Session> current = cookies_.CurrentSession(context);
  if (!current || IsBetter(session, *current)) cookies_.SetSession(context, session, response);
  return response;
}

http::Response SsoFlow::Refuse(const RequestContext& context, const Transaction& transaction,
                               Refusal refusal) const {
  refusal.transaction_id = transaction.id;
  refusal.app_id = transaction.app_id;
  refusal.made_at = context.now;
  const absl::StatusOr<std::string> sealed = context.sealer().Seal(refusal, random_);
  if (!sealed.ok()) return Problem(context, sealed.status(), transaction);
  return Keep(context, transaction, http::SeeOther("/refused?r=" + *sealed));
}

http::Response SsoFlow::ShowRefusal(const RequestContext& context) const {
  const auto query = context.request.QueryParameters();
  const auto sealed = query.ok() ? query->Single("r") : query.status();
  std::optional<Refusal> refusal;
  if (sealed.ok()) refusal = context.sealer().OpenRefusal(*sealed, context.now);
  if (!refusal) return TransactionOver(context, query);
  const org::v1::App* app = context.apps->Find(refusal->app_id);
  const std::optional<Session> session = cookies_.CurrentSession(context);
  const std::string retry_url = StepUrl("/continue", refusal->transaction_id, refusal->app_id);
  const std::string switch_url =
      StepUrl("/signin", refusal->transaction_id, refusal->app_id) + "&other=1";
  const std::string enroll_url = "/second-factor?next=" + http::PercentEncode(retry_url);
  return RenderRefusal(
      site_,
      {.app_label = app == nullptr ? std::string_view() : std::string_view(app->label()),
       .code = refusal->code,
       .security_message = refusal->security_message,
       .learn_more_url = refusal->learn_more_url,
       .detail = refusal->may_enroll_factor
                     ? "This app asks for a verification code, and you have no authenticator set "
                       "up yet."
                 : refusal->lacks_factor
                     ? "This app asks for a verification code, and you have no authenticator set "
                       "up. Contact your administrator."
                     : "",
       .principal = session ? std::string_view(session->principal) : std::string_view(),
       .switch_url = switch_url,
       .retry_url = retry_url,
       .enroll_url = refusal->may_enroll_factor ? enroll_url : std::string()});
}

http::Response SsoFlow::TransactionOver(const RequestContext& context,
                                        const absl::StatusOr<http::Parameters>& parameters) const {
  const auto app_id = parameters.ok() ? parameters->SingleOr("app", "") : parameters.status();
  const org::v1::App* app = app_id.ok() ? context.apps->Find(*app_id) : nullptr;
  const std::optional<Session> session = cookies_.CurrentSession(context);
  return ProblemResponse(
      site_, reason::v1::REASON_SESSION_EXPIRED,
      {.app_label = app == nullptr ? std::string_view() : std::string_view(app->label()),
       .principal = session ? std::string_view(session->principal) : std::string_view(),
       .ways = WaysTo(app)});
}

std::vector<Link> SsoFlow::WaysTo(const org::v1::App* app) const {
  std::vector<Link> ways;
  for (const ProtocolFrontEnd* front_end : front_ends_) {
    const std::string url = app == nullptr ? "" : front_end->StartUrl(*app);
    if (!url.empty()) ways.push_back({"Start again", url});
  }
  ways.push_back({"Go to the sign-in page", "/"});
  return ways;
}

std::vector<std::string> SsoFlow::SignOutImages(
    const RequestContext& context,
    const google::protobuf::RepeatedPtrField<std::string>& app_ids) const {
  std::vector<std::string> urls;
  for (const std::string& id : app_ids) {
    const org::v1::App* app = context.apps->Find(id);
    for (const ProtocolFrontEnd* front_end : front_ends_) {
      std::string url = app == nullptr ? "" : front_end->SignOutImageUrl(*app);
      if (!url.empty()) urls.push_back(std::move(url));
    }
  }
  return urls;
}

http::Response SsoFlow::Problem(const RequestContext& context, const absl::Status& status,
                                const Transaction& transaction, std::string_view sentence) const {
  return ProblemResponse(site_, status,
                         {.app_id = transaction.app_id,
                          .app_label = context.LabelOf(transaction),
                          .ways = {{"Try again", StepUrl("/continue", transaction)}},
                          .sentence = sentence});
}

const ProtocolFrontEnd* SsoFlow::FrontEndOf(const Transaction& transaction) const {
  for (const ProtocolFrontEnd* front_end : front_ends_) {
    if (front_end->protocol() == transaction.protocol) return front_end;
  }
  return nullptr;
}

http::Response SsoFlow::Fail(const RequestContext& context, const Transaction& transaction,
                             SsoFailure failure) const {
  const org::v1::App* app = context.AppOf(transaction);
  const ProtocolFrontEnd* front_end = FrontEndOf(transaction);
  if (app == nullptr || front_end == nullptr) return TransactionOver(context, http::Parameters());
  return Finish(context, transaction, front_end->ReplyFailure(context, transaction, *app, failure));
}

http::Response SsoFlow::Finish(const RequestContext& context, const Transaction& transaction,
                               absl::StatusOr<http::Response> reply) const {
  if (!reply.ok()) return Problem(context, reply.status(), transaction);
  BrowserCookies::ClearTransaction(context, transaction, *reply);
  return *std::move(reply);
}

http::Response SsoFlow::Keep(const RequestContext& context, const Transaction& transaction,
                             http::Response response) const {
  const absl::Status kept = cookies_.SetTransaction(context, transaction, response);
  return kept.ok() ? std::move(response) : Problem(context, kept, transaction);
}

}  // namespace devicetrust::gateway
