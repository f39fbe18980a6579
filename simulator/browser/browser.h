// A virtual browser: cookies, redirects by hand, one kept connection an origin, and the
// certificate that its store would choose. Lives on one io_context.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "libs/base/status.h"
#include "libs/base/task.h"
#include "libs/http/client.h"
#include "libs/pki/certificate.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::simulator {

struct BrowserConfig {
  const pki::TlsContext* tls = nullptr;  // Trusts the servers; shared; outlives the browser.
  std::string user_agent;
  const pki::Identity* identity = nullptr;  // In its user's store; null: none. Outlives it too.
};

// What came back, not yet followed.
struct Page {
  std::string url;  // Where it came from.
  http::ParsedResponse response;

  bool IsRedirect() const;
  // The Location or a form's action, made absolute against `url`.
  std::string Resolve(std::string_view reference) const;
  std::string Location() const;  // Absolute; empty when there is none.
};

class Browser {
 public:
  // What it keeps when it is closed.
  struct Cookie {
    std::string value;
    bool lax = true;
  };
  using Cookies = std::map<std::string, std::map<std::string, Cookie>>;  // By host, by name.

  explicit Browser(const BrowserConfig& config, Cookies cookies = {})
      : config_(config), cookies_(std::move(cookies)) {}

  bool has_identity() const { return config_.identity != nullptr; }

  // Leaves it without any. For a later one of the same person, on any io_context.
  Cookies TakeCookies() { return std::exchange(cookies_, {}); }

  // Errors: those of http::Client; kInvalidArgument: not an http(s) URL.
  Task<absl::StatusOr<Page>> Get(std::string url);
  // `cross_site`: the form stood on a page of another site, so SameSite=Lax cookies stay home.
  Task<absl::StatusOr<Page>> Post(std::string url, std::string form_body, bool cross_site);

 private:
  Task<absl::StatusOr<Page>> Exchange(std::string url, http::ClientRequest request,
                                      bool cross_site);
  Task<absl::StatusOr<std::unique_ptr<http::Client>>> Connect(const http::Url& url);
  std::string CookiesFor(const std::string& host, bool cross_site) const;
  void KeepCookies(const std::string& host, const http::Fields& fields);

  BrowserConfig config_;
  std::map<std::string, std::unique_ptr<http::Client>> connections_;  // By origin.
  Cookies cookies_;
};

}  // namespace devicetrust::simulator
