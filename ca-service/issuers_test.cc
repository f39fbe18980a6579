#include "ca-service/issuers.h"

#include <dlfcn.h>

#include <filesystem>

#include "ca-service/authority.h"
#include "ca-service/ca_fixture.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/wait_until.h"
#include "libs/pki/certificate_validator.h"
#include "libs/testing/soft_hsm.h"
#include "libs/testing/test_pkcs11.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

constexpr bool kInsist = true;

class IssuersTest : public CaTest {
 protected:
  StoredCertificate EnrollNew() {
    const auto key = pki::PrivateKey::Generate().value();
    return Enroll(Token(key), key).value();
  }
  // As a gateway does: by the issuers that are good now.
  pki::CertificateVerdict Check(const StoredCertificate& stored) {
    std::vector<pki::Certificate> accepted;
    const auto set = issuers_->Current();
    for (const auto& issuer : set->all) accepted.push_back(issuer->certificate());
    return pki::CertificateValidator::Create(accepted, clock_)
        .value()
        ->Check(pki::Certificate::FromDer(stored.der).value());
  }
};

TEST_F(IssuersTest, RollOverWithoutARestartAndEachSignsItsOwnList) {
  const StoredCertificate before = EnrollNew();
  const auto old_set = issuers_->Current();
  const Issuer& old_issuer = old_set->active();
  EXPECT_EQ(before.issuer_id, old_issuer.id());

  // Accepted: gateways may take it, and nothing is signed by it yet.
  clock_.Advance(days(30));
  const std::string added = issuers_->Add().value();
  ASSERT_EQ(issuers_->Current()->all.size(), 2U);
  EXPECT_EQ(issuers_->Current()->active().id(), old_issuer.id());
  const StoredCertificate meanwhile = EnrollNew();
  EXPECT_EQ(meanwhile.issuer_id, old_issuer.id());

  // Not before every gateway has had time to hear of it.
  clock_.Advance(kPublishedFor - seconds(1));
  const absl::Status early = issuers_->Activate(added);
  DT_EXPECT_CODE(early, kFailedPrecondition);
  EXPECT_EQ(rpc::DetailOf(early)->retry_after().seconds(), 1);
  EXPECT_EQ(issuers_->Current()->active().id(), old_issuer.id());
  clock_.Advance(seconds(1));
  DT_ASSERT_OK(issuers_->Activate(added));
  DT_ASSERT_OK(issuers_->Activate(added));
  const auto set = issuers_->Current();
  const Issuer& issuer = set->active();
  EXPECT_EQ(issuer.id(), added);
  EXPECT_EQ(set->all.back()->id(), old_issuer.id());
  const StoredCertificate after = EnrollNew();
  EXPECT_EQ(after.issuer_id, added);
  EXPECT_EQ(issuer.certificate().subject_der(), old_issuer.certificate().subject_der());
  for (const auto& stored : {before, meanwhile, after}) {
    EXPECT_EQ(Check(stored), pki::CertificateVerdict::kValid);
  }

  // A certificate of the old issuer is taken back in the old issuer's list.
  DT_ASSERT_OK(revocations_->RevokeCertificate(before.serial, v1::REVOCATION_REASON_KEY_COMPROMISE,
                                               "admin:ada"));
  const pki::Crl old_list = PublishedCrl(old_issuer);
  ASSERT_EQ(old_list.revoked.size(), 1U);
  EXPECT_EQ(old_list.revoked[0].serial_hex, before.serial);
  EXPECT_TRUE(PublishedCrl(issuer).revoked.empty());
  DT_ASSERT_OK(
      revocations_->RevokeCertificate(after.serial, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada"));
  EXPECT_EQ(PublishedCrl(issuer).revoked.size(), 1U);
  EXPECT_EQ(PublishedCrl(old_issuer).number, old_list.number);  // Nothing of its own changed.
}

TEST_F(IssuersTest, AreTheSameAfterARestart) {
  const std::string added = issuers_->Add().value();
  DT_ASSERT_OK(issuers_->Activate(added, kInsist));
  const auto before = issuers_->Current();
  Open();
  const auto after = issuers_->Current();
  ASSERT_EQ(after->all.size(), 2U);
  EXPECT_EQ(after->active().id(), added);
  EXPECT_EQ(after->all[1]->id(), before->all[1]->id());
  EXPECT_EQ(EnrollNew().issuer_id, added);
}

TEST_F(IssuersTest, LeavesOutWhatHasExpiredAndNoCertificateOutlivesItsIssuer) {
  clock_.Advance(days(9 * 365));
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value(), kInsist));
  clock_.Advance(days(2 * 365));
  Open();
  EXPECT_EQ(issuers_->Current()->all.size(), 1U);
  const WallTime ends = ActiveCertificate().not_after();
  clock_.Set(ends - days(10));
  EXPECT_EQ(EnrollNew().not_after, UnixSeconds(ends));

  // One that has ended signs nothing, and does not keep the CA from serving and rolling over.
  clock_.Set(ends + days(1));
  Open();
  const auto key = pki::PrivateKey::Generate().value();
  const auto refused = Enroll(Token(key), key);
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  const std::string next = issuers_->Add().value();
  DT_ASSERT_OK(issuers_->Activate(next, kInsist));
  EXPECT_EQ(EnrollNew().issuer_id, next);
}

