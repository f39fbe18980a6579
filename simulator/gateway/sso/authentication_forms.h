// The forms a person fills in: password and one-time code. It reads forms, asks the org
// client and hands what comes of it to the flow; it knows no protocol.
//
// Forms need the cookie of their transaction or session (SameSite=Lax, so no other site's form
// carries it) and, when the browser says where they come from, our own origin.
#pragma once

#include <optional>
#include <string_view>

#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/problems.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/sso/sso_flow.h"
#include "simulator/gateway/sso/ticket_sign_in.h"
#include "simulator/gateway/upstream/org_client.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {

// Thread-safe.
class AuthenticationForms {
 public:
  // All outlive this.
  AuthenticationForms(const Site& site, const BrowserCookies& cookies,
                      const RevocationState& revocations, OrgClient& org, const SsoFlow& flow,
                      const TicketSignIn* tickets)  // Null: nobody is asked for one.
      : site_(site),
        cookies_(cookies),
        revocations_(revocations),
        org_(org),
        flow_(flow),
        tickets_(tickets) {}

  // /signin, /factor: GET shows the form of the transaction `t`, POST takes it. Where another tab
  // has given what the form asks for, the transaction goes on without it; `other` shows the sign-in
  // form all the same, for somebody else. Without `t`, as from a bookmark, it is the org's door.
  // Where tickets are taken the form comes with the question for one, and whoever answers it never
  // sees the form; an app that wants the password gets it typed.
  Task<http::Response> ShowSignIn(const RequestContext& context) const;
  Task<http::Response> SubmitSignIn(const RequestContext& context) const;
  Task<http::Response> ShowFactor(const RequestContext& context) const;
  Task<http::Response> SubmitFactor(const RequestContext& context) const;

 private:
  http::Response SignInForm(const RequestContext& context, const Transaction& transaction,
                            std::string_view user_name, const FormMessage& message) const;
  // The form, or what comes of the ticket that the browser sent in its place.
  Task<http::Response> TicketOrForm(const RequestContext& context, Transaction transaction) const;
  http::Response FactorForm(const RequestContext& context, const Transaction& transaction,
                            const FormMessage& message) const;
  http::Response FactorNotTaken(const RequestContext& context, const Transaction& transaction,
                                const absl::Status& status) const;
  // Whether the browser's session has passed a factor that `transaction` still asks for; then that
  // session is its own.
  bool TakeOverFactor(const RequestContext& context, Transaction& transaction) const;

  const Site& site_;
  const BrowserCookies& cookies_;
  const RevocationState& revocations_;
  OrgClient& org_;
  const SsoFlow& flow_;
  const TicketSignIn* const tickets_;
};

}  // namespace devicetrust::gateway
