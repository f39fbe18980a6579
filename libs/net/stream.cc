#include "libs/net/stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "libs/base/check.h"

namespace devicetrust::net {
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

  Task<error_code> Finish(std::string_view data) override {
    const error_code error = co_await Write(data);
    if (!error) co_await Close();
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

// RFC 8446, section 5.1.
constexpr unsigned char kHandshakeRecord = 22;
constexpr std::size_t kRecordHead = 5;
constexpr std::size_t kFirstRecordMax = kRecordHead + kClientHelloBytesMax;

// Looks at what a client sends before anything is encrypted. OpenSSL makes room for as long a
// message as its header announces, up to 128 KiB, also for the second ClientHello that it may ask
// for (RFC 8446, section 4.1.4).
class ClientHelloGuard {
 public:
  // False: the client announces too much.
  bool Allows(std::span<const unsigned char> data) {
    while (!data.empty() && !done_) {
      if (head_size_ < head_.size()) {
        const std::size_t taken = std::min(head_.size() - head_size_, data.size());
        std::copy_n(data.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
        head_size_ += taken;
        data = data.subspan(taken);
        done_ = head_[0] != kHandshakeRecord;  // Encrypted from here on, or an alert.
        if (done_ || head_size_ < head_.size()) break;
        const std::size_t record = Number(3, 2);
        // A header of a message in pieces: nobody sends that.
        if (record < kMessageHead) return false;
        if (head_[5] == kClientHello && Number(6, 3) > kClientHelloBytesMax) return false;
        left_ = record - kMessageHead;
      }
      const std::size_t skipped = std::min(left_, data.size());
      data = data.subspan(skipped);
      left_ -= skipped;
      if (left_ == 0) head_size_ = 0;
    }
    return true;
  }

 private:
  // RFC 8446, section 4.
  static constexpr unsigned char kClientHello = 1;
  static constexpr std::size_t kMessageHead = 4;

  std::size_t Number(std::size_t at, std::size_t size) const {
    std::size_t number = 0;
    for (std::size_t i = at; i < at + size; ++i) number = number << 8 | head_[i];
    return number;
  }

  std::array<unsigned char, 9> head_{};  // Of a record, and of the message that begins in it.
  std::size_t head_size_ = 0;
  std::size_t left_ = 0;  // Of the record.
  bool done_ = false;
};

// What a server's handshake writes at once: its whole part fits, and OpenSSL makes room for no
// more.
constexpr std::size_t kHandshakeFragmentBytes = 4 * 1024;

class TlsStream final : public Stream {
 public:
  TlsStream(tcp::socket socket, pki::SslPtr session) : socket_(std::move(socket)) {
    Take(std::move(session));
    SSL_set_connect_state(tls());
  }
  TlsStream(tcp::socket socket, const pki::TlsContext& tls, Admission& admission)
      : socket_(std::move(socket)), server_(&tls), admission_(&admission) {}

  Task<error_code> Handshake() override {
    error_code error;
    socket_.native_non_blocking(true, error);
    if (error) co_return error;
    if (server_ != nullptr) {
      error = co_await WaitForClientHello(socket_);
      if (!error && !admission_->Hold(Admission::Part::kTls, kTlsHandshakeBytes)) {
        error = asio::error::no_buffer_space;
      }
      if (error) co_return error;
      Take(server_->NewSession());
      SSL_set_accept_state(tls());
      SSL_set_max_send_fragment(tls(), kHandshakeFragmentBytes);
    }
    const auto [failed, result] = co_await Drive([this] { return SSL_do_handshake(tls()); });
    if (failed) co_return failed;
    SSL_set_read_ahead(tls(), 0);  // One step of reading then ends with its record.
    SSL_set_max_send_fragment(tls(), kRecordBytesMax);
    SSL_set_split_send_fragment(tls(), kRecordBytesMax);
    open_ = true;
    received_ = 0;
    reads_part_ = SSL_has_pending(tls()) == 1;  // Of what comes next.
    writes_part_ = false;
    co_return NoteHeld() ? error_code() : asio::error::no_buffer_space;
  }

  Task<Transfer> Read(asio::mutable_buffer into) override {
    // Who sends without a pause must not keep the thread from the others.
    if (++reads_ % kReadsInARow == 0) co_await asio::post(socket_.get_executor(), kAsTuple);
    const int size = static_cast<int>(std::min<std::size_t>(into.size(), kRecordBytesMax));
    const auto [error, result] = co_await Drive([&] { return SSL_read(tls(), into.data(), size); });
    received_ = 0;
    const bool part = !error && SSL_has_pending(tls()) == 1;
    if (part != std::exchange(reads_part_, part) && !NoteHeld()) {
      co_return Transfer{asio::error::no_buffer_space, 0};
    }
    co_return Transfer{error, static_cast<std::size_t>(result)};
  }

  Task<error_code> Write(std::string_view data) override {
    while (!data.empty()) {
      const int size = static_cast<int>(std::min<std::size_t>(data.size(), kWriteBytesMax));
      const auto [error, result] =
          co_await Drive([&] { return SSL_write(tls(), data.data(), size); });
      if (error) co_return error;
      if (writes_part_) {
        writes_part_ = false;
        NoteHeld();
      }
      data.remove_prefix(static_cast<std::size_t>(result));
    }
    co_return error_code();
  }

  Task<error_code> Finish(std::string_view data) override {
    const std::size_t last = std::min<std::size_t>(data.size(), kRecordBytesMax);
    error_code error = co_await Write(data.substr(0, data.size() - last));
    if (error) co_return error;
    gathers_ = true;
    error = co_await Write(data.substr(data.size() - last));
    if (!error) {
      ERR_clear_error();
      SSL_shutdown(tls());
      ERR_clear_error();
    }
    gathers_ = false;
    if (!error) error = co_await SendGathered();
    co_return error;
  }

  Task<void> Close() override {
    co_await Drive([this] {
      const int said = SSL_shutdown(tls());
      return said == 0 ? SSL_shutdown(tls()) : said;  // 0: now hear the peer's.
    });
  }

  tcp::socket& socket() override { return socket_; }
  ssl_st* tls() override { return session_.get(); }

 private:
  static constexpr std::size_t kRecordBytesMax = 16 * 1024;
  static constexpr std::size_t kWriteBytesMax = 1 << 20;
  static constexpr std::size_t kReadsInARow = 16;

  void Take(pki::SslPtr session) {
    session_ = std::move(session);
    BIO* bio = BIO_new(Method());
    DT_CHECK(bio != nullptr);  // Fails only when memory is gone.
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls(), bio, bio);  // Owns it.
    SSL_set_mode(tls(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Else one read lasts as long as the peer sends what carries no data (RFC 8446, section 4.6.3).
    SSL_clear_mode(tls(), SSL_MODE_AUTO_RETRY);
    // Else each record of the handshake costs two calls of the system, one for its header.
    SSL_set_read_ahead(tls(), 1);
  }

  // False: no room.
  bool NoteHeld() {
    if (admission_ == nullptr || !open_) return true;
    return admission_->Hold(
        Admission::Part::kTls,
        kTlsOpenBytes + (reads_part_ ? kTlsRecordBytes : 0) + (writes_part_ ? kTlsRecordBytes : 0));
  }

  // Repeats a step of OpenSSL until it needs nothing more of the socket.
  template <typename Step>
  Task<std::pair<error_code, int>> Drive(Step step) {
    while (true) {
      ERR_clear_error();  // Of others on this thread.
      errno = 0;
      const int result = step();
      if (result > 0) co_return std::pair(error_code(), result);
      const int why = SSL_get_error(tls(), result);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        co_return std::pair(Failure(why), 0);
      }
      bool& part = why == SSL_ERROR_WANT_READ ? reads_part_ : writes_part_;
      if (!part && (why == SSL_ERROR_WANT_WRITE || received_ > 0)) {
        part = true;
        if (!NoteHeld()) co_return std::pair(asio::error::no_buffer_space, 0);
      }
      const auto [error] = co_await socket_.async_wait(
          why == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write, kAsTuple);
      if (error) co_return std::pair(error, 0);
    }
  }

  Task<error_code> SendGathered() {
    std::string_view rest = gathered_;
    while (!rest.empty()) {
      const ssize_t put = send(socket_.native_handle(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (put > 0) {
        rest.remove_prefix(static_cast<std::size_t>(put));
        continue;
      }
      if (put < 0 && errno != EAGAIN && errno != EINTR) {
        co_return error_code(errno, asio::error::get_system_category());
      }
      if (!std::exchange(writes_part_, true) && !NoteHeld()) {
        co_return asio::error::no_buffer_space;
      }
      const auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kAsTuple);
      if (error) co_return error;
    }
    co_return error_code();
  }

  static error_code Failure(int why) {
    const int system_error = errno;
    const unsigned long tls_error = ERR_get_error();
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) return asio::error::eof;
    if (why == SSL_ERROR_SSL && ERR_GET_REASON(tls_error) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      return {static_cast<int>(tls_error), asio::error::get_ssl_category()};
    }
    if (why == SSL_ERROR_SYSCALL && system_error != 0) {
      return {system_error, asio::error::get_system_category()};
    }
    return asio::ssl::error::stream_truncated;
  }

  // OpenSSL's own socket BIO would raise SIGPIPE. The callbacks are noexcept: C calls them.
  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
      DT_CHECK(made != nullptr && BIO_meth_set_read(made, &ReadSocket) == 1 &&
               BIO_meth_set_write(made, &WriteSocket) == 1 &&
               BIO_meth_set_ctrl(made, &Control) == 1);
      return made;
    }();
    return method;
  }

  static int ReadSocket(BIO* bio, char* data, int size) noexcept {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t got =
        recv(stream.socket_.native_handle(), data, static_cast<std::size_t>(size), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    if (got == 0) stream.ended_ = true;
    if (got > 0) stream.received_ += static_cast<std::size_t>(got);
    if (got > 0 && stream.server_ != nullptr && !stream.open_ &&
        !stream.guard_.Allows(
            {reinterpret_cast<const unsigned char*>(data), static_cast<std::size_t>(got)})) {
      errno = EMSGSIZE;
      return -1;
    }
    return static_cast<int>(got);
  }

  static int WriteSocket(BIO* bio, const char* data, int size) noexcept {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (stream.gathers_) {
      try {
        stream.gathered_.append(data, static_cast<std::size_t>(size));
        return size;
      } catch (...) {
        errno = ENOMEM;
        return -1;
      }
    }
    const ssize_t put =
        send(stream.socket_.native_handle(), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(put);
  }

  static long Control(BIO* bio, int command, long /*number*/, void* /*pointer*/) noexcept {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return static_cast<TlsStream*>(BIO_get_data(bio))->ended_ ? 1 : 0;
    return 0;
  }

  tcp::socket socket_;
  const pki::TlsContext* const server_ = nullptr;  // Null: a client.
  Admission* const admission_ = nullptr;           // Of a server.
  pki::SslPtr session_;
  bool open_ = false;  // The handshake is over.
  ClientHelloGuard guard_;
  bool ended_ = false;        // The peer's end has come.
  std::size_t received_ = 0;  // Since the last record that was read as a whole.
  bool reads_part_ = false;   // OpenSSL holds a record that came in part.
  bool writes_part_ = false;  // OpenSSL holds a record that did not leave as a whole.
  std::size_t reads_ = 0;
  // Records that leave together, of Finish().
  bool gathers_ = false;
  std::string gathered_;
};

}  // namespace

Task<error_code> WaitForClientHello(tcp::socket& socket) {
  std::size_t marked = 1;
  error_code error;
  for (bool first = true;; first = false) {
    // At first it is looked at without waiting: the record often comes with the connection.
    if (!first) {
      const auto [failed] = co_await socket.async_wait(tcp::socket::wait_read, kAsTuple);
      if (failed) co_return failed;
    }
    std::array<unsigned char, kRecordHead> head;
    const ssize_t got =
        recv(socket.native_handle(), head.data(), head.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got == 0) co_return asio::error::eof;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) co_return error_code(errno, asio::error::get_system_category());
    if (head[0] != kHandshakeRecord) break;  // OpenSSL says so.
    std::size_t wanted = head.size();
    if (static_cast<std::size_t>(got) == head.size()) {
      wanted += static_cast<std::size_t>(head[3]) << 8 | head[4];
    }
    const std::size_t available = socket.available(error);
    // What will not become a whole record is OpenSSL's to refuse too.
    const bool no_more = available < marked;
    if (error || available >= wanted || wanted > kFirstRecordMax || no_more) break;
    marked = wanted;
    socket.set_option(asio::socket_base::receive_low_watermark(static_cast<int>(marked)), error);
    if (error) break;
  }
  if (marked > 1) socket.set_option(asio::socket_base::receive_low_watermark(1), error);
  co_return error_code();
}

std::unique_ptr<Stream> NewPlainStream(tcp::socket socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

std::unique_ptr<Stream> NewTlsClientStream(tcp::socket socket, pki::SslPtr session) {
  return std::make_unique<TlsStream>(std::move(socket), std::move(session));
}

std::unique_ptr<Stream> NewTlsServerStream(tcp::socket socket, const pki::TlsContext& tls,
                                           Admission& admission) {
  return std::make_unique<TlsStream>(std::move(socket), tls, admission);
}

}  // namespace devicetrust::net
