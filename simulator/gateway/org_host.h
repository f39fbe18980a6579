// The org host: sign-in, single sign-on, discovery. It routes a request to the part that answers
// it, and may touch every room; each of those knows less:
//
//   /sso/saml, /app/ID/sso/saml      saml/saml_front_end.h, then sso/sso_flow.h
//   /sso/wsfed, /app/ID/sso/wsfed    wsfed/wsfed_front_end.h, then sso/sso_flow.h or
//                                    sso/authentication_forms.h
//   …/sso/wsfed/active               wsfed/active_endpoint.h
//   /continue, /proof, /refused      sso/sso_flow.h
//   /signin, /factor, /signout       sso/authentication_forms.h
//   /saml/metadata                   saml/saml_front_end.h
//   /assets/                         assets/assets.h
//   /FederationMetadata/…            wsfed/wsfed_front_end.h
//   /, /mark, /.well-known/device-trust     here
//
// One sign-on is one Transaction, kept in a cookie of its own (sso/browser_state.h).
#pragma once

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/saml/saml_front_end.h"
#include "simulator/gateway/sso/authentication_forms.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/sso/sso_flow.h"
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
          OrgClient& org, const Clock& clock, Random& random)
      : site_(site),
        snapshots_(snapshots),
        clock_(clock),
        random_(random),
        cookies_(revocations, random),
        saml_(site, random),
        wsfed_(site, random),
        wsfed_active_(site, org, random),
        flow_(site, cookies_, revocations, org, {&saml_, &wsfed_}, random),
        forms_(site, cookies_, revocations, org, flow_) {}

  Task<http::Response> Handle(const http::Request& request) const;

 private:
  Task<http::Response> Serve(const http::Request& request) const;
  Task<http::Response> Get(const RequestContext& context) const;
  Task<http::Response> Post(const RequestContext& context) const;
  Task<http::Response> BeginSignOn(const RequestContext& context,
                                   const ProtocolFrontEnd& front_end) const;
  Task<http::Response> SignOutByApp(const RequestContext& context) const;
  Task<http::Response> Continue(const RequestContext& context) const;
  Task<http::Response> Home(const RequestContext& context) const;
  http::Response Discovery() const;
  http::Response Mark() const;

  const Site& site_;
  const OrgSnapshots& snapshots_;
  const Clock& clock_;
  Random& random_;
  const BrowserCookies cookies_;
  const SamlFrontEnd saml_;
  const WsFedFrontEnd wsfed_;
  const WsFedActiveEndpoint wsfed_active_;
  const SsoFlow flow_;
  const AuthenticationForms forms_;
};

}  // namespace devicetrust::gateway
