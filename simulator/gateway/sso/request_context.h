// One request to the org host and the snapshots that answer it. Uses upstream and the browser's
// state.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/http/message.h"
#include "simulator/gateway/sso/browser_state.h"
#include "simulator/gateway/upstream/org_snapshots.h"

namespace devicetrust::gateway {

// A request and the snapshots used to answer it; fixed for its whole life.
struct RequestContext {
  const http::Request& request;
  const WallTime now;
  const std::shared_ptr<const Keyring> keys;       // Never null.
  const std::shared_ptr<const AppDirectory> apps;  // Never null.

  StateSealer sealer() const { return StateSealer(keys->org, keys->cookie_keys); }

  // Null when the transaction's app is not registered (any more), and for the org itself.
  const org::v1::App* AppOf(const Transaction& transaction) const {
    return apps->Find(transaction.app_id);
  }
  // The app's name for pages; empty when AppOf() is null.
  std::string_view LabelOf(const Transaction& transaction) const {
    const org::v1::App* app = AppOf(transaction);
    return app == nullptr ? std::string_view() : std::string_view(app->label());
  }
};

}  // namespace devicetrust::gateway
