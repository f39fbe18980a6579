#include "simulator/handshake/client_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "libs/base/files.h"
#include "libs/pki/crl.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::simulator {
namespace {

using ::testing::HasSubstr;

class ClientCertificatesTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    DT_ASSERT_OK(WriteFileAtomically(Path(name), text));
  }

  const WallTime now_ = AtUnixSeconds(1'800'000'000);
  const devicetrust::testing::TempFolder folder_;
  const pki::ExportableIdentity ca_ = throwaway::NewCa("A CA", now_);
  const pki::ExportableIdentity device_ = throwaway::NewDevice("acme", "one", "e1", ca_, now_);
};

TEST_F(ClientCertificatesTest, AFolderThatIsMadeIsReadBackWithItsRevokedOnes) {
  const FolderPlan plan{.certificates = 20, .revoked = 5, .revoked_in_all = 50};
  DT_ASSERT_OK(MakeFolder(plan, Path("pki"), now_));
  const auto read = ReadClientCertificatesAndRevoked(Path("pki"));
  DT_ASSERT_OK(read);
  EXPECT_EQ(read->current.size(), 20u);
  ASSERT_EQ(read->revoked.size(), 5u);

  std::set<std::string> keys;
  for (const auto& identity : read->current) keys.insert(identity.key.public_key().Thumbprint());
  EXPECT_EQ(keys.size(), 20u) << "each has a key of its own";
  EXPECT_EQ(read->current[0].certificate.issuer_common_name(), "Throw-away client CA");
}

TEST_F(ClientCertificatesTest, TheListHoldsTheRevokedOnesAndAsManyMoreAsWanted) {
  const FolderPlan plan{.certificates = 3, .revoked = 2, .revoked_in_all = 40};
  DT_ASSERT_OK(MakeFolder(plan, Path("pki"), now_));
  const std::string pem = ReadFile(Path("pki/crl.pem")).value();
  EXPECT_THAT(pem, HasSubstr("-----BEGIN X509 CRL-----"));
  EXPECT_GT(pem.size(), 40u * 30);
}

TEST_F(ClientCertificatesTest, ReadsPairsOfAFolderInTheOrderOfTheirNames) {
  const auto other = throwaway::NewDevice("acme", "two", "e2", ca_, now_);
  Write("b.pem", device_.certificate.Pem());
  Write("b.key", device_.key.Pem());
  Write("a.crt", other.certificate.Pem() + ca_.certificate.Pem());
  Write("a.key", other.key.Pem());
  Write("ca.pem", ca_.certificate.Pem());  // Without a key: no client's.
  const auto read = ReadClientCertificates(folder_.path());
  DT_ASSERT_OK(read);
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].certificate.common_name(), "two");
  EXPECT_EQ((*read)[0].intermediates.size(), 1u);
  EXPECT_EQ((*read)[1].certificate.common_name(), "one");
}

TEST_F(ClientCertificatesTest, SaysWhatIsWrongWithWhichFile) {
  EXPECT_THAT(std::string(ReadClientCertificates(Path("none")).status().message()),
              HasSubstr(Path("none")));
  EXPECT_TRUE(absl::IsNotFound(ReadClientCertificates(folder_.path()).status()));

  Write("empty.pem", "nothing\n");
  EXPECT_TRUE(absl::IsNotFound(ReadClientCertificates(Path("empty.pem")).status()));

  Write("half.pem", device_.certificate.Pem() + device_.key.Pem() + device_.certificate.Pem());
  EXPECT_THAT(std::string(ReadClientCertificates(Path("half.pem")).status().message()),
              HasSubstr("without its key"));

  const auto other = throwaway::NewDevice("acme", "two", "e2", ca_, now_);
  Write("mixed.pem", device_.certificate.Pem() + other.key.Pem());
  EXPECT_THAT(std::string(ReadClientCertificates(Path("mixed.pem")).status().message()),
              HasSubstr("mixed.pem, key 1"));
}

}  // namespace
}  // namespace devicetrust::simulator
