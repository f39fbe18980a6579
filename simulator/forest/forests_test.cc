// The forest as strangers see it: unmodified kinit and kvno, and our own two sides of
// Negotiate.
#include "simulator/forest/forests.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "libs/base/files.h"
#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/environment.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "simulator/forest/forests_fixture.h"

namespace devicetrust::simulator {
namespace {

using kerberos::Credentials;
using kerberos::Failure;
using kerberos::FailureOf;
using kerberos::Initiator;

TEST_F(ForestsTest, KinitAndKvnoWork) {
  Ran ran = Kinit("ada", "Kq7-u2m");
  ASSERT_EQ(ran.ending, "exit code 0") << ran.output;
  ran = Run(fmt::format("kvno {} && klist", kService));
  ASSERT_EQ(ran.ending, "exit code 0") << ran.output;
  EXPECT_NE(ran.output.find("HTTP/iwa.corp.test@CORP.TEST: kvno = 1"), std::string::npos)
      << ran.output;
}

TEST_F(ForestsTest, AComputerLogsOnWithItsKeytab) {
  const std::vector<std::string> names = {Principal("PC1$")};
  DT_ASSERT_OK(forests_->WriteKeytab(run_ / "pc1.keytab", names));
  const Ran ran =
      Run(fmt::format("kinit -kt {}/pc1.keytab 'PC1$' && kvno {}", run_.path(), kService));
  EXPECT_EQ(ran.ending, "exit code 0") << ran.output;
}

TEST_F(ForestsTest, AWrongPasswordIsRefused) {
  const Ran ran = Kinit("ada", "wrong");
  EXPECT_EQ(ran.ending, "exit code 1");
  EXPECT_NE(ran.output.find("Password incorrect"), std::string::npos) << ran.output;
  EXPECT_EQ(FailureOf(Credentials::FromPassword("ada@CORP.TEST", "wrong").status()),
            Failure::kWrongPassword);
  EXPECT_EQ(FailureOf(Credentials::FromKey("ada@CORP.TEST", {17, 1, Bytes(16, 1)}).status()),
            Failure::kWrongPassword);
}

TEST_F(ForestsTest, UnknownNamesAreRefused) {
  EXPECT_NE(Kinit("nobody", "x").output.find("not found in Kerberos database"), std::string::npos);
  EXPECT_EQ(FailureOf(Credentials::FromPassword("nobody@CORP.TEST", "x").status()),
            Failure::kUnknownAccount);
  EXPECT_EQ(FailureOf(Credentials::FromPassword("nobody@corp.test@CORP.TEST", "x").status()),
            Failure::kMalformed);
  const auto ada = LogOn("ada");
  DT_ASSERT_OK(ada);
  EXPECT_EQ(FailureOf(Initiator::Start(*ada, "HTTP/other.corp.test", {}).status()),
            Failure::kUnknownService);
  EXPECT_EQ(FailureOf(Initiator::Start(*ada, "krbtgt/EVIL.TEST", {}).status()),
            Failure::kUnknownService);
}

// [MS-KILE] 3.1.5.7 and 3.3.5.6.1.
TEST_F(ForestsTest, NamesAreFoundAsInActiveDirectory) {
  Ran ran = Kinit("ADA", "Kq7-u2m");
  EXPECT_EQ(ran.ending, "exit code 0") << ran.output;
  ran = Run("kvno http/IWA.corp.test");
  EXPECT_EQ(ran.ending, "exit code 0") << ran.output;
  for (const char* enterprise : {"-E Ada@Corp.Test", "-C -E ada@CORP.TEST", "-C ADA"}) {
    ran = Kinit(enterprise, "Kq7-u2m");
    EXPECT_EQ(ran.ending, "exit code 0") << enterprise << ": " << ran.output;
    ran = Run(fmt::format("kvno {} && klist", kService));
    EXPECT_EQ(ran.ending, "exit code 0") << enterprise << ": " << ran.output;
    if (std::string_view(enterprise).starts_with("-C")) {  // RFC 6806, section 5: when asked to.
      EXPECT_NE(ran.output.find("principal: ada@CORP.TEST"), std::string::npos) << ran.output;
    }
  }
  EXPECT_NE(Kinit("-E nobody@corp.test", "x").output.find("not found in Kerberos database"),
            std::string::npos);
  EXPECT_NE(Kinit("-E ada@other.test", "x").output.find("not found in Kerberos database"),
            std::string::npos);
}

TEST_F(ForestsTest, DisabledActsAtOnce) {
  const auto before = LogOn("ada");
  DT_ASSERT_OK(before);
  DT_ASSERT_OK(forests_->accounts().SetFlag(0, "ada", kDisabled, true));
  EXPECT_NE(Kinit("ada", "Kq7-u2m").output.find("credentials have been revoked"),
            std::string::npos);
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kAccountRevoked);
  // The ticket-granting ticket of a minute ago buys nothing more.
  EXPECT_EQ(FailureOf(Initiator::Start(*before, kService, {}).status()), Failure::kAccountRevoked);
  DT_ASSERT_OK(forests_->accounts().SetFlag(0, "ada", kDisabled, false));
  DT_EXPECT_OK(LogOn("ada"));
  DT_EXPECT_OK(Initiator::Start(*before, kService, {}));
}

TEST_F(ForestsTest, LockedExpiredAndMustChangeAreTold) {
  AccountTable& accounts = forests_->accounts();
  const auto before = LogOn("ada");
  DT_ASSERT_OK(before);
  const auto again = [&] { return FailureOf(Initiator::Start(*before, kService, {}).status()); };
  DT_ASSERT_OK(accounts.Lock(0, "ada"));
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kAccountRevoked);
  EXPECT_EQ(again(), Failure::kAccountRevoked);
  DT_ASSERT_OK(accounts.Unlock(0, "ada"));
  DT_ASSERT_OK(accounts.SetExpiry(0, "ada", UnixSeconds(clock_.Now()) - 1));
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kAccountExpired);
  EXPECT_EQ(again(), Failure::kAccountExpired);
  DT_ASSERT_OK(accounts.SetExpiry(0, "ada", 0));
  DT_ASSERT_OK(accounts.SetFlag(0, "ada", kMustChangePassword, true));
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kPasswordExpired);
  EXPECT_EQ(again(), Failure::kNone);
}

