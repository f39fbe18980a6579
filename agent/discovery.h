// What the org tells computers that have no certificate yet: the document at
// /.well-known/device-trust on the org host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::agent {

struct IwaEntry {
  std::string name;                  // "iwa-1"
  std::string address;               // host:port
  std::string spn;                   // "HTTP/iwa.corp.test"
  std::vector<std::string> domains;  // DNS names of the domains served; empty: any.
  bool primary = false;
};

struct Discovery {
  std::string org;
  std::vector<IwaEntry> iwas;  // As the org lists them: the primary first.
  std::string ca_address;      // host:port
  std::string ca_bundle;       // PEM: signs the certificates of IWAs and CA.
  // It and the names below it are where browsers show certificates; empty: an older org does not
  // say.
  std::string mtls_host = {};
};

inline constexpr std::string_view kDiscoveryPath = "/.well-known/device-trust";
inline constexpr std::size_t kDiscoveryBytesMax = 256 * 1024;

// kInvalidArgument: not such a document; the message names what is wrong with it. Members
// that we do not know are ignored: the org may be newer.
absl::StatusOr<Discovery> ParseDiscovery(std::string_view json);

}  // namespace devicetrust::agent
