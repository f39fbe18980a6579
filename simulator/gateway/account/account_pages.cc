#include "simulator/gateway/account/account_pages.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/http/form.h"
#include "libs/pki/digest.h"
#include "libs/qr/qr_code.h"
#include "libs/rpc/timestamps.h"
#include "simulator/gateway/assets/assets.h"

namespace devicetrust::gateway {
namespace {

using http::EscapeHtml;

constexpr std::size_t kOtpauthKeyBytes = 128;

std::string AccountPolicy(const Site& site) {
  const std::string assets = site.org_origin + std::string(kAssetsPath);
  return fmt::format(
      "default-src 'none'; script-src {0}; style-src {0}; img-src 'self'; connect-src 'self'; "
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
      "require-trusted-types-for 'script'; trusted-types 'none'",
      assets);
}

std::string OrgMark(const Site& site) {
  if (!site.mark.bytes.empty()) {
    return fmt::format("<img class=\"mark\" src=\"{}\" alt=\"\">", kMarkPath);
  }
  const std::string& name = site.org_name;
  return fmt::format(
      "<span class=\"mark\" aria-hidden=\"true\">{}</span>",
      EscapeHtml(std::string_view(name).substr(0, name.empty() ? 0 : Utf8Length(name))));
}

struct Place {
  std::string_view url;
  std::string_view text;
};
constexpr Place kPlaces[] = {
    {"/", "Apps"}, {"/sessions", "Sessions"}, {"/second-factor", "Second factor"}};

std::string Navigation(std::string_view here) {
  std::string links;
  for (const Place& place : kPlaces) {
    links += fmt::format("<a href=\"{}\"{}>{}</a>\n", place.url,
                         place.url == here ? " aria-current=\"page\"" : "", place.text);
  }
  return fmt::format("<nav aria-label=\"Your account\">\n{}</nav>\n", links);
}

// `content`: of <main>.
http::Response AccountFrame(const Site& site, std::string_view here, std::string_view principal,
                            std::string_view title, const FormMessage& problem,
                            const std::string& content, std::string_view attributes = {}) {
  const std::string name = EscapeHtml(site.org_name);
  http::Response response = http::Html(
      problem.status,
      fmt::format(
          "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width\"><title>{}{} \xc2\xb7 {}</title>"
          "<link rel=\"stylesheet\" href=\"{}\"><link rel=\"stylesheet\" href=\"{}\">"
          "<link rel=\"stylesheet\" href=\"{}\"><script type=\"module\" "
          "src=\"{}\"></script></head>\n"
          "<body{}>\n<header>{}<span class=\"org\">{}</span>\n{}"
          "<span class=\"who\">{}</span>\n"
          "<form method=\"post\" action=\"/signout\"><button class=\"bare\">Sign "
          "out</button></form>"
          "</header>\n<main>\n{}</main></body></html>\n",
          problem.text.empty() ? "" : "Error: ", EscapeHtml(title), name, AssetUrl("tokens.css"),
          AssetUrl("base.css"), AssetUrl("account/account.css"), AssetUrl("account/account.js"),
          attributes, OrgMark(site), name, Navigation(here), ForeignHtml(principal), content));
  response.fields.Set("content-security-policy", AccountPolicy(site));
  response.fields.Set("referrer-policy", "same-origin");
  if (problem.retry_after) {
    response.fields.Set("retry-after", fmt::format("{}", problem.retry_after->count()));
  }
  return response;
}

std::string ProblemText(const FormMessage& problem) {
  if (problem.text.empty()) return "";
  return fmt::format("<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>\n",
                     EscapeHtml(problem.text));
}

std::string_view TiedTo(const FormMessage& problem) {
  return problem.text.empty() ? "" : " aria-invalid=\"true\" aria-describedby=\"problem\"";
}

std::string HiddenField(std::string_view name, std::string_view value) {
  if (value.empty()) return "";
  return fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", name, EscapeHtml(value));
}

std::string NextLink(std::string_view next) {
  if (next.empty()) return "";
  return fmt::format("<p><a class=\"button main\" href=\"{}\">Continue</a></p>\n",
                     EscapeHtml(next));
}

std::string TileHtml(const Tile& tile) {
  const std::string picture =
      tile.logo_url.empty()
          ? fmt::format("<span class=\"logo\" aria-hidden=\"true\">{}</span>",
                        EscapeHtml(FirstCharacters(tile.label, 1)))
          : fmt::format("<img class=\"logo\" src=\"{}\" alt=\"\" width=\"48\" height=\"48\">",
                        EscapeHtml(tile.logo_url));
  // The lock is text too: neither color nor shape alone says it.
  return fmt::format("<li><a class=\"tile{}\" href=\"{}\">{}<span class=\"name\">{}</span>{}</a>\n",
                     tile.locked ? " locked" : "", EscapeHtml(tile.open_url), picture,
                     ForeignHtml(tile.label),
                     tile.locked ? "<span class=\"lock\">Locked</span>" : "");
}

bool Matches(const Tile& tile, std::string_view query) {
  return FoldName(tile.label).find(FoldName(query)) != std::string::npos;
}

std::string WhyLocked(const DashboardPage& page) {
  std::string way = "contact your administrator";
  if (!page.learn_more_url.empty()) {
    way = fmt::format("<a href=\"{}\" rel=\"noreferrer\">learn more about trusted devices</a>",
                      EscapeHtml(page.learn_more_url));
  }
  return fmt::format(
      "<p class=\"box\" id=\"why-locked\"><strong>Why is an app locked?</strong> It opens only on "
      "devices that your organization trusts, and this one could not be verified: open it again to "
      "have the device checked once more, or {}.</p>\n",
      way);
}

std::string When(const google::protobuf::Timestamp& time) {
  const std::string text =
      fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(time.seconds())));
  return fmt::format("<time datetime=\"{:%Y-%m-%dT%H:%M:%SZ}\">{}</time>",
                     fmt::gmtime(static_cast<std::time_t>(time.seconds())), text);
}

