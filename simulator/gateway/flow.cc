// The next step of a sign-on, and what a decision leads to.
#include <fmt/format.h>

#include <algorithm>

#include "libs/base/ascii.h"
#include "libs/base/log.h"
#include "libs/http/form.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "libs/saml/request.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "simulator/gateway/org_host.h"
#include "simulator/gateway/pages.h"

namespace devicetrust::gateway {
namespace {

// The alphabet of a signed token (RFC 7515, section 7.1).
bool IsTokenText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return IsBase64Url(c) || c == '.'; });
}

}  // namespace

Task<http::Response> OrgHost::Advance(Turn& turn, Transaction transaction) {
  if (!transaction.session) transaction.session = CurrentSession(turn);
  const bool fresh_wanted = transaction.force_authn && !transaction.signed_in_here;
  if (!transaction.session || fresh_wanted) {
    co_return SignInAgain(turn, std::move(transaction));
  }
  if (transaction.app_id.empty()) {
    http::Response response = http::SeeOther("/");
    Drop(transaction, response);
    co_return response;
  }
  const org::v1::App* app = turn.apps->Find(transaction.app_id);
  if (app == nullptr || !app->has_saml() ||
      !saml::IsRegisteredAcs(app->saml(), transaction.acs_url)) {
    // Unregistered while the person was signing in.
    co_return RenderProblem(404, "No such app", "The app is no longer registered.", "APP_UNKNOWN");
  }
  turn.app_label = app->label();
  // Before anything is asked of the wrong person, and logged as allowed.
  if (IsOtherSubject(transaction, *app)) {
    co_return Fail(turn, transaction, saml::Failure::kUnknownPrincipal);
  }
  if (app->needs_device_challenge()) co_return RedirectToChallenge(turn, transaction);
  co_return co_await Decide(turn, std::move(transaction), *app, "");
}

http::Response OrgHost::SignInAgain(Turn& turn, Transaction transaction) {
  if (transaction.is_passive) return Fail(turn, transaction, saml::Failure::kNoPassive);
  transaction.session.reset();
  transaction.signed_in_here = false;
  transaction.decision_code.clear();
  http::Response response = http::SeeOther("/signin?t=" + transaction.id);
  Keep(turn, transaction, response);
  return response;
}

http::Response OrgHost::RedirectToChallenge(Turn& turn, const Transaction& transaction) {
  const Challenge challenge{transaction.id, HashName(transaction.session->id), turn.now};
  const absl::StatusOr<std::string> sealed = turn.keys->sealer.Seal(challenge, random_);
  const absl::StatusOr<std::string> origin = site_.ChallengeOrigin(random_);
  if (!sealed.ok()) return Unavailable(sealed.status(), transaction);
  if (!origin.ok()) return Unavailable(origin.status(), transaction);
  http::Response response = http::SeeOther(fmt::format("{}/challenge?c={}", *origin, *sealed));
  Keep(turn, transaction, response);
  return response;
}

Task<http::Response> OrgHost::TakeProof(Turn& turn) {
  const auto query = turn.request.QueryParameters();
  const auto id = query.ok() ? query->Single("t") : query.status();
  const auto proof = query.ok() ? query->Single("p") : query.status();
  std::optional<Transaction> transaction;
  if (id.ok() && proof.ok()) transaction = TransactionOf(turn, *id);
  if (!transaction) co_return TransactionGone();
  const org::v1::App* app = turn.apps->Find(transaction->app_id);
  // Signed out or deactivated while the browser was at the mTLS host.
  if (app == nullptr || !transaction->session) {
    co_return co_await Advance(turn, *std::move(transaction));
  }
  // Text that the org could not even be sent is no proof.
  std::string shown = IsTokenText(*proof) ? *proof : "";
  co_return co_await Decide(turn, *std::move(transaction), *app, std::move(shown));
}

