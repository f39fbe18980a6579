#include "iwa/forest_trusts.h"

#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"

namespace devicetrust::iwa {
namespace {

constexpr const char* kTrustedSid = "S-1-5-21-4-5-6";

// An IWA of the forest corp.test, which also serves two domains of partner.test.
class ForestTrustsTest : public ::testing::Test {
 protected:
  ForestTrustsTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &corp_));
    domains.push_back(testing::NewFakeDomain("partner.test", "PARTNER", kTrustedSid, &partner_));
    domains.push_back(
        testing::NewFakeDomain("sales.partner.test", "SALES", "S-1-5-21-7-8-9", &sales_));
    domains[2].forest = "partner.test";
    domains_ = directory::Registry::Create(std::move(domains)).value();
    trust_.partner = "Partner.Test";
    trust_.sid = kTrustedSid;
    trust_.outbound = true;
    trust_.forest_transitive = true;
  }
  // The refusal of accounts of a domain, "" for none.
  std::string Refusal(std::size_t domain) {
    if (!trusts_) trusts_.emplace(*domains_, "corp.test", key_realms_, [this] { return now_; });
    corp_->trusts = {trust_};
    trusts_->Refresh();
    const absl::Status status = trusts_->Check(domains_->domains()[domain], "CORP.TEST");
    return status.ok() ? "" : rpc::ReasonName(status);
  }

  testing::FakeDirectory* corp_ = nullptr;
  testing::FakeDirectory* partner_ = nullptr;
  testing::FakeDirectory* sales_ = nullptr;
  std::unique_ptr<directory::Registry> domains_;
  directory::Trust trust_;
  std::set<std::string> key_realms_ = {"CORP.TEST"};
  ForestTrusts::Steady::time_point now_ = ForestTrusts::Steady::now();
  std::optional<ForestTrusts> trusts_;
};

TEST_F(ForestTrustsTest, AForestTrustLetsInAllDomainsOfThatForest) {
  EXPECT_EQ(Refusal(0), "");
  EXPECT_EQ(Refusal(1), "");
  EXPECT_EQ(Refusal(2), "");
}

TEST_F(ForestTrustsTest, ATrustWithADomainLetsInThatDomainAlone) {
  trust_.forest_transitive = false;
  EXPECT_EQ(Refusal(1), "");
  EXPECT_EQ(Refusal(2), "UNTRUSTED_FOREST");
}

TEST_F(ForestTrustsTest, ATrustThatGoesTheOtherWayLetsNobodyIn) {
  trust_.outbound = false;
  trust_.inbound = true;
  EXPECT_EQ(Refusal(1), "UNTRUSTED_FOREST");
  EXPECT_EQ(Refusal(0), "");
}

TEST_F(ForestTrustsTest, ATrustWithAnotherDomainOfThatNameLetsNobodyIn) {
  trust_.sid = "S-1-5-21-6-6-6";
  EXPECT_EQ(Refusal(1), "UNTRUSTED_FOREST");
  EXPECT_EQ(Refusal(2), "UNTRUSTED_FOREST");
  trust_.sid = "";
  EXPECT_EQ(Refusal(1), "UNTRUSTED_FOREST");
}

TEST_F(ForestTrustsTest, ADeletedTrustLetsNobodyInAnyMore) {
  EXPECT_EQ(Refusal(1), "");
  trust_.partner = "else.test";
  EXPECT_EQ(Refusal(1), "UNTRUSTED_FOREST");
  EXPECT_NE(trusts_->states()[1].problem.find("does not trust"), std::string::npos);
}

TEST_F(ForestTrustsTest, AForestThatGaveTheIwaAKeyNeedsNoTrust) {
  trust_.partner = "else.test";
  key_realms_.insert("PARTNER.TEST");
  EXPECT_EQ(Refusal(1), "UNTRUSTED_FOREST");  // By a ticket of ours.
  DT_EXPECT_OK(trusts_->Check(domains_->domains()[1], "PARTNER.TEST"));
  DT_EXPECT_OK(trusts_->Check(domains_->domains()[2], "PARTNER.TEST"));
  EXPECT_EQ(rpc::ReasonName(trusts_->Check(domains_->domains()[0], "PARTNER.TEST")),
            "UNTRUSTED_FOREST");
  EXPECT_EQ(trusts_->states()[1].problem, "");
}

