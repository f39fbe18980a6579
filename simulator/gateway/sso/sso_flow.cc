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
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/problems.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kUserAgentBytesMax = 512;

// The alphabet of a signed token (RFC 7515, section 7.1).
bool IsTokenText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return IsBase64Url(c) || c == '.'; });
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

Task<http::Response> SsoFlow::Begin(const RequestContext& context, Transaction transaction) const {
  if (context.request.method != "POST") {
    co_return co_await Advance(context, std::move(transaction));
  }
  // The POST came from another site, so SameSite=Lax cookies stayed home: come back by GET.
  co_return Keep(context, transaction, http::SeeOther("/continue?t=" + transaction.id));
}

Task<http::Response> SsoFlow::Advance(const RequestContext& context,
                                      Transaction transaction) const {
  if (!transaction.session) transaction.session = cookies_.CurrentSession(context);
  const bool fresh_wanted = transaction.fresh_sign_in && !transaction.signed_in_here;
  if (!transaction.session || fresh_wanted) {
    co_return AskToSignIn(context, std::move(transaction));
  }
  if (transaction.app_id.empty()) co_return Finish(transaction, http::SeeOther("/"));
  const org::v1::App* app = context.AppOf(transaction);
  const ProtocolFrontEnd* front_end = FrontEndOf(transaction);
  // The app may have been unregistered while the person was signing in.
  if (app == nullptr || front_end == nullptr || !front_end->IsStillRegistered(transaction, *app)) {
    co_return ProblemResponse(reason::v1::REASON_APP_UNKNOWN, {.app_id = transaction.app_id});
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
  return Keep(context, transaction, http::SeeOther("/signin?t=" + transaction.id));
}

http::Response SsoFlow::RedirectToChallenge(const RequestContext& context,
                                            const Transaction& transaction) const {
  const Challenge challenge{transaction.id, HashName(transaction.session->id), context.now};
  const absl::StatusOr<std::string> sealed = context.sealer().Seal(challenge, random_);
  if (!sealed.ok()) return Problem(sealed.status(), transaction);
  const absl::StatusOr<std::string> origin = site_.ChallengeOrigin(random_);
  if (!origin.ok()) return Problem(origin.status(), transaction);
  return Keep(context, transaction,
              http::SeeOther(fmt::format("{}/challenge?c={}", *origin, *sealed)));
}

Task<http::Response> SsoFlow::TakeProof(const RequestContext& context) const {
  const auto query = context.request.QueryParameters();
  const auto id = query.ok() ? query->Single("t") : query.status();
  const auto proof = query.ok() ? query->Single("p") : query.status();
  std::optional<Transaction> transaction;
  if (id.ok() && proof.ok()) transaction = cookies_.FindTransaction(context, *id);
  if (!transaction) co_return TransactionExpired();
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
  request.set_client_kind(org::v1::CLIENT_KIND_WEB_BROWSER);
  request.set_trust_override_reason(ObjectionTo(proof, context));
  request.set_proof(std::move(proof));
  request.set_transaction_hash(ToString(pki::Sha256(transaction.id)));
  request.set_session_hash(ToString(pki::Sha256(session.id)));

  const auto decision = co_await org_.Evaluate(std::move(request));
  if (decision.ok())
    co_return ApplyDecision(context, std::move(transaction), app, decision->result());
  if (decision.status().code() == absl::StatusCode::kUnauthenticated) {
    co_return AskToSignIn(context, std::move(transaction));
  }
  // Straight from the app's request nothing has kept the transaction yet, and "Try again" needs it.
  co_return Keep(context, transaction, Problem(decision.status(), transaction));
}

http::Response SsoFlow::ApplyDecision(const RequestContext& context, Transaction transaction,
                                      const org::v1::App& app,
                                      const org::v1::SignOnResult& decision) const {
  const ProtocolFrontEnd* front_end = FrontEndOf(transaction);
  if (front_end == nullptr) return TransactionExpired();
  const bool trusted = decision.trust() == org::v1::TRUST_STATE_TRUSTED;
  Session& session = *transaction.session;
  if (trusted) session.last_serial = decision.certificate_serial();
  http::Response response;
  switch (decision.outcome()) {
    case org::v1::OUTCOME_ALLOWED:
      response =
          Finish(transaction, front_end->ReplyAllowed(context, transaction, app, decision.user()));
      break;
    case org::v1::OUTCOME_FACTOR_REQUIRED:
      if (transaction.passive) return Fail(context, transaction, SsoFailure::kInteractionNeeded);
      // Who has no authenticator need not be asked for a code.
      if (decision.factor_reason() == reason::v1::REASON_FACTOR_NOT_ENROLLED) {
        response = Finish(transaction, RenderRefusal({.app_label = context.LabelOf(transaction),
                                                      .code = decision.code(),
                                                      .detail = kNoAuthenticator}));
        break;
      }
      transaction.decision_code = decision.code();
      transaction.decision_trusts = trusted;
      // By redirect, so that loading the page again does not spend the proof again.
      return Keep(context, transaction, http::SeeOther("/factor?t=" + transaction.id));
    case org::v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      transaction.fresh_sign_in = true;
      return AskToSignIn(context, std::move(transaction));
    default:
      if (transaction.passive) return Fail(context, transaction, SsoFailure::kDenied);
      response =
          Finish(transaction, RenderRefusal({.app_label = context.LabelOf(transaction),
                                             .code = decision.code(),
                                             .security_message = decision.show_security_message(),
                                             .learn_more_url = decision.learn_more_url()}));
      break;
  }
  // The browser's session learns what this sign-on proved, unless another tab's is newer.
  const std::optional<Session> current = cookies_.CurrentSession(context);
  if (!current || current->id == session.id) cookies_.SetSession(context, session, response);
  return response;
}

http::Response SsoFlow::Problem(const absl::Status& status, const Transaction& transaction) {
  const std::string retry_url = "/continue?t=" + transaction.id;
  return ProblemResponse(status, {.app_id = transaction.app_id, .retry_url = retry_url});
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
  if (app == nullptr || front_end == nullptr) return TransactionExpired();
  return Finish(transaction, front_end->ReplyFailure(context, transaction, *app, failure));
}

http::Response SsoFlow::Finish(const Transaction& transaction,
                               absl::StatusOr<http::Response> reply) {
  if (!reply.ok()) return Problem(reply.status(), transaction);
  BrowserCookies::ClearTransaction(transaction, *reply);
  return *std::move(reply);
}

http::Response SsoFlow::Keep(const RequestContext& context, const Transaction& transaction,
                             http::Response response) const {
  const absl::Status kept = cookies_.SetTransaction(context, transaction, response);
  return kept.ok() ? std::move(response) : Problem(kept, transaction);
}

}  // namespace devicetrust::gateway
