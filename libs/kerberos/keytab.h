// Keytab files in MIT's format, version 0x502.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "libs/kerberos/credentials.h"

namespace devicetrust::kerberos {

struct KeytabEntry {
  std::string principal;  // "HTTP/iwa.corp.test@CORP.TEST".
  Key key;
  std::int64_t unix_seconds = 0;  // When the key was set.
};

// Replaces `path` at once, mode 0600. (libkrb5 writes entry by entry and reads the file each
// time: 5,000 entries take it 3 s.) Errors: kInvalidArgument a principal without realm.
absl::Status WriteKeytab(const std::string& path, std::span<const KeytabEntry> entries);

// Realms of the keys for `service`, "HTTP/iwa.corp.test". kFailedPrecondition: it can't be read.
absl::StatusOr<std::set<std::string>> RealmsOfKeytab(const std::string& path,
                                                     std::string_view service);

}  // namespace devicetrust::kerberos
