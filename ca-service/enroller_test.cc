#include "ca-service/enroller.h"

#include <algorithm>
#include <thread>

#include "ca-service/ca_fixture.h"
#include "libs/pki/certificate_validator.h"
#include "libs/testing/vectors.h"

namespace devicetrust::ca {
namespace {

using reason::v1::Reason;
using std::chrono::days;
using std::chrono::seconds;

class EnrollerTest : public CaTest {};

TEST_F(EnrollerTest, IssuesWhatTheProfileSaysAndNoUserName) {
  const auto issued = Enroll(Token(key_), key_);
  DT_ASSERT_OK(issued);
  const auto leaf = pki::Certificate::FromDer(issued->der).value();
  EXPECT_EQ(leaf.issuer_common_name(), "MTLS Certificate Authority");
  EXPECT_EQ(leaf.not_after(), kStart + days{365});
  EXPECT_EQ(leaf.not_before(), kStart - std::chrono::minutes{5});
  EXPECT_TRUE(leaf.allows_client_auth());
  EXPECT_FALSE(leaf.allows_server_auth());
  EXPECT_FALSE(leaf.is_ca());
  EXPECT_GE(leaf.serial_hex().size(), 32U);
  EXPECT_EQ(leaf.uris(),
            (std::vector<std::string>{"urn:devicetrust:acme:device:" + issued->device_id,
                                      "urn:devicetrust:acme:enrollment:" + issued->enrollment_id}));
  const auto issuers = issuers_->Current();
  EXPECT_EQ(leaf.crl_urls(),
            std::vector<std::string>{"http://ca.test/crl/" + issuers->active().id() + ".crl"});
  EXPECT_NE(ToString(issued->der).find("http://ca.test/ocsp"), std::string::npos);
  EXPECT_EQ(ToString(issued->der).find("alice"), std::string::npos);
  EXPECT_EQ(ToString(issued->der).find("PC0042"), std::string::npos);

  const auto validator = pki::CertificateValidator::Create({ActiveCertificate()}, clock_).value();
  EXPECT_EQ(validator->Check(leaf), pki::CertificateVerdict::kValid);
  EXPECT_EQ(leaf.public_key().value(), key_.public_key());
  const auto root_check =
      pki::CertificateValidator::Create({issuers->active().root()}, clock_).value();
  EXPECT_EQ(root_check->Check(leaf), pki::CertificateVerdict::kUnknownIssuer);
}

TEST_F(EnrollerTest, TellsTheOrgWhoEnrollsAndLogsBothEventsOnce) {
  const auto issued = Enroll(Token(key_), key_);
  DT_ASSERT_OK(issued);
  ASSERT_EQ(org_.requests.size(), 1U);
  EXPECT_EQ(org_.requests[0].iwa_name(), "iwa-1");
  EXPECT_EQ(org_.requests[0].kid(), "k1");
  EXPECT_EQ(org_.requests[0].device_id(), issued->device_id);
  EXPECT_EQ(org_.requests[0].enrollment_id(), issued->enrollment_id);
  EXPECT_EQ(org_.requests[0].computer_sid(), "S-1-5-21-1-2-3-2001");
  EXPECT_EQ(EventCounts(),
            (std::map<std::string, int>{{"user.credential.enroll", 1}, {"pki.cert.issue", 1}}));
  for (const auto& event : org_.log()) {
    EXPECT_EQ(event.debug_data().at("device_id"), issued->device_id);
    EXPECT_LE(event.id().size(), 64U);
    EXPECT_EQ(event.outcome().result(), org::v1::EventOutcome::RESULT_SUCCESS);
    EXPECT_EQ(event.at().seconds(), UnixSeconds(kStart));
    ASSERT_EQ(event.targets_size(), 3);
    EXPECT_EQ(event.targets(0).id(), issued->serial);
    EXPECT_EQ(event.targets(1).display_name(), "alice@CORP.TEST");
    const bool by_user = event.type() == "user.credential.enroll";
    EXPECT_EQ(event.actor().id(), by_user ? issued->user_id : "ca");
    EXPECT_EQ(event.client().address(), by_user ? "192.0.2.7" : "");
  }
}

// CA-2: the former certificate stays good, and the log says which one was renewed.
TEST_F(EnrollerTest, ANewCertificateWhileTheFormerIsGoodIsARenewal) {
  const auto first = Enroll(Token(key_), key_);
  DT_ASSERT_OK(first);
  const auto other_key = pki::PrivateKey::Generate().value();
  clock_.Advance(seconds{200});
  const auto second = Enroll(Token(other_key), other_key);
  DT_ASSERT_OK(second);
  EXPECT_EQ(second->device_id, first->device_id);
  EXPECT_EQ(EventCounts(),
            (std::map<std::string, int>{
                {"user.credential.enroll", 2}, {"pki.cert.issue", 2}, {"pki.cert.renew", 1}}));
  for (const auto& event : org_.log()) {
    if (event.type() != "pki.cert.renew") continue;
    EXPECT_EQ(event.debug_data().at("serial"), second->serial);
    EXPECT_EQ(event.debug_data().at("renews"), first->serial);
    EXPECT_EQ(event.actor().id(), first->user_id);
    EXPECT_EQ(event.display_message(), "Device Trust certificate renewal");
  }
}

// The answer was lost and the device asks again, also over a restart of the CA.
TEST_F(EnrollerTest, AnswersARetryWithTheSameCertificate) {
  const token::UserToken token = Token(key_);
  const auto first = Enroll(token, key_);
  DT_ASSERT_OK(first);
  clock_.Advance(seconds{200});
  EXPECT_EQ(Enroll(token, key_).value().der, first->der);
  Open();
  EXPECT_EQ(Enroll(token, key_).value().der, first->der);
  EXPECT_EQ(CountCertificates(), 1);
  EXPECT_EQ(EventCounts()["pki.cert.issue"], 1);
}

TEST_F(EnrollerTest, CertifiesALiveKeyOnceAndAnotherKeyBesideIt) {
  const auto first = Enroll(Token(key_), key_).value();
  EXPECT_EQ(Enroll(Token(key_), key_).value().der, first.der);

  const auto other = pki::PrivateKey::Generate().value();
  const auto second = Enroll(Token(other), other).value();
  EXPECT_NE(second.der, first.der);
  EXPECT_EQ(second.device_id, first.device_id);
  EXPECT_NE(second.enrollment_id, first.enrollment_id);

  clock_.Advance(days{365});
  EXPECT_NE(Enroll(Token(key_), key_).value().der, first.der);
}

// The key of one user must never fetch the certificate of another.
TEST_F(EnrollerTest, GivesNobodyTheCertificateOfAnotherUser) {
  const auto first = Enroll(Token(key_), key_).value();
  token::UserToken other = Token(key_);
  other.user_sid = "S-1-5-21-1-2-3-1105";
  const auto second = Enroll(other, key_);
  DT_ASSERT_OK(second);
  EXPECT_NE(second->der, first.der);
  EXPECT_EQ(second->user_id, "user-of-S-1-5-21-1-2-3-1105");
}

TEST_F(EnrollerTest, RefusesAReplayForAnotherKeyAndLogsIt) {
  const token::UserToken token = Token(key_);
  DT_ASSERT_OK(Enroll(token, key_));
  const auto other = pki::PrivateKey::Generate().value();
  // The token names another key.
  EXPECT_EQ(rpc::ReasonOf(Enroll(token, other).status()), reason::v1::REASON_TOKEN_WRONG_KEY);
  // The same `jti` on a token for the other key, by an IWA gone wrong.
  token::UserToken doubled = Token(other);
  doubled.envelope.id = token.envelope.id;
  for (int i = 0; i < 3; ++i) {
    const auto refused = Enroll(doubled, other);
    DT_EXPECT_CODE(refused, kPermissionDenied);
    EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_TOKEN_REPLAYED);
  }
  EXPECT_EQ(CountCertificates(), 1);
  EXPECT_EQ(EventCounts()["user.credential.enroll"], 3);  // Enrolled, and each reason once.
  int denied = 0;
  for (const auto& event : org_.log()) {
    if (event.outcome().result() != org::v1::EventOutcome::RESULT_DENY) continue;
    if (event.outcome().reason() == "TOKEN_REPLAYED") ++denied;
  }
  EXPECT_EQ(denied, 1);
}

TEST_F(EnrollerTest, RefusesTheTokenOfARevokedCertificate) {
  const token::UserToken token = Token(key_);
  const auto issued = Enroll(token, key_).value();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  EXPECT_EQ(rpc::ReasonOf(Enroll(token, key_).status()), reason::v1::REASON_TOKEN_REPLAYED);
  EXPECT_EQ(CountCertificates(), 1);
}

// A forgery must not use up a good token: `jti` is recorded last.
TEST_F(EnrollerTest, KeepsATokenGoodThroughRefusedAttempts) {
  const token::UserToken token = Token(key_);
  Bytes forged = Csr(key_);
  forged.back() ^= 1;
  EXPECT_EQ(rpc::ReasonOf(enroller_->Enroll(Signed(token), ToString(forged), "").status()),
            reason::v1::REASON_CSR_PROOF_INVALID);
  org_.set_refusal(rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_ORG_READ_ONLY,
                                  "the org is read-only", {}, {}, seconds{30}));
  const auto read_only = Enroll(token, key_);
  DT_EXPECT_CODE(read_only, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(read_only.status()), reason::v1::REASON_ORG_READ_ONLY);
  EXPECT_EQ(rpc::DetailOf(read_only.status())->retry_after().seconds(), 30);
  EXPECT_EQ(CountCertificates(), 0);
  org_.set_refusal(absl::OkStatus());
  DT_EXPECT_OK(Enroll(token, key_));
}

