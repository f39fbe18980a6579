// The device tokens that this process signed a moment ago.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libs/base/mutex.h"
#include "libs/token/claims.h"

namespace devicetrust::iwa {

// A device token comes back within a second, to the IWA that made it: what is known to the
// letter need not have its signature checked. Holds the newest tokens and forgets the others,
// which are then verified as any token is. Thread-safe.
class IssuedTokens {
 public:
  explicit IssuedTokens(std::size_t tokens_max) : tokens_max_(tokens_max) {}

  void Remember(std::string_view compact, const token::DeviceToken& claims);
  // Nothing for a token that is unknown or has expired at `now`.
  std::optional<token::DeviceToken> Find(std::string_view compact, WallTime now) const;

 private:
  const std::size_t tokens_max_;
  mutable Mutex mutex_;
  // By SHA-256 of the token.
  std::unordered_map<std::string, token::DeviceToken> claims_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);  // Oldest first.
};

}  // namespace devicetrust::iwa
