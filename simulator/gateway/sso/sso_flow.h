// The flow of a sign-on, whatever its protocol: who is this, is the device trusted, what does the
// org decide, what does the app hear. It uses cookies, pages, the org client and front ends
// behind their interface; it knows no protocol and reads no form.
//
// The steps of one transaction, each its own request of the browser:
//
//   Begin        from the app's request, checked by the protocol's front end
//   (sign-in)    authentication_forms.h, when there is no session or it must be fresh
//   (challenge)  mtls_host.h, when the app's rules may ask for device trust
//   TakeProof    the browser comes back with what the mTLS host saw; the org decides
//   (factor)     authentication_forms.h, when the decision asks for it
//   answer       by the front end, or a refusal page with the decision's code
//
// Advance() finds out which of them is next.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/upstream/org_client.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {

// Thread-safe.
class SsoFlow {
 public:
  // All outlive this.
  SsoFlow(const Site& site, const BrowserCookies& cookies, const RevocationState& revocations,
          OrgClient& org, std::vector<const ProtocolFrontEnd*> front_ends, Random& random)
      : site_(site),
        cookies_(cookies),
        revocations_(revocations),
        org_(org),
        front_ends_(std::move(front_ends)),
        random_(random) {}

  // The first step of a new transaction.
  Task<http::Response> Begin(const RequestContext& context, Transaction transaction) const;

  // The next step of a transaction.
  Task<http::Response> Advance(const RequestContext& context, Transaction transaction) const;

  // GET /proof?t=ID&p=PROOF.
  Task<http::Response> TakeProof(const RequestContext& context) const;

  // What the org's decision leads to. `transaction` has a session.
  http::Response ApplyDecision(const RequestContext& context, Transaction transaction,
                               const org::v1::App& app,
                               const org::v1::SignOnResult& decision) const;

  // The page for a failure within a transaction: its "Try again" goes on where it stood.
  static http::Response Problem(const absl::Status& status, const Transaction& transaction);

 private:
  // Null for the org itself, and for a protocol that this program does not know.
  const ProtocolFrontEnd* FrontEndOf(const Transaction& transaction) const;
  http::Response AskToSignIn(const RequestContext& context, Transaction transaction) const;
  http::Response RedirectToChallenge(const RequestContext& context,
                                     const Transaction& transaction) const;
  Task<http::Response> Decide(const RequestContext& context, Transaction transaction,
                              const org::v1::App& app, std::string proof) const;
  // What is known by now against the certificate of a proof; unspecified: nothing.
  reason::v1::Reason ObjectionTo(const std::string& proof, const RequestContext& context) const;
  http::Response Fail(const RequestContext& context, const Transaction& transaction,
                      SsoFailure failure) const;
  // `reply` with the transaction's cookie gone; a problem page when it is none.
  static http::Response Finish(const Transaction& transaction,
                               absl::StatusOr<http::Response> reply);
  // `response` with the transaction's cookie set.
  http::Response Keep(const RequestContext& context, const Transaction& transaction,
                      http::Response response) const;

  const Site& site_;
  const BrowserCookies& cookies_;
  const RevocationState& revocations_;
  OrgClient& org_;
  const std::vector<const ProtocolFrontEnd*> front_ends_;
  Random& random_;
};

// What the org is told of the browser: the socket's address and the user agent, cut.
org::v1::ClientInfo ClientOf(const http::Request& request);

}  // namespace devicetrust::gateway