// The user's certificates are revoked after the org said yes and before ours is stored.
TEST_F(EnrollerTest, LetsNoEnrollmentInFlightSlipThroughARevocation) {
  org_.during_authorize = [this] {
    EXPECT_EQ(revocations_
                  ->RevokeForUser("user-of-S-1-5-21-1-2-3-1104",
                                  v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN, "org")
                  .value()
                  .revoked,
              0);
  };
  const auto refused = Enroll(Token(key_), key_);
  DT_EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_USER_REVOKED_MEANWHILE);
  EXPECT_EQ(CountCertificates(), 0);
  // Another user's revocation at the same moment is no obstacle, nor is an earlier one.
  org_.during_authorize = [this] {
    DT_EXPECT_OK(
        revocations_->RevokeForUser("user-of-somebody", v1::REVOCATION_REASON_SUPERSEDED, "org"));
  };
  DT_EXPECT_OK(Enroll(Token(key_), key_));
}

TEST_F(EnrollerTest, GivesOneComputerOneDeviceIdWhenTwoEnrollAtOnce) {
  const auto other = pki::PrivateKey::Generate().value();
  std::string raced;
  org_.during_authorize = [&] {
    org_.during_authorize = nullptr;
    raced = Enroll(Token(other), other).value().device_id;
  };
  const auto issued = Enroll(Token(key_), key_);
  DT_ASSERT_OK(issued);
  EXPECT_EQ(issued->device_id, raced);
  EXPECT_EQ(CountCertificates(), 2);
}

