#include "libs/net/stream.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <array>

#include "libs/net/endpoint.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;

class TlsStreamTest : public ::testing::Test {
 protected:
  TlsStreamTest() {
    Tcp::acceptor acceptor(io_, {asio::ip::address_v4::loopback(), 0});
    Tcp::socket client(io_);
    client.connect(acceptor.local_endpoint());
    client.set_option(Tcp::no_delay(true));  // All that it sends is there when the server reads.
    server_ = NewTlsServerStream(acceptor.accept(), server_tls_, *admission_);
    client_ = NewTlsClientStream(std::move(client), client_tls_.NewClientSession("h"));
  }
  // Runs both to their ends.
  void Run(Task<void> one, Task<void> other) {
    asio::co_spawn(io_, std::move(one), asio::detached);
    asio::co_spawn(io_, std::move(other), asio::detached);
    io_.restart();
    io_.run();
  }
  static Task<void> Shake(Stream& stream) { EXPECT_FALSE(co_await stream.Handshake()); }

  const WallTime now_ = SystemClock().Now();
  const pki::ExportableIdentity ca_ = throwaway::NewCa("CA", now_);
  const pki::ExportableIdentity own_ =
      throwaway::NewIdentity("h", pki::Usage::kServerAuth, ca_, now_);
  const pki::TlsContext server_tls_ = pki::TlsContext::ForServer({.identity = own_}).value();
  const pki::TlsContext client_tls_ =
      pki::TlsContext::ForClient({.trusted = {}, .exactly = own_.certificate}).value();
  ConnectionTable table_{1, 0, 1 << 20};
  const std::unique_ptr<Admission> admission_ = table_.Admit(asio::ip::address_v4::loopback());
  asio::io_context io_;
  std::unique_ptr<Stream> server_;
  std::unique_ptr<Stream> client_;
};

// Such messages carry no data, and may come without an end (RFC 8446, section 4.6.3).
TEST_F(TlsStreamTest, WhoOnlyChangesKeysLeavesTheThreadToOthers) {
  constexpr int kChanges = 20;
  Run(Shake(*server_), Shake(*client_));
  for (int i = 0; i < kChanges; ++i) {
    ASSERT_EQ(SSL_key_update(client_->tls(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client_->tls()), 1);
  }
  ASSERT_EQ(SSL_write(client_->tls(), "data", 4), 4);
  std::string received;
  int turns = 0;
  const auto read = [&]() -> Task<void> {
    std::array<char, 16> buffer;
    const Stream::Transfer got = co_await server_->Read(asio::buffer(buffer));
    received.assign(buffer.data(), got.size);
  };
  const auto others = [&]() -> Task<void> {
    while (received.empty()) {
      ++turns;
      co_await asio::post(io_, kAsTuple);
    }
  };
  Run(read(), others());
  EXPECT_EQ(received, "data");
  EXPECT_GE(turns, kChanges);
}

TEST_F(TlsStreamTest, TellsWhatItHolds) {
  const std::size_t before = table_.bytes();
  Run(Shake(*server_), Shake(*client_));
  EXPECT_EQ(table_.bytes(), before + kTlsOpenBytes);
  // The peer takes no answer: a record stays here.
  std::array<char, 16> buffer;
  bool read = false;
  const std::string answer(8 << 20, 'a');
  const auto write = [&]() -> Task<void> { co_await server_->Write(answer); };
  const auto close = [&]() -> Task<void> {
    while (table_.bytes() == before + kTlsOpenBytes) co_await asio::post(io_, kAsTuple);
    EXPECT_EQ(table_.bytes(), before + kTlsOpenBytes + kTlsRecordBytes);
    read = (co_await client_->Read(asio::buffer(buffer))).size > 0;
    client_->socket().close();
  };
  Run(write(), close());
  EXPECT_TRUE(read);
}

}  // namespace
}  // namespace devicetrust::net