TEST_F(IssuersTest, EndsWithItsRootAtTheLatest) {
  clock_.Advance(days(9 * 365));
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value(), kInsist));
  clock_.Advance(days(9 * 365));
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value(), kInsist));
  const auto set = issuers_->Current();
  EXPECT_EQ(set->active().certificate().not_after(), set->active().root().not_after());
}

TEST_F(IssuersTest, ActivatesNoneThatItDoesNotKnow) {
  DT_EXPECT_CODE(issuers_->Activate("00"), kNotFound);
}

TEST_F(IssuersTest, OpensItsKeysOnlyWithTheRightKekAndOrg) {
  EXPECT_EQ(
      Issuers::Open({"acme", kek_}, *database_, clock_, random_).value()->Current()->active().id(),
      issuers_->Current()->active().id());
  const auto other = pki::AeadKey::Generate("kek-other", random_).value();
  const auto refused = Issuers::Open({"acme", other}, *database_, clock_, random_);
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(std::string(refused.status().message()).find("--kek-file"), std::string::npos);
  EXPECT_FALSE(Issuers::Open({"umbrella", kek_}, *database_, clock_, random_).ok());
}

TEST_F(IssuersTest, RetireAfterTheirLastCertificateHasEndedAndAListShowedIt) {
  const StoredCertificate last = EnrollNew();
  const std::string old_id = last.issuer_id;
  const std::string added = issuers_->Add().value();
  clock_.Advance(kPublishedFor);
  DT_ASSERT_OK(issuers_->Activate(added));
  const std::string waiting = issuers_->Add().value();
  DT_EXPECT_CODE(issuers_->Retire(added), kFailedPrecondition);
  DT_EXPECT_CODE(issuers_->Retire(old_id), kFailedPrecondition);
  DT_EXPECT_CODE(issuers_->Retire("00"), kNotFound);

  const WallTime ends = AtUnixSeconds(last.not_after);
  clock_.Set(ends + hours(47));
  DT_ASSERT_OK(issuers_->Tend(days(365)));
  EXPECT_NE(issuers_->Current()->Find(old_id), nullptr);
  clock_.Set(ends + hours(49));
  DT_ASSERT_OK(issuers_->Tend(days(365)));
  EXPECT_EQ(issuers_->Current()->Find(old_id), nullptr);
  // One that never signed waits for its turn, unless somebody gives it up.
  EXPECT_NE(issuers_->Current()->Find(waiting), nullptr);
  DT_ASSERT_OK(issuers_->Retire(waiting));
  Open();
  ASSERT_EQ(issuers_->Current()->all.size(), 1U);
  EXPECT_EQ(issuers_->Current()->active().id(), added);
  const auto sealed = database_->Read([&](db::Transaction& txn) {
    return txn.Run("SELECT sealed_key FROM issuers WHERE retired_at <> 0", {});
  });
  ASSERT_EQ(sealed->size(), 2U);
  for (const db::Row& row : *sealed) EXPECT_TRUE(db::Blob(row[0]).empty());
}

TEST_F(IssuersTest, OneThatIsRetiredAtOnceIsOnItsRootsList) {
  const StoredCertificate stolen = EnrollNew();
  const auto set = issuers_->Current();
  const Issuer& old_issuer = set->active();
  EXPECT_TRUE(PublishedRootCrl(old_issuer).revoked.empty());
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value(), kInsist));
  EXPECT_EQ(Check(stolen), pki::CertificateVerdict::kValid);
  DT_ASSERT_OK(issuers_->Retire(old_issuer.id(), kInsist));
  EXPECT_EQ(Check(stolen), pki::CertificateVerdict::kUnknownIssuer);
  const pki::Crl list = PublishedRootCrl(old_issuer);
  ASSERT_EQ(list.revoked.size(), 1U);
  EXPECT_EQ(list.revoked[0].serial_hex, old_issuer.certificate().serial_hex());
}

