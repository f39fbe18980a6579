// A forest with a KDC of its own, and client programs that know no other, for the tests of this
// folder.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/credentials.h"
#include "libs/kerberos/environment.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "simulator/forest/child_process.h"
#include "simulator/forest/forests.h"

namespace devicetrust::simulator {

inline constexpr const char* kService = "HTTP/iwa.corp.test";

inline std::string Principal(const std::string& name) { return name + "@CORP.TEST"; }

class ForestsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto forests = Forests::Create({.run_dir = run_.path(), .accounts_max = 1000}, clock_, random_);
    DT_ASSERT_OK(forests);
    forests_ = *std::move(forests);
    DT_ASSERT_OK(kerberos::UseConfig(forests_->kdc().config_path()));
    domain_sid_ = DomainSid(forests_->view().realms()[0]);
    const auto staff = forests_->accounts().AddGroup(0, "Staff");
    DT_ASSERT_OK(staff);
    staff_ = *staff;
    const std::vector<NewAccount> accounts = {
        {.name = "ada", .password = "Kq7-u2m", .group_rids = {staff_}},
        {.name = "grace", .password = "other", .upn = "g.hopper@mail.example"},
        {.name = "zoë", .password = "Kq7-u2m"},
        {.kind = AccountKind::kComputer, .name = "PC1$"}};
    DT_ASSERT_OK(forests_->accounts().Add(0, accounts));
    DT_ASSERT_OK(forests_->AddService(Principal(kService)));
  }

  // Runs a client program with the forest's configuration alone; its exit code and output.
  struct Ran {
    std::string ending;
    std::string output;
  };
  Ran Run(const std::string& command) {
    const std::string file = fmt::format("{}/out.{}", run_.path(), runs_++);
    const auto child = ChildProcess::Start(
        {.arguments = {"/bin/sh", "-c", command},
         .environment = {"PATH=/usr/bin:/bin", "KRB5_CONFIG=" + forests_->kdc().config_path(),
                         "KRB5CCNAME=FILE:" + run_ / "cc"},
         .output = file});
    if (!child.ok()) return {std::string(child.status().message()), ""};
    (*child)->WaitForEnd(std::chrono::seconds(30));
    return {(*child)->ending().value_or("still runs"), (*child)->LastOutput()};
  }
  Ran Kinit(const std::string& user, const std::string& password) {
    return Run(fmt::format("echo '{}' | kinit {}", password, user));
  }

  absl::StatusOr<kerberos::Credentials> LogOn(const std::string& name) {
    return LogOnAs(Principal(name));
  }
  absl::StatusOr<kerberos::Credentials> LogOnAs(const std::string& principal) {
    const auto key = forests_->KeyOf(principal);
    if (!key.ok()) return key.status();
    return kerberos::Credentials::FromKey(principal, *key);
  }
  std::unique_ptr<kerberos::Acceptor> NewAcceptor() {
    const std::string keytab = run_ / "iwa.keytab";
    const std::vector<std::string> names = {Principal(kService)};
    EXPECT_TRUE(forests_->WriteKeytab(keytab, names).ok());
    auto acceptor = kerberos::Acceptor::Create({keytab, run_ / "iwa.rcache"});
    EXPECT_TRUE(acceptor.ok()) << acceptor.status();
    return acceptor.ok() ? *std::move(acceptor) : nullptr;
  }

  testing::TempFolder run_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<Forests> forests_;
  std::string domain_sid_;
  std::uint32_t staff_ = 0;
  int runs_ = 0;
};

}  // namespace devicetrust::simulator
