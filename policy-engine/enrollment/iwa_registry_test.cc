#include "policy-engine/enrollment/iwa_registry.h"

#include <gtest/gtest.h>

#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"
#include "policy-engine/enrollment/enrollment_authority.h"
#include "policy-engine/enrollment/enrollment_store.h"
#include "policy-engine/enrollment/iwa_version.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string NewJwk(const std::string& kid) {
  const auto key = pki::PrivateKey::Generate(pki::KeyType::kP256).value();
  return token::ToJwk(key.public_key(), kid).value();
}

class IwaTest : public OrgFixture {
 protected:
  IwaTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &directory_));
    domains.push_back(
        testing::NewFakeDomain("partner.test", "PARTNER", "S-1-5-21-4-5-6", &partner_));
    directories_ = directory::Registry::Create(std::move(domains)).value();
    directory::Computer computer;
    computer.operating_system = "Windows 10 Enterprise";
    directory_->computers = {{"S-1-5-21-1-2-3-4001", computer}, {"S-1-5-21-1-2-3-4002", computer}};
    enrollments_.emplace(*database_, *store_, clock_, *directories_);
  }

  static constexpr const char* kAdasSid = "S-1-5-21-1-2-3-1105";
  std::string AddPerson(const std::string& name, const std::string& sid) {
    v1::UserImport person;
    person.set_sid(sid);
    person.set_principal(name + "@corp.test");
    person.set_account_name(name);
    return database_
        ->Write([&](db::Transaction& txn) -> absl::StatusOr<std::string> {
          GroupChanges changes;
          DT_ASSIGN_OR_RETURN(std::string id, StoreUser(txn, person, "id-" + name, changes));
          DT_RETURN_IF_ERROR(changes.Write(txn));
          return id;
        })
        .value();
  }

  static v1::Iwa NewIwa(const std::string& name, const std::string& kid = "key-1") {
    v1::Iwa iwa;
    iwa.set_name(name);
    iwa.set_address("127.0.0.1:7301");
    iwa.set_spn("HTTP/iwa.corp.test");
    iwa.set_version("1.12.2");
    iwa.set_binding("https");
    iwa.add_domains("corp.test");
    v1::IwaKey& key = *iwa.add_keys();
    key.set_kid(kid);
    key.set_jwk(NewJwk(kid));
    return iwa;
  }
  absl::Status Register(const v1::Iwa& iwa) {
    v1::RegisterIwaRequest request;
    *request.mutable_iwa() = iwa;
    const auto registered = iwas_->Register(Component(iwa.name(), "iwa"), request);
    if (registered.ok()) registered_ = *registered;
    return registered.status();
  }
  absl::Status SetEnabled(const std::string& name, bool enabled) {
    v1::SetIwaEnabledRequest request;
    request.set_name(name);
    request.set_enabled(enabled);
    return iwas_->SetEnabled(admin_, request).status();
  }
  std::vector<v1::Iwa> List() {
    const auto list = iwas_->List();
    DT_EXPECT_OK(list);
    return {list->iwas().begin(), list->iwas().end()};
  }

  absl::Status Grant(const std::string& name, const std::vector<std::string>& domains) {
    v1::SetIwaDomainsRequest request;
    request.set_name(name);
    for (const std::string& domain : domains) request.add_domains(domain);
    return iwas_->SetDomains(admin_, request).status();
  }

  // An org in which `ada` may enroll through iwa-1.
  void MakeReady() {
    ASSERT_TRUE(Register(NewIwa("iwa-1")).ok());
    DT_ASSERT_OK(Grant("iwa-1", {"corp.test"}));
    ASSERT_TRUE(SetDeviceTrust(true).ok());
    user_id_ = AddPerson("ada", kAdasSid);
    request_.set_iwa_name("iwa-1");
    request_.set_kid("key-1");
    request_.set_user_sid(kAdasSid);
    request_.set_computer_sid("S-1-5-21-1-2-3-4001");
    request_.set_realm("CORP.TEST");
    request_.set_device_id("device-1");
    request_.set_enrollment_id("enrollment-1");
  }
  // The results of several in one call, refused ones as the call of one would fail.
  std::vector<absl::Status> AuthorizeAll(const std::vector<v1::EnrollmentRequest>& requests) {
    const EnrollmentAuthority::Requests all(requests.begin(), requests.end());
    const auto results = enrollments_->Authorize(all);
    if (!results.ok()) return {results.status()};
    std::vector<absl::Status> statuses;
    for (const EnrollmentAuthority::Result& result : *results) {
      statuses.push_back(result.status());
      if (result.ok()) authorized_ = *result;
    }
    return statuses;
  }
  absl::Status Authorize() { return AuthorizeAll({request_}).at(0); }

  testing::FakeDirectory* directory_ = nullptr;
  testing::FakeDirectory* partner_ = nullptr;
  std::unique_ptr<directory::Registry> directories_;
  std::optional<EnrollmentAuthority> enrollments_;
  v1::RegisterIwaResponse registered_;
  v1::EnrollmentRequest request_;
  v1::AuthorizedEnrollment authorized_;  // The last one.
  std::string user_id_;
};

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

TEST_F(IwaTest, RefusesWhatIsNoIwa) {
  const auto refused = [this](const std::function<void(v1::Iwa&)>& spoil) {
    v1::Iwa iwa = NewIwa("iwa-1");
    spoil(iwa);
    return absl::IsInvalidArgument(Register(iwa));
  };
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_address(""); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_version("new"); }));
  EXPECT_TRUE(refused([](v1::Iwa& iwa) { iwa.set_binding("ftp"); }));
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
