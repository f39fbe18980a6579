#include "libs/directory/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"

namespace devicetrust::directory {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kCorpSid = "S-1-5-21-1-2-3";
constexpr const char* kEmeaSid = "S-1-5-21-4-5-6";
constexpr const char* kPartnerSid = "S-1-5-21-1-2-33";

// Two forests, one of them with a child domain and a suffix of its own.
class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    std::vector<Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", kCorpSid, &corp_));
    domains.back().upn_suffixes = {"example.com"};
    domains.push_back(testing::NewFakeDomain("emea.corp.test", "EUROPE", kEmeaSid, &emea_));
    domains.back().forest = "corp.test";
    domains.push_back(testing::NewFakeDomain("partner.test", "PARTNER", kPartnerSid, &partner_));
    registry_ = Registry::Create(std::move(domains)).value();
  }

  std::string DomainOf(std::string_view sid) { return registry_->FindBySid(sid).value()->dns_name; }
  // "corp.test ada@corp.test ada": domain, then the names of the user, that first which counts
  // first; or the reason of the refusal.
  std::string Resolve(std::string_view typed) {
    const auto principal = registry_->Resolve(typed, "corp.test");
    if (!principal.ok()) return rpc::ReasonName(principal.status());
    std::string text = principal->domain->dns_name;
    const UserName& user = principal->user;
    for (const bool principals : {user.principal_first, !user.principal_first}) {
      const std::string& name = principals ? user.principal : user.account_name;
      if (!name.empty()) text += " " + name;
    }
    return text;
  }

  testing::FakeDirectory* corp_ = nullptr;
  testing::FakeDirectory* emea_ = nullptr;
  testing::FakeDirectory* partner_ = nullptr;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, KnowsTheDomainOfASid) {
  EXPECT_EQ(DomainOf("S-1-5-21-1-2-3-1105"), "corp.test");
  EXPECT_EQ(DomainOf("S-1-5-21-1-2-3"), "corp.test");
  EXPECT_EQ(DomainOf("S-1-5-21-4-5-6-1105"), "emea.corp.test");
  EXPECT_EQ(DomainOf("S-1-5-21-1-2-33-1105"), "partner.test");
  for (const char* foreign : {"S-1-5-21-1-2-4-1105", "S-1-5-21-1-2-3-4-5", "S-1-5-18"}) {
    const absl::Status status = registry_->FindBySid(foreign).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << foreign;
    EXPECT_EQ(rpc::ReasonName(status), "UNTRUSTED_FOREST");
    EXPECT_EQ(rpc::DetailOf(status)->subject(), foreign);
    EXPECT_THAT(rpc::DetailOf(status)->remedy(), HasSubstr("configuration"));
  }
  EXPECT_EQ(rpc::ReasonName(registry_->FindBySid("S-1-5-21-1-2-3-").status()), "MALFORMED_REQUEST");
}

TEST_F(RegistryTest, KnowsTheDomainOfARealm) {
  const Domain& emea = **registry_->FindByRealm("EMEA.CORP.TEST");
  EXPECT_EQ(emea.dns_name, "emea.corp.test");
  EXPECT_EQ(emea.realm(), "EMEA.CORP.TEST");
  EXPECT_EQ(emea.forest, "corp.test");
  EXPECT_EQ(rpc::ReasonName(registry_->FindByRealm("OTHER.TEST").status()), "UNTRUSTED_FOREST");
}

TEST_F(RegistryTest, UnderstandsWhatPeopleType) {
  EXPECT_EQ(Resolve("Ada@Corp.Test"), "corp.test Ada@Corp.Test Ada");
  EXPECT_EQ(Resolve("ada@example.com"), "corp.test ada@example.com");
  EXPECT_EQ(Resolve("bob@partner.test"), "partner.test bob@partner.test bob");
  EXPECT_EQ(Resolve("bob@Partner"), "partner.test bob");
  EXPECT_EQ(Resolve("Europe\\Ann"), "emea.corp.test Ann");
  EXPECT_EQ(Resolve("emea.corp.test\\ann"), "emea.corp.test ann");
  EXPECT_EQ(Resolve("ada"), "corp.test ada ada@corp.test");
  EXPECT_EQ(Resolve("o'neil@x@corp.test"), "corp.test o'neil@x@corp.test o'neil@x");
}

TEST_F(RegistryTest, ANameIsOneInWhateverCaseAndWhateverSurroundsIt) {
  const auto name = [this](std::string_view typed) {
    return registry_->Resolve(typed, "corp.test")->name;
  };
  for (const char* typed : {"JÜRGEN", "jürgen@corp.test", " Jürgen@CORP.Test\t", "\u200ejürgen",
                            "CORP\\JÜRGEN", "jürgen@Corp"}) {
    EXPECT_EQ(name(typed), "jürgen@corp.test") << typed;
  }
  EXPECT_EQ(Resolve("\u200eada\u00a0"), "corp.test ada ada@corp.test");
  EXPECT_EQ(Resolve(" \u200b"), "MALFORMED_REQUEST");
}

TEST_F(RegistryTest, FindsAGroupInWhicheverDomainKnowsIt) {
  partner_->groups["S-1-5-21-1-2-33-1200"] = {"CN=Guests", "Guests", "S-1-5-21-1-2-33-1200"};
  EXPECT_EQ(registry_->FindGroup("GUESTS")->sid, "S-1-5-21-1-2-33-1200");
  EXPECT_EQ(registry_->FindGroup("S-1-5-21-1-2-33-1200")->name, "Guests");
  DT_EXPECT_CODE(registry_->FindGroup("nobody"), kNotFound);
  emea_->fault = absl::UnavailableError("away");
  DT_EXPECT_OK(registry_->FindGroup("Guests"));
  DT_EXPECT_CODE(registry_->FindGroup("nobody"), kUnavailable);
}

