#include "simulator/gateway/sso/pages.h"

#include <fmt/format.h>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/base/printable.h"
#include "libs/http/url.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "simulator/gateway/assets/assets.h"

namespace devicetrust::gateway {
namespace {

using http::EscapeHtml;

constexpr std::chrono::seconds kRetryAfter{5};  // What is down is often just starting.
constexpr std::string_view kSubmitScript = "document.forms[0].submit()";

// A sign-in waits for one answer alone, and the mTLS hosts have no files: the style is in the page.
const std::string& Style() {
  static const std::string style =
      std::string(AssetText("tokens.css")) + std::string(AssetText("pages.css"));
  return style;
}

std::string CspHash(std::string_view text) {
  return fmt::format("'sha256-{}'", Base64Encode(pki::Sha256(text)));
}

char ToUpper(char c) { return IsLower(c) ? static_cast<char>(c - 'a' + 'A') : c; }

// Text that somebody else chose: its first characters, none of them hidden, escaped, and with a
// direction of writing of its own.
std::string Foreign(std::string_view text) {
  const std::string_view first = FirstCharacters(text, kShownCharactersMax);
  return fmt::format("<bdi>{}{}</bdi>", EscapeHtml(Printable(first)),
                     first.size() < text.size() ? "\xe2\x80\xa6" : "");
}

std::string Mark(const Site& site) {
  if (!site.mark.bytes.empty()) {
    return fmt::format("<img class=\"mark\" src=\"{}{}\" alt=\"\">", EscapeHtml(site.org_origin),
                       kMarkPath);
  }
  const std::string& name = site.org_name;
  const std::size_t size = name.empty() ? 0 : Utf8Length(name);
  return fmt::format("<span class=\"mark\" aria-hidden=\"true\">{}</span>",
                     EscapeHtml(std::string_view(name).substr(0, size)));
}

// `images`: origins, each behind a blank.
std::string Policy(const Site& site, std::string_view form_action, bool submits,
                   std::string_view images = {}) {
  static const std::string style_hash = CspHash(Style());
  static const std::string script_hash = CspHash(kSubmitScript);
  std::string policy = fmt::format(
      "default-src 'none'; style-src {}; base-uri 'none'; frame-ancestors 'none'", style_hash);
  const bool has_mark = !site.mark.bytes.empty();
  if (has_mark || !images.empty()) {
    policy += fmt::format("; img-src{}{}", has_mark ? " " + site.org_origin : "", images);
  }
  if (submits) policy += fmt::format("; script-src {}", script_hash);
  if (!form_action.empty()) policy += fmt::format("; form-action {}", form_action);
  return policy;
}

// `form_action`: the directive with its sources; empty where a form may lead anywhere.
http::Response Page(const Site& site, int status, std::string_view title, std::string_view content,
                    std::string_view form_action, bool submits = false) {
  const std::string name = EscapeHtml(site.org_name);
  http::Response response = http::Html(
      status, fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                          "<meta name=\"viewport\" content=\"width=device-width\">"
                          "<title>{} \xc2\xb7 {}</title><style>{}</style></head>\n<body>"
                          "<header>{}<span>{}</span></header><main>\n{}\n</main>{}</body></html>\n",
                          EscapeHtml(title), name, Style(), Mark(site), name, content,
                          submits ? fmt::format("<script>{}</script>", kSubmitScript) : ""));
  response.fields.Set("content-security-policy", Policy(site, form_action, submits));
  // With no-referrer browsers send "Origin: null" from our own forms, which we would refuse.
  response.fields.Set("referrer-policy", "same-origin");
  return response;
}

void SetRetryAfter(std::optional<std::chrono::seconds> pause, http::Response& response) {
  if (!pause && response.status == 503) pause = kRetryAfter;
  if (pause) response.fields.Set("retry-after", fmt::format("{}", pause->count()));
}

std::string Problem(const FormMessage& problem) {
  if (problem.text.empty()) return "";
  return fmt::format("<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>\n",
                     EscapeHtml(problem.text));
}

// Attributes of the fields that a problem is about.
std::string_view Tied(const FormMessage& problem) {
  return problem.text.empty() ? "" : " aria-invalid=\"true\" aria-describedby=\"problem\"";
}

// A page that is shown again says so first: its title is what a screen reader begins with.
std::string FormTitle(std::string_view title, const FormMessage& problem) {
  return fmt::format("{}{}", problem.text.empty() ? "" : "Error: ", title);
}

// "to continue to Payroll"
std::string ForApp(std::string_view words, std::string_view app_label) {
  if (app_label.empty()) return "";
  return fmt::format("<p class=\"soft\">{} {}</p>\n", words, Foreign(app_label));
}

std::string Hidden(std::string_view name, std::string_view value) {
  return fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", name, EscapeHtml(value));
}

std::string TransactionFields(std::string_view id, std::string_view app_id) {
  return Hidden("t", id) + (app_id.empty() ? "" : Hidden("app", app_id));
}

std::string Who(std::string_view principal, std::string_view switch_url) {
  if (principal.empty()) return "";
  return fmt::format(
      "<p class=\"soft\">Signed in as {}. <a href=\"{}\">Use another account</a></p>\n",
      Foreign(principal), EscapeHtml(switch_url));
}

std::string Ways(const std::vector<Link>& ways) {
  std::string list;
  for (const Link& way : ways) {
    list += fmt::format("<li><a href=\"{}\">{}</a>\n", EscapeHtml(way.url), EscapeHtml(way.text));
  }
  return fmt::format("<ul class=\"ways\">\n{}</ul>\n", list);
}

std::string ForAdministrator(const ProblemPage& page) {
  const std::string reason = rpc::ReasonName(page.reason);
  if (reason.empty() && page.detail.empty()) return "";
  std::string content = "<h2>For your administrator</h2>\n";
  if (!page.detail.empty()) {
    std::string sentence(page.detail);  // A status message begins small and has no full stop.
    sentence.front() = ToUpper(sentence.front());
    content += fmt::format("<p>{}.</p>\n", EscapeHtml(sentence));
  }
  if (!page.foreign.empty()) {
    content += fmt::format("<p>The app sent:</p>\n<samp>{}</samp>\n", Foreign(page.foreign));
  }
  if (!reason.empty())
    content += fmt::format("<p>Reason: <code>{}</code></p>\n", EscapeHtml(reason));
  return fmt::format("<section class=\"box soft\">\n{}</section>", content);
}

std::string RefusalSentence(const RefusalPage& page) {
  if (!page.detail.empty()) return EscapeHtml(page.detail);
  if (page.security_message) {
    return "This app opens only on devices that your organization trusts, and this one could not "
           "be "
           "verified. Contact your administrator to get access.";
  }
  return "Your organization's rules do not allow this sign-in.";
}

// Those that tell apps of a sign-out; adds their origins to `sources`, for Policy().
std::string Images(const std::vector<std::string>& urls, std::string& sources) {
  std::string content;
  for (const std::string& url : urls) {
    const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
    if (!parsed.ok()) continue;
    // Not seen and not spoken of: what comes back is the app's affair.
    content += fmt::format("<img src=\"{}\" alt=\"\" width=\"1\" height=\"1\">\n", EscapeHtml(url));
    sources += " " + parsed->Origin();
  }
  return content;
}

std::string SignOutForm(std::string_view button) {
  return fmt::format("<form method=\"post\" action=\"/signout\">{}</form>", button);
}

}  // namespace