TEST_F(ForestsTest, ANewPasswordReplacesTheOldAtOnce) {
  const auto old_key = forests_->KeyOf(Principal("ada"));
  DT_ASSERT_OK(old_key);
  DT_ASSERT_OK(Credentials::FromPassword("ada@CORP.TEST", "Kq7-u2m"));
  DT_ASSERT_OK(forests_->accounts().SetPassword(0, "ada", "new-one"));
  EXPECT_EQ(FailureOf(Credentials::FromPassword("ada@CORP.TEST", "Kq7-u2m").status()),
            Failure::kWrongPassword);
  EXPECT_EQ(FailureOf(Credentials::FromKey("ada@CORP.TEST", *old_key).status()),
            Failure::kWrongPassword);
  EXPECT_EQ(Kinit("ada", "new-one").ending, "exit code 0");
  DT_EXPECT_OK(LogOn("ada"));
}

TEST_F(ForestsTest, ThePacSaysWhoAndWhichGroups) {
  const auto acceptor = NewAcceptor();
  const kerberos::Bindings bindings(32, 1);
  const auto ada = LogOn("ada");
  DT_ASSERT_OK(ada);
  auto exchange = Initiator::Start(*ada, kService, bindings);
  DT_ASSERT_OK(exchange);
  const auto accepted = acceptor->Accept(exchange->token(), bindings);
  DT_ASSERT_OK(accepted);
  DT_EXPECT_OK(exchange->Finish(accepted->reply));

  const kerberos::Identity& identity = accepted->identity;
  EXPECT_EQ(identity.principal, "ada@CORP.TEST");
  EXPECT_EQ(identity.name, "ada");
  EXPECT_EQ(identity.realm, "CORP.TEST");
  EXPECT_EQ(identity.domain_sid, domain_sid_);
  const Row row = forests_->view().Read(*forests_->view().FindName(0, "ada"));
  EXPECT_EQ(identity.account_sid, fmt::format("{}-{}", domain_sid_, row.account.rid));
  EXPECT_FALSE(identity.is_computer);
  const std::vector<std::string> groups = {domain_sid_ + "-513",
                                           fmt::format("{}-{}", domain_sid_, staff_), "S-1-18-1"};
  EXPECT_EQ(identity.group_sids, groups);
  const std::vector<kerberos::Ticket> tickets = ada->tickets();
  ASSERT_EQ(tickets.size(), 2u);
  EXPECT_EQ(tickets[0].service, "krbtgt/CORP.TEST@CORP.TEST");
  EXPECT_EQ(tickets[1].service, "HTTP/iwa.corp.test@CORP.TEST");
}

