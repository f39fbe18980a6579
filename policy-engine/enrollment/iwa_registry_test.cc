#include "policy-engine/enrollment/iwa_registry.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"
#include "policy-engine/enrollment/iwa_fixture.h"
#include "policy-engine/enrollment/iwa_version.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

TEST_F(IwaTest, RegistersAndListsWithKeys) {
  ASSERT_TRUE(Register(NewIwa("iwa-1")).ok());
  EXPECT_TRUE(registered_.iwa().enabled());
  EXPECT_TRUE(registered_.iwa().device_trust_capable());
  ASSERT_EQ(List().size(), 1u);
  EXPECT_EQ(List()[0].keys(0).kid(), "key-1");
  EXPECT_EQ(List()[0].last_heartbeat().seconds(), UnixSeconds(kTestStart));
  EXPECT_EQ(EventsOf("org.iwa.register").size(), 1u);
}

TEST_F(IwaTest, RegisteringAgainUpdatesAndKeepsTheSwitch) {
  v1::Iwa iwa = NewIwa("iwa-1");
  ASSERT_TRUE(Register(iwa).ok());
  ASSERT_TRUE(SetEnabled("iwa-1", false).ok());
  iwa.set_address("127.0.0.1:9999");
  iwa.set_enabled(true);  // Not the IWA's to say.
  ASSERT_TRUE(Register(iwa).ok());
  ASSERT_TRUE(Register(iwa).ok());
  EXPECT_FALSE(List()[0].enabled());
  EXPECT_EQ(List()[0].address(), "127.0.0.1:9999");
  EXPECT_EQ(EventsOf("org.iwa.register").size(), 2u);  // The third said nothing new.
}

TEST_F(IwaTest, SpeaksForItselfOnly) {
  ASSERT_TRUE(Register(NewIwa("iwa-1")).ok());
  v1::RegisterIwaRequest request;
  *request.mutable_iwa() = NewIwa("iwa-1");
  v1::HeartbeatRequest beat;
  beat.set_name("iwa-1");
  for (const rpc::Caller& other : {Component("iwa-2", "iwa"), admin_}) {
    EXPECT_EQ(ReasonOf(iwas_->Register(other, request).status()),
              reason::v1::REASON_CALLER_NOT_ALLOWED);
    EXPECT_EQ(ReasonOf(iwas_->Heartbeat(other, beat).status()),
              reason::v1::REASON_CALLER_NOT_ALLOWED);
  }
}

TEST_F(IwaTest, HeartbeatsMoveTheTimeOfARegisteredOne) {
  v1::HeartbeatRequest beat;
  beat.set_name("iwa-1");
  const rpc::Caller iwa = Component("iwa-1", "iwa");
  EXPECT_EQ(ReasonOf(iwas_->Heartbeat(iwa, beat).status()), reason::v1::REASON_IWA_UNKNOWN);
  ASSERT_TRUE(Register(NewIwa("iwa-1")).ok());
  clock_.Advance(std::chrono::seconds(90));
  DT_ASSERT_OK(iwas_->Heartbeat(iwa, beat));
  EXPECT_EQ(List()[0].last_heartbeat().seconds(), UnixSeconds(clock_.Now()));
}

TEST_F(IwaTest, HeartbeatsSayWhatIsWrong) {
  DT_ASSERT_OK(Register(NewIwa("iwa-1")));
  v1::HeartbeatRequest request;
  request.set_name("iwa-1");
  request.set_problem("no directory of corp.test answers");
  DT_ASSERT_OK(iwas_->Heartbeat(Component("iwa-1", "iwa"), request));
  EXPECT_EQ(List()[0].problem(), "no directory of corp.test answers");
  request.clear_problem();
  DT_ASSERT_OK(iwas_->Heartbeat(Component("iwa-1", "iwa"), request));
  EXPECT_EQ(List()[0].problem(), "");
  request.set_problem(std::string(501, 'a'));
  DT_EXPECT_CODE(iwas_->Heartbeat(Component("iwa-1", "iwa"), request).status(), kInvalidArgument);
}

// Two of one name would sign with keys of which the org knew one set alone.
TEST_F(IwaTest, ANameIsOneStoresWhileItsIwaIsOnline) {
  v1::Iwa first = NewIwa("iwa-1");
  first.set_store_id("store-1");
  first.set_process_id("process-1");
  DT_ASSERT_OK(Register(first));
  v1::Iwa second = NewIwa("iwa-1", "key-2");
  second.set_store_id("store-2");
  second.set_process_id("process-2");
  const absl::Status taken = Register(second);
  DT_EXPECT_CODE(taken, kAlreadyExists);
  EXPECT_EQ(ReasonOf(taken), reason::v1::REASON_IWA_NAME_TAKEN);
  EXPECT_EQ(List()[0].keys(0).kid(), "key-1");

  clock_.Advance(kIwaOnlineFor);
  EXPECT_TRUE(List()[0].online());
  EXPECT_EQ(ReasonOf(Register(second)), reason::v1::REASON_IWA_NAME_TAKEN);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_FALSE(List()[0].online());
  DT_ASSERT_OK(Register(second));
  EXPECT_EQ(List()[0].keys(0).kid(), "key-2");
  EXPECT_EQ(ReasonOf(Register(first)), reason::v1::REASON_IWA_NAME_TAKEN);
}

