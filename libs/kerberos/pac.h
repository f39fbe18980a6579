// KERB_VALIDATION_INFO, the part of a ticket's PAC that says who someone is (MS-PAC 2.5),
// to and from its NDR bytes. No dependency: the KDC plug-in uses it too.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust::kerberos {

struct Sid {
  std::uint64_t authority = 5;       // 48 bits.
  std::vector<std::uint32_t> parts;  // At most 15.
  std::string ToString() const;      // "S-1-5-21-…".
  Sid Child(std::uint32_t rid) const;
  friend bool operator==(const Sid&, const Sid&) = default;
};

struct LogonInfo {
  std::string name, full_name, server, domain;  // UTF-8.
  std::uint32_t rid = 0;
  std::uint32_t primary_group_rid = 0;
  std::uint32_t user_account_control = 0;  // MS-SAMR 2.2.1.12.
  Sid domain_sid;
  std::uint64_t logon_time = 0;  // 100 ns since 1601 (FILETIME).
  std::uint64_t password_last_set = 0;
  std::vector<std::uint32_t> group_rids;  // Of domain_sid.
  std::vector<Sid> extra_sids;
  Sid resource_domain_sid;
  std::vector<std::uint32_t> resource_group_rids;  // Of resource_domain_sid.
};

inline constexpr std::size_t kLogonInfoBytesMax = 64 * 1024;
inline constexpr std::size_t kLogonGroupsMax = 2048;  // Each list.

// `data` is one whole buffer. It comes signed by a KDC, yet nothing in it is trusted: every
// length is checked against the bytes that are there before memory is taken.
// kInvalidArgument when it is anything but one well-formed structure.
absl::StatusOr<LogonInfo> DecodeLogonInfo(std::span<const std::uint8_t> data);

Bytes EncodeLogonInfo(const LogonInfo& info);

// FILETIME of a Unix time in seconds.
constexpr std::uint64_t FileTime(std::int64_t unix_seconds) {
  return (static_cast<std::uint64_t>(unix_seconds) + 11'644'473'600U) * 10'000'000U;
}

}  // namespace devicetrust::kerberos
