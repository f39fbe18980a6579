// A web.config of Internet Information Services, as the reference has administrators edit it: what
// of it is wrong for Device Trust (IWA-1).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace devicetrust::iwa {

inline constexpr std::size_t kWebConfigBytesMax = 256 * 1024;

struct WebConfigFault {
  int line = 0;
  std::string what;
  std::string remedy;
  bool operator==(const WebConfigFault&) const = default;
};

struct WebConfigReport {
  std::string binding;  // "https" or "http": what the service's endpoint enables; empty: none.
  std::vector<WebConfigFault> faults;  // By line.
};

// `text`: the whole file, or its <system.serviceModel> alone. `site`: "https" or "http", by which
// the site is reached. Any bytes are allowed; neither files nor the network are looked at.
WebConfigReport CheckWebConfig(std::string_view text, std::string_view site);

}  // namespace devicetrust::iwa