// The store is the same, so are its keys; the process of before, which perhaps lives, is told.
TEST_F(IwaTest, ARestartTakesTheNameOverAndTheFormerProcessHearsOfIt) {
  v1::Iwa iwa = NewIwa("iwa-1");
  iwa.set_store_id("store-1");
  iwa.set_process_id("process-1");
  DT_ASSERT_OK(Register(iwa));
  v1::HeartbeatRequest former;
  former.set_name("iwa-1");
  former.set_process_id("process-1");
  DT_ASSERT_OK(iwas_->Heartbeat(Component("iwa-1", "iwa"), former));
  iwa.set_process_id("process-2");
  EXPECT_EQ(ReasonOf(Register(iwa)), reason::v1::REASON_IWA_NAME_TAKEN);  // A copy of the store.
  iwa.set_starts(1);
  DT_ASSERT_OK(Register(iwa));
  EXPECT_EQ(EventsOf("org.iwa.register").size(), 1u);  // No news.
  EXPECT_EQ(ReasonOf(iwas_->Heartbeat(Component("iwa-1", "iwa"), former).status()),
            reason::v1::REASON_IWA_NAME_TAKEN);
  former.set_process_id("process-2");
  DT_EXPECT_OK(iwas_->Heartbeat(Component("iwa-1", "iwa"), former));
}

TEST_F(IwaTest, AnIwaOfAnOlderReleaseMakesRoomForItsSuccessor) {
  DT_ASSERT_OK(Register(NewIwa("iwa-1")));
  v1::Iwa updated = NewIwa("iwa-1");
  updated.set_store_id("store-1");
  DT_EXPECT_OK(Register(updated));
}

TEST_F(IwaTest, BackupsCountUnlessTheOrgUsesPrimaryOnesAlone) {
  MakeReady();
  v1::Iwa backup = NewIwa("iwa-1");
  backup.set_primary(false);
  DT_ASSERT_OK(Register(backup));
  DT_EXPECT_OK(Authorize());
  EXPECT_FALSE(List()[0].withheld());

  v1::SetIwaFailoverRequest request;
  request.set_primary_only(true);
  DT_ASSERT_OK(settings_->SetIwaFailover(admin_, request));
  EXPECT_TRUE(List()[0].withheld());
  const absl::Status refused = Authorize();
  DT_EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_EQ(ReasonOf(refused), reason::v1::REASON_IWA_IS_BACKUP);
  const auto changes = EventsOf("org.settings.change");
  EXPECT_EQ(changes.back().targets(0).display_name(), "primary IWAs alone from off to on");

  backup.set_primary(true);
  DT_ASSERT_OK(Register(backup));
  EXPECT_FALSE(List()[0].withheld());
  DT_EXPECT_OK(Authorize());
}

TEST_F(IwaTest, OtherForestsNeedAnIwaThatJudgesTrusts) {
  MakeReady();
  DT_ASSERT_OK(Grant("iwa-1", {"corp.test", "partner.test"}));
  const std::string bobs_sid = "S-1-5-21-4-5-6-1105";
  AddPerson("bob", bobs_sid);
  request_.set_user_sid(bobs_sid);
  request_.set_computer_sid("S-1-5-21-4-5-6-4001");
  request_.set_realm("PARTNER.TEST");
  v1::Iwa iwa = NewIwa("iwa-1");
  iwa.add_domains("partner.test");
  iwa.set_version("1.12.1");
  DT_ASSERT_OK(Register(iwa));
  const absl::Status refused = Authorize();
  DT_EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_EQ(ReasonOf(refused), reason::v1::REASON_IWA_TOO_OLD);
  EXPECT_NE(refused.message().find("partner.test"), absl::string_view::npos);

  iwa.set_forest("partner.test");  // Its own forest is the other one.
  DT_ASSERT_OK(Register(iwa));
  DT_EXPECT_OK(Authorize());
  iwa.set_forest("corp.test");
  iwa.set_version("1.12.2");
  DT_ASSERT_OK(Register(iwa));
  DT_EXPECT_OK(Authorize());
}

TEST_F(IwaTest, RefusesWhatIsNoIwa) {
  const auto refused = [this](const std::function<void(v1::Iwa&)>& spoil) {
    v1::Iwa iwa = NewIwa("iwa-1");
    spoil(iwa);
    return absl::IsInvalidArgument(Register(iwa));
  };
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_address(""); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_version("new"); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_binding("ftp"); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_forest(std::string(256, 'a')); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_process_id(std::string(65, 'a')); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.clear_keys(); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.mutable_keys(0)->set_kid("other"); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.mutable_keys(0)->set_jwk("{}"); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { *iwa.add_keys() = iwa.keys(0); }));
  ASSERT_TRUE(Register(NewIwa("iwa-2", "shared")).ok());
  EXPECT_TRUE(refused([](v1::Iwa& iwa) {
    iwa.mutable_keys(0)->set_kid("shared");
    iwa.mutable_keys(0)->set_jwk(NewJwk("shared"));
  }));
}

TEST(IwaVersionTest, ComparesNumbersNotText) {
  EXPECT_LT(*IwaVersion::Parse("1.9.0"), *IwaVersion::Parse("1.12"));
  EXPECT_EQ(*IwaVersion::Parse("1.12"), *IwaVersion::Parse("1.12.0.0"));
  for (const auto* bad :
       {"", "1", "1.", ".1", "1.x", "1.2.3.4.5", "1.-2", "1.1234567890", " 1.2"}) {
    EXPECT_FALSE(IwaVersion::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace devicetrust::policy
