// The pages people see: plain HTML, one style sheet inside, no script but the line that
// submits a SAML response. Everything that varies is escaped here.
#pragma once

#include <string>
#include <string_view>

#include "libs/http/message.h"

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

struct SamlPostPage {
  std::string_view acs_url = {};
  std::string_view saml_response = {};  // base64.
  std::string_view relay_state = {};    // Empty: no field.
  std::string_view app_label = {};
};
// Submits itself to the service provider; the button is there without scripts too. The
// response may tell of a failure, so the page speaks of none and of no success.
http::Response RenderSamlPost(const SamlPostPage& page);

// Something went wrong: one sentence what, one what to do; `code` is a Reason's name.
http::Response RenderProblem(int status, std::string_view title, std::string_view what,
                             std::string_view code, std::string_view retry_url = "");

// 405, for a POST to where there is only something to read.
http::Response RenderMethodNotAllowed();

// The org's front door for a signed-in person, the question whether to leave, and the page
// after that.
http::Response RenderHome(std::string_view principal);
http::Response RenderSignOut();
http::Response RenderSignedOut();

}  // namespace devicetrust::gateway
