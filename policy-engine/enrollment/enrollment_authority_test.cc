#include "policy-engine/enrollment/enrollment_authority.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"
#include "policy-engine/enrollment/iwa_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

TEST_F(IwaTest, AuthorizesAndRecordsTheEnrollment) {
  MakeReady();
  ASSERT_TRUE(Authorize().ok());
  EXPECT_EQ(authorized_.user_id(), user_id_);
  EXPECT_EQ(authorized_.principal(), "ada@corp.test");
  EXPECT_EQ(authorized_.platform(), v1::PLATFORM_KIND_WINDOWS);
  const auto found =
      database_->Read([](db::Transaction& txn) { return FindEnrollment(txn, "enrollment-1"); });
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->user_id, user_id_);
  EXPECT_EQ((*found)->device_id, "device-1");
  EXPECT_EQ((*found)->platform, Platform::kWindows);
}

TEST_F(IwaTest, IsIdempotentByEnrollmentAndNothingElse) {
  MakeReady();
  ASSERT_TRUE(Authorize().ok());
  ASSERT_TRUE(Authorize().ok());
  request_.set_device_id("device-2");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_CONFLICTING_STATE);
}

TEST_F(IwaTest, ReadOnlyIsRetryableAndWritesNothing) {
  MakeReady();
  v1::SetReadOnlyRequest read_only;
  read_only.set_read_only(true);
  DT_ASSERT_OK(settings_->SetReadOnly(admin_, read_only));
  const absl::Status status = Authorize();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), reason::v1::REASON_ORG_READ_ONLY);
  EXPECT_TRUE(rpc::DetailOf(status)->has_retry_after());
  const auto found =
      database_->Read([](db::Transaction& txn) { return FindEnrollment(txn, "enrollment-1"); });
  EXPECT_FALSE(found->has_value());
}

TEST_F(IwaTest, EachSwitchOfTheOrgHasItsReason) {
  MakeReady();
  ASSERT_TRUE(SetDeviceTrust(false).ok());
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_DEVICE_TRUST_OFF);
  ASSERT_TRUE(SetDeviceTrust(true).ok());

  v1::SetAdIntegrationRequest ad;
  DT_ASSERT_OK(settings_->SetAdIntegration(admin_, ad));
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_AD_INTEGRATION_INACTIVE);

  v1::SetCapabilityRequest off;
  DT_ASSERT_OK(settings_->SetCapability(admin_, off));
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_CAPABILITY_OFF);
}

TEST_F(IwaTest, AnIwaThatMayNotVouchEnrollsNobody) {
  MakeReady();
  const auto refused_for = [this](reason::v1::Reason reason) {
    const absl::Status status = Authorize();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(ReasonOf(status), reason);
  };
  request_.set_iwa_name("iwa-9");
  refused_for(reason::v1::REASON_IWA_UNKNOWN);
  request_.set_iwa_name("iwa-1");
  request_.set_kid("key-9");
  refused_for(reason::v1::REASON_TOKEN_UNKNOWN_KEY);
  request_.set_kid("key-1");
  request_.set_realm("OTHER.TEST");
  refused_for(reason::v1::REASON_UNTRUSTED_FOREST);
  request_.set_realm("CORP.TEST");
  ASSERT_TRUE(SetEnabled("iwa-1", false).ok());
  refused_for(reason::v1::REASON_IWA_DISABLED);
  ASSERT_TRUE(SetEnabled("iwa-1", true).ok());
  v1::Iwa old = NewIwa("iwa-1");
  old.set_version("1.10.9");
  ASSERT_TRUE(Register(old).ok());
  refused_for(reason::v1::REASON_IWA_TOO_OLD);
  EXPECT_EQ(EventsOf("org.iwa.disable").size(), 1u);
}

// What an IWA says of itself gives it no right: an administrator does.
TEST_F(IwaTest, VouchesForTheDomainsThatAnAdministratorGaveIt) {
  MakeReady();
  EXPECT_EQ(List()[0].granted_domains_size(), 1);
  DT_ASSERT_OK(Grant("iwa-1", {}));
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_IWA_DOMAIN_NOT_GRANTED);
  DT_ASSERT_OK(Grant("iwa-1", {"partner.test"}));
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_IWA_DOMAIN_NOT_GRANTED);
  DT_ASSERT_OK(Grant("iwa-1", {"CORP.Test", "corp.test"}));
  ASSERT_TRUE(Authorize().ok());
  EXPECT_EQ(EventsOf("org.iwa.grant").size(), 4u);
  EXPECT_EQ(EventsOf("org.iwa.grant")[3].actor().display_name(), "admin:ada");
  EXPECT_EQ(EventsOf("org.iwa.grant")[1].targets(0).display_name(), "iwa-1 may vouch for nobody");

  // Registering again, for more than it was given, changes nothing.
  v1::Iwa greedy = NewIwa("iwa-1");
  greedy.add_domains("partner.test");
  greedy.add_granted_domains("partner.test");
  ASSERT_TRUE(Register(greedy).ok());
  EXPECT_EQ(List()[0].granted_domains_size(), 1);
  request_.set_realm("PARTNER.TEST");
  request_.set_kid("key-1");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_IWA_DOMAIN_NOT_GRANTED);
}

