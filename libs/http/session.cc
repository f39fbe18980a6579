#include "libs/http/session.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/log.h"
#include "libs/base/trace.h"
#include "libs/base/traced_task.h"
#include "libs/http/metrics.h"

namespace devicetrust::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kGoodbye{1000};
constexpr std::size_t kLingerBytesMax = 256 * 1024;
// What a message takes while it comes, for each octet of it: its text grows by doubling.
constexpr std::size_t kGrowth = 2;

constexpr std::pair<std::string_view, std::string_view> kHygiene[] = {
    {"content-security-policy",
     "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"x-content-type-options", "nosniff"},
    {"referrer-policy", "no-referrer"},
    {"cache-control", "no-store"},
    {"cross-origin-opener-policy", "same-origin"},
    {"cross-origin-resource-policy", "same-origin"},
};

std::string LabelOf(std::string_view flag) {
  constexpr std::string_view kBefore = "--";
  constexpr std::string_view kBehind = "-listen";
  if (flag.starts_with(kBefore)) flag.remove_prefix(kBefore.size());
  if (flag.ends_with(kBehind)) flag.remove_suffix(kBehind.size());
  return std::string(flag);
}

std::unique_ptr<net::Stream> NewStream(net::Connection& connection, const pki::TlsContext* tls) {
  if (tls == nullptr) return net::NewPlainStream(std::move(connection.socket));
  return net::NewTlsServerStream(std::move(connection.socket), *tls, connection.admission);
}

Response PlainError(int status, std::string_view words = "") {
  return Text(status, fmt::format("{} {}{}{}\n", status, ReasonPhrase(status),
                                  words.empty() ? "" : ": ", words));
}

// Whom a proxy's request comes from, by the last address in its field; nothing when the field is
// not there once, or ends with none.
std::optional<asio::ip::address> ClientOf(const Request& request, std::string_view field) {
  if (request.fields.Count(field) != 1) return std::nullopt;
  return LastAddress(*request.fields.Find(field));
}

}  // namespace

std::string FormatResponse(Response& response, bool tls, bool head_only, bool keep_alive,
                           WallTime now) {
  const auto& all = response.fields.all();
  if (!std::all_of(all.begin(), all.end(), [](const Field& f) { return !HasControl(f.value); })) {
    response = PlainError(500);
  }
  for (const auto& [name, value] : kHygiene) {
    if (!response.fields.Find(name)) response.fields.Add(name, value);
  }
  if (tls && !response.fields.Find("strict-transport-security")) {
    response.fields.Add("strict-transport-security", "max-age=63072000");
  }
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\n", response.status, ReasonPhrase(response.status));
  for (const Field& field : response.fields.all()) {
    text += field.name;
    text += ": ";
    text += field.value;
    text += "\r\n";
  }
  text += fmt::format("date: {}\r\n", HttpDate(now));
  if (response.status != 204 && response.status != 304) {
    const bool shared = response.shared_body.owner != nullptr;
    text += fmt::format("content-length: {}\r\n",
                        shared ? response.shared_body.octets.size() : response.body.size());
  }
  text += keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  if (!head_only && response.status != 204 && response.status != 304) text += response.body;
  return text;
}

Counts::Counts(std::string_view flag)
    : label(LabelOf(flag)),
      handshake_seconds(kHandshakeSeconds.With({label})),
      request_seconds(kRequestSeconds.With({label})) {
  const auto read = [](const std::atomic<std::uint64_t>& count) {
    return [&count] { return static_cast<double>(count.load()); };
  };
  readings_.push_back(kConnections.Read({label}, read(connections)));
  readings_.push_back(kConnectionsRefused.Read({label}, read(connections_refused)));
  readings_.push_back(kConnectionsEvicted.Read({label}, read(connections_evicted)));
  readings_.push_back(kConnectionsOpen.Read({label}, read(connections_open)));
  readings_.push_back(kAcceptFailures.Read({label}, read(accept_failures)));
  readings_.push_back(kHandshakesFailed.Read({label}, read(handshakes_failed)));
  readings_.push_back(kRequestsRefused.Read({label}, read(requests_refused)));
}

Session::Session(net::Connection connection, std::shared_ptr<const pki::TlsContext> tls,
                 const ListenerConfig& listener, const Clock& clock, Counts& counts)
    : tls_(std::move(tls)),
      admission_(connection.admission),
      stream_(NewStream(connection, tls_.get())),
      listener_(listener),
      clock_(clock),
      counts_(counts),
      deadline_(stream_->socket()) {
  connection_.peer_address = connection.peer.address();
}

void Session::CloseWhenIdle() {
  closing_ = true;
  if (idle_) Cut();
}

void Session::Cut() {
  error_code ignored;
  stream_->socket().close(ignored);
}

