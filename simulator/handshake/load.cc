#include "simulator/handshake/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "libs/base/process.h"
#include "simulator/handshake/worker.h"
#include "simulator/report/format.h"

namespace devicetrust::simulator {
namespace {

using Steady = LoadWorker::Steady;
using std::chrono::duration;
using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{50};
constexpr double kBusy = 0.9;          // Of the time, of one thread.
constexpr double kMachineFull = 0.95;  // Of all cores, client and server together.
constexpr milliseconds kLateMax{1};

absl::StatusOr<LoadWorker::Target> Resolve(const std::string& address, std::uint16_t port) {
  LoadWorker::Target target;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&target.address);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&target.address);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    target.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    target.size = sizeof *v6;
  } else {
    return absl::InvalidArgumentError(fmt::format("{} is no IP address", address));
  }
  return target;
}

// One connection by itself, so that a server that is not there is one sentence. Whether it is on
// this machine: who comes from the address that it goes to is.
absl::StatusOr<bool> IsOnThisMachine(const LoadWorker::Target& target, const LoadPlan& plan) {
  const int fd = ::socket(target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::InternalError(fmt::format("socket: {}", std::strerror(errno)));
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  const auto* const address = reinterpret_cast<const sockaddr*>(&target.address);
  const bool connected = ::connect(fd, address, target.size) == 0;
  const int error = errno;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
  ::close(fd);
  if (!connected) {
    return absl::UnavailableError(fmt::format("{} port {} does not answer: {}", plan.address,
                                              plan.port, std::strerror(error)));
  }
  if (own.ss_family == AF_INET) {
    const auto& from = reinterpret_cast<const sockaddr_in&>(own);
    return from.sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(target.address).sin_addr.s_addr;
  }
  const auto& from = reinterpret_cast<const sockaddr_in6&>(own);
  const auto& to = reinterpret_cast<const sockaddr_in6&>(target.address);
  return std::memcmp(&from.sin6_addr, &to.sin6_addr, sizeof from.sin6_addr) == 0;
}

void Add(const LoadResult& part, LoadResult& all) {
  all.begun += part.begun;
  all.done += part.done;
  all.resumed += part.resumed;
  all.revoked += part.revoked;
  all.waited += part.waited;
  for (const auto& [name, count] : part.outcomes) all.outcomes[name] += count;
  for (const auto& [name, count] : part.agreed) all.agreed[name] += count;
  all.failures.Merge(part.failures);
  all.latency.Merge(part.latency);
  all.handshake.Merge(part.handshake);
  all.late.Merge(part.late);
  all.client_cpu_seconds += part.client_cpu_seconds;
  all.busiest_thread = std::max(all.busiest_thread, part.busiest_thread);
}

// Threads that are joined, whatever happens.
class Running {
 public:
  explicit Running(const std::vector<std::unique_ptr<LoadWorker>>& workers)
      : left_(workers.size()) {
    for (const auto& worker : workers) {
      threads_.emplace_back([this, &worker] {
        worker->Run();
        --left_;
      });
    }
  }
  ~Running() {
    for (std::thread& thread : threads_) thread.join();
  }
  bool IsOver() const { return left_ == 0; }

 private:
  std::atomic<std::size_t> left_;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadPlan& plan) {
  DT_ASSIGN_OR_RETURN(const LoadWorker::Target target, Resolve(plan.address, plan.port));
  DT_ASSIGN_OR_RETURN(const bool here, IsOnThisMachine(target, plan));
  LoadResult result;
  if (here) result.server = FindListener(plan.port);
  LoadWorker::Shared shared;
  std::vector<std::unique_ptr<LoadWorker>> workers;
  for (int thread = 0; thread < plan.threads; ++thread) {
    DT_ASSIGN_OR_RETURN(auto worker, LoadWorker::Create(plan, target, thread, shared));
    workers.push_back(std::move(worker));
  }

  shared.start = Steady::now();
  shared.measured = shared.start + plan.ramp;
  shared.end = shared.measured + plan.duration;
  const auto server_cpu = [&result] { return result.server ? CpuSeconds(*result.server) : 0; };
  double cpu_before = server_cpu();
  {
    const Running running(workers);
    bool ramping = plan.ramp.count() > 0;
    while (!running.IsOver()) {
      const int signal = WaitForStopSignal(
          ramping ? std::clamp(std::chrono::ceil<milliseconds>(shared.measured - Steady::now()),
                               milliseconds(0), kLookEvery)
                  : kLookEvery);
      if (signal != 0) {
        result.interrupted_by = signal;
        shared.stop = true;
      }
      if (ramping && Steady::now() >= shared.measured) {
        ramping = false;
        cpu_before = server_cpu();
      }
    }
  }
  result.server_cpu_seconds = server_cpu() - cpu_before;
  result.seconds = duration<double>(Steady::now() - shared.measured).count();
  for (const auto& worker : workers) Add(worker->result(), result);
  return result;
}

std::vector<std::string> Limits(const LoadPlan& plan, const LoadResult& result, int cores) {
  std::vector<std::string> limits;
  if (result.busiest_thread >= kBusy) {
    limits.push_back(fmt::format(
        "the generator was the limit: a thread of its {} ran or waited for a core {:.0f} % of the "
        "time; give it more threads, or a machine of its own",
        plan.threads, std::min(result.busiest_thread, 1.0) * 100));
  }
  const double used = result.client_cpu_seconds + result.server_cpu_seconds;
  if (result.server && result.seconds > 0 && used >= kMachineFull * cores * result.seconds) {
    limits.push_back(fmt::format(
        "the machine was the limit: generator and server together used {:.1f} of its {} cores; CPU "
        "per connection holds, rate and latency are of both",
        used / result.seconds, cores));
  }
  if (result.waited > 0) {
    limits.push_back(fmt::format(
        "{} found {} connections under way, the most that may be, and had to wait: the server does "
        "not keep up with {}",
        Plural(result.waited, "arrival"), Thousands(static_cast<std::uint64_t>(plan.in_flight_max)),
        Rate(static_cast<double>(plan.per_second))));
  } else if (plan.per_second > 0 && result.late.Percentile(99) > kLateMax) {
    limits.push_back(
        fmt::format("the generator began one in a hundred connections more than {} late, and that "
                    "is in their latency",
                    Latency(result.late.Percentile(99))));
  }
  if (plan.resume_percent > 0 && result.resumed == 0 && result.done > 0) {
    limits.push_back("nothing was resumed: the server offers no session, or takes none back");
  }
  return limits;
}

}  // namespace devicetrust::simulator
