#include "libs/http/server.h"

#include <optional>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/run_task.h"
#include "libs/base/snapshot.h"
#include "libs/http/client.h"
#include "libs/http/session.h"
#include "libs/net/server.h"

namespace devicetrust::http {

// What the threads share of one listener.
struct Listener {
  explicit Listener(const ListenerConfig& c) : config(c), tls(c.tls), counts(c.flag) {}

  const ListenerConfig& config;
  Snapshot<pki::TlsContext> tls;  // Of the next connection.
  Counts counts;
};

struct Server::State {
  ServerConfig config;
  std::vector<std::unique_ptr<Listener>> listeners;  // Of `config`.
  std::unique_ptr<net::Server> server;               // Its sessions use all of the above.
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(std::chrono::milliseconds{0}); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerConfig config) {
  DT_CHECK(config.clock != nullptr);
  auto state = std::make_unique<State>();
  state->config = std::move(config);
  std::vector<net::ListenerConfig> listeners;
  for (const ListenerConfig& given : state->config.listeners) {
    state->listeners.push_back(std::make_unique<Listener>(given));
    net::ListenerConfig listener;
    listener.address = given.address;
    listener.flag = given.flag;
    listener.connections_max = given.limits.connections_max;
    listener.connections_per_address_max = given.limits.connections_per_address_max;
    listener.memory_bytes_max = given.limits.memory_bytes_max;
    listener.proxies = given.proxies;
    listener.counts = &state->listeners.back()->counts;
    listener.new_session = [&shared = *state->listeners.back(), clock = state->config.clock](
                               net::Connection connection) -> std::unique_ptr<net::Session> {
      return std::make_unique<Session>(std::move(connection), shared.tls.Get(), shared.config,
                                       *clock, shared.counts);
    };
    listeners.push_back(std::move(listener));
  }
  DT_ASSIGN_OR_RETURN(state->server,
                      net::Server::Start(std::move(listeners), state->config.threads));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

void Server::ReplaceTls(std::size_t listener, std::shared_ptr<const pki::TlsContext> tls) {
  DT_CHECK(tls != nullptr && state_->config.listeners.at(listener).tls != nullptr);
  state_->listeners[listener]->tls.Set(std::move(tls));
}

std::size_t Server::listeners() const { return state_->listeners.size(); }

net::Tcp::endpoint Server::endpoint(std::size_t listener) const {
  return state_->server->endpoint(listener);
}

const std::string& Server::name(std::size_t listener) const {
  return state_->listeners.at(listener)->counts.label;
}

absl::Status Server::AskOverNetwork(std::size_t listener, std::chrono::milliseconds timeout) const {
  ClientOptions options;
  options.address = net::AddressOf(endpoint(listener));
  options.host = "localhost";  // None that it serves, perhaps: then it says so.
  options.connect = options.exchange = timeout;
  std::optional<pki::TlsContext> tls;
  if (const auto server = state_->listeners.at(listener)->tls.Get(); server != nullptr) {
    DT_ASSIGN_OR_RETURN(
        pki::TlsContext made,
        pki::TlsContext::ForClient({.trusted = {}, .exactly = server->certificate()}));
    options.tls = &tls.emplace(std::move(made));
  }
  return RunTask(Fetch(std::move(options), {})).status();
}

ServerCounters Server::counters() const {
  ServerCounters sum;
  for (const std::unique_ptr<Listener>& listener : state_->listeners) {
    const Counts& counts = listener->counts;
    sum.connections += counts.connections;
    sum.connections_refused += counts.connections_refused;
    sum.connections_evicted += counts.connections_evicted;
    sum.accept_failures += counts.accept_failures;
    sum.handshakes_failed += counts.handshakes_failed;
    sum.requests += counts.requests;
    sum.requests_refused += counts.requests_refused;
  }
  return sum;
}

void Server::Stop(std::chrono::milliseconds grace) { state_->server->Stop(grace); }

}  // namespace devicetrust::http
