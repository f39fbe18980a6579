// One thread of a load: an epoll loop that begins connections when they are due and moves octets.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulator/handshake/arrivals.h"
#include "simulator/handshake/load.h"

namespace devicetrust::simulator {

class LoadWorker {
 public:
  using Steady = std::chrono::steady_clock;

  struct Target {
    sockaddr_storage address{};
    socklen_t size = 0;
  };
  // Of all threads. The first arrivals are at `start`, measured is what was to begin from
  // `measured` to `end`.
  struct Shared {
    Steady::time_point start, measured, end;
    std::atomic<std::uint64_t> begun{0};
    std::atomic<bool> stop{false};
  };

  // Number `thread` of plan.threads, with its share of certificates and connections. `plan`,
  // `target` and `shared` outlive it; `shared` is filled in before Run().
  static absl::StatusOr<std::unique_ptr<LoadWorker>> Create(const LoadPlan& plan,
                                                            const Target& target, int thread,
                                                            Shared& shared);
  ~LoadWorker();

  void Run();
  // After Run(). `seconds`, `server` and what is of it are the caller's to fill in.
  const LoadResult& result() const { return result_; }

 private:
  struct Connection;
  struct Due {
    Connection* connection;
    std::uint64_t number;  // Which of that object's connections.
    Steady::time_point deadline;
  };

  LoadWorker(const LoadPlan& plan, const Target& target, int thread, Shared& shared);
  bool IsOpen() const { return plan_.per_second > 0; }
  void ChooseCertificates();
  void BeginDue(Steady::time_point now);
  void BeginArrivals(Steady::time_point now);
  int Wanted(Steady::time_point now) const;
  bool MayBegin();
  void Begin(Steady::time_point intended);
  bool Connect(Connection& connection);
  void Receive(Connection& connection, std::uint32_t events);
  void Step(Connection& connection, std::size_t received, bool end);
  bool Send(Connection& connection);
  void Judge(Connection& connection, bool failed);
  void Fail(Connection& connection, const std::string& why);
  void Finish(Connection& connection);
  void EndLate(Steady::time_point now);
  void Wait(Steady::time_point now);
  std::string Outcome(const Connection& connection, bool failed) const;
  bool IsMeasured(const Connection& connection) const;

  const LoadPlan& plan_;
  const Target& target_;
  const int thread_;
  Shared& shared_;
  std::vector<pki::Identity> identities_;  // Current ones, then revoked ones.
  std::size_t current_ = 0;                // How many are current.
  std::size_t next_current_ = 0;
  std::size_t next_revoked_ = 0;
  int revoked_sum_ = 0;  // Shares are spread evenly: one more when this reaches 100.
  int resume_sum_ = 0;
  std::unique_ptr<TlsClient> client_;
  std::optional<Arrivals> arrivals_;  // With open arrivals, as the next two.
  Steady::time_point next_arrival_;
  bool next_waits_ = false;  // It found in_flight_max connections.
  int concurrency_ = 0;      // This thread's share of it, or of in_flight_max.
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;
  int in_flight_ = 0;
  std::deque<Due> deadlines_;  // In the order of their beginning: all have the same time.
  std::string received_;
  std::string to_send_;
  bool over_ = false;  // No more begin.
  LoadResult result_;
};

}  // namespace devicetrust::simulator
