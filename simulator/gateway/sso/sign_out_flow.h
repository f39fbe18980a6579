// Signing out: at the org, or when an app asks for it; of the org's session first, then of each app
// that was told of it, one after the other through the browser. It uses cookies, pages, the org
// client and front ends behind their interface; it knows no protocol.
//
//   GET  /signout            asks the person, since any site can link to it
//   POST /signout            begins
//   /signout/…               what a front end serves: an app's request, or its answer
//   GET  /signout/continue   goes on; here, too, come those that arrived by POST from another site,
//                            without their SameSite=Lax cookies, and those from other paths,
//                            without the cookies of this one
//
// What is under way is a SignOut, in a cookie. The org's session is over before the first app is
// asked, so an app that never answers keeps nothing open but its own session.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/sso/sso_flow.h"
#include "simulator/gateway/upstream/org_client.h"

namespace devicetrust::gateway {

using AppIds = google::protobuf::RepeatedPtrField<std::string>;

// Thread-safe.
class SignOutFlow {
 public:
  // All outlive this.
  SignOutFlow(const Site& site, const BrowserCookies& cookies, OrgClient& org, const SsoFlow& flow,
              std::vector<const ProtocolFrontEnd*> front_ends, Random& random)
      : site_(site),
        cookies_(cookies),
        org_(org),
        flow_(flow),
        front_ends_(std::move(front_ends)),
        random_(random) {}

  static bool Serves(std::string_view path);
  Task<http::Response> Handle(const RequestContext& context) const;

  // Ends the browser's session, if it has one, at the wish of an app or of the person. The page at
  // the end has `back` as a way on.
  Task<http::Response> Begin(const RequestContext& context, std::optional<Link> back) const;

 private:
  Task<http::Response> AtTheOrg(const RequestContext& context) const;
  Task<http::Response> TakeMessage(const RequestContext& context,
                                   const ProtocolFrontEnd& front_end) const;
  Task<http::Response> Continue(const RequestContext& context) const;
  // Goes on where the browser sends all cookies.
  http::Response ComeBack(const RequestContext& context, const SignOut& sign_out) const;
  Task<http::Response> TakeAnswer(const RequestContext& context, const SignOutAnswer& answer) const;

  // The next step: ends the session when that is still to be done, asks the next app, or ends.
  Task<http::Response> Advance(const RequestContext& context, SignOut sign_out) const;
  // What the org says after it has ended the session.
  Task<absl::StatusOr<org::v1::EndSessionResponse>> EndSession(const std::string& session_id,
                                                               const std::string& user_id) const;
  // The apps of those that an image tells.
  std::vector<std::string> AppsWithImages(const RequestContext& context,
                                          const AppIds& opened) const;
  http::Response AskNext(const RequestContext& context, SignOut sign_out) const;
  http::Response Finish(const RequestContext& context, const SignOut& sign_out,
                        SignOutEnd end) const;
  const ProtocolFrontEnd* FrontEndOf(Protocol protocol) const;

  const Site& site_;
  const BrowserCookies& cookies_;
  OrgClient& org_;
  const SsoFlow& flow_;
  const std::vector<const ProtocolFrontEnd*> front_ends_;
  Random& random_;
};

}  // namespace devicetrust::gateway
