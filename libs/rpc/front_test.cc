// What a listener bears before a method is reached.
#include "libs/rpc/front.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <list>

#include "libs/metrics/metrics.h"
#include "libs/rpc/server_fixture.h"
#include "libs/testing/no_descriptors.h"

namespace devicetrust::rpc {
namespace {

using ::testing::HasSubstr;

class FrontTest : public ServerTest {};

TEST_F(FrontTest, AnAgentCallsWithoutACertificateAndItsAddressIsKnown) {
  Start(Edge());
  EXPECT_EQ(Revoke(*As(std::nullopt), "u1").value().revoked(), 2);
  EXPECT_EQ(service_.seen_address(), "127.0.0.1");
  Start(Internal());
  DT_EXPECT_OK(Revoke(*AsComponent("policy"), "u1"));
  EXPECT_EQ(service_.seen_address(), "127.0.0.1");
}

TEST_F(FrontTest, KnowsAnAddressOfIpv6) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io);
  boost::system::error_code error;
  acceptor.open(boost::asio::ip::tcp::v6(), error);
  if (!error) acceptor.bind({boost::asio::ip::address_v6::loopback(), 0}, error);
  if (error) GTEST_SKIP() << "this machine has no ::1";
  for (ListenerConfig config : {Edge(), Internal()}) {
    config.listen = "[::1]:0";
    Start(config);
    const auto stub = CertificateAdminService::NewStub(
        NewChannel({.address = server_->address(),
                    .server_name = "localhost",
                    .trust_pem = pki_.deployment_ca().certificate.Pem(),
                    .identity = Pem(pki_.Component("policy"))}));
    DT_EXPECT_OK(Revoke(*stub, "u1"));
    EXPECT_EQ(service_.seen_address(), "::1") << config.name;
  }
}

