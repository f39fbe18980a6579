// The console's calls: POST /console/api/SERVICE/METHOD with the request as JSON, and the answer as
// JSON; of a server-streaming method as lines of JSON, each a message, and at last {"ended":…}. The
// org says for each call whether the administrator may (devicetrust.org.v1.ConsoleService), and
// whoever is called checks its word.
//
// No other site's page can call: the session's cookie is SameSite=Lax, and a call must come from a
// page of the org host (Origin, Sec-Fetch-Site), with a field that no form can send and a body that
// says that it is JSON, either of which a browser would ask us about before (CORS), and we say no.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "libs/base/mutex.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_cookies.h"
#include "simulator/gateway/sso/request_context.h"
#include "simulator/gateway/sso/site.h"
#include "simulator/gateway/upstream/admin_backend.h"

namespace devicetrust::gateway {

inline constexpr std::string_view kConsoleApiPath = "/console/api/";
inline constexpr std::string_view kConsoleField = "x-dt-console";  // Any value.
// Streams that are listened to at once: of one administrator, who may have many tabs, and of all at
// this gateway.
inline constexpr int kListenersOfUserMax = 8;
inline constexpr int kListenersMax = 256;

// Who listens, by user. Thread-safe.
class Listeners {
 public:
  // False: the user has enough, or there are too many in all. Else Leave() must follow.
  bool Enter(const std::string& user_id);
  void Leave(const std::string& user_id);

 private:
  Mutex mutex_;
  std::map<std::string, int> by_user_ ABSL_GUARDED_BY(mutex_);
  int all_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Thread-safe.
class JsonApi {
 public:
  // All outlive this.
  JsonApi(const Site& site, const BrowserCookies& cookies, AdminBackend& backend)
      : site_(site), cookies_(cookies), backend_(backend) {}

  // Of a path below kConsoleApiPath, whatever the method.
  Task<http::Response> Serve(const RequestContext& context) const;

 private:
  absl::Status CheckSender(const http::Request& request) const;
  Task<absl::StatusOr<http::Response>> Answer(const RequestContext& context) const;
  Task<absl::StatusOr<http::Response>> AboutConsole(const RequestContext& context,
                                                    const std::string& session_id,
                                                    std::string_view method) const;
  Task<absl::StatusOr<http::Response>> Forward(const RequestContext& context,
                                               const Session& session, std::string_view name) const;

  const Site& site_;
  const BrowserCookies& cookies_;
  AdminBackend& backend_;
  mutable Listeners listeners_;
};

}  // namespace devicetrust::gateway
