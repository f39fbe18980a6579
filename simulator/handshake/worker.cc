#include "simulator/handshake/worker.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "libs/base/check.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr int kEventsMax = 256;
constexpr milliseconds kWaitMax{100};            // Until it looks whether it shall stop.
constexpr milliseconds kRetryPause{10};          // Closed loop, nobody reached: no storm.
constexpr std::uint64_t kFailuresMax = 100'000;  // Of a thread: more teach nothing.

// One more of `percent` in a hundred, evenly spread.
bool IsNext(int percent, int& sum) {
  sum += percent;
  if (sum < 100) return false;
  sum -= 100;
  return true;
}

int Share(int whole, int thread, int threads) {
  return whole / threads + (thread < whole % threads ? 1 : 0);
}

std::string StatusOf(std::string_view answer) {
  const bool is_http = answer.starts_with("HTTP/1.") && answer.size() >= 12;
  return is_http ? std::string(answer.substr(9, 3)) : std::string();
}

}  // namespace

struct LoadWorker::Connection {
  TlsConnection tls;
  int fd = -1;
  std::uint64_t number = 0;
  bool connected = false;
  bool shows_revoked = false;
  bool handshake_counted = false;
  Steady::time_point intended;
  std::string unsent;
};

LoadWorker::LoadWorker(const LoadPlan& plan, const Target& target, int thread, Shared& shared)
    : plan_(plan),
      target_(target),
      thread_(thread),
      shared_(shared),
      received_(kReceiveBytes, '\0') {}

LoadWorker::~LoadWorker() {
  for (const auto& connection : connections_) {
    if (connection->fd >= 0) ::close(connection->fd);
  }
  if (epoll_ >= 0) ::close(epoll_);
}

absl::StatusOr<std::unique_ptr<LoadWorker>> LoadWorker::Create(const LoadPlan& plan,
                                                               const Target& target, int thread,
                                                               Shared& shared) {
  std::unique_ptr<LoadWorker> worker(new LoadWorker(plan, target, thread, shared));
  worker->ChooseCertificates();
  worker->concurrency_ =
      Share(worker->IsOpen() ? plan.in_flight_max : plan.concurrency, thread, plan.threads);
  TlsClientOptions tls = plan.tls;
  tls.resumes = plan.resume_percent > 0;
  DT_ASSIGN_OR_RETURN(worker->client_, TlsClient::Create(tls, worker->identities_));
  worker->epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (worker->epoll_ < 0) return absl::InternalError("no file descriptor is left for epoll");
  return worker;
}

// Each thread has certificates of its own, so that threads share nothing; all of them where there
// are fewer than threads.
void LoadWorker::ChooseCertificates() {
  const auto take = [this](const std::vector<pki::Identity>& all) {
    const auto threads = static_cast<std::size_t>(plan_.threads);
    const bool enough = all.size() >= threads;
    for (std::size_t i = enough ? static_cast<std::size_t>(thread_) : 0; i < all.size();
         i += enough ? threads : 1) {
      identities_.push_back(all[i]);
    }
  };
  take(plan_.certificates.current);
  current_ = identities_.size();
  take(plan_.certificates.revoked);
}

void LoadWorker::Run() {
  if (IsOpen()) {
    arrivals_.emplace(ArrivalPlan{.per_second = static_cast<double>(plan_.per_second),
                                  .ramp = plan_.ramp,
                                  .poisson = plan_.poisson,
                                  .seed = plan_.seed},
                      thread_, plan_.threads);
    next_arrival_ = shared_.start + arrivals_->Next();
  }
  ThreadTime measured_from{};
  Steady::time_point measured_at{};
  bool measuring = false;
  while (true) {
    const Steady::time_point now = Steady::now();
    if (!measuring && now >= shared_.measured) {
      measuring = true;
      measured_at = now;
      measured_from = ThisThreadTime();
    }
    over_ = over_ || shared_.stop || now >= shared_.end;
    if (!over_) BeginDue(now);
    if (over_ && in_flight_ == 0) break;
    EndLate(now);
    Wait(now);
  }
  if (!measuring) return;
  const ThreadTime until = ThisThreadTime();
  result_.client_cpu_seconds = until.running - measured_from.running;
  const double seconds = std::chrono::duration<double>(Steady::now() - measured_at).count();
  if (seconds > 0) {
    const double waited = until.waiting - measured_from.waiting;
    result_.busiest_thread = (result_.client_cpu_seconds + waited) / seconds;
  }
}

void LoadWorker::BeginDue(Steady::time_point now) {
  if (IsOpen()) return BeginArrivals(now);
  const std::uint64_t failures = result_.failures.count();
  for (const int wanted = Wanted(now); in_flight_ < wanted && MayBegin();) {
    Begin(Steady::now());
    if (result_.failures.count() > failures) return;  // At once: Wait() makes a pause.
  }
}

