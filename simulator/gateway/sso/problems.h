// What people are told for each reason: title, sentence, HTTP status. The one place that turns a
// Reason into a page or a form's message, and that logs it. Uses pages and libs/rpc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

// What a problem page says besides what its reason says.
struct ProblemDetails {
  std::string_view app_id = {};     // For the log.
  std::string_view app_label = {};  // The app's name, when it is known.
  std::string_view principal = {};  // Who is signed in.
  std::vector<Link> ways = {};      // Empty: to the org's front door.
  std::string_view sentence = {};   // Instead of the reason's.
};

// The page for `status`, which is not OK, by its rpc::ReasonOf(). Only a reason about an app's
// request shows the message, and the subject as what the app sent: for the administrator. Logged
// as gateway.request.failed: what is our fault (5xx) as a warning, and in sums by reason when there
// is much of it (libs/base/log_sparsely.h); what is the caller's for debugging.
http::Response ProblemResponse(const Site& site, const absl::Status& status,
                               const ProblemDetails& details = {});
// The same when there is no more to say than the reason.
http::Response ProblemResponse(const Site& site, reason::v1::Reason reason,
                               const ProblemDetails& details = {});

// The same for a program: {"error":"DEPENDENCY_UNAVAILABLE"}.
http::Response ProblemJson(reason::v1::Reason reason);

// Of a password that the org did not take. A wrong name reads like a wrong password.
FormMessage PasswordMessage(const absl::Status& status);
// Of a code that the org did not take; nothing when that needs more than typing again.
std::optional<FormMessage> FactorMessage(const absl::Status& status);
// What to do when the org takes no code at all for a while (THROTTLED).
std::string PauseSentence(const absl::Status& status);

inline constexpr int kNotTaken = 422;  // The form was right, what it holds is not.
inline constexpr std::string_view kPasswordWrong = "User name or password is wrong.";

}  // namespace devicetrust::gateway