TEST_F(EnrollerTest, SaysNoWhileTooManyEventsWaitAndRevokesAllTheSame) {
  Open({}, /*backlog_max=*/2);
  org_.set_log_down(true);
  const auto first = Enroll(Token(key_), key_).value();
  const auto second_key = pki::PrivateKey::Generate().value();
  DT_ASSERT_OK(Enroll(Token(second_key), second_key));
  const auto third_key = pki::PrivateKey::Generate().value();
  const auto refused = Enroll(Token(third_key), third_key);
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_LOG_BACKLOG_FULL);
  EXPECT_EQ(revocations_->RevokeForUser(first.user_id, v1::REVOCATION_REASON_SUPERSEDED, "org")
                .value()
                .revoked,
            2);

  org_.set_log_down(false);
  EXPECT_EQ(EventCounts(),
            (std::map<std::string, int>{
                {"user.credential.enroll", 2},
                {"pki.cert.issue", 2},
                {"pki.cert.renew", 1},
                {"pki.cert.revoke", 2}}));
  DT_EXPECT_OK(Enroll(Token(third_key), third_key));
}

TEST_F(EnrollerTest, SaysThatTheStoreIsFullAndWritesNothing) {
  Open({.bytes_max = 512 * 1024});
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) {
    const auto key = pki::PrivateKey::Generate().value();
    status = Enroll(Token(key), key).status();
  }
  DT_EXPECT_CODE(status, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(status), reason::v1::REASON_STORE_FULL);
  EXPECT_FALSE(rpc::DetailOf(status)->remedy().empty());
}

