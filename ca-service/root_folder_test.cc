#include "ca-service/root_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>
#include <vector>

#include "libs/base/files.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/crl.h"
#include "libs/pki/sealed_file.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/soft_hsm.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;

class RootFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.kek_file = folder_ / "root.kek";
    DT_ASSERT_OK(pki::WriteKeyEncryptionKey(options_.kek_file, random_));
  }
  absl::StatusOr<RootFolder> Create() {
    return RootFolder::Create(folder_ / "root", "acme", options_, clock_, random_);
  }
  absl::StatusOr<RootFolder> Open() {
    return RootFolder::Open(folder_ / "root", options_, clock_, random_);
  }
  static pki::PublicKey NewKey() { return pki::PrivateKey::Generate()->public_key(); }
  pki::Crl List(RootFolder& root) {
    return pki::ParseCrl(root.MakeCrl(days(180)).value(), root.certificate()).value();
  }

  testing::TempFolder folder_;
  testing::SettableClock clock_{
      WallTime(std::chrono::sys_days{std::chrono::year{2026} / std::chrono::June / 1})};
  SystemRandom random_;
  RootKeyOptions options_;
};

TEST_F(RootFolderTest, CertifiesIssuersAndListsThoseThatItTookBack) {
  const auto made = Create();
  DT_ASSERT_OK(made);
  DT_EXPECT_CODE(Create(), kAlreadyExists);
  clock_.Advance(days(1));
  auto root = Open();
  DT_ASSERT_OK(root);
  EXPECT_EQ(root->certificate().der(), made->certificate().der());
  const auto first = root->Certify(NewKey(), days(3650));
  const auto second = root->Certify(NewKey(), days(30 * 365));
  DT_ASSERT_OK(first);
  DT_ASSERT_OK(second);
  EXPECT_TRUE(pki::IsIssuedBy(*first, root->certificate()));
  EXPECT_EQ(first->common_name(), "MTLS Certificate Authority");
  EXPECT_EQ(first->subject_der(), second->subject_der());
  EXPECT_EQ(second->not_after(), root->certificate().not_after());
  DT_EXPECT_OK(ReadFile(folder_ / ("root/issued/" + first->serial_hex() + ".pem")));

  const pki::Crl none = List(*root);
  EXPECT_TRUE(none.revoked.empty());
  EXPECT_EQ(none.next_update - clock_.Now(), days(180));
  EXPECT_LT(none.this_update, clock_.Now());
  DT_ASSERT_OK(root->Revoke(*first));
  DT_ASSERT_OK(root->Revoke(*first));
  auto other = RootFolder::Create(folder_ / "other", "acme", options_, clock_, random_);
  DT_ASSERT_OK(other);
  DT_EXPECT_CODE(root->Revoke(other->Certify(NewKey(), days(1)).value()), kInvalidArgument);
  // The clock of a machine that is off for months may go back: numbers and times do not.
  clock_.Advance(-days(2));
  auto again = Open();
  DT_ASSERT_OK(again);
  const pki::Crl list = List(*again);
  ASSERT_EQ(list.revoked.size(), 1U);
  EXPECT_EQ(list.revoked[0].serial_hex, first->serial_hex());
  EXPECT_GT(list.number, none.number);
  EXPECT_GT(list.this_update, none.this_update);
}

TEST_F(RootFolderTest, OfThoseWhoMakeItAtOnceOneDoes) {
  std::vector<std::future<absl::Status>> tries;
  for (int i = 0; i < 4; ++i) {
    tries.push_back(std::async(std::launch::async, [this] { return Create().status(); }));
  }
  int made = 0;
  for (auto& one : tries) {
    const absl::Status status = one.get();
    made += status.ok() ? 1 : 0;
    EXPECT_TRUE(status.ok() || absl::IsAlreadyExists(status) || absl::IsFailedPrecondition(status))
        << status;
  }
  EXPECT_EQ(made, 1);
  DT_EXPECT_OK(Open());  // Its key is its certificate's.
}

TEST_F(RootFolderTest, KeepsItsKeyFromWhoHasNotTheKeyEncryptionKey) {
  DT_ASSERT_OK(Create());
  struct stat info {};
  ASSERT_EQ(stat((folder_ / "root").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  ASSERT_EQ(stat((folder_ / "root/root.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const std::string right = options_.kek_file;
  options_.kek_file = folder_ / "other.kek";
  DT_ASSERT_OK(pki::WriteKeyEncryptionKey(options_.kek_file, random_));
  EXPECT_FALSE(Open().ok());
  options_.kek_file.clear();
  DT_EXPECT_CODE(Open(), kInvalidArgument);
  options_.kek_file = right;
  // Another root's certificate over this key.
  DT_ASSERT_OK(RootFolder::Create(folder_ / "other", "acme", options_, clock_, random_));
  DT_ASSERT_OK(
      WriteFileAtomically(folder_ / "root/root.pem", ReadFile(folder_ / "other/root.pem").value()));
  EXPECT_FALSE(Open().ok());
}

TEST_F(RootFolderTest, SaysWhichFolderCannotBeRead) {
  // A name that is too long fails as a folder of another account does, for root too.
  const auto made =
      RootFolder::Create(std::string(300, 'r') + "/root", "acme", options_, clock_, random_);
  DT_EXPECT_CODE(made, kFailedPrecondition);
  EXPECT_NE(made.status().message().find("cannot read rrr"), std::string::npos) << made.status();

  DT_ASSERT_OK(Create());
  auto root = Open().value();
  DT_ASSERT_OK(root.MakeCrl(days(180)));
  // A list that would leave out what was taken back is not made.
  std::filesystem::remove(folder_ / "root/revoked");
  const auto list = root.MakeCrl(days(180));
  DT_EXPECT_CODE(list, kFailedPrecondition);
  EXPECT_NE(list.status().message().find("root/revoked"), std::string::npos) << list.status();
}

TEST_F(RootFolderTest, HasItsKeyInAToken) {
  if (!testing::SoftHsm::IsInstalled()) GTEST_SKIP() << "softhsm2 is not installed";
  testing::SoftHsm& hsm = testing::SoftHsm::Shared();
  hsm.Import("token-2", "77", "root", pki::PrivateKey::Generate()->Pem());
  options_.kek_file.clear();
  options_.key_uri = "pkcs11:token=token-2;id=%77";
  options_.pkcs11.module_path = hsm.module();
  options_.pkcs11.pin_file = hsm.pin_file();
  DT_ASSERT_OK(Create());
  options_.key_uri.clear();  // The folder knows it.
  auto root = Open();
  DT_ASSERT_OK(root);
  const auto issuer = root->Certify(NewKey(), days(1));
  DT_ASSERT_OK(issuer);
  EXPECT_TRUE(pki::IsIssuedBy(*issuer, root->certificate()));
  EXPECT_TRUE(List(*root).revoked.empty());
}

}  // namespace
}  // namespace devicetrust::ca
