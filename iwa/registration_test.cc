#include "iwa/registration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "libs/testing/status.h"

namespace devicetrust::iwa {
namespace {

// An org that fails and forgets as told, and lets a test wait for calls.
class FakeOrgRegistry final : public OrgRegistry {
 public:
  absl::Status Register(const org::v1::Iwa& iwa) override {
    const std::lock_guard lock(mutex_);
    Note("register " + iwa.name() + " " + iwa.keys(0).kid());
    return answer_;
  }
  absl::Status Heartbeat(const org::v1::HeartbeatRequest& heartbeat) override {
    const std::lock_guard lock(mutex_);
    Note("heartbeat " + heartbeat.name() + " " + heartbeat.process_id() + heartbeat.problem());
    if (!forgets_) return answer_;
    forgets_ = false;
    return absl::NotFoundError("no such IWA");
  }
  void Answer(absl::Status status, bool forgets = false) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(status);
    forgets_ = forgets;
  }
  // False when no call of this text comes within 10 s from now.
  bool WaitFor(const std::string& call) {
    std::unique_lock lock(mutex_);
    calls_.clear();
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] {
      return std::find(calls_.begin(), calls_.end(), call) != calls_.end();
    });
  }

 private:
  void Note(std::string call) {
    calls_.push_back(std::move(call));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> calls_;
  absl::Status answer_;
  bool forgets_ = false;
};

class FakeReport final : public IwaReport {
 public:
  absl::StatusOr<org::v1::Iwa> Describe() override {
    const std::lock_guard lock(mutex_);
    org::v1::Iwa iwa;
    iwa.set_name("iwa-1");
    iwa.set_process_id("p1");
    iwa.add_keys()->set_kid(kid_);
    return iwa;
  }
  std::string Problem() override {
    const std::lock_guard lock(mutex_);
    return problem_;
  }
  void NoteRegistered(const org::v1::Iwa& iwa) override {
    const std::lock_guard lock(mutex_);
    registered_ = iwa.keys(0).kid();
    taken_ = false;
  }
  void NoteNameTaken(const absl::Status& /*refusal*/) override {
    const std::lock_guard lock(mutex_);
    taken_ = true;
  }
  void Set(std::string kid, std::string problem) {
    const std::lock_guard lock(mutex_);
    kid_ = std::move(kid);
    problem_ = std::move(problem);
  }
  std::string registered() {
    const std::lock_guard lock(mutex_);
    return registered_;
  }
  bool taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

 private:
  std::mutex mutex_;
  std::string kid_ = "k1";
  std::string problem_;
  std::string registered_;
  bool taken_ = false;
};

class RegistrationTest : public ::testing::Test {
 protected:
  void Start() { registration_.emplace(org_, report_, std::chrono::milliseconds(1)); }

  FakeOrgRegistry org_;
  FakeReport report_;
  std::optional<Registration> registration_;
};

TEST_F(RegistrationTest, RegistersBeforeItReturnsAndStaysKnown) {
  Start();
  EXPECT_TRUE(registration_->registered());
  EXPECT_TRUE(registration_->heard());
  EXPECT_TRUE(org_.WaitFor("heartbeat iwa-1 p1"));
}

TEST_F(RegistrationTest, RegistersOnceTheOrgIsUpAndAgainWhenItForgot) {
  org_.Answer(absl::UnavailableError("down"));
  Start();
  EXPECT_FALSE(registration_->registered());
  EXPECT_TRUE(org_.WaitFor("register iwa-1 k1"));
  org_.Answer(absl::OkStatus());
  EXPECT_TRUE(org_.WaitFor("heartbeat iwa-1 p1"));
  EXPECT_TRUE(registration_->registered());
  org_.Answer(absl::OkStatus(), /*forgets=*/true);
  EXPECT_TRUE(org_.WaitFor("register iwa-1 k1"));
  EXPECT_TRUE(org_.WaitFor("heartbeat iwa-1 p1"));
}

TEST_F(RegistrationTest, TellsOfANewKeyAtOnceAndOfWhatIsWrongWithEachHeartbeat) {
  Start();
  report_.Set("k2", " ill");
  EXPECT_TRUE(org_.WaitFor("heartbeat iwa-1 p1 ill"));
  EXPECT_EQ(report_.registered(), "k2");
}

TEST_F(RegistrationTest, HearsThatItsNameIsTakenAndThatItIsNoMore) {
  Start();
  org_.Answer(absl::AlreadyExistsError("another process has the name"));
  EXPECT_TRUE(org_.WaitFor("register iwa-1 k1"));
  EXPECT_TRUE(report_.taken());
  EXPECT_FALSE(registration_->heard());
  org_.Answer(absl::OkStatus());
  EXPECT_TRUE(org_.WaitFor("heartbeat iwa-1 p1"));
  EXPECT_FALSE(report_.taken());
}

}  // namespace
}  // namespace devicetrust::iwa