TEST_F(EnrollerTest, FailsClosedWithoutTheOrg) {
  org_.set_refusal(rpc::MakeError(absl::StatusCode::kUnavailable,
                                  reason::v1::REASON_DEPENDENCY_UNAVAILABLE, "no answer"));
  EXPECT_EQ(rpc::ReasonOf(Enroll(Token(key_), key_).status()),
            reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  EXPECT_EQ(CountCertificates(), 0);
}

// The computer has its share and the user theirs, whichever way they are combined.
TEST_F(EnrollerTest, OneWildCallerDoesNotUseUpTheOthersShare) {
  calls_per_minute_ = 2;
  Open();
  for (int i = 0; i < 5; ++i) {  // Nobody is made to pay for what others forge in their name.
    std::string forged = Signed(Token(key_));
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    EXPECT_EQ(rpc::ReasonOf(enroller_->Enroll(forged, ToString(Csr(key_)), "").status()),
              reason::v1::REASON_TOKEN_SIGNATURE_INVALID);
  }
  token::UserToken token = Token(key_);
  DT_ASSERT_OK(Enroll(token, key_));
  DT_ASSERT_OK(Enroll(token, key_));
  const auto refused = Enroll(token, key_);
  DT_EXPECT_CODE(refused, kResourceExhausted);
  const auto detail = rpc::DetailOf(refused.status());
  EXPECT_EQ(detail->reason(), reason::v1::REASON_TOO_MANY_REQUESTS);
  EXPECT_EQ(detail->subject(), "PC0042$");
  EXPECT_GT(detail->retry_after().seconds(), 0);
  EXPECT_LE(detail->retry_after().seconds(), 60);
  EXPECT_FALSE(detail->remedy().empty());

  token.computer_sid = "S-1-5-21-1-2-3-2002";
  EXPECT_EQ(rpc::DetailOf(Enroll(token, key_).status())->subject(), "alice@CORP.TEST");
  token::UserToken other = Token(key_);
  other.computer_sid = token.computer_sid;
  other.user_sid = "S-1-5-21-1-2-3-1105";
  DT_EXPECT_OK(Enroll(other, key_));
}

struct OtherKey {
  const char* file;
  const char* found;
};
std::ostream& operator<<(std::ostream& out, const OtherKey& key) { return out << key.file; }

class OtherKeyTest : public CaTest, public ::testing::WithParamInterface<OtherKey> {};

TEST_P(OtherKeyTest, IsRefusedByItsNameWithTheWayOut) {
  const Bytes csr =
      testing::ReadVectorBytes(std::string("openssl/csr-") + GetParam().file + ".der");
  const auto refused = enroller_->Enroll(Signed(Token(key_)), ToString(csr), "");
  DT_EXPECT_CODE(refused, kInvalidArgument);
  EXPECT_EQ(rpc::ReasonName(refused.status()), "KEY_NOT_ACCEPTED");
  EXPECT_NE(std::string(refused.status().message()).find(GetParam().found), std::string::npos)
      << refused.status();
  EXPECT_NE(rpc::DetailOf(refused.status())->remedy().find("Make a P-256 key"), std::string::npos);
  EXPECT_EQ(CountCertificates(), 0);
}

INSTANTIATE_TEST_SUITE_P(, OtherKeyTest,
                         ::testing::Values(OtherKey{"rsa2048", "RSA of 2048 bits"},
                                           OtherKey{"p384", "secp384r1"},
                                           OtherKey{"ed25519", "ED25519"},
                                           OtherKey{"explicit", "explicit curve"},
                                           OtherKey{"compressed", "compressed point"}),
                         ::testing::PrintToStringParamName());

// A flood of unknown keys asks the org once a second, not once a token.
TEST_F(EnrollerTest, AsksForIwaKeysRarely) {
  const token::SigningKey stranger{"k9", pki::PrivateKey::Generate().value()};
  for (int i = 0; i < 20; ++i) {
    const auto refused = enroller_->Enroll(token::Sign(Token(key_), stranger).value(), "", "");
    EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_TOKEN_UNKNOWN_KEY);
  }
  EXPECT_LE(org_.lists, 3);
}

struct BadToken {
  const char* name;
  void (*change)(token::UserToken& token);
  Reason expected;
};

class BadTokenTest : public CaTest, public ::testing::WithParamInterface<BadToken> {};

TEST_P(BadTokenTest, IsRefusedWithItsReason) {
  token::UserToken token = Token(key_);
  GetParam().change(token);
  const auto refused = Enroll(token, key_);
  EXPECT_EQ(rpc::ReasonName(refused.status()), rpc::ReasonName(GetParam().expected));
  EXPECT_EQ(CountCertificates(), 0);
}

