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
#include "libs/net/connection_table.h"
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
  // Writes all of `data` as Write() does and says goodbye with it, in one packet when it is short.
  // Waits for no answer: for who has read all that the peer sent, since a socket that is closed
  // with octets unread makes the peer lose what it has not read yet.
  virtual Task<boost::system::error_code> Finish(std::string_view data) = 0;
  // Says goodbye (TLS close_notify) and waits for the peer's, under the caller's deadline.
  virtual Task<void> Close() = 0;

  virtual boost::asio::ip::tcp::socket& socket() = 0;
  // Borrowed; null on a plain stream, and on a server's before its handshake.
  virtual ssl_st* tls() = 0;
};

std::unique_ptr<Stream> NewPlainStream(boost::asio::ip::tcp::socket socket);

// OpenSSL reads and writes the socket itself, without buffers between.
std::unique_ptr<Stream> NewTlsClientStream(boost::asio::ip::tcp::socket socket,
                                           pki::SslPtr session);

// Waits for the first record of a TLS client, which stays with the kernel until it is there as a
// whole. No error: whoever speaks TLS may read it, or say what is wrong with it.
Task<boost::system::error_code> WaitForClientHello(boost::asio::ip::tcp::socket& socket);

// What a server's TLS holds for a connection, as it tells `admission`: nothing until the client's
// first record is there as a whole, and at most kTlsHandshakeBytes before the handshake is over;
// then kTlsOpenBytes, and kTlsRecordBytes for a record that came in part or that the peer does
// not take. Without room for it the step fails with asio::error::no_buffer_space. A client's first
// message may be as long as kClientHelloBytesMax. `tls` and `admission` outlive the stream.
inline constexpr std::size_t kTlsHandshakeBytes = 60 * 1024;
inline constexpr std::size_t kTlsOpenBytes = 12 * 1024;
inline constexpr std::size_t kTlsRecordBytes = 20 * 1024;
std::unique_ptr<Stream> NewTlsServerStream(boost::asio::ip::tcp::socket socket,
                                           const pki::TlsContext& tls, Admission& admission);

// Browsers of today send 0.5 to 2 KiB.
inline constexpr std::size_t kClientHelloBytesMax = 16 * 1024;

}  // namespace devicetrust::net
