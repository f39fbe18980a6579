#include "policy-engine/diagnostics/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "libs/rpc/timestamps.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

const WallTime kNow = AtUnixSeconds(1'780'000'000);

v1::Event EventOf(const char* type, v1::EventOutcome::Result result, const char* reason = "") {
  v1::Event event;
  event.set_type(type);
  *event.mutable_at() = rpc::ToTimestamp(kNow - hours(1));
  event.mutable_outcome()->set_result(result);
  event.mutable_outcome()->set_reason(reason);
  return event;
}

// Where nothing is wrong.
Evidence Healthy() {
  Evidence evidence;
  evidence.now = kNow;
  evidence.settings.set_capability_enabled(true);
  evidence.settings.set_device_trust_enabled(true);
  evidence.settings.set_ad_integration_active(true);
  evidence.settings.add_ad_domains("corp.test");
  v1::PeopleSyncStatus& domain = evidence.people.emplace_back();
  domain.set_domain("corp.test");
  domain.set_state(v1::PeopleSyncStatus::STATE_WAITING);
  v1::Iwa& iwa = evidence.iwas.emplace_back();
  iwa.set_name("iwa-1");
  iwa.set_version("1.12.2");
  iwa.set_enabled(true);
  iwa.set_primary(true);
  iwa.set_device_trust_capable(true);
  iwa.set_binding("https");
  iwa.add_granted_domains("CORP.test");
  *iwa.mutable_last_heartbeat() = rpc::ToTimestamp(kNow - minutes(1));
  evidence.asked_user = "ada@corp.test";
  evidence.user.emplace();
  evidence.user->set_principal("ada@corp.test");
  evidence.user->set_status(v1::USER_STATUS_ACTIVE);
  evidence.user->set_from_ad(true);
  ca::v1::CertificateRecord certificate;
  certificate.set_serial("0a1b");
  *certificate.mutable_issued_at() = rpc::ToTimestamp(kNow - days(1));
  *certificate.mutable_not_after() = rpc::ToTimestamp(kNow + days(300));
  evidence.certificates = std::vector{certificate};
  evidence.events = {EventOf("user.authentication.authenticate", v1::EventOutcome::RESULT_SUCCESS),
                     EventOf("user.credential.enroll", v1::EventOutcome::RESULT_SUCCESS)};
  evidence.apps = {{"Wiki", false, false}, {"Mail", true, true}};
  return evidence;
}

std::string FirstFailed(const Evidence& evidence) {
  for (const v1::Check& check : Judge(evidence)) {
    if (check.state() == v1::CHECK_STATE_FAILED) return check.id();
  }
  return "";
}

struct Fault {
  const char* check;
  std::function<void(Evidence&)> make;
};

const std::vector<Fault>& Faults() {
  static const auto* const kFaults = new std::vector<Fault>{
      {"capability", [](Evidence& e) { e.settings.set_capability_enabled(false); }},
      {"device_trust", [](Evidence& e) { e.settings.set_device_trust_enabled(false); }},
      {"read_only", [](Evidence& e) { e.settings.set_read_only(true); }},
      {"ad_integration", [](Evidence& e) { e.settings.set_ad_integration_active(false); }},
      {"directory", [](Evidence& e) { e.people[0].set_state(v1::PeopleSyncStatus::STATE_FAILED); }},
      {"directory",
       [](Evidence& e) { e.people[0].set_state(v1::PeopleSyncStatus::STATE_STOPPED); }},
      {"user_present", [](Evidence& e) { e.user.reset(); }},
      {"user_active", [](Evidence& e) { e.user->set_status(v1::USER_STATUS_DEACTIVATED); }},
      {"user_active",
       [](Evidence& e) {
         e.user->set_status(v1::USER_STATUS_DEACTIVATED);
         e.user->set_deactivated_by_directory(true);
       }},
      {"user_member", [](Evidence& e) { e.user->set_from_ad(false); }},
      {"iwa_registered", [](Evidence& e) { e.iwas.clear(); }},
      {"iwa_enabled", [](Evidence& e) { e.iwas[0].set_enabled(false); }},
      {"iwa_primary", [](Evidence& e) { e.iwas[0].set_primary(false); }},
      {"iwa_capable", [](Evidence& e) { e.iwas[0].set_device_trust_capable(false); }},
      {"iwa_heartbeat",
       [](Evidence& e) {
         *e.iwas[0].mutable_last_heartbeat() = rpc::ToTimestamp(kNow - kHeartbeatAgeMax - hours(1));
       }},
      {"iwa_heartbeat",
       [](Evidence& e) {
         e.iwas[0].set_online(true);
         e.iwas[0].set_problem("corp.test: its directory does not answer");
       }},
      {"iwa_binding", [](Evidence& e) { e.iwas[0].set_binding("http"); }},
      {"iwa_domains", [](Evidence& e) { e.iwas[0].clear_granted_domains(); }},
      {"agent",
       [](Evidence& e) {
         e.events = {EventOf("user.credential.enroll", v1::EventOutcome::RESULT_DENY,
                             "IWA_DOMAIN_NOT_GRANTED")};
       }},
      {"agent",
       [](Evidence& e) {
         e.events.clear();
         e.certificates->clear();
       }},
      {"certificate_issued", [](Evidence& e) { e.certificates->clear(); }},
      {"certificate_good",
       [](Evidence& e) {
         *e.certificates->front().mutable_revoked_at() = rpc::ToTimestamp(kNow - hours(1));
       }},
      {"certificate_good",
       [](Evidence& e) {
         *e.certificates->front().mutable_not_after() = rpc::ToTimestamp(kNow - hours(1));
       }},
      {"handshake",
       [](Evidence& e) {
         e.events[0] = EventOf("user.authentication.authenticate", v1::EventOutcome::RESULT_FAILURE,
                               "CERTIFICATE_NOT_PRESENTED");
       }},
      {"handshake",
       [](Evidence& e) {
         e.decision.emplace();
         e.decision->set_trust(v1::TRUST_STATE_NOT_TRUSTED);
         e.decision->set_trust_reason(reason::v1::REASON_CHALLENGE_NOT_DONE);
       }},
      {"policy", [](Evidence& e) { e.apps[1].denies_untrusted = false; }},
      {"policy", [](Evidence& e) { e.apps[1].uses_trust = false; }},
  };
  return *kFaults;
}

TEST(ChecksTest, NothingFailsWhereNothingIsWrong) {
  for (const v1::Check& check : Judge(Healthy())) {
    EXPECT_EQ(check.state(), v1::CHECK_STATE_PASSED) << check.id() << ": " << check.finding();
    EXPECT_EQ(check.remedy(), "") << check.id();
  }
}

TEST(ChecksTest, EachFaultIsNamedByItsCheckWithARemedy) {
  for (const Fault& fault : Faults()) {
    Evidence evidence = Healthy();
    fault.make(evidence);
    EXPECT_EQ(FirstFailed(evidence), fault.check);
    for (const v1::Check& check : Judge(evidence)) {
      EXPECT_FALSE(check.finding().empty()) << check.id();
      EXPECT_EQ(check.remedy().empty(), check.state() == v1::CHECK_STATE_PASSED) << check.id();
    }
  }
}

TEST(ChecksTest, EveryCheckHasAFaultThatItNames) {
  std::set<std::string> named;
  for (const Fault& fault : Faults()) named.insert(fault.check);
  for (const v1::Check& check : Judge(Healthy())) EXPECT_TRUE(named.contains(check.id()));
}

TEST(ChecksTest, OfSeveralFaultsTheOneThatOthersNeedComesFirst) {
  Evidence evidence = Healthy();
  for (auto fault = Faults().rbegin(); fault != Faults().rend(); ++fault) {
    if (std::string(fault->check) == "user_active" && !evidence.user) continue;
    if (!evidence.user || evidence.iwas.empty()) break;
    fault->make(evidence);
    EXPECT_EQ(FirstFailed(evidence), fault->check);
  }
}

TEST(ChecksTest, WhatCannotBeLookedAtIsUnknownAndNotWrong) {
  Evidence evidence = Healthy();
  evidence.certificates = absl::UnavailableError("connection refused");
  for (const v1::Check& check : Judge(evidence)) {
    const bool certificate = check.id().starts_with("certificate_");
    EXPECT_EQ(check.state(), certificate ? v1::CHECK_STATE_UNKNOWN : v1::CHECK_STATE_PASSED);
  }
  EXPECT_EQ(FirstFailed(evidence), "");
}

}  // namespace
}  // namespace devicetrust::policy
