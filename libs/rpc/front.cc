#include "libs/rpc/front.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/log.h"
#include "libs/net/server.h"
#include "libs/net/stream.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/frame_filter.h"
#include "libs/rpc/internal_session.h"
#include "libs/rpc/metrics.h"

namespace devicetrust::rpc {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using Local = asio::local::stream_protocol;

constexpr std::size_t kBufferBytes = 8 * 1024;
// Two pass 20,000 calls a second; more would only wait for gRPC.
constexpr std::size_t kThreadsMax = 4;
constexpr milliseconds kFirstCall{30'000};  // From the end of the handshake.
constexpr milliseconds kLastWords{1'000};
constexpr std::size_t kUnfinishedCallsPerConnectionMax = 64;
// What gRPC holds for a connection, and for a call beside what came of it (net::Admission::Hold()),
// as measured, rounded up.
constexpr std::size_t kTransportBytes = 24 * 1024;
constexpr std::size_t kCallBytes = 8 * 1024;

struct FrontCounts : net::Counts {
  explicit FrontCounts(const std::string& listener)
      : handshakes_failed(kHandshakesFailed.With({listener})),
        cut_by_rule(kConnectionsCut.With({listener, "rule"})),
        cut_by_limit(kConnectionsCut.With({listener, "limit"})),
        cut_by_deadline(kConnectionsCut.With({listener, "deadline"})) {
    const auto read = [](const std::atomic<std::uint64_t>& count) {
      return [&count] { return static_cast<double>(count.load()); };
    };
    readings_.push_back(kConnections.Read({listener}, read(connections)));
    readings_.push_back(kConnectionsRefused.Read({listener}, read(connections_refused)));
    readings_.push_back(kConnectionsEvicted.Read({listener}, read(connections_evicted)));
    readings_.push_back(kConnectionsOpen.Read({listener}, read(connections_open)));
    readings_.push_back(kAcceptFailures.Read({listener}, read(accept_failures)));
  }

  metrics::Counter& handshakes_failed;
  metrics::Counter& cut_by_rule;
  metrics::Counter& cut_by_limit;
  metrics::Counter& cut_by_deadline;

 private:
  std::vector<metrics::Reading> readings_;
};

class EdgeSession;

// What the sessions of one thread share.
struct EdgeThread {
  // Of half the calls that the listener takes: who keeps calls waiting leaves the rest to others.
  std::size_t unfinished_calls_max = 0;
  std::size_t unfinished_calls = 0;
  std::list<EdgeSession*> unfinished;  // Those that have any, longest first.
};

struct EdgeShared {
  const ListenerConfig& config;
  pki::TlsContext tls;
  FrontCounts& counts;
  Handover& handover;
  std::vector<EdgeThread> threads;
  std::atomic<std::uint64_t> sockets{0};  // Made so far: names them.
};

// The end of the pair that gRPC gets is named after the client, for rpc::PeerAddress(). The other
// one is ours.
absl::StatusOr<std::pair<int, int>> NewPair(const net::Tcp::endpoint& peer, std::uint64_t number) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return absl::ResourceExhaustedError(std::strerror(errno));
  }
  const std::string name = fmt::format("devicetrust/{}/{}/{}/{}", getpid(), number, peer.port(),
                                       peer.address().to_string());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::min(name.size(), sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path + 1, name.data(), size);  // Abstract: a NUL before it.
  // Without a name, who calls is not told.
  (void)bind(pair[0], reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size));
  return std::pair(pair[0], pair[1]);
}

// One agent: TLS on its side, plain HTTP/2 on gRPC's.
class EdgeSession final : public net::Session {
 public:
  EdgeSession(net::Connection connection, EdgeShared& shared)
      : shared_(shared),
        thread_(shared.threads[connection.thread]),
        admission_(connection.admission),
        peer_(std::move(connection.peer)),
        stream_(net::NewTlsServerStream(std::move(connection.socket), shared.tls, admission_)),
        inner_(stream_->socket().get_executor()),
        answered_(stream_->socket().get_executor(), SteadyTime::max()),
        timer_(std::make_shared<Timer>(stream_->socket().get_executor(), this)),
        filter_({.calls_max = 2 * static_cast<std::size_t>(kEdgeCallsPerConnectionMax),
                 .unfinished_calls_max = kUnfinishedCallsPerConnectionMax}) {}
  ~EdgeSession() override {
    timer_->session = nullptr;
    timer_->timer.cancel();  // Else its thread waits for it.
    Account(0);
  }

  Task<void> Run() override {
    error_code error;
    stream_->socket().set_option(net::Tcp::no_delay(true), error);
    first_due_ = SteadyTime::clock::now() + shared_.config.connections.handshake;
    Arm();
    if (co_await stream_->Handshake()) {
      shared_.counts.handshakes_failed.Add();
      co_return;
    }
    first_due_ = SteadyTime::clock::now() + kFirstCall;
    if (!Hold()) co_return;
    try {
      co_await PassRequests();
    } catch (...) {  // Out of memory.
    }
    Cut();
    while (passing_answers_) co_await answered_.async_wait(kAsTuple);
  }