// A proof is as old as its holder makes it; this looks at the certificate once more. Which
// proofs hold, the org decides.
reason::v1::Reason OrgHost::AgainstProof(const Turn& turn, const std::string& text) const {
  const absl::StatusOr<token::Proof> proof =
      token::VerifyProof(text, turn.keys->proof_keys, token::ProofAudience(site_.org), turn.now);
  if (!proof.ok() || !proof->trusted) return reason::v1::REASON_UNSPECIFIED;
  if (live_.IsRevoked(proof->serial)) return reason::v1::REASON_CERTIFICATE_REVOKED;
  return live_.IsFresh() ? reason::v1::REASON_UNSPECIFIED
                         : reason::v1::REASON_REVOCATION_DATA_STALE;
}

Task<http::Response> OrgHost::Decide(Turn& turn, Transaction transaction, const org::v1::App& app,
                                     std::string proof) {
  const Session& session = *transaction.session;
  org::v1::EvaluateRequest request;
  request.set_app_id(app.id());
  org::v1::SessionInfo* info = request.mutable_session();
  info->set_session_id(session.id);
  info->set_user_id(session.user_id);
  *info->mutable_authenticated_at() = rpc::ToTimestamp(session.authenticated_at);
  if (session.factor_at) *info->mutable_factor_at() = rpc::ToTimestamp(*session.factor_at);
  *request.mutable_client() = ClientOf(turn.request);
  request.set_client_kind(org::v1::CLIENT_KIND_WEB_BROWSER);
  request.set_trust_override_reason(AgainstProof(turn, proof));
  request.set_proof(std::move(proof));
  request.set_transaction_hash(ToString(pki::Sha256(transaction.id)));
  request.set_session_hash(ToString(pki::Sha256(session.id)));

  const auto decision = co_await org_.Evaluate(std::move(request));
  if (decision.ok()) co_return Conclude(turn, std::move(transaction), app, decision->result());
  if (decision.status().code() == absl::StatusCode::kUnauthenticated) {
    co_return SignInAgain(turn, std::move(transaction));
  }
  http::Response response = Unavailable(decision.status(), transaction);
  // Straight from the app's request nothing has kept it yet, and "Try again" goes on with it.
  Keep(turn, transaction, response);
  co_return response;
}

http::Response OrgHost::Conclude(Turn& turn, Transaction transaction, const org::v1::App& app,
                                 const org::v1::SignOnResult& decision) {
  Session& session = *transaction.session;
  if (decision.trust() == org::v1::TRUST_STATE_TRUSTED) {
    session.last_serial = decision.certificate_serial();
  }
  http::Response response;
  switch (decision.outcome()) {
    case org::v1::OUTCOME_ALLOWED:
      response = Answer(turn, transaction, app, decision.user());
      break;
    case org::v1::OUTCOME_FACTOR_REQUIRED:
      if (transaction.is_passive) return Fail(turn, transaction, saml::Failure::kNoPassive);
      transaction.decision_code = decision.code();
      transaction.decision_trusts = decision.trust() == org::v1::TRUST_STATE_TRUSTED;
      // By redirect, so that loading the page again does not spend the proof again.
      response = http::SeeOther("/factor?t=" + transaction.id);
      Keep(turn, transaction, response);
      return response;
    case org::v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      transaction.force_authn = true;
      return SignInAgain(turn, std::move(transaction));
    default:
      if (transaction.is_passive) return Fail(turn, transaction, saml::Failure::kRequestDenied);
      response = RenderRefusal({.app_label = turn.app_label,
                                .code = decision.code(),
                                .security_message = decision.show_security_message(),
                                .learn_more_url = decision.learn_more_url()});
      Drop(transaction, response);
      break;
  }
  // The browser's session learns what this sign-on proved, unless another tab's is newer.
  const std::optional<Session> current = CurrentSession(turn);
  if (!current || current->id == session.id) KeepSession(turn, session, response);
  return response;
}

http::Response OrgHost::Unavailable(const absl::Status& status,
                                    const Transaction& transaction) const {
  Log(LogLevel::kWarning, "gateway.signon.unavailable",
      {{"app", transaction.app_id},
       {"reason", rpc::ReasonName(status)},
       {"message", std::string(status.message())}});
  return RenderProblem(503, "Sign-in is not possible just now",
                       "A part of the service does not answer. Try again in a moment.",
                       rpc::ReasonName(status),
                       transaction.id.empty() ? "/" : "/continue?t=" + transaction.id);
}

}  // namespace devicetrust::gateway
