// The fake domain controller's LDAP port: LDAP over TLS for unmodified clients.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/ldap/session.h"

namespace devicetrust::simulator {

struct LdapServerConfig {
  std::string address = "127.0.0.1";       // Numeric.
  std::uint16_t port = 0;                  // 0: any free one.
  std::vector<std::uint32_t> realms = {};  // Of one forest, its root first; none: all.
  pki::Identity identity;                  // Server certificate; clients verify its names.
  LdapBehaviour behaviour = {};
  std::size_t threads = 2;
  std::size_t connections_max = 512;  // More are closed at once.
  std::chrono::milliseconds handshake_max{10'000};
  std::chrono::milliseconds idle_max{120'000};  // Between messages, and within one.
};

// A domain controller of one forest: serves the accounts of its realms in a table that somebody
// else writes; a change acts on the next request. TLS 1.2 and 1.3 from the first byte (ldaps://),
// so no password ever comes in clear text. A connection costs a coroutine, not a thread.
class LdapServer {
 public:
  // Listening and serving when it returns. `clock` outlives the server.
  // Errors: kInvalidArgument address or certificate; kUnavailable the port is taken.
  static absl::StatusOr<std::unique_ptr<LdapServer>> Start(LdapServerConfig config,
                                                           AccountView accounts,
                                                           const Clock& clock);
  ~LdapServer();  // Closes all connections.
  LdapServer(const LdapServer&) = delete;
  LdapServer& operator=(const LdapServer&) = delete;

  std::uint16_t port() const;
  std::string url() const;  // ldaps://127.0.0.1:PORT

 private:
  struct State;
  explicit LdapServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::simulator
