#pragma once

#include <string_view>

#include "libs/base/status.h"
#include "libs/directory/client.h"

namespace devicetrust::policy {

// Whoever knows the passwords of the org's users: the directory.
class PasswordCheck {
 public:
  virtual ~PasswordCheck() = default;

  // What the directory says of `password`. Blocks for at most its timeout. Thread-safe.
  // kUnavailable: no directory answers; nothing is known of the password then.
  virtual absl::StatusOr<directory::PasswordVerdict> Check(std::string_view principal,
                                                           std::string_view password) = 0;
};

}  // namespace devicetrust::policy