// The root of another machine.
class OfflineRootTest : public IssuersTest {
 protected:
  void SetUp() override { UseStore("offline.db"); }

  void UseStore(const std::string& name) {
    store_ = name;
    database_ = db::Database::Open("sqlite:" + folder_ / store_, Migrations(), {}).value();
    issuers_ = Issuers::OpenForSetup(issuers_config_, *database_, clock_, random_).value();
  }
  pki::Certificate Certified(const Bytes& request) {
    return CertifyIssuer(root_, "acme", pki::ParseCsr(request)->public_key, kIssuerValidity,
                         clock_.Now(), random_)
        .value();
  }
  Bytes RootCrl(std::int64_t number, std::vector<pki::RevokedCertificate> revoked = {}) {
    const WallTime now = clock_.Now();
    return SignCrl({number, now - std::chrono::minutes(5), now + days(180), std::move(revoked)},
                   root_)
        .value();
  }

  const pki::Identity root_ = [this] {
    const auto key = pki::PrivateKey::Generate().value();
    return pki::Identity{MakeRoot("acme", key, kStart, random_).value(), key};
  }();
};

TEST_F(OfflineRootTest, TheCaIssuesAndRollsOverWithoutItsKey) {
  const Bytes request = issuers_->Request().value();
  DT_EXPECT_CODE(Issuers::Open(issuers_config_, *database_, clock_, random_), kFailedPrecondition);
  const std::string first = issuers_->Install({Certified(request), root_.certificate}).value();
  Open();
  const StoredCertificate before = EnrollNew();
  EXPECT_EQ(before.issuer_id, first);
  DT_EXPECT_CODE(issuers_->Add(), kFailedPrecondition);

  // Its root's list is what was brought, the newest.
  const auto set = issuers_->Current();
  EXPECT_TRUE(PublishedDer(set->active().root_id()).empty());
  const Bytes list = RootCrl(7);
  EXPECT_TRUE(issuers_->InstallRootCrl(list).value().empty());
  Open();
  EXPECT_EQ(PublishedDer(set->active().root_id()), list);
  DT_EXPECT_CODE(issuers_->InstallRootCrl(list), kInvalidArgument);
  DT_EXPECT_CODE(issuers_->InstallRootCrl(RootCrl(6)), kInvalidArgument);
  DT_EXPECT_CODE(issuers_->InstallRootCrl(AsBytes("no list")), kInvalidArgument);

  const Bytes next_request = issuers_->Request().value();
  const std::string next = issuers_->Install({Certified(next_request), root_.certificate}).value();
  EXPECT_EQ(issuers_->Current()->active().id(), first);
  clock_.Advance(kPublishedFor);
  DT_ASSERT_OK(issuers_->Activate(next));
  const StoredCertificate after = EnrollNew();
  EXPECT_EQ(after.issuer_id, next);
  for (const auto& one : {before, after}) EXPECT_EQ(Check(one), pki::CertificateVerdict::kValid);
  EXPECT_TRUE(issuers_->Report()->requests.empty());

  // A list that takes back an issuer that is accepted still says so.
  const Issuer* const old_issuer = issuers_->Current()->Find(first);
  const auto taken_back = issuers_->InstallRootCrl(
      RootCrl(8, {{old_issuer->certificate().serial_hex(), clock_.Now()}}));
  DT_ASSERT_OK(taken_back);
  EXPECT_EQ(*taken_back, std::vector{first});
}

TEST_F(OfflineRootTest, WarnsBeforeTheIssuerAndTheRootsListEnd) {
  const std::string issuer =
      issuers_->Install({Certified(issuers_->Request().value()), root_.certificate}).value();
  const WallTime issuer_ends = issuers_->Current()->active().certificate().not_after();
  const testing::TempFolder folder;
  DT_ASSERT_OK(SetLogFile(folder / "log"));
  constexpr days kValidity{90};
  const auto warned = [&](const char* of) {
    const std::size_t before = std::filesystem::file_size(folder / "log");
    DT_EXPECT_OK(issuers_->Tend(kValidity));
    return ReadFile(folder / "log")->substr(before).find(of) != std::string::npos;
  };
  const char* const kList = R"("event":"ca.root_crl.ends")";
  const char* const kIssuer = R"("event":"ca.issuer.ends")";

  EXPECT_TRUE(warned(R"("ends":"never brought")"));
  DT_ASSERT_OK(issuers_->InstallRootCrl(RootCrl(7)));
  const WallTime list_ends = AtUnixSeconds(issuers_->Report()->roots.at(0).list_ends_at);
  clock_.Advance(list_ends - days(14) - seconds(1) - clock_.Now());
  EXPECT_FALSE(warned(kList));
  clock_.Advance(seconds(1));
  EXPECT_TRUE(warned(kList));

  // While it can still issue certificates of full length.
  clock_.Advance(issuer_ends - days(30) - kValidity - clock_.Now());
  EXPECT_FALSE(warned(kIssuer));
  clock_.Advance(seconds(1));
  EXPECT_TRUE(warned(kIssuer));
  EXPECT_TRUE(warned(issuer.c_str()));
}

