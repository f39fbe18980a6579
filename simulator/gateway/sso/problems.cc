#include "simulator/gateway/sso/problems.h"

#include <fmt/format.h>

#include <chrono>
#include <initializer_list>
#include <string>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/base/log_sparsely.h"
#include "libs/rpc/error.h"

namespace devicetrust::gateway {
namespace {

using reason::v1::Reason;

struct Wording {
  int status;
  std::string_view title;
  std::string_view sentence;
  bool about_request = false;  // Of an app: the error's message is for its administrator.
};

Wording WordingOf(Reason reason) {
  switch (reason) {
    case reason::v1::REASON_SESSION_EXPIRED:
      return {400, "This sign-in is over",
              "It was finished already, is too old, or your browser keeps no cookies."};
    case reason::v1::REASON_CHALLENGE_NOT_DONE:
      return {400, "This device check is too old", "Go back to the app and sign in again."};
    case reason::v1::REASON_APP_UNKNOWN:
      return {404, "No such app",
              "No app is registered at this address, or no longer. Check the app's sign-on URL."};
    case reason::v1::REASON_SAML_REQUEST_EXPIRED:
      return {400, "This sign-in request is too old", "Go back to the app and start again.", true};
    case reason::v1::REASON_SAML_REQUEST_MALFORMED:
    case reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER:
    case reason::v1::REASON_SAML_ACS_NOT_REGISTERED:
    case reason::v1::REASON_SAML_SIGNATURE_INVALID:
    case reason::v1::REASON_WSFED_REQUEST_MALFORMED:
    case reason::v1::REASON_WSFED_UNKNOWN_REALM:
    case reason::v1::REASON_WSFED_REPLY_NOT_REGISTERED:
    case reason::v1::REASON_WSFED_AUTHENTICATION_NOT_POSSIBLE:
      return {
          400, "The app's request can't be answered",
          "That is the app's fault, not yours. Go back to the app and try once more; if it comes "
          "to this page again, show it to your administrator.",
          true};
    case reason::v1::REASON_USER_NOT_IN_DOMAIN:
      return {403, "Your account can't use this app",
              "The app knows people by something that your account does not have. Contact your "
              "administrator.",
              true};
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

std::optional<std::chrono::seconds> RetryAfterOf(const absl::Status& status) {
  const std::optional<reason::v1::ErrorDetail> detail = rpc::DetailOf(status);
  if (!detail || !detail->has_retry_after()) return std::nullopt;
  // The field has whole seconds: a little later rather than too early.
  return std::chrono::seconds(detail->retry_after().seconds() +
                              (detail->retry_after().nanos() > 0 ? 1 : 0));
}

// "Wait 5 minutes"; without a time a minute.
std::string WaitFor(std::optional<std::chrono::seconds> pause) {
  const auto seconds = pause.value_or(std::chrono::seconds{60}).count();
  if (seconds > 120) return fmt::format("Wait {} minutes", (seconds + 59) / 60);
  return seconds > 1 ? fmt::format("Wait {} seconds", seconds) : "Wait a moment";
}

}  // namespace

http::Response ProblemResponse(const Site& site, const absl::Status& status,
                               const ProblemDetails& details) {
  const Reason reason = rpc::ReasonOf(status);
  const Wording wording = WordingOf(reason);
  const std::optional<reason::v1::ErrorDetail> detail = rpc::DetailOf(status);
  const std::string message(status.message());
  constexpr std::string_view kEvent = "gateway.request.failed";
  const std::string name = rpc::ReasonName(reason);
  const std::initializer_list<LogField> fields = {
      {"app", details.app_id}, {"reason", name}, {"message", message}};
  if (wording.status >= 500) {
    LogSparsely(LogLevel::kWarning, kEvent, name, fields);
  } else {
    Log(LogLevel::kDebug, kEvent, fields);
  }
  ProblemPage page{.status = wording.status,
                   .title = wording.title,
                   .app_label = details.app_label,
                   .sentence = details.sentence.empty() ? wording.sentence : details.sentence,
                   .principal = details.principal,
                   .reason = reason,
                   .ways = details.ways,
                   .retry_after = RetryAfterOf(status)};
  if (wording.about_request) page.detail = message;
  if (wording.about_request && detail) page.foreign = detail->subject();
  return RenderProblem(site, page);
}

http::Response ProblemResponse(const Site& site, Reason reason, const ProblemDetails& details) {
  return ProblemResponse(site, rpc::MakeError(absl::StatusCode::kUnknown, reason, ""), details);
}

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
      return {fmt::format("Too many attempts. {} and try again.", WaitFor(RetryAfterOf(status))),
              429, RetryAfterOf(status)};
    default:
      break;
  }
  if (status.code() == absl::StatusCode::kUnauthenticated ||
      status.code() == absl::StatusCode::kInvalidArgument) {
    return {std::string(kPasswordWrong), kNotTaken};
  }
  const std::string name = rpc::ReasonName(status);
  LogSparsely(LogLevel::kWarning, "gateway.password.unchecked", name,
              {{"reason", name}, {"message", std::string(status.message())}});
  return {"Passwords can't be checked just now. Try again in a moment.", 503};
}

std::optional<FormMessage> FactorMessage(const absl::Status& status) {
  switch (rpc::ReasonOf(status)) {
    case reason::v1::REASON_FACTOR_WRONG:
      return FormMessage{"That code is wrong. Type the current one.", kNotTaken};
    case reason::v1::REASON_FACTOR_REUSED:
      return FormMessage{"That code was used already. Wait for the next one.", kNotTaken};
    case reason::v1::REASON_FACTOR_LOCKED:
      return FormMessage{
          "Your second factor is locked: there were too many wrong codes. Use a recovery code, or "
          "contact your administrator for a new one.",
          403};
    default:
      return std::nullopt;
  }
}

std::string PauseSentence(const absl::Status& status) {
  return fmt::format("Your code was not looked at. {}, then try again.",
                     WaitFor(RetryAfterOf(status)));
}

}  // namespace devicetrust::gateway
