#include "simulator/gateway/sso/authentication_forms.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "simulator/gateway/sso/pages.h"

namespace devicetrust::gateway {
namespace {

constexpr std::size_t kFieldBytesMax = 256;
constexpr FormMessage kNoMessage{"", 200};

bool IsCode(const std::string& text) {
  return text.size() == 6 && std::ranges::all_of(text, IsDigit);
}

bool IsField(const absl::StatusOr<std::string>& field) {
  return field.ok() && !field->empty() && field->size() <= kFieldBytesMax;
}

// The transaction that the parameter `t` names.
std::optional<Transaction> NamedTransaction(const RequestContext& context,
                                            const BrowserCookies& cookies,
                                            const absl::StatusOr<http::Parameters>& parameters) {
  const auto id = parameters.ok() ? parameters->Single("t") : parameters.status();
  if (!id.ok()) return std::nullopt;
  return cookies.FindTransaction(context, *id);
}

}  // namespace

http::Response AuthenticationForms::SignInForm(const RequestContext& context,
                                               const Transaction& transaction,
                                               std::string_view user_name,
                                               const FormMessage& message) const {
  const std::string source = site_.MtlsFormSource();
  return RenderSignIn({.transaction_id = transaction.id,
                       .app_label = context.LabelOf(transaction),
                       .user_name = user_name,
                       .problem = message.text,
                       .form_source = source,
                       .status = message.status});
}

http::Response AuthenticationForms::ShowSignIn(const RequestContext& context) const {
  const auto transaction = NamedTransaction(context, cookies_, context.request.QueryParameters());
  if (!transaction) return TransactionExpired();
  return SignInForm(context, *transaction, "", kNoMessage);
}

Task<http::Response> AuthenticationForms::SubmitSignIn(const RequestContext& context) const {
  const absl::StatusOr<http::Parameters> form = context.request.FormParameters();
  std::optional<Transaction> transaction;
  if (IsSameOrigin(site_, context.request)) transaction = NamedTransaction(context, cookies_, form);
  if (!transaction) co_return TransactionExpired();
  const absl::StatusOr<std::string> name = form->Single("username");
  const absl::StatusOr<std::string> password = form->Single("password");
  if (!IsField(name) || !IsField(password)) {
    co_return SignInForm(context, *transaction, "",
                         {"Give a user name and a password.", kNotTaken});
  }
  // Browsers send the page's encoding, and protobuf's strings take nothing else.
  if (!IsUtf8(*name) || !IsUtf8(*password)) {
    co_return SignInForm(context, *transaction, "", {kPasswordWrong, kNotTaken});
  }

  org::v1::StartSessionRequest start;
  start.set_principal(std::string(TrimName(*name)));  // Never the password.
  start.set_password(*password);
  *start.mutable_client() = ClientOf(context.request);
  const auto started = co_await org_.StartSession(std::move(start));
  if (!started.ok()) {
    co_return SignInForm(context, *transaction, *name, PasswordMessage(started.status()));
  }

  Session session;
  session.id = started->session_id();
  session.user_id = started->user().id();
  session.principal = started->user().principal();
  session.authenticated_at = rpc::FromTimestamp(started->authenticated_at());
  session.expires_at = rpc::FromTimestamp(started->expires_at());
  transaction->session = session;
  transaction->signed_in_here = true;
  transaction->decision_code.clear();
  http::Response response = co_await flow_.Advance(context, *std::move(transaction));
  // Another tab may have signed in meanwhile: the last one is the browser's session, each
  // transaction goes on with its own. The flow may have set the cookie already, and knows more.
  if (!BrowserCookies::SetsSession(response)) cookies_.SetSession(context, session, response);
  co_return response;
}

http::Response AuthenticationForms::FactorForm(const RequestContext& context,
                                               const Transaction& transaction,
                                               const FormMessage& message) const {
  // A decision that is too old leads to another challenge.
  const std::string source = site_.MtlsFormSource();
  return RenderFactor({.transaction_id = transaction.id,
                       .app_label = context.LabelOf(transaction),
                       .problem = message.text,
                       .form_source = source,
                       .status = message.status});
}

http::Response AuthenticationForms::ShowFactor(const RequestContext& context) const {
  const auto transaction = NamedTransaction(context, cookies_, context.request.QueryParameters());
  if (!transaction || transaction->decision_code.empty()) return TransactionExpired();
  return FactorForm(context, *transaction, kNoMessage);
}

Task<http::Response> AuthenticationForms::SubmitFactor(const RequestContext& context) const {
  const absl::StatusOr<http::Parameters> form = context.request.FormParameters();
  std::optional<Transaction> transaction;
  if (IsSameOrigin(site_, context.request)) transaction = NamedTransaction(context, cookies_, form);
  if (!transaction || !transaction->session || transaction->decision_code.empty()) {
    co_return TransactionExpired();
  }
  const org::v1::App* app = context.AppOf(*transaction);
  if (app == nullptr) co_return TransactionExpired();
  // Authenticators show "123 456".
  const std::string code = WithoutBlanks(form->Single("code").value_or(""));
  if (!IsCode(code)) {
    co_return FactorForm(context, *transaction, {"Type the six digits.", kNotTaken});
  }

  // Cut off from the CA since the decision: it may be told of a revocation too late.
  if (transaction->decision_trusts && !revocations_.IsFresh()) {
    transaction->decision_code.clear();
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }

  org::v1::CompleteFactorRequest complete;
  complete.set_code(transaction->decision_code);
  complete.set_session_id(transaction->session->id);
  complete.set_totp_code(code);
  *complete.mutable_client() = ClientOf(context.request);
  const auto completed = co_await org_.CompleteFactor(std::move(complete));
  if (completed.ok()) {
    transaction->session->factor_at = rpc::FromTimestamp(completed->factor_at());
    co_return flow_.ApplyDecision(context, *std::move(transaction), *app, completed->result());
  }
  const reason::v1::Reason reason = rpc::ReasonOf(completed.status());
  if (reason == reason::v1::REASON_DECISION_UNKNOWN ||
      reason == reason::v1::REASON_CONFLICTING_STATE) {
    // Too old, or finished in another tab: decide anew.
    transaction->decision_code.clear();
    co_return co_await flow_.Advance(context, *std::move(transaction));
  }
  co_return FactorNotTaken(context, *transaction, completed.status());
}

http::Response AuthenticationForms::FactorNotTaken(const RequestContext& context,
                                                   const Transaction& transaction,
                                                   const absl::Status& status) const {
  if (const auto message = FactorMessage(status)) {
    return FactorForm(context, transaction, *message);
  }
  if (rpc::ReasonOf(status) == reason::v1::REASON_FACTOR_NOT_ENROLLED) {
    return RenderRefusal({.app_label = context.LabelOf(transaction),
                          .code = transaction.decision_code,
                          .detail = kNoAuthenticator});
  }
  return SsoFlow::Problem(status, transaction);
}

Task<http::Response> AuthenticationForms::SignOut(const RequestContext& context) const {
  const std::optional<Session> session = cookies_.CurrentSession(context);
  // GET is safe (RFC 9110, section 9.2.1), so a link only asks.
  if (context.request.method != "POST") co_return session ? RenderSignOut() : RenderSignedOut();
  if (!IsSameOrigin(site_, context.request)) co_return TransactionExpired();
  if (session) {
    org::v1::EndSessionRequest end;
    end.set_session_id(session->id);
    end.set_user_id(session->user_id);
    const absl::Status ended = co_await org_.EndSession(std::move(end));
    if (!ended.ok()) {
      co_return ProblemResponse(ended, {.retry_url = "/signout",
                                        .sentence = "You are still signed in. Try to sign out "
                                                    "again in a moment."});
    }
  }
  http::Response response = RenderSignedOut();
  BrowserCookies::ClearSession(response);
  co_return response;
}

}  // namespace devicetrust::gateway
