// IWAs, people and computers of two domains, and an enrollment that is good once the org is ready.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"
#include "policy-engine/enrollment/enrollment_authority.h"
#include "policy-engine/enrollment/enrollment_store.h"
#include "policy-engine/enrollment/iwa_registry.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {

class IwaTest : public OrgFixture {
 protected:
  IwaTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &directory_));
    domains.push_back(
        testing::NewFakeDomain("partner.test", "PARTNER", "S-1-5-21-4-5-6", &partner_));
    directories_ = directory::Registry::Create(std::move(domains)).value();
    directory::Computer computer;
    computer.operating_system = "Windows 10 Enterprise";
    directory_->computers = {{"S-1-5-21-1-2-3-4001", computer}, {"S-1-5-21-1-2-3-4002", computer}};
    enrollments_.emplace(*database_, *store_, clock_, *directories_);
  }

  static constexpr const char* kAdasSid = "S-1-5-21-1-2-3-1105";
  std::string AddPerson(const std::string& name, const std::string& sid) {
    org::v1::UserImport person;
    person.set_sid(sid);
    person.set_principal(name + "@corp.test");
    person.set_account_name(name);
    return database_
        ->Write([&](db::Transaction& txn) -> absl::StatusOr<std::string> {
          GroupChanges changes;
          DT_ASSIGN_OR_RETURN(std::string id, StoreUser(txn, person, "id-" + name, changes));
          DT_RETURN_IF_ERROR(changes.Write(txn));
          return id;
        })
        .value();
  }

  static std::string NewJwk(const std::string& kid) {
    const auto key = pki::PrivateKey::Generate(pki::KeyType::kP256).value();
    return token::ToJwk(key.public_key(), kid).value();
  }
  static org::v1::Iwa NewIwa(const std::string& name, const std::string& kid = "key-1") {
    org::v1::Iwa iwa;
    iwa.set_name(name);
    iwa.set_address("127.0.0.1:7301");
    iwa.set_spn("HTTP/iwa.corp.test");
    iwa.set_version("1.12.2");
    iwa.set_binding("https");
    iwa.add_domains("corp.test");
    org::v1::IwaKey& key = *iwa.add_keys();
    key.set_kid(kid);
    key.set_jwk(NewJwk(kid));
    return iwa;
  }
  absl::Status Register(const org::v1::Iwa& iwa) {
    org::v1::RegisterIwaRequest request;
    *request.mutable_iwa() = iwa;
    const auto registered = iwas_->Register(Component(iwa.name(), "iwa"), request);
    if (registered.ok()) registered_ = *registered;
    return registered.status();
  }
  absl::Status SetEnabled(const std::string& name, bool enabled) {
    org::v1::SetIwaEnabledRequest request;
    request.set_name(name);
    request.set_enabled(enabled);
    return iwas_->SetEnabled(admin_, request).status();
  }
  std::vector<org::v1::Iwa> List() {
    const auto list = iwas_->List();
    DT_EXPECT_OK(list);
    return {list->iwas().begin(), list->iwas().end()};
  }

  absl::Status Grant(const std::string& name, const std::vector<std::string>& domains) {
    org::v1::SetIwaDomainsRequest request;
    request.set_name(name);
    for (const std::string& domain : domains) request.add_domains(domain);
    return iwas_->SetDomains(admin_, request).status();
  }

  // An org in which `ada` may enroll through iwa-1.
  void MakeReady() {
    ASSERT_TRUE(Register(NewIwa("iwa-1")).ok());
    DT_ASSERT_OK(Grant("iwa-1", {"corp.test"}));
    ASSERT_TRUE(SetDeviceTrust(true).ok());
    user_id_ = AddPerson("ada", kAdasSid);
    request_.set_iwa_name("iwa-1");
    request_.set_kid("key-1");
    request_.set_user_sid(kAdasSid);
    request_.set_computer_sid("S-1-5-21-1-2-3-4001");
    request_.set_realm("CORP.TEST");
    request_.set_device_id("device-1");
    request_.set_enrollment_id("enrollment-1");
  }
  // The results of several in one call, refused ones as the call of one would fail.
  std::vector<absl::Status> AuthorizeAll(const std::vector<org::v1::EnrollmentRequest>& requests) {
    const EnrollmentAuthority::Requests all(requests.begin(), requests.end());
    const auto results = enrollments_->Authorize(all);
    if (!results.ok()) return {results.status()};
    std::vector<absl::Status> statuses;
    for (const EnrollmentAuthority::Result& result : *results) {
      statuses.push_back(result.status());
      if (result.ok()) authorized_ = *result;
    }
    return statuses;
  }
  absl::Status Authorize() { return AuthorizeAll({request_}).at(0); }

  testing::FakeDirectory* directory_ = nullptr;
  testing::FakeDirectory* partner_ = nullptr;
  std::unique_ptr<directory::Registry> directories_;
  std::optional<EnrollmentAuthority> enrollments_;
  org::v1::RegisterIwaResponse registered_;
  org::v1::EnrollmentRequest request_;
  org::v1::AuthorizedEnrollment authorized_;  // The last one.
  std::string user_id_;
};

}  // namespace devicetrust::policy