TEST_F(ForestsTest, AComputerIsToldByItsPac) {
  const auto acceptor = NewAcceptor();
  const auto pc = LogOn("PC1$");
  DT_ASSERT_OK(pc);
  const auto exchange = Initiator::Start(*pc, kService, {});
  DT_ASSERT_OK(exchange);
  const auto accepted = acceptor->Accept(exchange->token(), {});
  DT_ASSERT_OK(accepted);
  EXPECT_TRUE(accepted->identity.is_computer);
  EXPECT_EQ(accepted->identity.group_sids[0], domain_sid_ + "-515");
}

TEST_F(ForestsTest, AnExchangeIsGoodForItsRequestAndOnce) {
  const auto acceptor = NewAcceptor();
  const kerberos::Bindings bindings(32, 1);
  const kerberos::Bindings other(32, 2);
  const auto pc = LogOn("PC1$");
  DT_ASSERT_OK(pc);
  const auto exchange = Initiator::Start(*pc, kService, bindings);
  DT_ASSERT_OK(exchange);
  EXPECT_EQ(FailureOf(acceptor->Accept(exchange->token(), other).status()), Failure::kNotBound);
  const auto again = Initiator::Start(*pc, kService, bindings);
  DT_ASSERT_OK(again);
  DT_EXPECT_OK(acceptor->Accept(again->token(), bindings));
  const absl::Status replay = acceptor->Accept(again->token(), bindings).status();
  EXPECT_EQ(FailureOf(replay), Failure::kReplayed) << replay;
}

TEST_F(ForestsTest, ADamagedTicketOrReplyIsRefused) {
  const auto acceptor = NewAcceptor();
  const auto pc = LogOn("PC1$");
  DT_ASSERT_OK(pc);
  auto exchange = Initiator::Start(*pc, kService, {});
  DT_ASSERT_OK(exchange);
  for (std::size_t i = 0; i < exchange->token().size(); i += 7) {
    Bytes damaged = exchange->token();
    damaged[i] ^= 0x55U;
    const auto accepted = acceptor->Accept(damaged, {});
    if (accepted.ok()) continue;  // A byte that carries nothing, e.g. of the realm's name type.
    EXPECT_NE(accepted.status().code(), absl::StatusCode::kInternal) << i << accepted.status();
  }
  auto fresh = Initiator::Start(*pc, kService, {});
  DT_ASSERT_OK(fresh);
  EXPECT_EQ(FailureOf(fresh->Finish(Bytes{1, 2, 3})), Failure::kTicketInvalid);
  const auto accepted = acceptor->Accept(fresh->token(), {});
  DT_ASSERT_OK(accepted);
  // The second half is ciphertext; of what is before, a byte may carry nothing.
  for (std::size_t i = accepted->reply.size() / 2; i < accepted->reply.size(); ++i) {
    Bytes damaged = accepted->reply;
    damaged[i] ^= 0x55U;
    EXPECT_EQ(FailureOf(fresh->Finish(damaged)), Failure::kTicketInvalid) << i;
  }
  // Another exchange's reply proves nothing to this one.
  auto other = Initiator::Start(*pc, kService, {});
  DT_ASSERT_OK(other);
  EXPECT_EQ(FailureOf(other->Finish(accepted->reply)), Failure::kTicketInvalid);
  DT_EXPECT_OK(fresh->Finish(accepted->reply));
}