  // gRPC says goodbye to those that it knows.
  void CloseWhenIdle() override {
    if (!inner_.is_open()) Cut();
  }

  void Cut() override {
    cut_ = true;
    error_code ignored;
    stream_->socket().close(ignored);
    inner_.close(ignored);
  }

 private:
  // Shared with the waiting handler, which may run after the session is gone.
  struct Timer {
    Timer(const asio::any_io_executor& executor, EdgeSession* owner)
        : timer(executor), session(owner) {}
    asio::steady_timer timer;
    EdgeSession* session;
    bool armed = false;
  };

  Task<void> PassRequests() {
    const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
    while (true) {
      const net::Stream::Transfer read =
          co_await stream_->Read(asio::buffer(buffer.get(), kBufferBytes));
      // What TLS had read before may still come.
      if (read.error || cut_) co_return;
      const std::string_view data(buffer.get(), read.size);
      if (const absl::Status status = filter_.Feed(data, SteadyTime::clock::now()); !status.ok()) {
        Refuse(status);
        co_return;
      }
      Note();
      if (cut_) co_return;  // By that.
      passing_ = true;
      if (!Hold()) co_return;
      if (!inner_.is_open() && !Connect()) co_return;
      const auto [error, size] =
          co_await asio::async_write(inner_, asio::buffer(data.data(), data.size()), kAsTuple);
      if (error) co_return;
    }
  }

  // gRPC gets to know of it with its first octets: who only finished a handshake costs it nothing.
  bool Connect() {
    const auto pair = NewPair(peer_, ++shared_.sockets);
    if (!pair.ok()) return false;
    error_code error;
    inner_.assign(Local(), pair->first, error);
    if (error) {
      close(pair->first);
      close(pair->second);
      return false;
    }
    if (!shared_.handover.Give(pair->second)) return false;
    const auto ended = [this](std::exception_ptr /*failed*/) {
      passing_answers_ = false;
      error_code ignored;
      stream_->socket().close(ignored);
      answered_.cancel();
    };
    passing_answers_ = true;
    try {
      asio::co_spawn(inner_.get_executor(), PassAnswers(), ended);
    } catch (...) {  // Out of memory.
      ended(nullptr);
      throw;
    }
    return true;
  }

  Task<void> PassAnswers() {
    const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
    while (true) {
      const auto [error, size] =
          co_await inner_.async_read_some(asio::buffer(buffer.get(), kBufferBytes), kAsTuple);
      if (error == asio::error::eof) break;
      if (error || cut_) co_return;
      const std::string_view data(buffer.get(), size);
      filter_.FeedAnswer(data, SteadyTime::clock::now());
      Note();
      Hold();
      write_due_ = SteadyTime::clock::now() + shared_.config.connections.message;
      Arm();
      if (co_await stream_->Write(data)) co_return;
      write_due_.reset();
    }
    write_due_ = SteadyTime::clock::now() + kLastWords;
    Arm();
    co_await stream_->Close();
  }

  // Tells what this connection holds, here and in gRPC. False: no room, end.
  bool Hold() {
    const std::size_t passed = passing_ ? kBufferBytes + kTransportBytes : 0;
    const std::size_t calls = filter_.calls() * kCallBytes + filter_.call_bytes();
    return admission_.Hold(net::Admission::Part::kProtocol, kBufferBytes + passed + calls);
  }

  void Refuse(const absl::Status& status) {
    (absl::IsInvalidArgument(status) ? shared_.counts.cut_by_rule : shared_.counts.cut_by_limit)
        .Add();
    Log(LogLevel::kDebug, "rpc.connection.cut",
        {{"listener", shared_.config.name}, {"why", std::string(status.message())}});
  }

  // After the filter has seen something.
  void Note() {
    Account(filter_.unfinished_calls());
    if (filter_.had_whole_call()) {
      first_due_.reset();
      const bool busy = filter_.calls() > filter_.unfinished_calls();
      if (busy && !(proven_ && busy_)) admission_.Busy();
      if (!busy && (busy_ || !proven_)) admission_.Idle();
      busy_ = busy;
      proven_ = true;
    }
    if (filter_.unfinished_calls() > 0) Arm();
  }

  // Keeps the sum of the thread. When it is too much, who has had unfinished calls longest goes.
  void Account(std::size_t unfinished) {
    thread_.unfinished_calls += unfinished;
    thread_.unfinished_calls -= accounted_;
    if (accounted_ == 0 && unfinished > 0) {
      place_ = thread_.unfinished.insert(thread_.unfinished.end(), this);
    } else if (accounted_ > 0 && unfinished == 0) {
      thread_.unfinished.erase(place_);
    }
    accounted_ = unfinished;
    if (thread_.unfinished_calls <= thread_.unfinished_calls_max) return;
    EdgeSession& oldest = *thread_.unfinished.front();
    shared_.counts.cut_by_limit.Add();
    oldest.Account(0);
    oldest.Cut();
  }

