#include "iwa/token_issuer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "iwa/domain_proof_service.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/log_sparsely.h"
#include "libs/rpc/error.h"
#include "libs/testing/fake_directory.h"
#include "libs/testing/mutation.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/token/names.h"

namespace devicetrust::iwa {
namespace {

using kerberos::Failure;
using std::chrono::seconds;

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};
constexpr const char* kDomainSid = "S-1-5-21-1-2-3";
constexpr const char* kPartnerSid = "S-1-5-21-4-5-6";

// Takes "tickets" that are account names, followed by what they are bound to.
class FakeAcceptor final : public TicketAcceptor {
 public:
  static std::string Ticket(const std::string& name, const token::BoundRequest& request) {
    return name + "|" + HexEncode(token::BindingsOf(request));
  }

  absl::StatusOr<kerberos::Accepted> Accept(std::span<const std::uint8_t> spnego,
                                            const kerberos::Bindings& bindings) override {
    if (failure != Failure::kNone) return kerberos::MakeFailure(failure, "as told");
    const std::string ticket = ToString(spnego);
    const std::size_t bar = ticket.find('|');
    if (bar == std::string::npos) {
      return kerberos::MakeFailure(Failure::kMalformed, "not a SPNEGO token");
    }
    if (ticket.substr(bar + 1) != HexEncode(bindings)) {
      return kerberos::MakeFailure(Failure::kNotBound, "bound to another request");
    }
    const auto it = identities.find(ticket.substr(0, bar));
    if (it == identities.end()) return kerberos::MakeFailure(Failure::kTicketInvalid, "unknown");
    return kerberos::Accepted{it->second, Bytes{1, 2, 3}};
  }

  Failure failure = Failure::kNone;
  std::map<std::string, kerberos::Identity> identities;  // By name.
};

class TokenIssuerTest : public ::testing::Test {
 protected:
  TokenIssuerTest() {
    AddIdentity("PC0042$", "2001", true);
    AddIdentity("alice", "1104", false);
    AddAccount(corp_->computers[Sid("2001")], Sid("2001"), "PC0042$");
    AddAccount(corp_->users[Sid("1104")], Sid("1104"), "alice");
  }

  std::unique_ptr<directory::Registry> NewDomains() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", kDomainSid, &corp_));
    domains.push_back(testing::NewFakeDomain("partner.test", "PARTNER", kPartnerSid, &partner_));
    return directory::Registry::Create(std::move(domains)).value();
  }
  static void AddAccount(directory::Account& account, const std::string& sid,
                         const std::string& name) {
    account.sid = sid;
    account.account_name = name;
    account.enabled = true;
  }
  static std::string Sid(const std::string& rid) { return std::string(kDomainSid) + "-" + rid; }
  void AddIdentity(const std::string& name, const std::string& rid, bool is_computer,
                   const std::string& realm = "CORP.TEST",
                   const std::string& domain_sid = kDomainSid) {
    kerberos::Identity identity;
    identity.principal = name + "@" + realm;
    identity.name = name;
    identity.realm = realm;
    identity.service_realm = realm;
    identity.account_sid = domain_sid + "-" + rid;
    identity.domain_sid = domain_sid;
    identity.is_computer = is_computer;
    tickets_.identities[name] = identity;
  }
  absl::StatusOr<IssuedToken> Device(const std::string& name = "PC0042$") {
    const std::string ticket =
        FakeAcceptor::Ticket(name, {"IssueDeviceToken", "iwa-1", thumbprint_, {}});
    return issuer_.IssueDeviceToken(AsBytes(ticket), thumbprint_);
  }
  absl::StatusOr<IssuedToken> User(const std::string& device_token,
                                   const std::string& name = "alice") {
    const std::string ticket =
        FakeAcceptor::Ticket(name, {"IssueUserToken", "iwa-1", thumbprint_, device_token});
    return issuer_.IssueUserToken(AsBytes(ticket), thumbprint_, device_token);
  }
  // IWA-5: whatever a person may meet names what to do about it.
  static std::string Reason(const absl::StatusOr<IssuedToken>& issued) {
    EXPECT_FALSE(issued.ok());
    const std::string reason = rpc::ReasonName(issued.status());
    const auto detail = rpc::DetailOf(issued.status());
    EXPECT_TRUE(reason == "MALFORMED_REQUEST" || (detail && !detail->remedy().empty())) << reason;
    return reason;
  }

