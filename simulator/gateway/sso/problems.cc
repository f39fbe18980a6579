#include "simulator/gateway/sso/problems.h"

#include <fmt/format.h>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/rpc/error.h"
#include "simulator/gateway/sso/pages.h"

namespace devicetrust::gateway {
namespace {

using reason::v1::Reason;

struct Wording {
  int status;
  std::string_view title;
  std::string_view sentence;  // Empty: the error's message and what to do.
};

Wording WordingOf(Reason reason) {
  switch (reason) {
    case reason::v1::REASON_SESSION_EXPIRED:
      return {400, "This sign-in is over",
              "It was finished already, is too old, or your browser keeps no cookies. Go back to "
              "the app and start again."};
    case reason::v1::REASON_CHALLENGE_NOT_DONE:
      return {400, "This device check is too old", "Go back to the app and sign in again."};
    case reason::v1::REASON_APP_UNKNOWN:
      return {404, "No such app",
              "No app is registered at this address, or no longer. Check the app's sign-on URL."};
    case reason::v1::REASON_SAML_REQUEST_MALFORMED:
    case reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER:
    case reason::v1::REASON_SAML_ACS_NOT_REGISTERED:
    case reason::v1::REASON_SAML_SIGNATURE_INVALID:
    case reason::v1::REASON_SAML_REQUEST_EXPIRED:
      return {400, "The app's request can't be answered", ""};
    case reason::v1::REASON_THROTTLED:
    case reason::v1::REASON_TOO_MANY_REQUESTS:
      return {429, "Too many attempts", "Wait a minute and try again."};
    case reason::v1::REASON_FACTOR_ATTEMPTS_SPENT:
      return {429, "Too many wrong codes",
              "Wait a minute, then try again with the code that your authenticator shows then."};
    case reason::v1::REASON_FACTOR_LOCKED:
      return {403, "Your second factor is locked",
              "There were too many wrong codes. Contact your administrator for a new one."};
    case reason::v1::REASON_INTERNAL_ERROR:
      return {500, "Something went wrong",
              "The fault is the sign-in service's, not yours. Try again in a moment."};
    default:
      return {503, "That is not possible just now",
              "A part of the sign-in service does not answer, or is starting. Try again in a "
              "moment."};
  }
}

http::Response Respond(Reason reason, const std::string& message, const ProblemDetails& details) {
  const Wording wording = WordingOf(reason);
  std::string sentence(details.sentence.empty() ? wording.sentence : details.sentence);
  if (sentence.empty()) {
    sentence =
        fmt::format("{}. Go back to the app and try again, or tell its administrator.", message);
  }
  Log(wording.status >= 500 ? LogLevel::kWarning : LogLevel::kDebug, "gateway.request.failed",
      {{"app", details.app_id}, {"reason", rpc::ReasonName(reason)}, {"message", message}});
  return RenderProblem({.status = wording.status,
                        .title = wording.title,
                        .sentence = sentence,
                        .reason = reason,
                        .retry_url = details.retry_url});
}

}  // namespace

http::Response ProblemResponse(const absl::Status& status, const ProblemDetails& details) {
  return Respond(rpc::ReasonOf(status), std::string(status.message()), details);
}

http::Response ProblemResponse(Reason reason, const ProblemDetails& details) {
  return Respond(reason, "", details);
}

http::Response TransactionExpired() { return ProblemResponse(reason::v1::REASON_SESSION_EXPIRED); }

http::Response ProblemJson(Reason reason) {
  return http::Json(WordingOf(reason).status,
                    fmt::format("{{\"error\":{}}}", JsonQuote(rpc::ReasonName(reason))));
}

FormMessage PasswordMessage(const absl::Status& status) {
  switch (rpc::ReasonOf(status)) {
    case reason::v1::REASON_USER_DISABLED:
      return {"This account is disabled. Contact your administrator.", kNotTaken};
    case reason::v1::REASON_ACCOUNT_EXPIRED:
      return {"This account has expired. Contact your administrator.", kNotTaken};
    case reason::v1::REASON_LOGON_NOT_PERMITTED:
      return {
          "This account may not sign in at this time, or from here. Contact your administrator.",
          kNotTaken};
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
    return {kPasswordWrong, kNotTaken};
  }
  Log(LogLevel::kWarning, "gateway.password.unchecked",
      {{"reason", rpc::ReasonName(status)}, {"message", std::string(status.message())}});
  return {"Passwords can't be checked just now. Try again in a moment.", 503};
}

std::optional<FormMessage> FactorMessage(const absl::Status& status) {
  switch (rpc::ReasonOf(status)) {
    case reason::v1::REASON_FACTOR_WRONG:
      return FormMessage{"That code is wrong. Type the current one.", kNotTaken};
    case reason::v1::REASON_FACTOR_REUSED:
      return FormMessage{"That code was used already. Wait for the next one.", kNotTaken};
    case reason::v1::REASON_THROTTLED:
      return FormMessage{"Too many wrong codes. Start again later.", 429};
    default:
      return std::nullopt;
  }
}

}  // namespace devicetrust::gateway
