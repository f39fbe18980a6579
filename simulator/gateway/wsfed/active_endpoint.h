// The address at which mail clients without a browser sign in: WS-Trust with name and password, in
// a SOAP envelope that the mail host sends for them. To the rules every such client is "Exchange
// ActiveSync or legacy": it can show neither a certificate nor a second factor. Uses the org
// client; knows no flow, no cookie and no page but for people who come here by mistake.
#pragma once

#include <string_view>

#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "libs/wsfed/token.h"
#include "libs/wsfed/trust.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/upstream/org_client.h"

namespace devicetrust::gateway {

// Thread-safe.
class WsFedActiveEndpoint {
 public:
  // All outlive this.
  WsFedActiveEndpoint(const Site& site, OrgClient& org, Random& random)
      : site_(site), org_(org), random_(random) {}

  // /sso/wsfed/active, and /app/ID/sso/wsfed/active for one app.
  static bool Serves(std::string_view path);

  // A token, or a SOAP fault. Only for apps that tell clients apart; for others nobody's password
  // is looked at. The session that the password opens is ended with the answer.
  Task<http::Response> Answer(const RequestContext& context) const;

 private:
  Task<http::Response> Decide(const RequestContext& context, const wsfed::TokenRequest& request,
                              const org::v1::App& app,
                              const org::v1::StartSessionResponse& session) const;
  absl::StatusOr<std::string> Envelope(const RequestContext& context,
                                       const wsfed::TokenRequest& request, const org::v1::App& app,
                                       const wsfed::Subject& subject) const;

  const Site& site_;
  OrgClient& org_;
  Random& random_;
};

}  // namespace devicetrust::gateway