// Whose silence says nothing of the trust: what was known counts for a while, and nothing is
// believed that never was known.
TEST_F(ForestTrustsTest, ADirectoryThatDoesNotAnswerIsNoTrust) {
  corp_->fault = absl::UnavailableError("down");
  EXPECT_EQ(Refusal(1), "DEPENDENCY_UNAVAILABLE");
  corp_->fault = absl::OkStatus();
  EXPECT_EQ(Refusal(1), "");
  EXPECT_EQ(trusts_->states()[1].problem, "");
  corp_->fault = absl::UnavailableError("down");
  EXPECT_EQ(Refusal(1), "");
  EXPECT_NE(trusts_->states()[0].problem.find("does not answer: down"), std::string::npos);
  now_ += ForestTrusts::kKnownFor;
  EXPECT_EQ(Refusal(1), "");
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(Refusal(1), "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(Refusal(0), "");
}

// A child of the own forest, which is named before its root.
class TrustsOfSeveralDomainsTest : public ::testing::Test {
 protected:
  TrustsOfSeveralDomainsTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("eu.corp.test", "EU", "S-1-5-21-3-2-1", &eu_));
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &corp_));
    domains.push_back(testing::NewFakeDomain("partner.test", "PARTNER", kTrustedSid, &partner_));
    domains[0].forest = "corp.test";
    domains_ = directory::Registry::Create(std::move(domains)).value();
    trusts_.emplace(*domains_, "corp.test", std::set<std::string>{"CORP.TEST"},
                    [this] { return now_; });
  }
  static directory::Trust TrustInPartner(bool outbound, bool of_forest) {
    directory::Trust trust;
    trust.partner = "partner.test";
    trust.sid = kTrustedSid;
    trust.outbound = outbound;
    trust.inbound = !outbound;
    trust.forest_transitive = of_forest;
    return trust;
  }
  std::string Refusal() {
    trusts_->Refresh();
    const absl::Status status = trusts_->Check(domains_->domains()[2], "CORP.TEST");
    return status.ok() ? "" : rpc::ReasonName(status);
  }

  testing::FakeDirectory* eu_ = nullptr;
  testing::FakeDirectory* corp_ = nullptr;
  testing::FakeDirectory* partner_ = nullptr;
  std::unique_ptr<directory::Registry> domains_;
  ForestTrusts::Steady::time_point now_ = ForestTrusts::Steady::now();
  std::optional<ForestTrusts> trusts_;
};

TEST_F(TrustsOfSeveralDomainsTest, OneThatLetsThemInCountsWhateverOthersSay) {
  eu_->trusts = {TrustInPartner(/*outbound=*/false, /*of_forest=*/false)};
  EXPECT_EQ(Refusal(), "UNTRUSTED_FOREST");
  corp_->trusts = {TrustInPartner(/*outbound=*/true, /*of_forest=*/true)};
  EXPECT_EQ(Refusal(), "");
}

TEST_F(TrustsOfSeveralDomainsTest, AChildThatIsSilentEndsNoTrustOfItsRoot) {
  corp_->trusts = {TrustInPartner(/*outbound=*/true, /*of_forest=*/true)};
  eu_->fault = absl::UnavailableError("down");
  EXPECT_EQ(Refusal(), "");
  now_ += 2 * ForestTrusts::kKnownFor;
  EXPECT_EQ(Refusal(), "");
}

TEST_F(TrustsOfSeveralDomainsTest, ATrustOfASilentChildCountsForAWhile) {
  eu_->trusts = {TrustInPartner(/*outbound=*/true, /*of_forest=*/false)};
  EXPECT_EQ(Refusal(), "");
  eu_->fault = absl::UnavailableError("down");
  EXPECT_EQ(Refusal(), "");
  now_ += ForestTrusts::kKnownFor + std::chrono::seconds(1);
  EXPECT_EQ(Refusal(), "UNTRUSTED_FOREST");
}

}  // namespace
}  // namespace devicetrust::iwa
