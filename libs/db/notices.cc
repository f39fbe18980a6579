#include "libs/db/notices.h"

#include <utility>

namespace devicetrust::db {

Watch Notices::Add(std::string_view topic, std::function<void()> notify) {
  const MutexLock lock(mutex_);
  return Watch(shared_from_this(), watchers_.emplace(topic, std::move(notify)));
}

void Notices::Tell(std::span<const std::string_view> topics) {
  if (topics.empty()) return;
  const MutexLock lock(mutex_);
  for (const std::string_view topic : topics) {
    const auto [begin, end] = watchers_.equal_range(topic);
    for (auto watcher = begin; watcher != end; ++watcher) watcher->second();
  }
}

Watch::Watch(Watch&& other) noexcept
    : notices_(std::move(other.notices_)), watcher_(other.watcher_) {}

Watch& Watch::operator=(Watch&& other) noexcept {
  std::swap(notices_, other.notices_);
  std::swap(watcher_, other.watcher_);
  return *this;
}

Watch::~Watch() {
  if (!notices_) return;
  const MutexLock lock(notices_->mutex_);
  notices_->watchers_.erase(watcher_);
}

}  // namespace devicetrust::db