void LoadWorker::BeginArrivals(Steady::time_point now) {
  // The schedule goes on while connections wait for a place: their time runs from it.
  while (next_arrival_ <= now && next_arrival_ < shared_.end) {
    if (in_flight_ >= concurrency_) {
      if (!std::exchange(next_waits_, true)) ++result_.waited;
      return;
    }
    if (!MayBegin()) return;
    Begin(next_arrival_);
    next_waits_ = false;
    next_arrival_ = shared_.start + arrivals_->Next();
  }
}

// How many at once in a closed loop: during the ramp a growing part.
int LoadWorker::Wanted(Steady::time_point now) const {
  if (now >= shared_.measured) return concurrency_;
  const double part = std::chrono::duration<double>(now - shared_.start).count() /
                      std::chrono::duration<double>(shared_.measured - shared_.start).count();
  return std::max(1, static_cast<int>(part * concurrency_));
}

bool LoadWorker::MayBegin() {
  if (plan_.connections_max > 0 && shared_.begun.fetch_add(1) >= plan_.connections_max)
    over_ = true;
  if (result_.failures.count() >= kFailuresMax) over_ = true;
  return !over_;
}

void LoadWorker::Begin(Steady::time_point intended) {
  if (idle_.empty()) {
    connections_.push_back(std::make_unique<Connection>());
    idle_.push_back(connections_.back().get());
  }
  Connection& connection = *idle_.back();
  idle_.pop_back();
  ++in_flight_;
  ++connection.number;
  connection.intended = intended;
  connection.connected = connection.handshake_counted = false;
  connection.unsent.clear();
  const bool has_revoked = current_ < identities_.size();
  connection.shows_revoked = has_revoked && IsNext(plan_.revoked_percent, revoked_sum_);
  const std::size_t identity = connection.shows_revoked
                                   ? current_ + next_revoked_++ % (identities_.size() - current_)
                                   : next_current_++ % current_;
  client_->Begin(connection.tls, identity, plan_.request,
                 IsNext(plan_.resume_percent, resume_sum_));
  const Steady::time_point now = Steady::now();
  deadlines_.push_back({&connection, connection.number, now + plan_.timeout});
  if (IsMeasured(connection)) {
    ++result_.begun;
    result_.late.Record(duration_cast<microseconds>(now - intended));
  }
  if (!Connect(connection)) return;
  if (connection.connected) Step(connection, 0, false);
}

bool LoadWorker::Connect(Connection& connection) {
  connection.fd =
      ::socket(target_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.fd < 0) {
    Fail(connection, fmt::format("socket: {}", std::strerror(errno)));
    return false;
  }
  const int on = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int result =
      ::connect(connection.fd, reinterpret_cast<const sockaddr*>(&target_.address), target_.size);
  if (result != 0 && errno != EINPROGRESS) {
    const int error = errno;
    const char* const remedy =
        error == EADDRNOTAVAIL
            ? ": no local port is free, as many wait for their minute after a close; lower the "
              "rate, or see net.ipv4.ip_local_port_range"
            : "";
    Fail(connection, fmt::format("connect: {}{}", std::strerror(error), remedy));
    return false;
  }
  connection.connected = result == 0;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  if (!connection.connected) event.events |= EPOLLOUT;
  event.data.ptr = &connection;
  DT_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) == 0);
  return true;
}

void LoadWorker::Receive(Connection& connection, std::uint32_t events) {
  if (!connection.connected) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Fail(connection, fmt::format("connect: {}", std::strerror(error)));
    if ((events & EPOLLOUT) == 0) return;
    connection.connected = true;
    return Step(connection, 0, false);
  }
  if (!connection.unsent.empty() && !Send(connection)) return;
  const std::uint64_t number = connection.number;
  while (connection.number == number && connection.fd >= 0) {
    const ssize_t size = ::recv(connection.fd, received_.data(), received_.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size < 0) {
      // What came before the reset counts: servers close so after their answer.
      const bool answered = !connection.tls.answer().empty() || plan_.request.empty();
      if (answered && connection.tls.is_up()) return Judge(connection, false);
      return Fail(connection, fmt::format("{}: {}", connection.tls.is_up() ? "answer" : "handshake",
                                          std::strerror(errno)));
    }
    Step(connection, static_cast<std::size_t>(size), size == 0);
    // Less than there was room for: no more is there yet, and whatever comes raises an event.
    const bool more = static_cast<std::size_t>(size) == received_.size() ||
                      (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if (size == 0 || !more) return;
  }
}

