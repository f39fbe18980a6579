#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"
#include "policy-engine/authentication/authentication_service.h"
#include "policy-engine/authentication/authenticator.h"
#include "policy-engine/org_fixture.h"
#include "policy-engine/sessions/session_feed_service.h"
#include "policy-engine/sessions/session_limits.h"
#include "policy-engine/sessions/session_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using directory::PasswordVerdict;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

class AuthenticatorTest : public OrgFixture {
 protected:
  AuthenticatorTest() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &corp_));
    domains.push_back(
        testing::NewFakeDomain("partner.test", "PARTNER", "S-1-5-21-4-5-6", &partner_));
    directories_ = directory::Registry::Create(std::move(domains)).value();
    for (testing::FakeDirectory* fake : {corp_, partner_}) {
      fake->check_password = [this, fake](std::string_view name, std::string_view password) {
        last_asked_ = fake;
        return Check(name, password);
      };
    }
    authenticator_.emplace(Authenticator::Parts{*database_, *store_, *events_, *directories_,
                                                *account_watch_, clock_, random_});
    AddAccount(*corp_, "ada", "Ada.Lovelace@mail.example");
    const std::string gone = AddAccount(*corp_, "gone", "gone@corp.test");
    DT_EXPECT_OK(database_->Write([&](db::Transaction& txn) {
      return WriteUserStatus(txn, gone, v1::USER_STATUS_DEACTIVATED, clock_.Now());
    }));
  }

  // A user of the directory and, by the same SID, of the org; the org's id.
  std::string AddAccount(testing::FakeDirectory& directory, const std::string& name,
                         const std::string& upn) {
    const std::string domain = &directory == corp_ ? "corp.test" : "partner.test";
    const std::string sid = "S-1-5-21-1-2-3-" + name;
    directory::User& user = directory.users[sid];
    user.sid = sid;
    user.enabled = true;
    user.account_name = name;
    user.principal = upn;
    user.distinguished_name = "CN=" + name + "," + domain;
    return AddUser(name, {}, domain);
  }
  // The directory: everybody's password is "right"; `state_` is what else it says then.
  absl::StatusOr<PasswordVerdict> Check(std::string_view name, std::string_view password) {
    ++binds_;
    last_bind_ = name;
    if (away_) return absl::UnavailableError("ldaps://dc1 does not answer");
    if (state_ == PasswordVerdict::kLocked) return state_;
    return password == "right" ? state_ : PasswordVerdict::kWrong;
  }

  absl::StatusOr<v1::StartSessionResponse> SignIn(const std::string& principal,
                                                  const std::string& password,
                                                  const std::string& address = "192.0.2.1") {
    v1::StartSessionRequest request;
    request.set_principal(principal);
    request.set_password(password);
    request.mutable_client()->set_address(address);
    return authenticator_->StartSession(request);
  }
  reason::v1::Reason Refusal(const std::string& principal, const std::string& password) {
    return rpc::ReasonOf(SignIn(principal, password).status());
  }

  testing::FakeDirectory* corp_ = nullptr;
  testing::FakeDirectory* partner_ = nullptr;
  testing::FakeDirectory* last_asked_ = nullptr;
  std::unique_ptr<directory::Registry> directories_;
  std::atomic<int> binds_{0};
  std::string last_bind_;
  bool away_ = false;
  PasswordVerdict state_ = PasswordVerdict::kAccepted;
  std::optional<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, OpensASessionForTheRightPassword) {
  const auto first = SignIn("CORP\\Ada", "right");
  DT_ASSERT_OK(first);
  EXPECT_EQ(first->user().id(), "id-ada");
  EXPECT_EQ(last_bind_, "CN=ada,corp.test");
  EXPECT_THAT(first->session_id(), SizeIs(22));
  EXPECT_EQ(first->authenticated_at().seconds(), UnixSeconds(kTestStart));
  EXPECT_EQ(first->expires_at().seconds(), UnixSeconds(kTestStart + kSessionLifetime));
  const auto second = SignIn("ada", "right");
  DT_ASSERT_OK(second);
  EXPECT_NE(second->session_id(), first->session_id());
  const auto events = EventsOf("");
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].type(), "user.session.start");
  EXPECT_EQ(events[0].outcome().result(), v1::EventOutcome::RESULT_SUCCESS);
  EXPECT_EQ(events[0].actor().id(), "id-ada");
  EXPECT_EQ(events[0].debug_data().at("session_id"), first->session_id());
}