std::string SessionHtml(const org::v1::UserSession& session) {
  const std::string browser =
      session.browser().empty() ? "Unknown browser" : ForeignHtml(session.browser());
  const std::string system = session.system().empty() ? "" : " on " + ForeignHtml(session.system());
  std::string place = ForeignHtml(session.client().address());
  for (const std::string& zone : session.zones()) place += ", " + ForeignHtml(zone);
  const std::string end =
      session.asks() ? "<p class=\"badge\">This session</p>\n"
                     : fmt::format(
                           "<form method=\"post\" action=\"/sessions\">{}"
                           "<button aria-label=\"End the session of {}{}\">End</button></form>\n",
                           HiddenField("id", session.id()), EscapeHtml(session.browser()),
                           session.system().empty() ? "" : " on " + EscapeHtml(session.system()));
  return fmt::format(
      "<li class=\"box\"><div><h2>{}{}</h2>\n<dl>\n<dt>From<dd>{}\n<dt>Last used<dd>{}\n"
      "<dt>Signed in<dd>{}\n<dt>Device<dd>{}\n</dl></div>\n{}",
      browser, system, place, When(session.used_at()), When(session.started_at()),
      session.device_id().empty() ? "not verified" : "trusted by your organization", end);
}

std::string CodeForm(std::string_view action, std::string_view button, const std::string& hidden,
                     const FormMessage& problem, bool recovery_too) {
  return fmt::format(
      "<form method=\"post\" action=\"{}\" class=\"narrow\">\n{}"
      "<label for=\"c\">{}</label>"
      "<input id=\"c\" name=\"code\" autocomplete=\"one-time-code\"{} required autofocus{}>\n"
      "<button class=\"main\">{}</button>\n</form>\n",
      action, hidden,
      recovery_too ? "Six digits from your authenticator app, or a recovery code"
                   : "Six digits that the app shows now",
      recovery_too ? " autocapitalize=\"characters\" spellcheck=\"false\""
                   : " inputmode=\"numeric\"",
      TiedTo(problem), button);
}

// What a person types who cannot scan: "JBSW Y3DP …".
std::string KeyOf(std::string_view otpauth_uri) {
  constexpr std::string_view kSecret = "secret=";
  const std::size_t at = otpauth_uri.find(kSecret);
  if (at == std::string_view::npos) return "";
  std::string_view key = otpauth_uri.substr(at + kSecret.size());
  key = key.substr(0, std::min(key.find('&'), kOtpauthKeyBytes));
  std::string grouped;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (i > 0 && i % 4 == 0) grouped += ' ';
    grouped += key[i];
  }
  return grouped;
}

}  // namespace

