#include "simulator/deployment/app_suite.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "simulator/apps/idp_metadata.h"

namespace devicetrust::simulator {
namespace {

constexpr std::array kApps = {std::pair{"mail", "Mail"}, std::pair{"wiki", "Wiki"},
                              std::pair{"payroll", "Payroll"}, std::pair{"crm", "Customers"}};

}  // namespace

AppSuite::AppSuite(const std::string& base_url, const Clock& clock, Random& random)
    : clock_(clock),
      office_({"office", "Office", "urn:example:office",
               base_url.empty() ? "https://office.apps.example.com/wsfed"
                                : fmt::format("{}/office/wsfed", base_url)},
              clock) {
  for (const auto& [id, label] : kApps) {
    ServiceProviderConfig config{id, label, fmt::format("urn:example:{}", id), ""};
    config.acs_url = base_url.empty() ? fmt::format("https://{}.apps.example.com/acs", id)
                                      : fmt::format("{}/{}/acs", base_url, id);
    apps_.push_back(std::make_unique<ServiceProvider>(std::move(config), clock, random));
  }
}

AppSuite::AppSuite(const std::vector<org::v1::App>& apps, const Clock& clock, Random& random)
    : clock_(clock), office_({"office", "Office", "urn:example:office", ""}, clock) {
  for (const org::v1::App& app : apps) {
    ServiceProviderConfig config{app.id(), app.label(), app.saml().entity_id(), ""};
    for (const org::v1::AssertionConsumerService& acs : app.saml().acs()) {
      if (config.acs_url.empty() || acs.is_default()) config.acs_url = acs.url();
    }
    apps_.push_back(std::make_unique<ServiceProvider>(std::move(config), clock, random));
  }
}

std::vector<org::v1::App> AppSuite::Registrations(const std::vector<org::v1::Rule>& rules) const {
  std::vector<org::v1::App> registrations;
  for (const std::unique_ptr<ServiceProvider>& app : apps_) {
    org::v1::App& registration = registrations.emplace_back();
    registration.set_id(app->config().id);
    registration.set_label(app->config().label);
    SetRules(registration, rules);
    registration.mutable_saml()->set_entity_id(app->config().entity_id);
    org::v1::AssertionConsumerService& acs = *registration.mutable_saml()->add_acs();
    acs.set_url(app->config().acs_url);
    acs.set_is_default(true);
    registration.mutable_saml()->set_wants_assertions_signed(true);  // As its metadata says.
  }
  return registrations;
}

org::v1::App AppSuite::OfficeRegistration(const std::vector<org::v1::Rule>& rules) const {
  org::v1::App registration;
  registration.set_id(office_.config().id);
  registration.set_label(office_.config().label);
  SetRules(registration, rules);
  registration.set_has_client_conditions(true);
  org::v1::WsFedRelyingParty& party = *registration.mutable_ws_fed();
  party.set_realm(office_.config().realm);
  party.add_reply_urls(office_.config().reply_url);
  party.set_claims(org::v1::WsFedRelyingParty::CLAIMS_OFFICE_365);
  return registration;
}

absl::Status AppSuite::ConnectOffice(const std::string& metadata_url,
                                     const std::vector<pki::Certificate>& web_trust) {
  DT_ASSIGN_OR_RETURN(const std::string xml, FetchText(metadata_url, web_trust, clock_));
  DT_ASSIGN_OR_RETURN(IssuerMetadata metadata, ParseIssuerMetadata(xml));
  office_.SetIssuer(std::move(metadata));
  return absl::OkStatus();
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
