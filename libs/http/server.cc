#include "libs/http/server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <set>
#include <thread>

#include "libs/base/check.h"
#include "libs/base/mutex.h"
#include "libs/base/process.h"
#include "libs/base/snapshot.h"
#include "libs/http/port_owner.h"
#include "libs/http/session.h"

namespace devicetrust::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

absl::Status BindError(const error_code& error, const tcp::endpoint& endpoint,
                       std::string_view flag) {
  const std::string where = fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
  if (error == asio::error::address_in_use) {
    const std::string owner = PortOwner(endpoint.port());
    return absl::FailedPreconditionError(
        fmt::format("port {} is in use{}{} ({}); free it or choose another with {}",
                    endpoint.port(), owner.empty() ? "" : " by ", owner, where, flag));
  }
  return absl::FailedPreconditionError(
      fmt::format("can't listen at {}: {}; choose another with {}", where, error.message(), flag));
}

// Binds and listens. `shared`: beside the listeners of our other threads.
absl::StatusOr<tcp::acceptor> Listen(asio::io_context& io, const tcp::endpoint& endpoint,
                                     std::string_view flag, bool shared) {
  tcp::acceptor acceptor(io);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && shared) acceptor.set_option(ReusePort(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return BindError(error, endpoint, flag);
  return acceptor;
}

}  // namespace

// What the workers share of one listener.
struct Listener {
  explicit Listener(const ListenerConfig& c) : config(c), tls(c.tls), counts(c.flag) {}

  const ListenerConfig& config;
  Snapshot<pki::TlsContext> tls;  // Of the next connection.
  Counts counts;
};

// One thread with its listeners and connections. All but the thread itself and the two
// counts is touched on that thread only.
class Worker {
 public:
  using Listeners = std::vector<std::unique_ptr<Listener>>;

  Worker(const Listeners& listeners, const Clock& clock, std::size_t threads)
      : listeners_(listeners), clock_(clock), threads_(threads) {}

  asio::io_context& io() { return io_; }
  void AddAcceptor(tcp::acceptor acceptor) { acceptors_.push_back(std::move(acceptor)); }

  void Start() {
    per_listener_.resize(listeners_.size());
    for (std::size_t i = 0; i < acceptors_.size(); ++i) {
      TaskStarted();
      asio::co_spawn(io_, Accept(i), [this](std::exception_ptr) { TaskEnded(); });
    }
    thread_ = std::thread([this] { io_.run(); });
  }

