#include "simulator/gateway/wsfed/addresses.h"

#include <utility>

#include "libs/rpc/error.h"
#include "libs/wsfed/error.h"
#include "libs/wsfed/request.h"

namespace devicetrust::gateway {

std::optional<std::string> AppOfPath(std::string_view path, std::string_view suffix) {
  constexpr std::string_view kPrefix = "/app/";
  if (!path.starts_with(kPrefix) || !path.ends_with(suffix) ||
      path.size() <= kPrefix.size() + suffix.size()) {
    return std::nullopt;
  }
  const std::string_view id =
      path.substr(kPrefix.size(), path.size() - kPrefix.size() - suffix.size());
  if (id.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(id);
}

absl::StatusOr<const org::v1::App*> FindWsFedApp(const AppDirectory& apps,
                                                 const std::optional<std::string>& named,
                                                 const http::Parameters& parameters) {
  if (named) {
    const org::v1::App* app = apps.Find(*named);
    if (app != nullptr && app->has_ws_fed()) return app;
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          "no WS-Federation app of this id", *named);
  }
  DT_ASSIGN_OR_RETURN(std::string realm, wsfed::RealmOf(parameters));
  if (realm.empty()) {
    return wsfed::Error(reason::v1::REASON_WSFED_REQUEST_MALFORMED,
                        "wtrealm is missing: the request does not say which app it is of");
  }
  if (const org::v1::App* app = apps.FindByRealm(realm)) return app;
  return wsfed::Error(reason::v1::REASON_WSFED_UNKNOWN_REALM,
                      "no app is registered with the realm that the request has as its wtrealm",
                      std::move(realm));
}

}  // namespace devicetrust::gateway
