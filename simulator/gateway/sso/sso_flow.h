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
//   answer       by the front end, or a refusal page with the decision's code, at an address of
//                its own; the transaction stays, so that the person can try again
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
#include "libs/http/form.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/upstream/org_client.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {

// In the protocol_state of a transaction without app and protocol: where it leads, when not to "/".
inline constexpr std::string_view kConsolePath = "/console";

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

  // GET /proof?t=ID&p=PROOF&app=ID.
  Task<http::Response> TakeProof(const RequestContext& context) const;

  // GET /refused?r=SEALED: the page of Refuse(), however often.
  http::Response ShowRefusal(const RequestContext& context) const;

  // Ends without an answer to the app: leads to ShowRefusal(). `refusal` needs no transaction, app
  // and time.
  http::Response Refuse(const RequestContext& context, const Transaction& transaction,
                        Refusal refusal) const;

  // The page for a sign-on that the browser has no cookie for, or no more: 400, SESSION_EXPIRED.
  // `parameters` are those of the query or form; their `app`, if it is one, is where to start
  // again.
  http::Response TransactionOver(const RequestContext& context,
                                 const absl::StatusOr<http::Parameters>& parameters) const;

  // What the org's decision leads to. `transaction` has a session.
  http::Response ApplyDecision(const RequestContext& context, Transaction transaction,
                               const org::v1::App& app,
                               const org::v1::SignOnResult& decision) const;

  // Where a person may begin anew: at `app` unless null, and at the org's front door.
  std::vector<Link> WaysTo(const org::v1::App* app) const;

  // Images for the page after a sign-out: they tell the apps of these ids.
  std::vector<std::string> SignOutImages(
      const RequestContext& context,
      const google::protobuf::RepeatedPtrField<std::string>& app_ids) const;

  // The page for a failure within a transaction: its "Try again" goes on where it stood.
  // `sentence`: instead of what the reason says.
  http::Response Problem(const RequestContext& context, const absl::Status& status,
                         const Transaction& transaction, std::string_view sentence = {}) const;

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
  http::Response Finish(const RequestContext& context, const Transaction& transaction,
                        absl::StatusOr<http::Response> reply) const;
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

// "/signin?t=ID&app=ID", for each step that has an address. The app is for when the transaction is
// over: then that is all that is known.
std::string StepUrl(std::string_view path, const Transaction& transaction);
std::string StepUrl(std::string_view path, std::string_view transaction_id,
                    std::string_view app_id);

// What the org is told of the browser: the socket's address and the user agent, cut.
org::v1::ClientInfo ClientOf(const http::Request& request);

}  // namespace devicetrust::gateway
