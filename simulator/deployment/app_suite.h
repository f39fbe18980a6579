// The service providers of a simulated company.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "simulator/apps/relying_party.h"
#include "simulator/apps/service_provider.h"
#include "simulator/deployment/org_setup.h"

namespace devicetrust::simulator {

class AppSuite {
 public:
  // Mail, wiki, payroll and CRM, which speak SAML, and Office, which speaks WS-Federation.
  // Responses go to `base_url`/ID/acs; empty: to a host that nobody listens on, for browsers that
  // hand them over by themselves.
  AppSuite(const std::string& base_url, const Clock& clock, Random& random);

  // The apps of a scenario, as they will be registered: each answers at its default address.
  AppSuite(const std::vector<org::v1::App>& apps, const Clock& clock, Random& random);

  // What the org must know of them, each with `rules`.
  std::vector<org::v1::App> Registrations(const std::vector<org::v1::Rule>& rules) const;
  org::v1::App OfficeRegistration(const std::vector<org::v1::Rule>& rules) const;

  // Fetches the identity provider's metadata and makes every app trust it; sign-ins begin at
  // the app's own address, ORG/app/ID/sso/saml. Errors: of the connection or the metadata.
  absl::Status Connect(const std::string& org_origin, const std::string& metadata_url,
                       const std::vector<pki::Certificate>& web_trust);

  // The same for Office, by the federation metadata.
  absl::Status ConnectOffice(const std::string& metadata_url,
                             const std::vector<pki::Certificate>& web_trust);

  std::vector<ServiceProvider*> pointers() const;
  RelyingParty& office() { return office_; }

 private:
  const Clock& clock_;
  std::vector<std::unique_ptr<ServiceProvider>> apps_;
  RelyingParty office_;
};

// One GET over TLS, blocking. Errors: of the connection; kUnavailable for any other status
// than 200.
absl::StatusOr<std::string> FetchText(const std::string& url,
                                      const std::vector<pki::Certificate>& web_trust,
                                      const Clock& clock, const pki::Identity* identity = nullptr);

}  // namespace devicetrust::simulator
