#include "policy-engine/diagnostics/diagnostics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/sign_on_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class FakeLister final : public CertificateLister {
 public:
  absl::StatusOr<ca::v1::ListCertificatesResponse> ListCertificates(
      const ca::v1::ListCertificatesRequest& request) override {
    asked = request;
    return answer;
  }

  ca::v1::ListCertificatesRequest asked;
  absl::StatusOr<ca::v1::ListCertificatesResponse> answer = ca::v1::ListCertificatesResponse();
};

class DiagnosticsTest : public SignOnFixture {
 protected:
  v1::DiagnoseResponse Diagnose(const v1::DiagnoseRequest& request) {
    const auto diagnosis = diagnostics_.Diagnose(request);
    DT_EXPECT_OK(diagnosis);
    return diagnosis.ok() ? *diagnosis : v1::DiagnoseResponse();
  }
  v1::DiagnoseResponse DiagnoseUser(const std::string& user) {
    v1::DiagnoseRequest request;
    request.set_user(user);
    return Diagnose(request);
  }
  void GiveCertificate(const std::string& user_id) {
    ca::v1::CertificateRecord& record = *lister_.answer->add_certificates();
    record.set_serial("0a1b");
    record.set_user_id(user_id);
    record.set_device_id("device-7");
    *record.mutable_issued_at() = rpc::ToTimestamp(clock_.Now());
    *record.mutable_not_after() = rpc::ToTimestamp(clock_.Now() + std::chrono::days(300));
  }
  static v1::CheckState StateOf(const v1::DiagnoseResponse& diagnosis, const std::string& id) {
    for (const v1::Check& check : diagnosis.checks()) {
      if (check.id() == id) return check.state();
    }
    return v1::CHECK_STATE_UNSPECIFIED;
  }

  FakeLister lister_;
  Diagnostics diagnostics_{Diagnostics::Parts{*database_, *store_, *log_, *iwas_, *history_,
                                              lister_, clock_,
                                              [] { return v1::GetPeopleSyncResponse(); }}};
};

TEST_F(DiagnosticsTest, OfAUserTellsTheCertificatesAndTheFirstThatFails) {
  GiveCertificate("id-ada");
  const v1::DiagnoseResponse diagnosis = DiagnoseUser("ADA@corp.test");
  EXPECT_EQ(diagnosis.user().principal(), "ada@corp.test");
  EXPECT_EQ(lister_.asked.user_id(), "id-ada");
  EXPECT_EQ(diagnosis.first_failed(), "iwa_registered");
  EXPECT_FALSE(diagnosis.remedy().empty());
  EXPECT_EQ(StateOf(diagnosis, "certificate_good"), v1::CHECK_STATE_PASSED);
  EXPECT_EQ(StateOf(diagnosis, "policy"), v1::CHECK_STATE_PASSED);
  EXPECT_EQ(diagnosis.certificates_size(), 1);
}

TEST_F(DiagnosticsTest, AUserWhomNobodyKnowsIsWhatACheckSays) {
  const v1::DiagnoseResponse diagnosis = DiagnoseUser("nobody@corp.test");
  EXPECT_FALSE(diagnosis.has_user());
  EXPECT_EQ(diagnosis.first_failed(), "user_present");
}

TEST_F(DiagnosticsTest, ADeviceLeadsToWhoeverHasItsCertificate) {
  GiveCertificate("id-ada");
  v1::DiagnoseRequest request;
  request.set_device("device-7");
  const v1::DiagnoseResponse diagnosis = Diagnose(request);
  EXPECT_EQ(lister_.asked.device_id(), "device-7");
  EXPECT_EQ(diagnosis.user().principal(), "ada@corp.test");
  EXPECT_EQ(diagnosis.device_id(), "device-7");
}

TEST_F(DiagnosticsTest, ACodeLeadsToTheSignInRuleByRule) {
  const std::string code = Evaluate(Refused(reason::v1::REASON_CERTIFICATE_REVOKED, "0a1b")).code();
  v1::DiagnoseRequest request;
  request.set_code(code);
  const v1::DiagnoseResponse diagnosis = Diagnose(request);
  EXPECT_EQ(diagnosis.decision().code(), code);
  EXPECT_EQ(diagnosis.decision().rules_size(), 4);
  EXPECT_EQ(StateOf(diagnosis, "handshake"), v1::CHECK_STATE_FAILED);
  EXPECT_EQ(diagnosis.user().principal(), "ada@corp.test");
}

TEST_F(DiagnosticsTest, ACaThatDoesNotAnswerLeavesTheRestOfTheDiagnosis) {
  lister_.answer = absl::UnavailableError("connection refused");
  const v1::DiagnoseResponse diagnosis = DiagnoseUser("ada@corp.test");
  EXPECT_EQ(StateOf(diagnosis, "certificate_issued"), v1::CHECK_STATE_UNKNOWN);
  EXPECT_EQ(StateOf(diagnosis, "user_active"), v1::CHECK_STATE_PASSED);
}

TEST_F(DiagnosticsTest, ARuleThatIsOnlyReportedDeniesNobody) {
  std::vector<v1::Rule> rules = FiveRules();
  rules.back().set_active(false);
  rules.back().set_report_only(true);
  DT_ASSERT_OK(SetRules("mail", rules));
  EXPECT_EQ(StateOf(DiagnoseUser("ada@corp.test"), "policy"), v1::CHECK_STATE_FAILED);
}

TEST_F(DiagnosticsTest, RefusesToLookForNothing) {
  EXPECT_EQ(ReasonOf(diagnostics_.Diagnose({}).status()), reason::v1::REASON_MALFORMED_REQUEST);
  v1::DiagnoseRequest request;
  request.set_code("0000-0000");
  EXPECT_EQ(ReasonOf(diagnostics_.Diagnose(request).status()), reason::v1::REASON_DECISION_UNKNOWN);
}

}  // namespace
}  // namespace devicetrust::policy
