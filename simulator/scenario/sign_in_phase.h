// People open apps, each in a browser of their own, at once or as a schedule says. Whoever is not
// signed in gives a password first. Sessions go on from one pass to the next.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/base/task.h"
#include "libs/pki/certificate.h"
#include "simulator/apps/service_provider.h"
#include "simulator/browser/visit.h"
#include "simulator/devices/fleet.h"
#include "simulator/report/failures.h"
#include "simulator/report/progress.h"

namespace devicetrust::simulator {

// What one person saw of one app.
struct VisitRecord {
  enum class End : std::uint8_t { kAllowed, kDenied, kError };
  using Moment = std::chrono::steady_clock::time_point;

  std::uint32_t user = 0;
  std::uint16_t app = 0;
  std::uint16_t phase = 0;  // kStoryPhase: before all phases.
  End end = End::kError;
  bool challenged = false;
  bool with_certificate = false;  // The browser had one to show.
  bool after_refusal = false;     // The mTLS host was seen to refuse that certificate before.
  Moment began;                   // Really, not as scheduled.
  Moment ended;
  std::string code;   // Of a refusal.
  std::string error;  // Of kError.
};
inline constexpr std::uint16_t kStoryPhase = UINT16_MAX;

struct SignInConfig {
  const Fleet* fleet = nullptr;
  // What a device's user's store holds. Thread-safe.
  std::function<std::optional<pki::Identity>(std::size_t device)> identity_of;
  std::vector<ServiceProvider*> apps;
  std::vector<pki::Certificate> web_trust;
  std::string check_url;  // https://mtls.localhost:PORT/check
  const Clock* clock = nullptr;
  std::function<absl::Status()> watch;  // Called now and then by Run(); an error ends the pass.
  // Is told the slowest visits step by step; may be null.
  Recorder* recorder = nullptr;
  std::size_t threads = 2;
};

struct SignInTotals {
  std::uint64_t passwords = 0;  // Forms answered with success.
  std::uint64_t factors = 0;
  Failures errors;
  Histogram revocation_seen;  // From the CA's answer to the mTLS host's refusal.
  Histogram late;             // By how much sessions began after their moment.
};

// One phase of visits.
struct VisitPass {
  std::uint16_t phase = 0;
  std::vector<std::size_t> users;  // In the order in which they come.
  std::vector<std::size_t> apps;   // Each opens these, in this order.
  bool together = false;           // All at once; the first alone where a password is due.
  std::vector<std::chrono::nanoseconds> schedule;  // Of each of `users`; empty: a closed loop.
  std::size_t at_once = 48;                        // Closed: browsers in all threads together.
  // People who stop after their first app until Release(), see that the mTLS host refuses them, and
  // go on. They come at once, besides `users`.
  std::vector<std::size_t> held;
};

class SignInPhase {
 public:
  using Watch = std::function<void(Step step, std::chrono::microseconds took, const Page* page)>;
  static constexpr std::size_t kInFlightMax = 2000;  // Of an open load; more begin late.
  static constexpr std::size_t kProbesMax = 8;       // Of `held`, who ask the mTLS host meanwhile.

  // `signin` counts visits that begin a session, `next` the others.
  SignInPhase(SignInConfig config, Meter& signin, Meter& next);
  ~SignInPhase();

  // One person alone opens all apps, with `watch` called along the first. Blocks.
  void RunOne(std::size_t user, const Watch& watch);

  // Blocks. The error of `watch`; a visit that fails is none, it is in the records.
  absl::Status Run(const VisitPass& pass);

  // During Run(), from `watch`: how much of `users` is done, 0 to 1; whether all `held` wait; and
  // that what they wait for was done at that moment.
  double DoneShare() const;
  bool HeldWait() const { return held_left_ == 0; }
  void Release(std::chrono::steady_clock::time_point at);

  bool signed_in(std::size_t user) const { return signed_in_[user] != 0; }
  // Of all passes so far; not while one runs.
  const std::vector<VisitRecord>& records() const { return records_; }
  std::size_t apps() const { return config_.apps.size(); }
  const StepTimes& times() const { return times_; }
  const SignInTotals& totals() const { return totals_; }

 private:
  using Monotonic = std::chrono::steady_clock;
  struct Worker;

  absl::Status WatchOver(std::vector<std::unique_ptr<Worker>>& workers);
  Task<void> RunQueue(Worker& worker);
  Task<void> RunSchedule(Worker& worker, std::size_t first, std::size_t step);
  Task<void> RunScheduled(Worker& worker, std::size_t user, Monotonic::time_point due);
  Task<void> RunUser(Worker& worker, std::size_t user, std::optional<Monotonic::time_point> due,
                     const Watch* watch);
  Task<void> RunTogether(Worker& worker, Browser& browser, std::size_t user, std::size_t from,
                         const pki::Identity* identity);
  Task<void> RunTab(Worker& worker, Browser browser, std::size_t user, std::size_t app,
                    std::size_t& open);
  Task<void> RunHeld(Worker& worker, std::size_t user, bool probe);
  // `due`: the moment that its latency counts from.
  Task<void> RunVisit(Worker& worker, Browser& browser, std::size_t user, std::size_t app,
                      std::optional<Monotonic::time_point> due, const Watch* watch,
                      bool after_refusal = false);
  Task<absl::Status> WaitUntilRefused(Worker& worker, const pki::Identity& identity);
  void TellVisit(StoryRecord story, std::size_t user, std::size_t app,
                 const absl::StatusOr<VisitEnd>& end) const;
  // With the cookies that the person's last one left.
  Browser NewBrowser(Worker& worker, std::size_t user, const pki::Identity* identity);
  std::unique_ptr<Worker> NewWorker() const;
  void Merge(Worker& worker);

  const SignInConfig config_;
  Meter& signin_;
  Meter& next_meter_;
  std::vector<VisitRecord> records_;
  std::vector<Browser::Cookies> cookies_;  // By user, between the passes.
  std::vector<char> signed_in_;            // By user; each written by one worker.
  const VisitPass* pass_ = nullptr;        // That runs.
  Monotonic::time_point begun_{};          // When it began.
  std::atomic<std::size_t> next_{0};       // Place in the queue.
  std::atomic<std::size_t> users_done_{0};
  std::atomic<std::size_t> held_left_{0};
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<bool> released_{false};
  std::atomic<bool> stop_{false};
  Monotonic::time_point released_at_{};  // Before released_ is set.
  StepTimes times_{};
  SignInTotals totals_;
};

}  // namespace devicetrust::simulator
