#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "libs/base/mutex.h"

namespace devicetrust::gateway {

// Logos by their hash, so that each is asked of the org once. Bounded: when it is full, it begins
// anew. Thread-safe.
class LogoCache {
 public:
  static constexpr std::size_t kLogosMax = 128;  // Of 64 KiB at most.

  // Null: not there.
  std::shared_ptr<const std::string> Find(const std::string& sha256) const {
    const MutexLock lock(mutex_);
    const auto found = logos_.find(sha256);
    return found == logos_.end() ? nullptr : found->second;
  }
  void Keep(const std::string& sha256, std::shared_ptr<const std::string> png) {
    const MutexLock lock(mutex_);
    if (logos_.size() >= kLogosMax) logos_.clear();
    logos_[sha256] = std::move(png);
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const std::string>> logos_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::gateway
