// Asking Active Directory: is this password right, who is this user, this computer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

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
  // A password check changes whose connection it is, so checks and searches each
  // have connections of their own. One call uses one connection at a time.
  std::size_t check_connections_max = 4;
  std::size_t search_connections_max = 2;
};

enum class PasswordVerdict {
  kAccepted,
  kWrong,  // Or no such account: the directory does not tell.
  // Active Directory says these only after the right password, except kLocked.
  kDisabled,
  kLocked,
  kMustChange,       // Right, but expired or to be changed at next logon.
  kExpired,          // The account, not the password.
  kNotPermittedNow,  // Outside logon hours, or not from here.
};
std::string_view NameOf(PasswordVerdict verdict);  // For logs: "account_disabled".

// What users and computers have in common.
struct Account {
  std::string distinguished_name;
  std::string account_name;  // sAMAccountName; ends in $ for a computer.
  std::string sid;           // S-1-5-21-…
  bool enabled = false;
  bool locked = false;
  std::uint32_t primary_group_id = 0;  // RID; this group is not in member_of.
  std::vector<std::string> member_of;  // Distinguished names of direct groups.
};

struct User : Account {
  std::string principal;  // userPrincipalName; may be empty.
  std::string display_name;
  std::string mail;
};

struct Computer : Account {
  std::string dns_host_name;
  std::string operating_system;  // "Windows 10 Enterprise"; empty when not recorded.
  std::string operating_system_version;
};

struct Group {
  std::string distinguished_name;
  std::string account_name;
  std::string sid;
};

// A client of one directory with its pools of connections. Calls block for at most
// Config::timeout: run them on a worker thread, never in a coroutine. A connection
// that the server closed meanwhile is replaced and the call repeated once, so a
// restarted directory is not noticed. Thread-safe.
//
// Every call can also fail with
//   kUnavailable         unreachable, TLS failed, too slow, or all connections busy:
//                        says nothing about account or password; retry later;
//   kFailedPrecondition  the directory refuses our way of asking (no simple binds,
//                        service account refused): somebody must change a setting.
class LdapDirectory {
 public:
  // Checks the configuration; connects to nothing. kInvalidArgument names the wrong
  // field. Makes the process ignore SIGPIPE, for libldap writes to closed sockets.
  static absl::StatusOr<std::unique_ptr<LdapDirectory>> Create(Config config);
  ~LdapDirectory();
  LdapDirectory(const LdapDirectory&) = delete;
  LdapDirectory& operator=(const LdapDirectory&) = delete;

  // Binds as `principal` (UPN, DOMAIN\name or DN). An empty name or password, one
  // longer than 512 bytes, or with a NUL in it, is kWrong without asking: to an empty
  // password a directory may well answer "success" (RFC 4513, 5.1.2).
  absl::StatusOr<PasswordVerdict> CheckPassword(std::string_view principal,
                                                std::string_view password);

  // Exactly one account, or kNotFound. kInvalidArgument: not a SID. kInternal: two
  // accounts match, or the entry lacks a SID.
  absl::StatusOr<User> FindUserByPrincipal(std::string_view principal);
  absl::StatusOr<User> FindUserByAccountName(std::string_view account_name);
  // Look-ups by SID that several threads make at once share a search: it costs little more
  // than one of them would.
  absl::StatusOr<User> FindUserBySid(std::string_view sid);
  absl::StatusOr<Computer> FindComputerBySid(std::string_view sid);
  // A result for each of `sids`, in their order; one search for every 64 of them.
  std::vector<absl::StatusOr<Computer>> FindComputersBySid(std::span<const std::string> sids);
  // `name` with or without the trailing $.
  absl::StatusOr<Computer> FindComputerByName(std::string_view name);

  // The account's groups: the direct ones and the primary group, not nested ones.
  absl::StatusOr<std::vector<Group>> GroupsOf(const Account& account);

  // Connects, authenticates as the service account and reads the root of the domain:
  // for check-config and health.
  absl::Status Probe();

 private:
  struct State;
  explicit LdapDirectory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::directory
