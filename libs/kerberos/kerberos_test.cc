#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/credentials.h"
#include "libs/kerberos/environment.h"
#include "libs/kerberos/handles.h"
#include "libs/kerberos/keytab.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

// Exchanges with a real KDC are tested in simulator/forest, which has one.
namespace devicetrust::kerberos {
namespace {

TEST(FailureTest, TheKindTravelsWithTheStatus) {
  const absl::Status status = MakeFailure(Failure::kClockSkew, "five minutes apart");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(FailureOf(status), Failure::kClockSkew);
  EXPECT_EQ(Name(FailureOf(status)), "CLOCK_SKEW");
  EXPECT_EQ(FailureOf(absl::OkStatus()), Failure::kNone);
}

TEST(ReasonTest, TheSameFailureOfAComputerAndOfAUserMayMeanTwoThings) {
  using namespace reason::v1;
  EXPECT_EQ(ReasonOf(Failure::kClockSkew, Holder::kUser), REASON_CLOCK_SKEW);
  EXPECT_EQ(ReasonOf(Failure::kMalformed, Holder::kUser), REASON_TICKET_INVALID);
  EXPECT_EQ(ReasonOf(Failure::kAccountRevoked, Holder::kComputer), REASON_COMPUTER_DISABLED);
  EXPECT_EQ(ReasonOf(Failure::kAccountRevoked, Holder::kUser), REASON_USER_DISABLED);
  EXPECT_EQ(ReasonOf(Failure::kUnknownAccount, Holder::kComputer), REASON_NOT_DOMAIN_JOINED);
  EXPECT_EQ(ReasonOf(Failure::kAccountExpired, Holder::kUser), REASON_ACCOUNT_EXPIRED);
  EXPECT_EQ(ReasonOf(Failure::kNone, Holder::kUser), REASON_INTERNAL_ERROR);
  EXPECT_EQ(ReasonOf(Failure::kMisconfigured, Holder::kUser), REASON_INTERNAL_ERROR);
}

// The errors of Samba's domain controller: to a ticket-granting ticket of an account that is
// disabled, locked, expired, without a password of today, gone, or made anew.
TEST(FailureTest, EachErrorOfADomainControllerHasItsMeaning) {
  const auto failure = [](krb5_error_code code) { return FailureOf(KrbError(nullptr, code, "x")); };
  EXPECT_EQ(failure(KRB5KDC_ERR_POLICY), Failure::kNotPermitted);
  EXPECT_EQ(failure(KRB5KDC_ERR_CLIENT_REVOKED), Failure::kAccountRevoked);
  EXPECT_EQ(failure(KRB5KDC_ERR_NAME_EXP), Failure::kAccountExpired);
  EXPECT_EQ(failure(KRB5KDC_ERR_KEY_EXP), Failure::kPasswordExpired);
  EXPECT_EQ(failure(KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN), Failure::kUnknownAccount);
  EXPECT_EQ(failure(KRB5KDC_ERR_TGT_REVOKED), Failure::kAccountRevoked);
  EXPECT_EQ(failure(KRB5KDC_ERR_PATH_NOT_ACCEPTED), Failure::kUntrustedRealm);
  EXPECT_EQ(failure(KRB5KDC_ERR_ETYPE_NOSUPP), Failure::kTicketInvalid);
  EXPECT_EQ(ReasonOf(Failure::kNotPermitted, Holder::kUser),
            reason::v1::REASON_LOGON_NOT_PERMITTED);
}

// The machine's own /etc/krb5.conf may name a realm on the Internet.
TEST(EnvironmentTest, NothingWorksOnTheMachinesOwnConfiguration) {
  ::unsetenv("KRB5_CONFIG");
  EXPECT_EQ(FailureOf(Credentials::FromPassword("ada@CORP.TEST", "x").status()),
            Failure::kMisconfigured);
  EXPECT_EQ(FailureOf(Acceptor::Create({"/nonexistent", "/nonexistent"}).status()),
            Failure::kMisconfigured);
  DT_EXPECT_CODE(UseConfig("/nonexistent/krb5.conf"), kNotFound);
}

class ConfiguredTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string config = folder_ / "krb5.conf";
    DT_ASSERT_OK(WriteFileAtomically(config,
                                     "[libdefaults]\n default_realm = NOWHERE.TEST\n"
                                     " dns_lookup_kdc = false\n"
                                     "[realms]\n NOWHERE.TEST = {\n  kdc = 127.0.0.1:1\n }\n"));
    DT_ASSERT_OK(UseConfig(config));
  }
  void TearDown() override { ::unsetenv("KRB5_CONFIG"); }