std::string DashboardVersion(const DashboardPage& page) {
  std::string all =
      fmt::format("{}\n{}\n{}\n", page.principal, page.learn_more_url, page.may_enroll_factor);
  for (const Tile& tile : page.tiles) {
    all += fmt::format("{}\n{}\n{}\n{}\n", tile.label, tile.open_url, tile.logo_url, tile.locked);
  }
  const pki::Sha256Digest digest = pki::Sha256(all);
  return Base64UrlEncode(std::span(digest).first(12));
}

http::Response RenderDashboard(const Site& site, const DashboardPage& page) {
  std::string tiles;
  bool locked = false;
  std::size_t shown = 0;
  for (const Tile& tile : page.tiles) {
    if (!Matches(tile, page.query)) continue;
    tiles += TileHtml(tile);
    locked = locked || tile.locked;
    ++shown;
  }
  std::string content = fmt::format(
      "<h1>Your apps</h1>\n<form role=\"search\" action=\"/\" class=\"search\">"
      "<label for=\"q\">Search apps</label><input id=\"q\" name=\"q\" type=\"search\" value=\"{}\" "
      "autocomplete=\"off\"><button>Search</button></form>\n",
      EscapeHtml(page.query));
  if (page.may_enroll_factor) {
    content +=
        "<p class=\"box\">You have no second factor yet. <a href=\"/second-factor\">Set one up</a> "
        "before an app asks for it.</p>\n";
  }
  if (locked) content += WhyLocked(page);
  content += fmt::format("<ul class=\"tiles\" id=\"apps\">\n{}</ul>\n", tiles);
  if (page.tiles.empty()) {
    content +=
        "<p>There is no app for you yet. Your administrator decides which ones you may "
        "open.</p>\n";
  } else {
    content += fmt::format(
        "<p id=\"none-found\"{}>No app has that in its name. <a href=\"/\">Show all</a></p>\n",
        shown == 0 ? "" : " hidden");
  }
  return AccountFrame(site, "/", page.principal, "Your apps", {}, content,
                      fmt::format(" data-version=\"{}\"", DashboardVersion(page)));
}

http::Response RenderSessions(const Site& site, const SessionsPage& page) {
  std::string list;
  for (const org::v1::UserSession& session : page.sessions.sessions()) list += SessionHtml(session);
  std::string content = "<h1>Where you are signed in</h1>\n";
  if (!page.notice.empty()) {
    content += fmt::format("<p role=\"status\" class=\"box\">{}</p>\n", EscapeHtml(page.notice));
  }
  content += fmt::format("<ul class=\"sessions\">\n{}</ul>\n", list);
  if (page.sessions.more() > 0) {
    content += fmt::format("<p>And {} more.</p>\n", page.sessions.more());
  }
  content +=
      "<h2>Sign out everywhere</h2>\n<p>Ends every session of yours, this one too, in all "
      "browsers. "
      "Apps that are open may keep sessions of their own.</p>\n"
      "<form method=\"post\" action=\"/sessions\"><input type=\"hidden\" name=\"all\" value=\"1\">"
      "<button class=\"danger\">Sign out everywhere</button></form>\n";
  return AccountFrame(site, "/sessions", page.principal, "Where you are signed in", {}, content);
}

http::Response RenderSecondFactor(const Site& site, const SecondFactorPage& page) {
  const std::string next = HiddenField("next", page.next);
  std::string content = "<h1>Second factor</h1>\n" + ProblemText(page.problem);
  if (!page.has_factor && page.may_enroll) {
    content += fmt::format(
        "<p>Some apps ask for a code that an authenticator app on your telephone shows. You have "
        "none set up.</p>\n<form method=\"post\" action=\"/second-factor/begin\">{}"
        "<button class=\"main\">Set up an authenticator app</button></form>\n",
        next);
  } else if (!page.has_factor) {
    content +=
        "<p>You have no second factor. Your administrator sets it up with you, when an app asks "
        "for one.</p>\n";
  } else {
    content += fmt::format(
        "<p>An authenticator app is set up. You have {} recovery code{} left, for the day when it "
        "is not at hand.</p>\n",
        page.recovery_codes_left, page.recovery_codes_left == 1 ? "" : "s");
    if (page.shown_lately) {
      content += fmt::format(
          "<form method=\"post\" action=\"/second-factor/begin\">{0}"
          "<button>Set up another authenticator app</button></form>\n"
          "<p class=\"soft\">The one that you have works until the new one is confirmed.</p>\n"
          "<form method=\"post\" action=\"/second-factor/codes\">{0}"
          "<button>Make new recovery codes</button></form>\n"
          "<p class=\"soft\">Those that you have stop working.</p>\n",
          next);
    } else {
      content +=
          "<h2>Change it</h2>\n<p>To replace it, or for new recovery codes, first show that it is "
          "yours.</p>\n" +
          CodeForm("/second-factor/show", "Continue", next, page.problem, true);
    }
  }
  content += NextLink(page.has_factor ? page.next : std::string_view());
  return AccountFrame(site, "/second-factor", page.principal, "Second factor", page.problem,
                      content);
}

