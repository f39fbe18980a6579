#include "simulator/gateway/sso/pages.h"

#include <fmt/format.h>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"

namespace devicetrust::gateway {
namespace {

using http::EscapeHtml;

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#59636e;--line:#c4ccd4;
--accent:#0b5cad;--on-accent:#fff;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--paper:#16191d;--soft:#a5afb9;
--line:#434b53;--accent:#7db8f5;--on-accent:#0d1a26;--bad:#ffb4ab}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:25rem;margin:12vh auto 2rem;padding:0 1.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}
p{margin:.5rem 0 1rem;overflow-wrap:anywhere}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{width:100%;padding:.6rem .7rem;font:inherit;color:inherit;background:transparent;
border:1px solid var(--line);border-radius:.4rem}
button{margin:1.5rem 0 0;width:100%;padding:.65rem;font:inherit;font-weight:600;border:0;
border-radius:.4rem;background:var(--accent);color:var(--on-accent);cursor:pointer}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.problem{color:var(--bad);border-left:.25rem solid var(--bad);padding-left:.75rem}
.soft{color:var(--soft)}
code{font-size:1.1em;letter-spacing:.05em}
)";
constexpr std::string_view kRetryAfterSeconds = "5";  // What is down is often just starting.
constexpr std::string_view kSignOutForm =
    "<form method=\"post\" action=\"/signout\">"
    "<button type=\"submit\">Sign out</button></form>";
constexpr std::string_view kSubmitScript = "document.forms[0].submit()";

std::string CspHash(std::string_view text) {
  return fmt::format("'sha256-{}'", Base64Encode(pki::Sha256(text)));
}

// `form_action`: the directive with its sources; empty where a form may lead anywhere.
http::Response Page(int status, std::string_view title, std::string_view content,
                    std::string_view form_action, bool submits = false) {
  static const std::string style_hash = CspHash(kStyle);
  static const std::string script_hash = CspHash(kSubmitScript);
  http::Response response = http::Html(
      status, fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                          "<meta name=\"viewport\" content=\"width=device-width\">"
                          "<title>{}</title><style>{}</style></head>\n<body><main>\n{}\n</main>"
                          "{}</body></html>\n",
                          EscapeHtml(title), kStyle, content,
                          submits ? fmt::format("<script>{}</script>", kSubmitScript) : ""));
  std::string policy = fmt::format(
      "default-src 'none'; style-src {}; base-uri 'none'; frame-ancestors 'none'", style_hash);
  if (submits) policy += fmt::format("; script-src {}", script_hash);
  if (!form_action.empty()) policy += fmt::format("; form-action {}", form_action);
  response.fields.Set("content-security-policy", policy);
  // With no-referrer browsers send "Origin: null" from our own forms, which we would refuse.
  response.fields.Set("referrer-policy", "same-origin");
  if (status == 503) response.fields.Set("retry-after", kRetryAfterSeconds);
  return response;
}

std::string Problem(std::string_view problem) {
  if (problem.empty()) return "";
  return fmt::format("<p class=\"problem\" role=\"alert\">{}</p>\n", EscapeHtml(problem));
}

std::string ForApp(std::string_view app_label) {
  if (app_label.empty()) return "";
  return fmt::format("<p class=\"soft\">to go on to {}</p>\n", EscapeHtml(app_label));
}

std::string Hidden(std::string_view name, std::string_view value) {
  return fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", name, EscapeHtml(value));
}

}  // namespace

http::Response RenderSignIn(const SignInPage& page) {
  const std::string content = fmt::format(
      "<h1>Sign in</h1>\n{}{}<form method=\"post\" action=\"/signin\">\n{}"
      "<label for=\"u\">User name</label>"
      "<input id=\"u\" name=\"username\" value=\"{}\" autocomplete=\"username\""
      " autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"256\" required{}>\n"
      "<label for=\"p\">Password</label>"
      "<input id=\"p\" name=\"password\" type=\"password\" autocomplete=\"current-password\""
      " maxlength=\"256\" required{}>\n<button type=\"submit\">Sign in</button>\n</form>",
      ForApp(page.app_label), Problem(page.problem), Hidden("t", page.transaction_id),
      EscapeHtml(page.user_name), page.user_name.empty() ? " autofocus" : "",
      page.user_name.empty() ? "" : " autofocus");
  return Page(page.status, "Sign in", content, fmt::format("'self' {}", page.form_source));
}

http::Response RenderFactor(const FactorPage& page) {
  const std::string content = fmt::format(
      "<h1>Verification code</h1>\n{}{}<form method=\"post\" action=\"/factor\">\n{}"
      "<label for=\"c\">Six digits from your authenticator app</label>"
      "<input id=\"c\" name=\"code\" autocomplete=\"one-time-code\" inputmode=\"numeric\""
      " maxlength=\"32\" required autofocus>\n"
      "<button type=\"submit\">Verify</button>\n</form>",
      ForApp(page.app_label), Problem(page.problem), Hidden("t", page.transaction_id));
  return Page(page.status, "Verification code", content,
              fmt::format("'self' {}", page.form_source));
}