  testing::TempFolder folder_;
};

TEST_F(ConfiguredTest, NoKdcIsUnreachable) {
  const auto result = Credentials::FromKey("ada@NOWHERE.TEST", {18, 1, Bytes(32, 7)});
  EXPECT_EQ(FailureOf(result.status()), Failure::kUnreachable) << result.status();
}

TEST_F(ConfiguredTest, BadNamesAreRefused) {
  for (const std::string name : {"", "ada", "ada@", "a@b@c", "@NOWHERE.TEST\\"}) {
    EXPECT_FALSE(Credentials::FromPassword(name, "x").ok()) << name;
  }
  EXPECT_EQ(FailureOf(Credentials::FromPassword("ada", "x").status()), Failure::kMalformed);
}

TEST_F(ConfiguredTest, AnAcceptorNeedsAKeytab) {
  const auto result = Acceptor::Create({folder_ / "none", folder_ / "rcache"});
  EXPECT_EQ(FailureOf(result.status()), Failure::kMisconfigured) << result.status();
}

TEST_F(ConfiguredTest, GarbageIsNoTicket) {
  const std::string keytab = folder_ / "keytab";
  const KeytabEntry entry{"HTTP/iwa.corp.test@NOWHERE.TEST", {18, 3, Bytes(32, 9)}, 0};
  DT_ASSERT_OK(WriteKeytab(keytab, {&entry, 1}));
  const auto acceptor = Acceptor::Create({keytab, folder_ / "rcache"});
  DT_ASSERT_OK(acceptor);
  const Bindings bindings(32, 7);
  const auto accept = [&](const Bytes& token) {
    return FailureOf((*acceptor)->Accept(token, bindings).status());
  };
  EXPECT_EQ(accept({}), Failure::kMalformed);
  EXPECT_EQ(accept(Bytes(kSpnegoBytesMax + 1, 0x60)), Failure::kMalformed);
  EXPECT_EQ(accept({1, 2, 3}), Failure::kMalformed);
  // NegTokenInit that offers NTLM alone (1.3.6.1.4.1.311.2.2.10).
  const Bytes ntlm =
      HexDecode("601c06062b0601050502a0123010a00e300c060a2b06010401823702020a").value();
  EXPECT_EQ(accept(ntlm), Failure::kMalformed);
}

TEST_F(ConfiguredTest, AKeytabHasTheRealmsOfAService) {
  const std::string keytab = folder_ / "keytab";
  const Key key{18, 3, Bytes(32, 9)};
  const std::vector<KeytabEntry> entries = {{"HTTP/iwa.corp.test@CORP.TEST", key, 0},
                                            {"http/IWA.corp.test@PARTNER.TEST", key, 0},
                                            {"HTTP/other.corp.test@ELSEWHERE.TEST", key, 0}};
  DT_ASSERT_OK(WriteKeytab(keytab, entries));
  const auto realms = RealmsOfKeytab(keytab, "HTTP/iwa.corp.test");
  DT_ASSERT_OK(realms);
  EXPECT_EQ(*realms, (std::set<std::string>{"CORP.TEST", "PARTNER.TEST"}));
  DT_EXPECT_CODE(RealmsOfKeytab(folder_ / "none", "HTTP/iwa.corp.test"), kFailedPrecondition);
}

TEST(KeytabTest, ANameWithoutRealmIsRefused) {
  const KeytabEntry entry{"HTTP/iwa.corp.test", {18, 1, Bytes(32, 9)}, 0};
  const testing::TempFolder folder;
  DT_EXPECT_CODE(WriteKeytab(folder / "never.keytab", {&entry, 1}), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::kerberos
