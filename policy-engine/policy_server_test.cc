// The whole org behind its real listener: mutual TLS, roles, streams, drain, restart.
#include "policy-engine/policy_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "devicetrust/org/v1/authentication.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/base/files.h"
#include "libs/pki/sealed_file.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class PolicyServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto* name : {"policy", "gateway-1", "iwa-1"}) pki_.Component(name);
    pki_.Admin("ada");
    DT_ASSERT_OK(pki_.WriteTo(folder_.path()));
    DT_ASSERT_OK(pki::WriteKeyEncryptionKey(folder_ / "kek", random_));
    config_.database = "sqlite:" + folder_ / "org.db";
    config_.log_database = "sqlite:" + folder_ / "log.db";
    config_.kek_file = folder_ / "kek";
    config_.internal_listen = "127.0.0.1:0";
    config_.internal_cert = folder_ / "policy.pem";
    config_.internal_key = folder_ / "policy.key";
    config_.deployment_ca = folder_ / "deployment-ca.pem";
    config_.ca_address = "127.0.0.1:1";
  }
  void Start() {
    auto server = PolicyServer::Create(config_, clock_, random_);
    DT_ASSERT_OK(server);
    server_ = *std::move(server);
  }
  // A channel of whoever's files lie under this name.
  std::shared_ptr<grpc::Channel> ChannelOf(const std::string& name) {
    rpc::ChannelConfig channel;
    channel.address = server_->addresses().front().second;
    channel.server_name = "policy.devicetrust.internal";
    channel.trust_pem = ReadFile(config_.deployment_ca).value();
    channel.identity =
        rpc::LoadIdentity(folder_ / (name + ".pem"), folder_ / (name + ".key")).value();
    return rpc::NewChannel(channel);
  }
  absl::StatusOr<v1::SetDeviceTrustResponse> SwitchOn(const std::string& who) {
    const auto stub = v1::SettingsService::NewStub(ChannelOf(who));
    v1::SetDeviceTrustRequest request;
    request.set_enabled(true);
    return rpc::Call(*stub, &v1::SettingsService::Stub::SetDeviceTrust, request);
  }

  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  Config config_;
  std::unique_ptr<PolicyServer> server_;
};

TEST_F(PolicyServerTest, ServesByRoleAndKeepsItsStateOverARestart) {
  Start();
  DT_EXPECT_CODE(SwitchOn("gateway-1"), kPermissionDenied);
  DT_ASSERT_OK(SwitchOn("admin-ada"));
  auto stub = v1::GatewayKeyService::NewStub(ChannelOf("gateway-1"));
  const auto keys = rpc::Call(*stub, &v1::GatewayKeyService::Stub::GetGatewayKeys, {});
  DT_ASSERT_OK(keys);
  auto iwa = v1::GatewayKeyService::NewStub(ChannelOf("iwa-1"));
  DT_EXPECT_CODE(rpc::Call(*iwa, &v1::GatewayKeyService::Stub::GetGatewayKeys, {}),
                 kPermissionDenied);

  server_.reset();
  Start();
  const auto settings = v1::SettingsService::NewStub(ChannelOf("gateway-1"));
  const auto after = rpc::Call(*settings, &v1::SettingsService::Stub::GetSettings, {});
  DT_ASSERT_OK(after);
  EXPECT_TRUE(after->settings().device_trust_enabled());
  EXPECT_EQ(after->settings().device_trust_changed_by(), "admin:ada");
  stub = v1::GatewayKeyService::NewStub(ChannelOf("gateway-1"));
  EXPECT_EQ(rpc::Call(*stub, &v1::GatewayKeyService::Stub::GetGatewayKeys, {})->SerializeAsString(),
            keys->SerializeAsString());
}

