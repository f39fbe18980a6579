#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <thread>

#include "libs/base/mutex.h"

namespace devicetrust::directory {

using SteadyTime = std::chrono::steady_clock::time_point;

// Ends blocking socket calls inside libldap. A TLS handshake with a silent peer, or
// half a message, makes libldap wait for ever: neither its own timeouts nor
// SO_RCVTIMEO help (OpenLDAP 2.5). shutdown() of the socket does, and this thread
// calls it. One serves any number of connections. Thread-safe.
class Watchdog {
 public:
  Watchdog();
  ~Watchdog();  // Every Guard must be gone.
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Watches one socket while it lives. The socket must stay open that long.
  class Guard {
   public:
    // A negative `fd` is not known yet; Watch() tells it later.
    Guard(Watchdog& watchdog, SteadyTime deadline, int fd = -1);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    void Watch(int fd);

   private:
    Watchdog& watchdog_;
    std::uint64_t id_ = 0;
  };

 private:
  struct Watched {
    SteadyTime deadline;
    int fd = -1;
    bool expired = false;
  };

  void Run();
  // Returns when to look again.
  SteadyTime Expire(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::map<std::uint64_t, Watched> watched_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 0;
  SteadyTime next_look_ ABSL_GUARDED_BY(mutex_) = SteadyTime::max();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last: it uses the rest.
};

}  // namespace devicetrust::directory