INSTANTIATE_TEST_SUITE_P(, BadTokenTest,
                         ::testing::Values(BadToken{"Expired",
                                                    [](token::UserToken& token) {
                                                      token.envelope.issued_at -= seconds{331};
                                                      token.envelope.expires_at -= seconds{331};
                                                    },
                                                    reason::v1::REASON_TOKEN_EXPIRED},
                                           BadToken{"OfTheFuture",
                                                    [](token::UserToken& token) {
                                                      token.envelope.issued_at += seconds{60};
                                                      token.envelope.expires_at += seconds{60};
                                                    },
                                                    reason::v1::REASON_TOKEN_NOT_YET_VALID},
                                           BadToken{"ForAnotherOrgsCa",
                                                    [](token::UserToken& token) {
                                                      token.envelope.audience =
                                                          token::CaUrn("umbrella");
                                                    },
                                                    reason::v1::REASON_TOKEN_WRONG_AUDIENCE},
                                           BadToken{"InTheNameOfAnotherIwa",
                                                    [](token::UserToken& token) {
                                                      token.envelope.issuer =
                                                          token::IwaUrn("acme", "iwa-2");
                                                    },
                                                    reason::v1::REASON_TOKEN_WRONG_ISSUER},
                                           BadToken{"ForAnotherKey",
                                                    [](token::UserToken& token) {
                                                      token.key_thumbprint = std::string(43, 'A');
                                                    },
                                                    reason::v1::REASON_TOKEN_WRONG_KEY}),
                         [](const auto& tested) { return std::string(tested.param.name); });

struct BadBytes {
  const char* name;
  std::string (*token)(std::string good);
  Bytes (*csr)(Bytes good);
  Reason expected;
};

class BadBytesTest : public CaTest, public ::testing::WithParamInterface<BadBytes> {};

TEST_P(BadBytesTest, AreRefusedWithTheirReason) {
  const std::string token = GetParam().token(Signed(Token(key_)));
  const Bytes csr = GetParam().csr(Csr(key_));
  const auto refused = enroller_->Enroll(token, ToString(csr), "");
  EXPECT_EQ(rpc::ReasonName(refused.status()), rpc::ReasonName(GetParam().expected));
  EXPECT_EQ(CountCertificates(), 0);
}

std::string Same(std::string good) { return good; }
Bytes SameCsr(Bytes good) { return good; }

INSTANTIATE_TEST_SUITE_P(
    , BadBytesTest,
    ::testing::Values(
        BadBytes{"NoToken", [](std::string) { return std::string(); }, &SameCsr,
                 reason::v1::REASON_TOKEN_MALFORMED},
        BadBytes{"OversizedToken",
                 [](std::string good) { return good + std::string(8 * 1024, 'A'); }, &SameCsr,
                 reason::v1::REASON_TOKEN_MALFORMED},
        BadBytes{"ForgedToken",
                 [](std::string good) {
                   good[good.size() - 10] = good[good.size() - 10] == 'A' ? 'B' : 'A';
                   return good;
                 },
                 &SameCsr, reason::v1::REASON_TOKEN_SIGNATURE_INVALID},
        BadBytes{"NoCsr", &Same, [](Bytes) { return Bytes(); }, reason::v1::REASON_CSR_MALFORMED},
        BadBytes{"OversizedCsr", &Same, [](Bytes) { return Bytes(pki::kCsrBytesMax + 1, 0x30); },
                 reason::v1::REASON_CSR_MALFORMED},
        BadBytes{"TrailingByte", &Same,
                 [](Bytes good) {
                   good.push_back(0);
                   return good;
                 },
                 reason::v1::REASON_CSR_MALFORMED},
        BadBytes{"CutCsr", &Same,
                 [](Bytes good) {
                   good.resize(good.size() / 2);
                   return good;
                 },
                 reason::v1::REASON_CSR_MALFORMED},
        BadBytes{"WeakDigest", &Same,
                 [](Bytes) { return testing::ReadVectorBytes("openssl/csr-sha1.der"); },
                 reason::v1::REASON_CSR_MALFORMED},
        BadBytes{"PointOffTheCurve", &Same,
                 [](Bytes good) {
                   static constexpr std::uint8_t kPoint[] = {0x03, 0x42, 0x00, 0x04};
                   std::ranges::search(good, kPoint).begin()[4] ^= 1;
                   return good;
                 },
                 reason::v1::REASON_KEY_NOT_ACCEPTED},
        BadBytes{"ForgedCsr", &Same,
                 [](Bytes good) {
                   good.back() ^= 1;
                   return good;
                 },
                 reason::v1::REASON_CSR_PROOF_INVALID}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace devicetrust::ca
