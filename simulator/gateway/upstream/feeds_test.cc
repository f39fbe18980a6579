#include "simulator/gateway/upstream/feeds.h"

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/wait_until.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/gateway/fake_backend.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr WallTime kFedAt{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

// Feeds from a server in this process.
class FeedsTest : public ::testing::Test {
 protected:
  FeedsTest() { backend_.SetIssuers({ca_}); }
  ~FeedsTest() override {
    feeds_.reset();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::time_point{});
  }

  void Start() {
    grpc::ServerBuilder builder;
    builder.RegisterService(static_cast<org::v1::GatewayKeyService::Service*>(&backend_));
    builder.RegisterService(static_cast<org::v1::AppService::Service*>(&backend_));
    builder.RegisterService(static_cast<org::v1::IwaRegistryService::Service*>(&backend_));
    builder.RegisterService(static_cast<org::v1::SessionFeedService::Service*>(&backend_));
    builder.RegisterService(static_cast<ca::v1::RevocationFeedService::Service*>(&backend_));
    builder.RegisterService(static_cast<ca::v1::IssuerService::Service*>(&backend_));
    server_ = builder.BuildAndStart();
    const auto channel = server_->InProcessChannel({});
    feeds_ = std::make_unique<Feeds>(
        FeedsConfig{.org = "acme",
                    .ca_bundle = [] { return "PEM"; },
                    .org_channel = channel,
                    .ca_channel = channel,
                    .use_issuers = [this](const DeviceIssuers& issuers) { return Use(issuers); },
                    .apps_every = milliseconds{10},
                    .iwas_every = milliseconds{10},
                    .issuers_every = milliseconds{10},
                    .keys_every = milliseconds{10}},
        snapshots_, revocations_);
  }

  absl::Status Use(const DeviceIssuers& issuers) {
    issuers_used_ = static_cast<int>(issuers.certificates.size());
    ++uses_;
    return refuses_issuers_ ? absl::InvalidArgumentError("no CA of ours") : absl::OkStatus();
  }

  static void Await(const std::function<bool()>& done) {
    DT_EXPECT_OK(
        WaitUntil([&]() -> absl::StatusOr<bool> { return done(); }, milliseconds{2}, seconds{10}));
  }

  pki::Identity ca_ = throwaway::NewCa("Device CA", kFedAt);
  pki::Identity next_ca_ = throwaway::NewCa("Next Device CA", kFedAt);
  FakeBackend backend_{MakeKeys(kFedAt)};
  OrgSnapshots snapshots_;
  RevocationState revocations_{std::chrono::minutes{10}};
  std::atomic<int> issuers_used_{0};
  std::atomic<int> uses_{0};
  std::atomic<bool> refuses_issuers_{false};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Feeds> feeds_;
};

TEST_F(FeedsTest, IsReadyWhenEverythingHasArrived) {
  Start();
  ASSERT_TRUE(feeds_->WaitUntilReady(seconds{10}));
  EXPECT_NE(snapshots_.keys.Get(), nullptr);
  EXPECT_EQ(snapshots_.apps.Get()->version(), 1);
  EXPECT_THAT(*snapshots_.discovery.Get(), HasSubstr("\"ca_address\":\"127.0.0.1:7401\""));
  EXPECT_TRUE(revocations_.IsFresh());
  backend_.Revoke("0a");
  Await([&] { return revocations_.IsRevoked("0a"); });
}

TEST_F(FeedsTest, TakesIssuersOnlyWhenTheyDiffer) {
  Start();
  ASSERT_TRUE(feeds_->WaitUntilReady(seconds{10}));
  EXPECT_EQ(issuers_used_, 1);
  Await([&] { return backend_.iwa_calls > 20; });  // Many rounds later.
  EXPECT_EQ(uses_, 1);
  backend_.SetIssuers({ca_, next_ca_});
  Await([&] { return snapshots_.issuers.Get()->certificates.size() == 2; });
  EXPECT_EQ(uses_, 2);
}

// What the CA says must not take away the issuers that are in force.
TEST_F(FeedsTest, KeepsTheIssuersWhenNewOnesAreUnusable) {
  Start();
  ASSERT_TRUE(feeds_->WaitUntilReady(seconds{10}));
  backend_.SetIssuers({});
  const int calls = backend_.iwa_calls;
  Await([&] { return backend_.iwa_calls > calls + 5; });
  EXPECT_EQ(uses_, 1);
  refuses_issuers_ = true;
  backend_.SetIssuers({next_ca_});
  Await([&] { return uses_ >= 3; });  // Tried again.
  EXPECT_EQ(snapshots_.issuers.Get()->certificates.front().common_name(), "Device CA");
  refuses_issuers_ = false;
  Await([&] {
    return snapshots_.issuers.Get()->certificates.front().common_name() == "Next Device CA";
  });
}

TEST_F(FeedsTest, LogsTheBeginAndTheEndOfAnOutageOnceEach) {
  const testing::TempFolder folder;
  DT_ASSERT_OK(SetLogFile(folder / "log"));
  const auto lines_of = [&](std::string_view part) {
    const std::string text = ReadFile(folder / "log").value_or("");
    int count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++count;
    }
    return count;
  };
  backend_.iwas_fail = true;
  Start();
  // The other feeds succeed meanwhile, and end no outage but their own.
  Await([&] { return backend_.iwa_calls >= 6; });
  EXPECT_EQ(lines_of("\"event\":\"feed.down\",\"feed\":\"iwas\""), 1);
  EXPECT_EQ(lines_of("feed.up"), 0);
  backend_.iwas_fail = false;
  ASSERT_TRUE(feeds_->WaitUntilReady(seconds{10}));
  Await([&] { return lines_of("\"event\":\"feed.up\",\"feed\":\"iwas\"") == 1; });
  EXPECT_EQ(lines_of("feed.down"), 1);
}

}  // namespace
}  // namespace devicetrust::gateway
