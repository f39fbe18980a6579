#pragma once

#include <memory>
#include <utility>

#include "libs/base/mutex.h"

namespace devicetrust {

// A value that is replaced as a whole: readers keep what they got, however old it gets
// meanwhile. The lock covers the copy of one pointer. Thread-safe.
template <typename T>
class Snapshot {
 public:
  Snapshot() = default;
  explicit Snapshot(std::shared_ptr<const T> value) : value_(std::move(value)) {}

  // Null until there is a value.
  std::shared_ptr<const T> Get() const {
    const MutexLock lock(mutex_);
    return value_;
  }

  void Set(std::shared_ptr<const T> value) {
    const MutexLock lock(mutex_);
    value_.swap(value);  // The old value dies with `value`, after the lock.
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust
