// How libs/directory reads a whole domain, against this server when it is well and when it is ill.
#include "libs/directory/listing.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <map>

#include "libs/directory/client.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/forest/ldap/forest_fixture.h"
#include "simulator/forest/ldap/server.h"

namespace devicetrust::simulator {
namespace {

using directory::ListedGroup;
using directory::ListedPerson;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class ListingTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }

  void Start(LdapBehaviour behaviour) {
    pass_.reset();
    server_.reset();
    fault_->store(LdapFault::kNone);
    behaviour.fault = fault_;
    std::ofstream(forest_.folder / "ca.pem") << pki_.web_ca().certificate.Pem();
    server_ = LdapServer::Start(
                  {.identity = pki_.Server("dc1", {"dc1.corp.test"}), .behaviour = behaviour},
                  forest_.table->view(), forest_.clock)
                  .value();
    listing_ = directory::MakeLdapListing({.url = server_->url(),
                                           .ca_file = forest_.folder / "ca.pem",
                                           .domain = "corp.test",
                                           .bind_name = "svc-ldap@corp.test",
                                           .bind_password = "Pw-svc",
                                           .page_timeout = std::chrono::seconds(2)})
                   .value();
    pass_ = listing_->Begin().value();
  }
  std::vector<std::string> Names(std::uint64_t since = 0, const std::string& base = "") {
    std::vector<std::string> names;
    people_.clear();
    status_ = pass_->People(base, since, [&](ListedPerson person) {
      names.push_back(person.account_name);
      people_[person.account_name] = std::move(person);
      return absl::OkStatus();
    });
    return names;
  }

  TestForest forest_;
  throwaway::ThrowawayPki pki_{"acme", SystemClock().Now()};
  std::shared_ptr<std::atomic<LdapFault>> fault_ = std::make_shared<std::atomic<LdapFault>>();
  std::unique_ptr<LdapServer> server_;
  std::unique_ptr<directory::Listing> listing_;
  std::unique_ptr<directory::ListingPass> pass_;
  std::map<std::string, ListedPerson> people_;
  absl::Status status_;
};

TEST_F(ListingTest, ListsEverybodyInPages) {
  for (int i = 0; i < 1500; ++i) forest_.Add({.name = fmt::format("user{}", i)});
  EXPECT_THAT(Names(), SizeIs(1504));
  DT_EXPECT_OK(status_);
  const ListedPerson& ada = people_.at("ada");
  EXPECT_EQ(ada.sid, forest_.SidOf("ada"));
  EXPECT_THAT(ada.guid, SizeIs(16));
  EXPECT_EQ(ada.surname, "Lovelace");
  EXPECT_THAT(ada.member_of, ElementsAre("CN=Staff,CN=Users,DC=corp,DC=test",
                                         "CN=Trusted Devices,CN=Users,DC=corp,DC=test"));
  EXPECT_THAT(Names(0, "ou=STAFF,dc=corp,dc=test"), ElementsAre("ada"));
  EXPECT_EQ(pass_->NameOf("ou=STAFF,dc=corp,dc=test").value(), "OU=Staff,DC=corp,DC=test");
  EXPECT_EQ(pass_->NameOf("ou=none,dc=corp,dc=test").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ListingTest, ListsWhatHasChangedSince) {
  const std::uint64_t usn = pass_->replica().highest_usn;
  EXPECT_THAT(pass_->replica().invocation_id, SizeIs(16));
  EXPECT_EQ(pass_->replica().name, "dc1.corp.test");
  EXPECT_TRUE(pass_->replica().shows_deleted);
  EXPECT_THAT(Names(usn + 1), IsEmpty());
  Names();
  const std::string guid = people_.at("nopw").guid;
  const std::uint32_t staff[] = {forest_.staff_rid};
  EXPECT_TRUE(forest_.table->SetGroups(forest_.realm, "odd", staff).ok());
  forest_.Set("ada", kDisabled);
  EXPECT_TRUE(forest_.table->Delete(forest_.realm, "nopw").ok());
  EXPECT_THAT(Names(usn + 1), ElementsAre("ada"));
  EXPECT_FALSE(people_.at("ada").enabled);
  const auto groups = pass_->Groups(usn + 1);
  DT_ASSERT_OK(groups);
  ASSERT_THAT(*groups, SizeIs(1));
  EXPECT_EQ(groups->front().name, "Staff");
  EXPECT_TRUE(groups->front().security);
  Names();
  EXPECT_THAT(pass_->MembersOf(groups->front().distinguished_name).value(),
              UnorderedElementsAre(people_.at("ada").guid, people_.at("odd").guid));
  EXPECT_THAT(pass_->Deleted(usn + 1).value(), ElementsAre(guid));
}

TEST_F(ListingTest, AsksForMembershipsThatAreNotGivenAtOnce) {
  Start({.values_max = 3});
  std::vector<std::uint32_t> rids;
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    rids.push_back(forest_.table->AddGroup(forest_.realm, fmt::format("Group{}", i)).value());
    names.push_back(fmt::format("CN=Group{},CN=Users,DC=corp,DC=test", i));
  }
  EXPECT_TRUE(forest_.table->SetGroups(forest_.realm, "odd", rids).ok());
  Names();
  DT_EXPECT_OK(status_);
  EXPECT_EQ(people_.at("odd").member_of, names);
}

TEST_F(ListingTest, SaysWhetherItSeesWhatIsDeleted) {
  Start({.shows_deleted = false});
  EXPECT_FALSE(pass_->replica().shows_deleted);
  EXPECT_TRUE(forest_.table->Delete(forest_.realm, "nopw").ok());
  EXPECT_THAT(pass_->Deleted(1).value(), IsEmpty());
}

TEST_F(ListingTest, AnIllDirectoryGivesNoListAtAll) {
  const std::tuple<LdapFault, absl::StatusCode, const char*> faults[] = {
      {LdapFault::kPagesForEver, absl::StatusCode::kUnavailable, "pages without end"},
      {LdapFault::kReferralsForEver, absl::StatusCode::kUnavailable, "referrals than were asked"},
      {LdapFault::kReferredAway, absl::StatusCode::kFailedPrecondition, "it refers elsewhere"},
      {LdapFault::kHalfPage, absl::StatusCode::kUnavailable, "Can't contact LDAP server"},
      {LdapFault::kErrorMidway, absl::StatusCode::kUnavailable, "BUSY"}};
  for (const auto& [fault, code, words] : faults) {
    fault_->store(LdapFault::kNone);
    pass_ = listing_->Begin().value();
    fault_->store(fault);
    Names();
    EXPECT_EQ(status_.code(), code) << words;
    EXPECT_THAT(status_.message(), HasSubstr(words));
    EXPECT_THAT(status_.message(), HasSubstr(server_->url()));
  }
}

TEST_F(ListingTest, NobodyIsNoFaultOfTheListing) {
  fault_->store(LdapFault::kNobody);
  EXPECT_THAT(Names(), IsEmpty());
  DT_EXPECT_OK(status_);
}

TEST_F(ListingTest, ADirectoryThatIsGoneIsNamed) {
  const std::string url = server_->url();
  server_.reset();
  Names();
  EXPECT_EQ(status_.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(listing_->Begin().status().message(), HasSubstr(url));
}

}  // namespace
}  // namespace devicetrust::simulator
