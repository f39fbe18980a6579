#include "libs/net/server.h"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>
#include <thread>

#include "libs/net/stream.h"
#include "libs/testing/no_descriptors.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;

// Says "hello", then waits for the other side's end.
class HelloSession final : public Session {
 public:
  explicit HelloSession(Connection connection)
      : admission_(connection.admission), stream_(NewPlainStream(std::move(connection.socket))) {}
  Task<void> Run() override {
    if (co_await stream_->Write("hello")) co_return;
    admission_.Idle();
    std::array<char, 16> rest;
    co_await stream_->Read(asio::buffer(rest));
  }
  void CloseWhenIdle() override { Cut(); }
  void Cut() override {
    boost::system::error_code ignored;
    stream_->socket().close(ignored);
  }

 private:
  Admission& admission_;
  std::unique_ptr<Stream> stream_;
};

class NetServerTest : public ::testing::Test {
 protected:
  void Start() {
    ListenerConfig listener;
    listener.address = "127.0.0.1:0";
    listener.flag = "--test-listen";
    listener.counts = &counts_;
    listener.new_session = [](Connection connection) -> std::unique_ptr<Session> {
      return std::make_unique<HelloSession>(std::move(connection));
    };
    std::vector<ListenerConfig> listeners;
    listeners.push_back(std::move(listener));
    server_ = Server::Start(std::move(listeners), 2).value();
  }

  Counts counts_;
  std::unique_ptr<Server> server_;
  asio::io_context io_;
};

std::string Hello(Tcp::socket& socket) {
  std::array<char, 5> hello{};
  boost::system::error_code error;
  asio::read(socket, asio::buffer(hello), error);
  return error ? error.message() : std::string(hello.begin(), hello.end());
}

TEST_F(NetServerTest, ServesOnOnceThereAreDescriptorsAgain) {
  if (!testing::NoDescriptors::kPossible) GTEST_SKIP() << "the sanitizer needs descriptors";
  Start();
  std::array<Tcp::socket, 4> sockets{Tcp::socket(io_), Tcp::socket(io_), Tcp::socket(io_),
                                     Tcp::socket(io_)};
  for (Tcp::socket& socket : sockets) socket.open(Tcp::v4());
  {
    const testing::NoDescriptors none;
    for (Tcp::socket& socket : sockets) socket.connect(server_->endpoint(0));
    while (counts_.accept_failures < 3) std::this_thread::yield();
    EXPECT_EQ(counts_.connections, 0U);
  }
  for (Tcp::socket& socket : sockets) EXPECT_EQ(Hello(socket), "hello");
}

TEST_F(NetServerTest, OutOfDescriptorsTheIdleMakeRoomForOthers) {
  if (!testing::NoDescriptors::kPossible) GTEST_SKIP() << "the sanitizer needs descriptors";
  Start();
  Tcp::socket idle(io_);
  idle.connect(server_->endpoint(0));
  EXPECT_EQ(Hello(idle), "hello");
  // Both threads listen: until the one that has the idle connection meets the lack.
  std::optional<testing::NoDescriptors> none;
  std::vector<Tcp::socket> others;
  for (int i = 0; i < 64; ++i) others.emplace_back(io_).open(Tcp::v4());
  none.emplace();
  for (Tcp::socket& other : others) other.connect(server_->endpoint(0));
  char rest = 0;
  boost::system::error_code error;
  asio::read(idle, asio::buffer(&rest, 1), error);
  EXPECT_EQ(error, asio::error::eof);
  EXPECT_GE(counts_.connections_evicted, 1U);
  none.reset();
  for (Tcp::socket& other : others) EXPECT_EQ(Hello(other), "hello");
}

// A TLS server, seen by whoever speaks no TLS that it could take.
class HandshakeSession final : public Session {
 public:
  HandshakeSession(Connection connection, const pki::TlsContext& tls)
      : stream_(NewTlsStream(std::move(connection.socket), tls.NewSession(), true)) {}
  Task<void> Run() override { co_await stream_->Handshake(); }
  void CloseWhenIdle() override { Cut(); }
  void Cut() override {
    boost::system::error_code ignored;
    stream_->socket().close(ignored);
  }

 private:
  std::unique_ptr<Stream> stream_;
};

TEST_F(NetServerTest, AClientHelloThatAnnouncesTooMuchEndsTheHandshake) {
  const WallTime now = SystemClock().Now();
  const pki::Identity ca = throwaway::NewCa("CA", now);
  const pki::TlsContext tls =
      pki::TlsContext::ForServer(
          {.identity = throwaway::NewIdentity("h", pki::Usage::kServerAuth, ca, now)})
          .value();
  std::vector<ListenerConfig> listeners(1);
  listeners[0].address = "127.0.0.1:0";
  listeners[0].counts = &counts_;
  listeners[0].new_session = [&tls](Connection connection) -> std::unique_ptr<Session> {
    return std::make_unique<HandshakeSession>(std::move(connection), tls);
  };
  server_ = Server::Start(std::move(listeners), 1).value();
  const auto ends = [this](std::string_view octets) {
    Tcp::socket socket(io_);
    socket.connect(server_->endpoint(0));
    asio::write(socket, asio::buffer(octets.data(), octets.size()));
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return true;
  };
  // A record of 512 octets whose message would have 65,536: it ends though more could come.
  const std::string head("\x16\x03\x01\x02\x00\x01\x01\x00\x00", 9);
  EXPECT_TRUE(ends(head + std::string(508, '\0')));
  // A record that holds a part of the message's head.
  EXPECT_TRUE(ends(std::string("\x16\x03\x01\x00\x02\x01\x00\x16\x03", 9)));
}

}  // namespace
}  // namespace devicetrust::net