void LoadWorker::Step(Connection& connection, std::size_t received, bool end) {
  to_send_.clear();
  const TlsConnection::State state =
      connection.tls.Step(std::span(received_.data(), received), end, to_send_);
  if (connection.tls.is_up() && !std::exchange(connection.handshake_counted, true) &&
      IsMeasured(connection)) {
    result_.handshake.Record(duration_cast<microseconds>(Steady::now() - connection.intended));
  }
  if (!to_send_.empty() && !end) {
    connection.unsent += to_send_;
    if (!Send(connection)) return;
  }
  if (state == TlsConnection::State::kOver) return Judge(connection, false);
  if (state == TlsConnection::State::kFailed) return Judge(connection, true);
}

bool LoadWorker::Send(Connection& connection) {
  std::string& unsent = connection.unsent;
  const ssize_t sent = ::send(connection.fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
  if (sent >= 0) {
    unsent.erase(0, static_cast<std::size_t>(sent));
  } else if (errno == EPIPE || errno == ECONNRESET) {
    unsent.clear();  // Why, it may have said before: that is still to be read.
    return true;
  } else if (errno != EAGAIN && errno != EINTR) {
    Fail(connection, fmt::format("send: {}", std::strerror(errno)));
    return false;
  }
  if (!unsent.empty()) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &connection;
    DT_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event) == 0);
  }
  return true;
}

bool LoadWorker::IsMeasured(const Connection& connection) const {
  return connection.intended >= shared_.measured;
}

std::string LoadWorker::Outcome(const Connection& connection, bool failed) const {
  if (failed) return connection.tls.problem();
  if (plan_.request.empty()) return "handshake";
  const std::string status = StatusOf(connection.tls.answer());
  return status.empty() ? "no HTTP answer" : status;
}

void LoadWorker::Judge(Connection& connection, bool failed) {
  const std::string outcome = Outcome(connection, failed);
  const std::string_view answer = connection.tls.answer();
  const auto holds = [answer](const std::string& text) {
    return answer.find(text) != std::string_view::npos;
  };
  bool expected = false;
  if (!connection.shows_revoked) {
    expected = !failed && (plan_.request.empty() || (outcome == "200" && holds(plan_.expect)));
  } else if (!plan_.expect_revoked.empty()) {
    expected = !failed && holds(plan_.expect_revoked);
  } else {
    expected = connection.tls.is_alert() ||
               (!failed && !plan_.request.empty() && outcome != "200" && !StatusOf(answer).empty());
  }
  if (!expected) {
    const char* const who = connection.shows_revoked ? "a revoked certificate" : "a certificate";
    const bool told = outcome == "200" || outcome == "handshake";
    const std::string what =
        told ? fmt::format("{}, with an answer that was not expected", outcome) : outcome;
    if (IsMeasured(connection)) ++result_.outcomes[outcome];
    return Fail(connection, fmt::format("{}: {}", who, what));
  }
  if (IsMeasured(connection)) {
    ++result_.outcomes[outcome];
    ++result_.done;
    if (connection.shows_revoked) ++result_.revoked;
    if (connection.tls.is_resumed()) ++result_.resumed;
    if (connection.tls.is_up()) ++result_.agreed[connection.tls.Agreed()];
    result_.latency.Record(duration_cast<microseconds>(Steady::now() - connection.intended));
  }
  Finish(connection);
}

void LoadWorker::Fail(Connection& connection, const std::string& why) {
  // During the ramp, too: a load that meets nobody is no load.
  result_.failures.Add(why, "connection", why);
  Finish(connection);
}

void LoadWorker::Finish(Connection& connection) {
  client_->End(connection.tls);
  if (connection.fd >= 0) ::close(std::exchange(connection.fd, -1));
  ++connection.number;
  --in_flight_;
  idle_.push_back(&connection);
}

void LoadWorker::EndLate(Steady::time_point now) {
  for (; !deadlines_.empty(); deadlines_.pop_front()) {
    const Due& due = deadlines_.front();
    if (due.connection->number != due.number) continue;  // It has ended.
    if (due.deadline > now) return;
    Fail(*due.connection, fmt::format("not over after {} s", plan_.timeout.count()));
  }
}

void LoadWorker::Wait(Steady::time_point now) {
  Steady::time_point until = now + kWaitMax;
  const bool full = in_flight_ >= concurrency_;
  if (!over_ && IsOpen() && !full) until = std::min(until, next_arrival_);
  if (!over_ && !IsOpen() && in_flight_ < Wanted(now)) until = now + kRetryPause;
  if (!over_ && now < shared_.measured) until = std::min(until, shared_.measured);
  if (!over_) until = std::min(until, shared_.end);
  const nanoseconds left = std::max(nanoseconds(0), duration_cast<nanoseconds>(until - now));
  const timespec limit{static_cast<time_t>(left.count() / 1'000'000'000),
                       static_cast<long>(left.count() % 1'000'000'000)};
  epoll_event events[kEventsMax];
  const int count = ::epoll_pwait2(epoll_, events, kEventsMax, &limit, nullptr);
  for (int i = 0; i < count; ++i) {
    Receive(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
  }
}

}  // namespace devicetrust::simulator