  testing::SettableClock clock_{kNow};
  SystemRandom random_;
  FakeAcceptor tickets_;
  testing::FakeDirectory* corp_ = nullptr;  // Of domains_.
  testing::FakeDirectory* partner_ = nullptr;
  const std::unique_ptr<directory::Registry> domains_ = NewDomains();
  testing::TempFolder folder_;
  const std::unique_ptr<SigningKeyStore> store_ =
      SigningKeyStore::Open("sqlite:" + (folder_ / "iwa.db"), {"acme", "iwa-1"},
                            pki::AeadKey::Generate("kek-1", random_).value())
          .value();
  const std::unique_ptr<SigningKeys> signing_ =
      SigningKeys::Open(*store_, token::IwaUrn("acme", "iwa-1"), std::chrono::days(90), clock_,
                        random_)
          .value();
  const token::KeySet keys_ = signing_->ring()->verifiers;
  std::string thumbprint_ = pki::PrivateKey::Generate()->public_key().Thumbprint();
  ForestTrusts trusts_{*domains_, "corp.test", {"CORP.TEST"}};
  TokenIssuer issuer_{{"acme", "iwa-1"}, *signing_, tickets_, *domains_, trusts_, clock_, random_};
};

TEST_F(TokenIssuerTest, TurnsTwoTicketsIntoAUserTokenForTheCa) {
  const absl::StatusOr<IssuedToken> device = Device();
  DT_ASSERT_OK(device);
  EXPECT_EQ(device->expires_at, kNow + seconds{300});
  EXPECT_EQ(device->reply, (Bytes{1, 2, 3}));
  const absl::StatusOr<IssuedToken> user = User(device->token);
  DT_ASSERT_OK(user);

  const auto claims = token::VerifyUserToken(user->token, keys_, token::CaUrn("acme"), kNow);
  DT_ASSERT_OK(claims);
  EXPECT_EQ(claims->user_sid, Sid("1104"));
  EXPECT_EQ(claims->user_name, "alice@CORP.TEST");
  EXPECT_EQ(claims->computer_sid, Sid("2001"));
  EXPECT_EQ(claims->realm, "CORP.TEST");
  EXPECT_EQ(claims->key_thumbprint, thumbprint_);
  EXPECT_NE(claims->envelope.id,
            token::VerifyUserToken(User(device->token)->token, keys_, token::CaUrn("acme"), kNow)
                ->envelope.id);
}

// IWA-3: a captured exchange certifies nothing but its own request.
TEST_F(TokenIssuerTest, RefusesAnExchangeBoundToAnotherRequest) {
  const std::string device = Device()->token;
  const std::string other = pki::PrivateKey::Generate()->public_key().Thumbprint();
  const auto device_with = [&](const token::BoundRequest& request) {
    return Reason(
        issuer_.IssueDeviceToken(AsBytes(FakeAcceptor::Ticket("PC0042$", request)), thumbprint_));
  };
  EXPECT_EQ(device_with({"IssueUserToken", "iwa-1", thumbprint_, {}}), "TICKET_NOT_BOUND");
  EXPECT_EQ(device_with({"IssueDeviceToken", "iwa-2", thumbprint_, {}}), "TICKET_NOT_BOUND");
  EXPECT_EQ(device_with({"IssueDeviceToken", "iwa-1", other, {}}), "TICKET_NOT_BOUND");
  EXPECT_EQ(device_with({"IssueDeviceToken", "iwa-1", thumbprint_, device}), "TICKET_NOT_BOUND");
  const std::string ticket =
      FakeAcceptor::Ticket("alice", {"IssueUserToken", "iwa-1", thumbprint_, Device()->token});
  EXPECT_EQ(Reason(issuer_.IssueUserToken(AsBytes(ticket), thumbprint_, device)),
            "TICKET_NOT_BOUND");
}

