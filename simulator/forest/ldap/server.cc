#include "simulator/forest/ldap/server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/deadline.h"
#include "libs/base/task.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::simulator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Stream = asio::ssl::stream<tcp::socket>;

constexpr std::size_t kReadBytes = 16 * 1024;  // One TLS record.

// With tickets switched off, nothing of ours follows the handshake that could carry the
// acknowledgement of the client's last flight: a client with Nagle's algorithm on would
// wait 40 ms for it before it sends its first request.
void AcknowledgeNow(tcp::socket& socket) {
  const int on = 1;
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace

struct LdapServer::State {
  class Counted {
   public:
    explicit Counted(std::atomic<std::size_t>& count) : count_(count) { ++count_; }
    ~Counted() { --count_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

   private:
    std::atomic<std::size_t>& count_;
  };

  struct Worker {
    asio::io_context io{1};  // One thread: no locks inside.
    std::thread thread;
  };

  State(LdapServerConfig config_in, AccountView accounts, const Clock& clock_in,
        pki::TlsContext tls_in)
      : config(std::move(config_in)),
        entries(std::move(accounts), config.realms, clock_in),
        clock(clock_in),
        tls(std::move(tls_in)) {}

  Task<void> Accept();
  Task<void> Serve(tcp::socket socket);
  // Reads until `in` begins with a whole message. False: the client is gone or too slow.
  Task<bool> ReadMore(Stream& stream, std::string& in);

  const LdapServerConfig config;
  const LdapEntries entries;
  const Clock& clock;
  const pki::TlsContext tls;
  std::atomic<std::size_t> connections{0};
  std::string url;
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<Worker>> workers;  // Destroyed first: coroutines use the rest.
  std::optional<tcp::acceptor> acceptor;         // On the first worker.
};

Task<void> LdapServer::State::Accept() {
  for (std::size_t next = 0;; next = (next + 1) % workers.size()) {
    asio::io_context& io = workers[next]->io;
    auto [error, socket] = co_await acceptor->async_accept(io, kAsTuple);
    if (error == asio::error::operation_aborted) co_return;
    if (error) continue;  // The client gave up, or descriptors ran out for a moment.
    if (connections >= config.connections_max) continue;
    asio::co_spawn(io, Serve(std::move(socket)), asio::detached);
  }
}

Task<bool> LdapServer::State::ReadMore(Stream& stream, std::string& in) {
  std::array<char, kReadBytes> buffer;
  const auto [error, size] = co_await stream.async_read_some(asio::buffer(buffer), kAsTuple);
  if (error) co_return false;
  in.append(buffer.data(), size);
  co_return true;
}

Task<void> LdapServer::State::Serve(tcp::socket socket) {
  const Counted counted(connections);
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  Stream stream(std::move(socket), tls.NewSession().release());
  Deadline deadline(stream.next_layer());
  deadline.Set(config.handshake_max);
  const auto [failed] = co_await stream.async_handshake(Stream::server, kAsTuple);
  if (failed) co_return;
  AcknowledgeNow(stream.next_layer());

  LdapSession session(entries, clock, config.behaviour);
  std::string in;
  std::string out;
  bool open = true;
  while (open) {
    deadline.Set(config.idle_max);
    const absl::StatusOr<BerFrame> frame = ReadBerFrame(in, session.message_bytes_max());
    if (!frame.ok()) {
      LdapSession::AppendNoticeOfDisconnection(std::string(frame.status().message()), out);
      open = false;
    } else if (frame->header_bytes == 0) {
      if (!co_await ReadMore(stream, in)) co_return;
      continue;
    } else {
      // A copy, so that liblber finds its spare byte behind the message.
      const std::string message = in.substr(frame->header_bytes, frame->content_bytes);
      in.erase(0, frame->header_bytes + frame->content_bytes);
      open = session.Handle(message, out);
    }
    if (out.empty()) continue;
    const auto [error, size] = co_await asio::async_write(stream, asio::buffer(out), kAsTuple);
    if (error) co_return;
    out.clear();
  }
  deadline.Set(std::chrono::seconds{1});
  co_await stream.async_shutdown(kAsTuple);
}

LdapServer::LdapServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

LdapServer::~LdapServer() {
  for (const auto& worker : state_->workers) worker->io.stop();
  for (const auto& worker : state_->workers) worker->thread.join();
  state_->acceptor.reset();
}

absl::StatusOr<std::unique_ptr<LdapServer>> LdapServer::Start(LdapServerConfig config,
                                                              AccountView accounts,
                                                              const Clock& clock) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(config.address, error);
  if (error || config.threads == 0) {
    return absl::InvalidArgumentError(fmt::format(
        "LDAP listen address \"{}\" must be numeric, and threads at least 1", config.address));
  }
  DT_ASSIGN_OR_RETURN(pki::TlsContext tls, pki::TlsContext::ForServer({config.identity}));
  auto state =
      std::make_unique<State>(std::move(config), std::move(accounts), clock, std::move(tls));
  for (std::size_t i = 0; i < state->config.threads; ++i) {
    state->workers.push_back(std::make_unique<State::Worker>());
  }

  const tcp::endpoint endpoint(address, state->config.port);
  tcp::acceptor& acceptor = state->acceptor.emplace(state->workers.front()->io);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(fmt::format("cannot listen for LDAP on {}:{}: {}",
                                              state->config.address, state->config.port,
                                              error.message()));
  }
  state->port = acceptor.local_endpoint(error).port();
  state->url = fmt::format("ldaps://{}:{}", state->config.address, state->port);

  asio::co_spawn(state->workers.front()->io, state->Accept(), asio::detached);
  for (const auto& worker : state->workers) {
    worker->thread = std::thread([&io = worker->io] {
      const auto busy = asio::make_work_guard(io);
      io.run();
    });
  }
  return std::unique_ptr<LdapServer>(new LdapServer(std::move(state)));
}

std::uint16_t LdapServer::port() const { return state_->port; }
std::string LdapServer::url() const { return state_->url; }

}  // namespace devicetrust::simulator
