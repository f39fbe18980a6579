#include "policy-engine/users/account_watch.h"

#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kSid = "S-1-5-21-1-2-3-1105";

class AccountWatchTest : public ::testing::Test {
 protected:
  AccountWatchTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &directory_));
    directories_ = directory::Registry::Create(std::move(domains)).value();
    directory_->users[kSid].enabled = true;
    watch_ = std::make_unique<AccountWatch>(*directories_, now_);
  }
  reason::v1::Reason Check(const std::string& sid = kSid) {
    return rpc::ReasonOf(watch_->Check("ada", sid, now_));
  }

  WallTime now_{seconds{1'800'000'000}};
  testing::FakeDirectory* directory_ = nullptr;
  std::unique_ptr<directory::Registry> directories_;
  std::unique_ptr<AccountWatch> watch_;
};

TEST_F(AccountWatchTest, IsDueWhenTheLastWordIsTooOld) {
  EXPECT_TRUE(watch_->IsDue("ada", now_));  // Nothing is known yet.
  watch_->Saw("ada", now_);
  EXPECT_FALSE(watch_->IsDue("ada", now_ + minutes{15} - seconds{1}));
  EXPECT_TRUE(watch_->IsDue("ada", now_ + minutes{15}));
  now_ += minutes{15};
  EXPECT_EQ(Check(), reason::v1::REASON_UNSPECIFIED);
  EXPECT_FALSE(watch_->IsDue("ada", now_));
  EXPECT_TRUE(watch_->IsDue("bob", now_));
  watch_->Prune(now_ + minutes{75});
  EXPECT_TRUE(watch_->IsDue("ada", now_));
}

TEST_F(AccountWatchTest, SaysWhyAnAccountIsNoLongerGood) {
  directory::User& user = directory_->users[kSid];
  user.locked = true;
  EXPECT_EQ(Check(), reason::v1::REASON_ACCOUNT_LOCKED);
  user.expires_at = now_ + seconds{1};
  EXPECT_EQ(Check(), reason::v1::REASON_ACCOUNT_LOCKED);
  user.expires_at = now_;
  EXPECT_EQ(Check(), reason::v1::REASON_ACCOUNT_EXPIRED);
  user.enabled = false;
  EXPECT_EQ(Check(), reason::v1::REASON_USER_DISABLED);
  directory_->users.clear();
  EXPECT_EQ(Check(), reason::v1::REASON_USER_NOT_IN_DOMAIN);
  EXPECT_EQ(Check("S-1-5-21-9-9-9-1105"), reason::v1::REASON_USER_NOT_IN_DOMAIN);
  EXPECT_TRUE(watch_->IsDue("ada", now_));  // None of these was good.
}

// While the directory is away its last word holds for an hour longer, and then no more.
TEST_F(AccountWatchTest, ServesOnForAWhileWithoutTheDirectory) {
  watch_->Saw("ada", now_);
  directory_->fault = absl::UnavailableError("timed out");
  now_ += minutes{15};
  EXPECT_EQ(Check(), reason::v1::REASON_UNSPECIFIED);
  EXPECT_TRUE(watch_->IsDue("ada", now_));
  now_ += minutes{60} - seconds{1};
  EXPECT_EQ(Check(), reason::v1::REASON_UNSPECIFIED);
  now_ += seconds{1};
  const absl::Status away = watch_->Check("ada", kSid, now_);
  EXPECT_EQ(rpc::ReasonOf(away), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  EXPECT_TRUE(rpc::DetailOf(away)->has_retry_after());
  directory_->fault = absl::OkStatus();
  EXPECT_EQ(Check(), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);  // Nobody knows yet.
  watch_->AskAgain();
  EXPECT_EQ(Check(), reason::v1::REASON_UNSPECIFIED);
}

// A directory that hangs costs the one its time who finds that out.
TEST_F(AccountWatchTest, NobodyWaitsForADirectoryThatIsKnownToBeAway) {
  directory_->fault = absl::UnavailableError("timed out");
  for (int i = 0; i < 100; ++i, now_ += minutes{1}) Check();
  EXPECT_EQ(directory_->user_searches, 1);
  watch_->AskAgain();
  EXPECT_EQ(directory_->user_searches, 2);
  Check();
  EXPECT_EQ(directory_->user_searches, 2);
  directory_->fault = absl::OkStatus();
  directory_->users.clear();  // It answers, though not of somebody who is there.
  watch_->AskAgain();
  EXPECT_EQ(Check(), reason::v1::REASON_USER_NOT_IN_DOMAIN);
  EXPECT_EQ(directory_->user_searches, 4);
  watch_->AskAgain();  // There is nothing to ask.
  EXPECT_EQ(directory_->user_searches, 4);
}

// Of two entries with one SID, for example: that is no reason to leave others unchecked.
TEST_F(AccountWatchTest, AFaultOfOneAccountIsNotTheDirectorys) {
  directory_->fault = absl::InternalError("two accounts match");
  EXPECT_EQ(Check(), reason::v1::REASON_UNSPECIFIED);
  directory_->fault = absl::OkStatus();
  directory_->users[kSid].enabled = false;
  EXPECT_EQ(Check(), reason::v1::REASON_USER_DISABLED);
}

// A restart during an outage shuts nobody out at once.
TEST_F(AccountWatchTest, ServesOnForAWhileAfterAStart) {
  directory_->fault = absl::UnavailableError("timed out");
  EXPECT_EQ(Check(), reason::v1::REASON_UNSPECIFIED);
  now_ += minutes{60};
  EXPECT_EQ(Check(), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
}

TEST_F(AccountWatchTest, WithoutADirectoryNothingIsDue) {
  const auto none = directory::Registry::Create({}).value();
  EXPECT_FALSE(AccountWatch(*none, now_).IsDue("ada", now_));
}

}  // namespace
}  // namespace devicetrust::policy