TEST_F(TokenIssuerTest, NamesWhatIsWrongWithTheComputer) {
  EXPECT_EQ(Reason(Device("alice")), "NOT_A_COMPUTER");
  AddIdentity("mallory$", "1666", false);  // A user with a computer's name.
  EXPECT_EQ(Reason(Device("mallory$")), "NOT_A_COMPUTER");
  AddIdentity("GONE$", "2999", true);
  EXPECT_EQ(Reason(Device("GONE$")), "NOT_DOMAIN_JOINED");
  AddIdentity("OTHER1$", "2001", true, "OTHER.TEST");
  EXPECT_EQ(Reason(Device("OTHER1$")), "UNTRUSTED_FOREST");
  corp_->computers[Sid("2001")].enabled = false;
  const absl::StatusOr<IssuedToken> disabled = Device();
  EXPECT_EQ(Reason(disabled), "COMPUTER_DISABLED");
  DT_EXPECT_CODE(disabled, kPermissionDenied);
  EXPECT_EQ(rpc::DetailOf(disabled.status())->subject(), "PC0042$@CORP.TEST");
  EXPECT_NE(rpc::DetailOf(disabled.status())->remedy(), "");
}

TEST_F(TokenIssuerTest, RefusesASidOfAnotherDomain) {
  tickets_.identities["PC0042$"].domain_sid = "S-1-5-21-1-2-";  // Ends within a number.
  EXPECT_EQ(Reason(Device()), "TICKET_INVALID");
  tickets_.identities["PC0042$"].domain_sid = "S-1-5-21-9-9-9";
  EXPECT_EQ(Reason(Device()), "TICKET_INVALID");
}

// Of two forests that do not trust one another, each vouches for its own accounts alone.
TEST_F(TokenIssuerTest, ServesEachForestByItsOwnDirectory) {
  AddIdentity("PC0042$", "2001", true, "PARTNER.TEST", kPartnerSid);
  EXPECT_EQ(Reason(Device()), "NOT_DOMAIN_JOINED");
  directory::Computer& theirs = partner_->computers[std::string(kPartnerSid) + "-2001"];
  AddAccount(theirs, std::string(kPartnerSid) + "-2001", "PC0042$");
  const absl::StatusOr<IssuedToken> device = Device();
  DT_ASSERT_OK(device);
  EXPECT_EQ(device->subject, "PC0042$@PARTNER.TEST");
  AddIdentity("PC0042$", "2001", true, "PARTNER.TEST",
              kDomainSid);  // It claims an account of ours.
  EXPECT_EQ(Reason(Device()), "TICKET_INVALID");
}

TEST_F(TokenIssuerTest, NamesWhatIsWrongWithTheUser) {
  const std::string device = Device()->token;
  EXPECT_EQ(Reason(User(device, "PC0042$")), "NOT_A_USER");
  AddIdentity("bob", "1999", false);
  EXPECT_EQ(Reason(User(device, "bob")), "USER_NOT_IN_DOMAIN");
  AddIdentity("carol", "1104", false, "OTHER.TEST");
  EXPECT_EQ(Reason(User(device, "carol")), "UNTRUSTED_FOREST");
  corp_->users[Sid("1104")].enabled = false;
  EXPECT_EQ(Reason(User(device)), "USER_DISABLED");
}