TEST_F(ForestsTest, AnotherKeyOfTheServiceMeansAnotherService) {
  const auto acceptor = NewAcceptor();
  DT_ASSERT_OK(forests_->accounts().Rekey(0, kService));
  const auto pc = LogOn("PC1$");
  DT_ASSERT_OK(pc);
  const auto exchange = Initiator::Start(*pc, kService, {});
  DT_ASSERT_OK(exchange);
  EXPECT_EQ(FailureOf(acceptor->Accept(exchange->token(), {}).status()), Failure::kTicketInvalid);
}

TEST_F(ForestsTest, ManyThreadsLogOnAtOnce) {
  const auto acceptor = NewAcceptor();
  std::vector<NewAccount> computers;
  for (int i = 0; i < 200; ++i) {
    computers.push_back({.kind = AccountKind::kComputer, .name = fmt::format("M{}$", i)});
  }
  DT_ASSERT_OK(forests_->accounts().Add(0, computers));
  std::atomic<int> accepted = 0;
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; (i = next++) < computers.size();) {
        const auto credentials = LogOn(computers[i].name);
        if (!credentials.ok()) continue;
        auto exchange = Initiator::Start(*credentials, kService, {});
        if (!exchange.ok()) continue;
        const auto result = acceptor->Accept(exchange->token(), {});
        if (result.ok() && result->identity.name == computers[i].name &&
            exchange->Finish(result->reply).ok()) {
          ++accepted;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, 200);
}

TEST_F(ForestsTest, TheFirstExchangeMayBeForAService) {
  const auto credentials =
      Credentials::FromKey(Principal("PC1$"), forests_->KeyOf(Principal("PC1$")).value(), kService);
  DT_ASSERT_OK(credentials);
  ASSERT_EQ(credentials->tickets().size(), 1U);
  EXPECT_EQ(credentials->tickets()[0].service, "HTTP/iwa.corp.test@CORP.TEST");
  auto exchange = Initiator::Start(*credentials, kService, {});
  DT_ASSERT_OK(exchange);
  const auto accepted = NewAcceptor()->Accept(exchange->token(), {});
  DT_ASSERT_OK(accepted);
  EXPECT_TRUE(accepted->identity.is_computer);
  DT_EXPECT_OK(exchange->Finish(accepted->reply));
  EXPECT_EQ(
      FailureOf(Credentials::FromKey(Principal("PC1$"), forests_->KeyOf(Principal("PC1$")).value(),
                                     "HTTP/other.corp.test")
                    .status()),
      Failure::kUnknownService);
}

