#include "libs/net/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/deadline.h"
#include "libs/base/log.h"
#include "libs/base/log_sparsely.h"
#include "libs/base/mutex.h"
#include "libs/net/proxy_header.h"

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

// Between attempts to accept while there is no descriptor for it: doubled up to the second.
constexpr milliseconds kPauseMin{10};
constexpr milliseconds kPauseMax{200};
constexpr std::chrono::seconds kFailureLogPause{60};
constexpr milliseconds kProxyHeaderMax{5000};

std::size_t ShareOf(std::size_t all, std::size_t threads) {
  return all == 0 ? 0 : std::max<std::size_t>(1, all / threads);
}

// What a proxy says before it passes its client's octets on. Takes no octet of those.
class ProxySession final : public Session {
 public:
  explicit ProxySession(Tcp::socket& socket) : socket_(socket), deadline_(socket) {}

  Task<void> Run() override {
    deadline_.Set(kProxyHeaderMax);
    std::array<std::uint8_t, kProxyHeadBytes> head{};
    const auto [head_error, head_size] =
        co_await asio::async_read(socket_, asio::buffer(head), kAsTuple);
    if (head_error) co_return Refuse(absl::UnavailableError("the PROXY header did not come"));
    const absl::StatusOr<std::size_t> size = ProxyRestBytes(head);
    if (!size.ok()) co_return Refuse(size.status());
    std::vector<std::uint8_t> rest(*size);
    const auto [rest_error, rest_size] =
        co_await asio::async_read(socket_, asio::buffer(rest), kAsTuple);
    if (rest_error) co_return Refuse(absl::UnavailableError("the PROXY header ended early"));
    client_ = ProxyClient(head, rest);
  }
  void CloseWhenIdle() override { Cut(); }
  void Cut() override {
    error_code ignored;
    socket_.close(ignored);
  }

  const absl::StatusOr<std::optional<Tcp::endpoint>>& client() const { return client_; }

 private:
  void Refuse(const absl::Status& why) { client_ = why; }

  Tcp::socket& socket_;
  Deadline deadline_;
  absl::StatusOr<std::optional<Tcp::endpoint>> client_ = absl::UnknownError("not read");
};

}  // namespace

// One thread with its listeners and connections. All but the thread itself and the count of tasks
// is touched on that thread only.
class Worker {
 public:
  Worker(const std::vector<ListenerConfig>& listeners, std::size_t index, std::size_t threads)
      : listeners_(listeners), index_(index) {
    for (const ListenerConfig& listener : listeners) {
      tables_.push_back(std::make_unique<ConnectionTable>(
          ShareOf(std::max<std::size_t>(1, listener.connections_max), threads),
          ShareOf(listener.connections_per_address_max, threads),
          std::max(listener.memory_bytes_max / threads, kMemoryShareMin)));
    }
  }

  asio::io_context& io() { return io_; }
  void AddAcceptor(Tcp::acceptor acceptor) { acceptors_.push_back(std::move(acceptor)); }

  void Start() {
    for (std::size_t i = 0; i < acceptors_.size(); ++i) {
      TaskStarted();
      asio::co_spawn(io_, Accept(i), [this](std::exception_ptr) { TaskEnded(); });
    }
    thread_ = std::thread([this] { io_.run(); });
  }