TEST(PeerAddressTest, IsThatOfTheClientWithoutItsPort) {
  EXPECT_EQ(AddressOfPeer("ipv4:192.0.2.7:40312"), "192.0.2.7");
  EXPECT_EQ(AddressOfPeer("ipv6:%5B2001:db8::1%5D:40312"), "2001:db8::1");
  EXPECT_EQ(AddressOfPeer("unix-abstract:devicetrust/7/1/40312/2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(AddressOfPeer("unix:"), "");
  EXPECT_EQ(AddressOfPeer(""), "");
}

// Stands for gRPC: keeps what it is given.
class KeepingAcceptor final : public Acceptor {
 public:
  void HandleNewConnection(NewConnectionParameters* given) override { kept.push_back(given->fd); }
  std::vector<int> kept;
};

TEST(HandoverTest, ClosesWhatComesAfterTheEnd) {
  std::array<int, 2> pair{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  KeepingAcceptor acceptor;
  Handover handover(acceptor);
  EXPECT_TRUE(handover.Give(pair[0]));
  handover.End();
  EXPECT_FALSE(handover.Give(pair[1]));
  EXPECT_EQ(acceptor.kept, std::vector<int>{pair[0]});
  char octet = 0;
  EXPECT_EQ(recv(pair[0], &octet, 1, 0), 0);  // The other end is closed.
  close(pair[0]);
}

// A client may use its port again before anybody has seen the end of its last connection.
TEST(NewcomersTest, OneThatEndsTakesNoOtherOfItsPeerAlong) {
  const std::string peer = "ipv4:192.0.2.7:40312";
  std::string called;
  Newcomers newcomers;
  const Newcomers::Newcomer first = newcomers.Add(peer, [&] { called += "first"; });
  const Newcomers::Newcomer second = newcomers.Add(peer, [&] { called += "second"; });
  newcomers.Remove(peer, first);
  EXPECT_TRUE(newcomers.any());
  newcomers.Called(peer);
  newcomers.Called(peer);
  EXPECT_EQ(called, "second");
  EXPECT_FALSE(newcomers.any());
}

TEST_F(FrontTest, RefusesACompressedMessageAndServesOn) {
  for (const ListenerConfig& config : {Edge(), Internal()}) {
    Start(config);
    const auto stub = AsComponent("policy");
    for (const grpc_compression_algorithm packed : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
      grpc::ClientContext context;
      PrepareCall(context);
      context.set_compression_algorithm(packed);
      ca::v1::RevokeForUserRequest request;
      request.set_user_id(std::string(500, 'u'));
      ca::v1::RevokeForUserResponse answer;
      EXPECT_EQ(stub->RevokeForUser(&context, request, &answer).error_code(),
                grpc::StatusCode::UNIMPLEMENTED)
          << config.name;
    }
    DT_EXPECT_OK(Revoke(*stub, "u1"));
  }
}

// Connections that only wait, as harmless as they come.
class Waiting {
 public:
  Waiting(const std::string& address, std::size_t count) {
    const std::uint16_t port =
        static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    const boost::asio::ip::tcp::endpoint server(boost::asio::ip::address_v4::loopback(), port);
    for (std::size_t i = 0; i < count; ++i) {
      boost::asio::ip::tcp::socket& socket = sockets_.emplace_back(io_);
      socket.connect(server);
      // Nothing, or a ClientHello that stops.
      if (i % 2 == 0) boost::asio::write(socket, boost::asio::buffer("\x16\x03\x01\x02", 5));
    }
  }
  void WaitUntilAllHaveEnded() {
    for (auto& socket : sockets_) {
      std::string rest;
      boost::system::error_code error;
      boost::asio::read(socket, boost::asio::dynamic_buffer(rest), error);
    }
  }

 private:
  boost::asio::io_context io_;
  std::vector<boost::asio::ip::tcp::socket> sockets_;
};

TEST_F(FrontTest, SilentConnectionsAndASilentCallEndAndOthersAreServedMeanwhile) {
  for (ListenerConfig config : {Edge(), Internal()}) {
    config.connections.handshake = std::chrono::milliseconds(500);
    config.connections.message = std::chrono::milliseconds(500);
    Start(config);
    Waiting silent(server_->address(), 300);  // More than one address may have.
    // Only headers. Of a component that has proven who it is, nothing is cut.
    RawCall call(Channel(Pem(pki_.Component("policy"))),
                 "/devicetrust.ca.v1.CertificateAdminService/RevokeForUser");
    DT_EXPECT_OK(Revoke(*AsComponent("policy"), "u1"));
    silent.WaitUntilAllHaveEnded();
    if (config.name == "edge") {
      EXPECT_EQ(call.Read(), std::nullopt);
      EXPECT_FALSE(call.Finish().ok());
    }
    DT_EXPECT_OK(Revoke(*AsComponent("policy"), "u1"));
  }
}

TEST_F(FrontTest, ANewConnectionTakesThePlaceOfOneWithoutACall) {
  for (ListenerConfig config : {Edge(), Internal()}) {
    config.connections.connections_max = 4;
    config.connections.connections_per_address_max = 0;
    Start(config);
    const auto first = AsComponent("policy");
    DT_EXPECT_OK(Revoke(*first, "u1"));
    Waiting silent(server_->address(), 8);
    DT_EXPECT_OK(Revoke(*AsComponent("policy"), "u1"));
  }
}

// Strangers come by the dozen while a component makes its first call.
TEST_F(FrontTest, AComponentThatHasCalledIsNotCutForOthers) {
  ListenerConfig config = Internal();
  config.connections.connections_max = 4;
  config.connections.connections_per_address_max = 0;
  Start(config);
  const std::string name = "dt_rpc_connections_total{listener=\"internal\"} ";
  const auto accepted = [&name] {
    const std::string text = metrics::Exposition();
    return std::stoi(text.substr(text.find(name) + name.size()));
  };
  const int before = accepted();
  const auto stub = AsComponent("policy");
  DT_EXPECT_OK(Revoke(*stub, "u1"));
  for (int i = 0; i < 8; ++i) {
    const Waiting silent(server_->address(), 8);
    DT_EXPECT_OK(Revoke(*stub, "u1"));
  }
  EXPECT_LE(accepted() - before, 1 + 8 * 8);  // It did not have to come again.
}

double Evicted(const std::string& listener) {
  const std::string text = metrics::Exposition();
  const std::string line = "dt_rpc_connections_evicted_total{listener=\"" + listener + "\"} ";
  return std::stod(text.substr(text.find(line) + line.size()));
}

TEST_F(FrontTest, CallsThatWaitWithMuchMakeRoomForOthers) {
  ListenerConfig config = Edge();
  config.connections.connections_per_address_max = 0;
  config.connections.memory_bytes_max = 0;  // The least: 2 MiB a thread.
  Start(config);
  EXPECT_EQ(Evicted("edge"), 0);
  std::list<RawCall> calls;
  while (Evicted("edge") == 0) {
    calls.emplace_back(Channel(std::nullopt),
                       "/devicetrust.ca.v1.CertificateAdminService/RevokeForUser");
    DT_EXPECT_OK(Revoke(*As(std::nullopt), "u1"));
  }
  EXPECT_GT(calls.size(), 20U);
  EXPECT_FALSE(calls.front().Finish().ok());
}

TEST_F(FrontTest, BothListenersServeOnOnceThereAreDescriptorsAgain) {
  if (!testing::NoDescriptors::kPossible) GTEST_SKIP() << "the sanitizer needs descriptors";
  for (const ListenerConfig& config : {Edge(), Internal()}) {
    Start(config);
    const std::string failures = "dt_rpc_accept_failures_total{listener=\"" + config.name + "\"} ";
    const std::string none_yet = failures + "0\n";
    ASSERT_THAT(metrics::Exposition(), HasSubstr(none_yet));
    boost::asio::io_context io;
    boost::asio::ip::tcp::socket waiting(io);
    waiting.open(boost::asio::ip::tcp::v4());
    {
      const testing::NoDescriptors none;
      const auto port = server_->address().substr(server_->address().rfind(':') + 1);
      waiting.connect(
          {boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(port))});
      while (metrics::Exposition().find(none_yet) != std::string::npos) std::this_thread::yield();
    }
    DT_EXPECT_OK(Revoke(*AsComponent("policy"), "u1"));
  }
}

TEST_F(FrontTest, AsksItsOwnListenersOverTheNetwork) {
  for (const ListenerConfig& config : {Edge(), Internal()}) {
    Start(config);
    DT_EXPECT_OK(server_->AskOverNetwork(std::chrono::seconds(10)));
    server_->Stop();
    EXPECT_FALSE(server_->AskOverNetwork(std::chrono::milliseconds(50)).ok());
  }
}

constexpr char kRevoke[] = "/devicetrust.ca.v1.CertificateAdminService/RevokeForUser";

class ReluctantClientTest : public FrontTest {
 protected:
  // Of a client whose windows hold no answer as long as it does not ask for it.
  std::shared_ptr<grpc::Channel> ReluctantChannel() {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = pki_.deployment_ca().certificate.Pem();
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::SslCredentials(options), arguments);
  }
};

TEST_F(ReluctantClientTest, AnAnswerThatIsNotTakenEndsItsConnection) {
  ListenerConfig config = Edge();
  config.connections.message = std::chrono::milliseconds(200);
  Start(config);
  const std::string none_yet =
      "dt_rpc_connections_cut_total{listener=\"edge\",reason=\"deadline\"} ";
  const auto cut = [&] {
    const std::string text = metrics::Exposition();
    return text.substr(text.find(none_yet) + none_yet.size(), 8);
  };
  const std::string before = cut();
  RawCall call(ReluctantChannel(), kRevoke);
  ASSERT_TRUE(call.Send(""));
  while (cut() == before) std::this_thread::yield();
  EXPECT_EQ(call.Read(), std::nullopt);
}

TEST_F(ReluctantClientTest, WhoTakesNoAnswersLeavesRoomForOthers) {
  ListenerConfig config = Edge();
  config.in_flight_max = 8;
  config.connections.message = std::chrono::minutes(10);
  Start(config);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  std::vector<std::unique_ptr<RawCall>> calls;
  for (int i = 0; i < 6; ++i) {
    channels.push_back(ReluctantChannel());
    for (int j = 0; j < 4; ++j) {
      calls.push_back(std::make_unique<RawCall>(channels.back(), kRevoke));
      calls.back()->Send("");
    }
  }
  absl::Status status = absl::UnknownError("not tried");
  const auto honest = As(std::nullopt);
  for (int i = 0; i < 100 && !status.ok(); ++i) status = Revoke(*honest, "u1").status();
  DT_EXPECT_OK(status);
}

TEST_F(FrontTest, WhoHasTooManyUnfinishedCallsIsCutAndOthersAreServed) {
  ListenerConfig config = Edge();
  config.in_flight_max = 4;
  Start(config);
  for (int i = 0; i < 20; ++i) {
    const auto channel = Channel(std::nullopt);
    RawCall first(channel, kRevoke);
    RawCall second(channel, kRevoke);
    RawCall third(channel, kRevoke);
    EXPECT_FALSE(first.Finish().ok());
    DT_EXPECT_OK(Revoke(*As(std::nullopt), "u1"));
  }
}

TEST_F(FrontTest, HealthIsWatchedByComponentsAlone) {
  Start(Edge());
  {
    RawCall call(Channel(std::nullopt), "/grpc.health.v1.Health/Watch");
    EXPECT_EQ(call.Exchange(""), std::nullopt);
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  Start(Internal());
  RawCall call(Channel(Pem(pki_.Component("policy"))), "/grpc.health.v1.Health/Watch");
  EXPECT_EQ(call.Exchange(""), "\x08\x01");
}

}  // namespace
}  // namespace devicetrust::rpc
