// Asking Active Directory over LDAP.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/directory/directory.h"

namespace devicetrust::directory {

struct Config {
  // ldaps://HOST:PORT, or ldap://HOST:PORT: then StartTLS comes first, always. Use
  // 127.0.0.1 rather than localhost: libldap verifies the latter as the machine's name.
  std::string url;
  std::string ca_file;  // PEM; signs the directory's TLS certificate. Nothing else is trusted.
  std::string domain;   // DNS name, "corp.test": where searches begin.

  // The account that searches: UPN, DOMAIN\name or DN. Not used for password checks.
  std::string bind_name;
  std::string bind_password;

  std::chrono::milliseconds timeout{2000};  // Of one call, connecting included.
  // Of one page of a list (listing.h).
  std::chrono::milliseconds page_timeout{30'000};
  // A password check changes whose connection it is, so checks and searches each
  // have connections of their own. One call uses one connection at a time.
  std::size_t check_connections_max = 4;
  std::size_t search_connections_max = 2;
};

// A client of one directory with its pools of connections. Calls block for at most
// Config::timeout. A connection that the server closed meanwhile is replaced and the call
// repeated once, so a restarted directory is not noticed. Thread-safe.
class LdapDirectory final : public Directory {
 public:
  // Checks the configuration; connects to nothing. kInvalidArgument names the wrong
  // field. Makes the process ignore SIGPIPE, for libldap writes to closed sockets.
  static absl::StatusOr<std::unique_ptr<LdapDirectory>> Create(Config config);
  ~LdapDirectory() override;
  LdapDirectory(const LdapDirectory&) = delete;
  LdapDirectory& operator=(const LdapDirectory&) = delete;

  absl::StatusOr<PasswordVerdict> CheckPassword(std::string_view name,
                                                std::string_view password) override;
  absl::StatusOr<User> FindUserByName(const UserName& name) override;
  absl::StatusOr<Group> FindGroup(std::string_view name_or_sid) override;
  // Look-ups by SID that several threads make at once share a search: it costs little more
  // than one of them would.
  absl::StatusOr<User> FindUserBySid(std::string_view sid) override;
  absl::StatusOr<Computer> FindComputerBySid(std::string_view sid) override;
  // One search for every 64 of them.
  std::vector<absl::StatusOr<Computer>> FindComputersBySid(
      std::span<const std::string> sids) override;
  absl::StatusOr<std::vector<Trust>> ListTrusts() override;

 private:
  struct State;
  explicit LdapDirectory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::directory
