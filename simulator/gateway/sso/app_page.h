// A page whose content is made by a script of web/: the frame of it, and a policy under which
// nothing but those files runs, no text becomes markup, and nobody else is asked for anything.
#pragma once

#include <string_view>
#include <vector>

#include "libs/http/message.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

struct AppPage {
  std::string_view title = {};
  std::string_view script = {};  // Of web/, a module: "console/main.js".
  // Of web/, behind tokens.css and base.css.
  std::vector<std::string_view> styles = {};
  std::string_view content = {};  // HTML of the body, before the script runs.
};
// 200. The body has the org's name in data-org, for its script.
http::Response RenderAppPage(const Site& site, const AppPage& page);

}  // namespace devicetrust::gateway