std::string ForeignHtml(std::string_view text) { return Foreign(text); }

http::Response RenderSignIn(const Site& site, const SignInPage& page) {
  const std::string why =
      page.again ? "<p>Give your password again: the app wants a fresh sign-in.</p>\n" : "";
  const std::string_view tied = Tied(page.problem);
  const std::string content = fmt::format(
      "<h1>Sign in</h1>\n{}{}{}<form method=\"post\" action=\"/signin\">\n{}"
      "<label for=\"u\">User name</label>"
      "<input id=\"u\" name=\"username\" value=\"{}\" autocomplete=\"username\""
      " autocapitalize=\"none\" spellcheck=\"false\" required{}{}>\n"
      "<label for=\"p\">Password</label>"
      "<input id=\"p\" name=\"password\" type=\"password\" autocomplete=\"current-password\""
      " required{}{}>\n<button type=\"submit\">Sign in</button>\n</form>\n"
      "<p class=\"soft\">Forgot your password? It is the one of your computer, and your "
      "administrator "
      "can reset it.</p>",
      ForApp("to continue to", page.app_label), why, Problem(page.problem),
      TransactionFields(page.transaction_id, page.app_id), EscapeHtml(page.user_name), tied,
      page.user_name.empty() ? " autofocus" : "", tied, page.user_name.empty() ? "" : " autofocus");
  http::Response response = Page(site, page.problem.status, FormTitle("Sign in", page.problem),
                                 content, fmt::format("'self' {}", page.form_source));
  SetRetryAfter(page.problem.retry_after, response);
  return response;
}

