#include "libs/http/stream.h"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

namespace devicetrust::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class PlainStream final : public Stream {
 public:
  explicit PlainStream(tcp::socket socket) : socket_(std::move(socket)) {}

  Task<error_code> Handshake() override { co_return error_code(); }

  Task<Transfer> Read(asio::mutable_buffer into) override {
    const auto [error, size] = co_await socket_.async_read_some(into, kAsTuple);
    co_return Transfer{error, size};
  }

  Task<error_code> Write(std::string_view data) override {
    const auto [error, size] =
        co_await asio::async_write(socket_, asio::buffer(data.data(), data.size()), kAsTuple);
    co_return error;
  }

  Task<void> Close() override {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    co_return;
  }

  tcp::socket& socket() override { return socket_; }
  ssl_st* tls() override { return nullptr; }

 private:
  tcp::socket socket_;
};

class TlsStream final : public Stream {
 public:
  using Inner = asio::ssl::stream<tcp::socket>;

  TlsStream(tcp::socket socket, pki::SslPtr session, bool server)
      : stream_(std::move(socket), session.release()),
        side_(server ? Inner::server : Inner::client) {}

  Task<error_code> Handshake() override {
    const auto [error] = co_await stream_.async_handshake(side_, kAsTuple);
    co_return error;
  }

  Task<Transfer> Read(asio::mutable_buffer into) override {
    const auto [error, size] = co_await stream_.async_read_some(into, kAsTuple);
    co_return Transfer{error, size};
  }

  Task<error_code> Write(std::string_view data) override {
    const auto [error, size] =
        co_await asio::async_write(stream_, asio::buffer(data.data(), data.size()), kAsTuple);
    co_return error;
  }

  Task<void> Close() override { co_await stream_.async_shutdown(kAsTuple); }

  tcp::socket& socket() override { return stream_.next_layer(); }
  ssl_st* tls() override { return stream_.native_handle(); }

 private:
  Inner stream_;
  Inner::handshake_type side_;
};

}  // namespace

std::unique_ptr<Stream> NewPlainStream(tcp::socket socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

std::unique_ptr<Stream> NewTlsStream(tcp::socket socket, pki::SslPtr session, bool server) {
  return std::make_unique<TlsStream>(std::move(socket), std::move(session), server);
}

}  // namespace devicetrust::http