// ORG-6: the forest in the PAC is checked against the trust, not believed.
TEST_F(TokenIssuerTest, AnAccountOfAnotherForestNeedsATrustOfOurs) {
  AddIdentity("PC7$", "2001", true, "PARTNER.TEST", kPartnerSid);
  AddAccount(partner_->computers[std::string(kPartnerSid) + "-2001"],
             std::string(kPartnerSid) + "-2001", "PC7$");
  DT_EXPECT_OK(Device("PC7$"));  // Made by its own forest, which gave the IWA a key.
  tickets_.identities["PC7$"].service_realm = "CORP.TEST";
  EXPECT_EQ(Reason(Device("PC7$")), "DEPENDENCY_UNAVAILABLE");  // Nobody has asked yet.
  trusts_.Refresh();
  const absl::Status refused = Device("PC7$").status();
  EXPECT_EQ(rpc::ReasonName(refused), "UNTRUSTED_FOREST");
  EXPECT_EQ(refused.message(), "corp.test does not trust the forest partner.test");
  EXPECT_FALSE(rpc::DetailOf(refused)->remedy().empty());

  corp_->trusts = {{.partner = "partner.test",
                    .netbios_name = "PARTNER",
                    .sid = kPartnerSid,
                    .outbound = true,
                    .forest_transitive = true}};
  trusts_.Refresh();
  const auto device = Device("PC7$");
  DT_ASSERT_OK(device);
  EXPECT_EQ(device->subject, "PC7$@PARTNER.TEST");
}

// A KDC of another forest does not speak for accounts of ours, whatever it writes into a PAC.
TEST_F(TokenIssuerTest, AnotherForestVouchesForNoAccountOfOurs) {
  tickets_.identities["PC0042$"].service_realm = "PARTNER.TEST";
  EXPECT_EQ(Reason(Device()), "UNTRUSTED_FOREST");
  tickets_.identities["PC0042$"].service_realm = "ELSEWHERE.TEST";
  EXPECT_EQ(Reason(Device()), "UNTRUSTED_FOREST");
}

// The ticket's client name is what was typed at the logon; who it is, the PAC's SID says.
TEST_F(TokenIssuerTest, TakesNamesFromTheDirectoryWhateverWasTyped) {
  for (const char* typed : {"HOST1", "pc0042$", "PC0042.corp.test"}) {
    AddIdentity(typed, "2001", true);
    const auto device = Device(typed);
    DT_ASSERT_OK(device);
    EXPECT_EQ(device->subject, "PC0042$@CORP.TEST");
  }
  const std::string device = Device()->token;
  for (const char* typed : {"ALICE", "a.lovelace\\@mail.example", "älice"}) {
    AddIdentity(typed, "1104", false);
    const auto user = User(device, typed);
    DT_ASSERT_OK(user);
    EXPECT_EQ(user->subject, "alice@CORP.TEST");
    const auto claims = token::VerifyUserToken(user->token, keys_, token::CaUrn("acme"), kNow);
    DT_ASSERT_OK(claims);
    EXPECT_EQ(claims->user_name, "alice@CORP.TEST");
    EXPECT_EQ(claims->user_sid, Sid("1104"));
    EXPECT_EQ(claims->computer_name, "PC0042$");
  }
}

// A service ticket lives for hours, and says nothing of what has become of its account.
TEST_F(TokenIssuerTest, AsksTheDirectoryWhatHasBecomeOfTheAccount) {
  const std::string device = Device()->token;
  directory::User& alice = corp_->users[Sid("1104")];
  alice.expires_at = kNow;
  EXPECT_EQ(Reason(User(device)), "ACCOUNT_EXPIRED");
  EXPECT_EQ(rpc::DetailOf(User(device).status())->subject(), "alice@CORP.TEST");
  alice.expires_at = kNow + seconds{1};
  DT_EXPECT_OK(User(device));
  clock_.Set(kNow + seconds{1});
  EXPECT_EQ(Reason(User(device)), "ACCOUNT_EXPIRED");
  alice.expires_at.reset();
  alice.locked = true;
  EXPECT_EQ(Reason(User(device)), "ACCOUNT_LOCKED");
  alice.locked = false;
  DT_EXPECT_OK(User(device));
  corp_->computers[Sid("2001")].expires_at = kNow;
  EXPECT_EQ(Reason(Device()), "ACCOUNT_EXPIRED");
}