TEST_F(OfflineRootTest, TakesNoCertificateThatMayNotIssueHere) {
  const Bytes request = issuers_->Request().value();
  const pki::Certificate good = Certified(request);
  const pki::Certificate& root = root_.certificate;
  const auto other_key = pki::PrivateKey::Generate().value();
  const pki::Identity other_root{MakeRoot("acme", other_key, kStart, random_).value(), other_key};
  const pki::Certificate unknown =
      CertifyIssuer(root_, "acme", other_key.public_key(), days(1), kStart, random_).value();
  for (const auto& chain :
       std::vector<std::vector<pki::Certificate>>{{},
                                                  {good},
                                                  {root, good},
                                                  {good, other_root.certificate},
                                                  {unknown, root},
                                                  {root, root}}) {
    DT_EXPECT_CODE(issuers_->Install(chain), kInvalidArgument);
  }
  // Of another org's root, by the name that root-init gives it.
  const pki::Identity foreign{MakeRoot("other", other_key, kStart, random_).value(), other_key};
  const pki::Certificate by_foreign =
      CertifyIssuer(foreign, "acme", pki::ParseCsr(request)->public_key, days(1), kStart, random_)
          .value();
  const auto mixed = issuers_->Install({by_foreign, foreign.certificate});
  DT_EXPECT_CODE(mixed, kInvalidArgument);
  EXPECT_NE(mixed.status().message().find("the root is of the org \"other\""), std::string::npos);
  DT_ASSERT_OK(issuers_->Install({good, root}));
  DT_EXPECT_CODE(issuers_->Install({good, root}), kInvalidArgument);  // Again.
  // The same words in another encoding, or another organization: no browser would offer both.
  const Bytes next = issuers_->Request().value();
  const pki::Certificate renamed =
      CertifyIssuer(root_, "other", pki::ParseCsr(next)->public_key, days(1), clock_.Now(), random_)
          .value();
  const auto refused = issuers_->Install({renamed, root});
  DT_EXPECT_CODE(refused, kInvalidArgument);
  EXPECT_NE(refused.status().message().find("octets"), std::string::npos);
  clock_.Advance(days(11 * 365));
  DT_EXPECT_CODE(issuers_->Install({Certified(next), good}), kInvalidArgument);
}

// Keys in a token, by SoftHSM.
class TokenIssuerKeyTest : public IssuersTest {
 protected:
  void SetUp() override {
    if (!testing::SoftHsm::IsInstalled()) GTEST_SKIP() << "softhsm2 is not installed";
    issuers_config_.first_key = NewKey();
    issuers_config_.pkcs11.module_path = hsm_->module();
    issuers_config_.pkcs11.pin_file = hsm_->pin_file();
    issuers_config_.pkcs11.retry_min = std::chrono::milliseconds(1);
    issuers_config_.pkcs11.retry_max = std::chrono::milliseconds(1);
    issuers_config_.pkcs11.deadline = std::chrono::seconds(20);
    Open();
  }
  std::string NewKey() {
    static int last = 0x40;
    const std::string id = fmt::format("{:02X}", ++last);
    hsm_ = &testing::SoftHsm::Shared();
    hsm_->Import("token-1", id, "ca", pki::PrivateKey::Generate()->Pem());
    return "pkcs11:token=token-1;id=%" + id;
  }

  void TearDown() override {
    if (hsm_ != nullptr) hsm_->PutBack();
  }

  testing::SoftHsm* hsm_ = nullptr;
};