// Its own realm's name does not open another domain's accounts to it.
TEST_F(IwaTest, VouchesForNoAccountOfAnotherDomain) {
  MakeReady();
  directory::Computer computer;
  partner_->computers = {{"S-1-5-21-4-5-6-4001", computer}};
  const std::string own = request_.computer_sid();
  request_.set_computer_sid("S-1-5-21-4-5-6-4001");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_IWA_DOMAIN_NOT_GRANTED);
  request_.set_computer_sid(own);
  request_.set_user_sid("S-1-5-21-4-5-6-1105");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_IWA_DOMAIN_NOT_GRANTED);
}

TEST_F(IwaTest, MayBeGivenDomainsBeforeItRegisters) {
  DT_ASSERT_OK(Grant("iwa-1", {"corp.test"}));
  EXPECT_EQ(List().size(), 0u);
  ASSERT_TRUE(Register(NewIwa("iwa-1")).ok());
  ASSERT_EQ(List()[0].granted_domains_size(), 1);
  EXPECT_EQ(List()[0].granted_domains(0), "corp.test");
  for (const char* wrong : {"", "corp test", ".corp.test", "corp.test.", "c\u00f6rp.test"}) {
    DT_EXPECT_CODE(Grant("iwa-1", {wrong}), kInvalidArgument) << wrong;
  }
  DT_EXPECT_CODE(Grant("IWA 1", {"corp.test"}), kInvalidArgument);
  DT_EXPECT_CODE(Grant("iwa-1", std::vector<std::string>(65, "corp.test")), kInvalidArgument);
}

TEST_F(IwaTest, AUserMustBeThereAndActive) {
  MakeReady();
  request_.set_user_sid("S-1-5-21-1-2-3-9999");
  const absl::Status unknown = Authorize();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(unknown), reason::v1::REASON_USER_UNKNOWN);
  request_.set_user_sid(kAdasSid);
  const auto set = [this](const char* column) {
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) { return txn.Run(column).status(); }));
  };
  set("UPDATE users SET from_ad = 0");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_USER_NOT_FROM_AD);
  set("UPDATE users SET status = 2");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_USER_DEACTIVATED);
}

TEST_F(IwaTest, TheDirectorysSilenceIsRetryableItsIgnoranceIsNot) {
  MakeReady();
  directory_->fault = absl::UnavailableError("timed out");
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  directory_->fault = absl::OkStatus();
  directory_->computers.clear();
  ASSERT_TRUE(Authorize().ok());
  EXPECT_EQ(authorized_.platform(), v1::PLATFORM_KIND_UNSPECIFIED);
}

TEST_F(IwaTest, AComputerOfADomainWithoutADirectoryIsRefused) {
  MakeReady();
  request_.set_computer_sid("S-1-5-21-9-9-9-4001");
  const absl::Status refused = Authorize();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(refused), reason::v1::REASON_UNTRUSTED_FOREST);
}

TEST_F(IwaTest, EveryFieldOfAnEnrollmentIsNeeded) {
  MakeReady();
  request_.clear_realm();
  EXPECT_EQ(ReasonOf(Authorize()), reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(IwaTest, JudgesEachOfABatchByItself) {
  MakeReady();
  v1::EnrollmentRequest second = request_;
  second.set_enrollment_id("enrollment-2");
  second.set_computer_sid("S-1-5-21-1-2-3-4002");
  v1::EnrollmentRequest malformed = request_;
  malformed.clear_realm();
  v1::EnrollmentRequest stranger = second;
  stranger.set_enrollment_id("enrollment-3");
  stranger.set_user_sid("S-1-5-21-1-2-3-9999");
  v1::EnrollmentRequest conflicting = request_;
  conflicting.set_device_id("device-2");
  const auto results = AuthorizeAll({request_, malformed, stranger, conflicting, second});
  ASSERT_EQ(results.size(), 5u);
  EXPECT_TRUE(results[0].ok());
  EXPECT_EQ(ReasonOf(results[1]), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(ReasonOf(results[2]), reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(ReasonOf(results[3]), reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_TRUE(results[4].ok());
  EXPECT_EQ(directory_->sids_asked.size(), 4u);
  EXPECT_EQ(directory_->searches, 1);
  for (const char* id : {"enrollment-1", "enrollment-2"}) {
    const auto found =
        database_->Read([id](db::Transaction& txn) { return FindEnrollment(txn, id); });
    EXPECT_TRUE(found.ok() && found->has_value()) << id;
  }
}

TEST_F(IwaTest, TakesOneToSixtyFourEnrollmentsInACall) {
  MakeReady();
  EXPECT_EQ(ReasonOf(AuthorizeAll({}).at(0)), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(AuthorizeAll(std::vector(64, request_)).size(), 64u);
  EXPECT_EQ(ReasonOf(AuthorizeAll(std::vector(65, request_)).at(0)),
            reason::v1::REASON_MALFORMED_REQUEST);
}

}  // namespace
}  // namespace devicetrust::policy