http::Response RenderFactor(const Site& site, const FactorPage& page) {
  // No maxlength: it would cut a code that is pasted with blanks in it. A recovery code has a form
  // of its own, since a telephone's keys for digits have no letters.
  const std::string fields = TransactionFields(page.transaction_id, page.app_id);
  const std::string content = fmt::format(
      "<h1>Verification code</h1>\n{}{}<form method=\"post\" action=\"/factor\">\n{}"
      "<label for=\"c\">Six digits from your authenticator app</label>"
      "<input id=\"c\" name=\"code\" autocomplete=\"one-time-code\" inputmode=\"numeric\""
      " required autofocus{}>\n<button type=\"submit\">Verify</button>\n</form>\n"
      "<details><summary>Authenticator app not at hand?</summary>"
      "<form method=\"post\" action=\"/factor\">\n{}"
      "<label for=\"r\">One of your recovery codes</label>"
      "<input id=\"r\" name=\"code\" autocomplete=\"off\" autocapitalize=\"characters\""
      " spellcheck=\"false\" required>\n<button "
      "type=\"submit\">Verify</button>\n</form></details>\n{}",
      ForApp("to continue to", page.app_label), Problem(page.problem), fields, Tied(page.problem),
      fields, Who(page.principal, page.switch_url));
  http::Response response =
      Page(site, page.problem.status, FormTitle("Verification code", page.problem), content,
           fmt::format("'self' {}", page.form_source));
  SetRetryAfter(page.problem.retry_after, response);
  return response;
}

http::Response RenderRefusal(const Site& site, const RefusalPage& page) {
  const std::string app = page.app_label.empty() ? "this app" : Foreign(page.app_label);
  std::string content =
      fmt::format("<h1>You can't open {}{}</h1>\n<p>{}</p>\n", app,
                  page.security_message ? " on this device" : "", RefusalSentence(page));
  if (!page.code.empty()) {
    content += fmt::format(
        "<div class=\"box code\"><p>Tell your administrator this "
        "code:</p>\n<code>{}</code></div>\n",
        EscapeHtml(page.code));
  }
  if (!page.learn_more_url.empty()) {
    content += fmt::format(
        "<p><a href=\"{}\" rel=\"noreferrer\">Learn more about trusted devices</a></p>\n",
        EscapeHtml(page.learn_more_url));
  }
  std::vector<Link> ways;
  if (!page.enroll_url.empty()) {
    ways.push_back({"Set up an authenticator app now", std::string(page.enroll_url)});
  }
  ways.push_back({"Try again", std::string(page.retry_url)});
  content += Ways(ways) + Who(page.principal, page.switch_url);
  return Page(site, 403, "Access refused", content, "'none'");
}

http::Response RenderAutoPost(const Site& site, const AutoPostPage& page) {
  std::string fields;
  for (const auto& [name, value] : page.fields) fields += Hidden(name, value);
  const std::string content = fmt::format(
      "<h1>Continuing to {}</h1>\n<p class=\"soft\">Press Continue if nothing happens.</p>\n"
      "<form method=\"post\" action=\"{}\">\n{}<button type=\"submit\">Continue</button>\n"
      "</form>",
      page.app_label.empty() ? "the app" : Foreign(page.app_label), EscapeHtml(page.url), fields);
  // No form-action: browsers apply it to where the app redirects next, which is its own affair.
  // The page has one form, and its address comes from the app's registration.
  http::Response response = Page(site, 200, "Continuing", content, "", true);
  response.fields.Set("referrer-policy", "strict-origin");
  return response;
}

