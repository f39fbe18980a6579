#include "simulator/gateway/sso/app_page.h"

#include <fmt/format.h>

#include "libs/http/form.h"
#include "simulator/gateway/assets/assets.h"

namespace devicetrust::gateway {
namespace {

using http::EscapeHtml;

std::string Policy(const Site& site) {
  const std::string assets = site.org_origin + std::string(kAssetsPath);
  return fmt::format(
      "default-src 'none'; script-src {0}; style-src {0}; img-src 'self'; connect-src 'self'; "
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
      "require-trusted-types-for 'script'; trusted-types 'none'",
      assets);
}

}  // namespace

http::Response RenderAppPage(const Site& site, const AppPage& page) {
  std::string head;
  for (const std::string_view name : {std::string_view("tokens.css"), std::string_view("base.css")})
    head += fmt::format("<link rel=\"stylesheet\" href=\"{}\">", AssetUrl(name));
  for (const std::string_view name : page.styles)
    head += fmt::format("<link rel=\"stylesheet\" href=\"{}\">", AssetUrl(name));
  head += fmt::format("<script type=\"module\" src=\"{}\"></script>", AssetUrl(page.script));
  const std::string name = EscapeHtml(site.org_name);
  http::Response response = http::Html(
      200,
      fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\">"
                  "<title>{} \xc2\xb7 {}</title>{}</head>\n<body data-org=\"{}\" data-mark=\"{}\">"
                  "{}<noscript><p>This page needs JavaScript, which is switched off in this "
                  "browser.</p></noscript></body></html>\n",
                  EscapeHtml(page.title), name, head, name,
                  site.mark.bytes.empty() ? std::string_view() : kMarkPath, page.content));
  response.fields.Set("content-security-policy", Policy(site));
  response.fields.Set("referrer-policy", "same-origin");
  return response;
}

}  // namespace devicetrust::gateway
