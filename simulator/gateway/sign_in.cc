// The two forms: password, one-time code.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "simulator/gateway/org_host.h"
#include "simulator/gateway/pages.h"

namespace devicetrust::gateway {
namespace {

constexpr int kNotTaken = 422;  // The form was right, what it holds is not.
constexpr std::size_t kFieldBytesMax = 256;
constexpr std::string_view kWrong = "User name or password is wrong.";

// What to say of a sign-in that the org refused, and with which status. A wrong name reads
// like a wrong password.
std::pair<std::string_view, int> ComplaintOf(const absl::Status& status) {
  switch (rpc::ReasonOf(status)) {
    case reason::v1::REASON_USER_DISABLED:
      return {"This account is disabled. Contact your administrator.", kNotTaken};
    case reason::v1::REASON_ACCOUNT_LOCKED:
      return {"This account is locked. Wait, or contact your administrator.", kNotTaken};
    case reason::v1::REASON_PASSWORD_EXPIRED:
    case reason::v1::REASON_PASSWORD_MUST_CHANGE:
      return {"Your password has to be changed. Do that on your computer, then sign in here.",
              kNotTaken};
    case reason::v1::REASON_USER_DEACTIVATED:
      return {"This account may not sign in. Contact your administrator.", kNotTaken};
    case reason::v1::REASON_THROTTLED:
    case reason::v1::REASON_TOO_MANY_REQUESTS:
      return {"Too many attempts. Wait a minute and try again.", 429};
    default:
      break;
  }
  if (status.code() == absl::StatusCode::kUnauthenticated ||
      status.code() == absl::StatusCode::kInvalidArgument) {
    return {kWrong, kNotTaken};
  }
  return {"Passwords can't be checked just now. Try again in a moment.", 503};
}

// Whether a later step has set the session's cookie already.
bool KeepsSession(const http::Response& response) {
  const auto& all = response.fields.all();
  return std::any_of(all.begin(), all.end(), [](const http::Field& field) {
    return field.name == "set-cookie" && field.value.starts_with(kSessionCookie);
  });
}

bool IsCode(const std::string& text) { return text.size() == 6 && IsAll(text, IsDigit); }

}  // namespace

http::Response OrgHost::SignInForm(Turn& turn, const Transaction& transaction,
                                   std::string_view user_name, std::string_view problem,
                                   int status) {
  const std::string source = site_.MtlsFormSource();
  http::Response response = RenderSignIn({.transaction_id = transaction.id,
                                          .app_label = turn.app_label,
                                          .user_name = user_name,
                                          .problem = problem,
                                          .form_source = source,
                                          .status = status});
  return response;
}

Task<http::Response> OrgHost::SignInPost(Turn& turn) {
  const absl::StatusOr<http::Parameters> form = turn.request.FormParameters();
  const auto id = form.ok() ? form->Single("t") : form.status();
  std::optional<Transaction> transaction;
  if (id.ok() && FromOurselves(turn.request)) transaction = TransactionOf(turn, *id);
  if (!transaction) co_return TransactionGone();
  const absl::StatusOr<std::string> name = form->Single("username");
  const absl::StatusOr<std::string> password = form->Single("password");
  if (!name.ok() || !password.ok() || name->empty() || password->empty() ||
      name->size() > kFieldBytesMax || password->size() > kFieldBytesMax) {
    co_return SignInForm(turn, *transaction, "", "Give a user name and a password.", kNotTaken);
  }
  // Browsers send the page's encoding, and protobuf's strings take nothing else.
  if (!IsUtf8(*name) || !IsUtf8(*password)) {
    co_return SignInForm(turn, *transaction, "", kWrong, kNotTaken);
  }

  org::v1::StartSessionRequest start;
  start.set_principal(*name);
  start.set_password(*password);
  *start.mutable_client() = ClientOf(turn.request);
  const auto started = co_await org_.StartSession(std::move(start));
  if (!started.ok()) {
    const auto [text, status] = ComplaintOf(started.status());
    co_return SignInForm(turn, *transaction, *name, text, status);
  }

  Session session;
  session.id = started->session_id();
  session.user_id = started->user().id();
  session.principal = started->user().principal();
  session.authenticated_at = rpc::FromTimestamp(started->authenticated_at());
  transaction->session = session;
  transaction->signed_in_here = true;
  transaction->decision_code.clear();
  http::Response response = co_await Advance(turn, *std::move(transaction));
  // Another tab may have signed in meanwhile: the last one is the browser's session, each
  // transaction goes on with its own.
  if (!KeepsSession(response)) KeepSession(turn, session, response);
  co_return response;
}

http::Response OrgHost::FactorForm(Turn& turn, const Transaction& transaction,
                                   std::string_view problem, int status) {
  if (transaction.decision_code.empty()) return TransactionGone();
  // A decision that is too old leads to another challenge.
  const std::string source = site_.MtlsFormSource();
  return RenderFactor({.transaction_id = transaction.id,
                       .app_label = turn.app_label,
                       .problem = problem,
                       .form_source = source,
                       .status = status});
}

Task<http::Response> OrgHost::FactorPost(Turn& turn) {
  const absl::StatusOr<http::Parameters> form = turn.request.FormParameters();
  const auto id = form.ok() ? form->Single("t") : form.status();
  std::optional<Transaction> transaction;
  if (id.ok() && FromOurselves(turn.request)) transaction = TransactionOf(turn, *id);
  if (!transaction || !transaction->session || transaction->decision_code.empty()) {
    co_return TransactionGone();
  }
  const org::v1::App* app = turn.apps->Find(transaction->app_id);
  const absl::StatusOr<std::string> code = form->Single("code");
  if (app == nullptr) co_return TransactionGone();
  if (!code.ok() || !IsCode(*code)) {
    co_return FactorForm(turn, *transaction, "Type the six digits.", kNotTaken);
  }

  // Cut off from the CA since the decision: it may be told of a revocation too late.
  if (transaction->decision_trusts && !live_.IsFresh()) {
    transaction->decision_code.clear();
    co_return co_await Advance(turn, *std::move(transaction));
  }

  org::v1::CompleteFactorRequest complete;
  complete.set_code(transaction->decision_code);
  complete.set_session_id(transaction->session->id);
  complete.set_totp_code(*code);
  *complete.mutable_client() = ClientOf(turn.request);
  const auto completed = co_await org_.CompleteFactor(std::move(complete));
  if (completed.ok()) {
    transaction->session->factor_at = rpc::FromTimestamp(completed->factor_at());
    co_return Conclude(turn, *std::move(transaction), *app, completed->result());
  }

  const std::string shown_code = transaction->decision_code;
  switch (rpc::ReasonOf(completed.status())) {
    case reason::v1::REASON_FACTOR_WRONG:
      co_return FactorForm(turn, *transaction, "That code is wrong. Type the current one.",
                           kNotTaken);
    case reason::v1::REASON_FACTOR_REUSED:
      co_return FactorForm(turn, *transaction, "That code was used already. Wait for the next one.",
                           kNotTaken);
    case reason::v1::REASON_THROTTLED:
      co_return FactorForm(turn, *transaction, "Too many wrong codes. Start again later.", 429);
    case reason::v1::REASON_FACTOR_NOT_ENROLLED:
      co_return RenderRefusal({.app_label = turn.app_label,
                               .code = shown_code,
                               .detail = "This app asks for a verification code, and you have no "
                                         "authenticator set up. Contact your administrator."});
    case reason::v1::REASON_DECISION_UNKNOWN:
    case reason::v1::REASON_CONFLICTING_STATE:
      // Too old, or finished in another tab: decide anew.
      transaction->decision_code.clear();
      co_return co_await Advance(turn, *std::move(transaction));
    default:
      co_return Unavailable(completed.status(), *transaction);
  }
}

}  // namespace devicetrust::gateway
