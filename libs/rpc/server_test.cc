#include "libs/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <thread>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/trace.h"
#include "libs/rpc/async_call.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/metrics.h"
#include "libs/rpc/prepare.h"
#include "libs/rpc/server_fixture.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::rpc {
namespace {

using ::testing::HasSubstr;

// Threads of gRPC's may be in a handshake while the process exits. OpenSSL's clean-up calls this
// handler, and would take the locks away from them.
TEST(ExitDeathTest, OpenSslStaysUntilTheProcessIsGone) {
  const auto exit_while_in_use = [] {
    PrepareGrpc();
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);  // As at first use.
    OPENSSL_atexit([] { _exit(9); });
    std::exit(0);
  };
  EXPECT_EXIT(exit_while_in_use(), ::testing::ExitedWithCode(0), "");
}

TEST_F(ServerTest, LetsARoleCallItsMethodsAndNoOthers) {
  Start(Internal());
  EXPECT_EQ(Revoke(*AsComponent("policy"), "u1").value().revoked(), 1);
  EXPECT_EQ(Revoke(*As(Pem(pki_.Admin("ada"))), "u1").value().revoked(), 2);

  const auto gateway = AsComponent("gateway-2");
  DT_EXPECT_CODE(Revoke(*gateway, "u1"), kPermissionDenied);
  // Served and not listed: denied to everybody.
  DT_EXPECT_CODE(Call(*gateway, &CertificateAdminService::Stub::ListCertificates,
                      ca::v1::ListCertificatesRequest()),
                 kPermissionDenied);
  // Every component, but not a person.
  const auto get_issuers = [this](const pki::ExportableIdentity& caller) {
    const auto stub = IssuerService::NewStub(Channel(Pem(caller)));
    return Call(*stub, &IssuerService::Stub::GetIssuers, ca::v1::GetIssuersRequest());
  };
  DT_EXPECT_CODE(get_issuers(pki_.Component("gateway-2")), kUnimplemented);
  DT_EXPECT_CODE(get_issuers(pki_.Admin("ada")), kPermissionDenied);
}

TEST_F(ServerTest, RefusesCallersOfAnotherOrgOfAnotherCaAndOfNone) {
  Start(Internal());
  // Same CA, a name of another org.
  ListenerConfig other = Internal();
  other.org = "umbrella";
  FakeService service;
  const auto foreign =
      Server::Start(other, {&service},
                    {{"devicetrust.ca.v1.CertificateAdminService.RevokeForUser", {"policy"}}})
          .value();
  const auto stub = CertificateAdminService::NewStub(
      NewChannel({.address = foreign->address(),
                  .server_name = {},
                  .trust_pem = pki_.deployment_ca().certificate.Pem(),
                  .identity = Pem(pki_.Component("policy"))}));
  DT_EXPECT_CODE(Revoke(*stub, "u1"), kPermissionDenied);

  throwaway::ThrowawayPki stranger("acme", now_);
  DT_EXPECT_CODE(Revoke(*As(Pem(stranger.Component("policy"))), "u1"), kUnavailable);
  DT_EXPECT_CODE(Revoke(*As(std::nullopt), "u1"), kUnavailable);
}

TEST_F(ServerTest, AConnectionShowsWhatItsClientsFilesHoldByThen) {
  const testing::TempFolder folder;
  const auto write = [&](const Identity& identity) {
    DT_ASSERT_OK(WriteFileAtomically(folder / "me.key", identity.key_pem));
    DT_ASSERT_OK(WriteFileAtomically(folder / "me.pem", identity.certificate_pem));
  };
  write(Pem(pki_.Component("policy")));
  DT_ASSERT_OK(WriteFileAtomically(folder / "ca.pem", pki_.deployment_ca().certificate.Pem()));
  Start(Internal());
  const std::string address = server_->address();
  const auto stub = CertificateAdminService::NewStub(
      NewChannel({.address = address,
                  .server_name = {},
                  .trust_pem = {},
                  .identity = {},
                  .files = {{folder / "me.pem", folder / "me.key", folder / "ca.pem"}}}));
  EXPECT_EQ(Revoke(*stub, "u1").value().revoked(), 1);
  write(Pem(pki_.Admin("ada")));
  EXPECT_EQ(Revoke(*stub, "u1").value().revoked(), 1);  // The connection that is open.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  std::int64_t seen = 1;
  while (seen != 2 && std::chrono::steady_clock::now() < deadline) {
    server_->Stop();
    server_.reset();
    ListenerConfig again = Internal();
    again.listen = address;
    Start(again);
    const auto revoked = Revoke(*stub, "u1");
    if (revoked.ok()) seen = revoked->revoked();
  }
  EXPECT_EQ(seen, 2);
  // Files that are gone leave what was there.
  ASSERT_EQ(::unlink((folder / "me.key").c_str()), 0);
  EXPECT_EQ(Revoke(*stub, "u1").value().revoked(), 2);
}

