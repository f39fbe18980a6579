// What a signed-in person does with the own account at the org host: opens apps, sees and ends
// sessions, has a second factor. It reads forms, asks the account client, and shows
// account_pages.h. The org judges each session anew, by its limits too; where it finds one over,
// the person signs in again and comes back.
//
//   GET  /  /dashboard/version  /open/ID  /logo/HASH.png  /sessions  /second-factor  /downloads
//        /downloads.json
//   POST /sessions  /second-factor/{begin,confirm,show,codes}
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/random.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/account/logo_cache.h"
#include "simulator/gateway/downloads/package_folder.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/problems.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/sso/sso_flow.h"
#include "simulator/gateway/upstream/account_client.h"

namespace devicetrust::gateway {

// Thread-safe.
class Account {
 public:
  // All outlive this.
  Account(const Site& site, const BrowserCookies& cookies, const SsoFlow& flow,
          AccountClient& account, const PackageFolder& packages,
          std::vector<const ProtocolFrontEnd*> front_ends, Random& random)
      : site_(site),
        cookies_(cookies),
        flow_(flow),
        account_(account),
        packages_(packages),
        front_ends_(std::move(front_ends)),
        random_(random) {}

  // Whether a request to `path` is answered here.
  static bool Serves(std::string_view path);
  Task<http::Response> Handle(const RequestContext& context) const;

 private:
  struct Visit;
  Task<http::Response> ShowDashboard(const Visit& visit, bool version_alone) const;
  Task<http::Response> OpenApp(const Visit& visit) const;
  Task<http::Response> ShowLogo(const Visit& visit) const;
  Task<http::Response> ShowSessions(const Visit& visit, std::string_view notice) const;
  Task<http::Response> EndSessions(const Visit& visit) const;
  Task<http::Response> ShowSecondFactor(const Visit& visit, std::string problem) const;
  Task<http::Response> BeginEnrollment(const Visit& visit) const;
  Task<http::Response> ConfirmEnrollment(const Visit& visit) const;
  Task<http::Response> ShowFactor(const Visit& visit) const;
  Task<http::Response> MakeCodes(const Visit& visit) const;

  Task<http::Response> Post(const Visit& visit) const;
  // For a call that the org refused: sign in again, or a page that says why.
  Task<http::Response> Refused(const Visit& visit, absl::Status status) const;
  // To the sign-in form and back to "/". `anew`: although the cookie's session looks good here.
  Task<http::Response> AskToSignIn(const RequestContext& context, bool anew) const;
  std::string StartUrlOf(const org::v1::App& app) const;
  http::Response WithFactor(const Visit& visit, WallTime factor_at, http::Response response) const;

  const Site& site_;
  const BrowserCookies& cookies_;
  const SsoFlow& flow_;
  AccountClient& account_;
  const PackageFolder& packages_;
  const std::vector<const ProtocolFrontEnd*> front_ends_;
  Random& random_;
  mutable LogoCache logos_;
};

}  // namespace devicetrust::gateway