  std::optional<SteadyTime> Due() const {
    std::optional<SteadyTime> due = first_due_;
    const auto consider = [&due](std::optional<SteadyTime> other) {
      if (other && (!due || *other < *due)) due = other;
    };
    consider(write_due_);
    if (const auto since = filter_.oldest_unfinished()) {
      consider(*since + shared_.config.connections.message);
    }
    return due;
  }

  // Sees to it that the timer runs out at the next deadline at the latest. A timer is set once in
  // several calls: it looks when it fires what is due by then.
  void Arm() {
    const std::optional<SteadyTime> due = Due();
    Timer& timer = *timer_;
    if (!due || (timer.armed && timer.timer.expiry() <= *due)) return;
    timer.armed = true;
    timer.timer.expires_at(*due);
    timer.timer.async_wait([held = timer_](const error_code& cancelled) {
      // Replaced: the next wait is for what is due.
      if (cancelled || held->session == nullptr) return;
      if (held->timer.expiry() > SteadyTime::clock::now()) return;
      held->armed = false;
      held->session->Fire();
    });
  }

  void Fire() {
    const std::optional<SteadyTime> due = Due();
    if (!due || *due > SteadyTime::clock::now()) return Arm();
    shared_.counts.cut_by_deadline.Add();
    Cut();
  }

  EdgeShared& shared_;
  EdgeThread& thread_;
  net::Admission& admission_;
  const net::Tcp::endpoint peer_;
  const std::unique_ptr<net::Stream> stream_;
  Local::socket inner_;
  asio::steady_timer answered_;
  bool passing_ = false;  // To gRPC.
  bool passing_answers_ = false;
  const std::shared_ptr<Timer> timer_;
  FrameFilter filter_;
  bool cut_ = false;
  std::optional<SteadyTime> first_due_;  // The handshake, then the first whole call.
  std::optional<SteadyTime> write_due_;
  bool busy_ = false;
  bool proven_ = false;
  std::size_t accounted_ = 0;  // Unfinished calls that the thread knows of.
  std::list<EdgeSession*>::iterator place_;
};

class NetFront final : public Front {
 public:
  NetFront(const ListenerConfig& config, Acceptor& acceptor)
      : config_(config), counts_(config.name), handover_(acceptor) {}

  absl::Status Listen(Newcomers& newcomers) {
    DT_ASSIGN_OR_RETURN(const net::Tcp::endpoint endpoint,
                        net::ResolveEndpoint(config_.listen, config_.flag));
    net::ListenerConfig listener;
    listener.address = net::AddressOf(endpoint);
    listener.flag = config_.flag;
    listener.connections_max = config_.connections.connections_max;
    listener.connections_per_address_max = config_.connections.connections_per_address_max;
    listener.memory_bytes_max = config_.connections.memory_bytes_max;
    listener.counts = &counts_;
    std::size_t threads = 1;
    if (config_.client_ca_pem.empty()) {
      threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kThreadsMax);
      DT_RETURN_IF_ERROR(PrepareEdge(threads));
      listener.new_session = [this](net::Connection connection) -> std::unique_ptr<net::Session> {
        return std::make_unique<EdgeSession>(std::move(connection), *edge_);
      };
    } else {
      listener.new_session =
          [this, &newcomers](net::Connection connection) -> std::unique_ptr<net::Session> {
        return NewInternalSession(std::move(connection), config_.connections.handshake, handover_,
                                  newcomers);
      };
    }
    std::vector<net::ListenerConfig> listeners;
    listeners.push_back(std::move(listener));
    DT_ASSIGN_OR_RETURN(server_, net::Server::Start(std::move(listeners), threads));
    return absl::OkStatus();
  }

  std::string address() const override { return net::AddressOf(server_->endpoint(0)); }
  void Refuse() override { handover_.End(); }
  void Stop(milliseconds grace) override { server_->Stop(grace); }

 private:
  absl::Status PrepareEdge(std::size_t threads) {
    DT_ASSIGN_OR_RETURN(
        pki::Identity identity,
        pki::IdentityFromPem(config_.identity.certificate_pem, config_.identity.key_pem));
    DT_ASSIGN_OR_RETURN(
        pki::TlsContext tls,
        pki::TlsContext::ForServer(
            {.identity = std::move(identity), .protocol = pki::TlsServerConfig::Protocol::kHttp2}));
    edge_.reset(new EdgeShared{config_, std::move(tls), counts_, handover_, {}, 0});
    edge_->threads.resize(threads);
    for (EdgeThread& thread : edge_->threads) {
      thread.unfinished_calls_max = std::max<std::size_t>(1, config_.in_flight_max / 2 / threads);
    }
    return absl::OkStatus();
  }

  const ListenerConfig config_;
  FrontCounts counts_;
  Handover handover_;
  std::unique_ptr<EdgeShared> edge_;
  std::unique_ptr<net::Server> server_;  // Its sessions use all of the above.
};

}  // namespace

absl::StatusOr<std::unique_ptr<Front>> Front::Start(const ListenerConfig& config,
                                                    Acceptor& acceptor, Newcomers& newcomers) {
  auto front = std::make_unique<NetFront>(config, acceptor);
  DT_RETURN_IF_ERROR(front->Listen(newcomers));
  return front;
}

}  // namespace devicetrust::rpc
