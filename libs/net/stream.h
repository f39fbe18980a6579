// One connected socket, plain or TLS, behind one interface: protocols are compiled once and do
// not care. Lives on one io_context and never leaves it.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

#include "libs/base/task.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::net {

// One Read() and one Write() may be under way at once.
class Stream {
 public:
  struct Transfer {
    boost::system::error_code error;  // asio::error::eof: the peer has ended.
    std::size_t size = 0;
  };
  virtual ~Stream() = default;

  // The TLS handshake; nothing to do on a plain stream. A failure of TLS itself is of
  // asio::error::get_ssl_category().
  virtual Task<boost::system::error_code> Handshake() = 0;
  virtual Task<Transfer> Read(boost::asio::mutable_buffer into) = 0;
  // Writes all of `data`, which must outlive the call.
  virtual Task<boost::system::error_code> Write(std::string_view data) = 0;
  // Says goodbye (TLS close_notify) and waits for the peer's, under the caller's deadline.
  virtual Task<void> Close() = 0;

  virtual boost::asio::ip::tcp::socket& socket() = 0;
  virtual ssl_st* tls() = 0;  // Borrowed; null on a plain stream.
};

std::unique_ptr<Stream> NewPlainStream(boost::asio::ip::tcp::socket socket);

// OpenSSL reads and writes the socket itself, without buffers between: a connection that has not
// finished its handshake holds at most 64 KiB, and next to nothing before its first octet. A
// client's first message may be as long as kClientHelloBytesMax.
std::unique_ptr<Stream> NewTlsStream(boost::asio::ip::tcp::socket socket, pki::SslPtr session,
                                     bool server);

// Browsers of today send 0.5 to 2 KiB.
inline constexpr std::size_t kClientHelloBytesMax = 16 * 1024;

}  // namespace devicetrust::net