TEST_F(ServerTest, CarriesErrorDetailsToTheClient) {
  Start(Internal());
  const auto refused = Revoke(*AsComponent("policy"), "unknown");
  DT_EXPECT_CODE(refused, kNotFound);
  EXPECT_EQ(ReasonOf(refused.status()), reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(DetailOf(refused.status())->remedy(), "Import the user.");
}

TEST_F(ServerTest, RefusesAnOversizedMessageAndServesOn) {
  ListenerConfig config = Internal();
  config.message_bytes_max = kEdgeMessageBytesMax;
  Start(config);
  const auto policy = AsComponent("policy");
  DT_EXPECT_CODE(Revoke(*policy, std::string(kEdgeMessageBytesMax + 1, 'u')), kResourceExhausted);
  DT_EXPECT_OK(Revoke(*policy, "u1"));
}

TEST_F(ServerTest, SaysNoBeyondItsCapAndRecovers) {
  ListenerConfig config = Internal();
  config.in_flight_max = 1;
  Start(config);
  const auto policy = AsComponent("policy");
  std::thread held([&] { DT_EXPECT_OK(Revoke(*policy, "held")); });
  service_.WaitInside();
  const auto refused = Revoke(*policy, "u1");
  DT_EXPECT_CODE(refused, kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused.status()), reason::v1::REASON_TOO_MANY_REQUESTS);
  service_.Open();
  held.join();
  while (server_->in_flight() != 0) std::this_thread::yield();
  DT_EXPECT_OK(Revoke(*policy, "u1"));
}

TEST_F(ServerTest, WorksUnderTheTraceIdOfTheCallOrANewOne) {
  Start(Internal());
  const auto policy = AsComponent("policy");
  const TraceId id = NewTraceId();
  {
    const TraceScope scope(id);
    DT_ASSERT_OK(Revoke(*policy, "u1"));
  }
  EXPECT_EQ(service_.seen_trace(), HexEncode(id));
  DT_ASSERT_OK(Revoke(*policy, "u1"));
  EXPECT_EQ(service_.seen_trace().size(), 32U);
  EXPECT_NE(service_.seen_trace(), HexEncode(id));
}

TEST_F(ServerTest, CountsAndMeasuresCalls) {
  const std::string service = "devicetrust.ca.v1.CertificateAdminService";
  metrics::Counter& good = kServerCalls.With({service, "RevokeForUser", "OK"});
  metrics::Counter& unknown = kServerCalls.With({service, "RevokeForUser", "NOT_FOUND"});
  metrics::Counter& refused = kServerRefused.With({"internal", "CALLER_NOT_ALLOWED"});
  const auto observed = [&] {
    std::uint64_t sum = 0;
    for (const std::uint64_t count :
         kServerSeconds.With({service, "RevokeForUser"}).Read().counts) {
      sum += count;
    }
    return sum;
  };
  const std::vector<std::uint64_t> before{good.Value(), unknown.Value(), refused.Value(),
                                          observed()};
  Start(Internal());
  DT_EXPECT_OK(Revoke(*AsComponent("policy"), "u1"));
  DT_EXPECT_CODE(Revoke(*AsComponent("policy"), "unknown"), kNotFound);
  DT_EXPECT_CODE(Revoke(*AsComponent("gateway"), "u1"), kPermissionDenied);
  EXPECT_EQ(good.Value(), before[0] + 1);
  EXPECT_EQ(unknown.Value(), before[1] + 1);
  EXPECT_EQ(refused.Value(), before[2] + 1);
  EXPECT_EQ(observed(), before[3] + 2);
  EXPECT_THAT(metrics::Exposition(), HasSubstr("dt_rpc_server_in_flight{listener=\"internal\"}"));
}