// With the name of a KDC that its krb5.conf does not know, only the open socket reaches it.
TEST_F(ForestsTest, TheLoopbackKdcIsAskedFirstAndLibkrb5sOwnAfterIt) {
  const std::string nowhere = run_ / "nowhere.conf";
  DT_ASSERT_OK(WriteFileAtomically(nowhere,
                                   "[libdefaults]\n dns_lookup_kdc = false\n"
                                   "[realms]\n CORP.TEST = {\n  kdc = 127.0.0.1:1\n }\n"));
  DT_ASSERT_OK(kerberos::UseConfig(nowhere));
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kUnreachable);
  kerberos::UseLoopbackKdc({"CORP.TEST"}, forests_->kdc().port());
  const auto ada = LogOn("ada");
  DT_ASSERT_OK(ada);
  DT_EXPECT_OK(Initiator::Start(*ada, kService, {}));
  kerberos::UseLoopbackKdc({"OTHER.TEST"}, forests_->kdc().port());
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kUnreachable);

  DT_ASSERT_OK(kerberos::UseConfig(forests_->kdc().config_path()));
  kerberos::UseLoopbackKdc({"CORP.TEST"}, 1);  // Nobody answers there.
  DT_EXPECT_OK(LogOn("ada"));
  // A refusal comes as plainly as ever.
  kerberos::UseLoopbackKdc({"CORP.TEST"}, forests_->kdc().port());
  EXPECT_EQ(FailureOf(Credentials::FromPassword("nobody@CORP.TEST", "x").status()),
            Failure::kUnknownAccount);
  kerberos::UseLoopbackKdc({}, 0);
}

TEST_F(ForestsTest, AnAcceptorTakesUpANewKeytab) {
  const std::string keytab = run_ / "rolling.keytab";
  const std::vector<std::string> computer = {Principal("PC1$")};
  const std::vector<std::string> service = {Principal(kService)};
  DT_ASSERT_OK(forests_->WriteKeytab(keytab, computer));
  const auto acceptor = kerberos::Acceptor::Create(
      {keytab, run_ / "rolling.rcache", /*keytab_looked_at_every=*/std::chrono::seconds(0)});
  DT_ASSERT_OK(acceptor);
  const auto accept = [&] {
    const auto exchange = Initiator::Start(LogOn("ada").value(), kService, {}).value();
    return (*acceptor)->Accept(exchange.token(), {}).status();
  };
  EXPECT_FALSE(accept().ok());
  DT_ASSERT_OK(forests_->WriteKeytab(keytab, service));
  DT_EXPECT_OK(accept());
  // One that cannot be read leaves the keys in use.
  ASSERT_EQ(::unlink(keytab.c_str()), 0);
  DT_EXPECT_OK(accept());
}

TEST_F(ForestsTest, TwoKdcsSideBySideDoNotMeet) {
  const testing::TempFolder second_dir;
  auto second =
      Forests::Create({.run_dir = second_dir.path(), .accounts_max = 100}, clock_, random_);
  DT_ASSERT_OK(second);
  EXPECT_NE((*second)->kdc().port(), forests_->kdc().port());
  DT_ASSERT_OK(kerberos::UseConfig((*second)->kdc().config_path()));
  EXPECT_EQ(FailureOf(Credentials::FromPassword("ada@CORP.TEST", "Kq7-u2m").status()),
            Failure::kUnknownAccount);
  DT_ASSERT_OK(kerberos::UseConfig(forests_->kdc().config_path()));
  DT_EXPECT_OK(Credentials::FromPassword("ada@CORP.TEST", "Kq7-u2m"));
}

TEST_F(ForestsTest, ATakenPortIsNamed) {
  const testing::TempFolder second_dir;
  const auto second = Forests::Create(
      {.run_dir = second_dir.path(), .accounts_max = 100, .kdc_port = forests_->kdc().port()},
      clock_, random_);
  DT_EXPECT_CODE(second, kAlreadyExists);
  EXPECT_NE(second.status().message().find(std::to_string(forests_->kdc().port())),
            absl::string_view::npos);
}

TEST_F(ForestsTest, ADeadKdcIsNoticed) {
  DT_EXPECT_OK(forests_->kdc().Check());
  ASSERT_EQ(::kill(forests_->kdc().pid(), SIGKILL), 0);
  ASSERT_TRUE(forests_->kdc().WaitForEnd(std::chrono::seconds(10)));
  DT_EXPECT_CODE(forests_->kdc().Check(), kUnavailable);
  EXPECT_EQ(FailureOf(LogOn("ada").status()), Failure::kUnreachable);
}

}  // namespace
}  // namespace devicetrust::simulator
