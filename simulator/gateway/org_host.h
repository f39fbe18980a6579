// The org host: sign-in, single sign-on, discovery. It routes a request to the part that answers
// it, and may touch every room; each of those knows less:
//
//   /sso/saml, /app/ID/sso/saml      saml/saml_front_end.h, then sso/sso_flow.h
//   /sso/wsfed, /app/ID/sso/wsfed    wsfed/wsfed_front_end.h, then sso/sso_flow.h or
//                                    sso/authentication_forms.h
//   …/sso/wsfed/active               wsfed/active_endpoint.h
//   /continue, /proof, /refused      sso/sso_flow.h
//   /signin, /factor                 sso/authentication_forms.h
//   /signout, /signout/…             sso/sign_out_flow.h
//   /saml/metadata                   saml/saml_front_end.h
//   /assets/                         assets/assets.h
//   /FederationMetadata/…            wsfed/wsfed_front_end.h
//   /, /open, /logo, /sessions, /second-factor, /downloads     account/account.h
//   /static/                         downloads/downloads.h
//   /console, /console/api/          console/json_api.h
//   /mark, /.well-known/device-trust        here
//
// One sign-on is one Transaction, kept in a cookie of its own (sso/browser_state.h).
#pragma once

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/account/account.h"
#include "simulator/gateway/console/json_api.h"
#include "simulator/gateway/downloads/downloads.h"
#include "simulator/gateway/saml/saml_front_end.h"
#include "simulator/gateway/sso/authentication_forms.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/sign_out_flow.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/sso/sso_flow.h"
#include "simulator/gateway/upstream/account_client.h"
#include "simulator/gateway/upstream/org_client.h"
#include "simulator/gateway/upstream/org_snapshots.h"
#include "simulator/gateway/upstream/revocation_state.h"
#include "simulator/gateway/wsfed/active_endpoint.h"
#include "simulator/gateway/wsfed/wsfed_front_end.h"

namespace devicetrust::gateway {

class OrgHost {
 public:
  // All outlive this. Thread-safe.
  OrgHost(const Site& site, const OrgSnapshots& snapshots, const RevocationState& revocations,
          OrgClient& org, AccountClient& account, const PackageFolder& packages,
          AdminBackend& admins, const Clock& clock, Random& random,
          const TicketSignIn* tickets = nullptr)
      : site_(site),
        snapshots_(snapshots),
        packages_(packages),
        clock_(clock),
        random_(random),
        cookies_(revocations, random),
        saml_(site, random),
        wsfed_(site, random),
        wsfed_active_(site, org, random),
        flow_(site, cookies_, revocations, org, {&saml_, &wsfed_}, random),
        sign_out_(site, cookies_, org, flow_, {&saml_, &wsfed_}, random),
        forms_(site, cookies_, revocations, org, flow_, tickets),
        account_(site, cookies_, flow_, account, packages, {&saml_, &wsfed_}, random),
        api_(site, cookies_, admins) {}

  Task<http::Response> Handle(const http::Request& request) const;

 private:
  Task<http::Response> Serve(const http::Request& request) const;
  Task<http::Response> Get(const RequestContext& context) const;
  Task<http::Response> Post(const RequestContext& context) const;
  Task<http::Response> BeginSignOn(const RequestContext& context,
                                   const ProtocolFrontEnd& front_end) const;
  Task<http::Response> SignOutByApp(const RequestContext& context) const;
  Task<http::Response> Continue(const RequestContext& context) const;
  Task<http::Response> Console(const RequestContext& context) const;
  http::Response Discovery() const;
  http::Response Mark() const;

  const Site& site_;
  const OrgSnapshots& snapshots_;
  const PackageFolder& packages_;
  const Clock& clock_;
  Random& random_;
  const BrowserCookies cookies_;
  const SamlFrontEnd saml_;
  const WsFedFrontEnd wsfed_;
  const WsFedActiveEndpoint wsfed_active_;
  const SsoFlow flow_;
  const SignOutFlow sign_out_;
  const AuthenticationForms forms_;
  const Account account_;
  const JsonApi api_;
};

}  // namespace devicetrust::gateway
