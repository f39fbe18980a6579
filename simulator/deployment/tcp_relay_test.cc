#include "simulator/deployment/tcp_relay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "libs/testing/status.h"

namespace devicetrust::simulator {
namespace {

using boost::asio::ip::tcp;

// Answers each connection with what it said, until it says no more.
class EchoServer {
 public:
  EchoServer() : acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this] {
      while (true) {
        boost::system::error_code error;
        tcp::socket socket(io_);
        acceptor_.accept(socket, error);
        if (error || stopping_) return;
        std::array<char, 1024> buffer;
        while (true) {
          const std::size_t size = socket.read_some(boost::asio::buffer(buffer), error);
          if (error) break;
          boost::asio::write(socket, boost::asio::buffer(buffer, size), error);
        }
      }
    });
  }
  ~EchoServer() {
    stopping_ = true;
    tcp::socket wake(io_);
    boost::system::error_code ignored;
    wake.connect(acceptor_.local_endpoint(), ignored);
    wake.close(ignored);
    thread_.join();
  }
  std::string address() const {
    return fmt::format("127.0.0.1:{}", acceptor_.local_endpoint().port());
  }

 private:
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class RelayClient {
 public:
  explicit RelayClient(const std::string& address) : socket_(io_) {
    const std::size_t colon = address.find(':');
    socket_.connect({boost::asio::ip::make_address(address.substr(0, colon)),
                     static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)))},
                    error_);
  }
  // What comes back; empty when the connection broke.
  std::string Ask(const std::string& text) {
    boost::asio::write(socket_, boost::asio::buffer(text), error_);
    std::string answer(text.size(), '\0');
    if (!error_) boost::asio::read(socket_, boost::asio::buffer(answer), error_);
    return error_ ? "" : answer;
  }

 private:
  boost::asio::io_context io_;
  tcp::socket socket_;
  boost::system::error_code error_;
};

TEST(TcpRelayTest, PassesOnWhatIsSaid) {
  const EchoServer server;
  const auto relay = TcpRelay::Start(server.address());
  DT_ASSERT_OK(relay);
  RelayClient client((*relay)->address());
  EXPECT_EQ(client.Ask("hello"), "hello");
  EXPECT_EQ(client.Ask(std::string(100'000, 'x')).size(), 100'000U);
}

TEST(TcpRelayTest, AnswersComeLaterByTheDelay) {
  const EchoServer server;
  const auto relay = TcpRelay::Start(server.address());
  DT_ASSERT_OK(relay);
  (*relay)->SetDelay(std::chrono::milliseconds(60));
  RelayClient client((*relay)->address());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.Ask("a"), "a");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(60));
}

TEST(TcpRelayTest, ACutBreaksConnectionsAndRefusesNewOnesUntilItIsMended) {
  const EchoServer server;
  const auto relay = TcpRelay::Start(server.address());
  DT_ASSERT_OK(relay);
  RelayClient before((*relay)->address());
  EXPECT_EQ(before.Ask("a"), "a");
  (*relay)->SetCut(true);
  EXPECT_EQ(before.Ask("b"), "");
  EXPECT_EQ(RelayClient((*relay)->address()).Ask("c"), "");
  (*relay)->SetCut(false);
  EXPECT_EQ(RelayClient((*relay)->address()).Ask("d"), "d");
}

}  // namespace
}  // namespace devicetrust::simulator