TEST_F(TokenIssuerKeyTest, IssuesRevokesAndAnswersWithAKeyInAToken) {
  const StoredCertificate stored = EnrollNew();
  EXPECT_EQ(Check(stored), pki::CertificateVerdict::kValid);
  const auto set = issuers_->Current();
  const Issuer& issuer = set->active();
  DT_ASSERT_OK(revocations_->RevokeCertificate(stored.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  EXPECT_EQ(PublishedCrl(issuer).revoked.at(0).serial_hex, stored.serial);
  // Who signs OCSP answers has a certificate by that key.
  const auto delegate =
      issuer.CertifyResponder("acme", key_.public_key(), days(30), clock_.Now(), random_);
  DT_ASSERT_OK(delegate);
  EXPECT_TRUE(pki::IsIssuedBy(*delegate, issuer.certificate()));

  // After a restart, and by the next key of the token.
  Open();
  EXPECT_EQ(EnrollNew().issuer_id, issuer.id());
  DT_EXPECT_CODE(issuers_->Add(issuers_config_.first_key), kAlreadyExists);
  const std::string next = issuers_->Add(NewKey()).value();
  DT_ASSERT_OK(issuers_->Activate(next, kInsist));
  EXPECT_EQ(EnrollNew().issuer_id, next);
  const auto row = database_->Read(
      [](db::Transaction& txn) { return txn.Run("SELECT sealed_key FROM issuers", {}); });
  for (const db::Row& one : *row) EXPECT_TRUE(db::Blob(one[0]).empty());
}

TEST_F(TokenIssuerKeyTest, WithoutTheTokenEnrollmentWaitsAndTheRestGoesOn) {
  const StoredCertificate stored = EnrollNew();
  hsm_->PullOut();
  const auto key = pki::PrivateKey::Generate().value();
  const token::UserToken token = Token(key);
  const auto refused = Enroll(token, key);
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  EXPECT_GT(rpc::DetailOf(refused.status())->retry_after().seconds(), 0);
  Open();  // The CA starts without it,
  DT_EXPECT_OK(revocations_->RevokeForUser(stored.user_id, v1::REVOCATION_REASON_UNSPECIFIED,
                                           "admin:ada"));  // and revokes.
  DT_EXPECT_CODE(issuers_->Add(issuers_config_.first_key), kUnavailable);
  // One that never had a list, for want of its token: not even that keeps the CA from starting.
  DT_ASSERT_OK(database_->Write(
      [](db::Transaction& txn) { return txn.Run("DELETE FROM crls", {}).status(); }));
  Open();
  hsm_->PutBack();
  const auto key_after = pki::PrivateKey::Generate().value();
  DT_EXPECT_OK(
      WaitUntil([&]() -> absl::StatusOr<bool> { return Enroll(Token(key_after), key_after).ok(); },
                std::chrono::milliseconds(1), std::chrono::seconds(20)));
}

TEST_F(TokenIssuerKeyTest, AnEnrollmentDoesNotWaitForASlowTokenAndGoesOnFromItsPlan) {
  issuers_config_.pkcs11.module_path = testing::SoftHsm::WrapperModule();
  issuers_config_.pkcs11.deadline = std::chrono::milliseconds(500);
  Open();
  void* const module = dlopen(testing::SoftHsm::WrapperModule().c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(module, nullptr) << dlerror();
  testing::TestPkcs11& wishes = *reinterpret_cast<testing::TestPkcs11Function*>(
      dlsym(module, testing::kTestPkcs11Function))();
  wishes.sign_millis = 3000;
  const auto key = pki::PrivateKey::Generate().value();
  const token::UserToken token = Token(key);
  const auto begin = std::chrono::steady_clock::now();
  const auto refused = Enroll(token, key);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(2500));
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_GT(rpc::DetailOf(refused.status())->retry_after().seconds(), 0);
  EXPECT_EQ(CountCertificates(), 0);
  wishes.sign_millis = 0;
  DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return Enroll(token, key).ok(); },
                         std::chrono::milliseconds(10), std::chrono::seconds(20)));
  EXPECT_EQ(CountCertificates(), 1);
}

TEST_F(TokenIssuerKeyTest, DoesNotStartWithAKeyThatIsNotTheIssuers) {
  EXPECT_EQ(issuers_->Current()->all.size(), 1U);
  // The key was made anew under the same id.
  const auto swapped = database_->Write([this](db::Transaction& txn) {
    return txn.Run("UPDATE issuers SET key_uri = $1", {NewKey()}).status();
  });
  DT_ASSERT_OK(swapped);
  const auto refused = Issuers::Open(issuers_config_, *database_, clock_, random_);
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(refused.status().message().find("another key than the certificate's"),
            std::string::npos);
  issuers_config_.pkcs11.module_path = "/nowhere.so";
  DT_EXPECT_CODE(Issuers::Open(issuers_config_, *database_, clock_, random_), kFailedPrecondition);
}

}  // namespace
}  // namespace devicetrust::ca
