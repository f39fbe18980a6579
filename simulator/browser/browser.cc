#include "simulator/browser/browser.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/ascii.h"

namespace devicetrust::simulator {
namespace {}  // namespace

bool Page::IsRedirect() const { return response.status == 303 || response.status == 302; }

std::string Page::Resolve(std::string_view reference) const {
  if (reference.starts_with("https://") || reference.starts_with("http://")) {
    return std::string(reference);
  }
  const absl::StatusOr<http::Url> base = http::ParseUrl(url);
  if (!base.ok()) return "";
  if (reference.empty()) return url;
  if (reference.starts_with('/')) return base->Origin() + std::string(reference);
  const std::string path = base->target.substr(0, base->target.find('?'));
  if (reference.starts_with('?')) return base->Origin() + path + std::string(reference);
  return base->Origin() + path.substr(0, path.rfind('/') + 1) + std::string(reference);
}

std::string Page::Location() const {
  const auto location = response.fields.Find("location");
  return location.has_value() ? Resolve(*location) : "";
}

Task<absl::StatusOr<Page>> Browser::Get(std::string url) {
  http::ClientRequest request;  // Named: GCC 12 destroys such a temporary of a co_await twice.
  co_return co_await Exchange(std::move(url), std::move(request), /*cross_site=*/false);
}

Task<absl::StatusOr<Page>> Browser::Post(std::string url, std::string form_body, bool cross_site) {
  http::ClientRequest request;
  request.method = "POST";
  request.body = std::move(form_body);
  request.fields.Set("content-type", "application/x-www-form-urlencoded");
  if (!cross_site) {
    if (const absl::StatusOr<http::Url> parsed = http::ParseUrl(url); parsed.ok()) {
      request.fields.Set("origin", parsed->Origin());
    }
  }
  co_return co_await Exchange(std::move(url), std::move(request), cross_site);
}

Task<absl::StatusOr<Page>> Browser::Exchange(std::string url, http::ClientRequest request,
                                             bool cross_site) {
  const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
  if (!parsed.ok()) co_return parsed.status();
  request.target = parsed->target;
  request.fields.Set("user-agent", config_.user_agent);
  request.fields.Set("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
  if (const std::string cookies = CookiesFor(parsed->host, cross_site); !cookies.empty()) {
    request.fields.Set("cookie", cookies);
  }

  const std::string origin = parsed->Origin();
  std::unique_ptr<http::Client> client = std::move(connections_[origin]);
  bool kept = client != nullptr;
  if (kept) {
    absl::StatusOr<http::ParsedResponse> response = co_await client->Send(request);
    // A server may close a kept connection at any time; only then is a second try harmless.
    if (!absl::IsUnavailable(response.status()) || request.method != "GET") {
      if (!response.ok()) co_return response.status();
      KeepCookies(parsed->host, response->fields);
      if (client->reusable()) connections_[origin] = std::move(client);
      Page page{std::move(url), *std::move(response)};
      co_return page;
    }
  }
  absl::StatusOr<std::unique_ptr<http::Client>> fresh = co_await Connect(*parsed);
  if (!fresh.ok()) co_return fresh.status();
  absl::StatusOr<http::ParsedResponse> response = co_await (*fresh)->Send(std::move(request));
  if (!response.ok()) co_return response.status();
  KeepCookies(parsed->host, response->fields);
  if ((*fresh)->reusable()) {
    connections_[origin] = *std::move(fresh);
  } else {
    connections_.erase(origin);
  }
  Page page{std::move(url), *std::move(response)};
  co_return page;
}

Task<absl::StatusOr<std::unique_ptr<http::Client>>> Browser::Connect(const http::Url& url) {
  http::ClientOptions options;
  options.address = url.Address();
  options.host = url.host;
  const bool usual = url.port == (url.https ? 443 : 80);
  options.port = usual ? std::uint16_t{0} : url.port;
  if (url.https) options.tls = config_.tls;
  options.identity = config_.identity;
  co_return co_await http::Client::Connect(std::move(options));
}

std::string Browser::CookiesFor(const std::string& host, bool cross_site) const {
  std::string text;
  const auto found = cookies_.find(host);
  if (found == cookies_.end()) return text;
  for (const auto& [name, cookie] : found->second) {
    if (cross_site && cookie.lax) continue;
    if (!text.empty()) text += "; ";
    text += fmt::format("{}={}", name, cookie.value);
  }
  return text;
}

void Browser::KeepCookies(const std::string& host, const http::Fields& fields) {
  for (const http::Field& field : fields.all()) {
    if (field.name != "set-cookie") continue;
    const std::string_view text = field.value;
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals > end) continue;
    const std::string name(text.substr(0, equals));
    const std::string attributes = LowerCase(text.substr(end));
    if (attributes.find("max-age=0") != std::string::npos) {
      cookies_[host].erase(name);
      continue;
    }
    cookies_[host][name] = Cookie{std::string(text.substr(equals + 1, end - equals - 1)),
                                  attributes.find("samesite=none") == std::string::npos};
  }
}

}  // namespace devicetrust::simulator
