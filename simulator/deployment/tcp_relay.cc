#include "simulator/deployment/tcp_relay.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "libs/base/process.h"
#include "libs/base/task.h"

namespace devicetrust::simulator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using RelayMoment = std::chrono::steady_clock::time_point;

constexpr std::size_t kPieceBytes = 16 * 1024;
constexpr std::size_t kUnderWayMax = 4 * 1024 * 1024;  // Of one direction: then the sender waits.
constexpr std::chrono::hours kForEver{24 * 365};

// What has been read and is not yet due.
struct RelayWay {
  explicit RelayWay(asio::io_context& io) : changed(io, kForEver) {}

  std::deque<std::pair<RelayMoment, std::vector<char>>> pieces;
  std::size_t bytes = 0;
  bool ended = false;  // The sender has no more.
  asio::steady_timer changed;
};

struct RelayPair {
  RelayPair(asio::io_context& io, tcp::socket from_client)
      : client(std::move(from_client)), target(io), to_target(io), to_client(io) {}

  void Close() {
    boost::system::error_code ignored;
    for (tcp::socket* const socket : {&client, &target}) {
      socket->set_option(asio::socket_base::linger(true, 0), ignored);  // A reset, not a goodbye.
      socket->close(ignored);
    }
    for (RelayWay* const way : {&to_target, &to_client}) {
      way->ended = true;
      way->changed.cancel();
    }
  }

  tcp::socket client;
  tcp::socket target;
  RelayWay to_target;
  RelayWay to_client;
};

}  // namespace

struct TcpRelay::State {
  explicit State(tcp::endpoint to) : acceptor(io), target(std::move(to)) {}

  Task<void> Accept();
  Task<void> Serve(std::shared_ptr<RelayPair> pair);
  Task<void> ReadWay(std::shared_ptr<RelayPair> pair, tcp::socket& from, RelayWay& way, bool late);
  Task<void> WriteWay(std::shared_ptr<RelayPair> pair, RelayWay& way, tcp::socket& to);

  asio::io_context io{1};  // One thread: no locks inside.
  tcp::acceptor acceptor;
  const tcp::endpoint target;
  std::string listening;
  std::chrono::nanoseconds delay{0};
  bool cut = false;
  std::unordered_set<std::shared_ptr<RelayPair>> pairs;
  std::thread thread;
};

Task<void> TcpRelay::State::Accept() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
    if (error == asio::error::operation_aborted) co_return;
    if (error) continue;
    auto pair = std::make_shared<RelayPair>(io, std::move(socket));
    if (cut) {
      pair->Close();
      continue;
    }
    pairs.insert(pair);
    co_spawn(io, Serve(std::move(pair)), asio::detached);
  }
}

Task<void> TcpRelay::State::Serve(std::shared_ptr<RelayPair> pair) {
  auto [error] = co_await pair->target.async_connect(target, kAsTuple);
  if (error || cut) {
    pair->Close();
    pairs.erase(pair);
    co_return;
  }
  boost::system::error_code ignored;
  for (tcp::socket* const socket : {&pair->client, &pair->target}) {
    socket->set_option(tcp::no_delay(true), ignored);
  }
  co_spawn(io, ReadWay(pair, pair->client, pair->to_target, /*late=*/false), asio::detached);
  co_spawn(io, WriteWay(pair, pair->to_target, pair->target), asio::detached);
  co_spawn(io, ReadWay(pair, pair->target, pair->to_client, /*late=*/true), asio::detached);
  co_await WriteWay(pair, pair->to_client, pair->client);
  pair->Close();
  pairs.erase(pair);
}

Task<void> TcpRelay::State::ReadWay(std::shared_ptr<RelayPair> /*kept*/, tcp::socket& from,
                                    RelayWay& way, bool late) {
  std::array<char, kPieceBytes> buffer;
  while (!way.ended) {
    if (way.bytes > kUnderWayMax) {
      co_await way.changed.async_wait(kAsTuple);
      way.changed.expires_after(kForEver);
      continue;
    }
    auto [error, size] = co_await from.async_read_some(asio::buffer(buffer), kAsTuple);
    if (error) break;
    const auto due =
        std::chrono::steady_clock::now() + (late ? delay : std::chrono::nanoseconds(0));
    way.pieces.emplace_back(due, std::vector<char>(buffer.begin(), buffer.begin() + size));
    way.bytes += size;
    way.changed.cancel();
  }
  way.ended = true;
  way.changed.cancel();
}

Task<void> TcpRelay::State::WriteWay(std::shared_ptr<RelayPair> /*kept*/, RelayWay& way,
                                     tcp::socket& to) {
  while (true) {
    if (way.pieces.empty()) {
      if (way.ended) break;
      co_await way.changed.async_wait(kAsTuple);
      way.changed.expires_after(kForEver);
      continue;
    }
    const auto due = way.pieces.front().first;
    if (due > std::chrono::steady_clock::now()) {
      asio::steady_timer timer(io, due);
      co_await timer.async_wait(kAsTuple);
      continue;
    }
    const std::vector<char> piece = std::move(way.pieces.front().second);
    way.pieces.pop_front();
    way.bytes -= piece.size();
    way.changed.cancel();
    auto [error, size] = co_await asio::async_write(to, asio::buffer(piece), kAsTuple);
    if (error) break;
  }
  boost::system::error_code ignored;
  to.shutdown(tcp::socket::shutdown_send, ignored);
}

TcpRelay::TcpRelay(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<TcpRelay>> TcpRelay::Start(const std::string& target) {
  DT_ASSIGN_OR_RETURN(const HostPort parsed, ParseHostPort(target, "relay"));
  boost::system::error_code error;
  const auto host = asio::ip::make_address(parsed.host, error);
  if (error) return absl::InvalidArgumentError(fmt::format("{} is no numeric address", target));
  auto state =
      std::make_unique<State>(tcp::endpoint(host, static_cast<std::uint16_t>(parsed.port)));
  const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  state->acceptor.open(any.protocol(), error);
  if (!error) state->acceptor.bind(any, error);
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(fmt::format("no port for a relay: {}", error.message()));
  }
  state->listening = fmt::format("127.0.0.1:{}", state->acceptor.local_endpoint().port());
  co_spawn(state->io, state->Accept(), asio::detached);
  state->thread = std::thread([raw = state.get()] { raw->io.run(); });
  return std::unique_ptr<TcpRelay>(new TcpRelay(std::move(state)));
}

TcpRelay::~TcpRelay() {
  state_->io.stop();
  state_->thread.join();
}

std::string TcpRelay::address() const { return state_->listening; }

void TcpRelay::SetDelay(std::chrono::nanoseconds delay) {
  asio::post(state_->io, [state = state_.get(), delay] { state->delay = delay; });
}

void TcpRelay::SetCut(bool cut) {
  asio::post(state_->io, [state = state_.get(), cut] {
    state->cut = cut;
    if (!cut) return;
    for (const std::shared_ptr<RelayPair>& pair : state->pairs) pair->Close();
  });
}

}  // namespace devicetrust::simulator