// The first label of a DNS name is no NetBIOS name.
TEST_F(RegistryTest, GuessesNoDomain) {
  EXPECT_EQ(Resolve("emea\\ann"), "UNTRUSTED_FOREST");
  EXPECT_EQ(Resolve("eve@other.test"), "UNTRUSTED_FOREST");
  EXPECT_EQ(Resolve("eve@"), "UNTRUSTED_FOREST");
  EXPECT_EQ(Resolve("\\eve"), "UNTRUSTED_FOREST");
  EXPECT_EQ(Resolve(""), "MALFORMED_REQUEST");
  EXPECT_EQ(Resolve("CORP\\"), "MALFORMED_REQUEST");
  EXPECT_EQ(rpc::ReasonName(registry_->Resolve("ada", "").status()), "UNTRUSTED_FOREST");
}

TEST_F(RegistryTest, AsksTheDirectoryOfTheDomain) {
  corp_->users["S-1-5-21-1-2-3-1105"].account_name = "ada";
  partner_->computers["S-1-5-21-1-2-33-1105"].account_name = "PC1$";
  EXPECT_EQ(registry_->FindUser("S-1-5-21-1-2-3-1105")->account_name, "ada");
  DT_EXPECT_CODE(registry_->FindUser("S-1-5-21-4-5-6-1105"), kNotFound);
  DT_EXPECT_CODE(registry_->FindUser("S-1-5-21-9-9-9-1105"), kPermissionDenied);
  EXPECT_EQ(registry_->FindComputer("S-1-5-21-1-2-33-1105")->account_name, "PC1$");
  DT_EXPECT_CODE(registry_->FindComputer("S-1-5-21-1-2-3-1105"), kNotFound);
}

TEST_F(RegistryTest, FindsManyComputersWithOneSearchInEachDomain) {
  corp_->computers["S-1-5-21-1-2-3-1"].account_name = "A$";
  corp_->computers["S-1-5-21-1-2-3-2"].account_name = "B$";
  emea_->fault = absl::UnavailableError("away");
  partner_->computers["S-1-5-21-1-2-33-1"].account_name = "P$";
  const std::vector<std::string> sids = {"S-1-5-21-1-2-33-1", "S-1-5-21-1-2-3-2",
                                         "S-1-5-21-9-9-9-1",  "S-1-5-21-1-2-3-1",
                                         "S-1-5-21-4-5-6-1",  "x",
                                         "S-1-5-21-1-2-3-77"};
  const auto computers = registry_->FindComputers(sids);
  ASSERT_THAT(computers, SizeIs(7));
  EXPECT_EQ(computers[0]->account_name, "P$");
  EXPECT_EQ(computers[1]->account_name, "B$");
  DT_EXPECT_CODE(computers[2], kPermissionDenied);
  EXPECT_EQ(computers[3]->account_name, "A$");
  DT_EXPECT_CODE(computers[4], kUnavailable);  // One directory is away, the others count.
  DT_EXPECT_CODE(computers[5], kInvalidArgument);
  DT_EXPECT_CODE(computers[6], kNotFound);
  EXPECT_EQ(corp_->searches, 1);
  EXPECT_EQ(partner_->searches, 1);
}

TEST_F(RegistryTest, RefusesDomainsThatCannotBeToldApart) {
  const auto refused = [](const auto& spoil) {
    testing::FakeDirectory* fake = nullptr;
    std::vector<Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", kCorpSid, &fake));
    domains.push_back(testing::NewFakeDomain("partner.test", "PARTNER", kPartnerSid, &fake));
    spoil(domains.back());
    const absl::Status status = Registry::Create(std::move(domains)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](Domain& d) { d.sid = kCorpSid; }), HasSubstr("S-1-5-21-1-2-3 is that of"));
  EXPECT_THAT(refused([](Domain& d) { d.netbios_name = "CORP"; }), HasSubstr("corp is that of"));
  EXPECT_THAT(refused([](Domain& d) { d.dns_name = "corp.test"; }), HasSubstr("corp.test is that"));
  EXPECT_THAT(refused([](Domain& d) { d.upn_suffixes = {"corp.test"}; }), HasSubstr("is that of"));
  EXPECT_THAT(refused([](Domain& d) { d.sid = "S-1-5-21-1-2-3-4"; }), HasSubstr("SID"));
  EXPECT_THAT(refused([](Domain& d) { d.sid = "S-1-5-21-1-2-x"; }), HasSubstr("SID"));
  EXPECT_THAT(refused([](Domain& d) { d.netbios_name = "corp"; }), HasSubstr("NetBIOS"));
  EXPECT_THAT(refused([](Domain& d) { d.dns_name = "Corp.Test"; }), HasSubstr("lower case"));
  EXPECT_THAT(refused([](Domain& d) { d.forest = ""; }), HasSubstr("forest"));
  EXPECT_THAT(refused([](Domain& d) { d.upn_suffixes = {"@x"}; }), HasSubstr("suffixes"));
  EXPECT_THAT(refused([](Domain& d) { d.directory = nullptr; }), HasSubstr("no directory"));
}

TEST(EmptyRegistryTest, RefusesEverything) {
  const auto registry = Registry::Create({}).value();
  DT_EXPECT_CODE(registry->FindUser("S-1-5-21-1-2-3-1105"), kPermissionDenied);
  DT_EXPECT_CODE(registry->Resolve("ada@corp.test", "corp.test"), kPermissionDenied);
  EXPECT_THAT(registry->domains(), SizeIs(0));
}

}  // namespace
}  // namespace devicetrust::directory