TEST_F(TokenIssuerTest, ExplainsEveryFailureOfKerberos) {
  const std::tuple<Failure, const char*, absl::StatusCode> cases[] = {
      {Failure::kClockSkew, "CLOCK_SKEW", absl::StatusCode::kUnauthenticated},
      {Failure::kTicketExpired, "TICKET_EXPIRED", absl::StatusCode::kUnauthenticated},
      {Failure::kTicketInvalid, "TICKET_INVALID", absl::StatusCode::kUnauthenticated},
      {Failure::kReplayed, "TICKET_REPLAYED", absl::StatusCode::kUnauthenticated},
      {Failure::kNotBound, "TICKET_NOT_BOUND", absl::StatusCode::kUnauthenticated},
      {Failure::kMalformed, "TICKET_INVALID", absl::StatusCode::kInvalidArgument},
      {Failure::kMisconfigured, "STORE_UNAVAILABLE", absl::StatusCode::kUnavailable},
  };
  for (const auto& [failure, reason, code] : cases) {
    tickets_.failure = failure;
    const absl::StatusOr<IssuedToken> issued = Device();
    EXPECT_EQ(Reason(issued), reason);
    EXPECT_EQ(issued.status().code(), code) << reason;
    EXPECT_NE(rpc::DetailOf(issued.status())->remedy(), "") << reason;
  }
}

TEST_F(TokenIssuerTest, ASilentDirectoryIsARetryAndNoVerdict) {
  const std::string device = Device()->token;
  corp_->fault = absl::UnavailableError("down");
  for (const absl::StatusOr<IssuedToken>& issued : {Device(), User(device)}) {
    EXPECT_EQ(Reason(issued), "DOMAIN_CONTROLLER_UNREACHABLE");
    DT_EXPECT_CODE(issued, kUnavailable);
    EXPECT_GT(rpc::DetailOf(issued.status())->retry_after().seconds(), 0);
  }
  corp_->fault = absl::OkStatus();
  DT_EXPECT_OK(User(device));
}

TEST_F(TokenIssuerTest, TakesOnlyItsOwnFreshDeviceTokensForTheSameKey) {
  const std::string device = Device()->token;
  EXPECT_EQ(Reason(User("")), "TOKEN_MALFORMED");
  EXPECT_EQ(Reason(User("a.b.c")), "TOKEN_MALFORMED");
  EXPECT_EQ(Reason(User(User(device)->token)), "TOKEN_WRONG_TYPE");

  const std::string first = thumbprint_;
  thumbprint_ = pki::PrivateKey::Generate()->public_key().Thumbprint();
  EXPECT_EQ(Reason(User(device)), "TOKEN_WRONG_KEY");
  thumbprint_ = first;

  const auto store = SigningKeyStore::Open("sqlite:" + (folder_ / "iwa-2.db"), {"acme", "iwa-2"},
                                           pki::AeadKey::Generate("kek-2", random_).value());
  DT_ASSERT_OK(store);
  const auto keys = SigningKeys::Open(**store, token::IwaUrn("acme", "iwa-2"),
                                      std::chrono::days(90), clock_, random_);
  DT_ASSERT_OK(keys);
  TokenIssuer other({"acme", "iwa-2"}, **keys, tickets_, *domains_, trusts_, clock_, random_);
  const std::string ticket =
      FakeAcceptor::Ticket("PC0042$", {"IssueDeviceToken", "iwa-2", thumbprint_, {}});
  const auto foreign = other.IssueDeviceToken(AsBytes(ticket), thumbprint_);
  DT_ASSERT_OK(foreign);
  EXPECT_EQ(Reason(User(foreign->token)), "TOKEN_UNKNOWN_KEY");

  clock_.Set(kNow + seconds{329});
  DT_EXPECT_OK(User(device));
  clock_.Set(kNow + seconds{330});
  EXPECT_EQ(Reason(User(device)), "TOKEN_EXPIRED");
}

TEST_F(TokenIssuerTest, AcceptsADeviceTokenFromBeforeAChangeOfKeys) {
  clock_.Advance(std::chrono::days(90));
  DT_ASSERT_OK(signing_->Advance());
  const std::string before = signing_->ring()->signer().kid;
  DT_ASSERT_OK(signing_->NotePublished({signing_->ring()->keys[0].key.kid}));
  clock_.Advance(kPublishedBeforeUse);
  const std::string device = Device()->token;
  DT_ASSERT_OK(signing_->Advance());
  EXPECT_NE(signing_->ring()->signer().kid, before);
  // Another process, which has not signed it a moment ago.
  TokenIssuer next({"acme", "iwa-1"}, *signing_, tickets_, *domains_, trusts_, clock_, random_);
  const std::string ticket =
      FakeAcceptor::Ticket("alice", {"IssueUserToken", "iwa-1", thumbprint_, device});
  DT_EXPECT_OK(next.IssueUserToken(AsBytes(ticket), thumbprint_, device));
}

