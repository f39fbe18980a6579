#include "libs/net/server.h"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
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
  HelloSession(Connection connection, bool says_peer)
      : peer_(says_peer ? " " + AddressOf(connection.peer) : ""),
        admission_(connection.admission),
        stream_(NewPlainStream(std::move(connection.socket))) {}
  Task<void> Run() override {
    if (co_await stream_->Write("hello")) co_return;
    if (co_await stream_->Write(peer_)) co_return;
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
  const std::string peer_;
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
    listener.proxies = proxies_;
    listener.connections_per_address_max = per_address_max_;
    const bool says_peer = !proxies_.empty();
    listener.new_session = [says_peer](Connection connection) -> std::unique_ptr<Session> {
      return std::make_unique<HelloSession>(std::move(connection), says_peer);
    };
    std::vector<ListenerConfig> listeners;
    listeners.push_back(std::move(listener));
    server_ = Server::Start(std::move(listeners), 2).value();
  }

  Counts counts_;
  Networks proxies_;
  std::size_t per_address_max_ = 0;
  std::unique_ptr<Server> server_;
  asio::io_context io_;
};

std::string Hello(Tcp::socket& socket) {
  std::array<char, 5> hello{};
  boost::system::error_code error;
  asio::read(socket, asio::buffer(hello), error);
  return error ? error.message() : std::string(hello.begin(), hello.end());
}

// A header of the PROXY protocol for that client.
std::string HeaderFor(const asio::ip::address_v4& client) {
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
  for (const unsigned char octet : client.to_bytes()) header += static_cast<char>(octet);
  return header + std::string("\x7f\0\0\1\x04\0\x20\0", 8);
}

// What the server says to that first, up to `size` octets or its end.
std::string Answer(Tcp::socket& socket, std::string_view sent, std::size_t size) {
  boost::system::error_code error;
  asio::write(socket, asio::buffer(sent.data(), sent.size()), error);
  std::string answer(size, '\0');
  answer.resize(asio::read(socket, asio::buffer(answer), error));
  return answer;
}

// Attack 8: an address that a stranger writes shadows the one of the socket.
TEST_F(NetServerTest, TakesAClientsAddressFromAProxyAlone) {
  const std::string header = HeaderFor(asio::ip::make_address_v4("192.0.2.7"));
  const std::string expected = "hello 192.0.2.7:1024";
  {
    proxies_ = Networks::Parse({"127.0.0.0/8"}, "--from").value();
    Start();
    Tcp::socket socket(io_);
    socket.connect(server_->endpoint(0));
    EXPECT_EQ(Answer(socket, header, expected.size()), expected);
    Tcp::socket in_pieces(io_);
    in_pieces.connect(server_->endpoint(0));
    EXPECT_EQ(Answer(in_pieces, header.substr(0, 7), 0), "");
    EXPECT_EQ(Answer(in_pieces, header.substr(7), expected.size()), expected);
    for (const std::string& wrong :
         {std::string("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), std::string(28, '\0'),
          "PROXY TCP4 192.0.2.7 127.0.0.1 1024 8192\r\n" + std::string()}) {
      Tcp::socket stranger(io_);
      stranger.connect(server_->endpoint(0));
      EXPECT_EQ(Answer(stranger, wrong, 1), "") << wrong;
    }
    // The proxy looks whether we are well.
    Tcp::socket local(io_);
    local.connect(server_->endpoint(0));
    const std::string own = "hello " + AddressOf(local.local_endpoint());
    EXPECT_EQ(Answer(local, std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16), own.size()), own);
    server_.reset();
  }
  // Who is no proxy speaks for himself, whatever he sends.
  proxies_ = Networks::Parse({"192.0.2.0/24"}, "--from").value();
  Start();
  Tcp::socket socket(io_);
  socket.connect(server_->endpoint(0));
  const std::string own = "hello " + AddressOf(socket.local_endpoint());
  EXPECT_EQ(Answer(socket, header, own.size()), own);
}

TEST_F(NetServerTest, CountsTheClientsOfAProxyByTheirOwnAddresses) {
  proxies_ = Networks::Parse({"127.0.0.1"}, "--from").value();
  per_address_max_ = 2;  // One on each thread.
  Start();
  std::vector<Tcp::socket> sockets;
  for (unsigned i = 0; i < 16; ++i) {
    Tcp::socket& socket = sockets.emplace_back(io_);
    socket.connect(server_->endpoint(0));
    EXPECT_EQ(Answer(socket, HeaderFor(asio::ip::address_v4(0xc0000200 + i)), 5), "hello");
  }
  EXPECT_EQ(counts_.connections_open, 16U);
  EXPECT_EQ(counts_.connections_evicted, 0U);
}

