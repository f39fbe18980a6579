#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace devicetrust::gateway {

// A value that is replaced as a whole: readers keep what they got, however old it gets
// meanwhile. The lock covers the copy of one pointer.
template <typename T>
class Snapshot {
 public:
  // Null until the first Set().
  std::shared_ptr<const T> Get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  void Set(std::shared_ptr<const T> value) {
    const std::lock_guard lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace devicetrust::gateway