http::Response RenderProblem(const Site& site, const ProblemPage& page) {
  std::string content =
      fmt::format("<h1>{}</h1>\n{}<p>{}</p>\n", EscapeHtml(page.title),
                  ForApp("on the way to", page.app_label), EscapeHtml(page.sentence));
  if (!page.principal.empty()) {
    content += fmt::format("<p class=\"soft\">Signed in as {}.</p>\n", Foreign(page.principal));
  }
  const Link home{"Go to the sign-in page", site.org_origin + "/"};
  content += Ways(page.ways.empty() ? std::vector<Link>{home} : page.ways);
  content += ForAdministrator(page);
  http::Response response = Page(site, page.status, page.title, content, "'none'");
  SetRetryAfter(page.retry_after, response);
  return response;
}

http::Response RenderNotFound(const Site& site, std::string_view sentence) {
  return RenderProblem(site, {.status = 404, .title = "Nothing here", .sentence = sentence});
}

http::Response RenderMethodNotAllowed(const Site& site) {
  http::Response response = RenderProblem(site, {.status = 405,
                                                 .title = "Nothing to send here",
                                                 .sentence = "There is no form at this address."});
  response.fields.Set("allow", "GET, HEAD");
  return response;
}

http::Response RenderMalformed(const Site& site, const http::Refusal& refusal) {
  std::string_view title = "Your browser's request could not be read";
  std::string_view remedy = "Open the app again, or type the address anew.";
  if (refusal.status == 413 || refusal.status == 414 || refusal.status == 431) {
    title = "Your browser sent too much at once";
    remedy = "Remove the cookies of this site, then open the app again.";
  } else if (refusal.status == 501 || refusal.status == 417 || refusal.status == 505) {
    title = "This kind of request is not served here";
    remedy = "Open the app with a browser.";
  }
  const std::string detail = fmt::format("HTTP {}, {}", refusal.status, refusal.reason);
  return RenderProblem(
      site, {.status = refusal.status, .title = title, .sentence = remedy, .detail = detail});
}

http::Response RenderSignOut(const Site& site, std::string_view principal) {
  return Page(
      site, 200, "Sign out",
      fmt::format("<h1>Sign out?</h1>\n<p>You are {}. Apps will ask for your password again.</p>\n"
                  "{}\n{}",
                  Foreign(principal), SignOutForm("<button type=\"submit\">Sign out</button>"),
                  Ways({{"Stay signed in", "/"}})),
      "'self'");
}

http::Response RenderSignedOut(const Site& site, const SignedOutPage& page) {
  std::string content = fmt::format(
      "<h1>Signed out</h1>\n<p>{}</p>\n",
      page.partial ? "Apps that you opened may keep sessions of their own; sign out there too."
                   : "That goes for the apps that you opened, too.");
  std::string sources;
  content += Images(page.images, sources);
  std::vector<Link> ways;
  if (page.back) ways.push_back(*page.back);
  ways.push_back({"Sign in again", "/"});
  http::Response response = Page(site, 200, "Signed out", content + Ways(ways), "'none'");
  response.fields.Set("content-security-policy", Policy(site, "'none'", false, sources));
  return response;
}

http::Response RenderTelling(const Site& site, const std::vector<std::string>& images,
                             std::string_view next) {
  std::string sources;
  const std::string content = fmt::format(
      "<h1>Signing out</h1>\n<p class=\"soft\">Press Continue if nothing happens.</p>\n{}{}",
      Images(images, sources), Ways({{"Continue", std::string(next)}}));
  http::Response response = Page(site, 200, "Signing out", content, "'none'");
  response.fields.Set("content-security-policy", Policy(site, "'none'", false, sources));
  // Counted from when all images are there (HTML, section 4.2.5.3).
  response.fields.Set("refresh", fmt::format("0; url={}", next));
  return response;
}

http::Response RenderLeaving(const Site& site, std::string_view url, std::string_view app_label) {
  http::Response response =
      Page(site, 200, "Signing out",
           fmt::format(
               "<h1>Signing out of {}</h1>\n<p class=\"soft\">Press Continue if nothing "
               "happens.</p>\n{}",
               app_label.empty() ? "the app" : Foreign(app_label),
               Ways({{"Continue", std::string(url)}, {"Leave this app out", "/signout/continue"}})),
           "'none'");
  response.fields.Set("refresh", fmt::format("0; url={}", url));
  response.fields.Set("referrer-policy", "strict-origin");
  return response;
}

}  // namespace devicetrust::gateway
