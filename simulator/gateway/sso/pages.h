// The pages people see: plain HTML, one style sheet inside, no script but the line that submits
// an answer to an app. Everything that varies is escaped here. Uses libs alone; knows no protocol
// and no flow.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/http/message.h"
#include "libs/http/parser.h"

namespace devicetrust::gateway {

struct SignInPage {
  std::string_view transaction_id = {};
  std::string_view app_label = {};    // Empty: the org itself.
  std::string_view user_name = {};    // What was typed last time.
  std::string_view problem = {};      // Empty at first.
  std::string_view form_source = {};  // Where the form may lead besides ourselves (CSP).
  int status = 200;
};
// Fields: t, username, password.
http::Response RenderSignIn(const SignInPage& page);

struct FactorPage {
  std::string_view transaction_id = {};
  std::string_view app_label = {};
  std::string_view problem = {};
  std::string_view form_source = {};  // As above.
  int status = 200;
};
// Fields: t, code.
http::Response RenderFactor(const FactorPage& page);

struct RefusalPage {
  std::string_view app_label = {};
  std::string_view code = {};     // Of the decision; in an element <code>.
  bool security_message = false;  // SSO-3: the device is the reason, the administrator helps.
  std::string_view learn_more_url = {};  // Empty: none.
  std::string_view detail = {};          // Instead of the usual sentence.
};
// 403.
http::Response RenderRefusal(const RefusalPage& page);

struct AutoPostPage {
  std::string_view url = {};  // Https, of a registered app.
  // Hidden fields, name and value, in order.
  std::span<const std::pair<std::string_view, std::string_view>> fields = {};
  std::string_view app_label = {};
};
// A form that submits itself to the app; the button is there without scripts too. The answer in
// it may tell of a failure, so the page speaks of none and of no success.
http::Response RenderAutoPost(const AutoPostPage& page);

struct ProblemPage {
  int status = 500;
  std::string_view title = {};                                 // One sentence what went wrong.
  std::string_view sentence = {};                              // What to do.
  reason::v1::Reason reason = reason::v1::REASON_UNSPECIFIED;  // Its name is shown.
  std::string_view retry_url = {};                             // Empty: no link.
};
// For whoever has a reason alone: problems.h.
http::Response RenderProblem(const ProblemPage& page);

// 404, for addresses where nothing is.
http::Response RenderNotFound(std::string_view sentence);
// 405, for a POST to where there is only something to read.
http::Response RenderMethodNotAllowed();

// For a request that is not HTTP as we take it (libs/http/parser.h), so that nothing of it is
// known. `home_url`: where to begin again; empty: no link.
http::Response RenderMalformed(const http::Refusal& refusal, std::string_view home_url);

// The org's front door for a signed-in person, the question whether to leave, and the page
// after that.
http::Response RenderHome(std::string_view principal);
http::Response RenderSignOut();
http::Response RenderSignedOut();

}  // namespace devicetrust::gateway