http::Response RenderEnrollment(const Site& site, const EnrollmentPage& page) {
  const auto code = qr::MakeQrCode(page.otpauth_uri);
  const std::string hidden = HiddenField("enrollment", page.enrollment_id) +
                             HiddenField("uri", page.otpauth_uri) + HiddenField("next", page.next);
  const std::string content = fmt::format(
      "<h1>Set up an authenticator app</h1>\n{}<ol>\n"
      "<li>Install an authenticator app on your telephone, if you have none.\n"
      "<li>Scan this picture with it.<div class=\"qr\">{}</div>\n"
      "<details><summary>Can't scan it?</summary><p>Open it on this device by <a href=\"{}\">this "
      "link</a>, or type this key into the app:</p><p><code>{}</code></p></details>\n"
      "<li>Type the code that it shows.\n{}</ol>\n"
      "<p class=\"soft\">The picture is good for ten minutes. Show it to nobody.</p>\n",
      ProblemText(page.problem), code.ok() ? qr::ToSvg(*code) : "", EscapeHtml(page.otpauth_uri),
      EscapeHtml(KeyOf(page.otpauth_uri)),
      CodeForm("/second-factor/confirm", "Confirm", hidden, page.problem, false));
  return AccountFrame(site, "/second-factor", page.principal, "Set up an authenticator app",
                      page.problem, content);
}

http::Response RenderRecoveryCodes(const Site& site, const RecoveryCodesPage& page) {
  std::string codes;
  for (const std::string& code : page.codes) {
    codes += fmt::format("<li><code>{}</code>\n", EscapeHtml(code));
  }
  std::string content = fmt::format(
      "<h1>{}</h1>\n<p>Each of these codes opens an app once in place of your authenticator. Print "
      "them, or write them down, and keep them apart from your telephone: <strong>they are shown "
      "this once</strong>.</p>\n<ol class=\"codes\">\n{}</ol>\n",
      page.enrolled ? "Your second factor is set up" : "Your new recovery codes", codes);
  content += page.next.empty() ? "<p><a class=\"button main\" href=\"/\">Go to your apps</a></p>\n"
                               : NextLink(page.next);
  return AccountFrame(site, "/second-factor", page.principal, "Recovery codes", {}, content);
}

http::Response RenderDownloads(const Site& site, std::string_view principal,
                               const std::vector<std::shared_ptr<const Package>>& packages) {
  std::string rows;
  for (const auto& package : packages) {
    const PackageVersion& version = package->name.version;
    rows += fmt::format(
        "<li class=\"box\"><div><h2><a href=\"{}\" download>{} {}.{}.{}</a></h2>\n<dl>\n"
        "<dt>Kind<dd>.{}\n<dt>Size<dd>{:.1f} MiB\n<dt>SHA-256<dd><code>{}</code>\n</dl></div>\n",
        EscapeHtml(package->path), EscapeHtml(package->name.product), version[0], version[1],
        version[2], package->name.extension,
        static_cast<double>(package->octets->size()) / (1024 * 1024), package->sha256_hex);
  }
  const std::string content = fmt::format(
      "<h1>Downloads</h1>\n{}",
      packages.empty()
          ? std::string("<p>There is no package here yet. Whoever runs the gateway puts "
                        "them into the folder of its option --downloads.</p>\n")
          : fmt::format("<ul class=\"sessions\">\n{}</ul>\n", rows));
  return AccountFrame(site, "/downloads", principal, "Downloads", {}, content);
}

}  // namespace devicetrust::gateway
