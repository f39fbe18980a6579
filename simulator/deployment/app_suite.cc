#include "simulator/deployment/app_suite.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "libs/saml/metadata.h"
#include "simulator/apps/idp_metadata.h"

namespace devicetrust::simulator {
namespace {

constexpr std::array kApps = {std::pair{"mail", "Mail"}, std::pair{"wiki", "Wiki"},
                              std::pair{"payroll", "Payroll"}, std::pair{"crm", "Customers"}};

std::string AppId(const std::string& file_name) {
  std::string id;
  for (const char c : file_name.substr(0, file_name.rfind('.'))) {
    if (IsAlnum(c)) {
      id += ToLower(c);
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  while (id.ends_with('-')) id.pop_back();
  return id.empty() ? "app" : id.substr(0, 64);
}

}  // namespace

AppSuite::AppSuite(const std::string& base_url, const Clock& clock, Random& random)
    : clock_(clock) {
  for (const auto& [id, label] : kApps) {
    ServiceProviderConfig config{id, label, fmt::format("urn:example:{}", id), ""};
    config.acs_url = base_url.empty() ? fmt::format("https://{}.apps.example.com/acs", id)
                                      : fmt::format("{}/{}/acs", base_url, id);
    apps_.push_back(std::make_unique<ServiceProvider>(std::move(config), clock, random));
  }
}

std::vector<AppRegistration> AppSuite::Registrations(
    const std::vector<org::v1::Rule>& rules) const {
  std::vector<AppRegistration> registrations;
  for (const std::unique_ptr<ServiceProvider>& app : apps_) {
    AppRegistration& registration = registrations.emplace_back();
    registration.id = app->config().id;
    registration.label = app->config().label;
    registration.rules = rules;
    registration.saml.set_entity_id(app->config().entity_id);
    org::v1::AssertionConsumerService& acs = *registration.saml.add_acs();
    acs.set_url(app->config().acs_url);
    acs.set_is_default(true);
  }
  return registrations;
}

absl::Status AppSuite::Connect(const std::string& org_origin, const std::string& metadata_url,
                               const std::vector<pki::Certificate>& web_trust) {
  DT_ASSIGN_OR_RETURN(const std::string xml, FetchText(metadata_url, web_trust, clock_));
  DT_ASSIGN_OR_RETURN(const IdpMetadata metadata, ParseIdpMetadata(xml));
  for (const std::unique_ptr<ServiceProvider>& app : apps_) {
    IdpMetadata own = metadata;
    own.redirect_url = fmt::format("{}/app/{}/sso/saml", org_origin, app->config().id);
    own.post_url = own.redirect_url;
    app->SetIdp(std::move(own));
  }
  return absl::OkStatus();
}

std::vector<ServiceProvider*> AppSuite::pointers() const {
  std::vector<ServiceProvider*> pointers;
  for (const std::unique_ptr<ServiceProvider>& app : apps_) pointers.push_back(app.get());
  return pointers;
}

absl::StatusOr<AppRegistration> RegistrationFromMetadata(const std::string& file_name,
                                                         const std::string& xml, WallTime now) {
  absl::StatusOr<org::v1::SamlServiceProvider> provider = saml::ParseServiceProvider(xml, now);
  if (!provider.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", file_name, std::string(provider.status().message())));
  }
  AppRegistration app;
  app.id = AppId(file_name.substr(file_name.rfind('/') + 1));
  app.label = app.id;
  app.rules = TrustedOnly();
  app.saml = *std::move(provider);
  return app;
}

absl::StatusOr<std::string> FetchText(const std::string& url,
                                      const std::vector<pki::Certificate>& web_trust,
                                      const Clock& clock, const pki::Identity* identity) {
  DT_ASSIGN_OR_RETURN(const http::Url parsed, http::ParseUrl(url));
  pki::TlsClientConfig tls_config;
  tls_config.trusted = web_trust;
  tls_config.clock = &clock;
  DT_ASSIGN_OR_RETURN(const pki::TlsContext tls, pki::TlsContext::ForClient(std::move(tls_config)));
  http::ClientOptions options;
  options.address = parsed.Address();
  options.host = parsed.host;
  options.port = parsed.port;
  if (parsed.https) options.tls = &tls;
  options.identity = identity;
  http::ClientRequest request;
  request.target = parsed.target;

  const absl::StatusOr<http::ParsedResponse> response =
      RunTask(http::Fetch(std::move(options), std::move(request)));
  if (!response.ok()) return response.status();
  if (response->status != 200) {
    return absl::UnavailableError(fmt::format("{} answers {}", url, response->status));
  }
  return response->body;
}

}  // namespace devicetrust::simulator