TEST_F(AuthenticatorTest, AUserHasAHundredSessionsAndTheOldestGoes) {
  std::vector<std::string> ids;
  for (int i = 0; i < kSessionsOfUserMax + 2; ++i) {
    clock_.Advance(std::chrono::seconds{1});
    const auto session = SignIn("ada", "right");
    DT_ASSERT_OK(session);
    ids.push_back(session->session_id());
  }
  const auto ended = [&](const std::string& id) {
    return database_->Read([&](db::Transaction& txn) { return SessionChanges::HasEnded(txn, id); })
        .value();
  };
  EXPECT_TRUE(ended(ids[0]) && ended(ids[1]));
  EXPECT_FALSE(ended(ids[2]) || ended(ids.back()));
  const auto events = EventsOf("user.session.end");
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].debug_data().at("session_ids"), ids[0]);
}

class TicketSignInTest : public AuthenticatorTest {
 protected:
  TicketSignInTest() {
    AddAccount(*corp_, "1104", "carol@corp.test");
    TakeTickets(true);
  }
  void TakeTickets(bool take) {
    Authenticator::Parts parts{*database_,      *store_, *events_, *directories_,
                               *account_watch_, clock_,  random_};
    parts.take_tickets = take;
    authenticator_.emplace(std::move(parts));
  }
  absl::StatusOr<v1::StartTicketSessionResponse> Show(const std::string& sid,
                                                      const std::string& realm = "CORP.TEST",
                                                      const std::string& maker = "CORP.TEST") {
    v1::StartTicketSessionRequest request;
    request.set_service_realm(maker);
    request.set_account_sid(sid);
    request.set_realm(realm);
    request.mutable_client()->set_address("192.0.2.1");
    return authenticator_->StartTicketSession(request);
  }
  reason::v1::Reason Why(const std::string& sid, const std::string& realm = "CORP.TEST") {
    return rpc::ReasonOf(Show(sid, realm).status());
  }
};

TEST_F(TicketSignInTest, OpensASessionOfTheAccount) {
  const auto session = Show("S-1-5-21-1-2-3-1104");
  DT_ASSERT_OK(session);
  EXPECT_EQ(session->user().id(), "id-1104");
  EXPECT_THAT(session->session_id(), SizeIs(22));
  EXPECT_EQ(session->expires_at().seconds(), UnixSeconds(kTestStart + kSessionLifetime));
  EXPECT_EQ(binds_, 0);  // No password.
  const auto events = EventsOf("user.session.start");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].actor().id(), "id-1104");
  EXPECT_EQ(events[0].debug_data().at("credential"), "kerberos ticket");
}

// A ticket stays good for hours after the account has gone bad.
TEST_F(TicketSignInTest, AsksWhatHasBecomeOfTheAccount) {
  directory::User& carol = corp_->users["S-1-5-21-1-2-3-1104"];
  carol.enabled = false;
  EXPECT_EQ(Why(carol.sid), reason::v1::REASON_USER_DISABLED);
  carol.enabled = true;
  carol.locked = true;
  EXPECT_EQ(Why(carol.sid), reason::v1::REASON_ACCOUNT_LOCKED);
  corp_->users.erase("S-1-5-21-1-2-3-1104");
  EXPECT_EQ(Why("S-1-5-21-1-2-3-1104"), reason::v1::REASON_USER_NOT_IN_DOMAIN);
  const std::string gone = AddAccount(*corp_, "1105", "dave@corp.test");
  DT_EXPECT_OK(database_->Write([&](db::Transaction& txn) {
    return WriteUserStatus(txn, gone, v1::USER_STATUS_DEACTIVATED, clock_.Now());
  }));
  EXPECT_EQ(Why("S-1-5-21-1-2-3-1105"), reason::v1::REASON_USER_DEACTIVATED);
}

