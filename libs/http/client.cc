#include "libs/http/client.h"

#include <fmt/format.h>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <charconv>

#include "libs/http/server.h"
#include "libs/http/tunnel.h"

namespace devicetrust::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

absl::Status ClientError(std::string_view step, const error_code& error,
                         const ClientOptions& options) {
  return absl::UnavailableError(
      fmt::format("{} {} ({}): {}", step, options.host, options.address, error.message()));
}

bool IsLoopbackName(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

Task<absl::StatusOr<tcp::endpoint>> ResolveAddress(std::string address) {
  const std::size_t colon = std::min(address.rfind(':'), address.size());
  const std::string host = address.substr(0, colon);
  if (IsLoopbackName(host)) address = "127.0.0.1" + address.substr(colon);
  absl::StatusOr<tcp::endpoint> endpoint = ParseEndpoint(address, "address");
  if (endpoint.ok() || colon == address.size()) co_return endpoint;
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto [error, found] =
      co_await resolver.async_resolve(host, address.substr(colon + 1), kAsTuple);
  if (error || found.empty()) {
    co_return absl::UnavailableError(fmt::format("{}: {}", address, error.message()));
  }
  co_return found.begin()->endpoint();
}

// Leaves the socket where the tunnel begins: octet by octet, since what follows the proxy's answer
// is the server's.
Task<absl::Status> OpenTunnel(tcp::socket& socket, const ClientOptions& options) {
  std::string text = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", options.address);
  if (!options.proxy_authorization.empty()) {
    text += fmt::format("Proxy-Authorization: {}\r\n", options.proxy_authorization);
  }
  text += "\r\n";
  auto [error, sent] = co_await asio::async_write(socket, asio::buffer(text), kAsTuple);
  std::string answer;
  while (!error && !answer.ends_with("\r\n\r\n") && answer.size() < kTunnelAnswerMax) {
    char octet = 0;
    const auto [failed, got] = co_await asio::async_read(socket, asio::buffer(&octet, 1), kAsTuple);
    error = failed;
    if (!error) answer += octet;
  }
  if (error) {
    co_return absl::UnavailableError(fmt::format("proxy {}: {}", options.proxy, error.message()));
  }
  const absl::Status opened = CheckTunnelAnswer(answer);
  if (opened.ok()) co_return opened;
  co_return absl::Status(opened.code(),
                         fmt::format("proxy {} opens no tunnel to {}: {}", options.proxy,
                                     options.address, std::string(opened.message())));
}

}  // namespace

Client::Client(ClientOptions options, std::unique_ptr<net::Stream> stream)
    : options_(std::move(options)), stream_(std::move(stream)), deadline_(stream_->socket()) {}

Task<absl::StatusOr<std::unique_ptr<Client>>> Client::Connect(ClientOptions options) {
  const absl::StatusOr<tcp::endpoint> endpoint =
      co_await ResolveAddress(options.proxy.empty() ? options.address : options.proxy);
  if (!endpoint.ok()) co_return endpoint.status();

  tcp::socket socket(co_await asio::this_coro::executor);
  std::unique_ptr<net::Stream> stream =
      options.tls == nullptr
          ? net::NewPlainStream(std::move(socket))
          : net::NewTlsClientStream(std::move(socket),
                                    options.tls->NewClientSession(options.host, options.identity));
  std::unique_ptr<Client> client(new Client(std::move(options), std::move(stream)));
  client->deadline_.Set(client->options_.connect);
  auto [error] = co_await client->stream_->socket().async_connect(*endpoint, kAsTuple);
  if (!error) {
    client->stream_->socket().set_option(tcp::no_delay(true), error);
    if (!client->options_.proxy.empty()) {
      const absl::Status tunnel = co_await OpenTunnel(client->stream_->socket(), client->options_);
      if (!tunnel.ok() && !client->deadline_.expired()) co_return tunnel;
    }
    error = co_await client->stream_->Handshake();
    if (error && !client->deadline_.expired() &&
        error.category() == asio::error::get_ssl_category()) {
      const std::string why = pki::PeerProblem(client->stream_->tls());
      co_return absl::UnauthenticatedError(
          fmt::format("TLS handshake with {} ({}): {}", client->options_.host,
                      client->options_.address, why.empty() ? error.message() : why));
    }
  }
  if (client->deadline_.expired()) {
    co_return absl::DeadlineExceededError(
        fmt::format("connecting to {} took too long", client->options_.address));
  }
  if (error) co_return ClientError("connect to", error, client->options_);
  co_return client;
}

std::optional<pki::Certificate> Client::server_certificate() const {
  if (stream_->tls() == nullptr) return std::nullopt;
  return pki::PeerCertificate(stream_->tls());
}

std::string Client::Format(const ClientRequest& request) const {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  if (!request.fields.Find("host")) {
    text += options_.port == 0 ? fmt::format("host: {}\r\n", options_.host)
                               : fmt::format("host: {}:{}\r\n", options_.host, options_.port);
  }
  for (const Field& field : request.fields.all()) {
    text += fmt::format("{}: {}\r\n", field.name, field.value);
  }
  if (request.method == "POST") text += fmt::format("content-length: {}\r\n", request.body.size());
  text += "\r\n";
  if (request.method == "POST") text += request.body;
  return text;
}

Task<absl::StatusOr<ParsedResponse>> Client::Send(ClientRequest request) {
  const bool was_reusable = std::exchange(reusable_, false);
  if (!was_reusable) co_return absl::UnavailableError("the connection is closed");
  deadline_.Set(options_.exchange);
  const std::string text = Format(request);
  error_code error = co_await stream_->Write(text);

  ResponseParser parser(options_.parser, request.method == "HEAD");
  while (!error) {
    const net::Stream::Transfer read = co_await stream_->Read(asio::buffer(buffer_));
    error = read.error;
    if (error == asio::error::eof && parser.Finish()) co_return parser.Take();
    std::string_view data(buffer_.data(), read.size);
    const Progress progress = parser.Feed(data);
    if (progress == Progress::kRefused) {
      co_return absl::DataLossError(
          fmt::format("answer of {}: {}", options_.host, parser.refusal().reason));
    }
    if (progress == Progress::kNeedMore) continue;
    if (!data.empty()) co_return absl::DataLossError("octets after the answer");
    ParsedResponse response = parser.Take();
    reusable_ = response.keep_alive && !error;
    deadline_.Set(std::chrono::hours{1});
    co_return response;
  }
  if (deadline_.expired()) {
    co_return absl::DeadlineExceededError(fmt::format("{} did not answer in time", options_.host));
  }
  co_return ClientError("exchange with", error, options_);
}

Task<absl::StatusOr<ParsedResponse>> Fetch(ClientOptions options, ClientRequest request) {
  request.fields.Set("connection", "close");
  const absl::StatusOr<std::unique_ptr<Client>> client =
      co_await Client::Connect(std::move(options));
  if (!client.ok()) co_return client.status();
  co_return co_await (*client)->Send(std::move(request));
}

}  // namespace devicetrust::http