  void Drain() {
    asio::post(io_, [this] {
      error_code ignored;
      for (tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
      draining_ = true;
      for (Session* session : sessions_) session->CloseWhenIdle();
    });
  }

  void Cut() {
    asio::post(io_, [this] {
      for (Session* session : sessions_) session->Cut();
    });
  }

  // False when connections are left after `grace`.
  bool WaitUntilEmpty(std::chrono::milliseconds grace) {
    const auto end = std::chrono::steady_clock::now() + grace;
    const MutexLock lock(mutex_);
    while (tasks_ > 0 && empty_.WaitUntil(mutex_, end)) {
    }
    return tasks_ == 0;
  }

  void WaitUntilEmpty() {
    const MutexLock lock(mutex_);
    while (tasks_ > 0) empty_.Wait(mutex_);
  }

  void Join() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct PerListener {
    std::size_t connections = 0;
    std::map<asio::ip::address, std::size_t> by_address;
  };

  // A task is an accept loop or a connection.
  void TaskStarted() {
    const MutexLock lock(mutex_);
    ++tasks_;
  }
  void TaskEnded() {
    const MutexLock lock(mutex_);
    if (--tasks_ == 0) empty_.NotifyAll();
  }

  Task<void> Accept(std::size_t index) {
    tcp::acceptor& acceptor = acceptors_[index];
    while (acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
      if (error && acceptor.is_open()) {
        // Out of descriptors or memory: the peer waits in the kernel's queue meanwhile.
        asio::steady_timer pause(io_, std::chrono::milliseconds{20});
        co_await pause.async_wait(kAsTuple);
        continue;
      }
      if (error) continue;
      const asio::ip::address address = socket.remote_endpoint(error).address();
      if (error || !Admit(index, address)) continue;
      TaskStarted();
      asio::co_spawn(io_, Serve(index, std::move(socket)),
                     [this, index, address](std::exception_ptr) {
                       Leave(index, address);
                       TaskEnded();
                     });
    }
  }

  // Counts the connection, unless it is one too many.
  bool Admit(std::size_t index, const asio::ip::address& address) {
    const Limits& limits = listeners_[index]->config.limits;
    PerListener& state = per_listener_[index];
    Counts& counts = listeners_[index]->counts;
    ++counts.connections;
    const std::size_t share = std::max<std::size_t>(1, limits.connections_max / threads_);
    const auto known = state.by_address.find(address);
    const std::size_t same = known == state.by_address.end() ? 0 : known->second;
    const std::size_t same_max = limits.connections_per_address_max;
    if (state.connections >= share || (same_max > 0 && same * threads_ >= same_max)) {
      ++counts.connections_refused;
      return false;
    }
    ++counts.connections_open;
    ++state.connections;
    ++state.by_address[address];
    return true;
  }

  void Leave(std::size_t index, const asio::ip::address& address) {
    PerListener& state = per_listener_[index];
    --listeners_[index]->counts.connections_open;
    --state.connections;
    const auto at = state.by_address.find(address);
    if (--at->second == 0) state.by_address.erase(at);
  }

  Task<void> Serve(std::size_t index, tcp::socket socket) {
    Listener& listener = *listeners_[index];
    Session session(std::move(socket), listener.tls.Get(), listener.config, clock_,
                    listener.counts);
    sessions_.insert(&session);
    if (draining_) session.CloseWhenIdle();
    try {
      co_await session.Run();
    } catch (...) {
      // Out of memory: this connection ends, the others go on.
    }
    sessions_.erase(&session);
  }

  const Listeners& listeners_;
  const Clock& clock_;
  const std::size_t threads_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<tcp::acceptor> acceptors_;
  std::vector<PerListener> per_listener_;
  std::set<Session*> sessions_;
  bool draining_ = false;
  std::thread thread_;
  Mutex mutex_;
  CondVar empty_;
  std::size_t tasks_ ABSL_GUARDED_BY(mutex_) = 0;
};

struct Server::State {
  ServerConfig config;
  Worker::Listeners listeners;  // Of `config`.
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<tcp::endpoint> endpoints;
  bool stopped = false;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(std::chrono::milliseconds{0}); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerConfig config) {
  DT_CHECK(config.clock != nullptr);
  auto state = std::make_unique<State>();
  state->config = std::move(config);
  for (const ListenerConfig& listener : state->config.listeners) {
    state->listeners.push_back(std::make_unique<Listener>(listener));
  }
  const std::size_t threads = std::max<std::size_t>(1, state->config.threads);
  for (std::size_t i = 0; i < threads; ++i) {
    state->workers.push_back(
        std::make_unique<Worker>(state->listeners, *state->config.clock, threads));
  }
  for (const ListenerConfig& listener : state->config.listeners) {
    DT_ASSIGN_OR_RETURN(tcp::endpoint endpoint, ParseEndpoint(listener.address, listener.flag));
    {
      // SO_REUSEPORT would let us share the port with a stranger of the same user, who
      // then gets half of our connections: claim it alone first.
      asio::io_context probe;
      DT_ASSIGN_OR_RETURN(const tcp::acceptor alone, Listen(probe, endpoint, listener.flag, false));
      endpoint = alone.local_endpoint();
    }
    for (const std::unique_ptr<Worker>& worker : state->workers) {
      DT_ASSIGN_OR_RETURN(tcp::acceptor acceptor,
                          Listen(worker->io(), endpoint, listener.flag, true));
      worker->AddAcceptor(std::move(acceptor));
    }
    state->endpoints.push_back(endpoint);
  }
  for (const std::unique_ptr<Worker>& worker : state->workers) worker->Start();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

void Server::ReplaceTls(std::size_t listener, std::shared_ptr<const pki::TlsContext> tls) {
  DT_CHECK(tls != nullptr && state_->config.listeners.at(listener).tls != nullptr);
  state_->listeners[listener]->tls.Set(std::move(tls));
}

tcp::endpoint Server::endpoint(std::size_t listener) const {
  return state_->endpoints.at(listener);
}

ServerCounters Server::counters() const {
  ServerCounters sum;
  for (const std::unique_ptr<Listener>& listener : state_->listeners) {
    const Counts& counts = listener->counts;
    sum.connections += counts.connections;
    sum.connections_refused += counts.connections_refused;
    sum.handshakes_failed += counts.handshakes_failed;
    sum.requests += counts.requests;
    sum.requests_refused += counts.requests_refused;
  }
  return sum;
}

void Server::Stop(std::chrono::milliseconds grace) {
  if (std::exchange(state_->stopped, true)) return;
  const auto end = std::chrono::steady_clock::now() + grace;
  for (const auto& worker : state_->workers) worker->Drain();
  for (const auto& worker : state_->workers) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (!worker->WaitUntilEmpty(std::max(left, std::chrono::milliseconds{0}))) worker->Cut();
  }
  for (const auto& worker : state_->workers) {
    worker->WaitUntilEmpty();
    worker->Join();
  }
}

std::string AddressOf(const tcp::endpoint& endpoint) {
  const bool v6 = endpoint.address().is_v6();
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.address().to_string(), v6 ? "]" : "",
                     endpoint.port());
}

absl::StatusOr<tcp::endpoint> ParseEndpoint(std::string_view address, std::string_view flag) {
  DT_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(address, flag));
  error_code error;
  const asio::ip::address parsed =
      asio::ip::make_address(parts.host == "localhost" ? "127.0.0.1" : parts.host, error);
  if (!error) return tcp::endpoint(parsed, static_cast<std::uint16_t>(parts.port));
  return absl::InvalidArgumentError(fmt::format(
      "{}: \"{}\" is not HOST:PORT with an IP address, like 127.0.0.1:8443", flag, address));
}

}  // namespace devicetrust::http
