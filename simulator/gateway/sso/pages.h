// The pages people see: plain HTML, one style sheet inside, no script but the line that submits
// an answer to an app. Each names the organization, and each that ends a way has another one on it.
// Everything that varies is escaped here; text that others chose (an app's name, what it sent) is
// cut to kShownCharactersMax and set apart. Uses libs and the site alone; knows no protocol and no
// flow.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/http/message.h"
#include "libs/http/parser.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

inline constexpr std::size_t kShownCharactersMax = 80;
// Text that others chose, as HTML: its first characters, none of them hidden, escaped, and with a
// direction of writing of its own.
std::string ForeignHtml(std::string_view text);

// A way on: text of a link, and where it leads.
struct Link {
  std::string text;
  std::string url;
};

// One sentence about what was typed, tied to the form's fields; empty at first.
struct FormMessage {
  std::string text;
  int status = 200;
  std::optional<std::chrono::seconds> retry_after = {};  // For the field of that name.
};

struct SignInPage {
  std::string_view transaction_id = {};
  std::string_view app_id = {};
  std::string_view app_label = {};  // Empty: the org itself.
  std::string_view user_name = {};  // What was typed last time, or who is signed in.
  bool again = false;               // Who is signed in has to give the password again.
  FormMessage problem = {};
  std::string_view form_source = {};  // Where the form may lead besides ourselves (CSP).
};
// Fields: t, app, username, password.
http::Response RenderSignIn(const Site& site, const SignInPage& page);

struct FactorPage {
  std::string_view transaction_id = {};
  std::string_view app_id = {};
  std::string_view app_label = {};
  std::string_view principal = {};   // Who is signed in.
  std::string_view switch_url = {};  // To be somebody else.
  FormMessage problem = {};
  std::string_view form_source = {};  // As above.
};
// Fields: t, app, code.
http::Response RenderFactor(const Site& site, const FactorPage& page);

struct RefusalPage {
  std::string_view app_label = {};
  std::string_view code = {};     // Of the decision; in an element <code>.
  bool security_message = false;  // SSO-3: the device is the reason, the administrator helps.
  std::string_view learn_more_url = {};  // Empty: none.
  std::string_view detail = {};          // Instead of the usual sentence.
  std::string_view principal = {};       // Who is signed in; empty: nobody.
  std::string_view switch_url = {};      // To be somebody else.
  std::string_view retry_url = {};
  std::string_view enroll_url = {};  // Where the second factor that is missing is set up.
};
// 403.
http::Response RenderRefusal(const Site& site, const RefusalPage& page);

struct AutoPostPage {
  std::string_view url = {};  // Https, of a registered app.
  // Hidden fields, name and value, in order.
  std::span<const std::pair<std::string_view, std::string_view>> fields = {};
  std::string_view app_label = {};
};
// A form that submits itself to the app; the button is there without scripts too. The answer in
// it may tell of a failure, so the page speaks of none and of no success.
http::Response RenderAutoPost(const Site& site, const AutoPostPage& page);

struct ProblemPage {
  int status = 500;
  std::string_view title = {};      // One sentence what went wrong.
  std::string_view app_label = {};  // Where the person was going; empty: not known.
  std::string_view sentence = {};   // What to do.
  std::string_view principal = {};  // Who is signed in; empty: nobody, or of no matter.
  // For the administrator: the reason's name, what exactly was wrong in our words, and what the app
  // sent, in its own.
  reason::v1::Reason reason = reason::v1::REASON_UNSPECIFIED;
  std::string_view detail = {};
  std::string_view foreign = {};
  std::vector<Link> ways = {};  // Empty: to the org's front door.
  std::optional<std::chrono::seconds> retry_after = {};
};
// For whoever has a reason alone: problems.h.
http::Response RenderProblem(const Site& site, const ProblemPage& page);

// 404, for addresses where nothing is.
http::Response RenderNotFound(const Site& site, std::string_view sentence);
// 405, for a POST to where there is only something to read.
http::Response RenderMethodNotAllowed(const Site& site);

// For a request that is not HTTP as we take it (libs/http/parser.h), so that nothing of it is
// known.
http::Response RenderMalformed(const Site& site, const http::Refusal& refusal);

// The question whether to leave, and the page after that.
http::Response RenderSignOut(const Site& site, std::string_view principal);

struct SignedOutPage {
  // Images whose loading tells apps of it: addresses of registered apps, https or loopback.
  std::vector<std::string> images = {};
  bool partial = true;            // Apps may have sessions still.
  std::optional<Link> back = {};  // To the app that asked for it.
};
http::Response RenderSignedOut(const Site& site, const SignedOutPage& page = {});
// Lets such images tell apps of it, then sends the browser on to `next`, an address of ours.
http::Response RenderTelling(const Site& site, const std::vector<std::string>& images,
                             std::string_view next);
// Sends the browser on to an app, as a redirect would.
http::Response RenderLeaving(const Site& site, std::string_view url, std::string_view app_label);

}  // namespace devicetrust::gateway