  void Drain() {
    asio::post(io_, [this] {
      error_code ignored;
      for (Tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
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
  bool WaitUntilEmpty(milliseconds grace) {
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
    Tcp::acceptor& acceptor = acceptors_[index];
    milliseconds pause{0};
    while (acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
      if (!acceptor.is_open()) break;
      if (!error && Begin(index, std::move(socket))) {
        pause = milliseconds{0};
        continue;
      }
      if (!error) error = asio::error::no_memory;
      // Out of descriptors or memory: peers wait in the kernel's queue meanwhile.
      NoteFailure(index, error);
      tables_[index]->MakeRoom();
      UpdateCounts(index);
      pause = std::clamp(pause * 2, kPauseMin, kPauseMax);
      asio::steady_timer timer(io_, pause);
      co_await timer.async_wait(kAsTuple);
    }
  }

  // False: there is no memory for it.
  bool Begin(std::size_t index, Tcp::socket socket) {
    try {
      Admit(index, std::move(socket));
      return true;
    } catch (...) {
      return false;
    }
  }

  void Admit(std::size_t index, Tcp::socket socket) {
    Counts& counts = *listeners_[index].counts;
    error_code error;
    Tcp::endpoint peer = socket.remote_endpoint(error);
    if (error) return;
    peer.address(Unmapped(peer.address()));
    ++counts.connections;
    std::unique_ptr<Admission> admission = tables_[index]->Admit(peer.address());
    UpdateCounts(index);
    if (admission == nullptr) {
      ++counts.connections_refused;
      return;
    }
    Task<void> serving = Serve(index, std::move(socket), peer, std::move(admission));
    ++counts.connections_open;
    TaskStarted();
    const auto ended = [this, index](std::exception_ptr) {
      --listeners_[index].counts->connections_open;
      TaskEnded();
    };
    try {
      asio::co_spawn(io_, std::move(serving), ended);
    } catch (...) {
      ended(nullptr);
      throw;
    }
  }

  Task<void> Serve(std::size_t index, Tcp::socket socket, Tcp::endpoint peer,
                   std::unique_ptr<Admission> admission) {
    try {
      if (listeners_[index].proxies.Contain(peer.address())) {
        admission = co_await AdmitClient(index, socket, peer, std::move(admission));
        if (admission == nullptr) co_return;
      }
      const std::unique_ptr<Session> session =
          listeners_[index].new_session({std::move(socket), std::move(peer), index_, *admission});
      if (!ConnectionTable::Attach(*admission, *session)) co_return;
      sessions_.insert(session.get());
      if (draining_) session->CloseWhenIdle();
      try {
        co_await session->Run();
      } catch (...) {
        // Out of memory: this connection ends, the others go on.
      }
      sessions_.erase(session.get());
      // The table must not cut what is about to be destroyed.
      admission.reset();
    } catch (...) {
    }
  }

  // The place of the client whom the proxy `peer` names, and who is `peer` from then on, in place
  // of the proxy's. Null: none was named, or there is no room.
  Task<std::unique_ptr<Admission>> AdmitClient(std::size_t index, Tcp::socket& socket,
                                               Tcp::endpoint& peer,
                                               std::unique_ptr<Admission> admission) {
    ProxySession reading(socket);
    if (!ConnectionTable::Attach(*admission, reading)) co_return nullptr;
    sessions_.insert(&reading);
    if (draining_) reading.CloseWhenIdle();
    try {
      co_await reading.Run();
    } catch (...) {
      // Out of memory: no client is known.
    }
    sessions_.erase(&reading);
    admission.reset();
    if (!reading.client().ok()) {
      ++listeners_[index].counts->connections_refused;
      LogSparsely(LogLevel::kWarning, "net.proxy.refused", peer.address().to_string(),
                  {{"listener", listeners_[index].flag},
                   {"from", peer.address().to_string()},
                   {"reason", std::string(reading.client().status().message())}});
      co_return nullptr;
    }
    if (const auto& client = *reading.client()) peer = *client;
    std::unique_ptr<Admission> own = tables_[index]->Admit(peer.address());
    UpdateCounts(index);
    if (own == nullptr) ++listeners_[index].counts->connections_refused;
    co_return own;
  }

  // What the table cut for others since it was last asked.
  void UpdateCounts(std::size_t index) {
    evicted_.resize(tables_.size());
    const std::size_t evicted = tables_[index]->evicted();
    listeners_[index].counts->connections_evicted += evicted - evicted_[index];
    evicted_[index] = evicted;
  }

  void NoteFailure(std::size_t index, const error_code& error) {
    ++listeners_[index].counts->accept_failures;
    const auto now = std::chrono::steady_clock::now();
    if (last_failure_ && now - *last_failure_ < kFailureLogPause) return;
    last_failure_ = now;
    Log(LogLevel::kWarning, "net.accept.failed",
        {{"listener", listeners_[index].flag}, {"error", error.message()}});
  }

  const std::vector<ListenerConfig>& listeners_;
  const std::size_t index_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<Tcp::acceptor> acceptors_;
  std::vector<std::unique_ptr<ConnectionTable>> tables_;  // By listener, as is the next.
  std::vector<std::size_t> evicted_;
  std::set<Session*> sessions_;
  bool draining_ = false;
  std::optional<std::chrono::steady_clock::time_point> last_failure_;
  std::thread thread_;
  Mutex mutex_;
  CondVar empty_;
  std::size_t tasks_ ABSL_GUARDED_BY(mutex_) = 0;
};

struct Server::State {
  std::vector<ListenerConfig> listeners;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Tcp::endpoint> endpoints;
  bool stopped = false;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(milliseconds{0}); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(std::vector<ListenerConfig> listeners,
                                                      std::size_t threads) {
  auto state = std::make_unique<State>();
  state->listeners = std::move(listeners);
  threads = std::max<std::size_t>(1, threads);
  for (std::size_t i = 0; i < threads; ++i) {
    state->workers.push_back(std::make_unique<Worker>(state->listeners, i, threads));
  }
  for (const ListenerConfig& listener : state->listeners) {
    DT_CHECK(listener.counts != nullptr && listener.new_session != nullptr);
    DT_ASSIGN_OR_RETURN(Tcp::endpoint endpoint, ParseEndpoint(listener.address, listener.flag));
    {
      // SO_REUSEPORT would let us share the port with a stranger of the same user, who
      // then gets half of our connections: claim it alone first.
      asio::io_context probe;
      DT_ASSIGN_OR_RETURN(const Tcp::acceptor alone, Listen(probe, endpoint, listener.flag, false));
      endpoint = alone.local_endpoint();
    }
    for (const std::unique_ptr<Worker>& worker : state->workers) {
      DT_ASSIGN_OR_RETURN(Tcp::acceptor acceptor,
                          Listen(worker->io(), endpoint, listener.flag, true));
      worker->AddAcceptor(std::move(acceptor));
    }
    state->endpoints.push_back(endpoint);
  }
  for (const std::unique_ptr<Worker>& worker : state->workers) worker->Start();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Tcp::endpoint Server::endpoint(std::size_t listener) const {
  return state_->endpoints.at(listener);
}

void Server::Stop(milliseconds grace) {
  if (std::exchange(state_->stopped, true)) return;
  const auto end = std::chrono::steady_clock::now() + grace;
  for (const auto& worker : state_->workers) worker->Drain();
  for (const auto& worker : state_->workers) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    if (!worker->WaitUntilEmpty(std::max(left, milliseconds{0}))) worker->Cut();
  }
  for (const auto& worker : state_->workers) {
    worker->WaitUntilEmpty();
    worker->Join();
  }
}

}  // namespace devicetrust::net
