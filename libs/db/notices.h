// Who is told of commits, by topic: what Database::WatchTopic() promises.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/mutex.h"

namespace devicetrust::db {

class Watch;

// Thread-safe. Owned by a shared_ptr.
class Notices : public std::enable_shared_from_this<Notices> {
 public:
  Watch Add(std::string_view topic, std::function<void()> notify);
  void Tell(std::span<const std::string_view> topics);

 private:
  friend class Watch;
  using Watchers = std::multimap<std::string, std::function<void()>, std::less<>>;

  // Held while watchers are told: none is called once its watch is gone.
  Mutex mutex_;
  Watchers watchers_ ABSL_GUARDED_BY(mutex_);
};

// Destroyed, or assigned over, it ends: nobody is told any more, and no call is under way. May
// outlive the database. Not to be destroyed by the one who is told.
class Watch {
 public:
  Watch() = default;  // Of nothing.
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch();

 private:
  friend class Notices;
  Watch(std::shared_ptr<Notices> notices, Notices::Watchers::iterator watcher)
      : notices_(std::move(notices)), watcher_(watcher) {}

  std::shared_ptr<Notices> notices_;
  Notices::Watchers::iterator watcher_;
};

}  // namespace devicetrust::db