TEST_F(TokenIssuerTest, WhoLostItsNameToAnotherProcessIssuesNothing) {
  signing_->Forbid(rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_IWA_NAME_TAKEN,
                                  "taken", "iwa-1", "End this one."));
  EXPECT_EQ(Reason(Device()), "IWA_NAME_TAKEN");
  EXPECT_EQ(Reason(User("token")), "IWA_NAME_TAKEN");
}

TEST_F(TokenIssuerTest, RefusesMalformedRequests) {
  const auto device = [&](const std::string& spnego, const std::string& thumbprint) {
    return Reason(issuer_.IssueDeviceToken(AsBytes(spnego), thumbprint));
  };
  EXPECT_EQ(device("", thumbprint_), "MALFORMED_REQUEST");
  EXPECT_EQ(device(std::string(kerberos::kSpnegoBytesMax + 1, 'x'), thumbprint_),
            "REQUEST_TOO_LARGE");
  EXPECT_EQ(device("x", ""), "MALFORMED_REQUEST");
  EXPECT_EQ(device("x", std::string(42, 'A')), "MALFORMED_REQUEST");
  EXPECT_EQ(device("x", std::string(43, '!')), "MALFORMED_REQUEST");
  EXPECT_EQ(device("x", thumbprint_), "TICKET_INVALID");
}

TEST_F(TokenIssuerTest, NoMutationOfADeviceTokenIsAccepted) {
  const std::string device = Device()->token;
  const Bytes good(device.begin(), device.end());
  testing::ForEachMutation(good, 1000, 9, [&](const Bytes& bad) {
    if (bad != good) {
      EXPECT_FALSE(User(ToString(bad)).ok());
    }
  });
}

TEST_F(TokenIssuerTest, OneWildAccountDoesNotUseUpTheOthersShare) {
  TokenIssuer strict({"acme", "iwa-1", 2}, *signing_, tickets_, *domains_, trusts_, clock_,
                     random_);
  const std::string ticket =
      FakeAcceptor::Ticket("PC0042$", {"IssueDeviceToken", "iwa-1", thumbprint_, {}});
  const auto ask = [&] { return strict.IssueDeviceToken(AsBytes(ticket), thumbprint_); };
  const std::string device = ask()->token;
  DT_EXPECT_OK(ask());
  const auto refused = ask();
  EXPECT_EQ(Reason(refused), "TOO_MANY_REQUESTS");
  EXPECT_GT(rpc::DetailOf(refused.status())->retry_after().seconds(), 0);
  const std::string of_user =
      FakeAcceptor::Ticket("alice", {"IssueUserToken", "iwa-1", thumbprint_, device});
  DT_EXPECT_OK(strict.IssueUserToken(AsBytes(of_user), thumbprint_, device));
}

// A stranger's calls cost no disk: a few lines, and their number.
TEST_F(TokenIssuerTest, AFloodOfMalformedCallsLeavesAFewLines) {
  const testing::TempFolder folder;
  DT_ASSERT_OK(SetLogFile(folder / "log"));
  DomainProofService service(issuer_);
  v1::IssueDeviceTokenRequest request;
  v1::IssueDeviceTokenResponse response;
  request.set_spnego_token("no ticket");
  request.set_key_thumbprint(thumbprint_);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(service.IssueDeviceToken(nullptr, &request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  LogSums();
  const std::string log = ReadFile(folder / "log").value();
  EXPECT_EQ(std::ranges::count(log, '\n'), static_cast<int>(kSparseLinesOfEach) + 1) << log;
  EXPECT_NE(log.find("\"count\":995"), std::string::npos) << log;
}

}  // namespace
}  // namespace devicetrust::iwa
