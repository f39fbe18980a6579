#include "simulator/scenario/app_suite.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <charconv>
#include <exception>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/task.h"
#include "libs/http/client.h"
#include "simulator/apps/idp_metadata.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {
namespace {

constexpr std::array kApps = {std::pair{"mail", "Mail"}, std::pair{"wiki", "Wiki"},
                              std::pair{"payroll", "Payroll"}, std::pair{"crm", "Customers"}};
constexpr const char* kPostBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

Task<absl::StatusOr<http::ParsedResponse>> Exchange(http::ClientOptions options,
                                                    http::ClientRequest request) {
  absl::StatusOr<http::ParsedResponse> response =
      co_await http::Fetch(std::move(options), std::move(request));
  co_return response;
}

std::string AppId(const std::string& file_name) {
  std::string id;
  for (const char c : file_name.substr(0, file_name.rfind('.'))) {
    const bool letter = c >= 'a' && c <= 'z';
    if (letter || (c >= '0' && c <= '9')) {
      id += c;
    } else if (c >= 'A' && c <= 'Z') {
      id += static_cast<char>(c + 32);
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
                                                         const std::string& xml) {
  const auto wrong = [&file_name](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", file_name, what));
  };
  // Metadata files may carry comments and the like; only what signed messages use may not.
  const absl::StatusOr<Document> document = Document::ParseFile(xml);
  if (!document.ok()) return wrong(std::string(document.status().message()));
  const Element entity = document->root();
  const absl::StatusOr<Element> sp = entity.Only(kMetadataNs, "SPSSODescriptor");
  if (!entity.Is(kMetadataNs, "EntityDescriptor") || !sp.ok()) {
    return wrong("not the metadata of one SAML service provider");
  }
  AppRegistration app;
  app.id = AppId(file_name.substr(file_name.rfind('/') + 1));
  app.label = app.id;
  app.rules = TrustedOnly();
  app.saml.set_entity_id(entity.Attribute("entityID").value_or(""));
  app.saml.set_requests_signed(sp->Attribute("AuthnRequestsSigned") == "true");
  for (const Element& service : sp->Children(kMetadataNs, "AssertionConsumerService")) {
    if (service.Attribute("Binding") != kPostBinding) continue;
    org::v1::AssertionConsumerService& acs = *app.saml.add_acs();
    acs.set_url(service.Attribute("Location").value_or(""));
    const std::string index = service.Attribute("index").value_or("0");
    std::int32_t number = 0;
    std::from_chars(index.data(), index.data() + index.size(), number);
    acs.set_index(number);
    acs.set_is_default(service.Attribute("isDefault") == "true");
  }
  for (const Element& format : sp->Children(kMetadataNs, "NameIDFormat")) {
    app.saml.add_name_id_formats(format.Text());
  }
  for (const Element& key : sp->Children(kMetadataNs, "KeyDescriptor")) {
    if (key.Attribute("use").value_or("signing") != "signing") continue;
    for (const Element& certificate : key.Descendants(kDsNs, "X509Certificate")) {
      std::string text = certificate.Text();
      std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
      const absl::StatusOr<Bytes> der = Base64Decode(text);
      if (!der.ok()) return wrong("a signing certificate is not base64");
      app.saml.add_signing_certificates_der(ToString(*der));
    }
  }
  if (app.saml.entity_id().empty() || app.saml.acs().empty()) {
    return wrong("no entity id, or no assertion consumer service with the HTTP-POST binding");
  }
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

  boost::asio::io_context io(1);
  absl::StatusOr<http::ParsedResponse> response = absl::UnknownError("not run");
  boost::asio::co_spawn(io, Exchange(std::move(options), std::move(request)),
                        [&response](std::exception_ptr, absl::StatusOr<http::ParsedResponse> end) {
                          response = std::move(end);
                        });
  io.run();
  if (!response.ok()) return response.status();
  if (response->status != 200) {
    return absl::UnavailableError(fmt::format("{} answers {}", url, response->status));
  }
  return response->body;
}

}  // namespace devicetrust::simulator