// Who says nothing holds a place of the proxy, and goes first.
TEST_F(NetServerTest, EndsWhileAProxyIsSilent) {
  proxies_ = Networks::Parse({"127.0.0.1"}, "--from").value();
  Start();
  Tcp::socket silent(io_);
  silent.connect(server_->endpoint(0));
  while (counts_.connections_open == 0U) std::this_thread::yield();
  server_->Stop(std::chrono::milliseconds{0});
  EXPECT_EQ(Answer(silent, "", 1), "");
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
      : stream_(NewTlsServerStream(std::move(connection.socket), tls, connection.admission)) {}
  Task<void> Run() override { co_await stream_->Handshake(); }
  void CloseWhenIdle() override { Cut(); }
  void Cut() override {
    boost::system::error_code ignored;
    stream_->socket().close(ignored);
  }

 private:
  std::unique_ptr<Stream> stream_;
};

class NetTlsServerTest : public NetServerTest {
 protected:
  ~NetTlsServerTest() override { server_.reset(); }  // Its sessions use what is below.

  void StartTls() {
    std::vector<ListenerConfig> listeners(1);
    listeners[0].address = "127.0.0.1:0";
    listeners[0].counts = &counts_;
    listeners[0].memory_bytes_max = kMemoryShareMin;
    listeners[0].new_session = [this](Connection connection) -> std::unique_ptr<Session> {
      return std::make_unique<HandshakeSession>(std::move(connection), tls_);
    };
    server_ = Server::Start(std::move(listeners), 1).value();
  }

  Tcp::socket Connect(std::string_view octets) {
    Tcp::socket socket(io_);
    socket.connect(server_->endpoint(0));
    asio::write(socket, asio::buffer(octets.data(), octets.size()));
    return socket;
  }

  // What a client of ours says first.
  std::string ClientHello() {
    Tcp::acceptor acceptor(io_, {asio::ip::address_v4::loopback(), 0});
    Tcp::socket socket(io_);
    socket.connect(acceptor.local_endpoint());
    const std::unique_ptr<Stream> client =
        NewTlsClientStream(std::move(socket), client_tls_.NewClientSession("h"));
    Tcp::socket server = acceptor.accept();
    asio::co_spawn(io_, client->Handshake(), asio::detached);
    io_.poll();
    std::string hello(16 * 1024, '\0');
    hello.resize(server.read_some(asio::buffer(hello)));
    server.close();
    io_.run();
    io_.restart();
    return hello;
  }

  const WallTime now_ = SystemClock().Now();
  const pki::Identity ca_ = throwaway::NewCa("CA", now_);
  const pki::TlsContext tls_ =
      pki::TlsContext::ForServer(
          {.identity = throwaway::NewIdentity("h", pki::Usage::kServerAuth, ca_, now_)})
          .value();
  const pki::TlsContext client_tls_ =
      pki::TlsContext::ForClient({.trusted = {ca_.certificate}, .clock = &clock_}).value();

 private:
  SystemClock clock_;
};

// So many handshakes have room at once.
constexpr std::size_t kHandshakes = kMemoryShareMin / (kConnectionBytes + kTlsHandshakeBytes);

TEST_F(NetTlsServerTest, AClientHelloInPartHoldsNoRoomForAHandshake) {
  StartTls();
  const std::string hello = ClientHello();
  std::vector<Tcp::socket> parts;
  for (std::size_t i = 0; i < 2 * kHandshakes; ++i) {
    parts.push_back(Connect(hello.substr(0, 1 + i * 7 % (hello.size() - 1))));
  }
  Tcp::socket whole = Connect(hello);
  char first = 0;
  asio::read(whole, asio::buffer(&first, 1));
  EXPECT_EQ(first, '\x16');  // A handshake record.
  EXPECT_EQ(counts_.connections_evicted, 0U);
  // The rest of it may come later, octet by octet.
  const std::size_t begun = 1 + 7 % (hello.size() - 1);
  for (const char octet : hello.substr(begun)) asio::write(parts[1], asio::buffer(&octet, 1));
  asio::read(parts[1], asio::buffer(&first, 1));
  EXPECT_EQ(first, '\x16');
}

TEST_F(NetTlsServerTest, TheOldestHandshakesMakeRoomForOthers) {
  StartTls();
  const std::string hello = ClientHello();
  std::vector<Tcp::socket> begun;
  for (std::size_t i = 0; i < 2 * kHandshakes; ++i) {
    begun.push_back(Connect(hello));
    char first = 0;
    asio::read(begun.back(), asio::buffer(&first, 1));
    EXPECT_EQ(first, '\x16');
  }
  std::string rest;
  boost::system::error_code error;
  asio::read(begun.front(), asio::dynamic_buffer(rest), error);
  EXPECT_TRUE(error);  // It ended.
}

TEST_F(NetTlsServerTest, WhatIsNoTlsEndsAtOnce) {
  StartTls();
  for (const std::string_view octets : {"GET / HTTP/1.1\r\n\r\n", "\x15", "SSH-2.0-x\r\n"}) {
    Tcp::socket socket = Connect(octets);
    socket.shutdown(Tcp::socket::shutdown_send);
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    EXPECT_TRUE(error) << octets;  // An end or a reset, long before any deadline.
  }
}

TEST_F(NetTlsServerTest, AClientHelloThatAnnouncesTooMuchEndsTheHandshake) {
  StartTls();
  const auto ends = [this](std::string_view octets) {
    Tcp::socket socket = Connect(octets);
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