http::Response RenderRefusal(const RefusalPage& page) {
  std::string sentence;
  if (!page.detail.empty()) {
    sentence = EscapeHtml(page.detail);
  } else if (page.security_message) {
    sentence =
        "This app opens only on devices that your organization trusts, and this one could not be "
        "verified. Contact your administrator to get access.";
  } else {
    sentence = "Your organization's rules do not allow this sign-in.";
  }
  std::string content =
      fmt::format("<h1>You can't open {} now</h1>\n<p>{}</p>\n",
                  page.app_label.empty() ? "this app" : EscapeHtml(page.app_label), sentence);
  if (!page.learn_more_url.empty()) {
    content += fmt::format("<p><a href=\"{}\" rel=\"noreferrer\">Learn more</a></p>\n",
                           EscapeHtml(page.learn_more_url));
  }
  if (!page.code.empty()) {
    content +=
        fmt::format("<p class=\"soft\">Tell your administrator this code: <code>{}</code></p>",
                    EscapeHtml(page.code));
  }
  return Page(403, "Access refused", content, "'none'");
}

http::Response RenderAutoPost(const AutoPostPage& page) {
  std::string fields;
  for (const auto& [name, value] : page.fields) fields += Hidden(name, value);
  const std::string content = fmt::format(
      "<h1>Going on to {}</h1>\n<p class=\"soft\">Press Continue if nothing happens.</p>\n"
      "<form method=\"post\" action=\"{}\">\n{}<button type=\"submit\">Continue</button>\n"
      "</form>",
      page.app_label.empty() ? "the app" : EscapeHtml(page.app_label), EscapeHtml(page.url),
      fields);
  // No form-action: browsers apply it to where the app redirects next, which is its own affair.
  // The page has one form, and its address comes from the app's registration.
  http::Response response = Page(200, "Going on", content, "", true);
  response.fields.Set("referrer-policy", "strict-origin");
  return response;
}

http::Response RenderProblem(const ProblemPage& page) {
  std::string content =
      fmt::format("<h1>{}</h1>\n<p>{}</p>\n", EscapeHtml(page.title), EscapeHtml(page.sentence));
  if (!page.retry_url.empty()) {
    content += fmt::format("<p><a href=\"{}\">Try again</a></p>\n", EscapeHtml(page.retry_url));
  }
  if (page.reason != reason::v1::REASON_UNSPECIFIED) {
    content += fmt::format("<p class=\"soft\"><code>{}</code></p>",
                           EscapeHtml(rpc::ReasonName(page.reason)));
  }
  return Page(page.status, page.title, content, "'none'");
}

http::Response RenderNotFound(std::string_view sentence) {
  return RenderProblem({.status = 404, .title = "Nothing here", .sentence = sentence});
}

http::Response RenderMethodNotAllowed() {
  http::Response response = RenderProblem({.status = 405,
                                           .title = "Nothing to send here",
                                           .sentence = "There is no form at this address."});
  response.fields.Set("allow", "GET, HEAD");
  return response;
}

http::Response RenderMalformed(const http::Refusal& refusal, std::string_view home_url) {
  std::string_view title = "Your browser's request could not be read";
  std::string_view remedy = "Open the app again, or type the address anew.";
  if (refusal.status == 413 || refusal.status == 414 || refusal.status == 431) {
    title = "Your browser sent too much at once";
    remedy = "Remove the cookies of this site, then open the app again.";
  } else if (refusal.status == 501 || refusal.status == 417 || refusal.status == 505) {
    title = "This kind of request is not served here";
    remedy = "Open the app with a browser.";
  }
  std::string content =
      fmt::format("<h1>{}</h1>\n<p>{}</p>\n", EscapeHtml(title), EscapeHtml(remedy));
  if (!home_url.empty()) {
    content += fmt::format("<p><a href=\"{}\">Begin again</a></p>\n", EscapeHtml(home_url));
  }
  content += fmt::format("<p class=\"soft\">For the administrator: HTTP {}, {}.</p>",
                         refusal.status, EscapeHtml(refusal.reason));
  return Page(refusal.status, title, content, "'none'");
}

http::Response RenderHome(std::string_view principal) {
  return Page(200, "Signed in",
              fmt::format("<h1>Signed in</h1>\n<p>You are {}. Open an app to go on.</p>\n{}",
                          EscapeHtml(principal), kSignOutForm),
              "'self'");
}

http::Response RenderSignOut() {
  return Page(200, "Sign out",
              fmt::format("<h1>Sign out?</h1>\n<p>Apps will ask for your password again.</p>\n{}",
                          kSignOutForm),
              "'self'");
}

http::Response RenderSignedOut() {
  return Page(200, "Signed out",
              "<h1>Signed out</h1>\n<p>Apps that you opened may keep sessions of their own; sign "
              "out there too.</p>\n<p><a href=\"/\">Sign in again</a></p>",
              "'none'");
}

}  // namespace devicetrust::gateway
