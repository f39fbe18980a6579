// What services ask a domain's directory: is this password right, who is this user, this
// computer. client.h asks Active Directory; tests put a fake in its place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::directory {

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
  bool locked = false;                 // At the time of the answer: a lock ends by itself.
  std::optional<WallTime> expires_at;  // None: never.
  std::uint32_t primary_group_id = 0;  // RID; this group is not in member_of.
  std::vector<std::string> member_of;  // Distinguished names of direct groups.

  bool HasExpired(WallTime now) const { return expires_at && *expires_at <= now; }
};

// A name that a person gave, as the names that the directory may know a user by. At least one is
// not empty. The directory compares them without case.
struct UserName {
  std::string principal;     // userPrincipalName, "ada@corp.test"; empty: it is none.
  std::string account_name;  // sAMAccountName, "ada"; empty: it is none.
  // Of two users whom the names fit, the one with the principal is meant, else the other.
  bool principal_first = true;
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
  std::string name;  // sAMAccountName.
  std::string sid;
};

// A trust that a domain has ([MS-ADTS] 6.1.6.7).
struct Trust {
  std::string partner;             // DNS name of the other domain, of a forest its root domain.
  std::string netbios_name;        // Its short name.
  std::string sid;                 // Of `partner`; may be empty.
  bool outbound = false;           // This domain lets the other's accounts in.
  bool inbound = false;            // And the other way.
  bool forest_transitive = false;  // With all domains of the partner's forest.
  bool within_forest = false;
};

// The directory of one domain. Calls block for a bounded time: run them on a worker thread,
// never in a coroutine. Implementations are thread-safe.
//
// Every call can also fail with
//   kUnavailable         unreachable, TLS failed, too slow, or all connections busy:
//                        says nothing about account or password; retry later;
//   kFailedPrecondition  the directory refuses our way of asking (no simple binds,
//                        service account refused): somebody must change a setting.
class Directory {
 public:
  virtual ~Directory() = default;

  // Binds as `name`: the distinguished name that a search found. (Active Directory takes UPN and
  // DOMAIN\name as well, but says of none of them whose they are.) An empty name or password, one
  // longer than 1,024 bytes, or with a NUL in it, is kWrong without asking: to an empty password a
  // directory may well answer "success" (RFC 4513, 5.1.2).
  virtual absl::StatusOr<PasswordVerdict> CheckPassword(std::string_view name,
                                                        std::string_view password) = 0;

  // The user whom a person means, with one search. kNotFound: nobody of these names, or they are
  // empty, too long or hold a NUL.
  virtual absl::StatusOr<User> FindUserByName(const UserName& name) = 0;
  // A group by sAMAccountName or, when `name_or_sid` is one, by SID. kNotFound.
  virtual absl::StatusOr<Group> FindGroup(std::string_view name_or_sid) = 0;

  // Exactly one account, or kNotFound. kInvalidArgument: not a SID. kInternal: two accounts
  // match, or the entry lacks a SID.
  virtual absl::StatusOr<User> FindUserBySid(std::string_view sid) = 0;
  virtual absl::StatusOr<Computer> FindComputerBySid(std::string_view sid) = 0;
  // A result for each of `sids`, in their order.
  virtual std::vector<absl::StatusOr<Computer>> FindComputersBySid(
      std::span<const std::string> sids) = 0;

  // Those with domains of Active Directory.
  virtual absl::StatusOr<std::vector<Trust>> ListTrusts() = 0;
};

}  // namespace devicetrust::directory