TEST_F(PolicyServerTest, StreamsSessionChangesWithAHeartbeatUntilDrained) {
  Start();
  const auto feed = v1::SessionFeedService::NewStub(ChannelOf("gateway-1"));
  const auto stub = v1::AuthenticationService::NewStub(ChannelOf("gateway-1"));
  grpc::ClientContext context;
  const auto reader = feed->WatchSessions(&context, v1::WatchSessionsRequest());
  v1::WatchSessionsResponse message;
  ASSERT_TRUE(reader->Read(&message));  // At once, so that a reader knows where it stands.
  EXPECT_EQ(message.changes_size(), 0);

  v1::EndSessionRequest end;
  end.set_session_id("s1");
  end.set_user_id("u1");
  DT_ASSERT_OK(rpc::Call(*stub, &v1::AuthenticationService::Stub::EndSession, end));
  do {
    ASSERT_TRUE(reader->Read(&message));
  } while (message.changes_size() == 0);
  EXPECT_EQ(message.changes(0).ended_session_id(), "s1");
  const std::int64_t seen = message.sequence();
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.changes_size(), 0);
  EXPECT_EQ(message.sequence(), seen);

  std::thread stopper([this] { server_->Stop(); });
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopper.join();
}

TEST_F(PolicyServerTest, TailsTheSystemLogLive) {
  Start();
  const auto stub = v1::SystemLogService::NewStub(ChannelOf("admin-ada"));
  grpc::ClientContext context;
  v1::TailEventsRequest request;
  request.set_after_sequence(-1);
  const auto reader = stub->TailEvents(&context, request);
  v1::TailEventsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  DT_ASSERT_OK(SwitchOn("admin-ada"));
  do {
    ASSERT_TRUE(reader->Read(&message));
  } while (message.events_size() == 0);
  EXPECT_EQ(message.events(0).type(), "org.settings.change");
  context.TryCancel();
}

TEST_F(PolicyServerTest, TheOperatorsFlagOverrulesTheStore) {
  config_.capability = false;
  Start();
  DT_ASSERT_OK(SwitchOn("admin-ada"));
  const auto list = [this] {
    const auto stub = v1::SettingsService::NewStub(ChannelOf("gateway-1"));
    return rpc::Call(*stub, &v1::SettingsService::Stub::GetSettings, {}).value().settings();
  };
  EXPECT_FALSE(list().capability_enabled());
  server_.reset();
  config_.capability = true;
  Start();
  EXPECT_TRUE(list().capability_enabled());
  server_.reset();
  config_.capability.reset();
  Start();
  EXPECT_TRUE(list().capability_enabled());
}

TEST_F(PolicyServerTest, AFullStoreRefusesChangesAndStillAnswers) {
  config_.store_bytes_max = 400'000;
  Start();
  const auto users = v1::UserService::NewStub(ChannelOf("admin-ada"));
  absl::Status full;
  for (int batch = 0; batch < 40 && full.ok(); ++batch) {
    v1::ImportUsersRequest request;
    for (int i = 0; i < 200; ++i) {
      const std::string name = std::to_string(batch * 200 + i);
      v1::UserImport& person = *request.add_users();
      person.set_sid("S-1-5-21-1-2-3-" + name);
      person.set_principal("u" + name + "@corp.test");
    }
    full = rpc::Call(*users, &v1::UserService::Stub::ImportUsers, request).status();
  }
  DT_EXPECT_CODE(full, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(full), reason::v1::REASON_STORE_FULL);
  const auto settings = v1::SettingsService::NewStub(ChannelOf("gateway-1"));
  DT_EXPECT_OK(rpc::Call(*settings, &v1::SettingsService::Stub::GetSettings, {}));
}

TEST_F(PolicyServerTest, SaysWhatIsWrongWithItsConfiguration) {
  DT_EXPECT_OK(CheckConfig(config_));
  Config bad = config_;
  bad.kek_file = folder_ / "none";
  EXPECT_NE(CheckConfig(bad).message().find("none"), absl::string_view::npos);
  bad = config_;
  bad.deployment_ca = folder_ / "kek";
  EXPECT_NE(CheckConfig(bad).message().find("--deployment-ca"), absl::string_view::npos);
  bad = config_;
  bad.internal_listen = "nowhere";
  EXPECT_NE(CheckConfig(bad).message().find("--internal-listen"), absl::string_view::npos);

  Start();
  bad = config_;
  bad.database = "sqlite:" + folder_ / "other.db";
  bad.log_database = "sqlite:" + folder_ / "other-log.db";
  bad.internal_listen = server_->addresses().front().second;
  const auto taken = PolicyServer::Create(bad, clock_, random_);
  DT_EXPECT_CODE(taken, kFailedPrecondition);
  EXPECT_NE(taken.status().message().find("--internal-listen"), absl::string_view::npos);
}

}  // namespace
}  // namespace devicetrust::policy
