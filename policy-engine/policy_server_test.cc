// The whole org behind its real listener: mutual TLS, roles, streams, drain, restart.
#include "policy-engine/policy_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "devicetrust/org/v1/authentication.grpc.pb.h"
#include "devicetrust/org/v1/event_hooks.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/mutex.h"
#include "libs/base/wait_until.h"
#include "libs/http/server.h"
#include "libs/pki/digest.h"
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

// What a receiver has been sent, on its own threads.
class Receiver {
 public:
  Receiver(const pki::ExportableIdentity& identity, const Clock& clock) {
    http::ListenerConfig listener;
    listener.address = "127.0.0.1:0";
    listener.flag = "--receiver-listen";
    listener.tls =
        std::make_shared<pki::TlsContext>(pki::TlsContext::ForServer({identity}).value());
    listener.handler = [this](const http::Request& request) { return Take(this, request); };
    http::ServerConfig config;
    config.listeners.push_back(std::move(listener));
    config.clock = &clock;
    server_ = http::Server::Start(std::move(config)).value();
  }
  std::string Url() const {
    return "https://localhost:" + std::to_string(server_->endpoint(0).port()) + "/events";
  }
  // The first request whose body holds `text`.
  http::Request WaitFor(const std::string& text) {
    http::Request found;
    DT_EXPECT_OK(WaitUntil(
        [&]() -> absl::StatusOr<bool> {
          const MutexLock lock(mutex_);
          for (const http::Request& request : requests_) {
            if (request.body.find(text) == std::string::npos) continue;
            found = request;
            return true;
          }
          return false;
        },
        std::chrono::milliseconds(5), std::chrono::seconds(20)));
    return found;
  }

 private:
  static Task<http::Response> Take(Receiver* self, const http::Request& request) {
    const MutexLock lock(self->mutex_);
    self->requests_.push_back(request);
    co_return http::Text(200, "taken");
  }

  Mutex mutex_;
  std::vector<http::Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<http::Server> server_;  // Last: it ends first.
};

TEST_F(PolicyServerTest, TellsAReceiverOfEventsSignedOverHttps) {
  Receiver receiver(pki_.Server("receiver", {"localhost"}), clock_);
  config_.hook_ca = folder_ / "web-ca.pem";
  config_.hook_private_addresses = true;
  Start();
  const auto hooks = v1::EventHookService::NewStub(ChannelOf("admin-ada"));
  v1::AddHookRequest request;
  request.set_name("siem");
  request.set_url(receiver.Url());
  request.set_expression(R"(eventType eq "org.settings.change")");
  const auto stranger = v1::EventHookService::NewStub(ChannelOf("gateway-1"));
  DT_EXPECT_CODE(rpc::Call(*stranger, &v1::EventHookService::Stub::AddHook, request),
                 kPermissionDenied);
  const auto added = rpc::Call(*hooks, &v1::EventHookService::Stub::AddHook, request);
  DT_ASSERT_OK(added);
  DT_ASSERT_OK(SwitchOn("admin-ada"));
  const http::Request told = receiver.WaitFor("org.settings.change");
  const auto field = [&told](const char* name) {
    return std::string(told.fields.Find(name).value_or(""));
  };
  const std::string text =
      "v1:" + field("dt-hook-timestamp") + ":" + field("dt-hook-delivery") + ":" + told.body;
  const Bytes key = HexDecode(added->secret().secret()).value();
  EXPECT_EQ(field("dt-hook-signature"), "v1=" + added->secret().key_id() + ":" +
                                            HexEncode(pki::HmacSha256(key, AsBytes(text))));
  EXPECT_EQ(told.body.find("org.hook.change"), std::string::npos);  // Not what it asked for.

  // Another CA's receiver is sent nothing.
  server_.reset();
  config_.hook_ca = folder_ / "deployment-ca.pem";
  Start();
  const auto again = v1::EventHookService::NewStub(ChannelOf("admin-ada"));
  v1::TestHookRequest test;
  test.set_name("siem");
  const auto tested = rpc::Call(*again, &v1::EventHookService::Stub::TestHook, test);
  DT_ASSERT_OK(tested);
  EXPECT_FALSE(tested->delivered());
  EXPECT_NE(tested->error().find("TLS handshake"), std::string::npos) << tested->error();
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