Task<void> Session::Run() {
  error_code error;
  // The end of a handshake and the first answer are small writes in a row: Nagle's
  // algorithm would hold the second for the peer's delayed acknowledgement, 40 ms.
  stream_->socket().set_option(asio::ip::tcp::no_delay(true), error);
  deadline_.Set(listener_.limits.handshake);
  const auto start = std::chrono::steady_clock::now();
  error = co_await stream_->Handshake();
  if (error) {
    ++counts_.handshakes_failed;
    co_return;
  }
  if (ssl_st* tls = stream_->tls()) {
    counts_.handshake_seconds.Observe(std::chrono::steady_clock::now() - start);
    connection_.tls = true;
    connection_.server_name = pki::ServerName(tls);
    if (connection_.server_name.ends_with('.')) connection_.server_name.pop_back();
    connection_.own_certificate = pki::OwnCertificate(tls);
    connection_.peer_certificate = pki::PeerCertificate(tls);
    connection_.peer_verdict = pki::PeerVerdict(tls);
  }

  if (!Hold(0)) co_return;
  buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  for (std::size_t served = 1;; ++served) {
    RequestParser parser(listener_.limits.parser);
    const ReadEnd end = co_await ReadRequest(parser);
    if (end == ReadEnd::kClosed) break;
    if (end == ReadEnd::kRefused) {
      co_await Refuse(parser.refusal());
      co_return;
    }
    ++counts_.requests;
    admission_.Busy();
    Request request = parser.Take();
    request.connection = connection_;
    if (listener_.header_proxies.Contain(connection_.peer_address)) {
      const auto client = ClientOf(request, listener_.client_address_field);
      if (!client) {
        co_await Refuse({400, "the proxy names no client"});
        co_return;
      }
      request.connection.peer_address = *client;
    }
    Response response = co_await Answer(request);
    const bool keep_alive = request.keep_alive && !response.close && !closing_ &&
                            !listener_.close_always && response.status != 400 &&
                            served < listener_.limits.requests_per_connection_max;
    // Who takes an answer slowly holds no place that others need.
    admission_.Idle();
    const bool finishes = !keep_alive && !HoldsUnread();
    const bool written =
        co_await Write(std::move(response), request.method == "HEAD", keep_alive, finishes);
    if (!written || finishes) co_return;
    if (!keep_alive) {
      deadline_.Set(kGoodbye);
      co_await Linger();
      co_return;
    }
    if (!Hold(0)) co_return;
  }
  deadline_.Set(kGoodbye);
  if (stream_->socket().is_open()) co_await stream_->Close();
}

bool Session::Hold(std::size_t message_bytes) {
  return admission_.Hold(net::Admission::Part::kProtocol, kBufferBytes + message_bytes);
}

Task<Session::ReadEnd> Session::ReadRequest(RequestParser& parser) {
  idle_ = pending_.empty();
  std::size_t received = pending_.size();
  deadline_.Set(idle_ ? listener_.limits.idle : listener_.limits.request);
  for (;;) {
    if (!pending_.empty()) {
      const Progress progress = parser.Feed(pending_);
      if (progress == Progress::kDone) co_return ReadEnd::kRequest;
      if (progress == Progress::kRefused) co_return ReadEnd::kRefused;
    }
    if (closing_ && !parser.started()) co_return ReadEnd::kClosed;
    const net::Stream::Transfer read =
        co_await stream_->Read(asio::buffer(buffer_.get(), kBufferBytes));
    if (read.error) co_return ReadEnd::kClosed;
    if (idle_) deadline_.Set(listener_.limits.request);
    idle_ = false;
    pending_ = {buffer_.get(), read.size};
    received += read.size;
    if (!Hold(kGrowth * received)) co_return ReadEnd::kClosed;
  }
}

// A browser's request begins here, and with it its trace: what a stranger says of one is not
// taken over.
Task<Response> Session::Answer(const Request& request) {
  deadline_.Set(listener_.limits.handler);
  const TraceId trace = NewTraceId();
  const auto start = std::chrono::steady_clock::now();
  Response response;
  try {
    response = co_await WithTrace(trace, listener_.handler(request));
  } catch (...) {
    // Handlers report by value; what is thrown past them is a bug of ours or std::bad_alloc.
    response = PlainError(500);
    response.close = true;
  }
  const auto took = std::chrono::steady_clock::now() - start;
  counts_.request_seconds.Observe(took);
  kResponses.With({counts_.label, fmt::format("{}", response.status)}).Add();
  const TraceScope scope(trace);
  Log(LogLevel::kDebug, "http.request",
      {{"listener", counts_.label},
       {"method", request.method},
       {"code", response.status},
       {"seconds", std::chrono::duration<double>(took).count()}});
  co_return response;
}

Task<bool> Session::Write(Response response, bool head_only, bool keep_alive, bool finishes) {
  const std::string text =
      FormatResponse(response, connection_.tls, head_only, keep_alive, clock_.Now());
  if (!Hold(text.size())) co_return false;
  const std::string_view shared = head_only ? std::string_view() : response.shared_body.octets;
  error_code error;
  if (!finishes || !shared.empty()) error = co_await stream_->Write(text);
  if (!error && !shared.empty() && !finishes) error = co_await stream_->Write(shared);
  if (!error && finishes) error = co_await stream_->Finish(shared.empty() ? text : shared);
  co_return !error;
}

bool Session::HoldsUnread() {
  if (!pending_.empty()) return true;
  char octet = 0;
  return recv(stream_->socket().native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

Task<void> Session::Linger() {
  if (!stream_->socket().is_open()) co_return;
  co_await stream_->Close();
  error_code error;
  stream_->socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  for (std::size_t lingered = 0; !error && lingered < kLingerBytesMax;) {
    const auto [failed, size] = co_await stream_->socket().async_read_some(
        asio::buffer(buffer_.get(), kBufferBytes), kAsTuple);
    error = failed;
    lingered += size;
  }
}

Task<void> Session::Refuse(const Refusal& refusal) {
  ++counts_.requests_refused;
  deadline_.Set(kGoodbye);
  Response words = listener_.refusal_page ? listener_.refusal_page(refusal)
                                          : PlainError(refusal.status, refusal.reason);
  words.status = refusal.status;
  const bool written = co_await Write(std::move(words), false, false, false);
  if (written) co_await Linger();
}

}  // namespace devicetrust::http
