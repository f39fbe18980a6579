// Everybody of a fleet signs in, which opens the first app; then everybody opens the other apps
// one after the other in that session, each person in a browser of their own. Two passes, so
// that each has a rate of its own. Some certificates are revoked halfway through the second.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
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
  enum class End : std::uint8_t { kNone, kAllowed, kDenied, kError };
  End end = End::kNone;
  bool challenged = false;
  bool after_revocation = false;  // The person's certificate was known to be revoked.
  std::string code;               // Of a refusal.
};

struct SignInConfig {
  const Fleet* fleet = nullptr;
  // What a device's user's store holds. Thread-safe.
  std::function<std::optional<pki::Identity>(std::size_t device)> identity_of;
  std::vector<ServiceProvider*> apps;  // The first one is the sign-in.
  std::vector<pki::Certificate> web_trust;
  std::string check_url;  // https://mtls.localhost:PORT/check
  const Clock* clock = nullptr;

  std::vector<std::size_t> to_revoke;    // Device indices; their browsers wait for `revoke`.
  std::function<absl::Status()> revoke;  // Called once, halfway, on the thread of Run().
  std::function<absl::Status()> watch;   // Called now and then there; an error ends the phase.

  // Is told the slowest visits step by step; may be null.
  Recorder* recorder = nullptr;
  // Called after each visit, on any thread; may be empty.
  std::function<void(std::size_t user, const VisitRecord& visit)> visited;

  std::size_t threads = 2;
  std::size_t browsers_in_flight = 48;  // In all threads together.
};

struct SignInTotals {
  std::uint64_t passwords = 0;  // Forms answered with success.
  std::uint64_t factors = 0;
  std::uint64_t challenges = 0;
  Failures errors;
  Histogram revocation_seen;  // From the CA's answer to the mTLS host's refusal.
};

class SignInPhase {
 public:
  using Watch = std::function<void(Step step, std::chrono::microseconds took, const Page* page)>;

  SignInPhase(SignInConfig config, Meter& signin, Meter& challenge);
  ~SignInPhase();

  // One person alone, all apps, with `watch` called along the first visit. Blocks. Run() then
  // leaves that person out; meters and records have it.
  void RunOne(std::size_t user, const Watch& watch);

  // Everybody else. Blocks. The error of `revoke` or `watch`; a visit that fails is none, it
  // is in totals().errors.
  absl::Status Run();

  const VisitRecord& record(std::size_t user, std::size_t app) const {
    return records_[user * config_.apps.size() + app];
  }
  std::size_t apps() const { return config_.apps.size(); }
  const StepTimes& times() const { return times_; }
  const SignInTotals& totals() const { return totals_; }

 private:
  struct Worker;

  using Apps = std::pair<std::size_t, std::size_t>;  // The first, and behind the last.

  absl::Status RunPass(const std::vector<std::size_t>& queue, Apps apps,
                       const std::vector<std::size_t>& to_revoke);
  absl::Status WatchOver(std::vector<std::unique_ptr<Worker>>& workers);
  Task<void> RunQueue(Worker& worker, const std::vector<std::size_t>& queue, Apps apps);
  Task<void> RunUser(Worker& worker, std::size_t user, Apps apps, const Watch* watch);
  Task<void> RunRevoked(Worker& worker, std::size_t user);
  Task<bool> RunVisit(Worker& worker, Browser& browser, std::size_t user, std::size_t app,
                      const Watch* watch);
  Task<absl::Status> WaitUntilRefused(Worker& worker, const pki::Identity& identity);
  void TellVisit(StoryRecord story, std::size_t user, std::size_t app,
                 const absl::StatusOr<VisitEnd>& end) const;
  // With the cookies that the person's last one left.
  Browser NewBrowser(Worker& worker, std::size_t user, const pki::Identity* identity);
  std::unique_ptr<Worker> NewWorker() const;
  void Merge(const Worker& worker);
  std::vector<std::size_t> Shuffled(const std::vector<bool>& left_out) const;

  const SignInConfig config_;
  Meter& signin_;
  Meter& challenge_;
  std::vector<VisitRecord> records_;        // By user, then app. Each written by one worker.
  std::vector<Browser::Cookies> cookies_;   // By user, between the passes.
  std::vector<bool> ran_;                   // By RunOne().
  std::atomic<std::size_t> next_{0};        // Place in the queue.
  std::atomic<std::size_t> users_done_{0};  // Of the queue.
  std::size_t users_to_wait_for_ = 0;       // Before the revocation.
  std::atomic<std::size_t> to_revoke_left_{0};
  std::atomic<bool> revoked_{false};
  std::atomic<bool> stop_{false};
  std::chrono::steady_clock::time_point revoked_at_{};  // Before revoked_ is set.
  StepTimes times_{};
  SignInTotals totals_;
};

}  // namespace devicetrust::simulator