TEST_F(TicketSignInTest, NobodyOfAnotherDomainOrUnknownHereGetsIn) {
  EXPECT_EQ(Why("S-1-5-21-1-2-3-9999"), reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(Why("S-1-5-21-7-7-7-1104"), reason::v1::REASON_UNTRUSTED_FOREST);
  EXPECT_EQ(Why("S-1-5-21-1-2-3-1104", "EVIL.TEST"), reason::v1::REASON_UNTRUSTED_FOREST);
  EXPECT_EQ(Why("S-1-5-21-1-2-3-1104", "PARTNER.TEST"), reason::v1::REASON_UNTRUSTED_FOREST);
  EXPECT_EQ(Why(""), reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(TicketSignInTest, AKdcOfAnotherForestSpeaksForNobodyHere) {
  const std::string carol = "S-1-5-21-1-2-3-1104";
  for (const char* maker : {"PARTNER.TEST", "EVIL.TEST", ""}) {
    EXPECT_EQ(rpc::ReasonOf(Show(carol, "CORP.TEST", maker).status()),
              reason::v1::REASON_UNTRUSTED_FOREST)
        << maker;
  }
}

TEST_F(TicketSignInTest, IsOffUntilTheOperatorTurnsItOn) {
  TakeTickets(false);
  EXPECT_EQ(Why("S-1-5-21-1-2-3-1104"), reason::v1::REASON_CALLER_NOT_ALLOWED);
}

TEST_F(AuthenticatorTest, AsksTheDirectoryOfTheUsersDomain) {
  AddAccount(*partner_, "bob", "bob@partner.test");
  for (const char* typed : {"bob@partner.test", "PARTNER\\Bob"}) {
    DT_EXPECT_OK(SignIn(typed, "right"));
    EXPECT_EQ(last_asked_, partner_);
    EXPECT_EQ(last_bind_, "CN=bob,partner.test");
  }
  DT_EXPECT_OK(SignIn("ada", "right"));  // The org's first domain.
  EXPECT_EQ(last_asked_, corp_);
  EXPECT_EQ(Refusal("bob", "right"), reason::v1::REASON_PASSWORD_WRONG);
}

// Ada's UPN is not that of account and domain. Whatever she types, she is who has her SID.
TEST_F(AuthenticatorTest, KnowsOnePersonByEveryNameOfTheAccount) {
  corp_->users["S-1-5-21-1-2-3-ada"].principal = "Ada.Lovelace@Corp.Test";
  for (const char* typed :
       {"ada", "ADA", "CORP\\ada", "corp.test\\Ada", "ada@corp.test", "ada@CORP",
        "ada.lovelace@corp.test", "ada.lovelace", " \u200eada@corp.test\t"}) {
    const auto session = SignIn(typed, "right");
    DT_ASSERT_OK(session);
    EXPECT_EQ(session->user().id(), "id-ada") << typed;
    EXPECT_EQ(last_bind_, "CN=ada,corp.test") << typed;
  }
  EXPECT_EQ(Refusal("CORP\\ada.lovelace", "right"), reason::v1::REASON_PASSWORD_WRONG);
  AddAccount(*corp_, "zoë", "zoë@corp.test");
  EXPECT_EQ(SignIn("ZOË", "right")->user().id(), "id-zoë");
}

// A user principal name that the directory has handed on is its new owner's, whom the org may not
// yet know, and no longer the one's whom the org knows by it.
TEST_F(AuthenticatorTest, APrincipalIsWhoseTheDirectorySaysItIs) {
  directory::User& bob = corp_->users["S-1-5-21-1-2-3-9999"];
  bob.sid = "S-1-5-21-1-2-3-9999";
  bob.account_name = "bob";
  bob.principal = "ada@corp.test";
  bob.distinguished_name = "CN=bob,corp.test";
  EXPECT_EQ(Refusal("ada@corp.test", "right"), reason::v1::REASON_PASSWORD_WRONG);
  EXPECT_EQ(last_bind_, "CN=bob,corp.test");
  EXPECT_EQ(EventsOf("").back().outcome().reason(), "USER_UNKNOWN");
  DT_EXPECT_OK(SignIn("CORP\\ada", "right"));
}

// Towards the person one answer, in the System Log the reason.
TEST_F(AuthenticatorTest, DoesNotTellAnUnknownUserFromAWrongPassword) {
  const absl::Status wrong = SignIn("ada", "wrong").status();
  const absl::Status unknown = SignIn("eve", "right").status();
  const absl::Status elsewhere = SignIn("other\\ada", "right").status();
  EXPECT_EQ(rpc::ReasonOf(wrong), reason::v1::REASON_PASSWORD_WRONG);
  EXPECT_EQ(wrong, unknown);
  EXPECT_EQ(wrong, elsewhere);
  EXPECT_EQ(binds_, 3);  // All three cost the same.
  const auto events = EventsOf("");
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(events[0].outcome().reason(), "PASSWORD_WRONG");
  EXPECT_EQ(events[1].outcome().reason(), "USER_UNKNOWN");
  EXPECT_EQ(events[1].actor().display_name(), "eve");
  EXPECT_EQ(events[2].outcome().reason(), "UNTRUSTED_FOREST");
}

// Active Directory takes each of these for ada, whom no search finds by it: a wrong password would
// count against her there.
TEST_F(AuthenticatorTest, AsksTheDirectoryForNobodyWhereASearchFindsNobody) {
  for (const char* typed : {"Ada Lovelace", "S-1-5-21-1-2-3-ada", "CN=ada,corp.test",
                            "cn = ada , corp.test", "{8b1dca4c-2f0f-4f14-9f0c-8d4f0f3ad001}",
                            "corp.test/ada", "ada@alias.test", "CORP\\CN=ada,corp.test"}) {
    EXPECT_EQ(Refusal(typed, "right"), reason::v1::REASON_PASSWORD_WRONG) << typed;
    EXPECT_THAT(last_bind_, MatchesRegex("nobody-[0-9a-f]{32}@corp.test")) << typed;
  }
}

// A directory that is slow must not take all threads of the org with it.
TEST_F(AuthenticatorTest, BoundsSignInsAtOnceByNetworkAndInAll) {
  std::vector<absl::Status> at_once;
  std::string address;
  std::uint32_t wanted = 0;
  corp_->check_password = [&](std::string_view, std::string_view) {
    // One more begins while this one waits for the directory.
    if (at_once.size() < wanted) {
      at_once.push_back(absl::OkStatus());
      const std::size_t place = at_once.size() - 1;
      const std::string number = std::to_string(place);
      at_once[place] =
          SignIn("nobody" + number, "x", address.empty() ? "203.0.113." + number : address)
              .status();
    }
    return PasswordVerdict::kWrong;
  };
  const auto refused = [&] {
    return std::ranges::count_if(at_once, [](const absl::Status& status) {
      return rpc::ReasonOf(status) == reason::v1::REASON_TOO_MANY_REQUESTS;
    });
  };
  address = "192.0.2.1";
  wanted = kAttemptsOfNetworkMax - 1;
  EXPECT_EQ(Refusal("nobody", "x"), reason::v1::REASON_PASSWORD_WRONG);
  EXPECT_EQ(refused(), 0);
  at_once.clear();
  wanted = kAttemptsOfNetworkMax;
  EXPECT_EQ(Refusal("nobody", "x"), reason::v1::REASON_PASSWORD_WRONG);
  EXPECT_EQ(refused(), 1);
  at_once.clear();
  address.clear();
  wanted = kAttemptsMax;
  EXPECT_EQ(Refusal("nobody", "x"), reason::v1::REASON_PASSWORD_WRONG);
  EXPECT_EQ(refused(), 1);
  corp_->check_password = nullptr;
  corp_->passwords["CN=ada,corp.test"] = "right";
  DT_EXPECT_OK(SignIn("ada", "right"));
}

TEST_F(AuthenticatorTest, TellsTheStateOfAnAccountOnlyAfterTheRightPassword) {
  const std::map<PasswordVerdict, reason::v1::Reason> states = {
      {PasswordVerdict::kDisabled, reason::v1::REASON_USER_DISABLED},
      {PasswordVerdict::kMustChange, reason::v1::REASON_PASSWORD_MUST_CHANGE},
      {PasswordVerdict::kExpired, reason::v1::REASON_ACCOUNT_EXPIRED},
      {PasswordVerdict::kNotPermittedNow, reason::v1::REASON_LOGON_NOT_PERMITTED}};
  for (const auto& [state, reason] : states) {
    state_ = state;
    EXPECT_EQ(Refusal("ada", "right"), reason);
    EXPECT_EQ(Refusal("ada", "wrong"), reason::v1::REASON_PASSWORD_WRONG);
  }
  state_ = PasswordVerdict::kLocked;
  EXPECT_EQ(Refusal("ada", "wrong"), reason::v1::REASON_ACCOUNT_LOCKED);
  EXPECT_EQ(Refusal("eve", "wrong"), reason::v1::REASON_PASSWORD_WRONG);
  state_ = PasswordVerdict::kAccepted;
  EXPECT_EQ(Refusal("gone", "right"), reason::v1::REASON_USER_DEACTIVATED);
  EXPECT_EQ(Refusal("gone", "wrong"), reason::v1::REASON_PASSWORD_WRONG);
}

// The owner of an account is known at home, and nobody elsewhere shuts her out there.
TEST_F(AuthenticatorTest, ThrottlesStrangersAndNotTheOwner) {
  DT_EXPECT_OK(SignIn("ada", "right", "2001:db8:1:2::7"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Refusal("ada", "wrong"), reason::v1::REASON_PASSWORD_WRONG);
  const absl::Status refused = SignIn("ada", "right").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_THROTTLED);
  EXPECT_EQ(rpc::DetailOf(refused)->retry_after().seconds(), 30 * 60);
  EXPECT_EQ(rpc::ReasonOf(SignIn("CORP\\Ada", "right", "198.51.100.7").status()),
            reason::v1::REASON_THROTTLED);  // Another name of hers, another address.
  EXPECT_EQ(binds_, 4);
  DT_EXPECT_OK(SignIn("ada", "right", "2001:db8:1:2:ffff::1"));  // The same network.
  EXPECT_THAT(EventsOf(""), SizeIs(7));  // Two successes, three wrong, two networks refused.
}

// Throttled names that nobody has answer as those that somebody has.
TEST_F(AuthenticatorTest, AThrottleDoesNotTellWhoExists) {
  for (const char* name : {"ada", "eve"}) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(Refusal(name, "wrong"), reason::v1::REASON_PASSWORD_WRONG);
    }
    EXPECT_EQ(Refusal(name, "wrong"), reason::v1::REASON_THROTTLED);
  }
}

// A flood leaves a few events and their number.
TEST_F(AuthenticatorTest, TellsAFloodInSums) {
  for (int i = 0; i < 1000; ++i) {
    const std::string address = "192.0.2." + std::to_string(i % 4);
    SignIn("nobody" + std::to_string(i), "wrong", address).status().IgnoreError();
    SignIn("ada", "wrong", address).status().IgnoreError();
  }
  EXPECT_LT(EventsOf("user.session.start").size(), 60u);
  DT_ASSERT_OK(authenticator_->TellRefused());
  std::size_t told = EventsOf("user.session.start").size();
  const auto sums = EventsOf("user.session.refuse");
  EXPECT_LT(sums.size(), 12u);
  for (const v1::Event& sum : sums) {
    EXPECT_TRUE(sum.client().address().starts_with("192.0.2.")) << sum.client().address();
    told += std::stoul(sum.debug_data().at("count"));
  }
  EXPECT_EQ(told, 2000u);
  DT_ASSERT_OK(authenticator_->TellRefused());
  EXPECT_EQ(EventsOf("user.session.refuse").size(), sums.size());  // Nothing since.
}

// A restart forgets no owner.
TEST_F(AuthenticatorTest, KnowsTheOwnersNetworkAfterARestart) {
  DT_EXPECT_OK(SignIn("ada", "right", "198.51.100.7"));
  authenticator_.emplace(Authenticator::Parts{*database_, *store_, *events_, *directories_,
                                              *account_watch_, clock_, random_});
  for (int i = 0; i < 10; ++i) SignIn("ada", "wrong").status().IgnoreError();
  DT_EXPECT_OK(SignIn("ada", "right", "198.51.100.7"));
}

TEST_F(AuthenticatorTest, SaysThatTheDirectoryIsAwayAndBlamesNobody) {
  away_ = true;
  for (int i = 0; i < 10; ++i) {
    const absl::Status status = SignIn("ada", "right").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(rpc::ReasonOf(status), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  }
  away_ = false;
  DT_EXPECT_OK(SignIn("ada", "right"));
}

TEST_F(AuthenticatorTest, RefusesMalformedRequests) {
  EXPECT_EQ(Refusal(std::string(257, 'a'), "right"), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(Refusal("ada", std::string(257, 'a')), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(SignIn("ada", "right", "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(binds_, 0);
}

TEST_F(AuthenticatorTest, EndsASessionOnceAndTellsTheGateways) {
  AuthenticationService authentication(*authenticator_);
  SessionFeedService feed(*sessions_, clock_);
  grpc::ServerBuilder builder;
  builder.RegisterService(&authentication);
  builder.RegisterService(&feed);
  const auto server = builder.BuildAndStart();
  const auto channel = server->InProcessChannel({});
  const auto stub = v1::AuthenticationService::NewStub(channel);
  const auto changes = v1::SessionFeedService::NewStub(channel);
  grpc::ClientContext watching;
  const auto stream = changes->WatchSessions(&watching, v1::WatchSessionsRequest());
  v1::WatchSessionsResponse message;
  ASSERT_TRUE(stream->Read(&message));  // A heartbeat: nothing has ended yet.
  EXPECT_EQ(message.changes_size(), 0);
  EXPECT_LE(message.oldest_session_at().seconds(), UnixSeconds(kTestStart - kSessionLifetime));

  v1::EndSessionRequest request;
  request.set_session_id("session-1");
  request.set_user_id("id-ada");
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    v1::EndSessionResponse response;
    ASSERT_TRUE(stub->EndSession(&context, request, &response).ok());
  }
  do {
    ASSERT_TRUE(stream->Read(&message));
  } while (message.changes_size() == 0);
  EXPECT_EQ(message.changes(0).ended_session_id(), "session-1");
  EXPECT_EQ(message.sequence(), message.changes(0).sequence());
  watching.TryCancel();
  stream->Finish();
  server->Shutdown();
  const auto events = EventsOf("");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].type(), "user.session.end");
  EXPECT_EQ(events[0].actor().id(), "id-ada");
}

}  // namespace
}  // namespace devicetrust::policy
