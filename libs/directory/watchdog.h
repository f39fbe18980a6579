#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

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
  SteadyTime Expire(SteadyTime now);  // Under mutex_; returns when to look again.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Watched> watched_;
  std::uint64_t next_id_ = 0;
  SteadyTime next_look_ = SteadyTime::max();
  bool stopping_ = false;
  std::thread thread_;  // Last: it uses the rest.
};

}  // namespace devicetrust::directory