TEST_F(ServerTest, NamesTheTakenPortAndTheFlag) {
  Start(Internal());
  ListenerConfig config = Internal();
  config.listen = server_->address();
  FakeService other;
  const auto second = Server::Start(config, {&other}, {});
  DT_EXPECT_CODE(second, kFailedPrecondition);
  const std::string message(second.status().message());
  EXPECT_NE(message.find(server_->address()), std::string::npos) << message;
  EXPECT_NE(message.find("--internal-listen"), std::string::npos) << message;
  EXPECT_NE(message.find("in use"), std::string::npos) << message;
}

TEST_F(ServerTest, EndsStreamsWhenItStops) {
  Start(Internal());
  const auto gateway = RevocationFeedService::NewStub(Channel(Pem(pki_.Component("gateway-1"))));
  grpc::ClientContext context;
  const auto reader = gateway->WatchRevocations(&context, {});
  ca::v1::WatchRevocationsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  server_->Stop(std::chrono::hours(1));  // It does not wait for the drain to be over.
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(ServerTest, StopsAtOnceWhenItsClientsAreIdle) {
  Start(Internal());
  const auto policy = AsComponent("policy");
  ca::v1::RevokeForUserRequest request;
  request.set_user_id("u1");
  DT_ASSERT_OK(Call(*policy, &CertificateAdminService::Stub::RevokeForUser, request));
  server_->Stop(std::chrono::hours(1));
  DT_EXPECT_CODE(Call(*policy, &CertificateAdminService::Stub::RevokeForUser, request),
                 kUnavailable);
}

// The standard services' messages are not among Debian's headers: by field number.
TEST_F(ServerTest, TellsItsHealthToEveryone) {
  ListenerConfig edge = Internal();
  edge.client_ca_pem.clear();
  Start(edge);
  RawCall call(Channel(std::nullopt), "/grpc.health.v1.Health/Check");
  EXPECT_EQ(call.Exchange(""), std::string("\x08\x01"));  // 1: status = SERVING.
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(ServerTest, TellsAWatcherOfItsHealthThatItStops) {
  Start(Internal());
  RawCall watch(Channel(Pem(pki_.Component("policy"))), "/grpc.health.v1.Health/Watch");
  EXPECT_EQ(watch.Exchange(""), std::string("\x08\x01"));
  std::thread stop([&] { server_->Stop(std::chrono::milliseconds(200)); });
  EXPECT_EQ(watch.Read(), std::string("\x08\x02"));  // NOT_SERVING.
  stop.join();
  EXPECT_FALSE(watch.Finish().ok());
}

TEST_F(ServerTest, ReflectsItsServicesToCallersItKnows) {
  constexpr auto kMethod = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  const std::string list_services("\x3a\0", 2);  // 7: list_services = "".
  Start(Internal());
  RawCall known(Channel(Pem(pki_.Component("policy"))), kMethod);
  EXPECT_THAT(known.Exchange(list_services).value_or("none"),
              HasSubstr("devicetrust.ca.v1.CertificateAdminService"));

  ListenerConfig edge = Internal();
  edge.client_ca_pem.clear();
  Start(edge);
  RawCall unknown(Channel(std::nullopt), kMethod);
  EXPECT_EQ(unknown.Exchange(list_services), std::nullopt);
  EXPECT_EQ(unknown.Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ServerTest, RefusesAnUnknownMethodInItsList) {
  DT_EXPECT_CODE(Server::Start(Internal(), {&service_},
                               {{"devicetrust.ca.v1.CertificateAdminService.No", {}}}),
                 kInvalidArgument);
}

Task<void> RevokeAsync(CertificateAdminService::Stub& stub, std::string user, absl::Status& status,
                       std::thread::id& resumed_on) {
  ca::v1::RevokeForUserRequest request;
  request.set_user_id(user);
  const auto answer = co_await AsyncCall(
      *stub.async(), &std::remove_reference_t<decltype(*stub.async())>::RevokeForUser, request);
  status = answer.status();
  resumed_on = std::this_thread::get_id();
}

TEST_F(ServerTest, AnswersACoroutineOnItsOwnThread) {
  Start(Internal());
  const auto policy = AsComponent("policy");
  boost::asio::io_context io;
  absl::Status good = absl::UnknownError("not run");
  absl::Status bad;
  std::thread::id thread;
  co_spawn(io, RevokeAsync(*policy, "u1", good, thread), boost::asio::detached);
  co_spawn(io, RevokeAsync(*policy, "unknown", bad, thread), boost::asio::detached);
  io.run();
  DT_EXPECT_OK(good);
  EXPECT_EQ(ReasonOf(bad), reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(thread, std::this_thread::get_id());
}

}  // namespace
}  // namespace devicetrust::rpc
