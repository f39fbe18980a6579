// The real server against real clients: libs/directory, ldapsearch, ldapwhoami, raw TLS.
#include "simulator/forest/ldap/server.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <fstream>
#include <thread>

#include "libs/directory/client.h"
#include "libs/pki/tls_context.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/forest/ldap/forest_fixture.h"

namespace devicetrust::simulator {
namespace {

namespace asio = boost::asio;
using directory::LdapDirectory;
using directory::PasswordVerdict;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Stream = asio::ssl::stream<asio::ip::tcp::socket>;

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    now_ = SystemClock().Now();  // The clients verify certificates by the machine's clock.
    pki_.emplace("acme", now_);
    ca_file_ = forest_.folder / "ca.pem";
    std::ofstream(ca_file_) << pki_->web_ca().certificate.Pem();
    Start(0);
  }
  void TearDown() override {
    server_.reset();
    remove(ca_file_.c_str());
  }

  void Start(std::uint16_t port, LdapServerConfig (*change)(LdapServerConfig) = nullptr) {
    server_.reset();
    LdapServerConfig config{.port = port, .identity = pki_->Server("dc1", {"dc1.corp.test"})};
    if (change != nullptr) config = change(std::move(config));
    auto server = LdapServer::Start(std::move(config), forest_.table->view(), forest_.clock);
    DT_ASSERT_OK(server);
    server_ = *std::move(server);
  }

  directory::Config ClientConfig() const {
    return {.url = server_->url(),
            .ca_file = ca_file_,
            .domain = "corp.test",
            .bind_name = "svc-ldap@corp.test",
            .bind_password = "Pw-svc"};
  }
  std::unique_ptr<LdapDirectory> NewClient() {
    return LdapDirectory::Create(ClientConfig()).value();
  }

  // What a shell command prints, both streams.
  std::string Run(const std::string& command) {
    const std::string line = "LDAPTLS_CACERT=" + ca_file_ + " " + command + " 2>&1";
    FILE* pipe = popen(line.c_str(), "r");
    std::string out;
    std::array<char, 4096> buffer;
    while (const std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
      out.append(buffer.data(), n);
    }
    exit_code_ = WEXITSTATUS(pclose(pipe));
    return out;
  }

  // A TLS connection of our own, to say what no client library would.
  std::unique_ptr<Stream> Connect() {
    auto context = pki::TlsContext::ForClient(
        {.trusted = {pki_->web_ca().certificate}, .host = "127.0.0.1", .clock = &system_clock_});
    asio::ip::tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
    auto stream = std::make_unique<Stream>(std::move(socket), context->NewSession().release());
    stream->handshake(Stream::client);
    return stream;
  }
  // Everything until the server closes.
  static std::string ReadAll(Stream& stream) {
    std::string out;
    boost::system::error_code error;
    asio::read(stream, asio::dynamic_buffer(out), error);
    return out;
  }

  SystemClock system_clock_;
  WallTime now_;
  TestForest forest_;
  std::optional<throwaway::ThrowawayPki> pki_;
  std::string ca_file_;
  asio::io_context io_;
  std::unique_ptr<LdapServer> server_;
  int exit_code_ = 0;
};

TEST_F(ServerTest, TellsTheClientTheVerdictOnAPassword) {
  const auto client = NewClient();
  const auto check = [&](const char* password) {
    return client->CheckPassword("ada@corp.test", password).value();
  };
  EXPECT_EQ(check("Pw-ada"), PasswordVerdict::kAccepted);
  EXPECT_EQ(check("wrong"), PasswordVerdict::kWrong);
  EXPECT_EQ(client->CheckPassword("eve@corp.test", "x").value(), PasswordVerdict::kWrong);
  forest_.Set("ada", kDisabled);
  EXPECT_EQ(check("Pw-ada"), PasswordVerdict::kDisabled);
  forest_.Set("ada", kDisabled, false);
  forest_.Set("ada", kMustChangePassword);
  EXPECT_EQ(check("Pw-ada"), PasswordVerdict::kMustChange);
  forest_.Set("ada", kMustChangePassword, false);
  DT_ASSERT_OK(forest_.table->SetExpiry(forest_.realm, "ada", 1));
  EXPECT_EQ(check("Pw-ada"), PasswordVerdict::kExpired);
  DT_ASSERT_OK(forest_.table->SetExpiry(forest_.realm, "ada", 0));
  DT_ASSERT_OK(forest_.table->Lock(forest_.realm, "ada"));
  EXPECT_EQ(check("wrong"), PasswordVerdict::kLocked);
  DT_ASSERT_OK(forest_.table->Unlock(forest_.realm, "ada"));
  ASSERT_TRUE(forest_.table->SetPassword(forest_.realm, "ada", "New-pw").ok());
  EXPECT_EQ(check("Pw-ada"), PasswordVerdict::kWrong);
  EXPECT_EQ(check("New-pw"), PasswordVerdict::kAccepted);
}

// Active Directory answers success here; the client must not have asked.
TEST_F(ServerTest, NeverTakesAnEmptyPasswordForARightOne) {
  Start(0, [](LdapServerConfig config) {
    config.behaviour.accept_unauthenticated_bind = true;
    return config;
  });
  EXPECT_EQ(NewClient()->CheckPassword("ada@corp.test", "").value(), PasswordVerdict::kWrong);
}

TEST_F(ServerTest, FindsUsersAndComputers) {
  const auto client = NewClient();
  const auto ada = client->FindUserBySid(forest_.SidOf("ada"));
  DT_ASSERT_OK(ada);
  EXPECT_EQ(ada->account_name, "ada");
  EXPECT_EQ(ada->principal, "ada@corp.test");
  EXPECT_EQ(ada->display_name, "Ada Lovelace");
  EXPECT_EQ(ada->mail, "ada@corp.test");
  EXPECT_EQ(ada->primary_group_id, kRidDomainUsers);
  EXPECT_THAT(ada->member_of, SizeIs(2));  // Without the primary group.
  EXPECT_TRUE(ada->enabled);
  EXPECT_THAT(ada->sid, HasSubstr("S-1-5-21-1-2-3-"));

  const auto pc = client->FindComputerBySid(forest_.SidOf("PC1$"));
  DT_ASSERT_OK(pc);
  EXPECT_EQ(pc->account_name, "PC1$");
  EXPECT_EQ(pc->operating_system, "Windows 10 Enterprise");
  EXPECT_EQ(pc->dns_host_name, "pc1.corp.test");
  forest_.Set("PC1$", kDisabled);
  EXPECT_FALSE(client->FindComputerBySid(pc->sid)->enabled);

  DT_EXPECT_CODE(client->FindUserBySid(pc->sid), kNotFound);  // A computer is no user.
  DT_EXPECT_CODE(client->FindComputerBySid(ada->sid), kNotFound);
  DT_EXPECT_CODE(client->FindUserBySid("S-1-5-21-1-2-3-999999"), kNotFound);
}

// A lock is judged by time, as the directory does it; when the account ends is read, not whether.
TEST_F(ServerTest, TellsTheClientOfLocksAndExpiry) {
  const auto client = NewClient();
  const auto ada = [&] { return client->FindUserBySid(forest_.SidOf("ada")).value(); };
  EXPECT_FALSE(ada().locked);
  EXPECT_EQ(ada().expires_at, std::nullopt);
  DT_ASSERT_OK(forest_.table->Lock(forest_.realm, "ada"));
  EXPECT_TRUE(ada().locked);
  forest_.clock.Advance(std::chrono::seconds(kLockoutSeconds));
  EXPECT_FALSE(ada().locked);
  const WallTime end = forest_.clock.Now() + std::chrono::hours(1);
  DT_ASSERT_OK(forest_.table->SetExpiry(forest_.realm, "ada", UnixSeconds(end)));
  EXPECT_EQ(ada().expires_at, end);
  EXPECT_FALSE(ada().HasExpired(end - std::chrono::seconds(1)));
  EXPECT_TRUE(ada().HasExpired(end));
}

TEST_F(ServerTest, FindsAUserByEveryNameAndBindsByWhatItFound) {
  forest_.Add({.name = "carol", .password = "Pw-carol", .upn = "c.smith@mail.example"});
  forest_.Add({.name = "zoë", .password = "Pw-zoe"});
  forest_.Add({.name = "smith", .password = "Pw-smith", .upn = "carol@corp.test"});
  const auto client = NewClient();
  const auto find = [&](directory::UserName name) {
    const auto user = client->FindUserByName(name);
    return user.ok() ? user->account_name : std::string(user.status().message());
  };
  EXPECT_EQ(find({"C.Smith@mail.example", ""}), "carol");
  EXPECT_EQ(find({"", "CAROL", false}), "carol");
  EXPECT_EQ(find({"", "ZOË"}), "zoë");
  EXPECT_EQ(find({"ZOË@corp.test", ""}), "zoë");
  // One name of two people: the principal's owner when it was written as one, else the account's.
  EXPECT_EQ(find({"carol@corp.test", "carol", true}), "smith");
  EXPECT_EQ(find({"carol@corp.test", "carol", false}), "carol");
  for (const directory::UserName& nobody : {directory::UserName{},
                                            {"*", "*"},
                                            {"", "PC1$"},
                                            {"", "carol)(cn=*"},
                                            {"", std::string(2000, 'a')}}) {
    DT_EXPECT_CODE(client->FindUserByName(nobody), kNotFound);
  }
  const auto carol = client->FindUserByName({"c.smith@mail.example", ""}).value();
  EXPECT_EQ(carol.sid, forest_.SidOf("carol"));
  EXPECT_EQ(client->CheckPassword(carol.distinguished_name, "Pw-carol").value(),
            PasswordVerdict::kAccepted);
  EXPECT_EQ(client->CheckPassword(carol.distinguished_name, "Pw-smith").value(),
            PasswordVerdict::kWrong);
}

TEST_F(ServerTest, FindsAGroupByNameOrSid) {
  const auto client = NewClient();
  const auto staff = client->FindGroup("STAFF");
  DT_ASSERT_OK(staff);
  EXPECT_EQ(staff->name, "Staff");
  EXPECT_EQ(client->FindGroup(staff->sid)->distinguished_name, "CN=Staff,CN=Users,DC=corp,DC=test");
  DT_EXPECT_CODE(client->FindGroup("ada"), kNotFound);
  DT_EXPECT_CODE(client->FindGroup(forest_.SidOf("ada")), kNotFound);
  DT_EXPECT_CODE(client->FindGroup("*"), kNotFound);
  DT_EXPECT_CODE(client->FindGroup(""), kNotFound);
}

TEST_F(ServerTest, FindsSeveralComputersEachWithItsOwnResult) {
  for (int i = 0; i < 70; ++i) {  // More than one search takes.
    forest_.Add({.kind = AccountKind::kComputer, .name = "MANY" + std::to_string(i) + "$"});
  }
  const auto client = NewClient();
  const std::string ada = forest_.SidOf("ada");
  const std::string first = forest_.SidOf("MANY0$");
  const std::string prefix = first.substr(0, first.rfind('-') + 1);
  const int rid = std::stoi(first.substr(prefix.size()));
  std::vector<std::string> sids = {ada, "no SID", prefix + "999999", first};
  for (int i = 0; i < 70; ++i) sids.push_back(prefix + std::to_string(rid + i));
  const auto found = client->FindComputersBySid(sids);
  ASSERT_EQ(found.size(), sids.size());
  DT_EXPECT_CODE(found[0], kNotFound);  // A user.
  DT_EXPECT_CODE(found[1], kInvalidArgument);
  DT_EXPECT_CODE(found[2], kNotFound);
  EXPECT_EQ(found[3]->account_name, "MANY0$");  // Asked for twice.
  for (std::size_t i = 0; i < 70; ++i) {
    EXPECT_EQ(found[4 + i]->account_name, "MANY" + std::to_string(i) + "$");
  }
}

TEST_F(ServerTest, GivesEachOfManyCallersItsOwnAccount) {
  const auto client = NewClient();
  const std::string ada = forest_.SidOf("ada");
  const std::string pc = forest_.SidOf("PC1$");
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 20; ++i) {
        if (caller % 2 == 0) {
          EXPECT_EQ(client->FindUserBySid(ada)->account_name, "ada");
          DT_EXPECT_CODE(client->FindComputerBySid(ada), kNotFound);
        } else {
          EXPECT_EQ(client->FindComputerBySid(pc)->account_name, "PC1$");
          DT_EXPECT_CODE(client->FindUserBySid(pc), kNotFound);
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(ServerTest, NamesAServiceAccountThatIsRefused) {
  directory::Config config = ClientConfig();
  config.bind_password = "wrong";
  const auto client = LdapDirectory::Create(std::move(config)).value();
  const absl::Status status = client->FindUserBySid(forest_.SidOf("ada")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("svc-ldap@corp.test"));
  EXPECT_EQ(client->CheckPassword("ada@corp.test", "Pw-ada").value(), PasswordVerdict::kAccepted);
}

TEST_F(ServerTest, IsNotTrustedWithACertificateOfAnotherCa) {
  std::ofstream(ca_file_) << pki_->deployment_ca().certificate.Pem();
  DT_EXPECT_CODE(NewClient()->CheckPassword("ada@corp.test", "Pw-ada"), kUnavailable);
}

TEST_F(ServerTest, RestartsUnnoticedByTheClient) {
  const auto client = NewClient();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(client->CheckPassword("ada@corp.test", "Pw-ada").value(), PasswordVerdict::kAccepted);
    DT_EXPECT_OK(client->FindUserBySid(forest_.SidOf("ada")));
    Start(server_->port());
  }
  const std::string url = server_->url();
  server_.reset();
  DT_EXPECT_CODE(client->CheckPassword("ada@corp.test", "Pw-ada"), kUnavailable);
}

TEST_F(ServerTest, RefusesATakenPort) {
  LdapServerConfig config{.port = server_->port(), .identity = pki_->Server("dc1", {})};
  const auto second = LdapServer::Start(std::move(config), forest_.table->view(), forest_.clock);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(std::to_string(server_->port())));
}

TEST_F(ServerTest, ChecksPasswordsOnManyThreadsAtOnce) {
  const auto client = NewClient();
  constexpr int kThreads = 8;
  constexpr int kChecks = 100;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kChecks; ++i) {
        const bool right = (t + i) % 2 == 0;
        const auto verdict = client->CheckPassword("ada@corp.test", right ? "Pw-ada" : "no");
        const auto expected = right ? PasswordVerdict::kAccepted : PasswordVerdict::kWrong;
        if (!verdict.ok() || *verdict != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ServerTest, AnswersLdapsearchAndLdapwhoami) {
  const std::string as = " -x -H " + server_->url() + " -D CORP\\\\ada -w Pw-ada ";
  EXPECT_EQ(Run("ldapwhoami" + as), "u:CORP\\ada\n");
  EXPECT_EQ(exit_code_, 0);
  const std::string found = Run(
      "ldapsearch -LLL" + as + "-b dc=corp,dc=test '(&(objectClass=user)(cn=Ada*))' mail memberOf");
  EXPECT_THAT(found, HasSubstr("dn: CN=Ada Lovelace,OU=Staff,DC=corp,DC=test\n"));
  EXPECT_THAT(found, HasSubstr("mail: ada@corp.test\n"));
  EXPECT_THAT(found, HasSubstr("memberOf: CN=Staff,CN=Users,DC=corp,DC=test\n"));
  EXPECT_THAT(Run("ldapsearch -x -H " + server_->url() + " -s base -b '' defaultNamingContext"),
              HasSubstr("defaultNamingContext: DC=corp,DC=test\n"));
  EXPECT_THAT(Run("ldapwhoami -x -H " + server_->url() + " -D ada@corp.test -w wrong"),
              HasSubstr("data 52e"));
  EXPECT_EQ(exit_code_, 49);
  forest_.Add({.name = "zoë", .display_name = "Zoë"});
  EXPECT_THAT(Run("ldapsearch -LLL" + as + "-b dc=corp,dc=test '(sAMAccountName=ZOË)' objectSid"),
              HasSubstr("objectSid:: "));
  const std::string paged =
      Run("ldapsearch -LLL" + as + "-b dc=corp,dc=test -E '!pr=2/noprompt' sAMAccountName");
  EXPECT_EQ(exit_code_, 0);
  for (const char* name : {"ada", "odd", "nopw", "PC1$", "Staff"}) {
    EXPECT_THAT(paged, HasSubstr(std::string("sAMAccountName: ") + name + "\n"));
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  const auto who_am_i = [](int id) {
    std::string out;
    BerWriter writer;
    writer.Begin().Integer(id).Begin(0x77).Text("1.3.6.1.4.1.4203.1.11.3", 0x80).End().End();
    writer.AppendTo(out);
    return out;
  };
  const auto stream = Connect();
  const std::string unbind("\x30\x05\x02\x01\x04\x42\x00", 7);
  const std::string requests = who_am_i(1) + who_am_i(2) + who_am_i(3) + unbind;
  // In two pieces that end within a message.
  asio::write(*stream, asio::buffer(requests.substr(0, 50)));
  asio::write(*stream, asio::buffer(requests.substr(50)));
  std::string answers = ReadAll(*stream);
  for (int id = 1; id <= 3; ++id) {
    const BerFrame frame = ReadBerFrame(answers, 1000).value();
    const std::string content = answers.substr(frame.header_bytes, frame.content_bytes);
    EXPECT_EQ(BerReader(content).NextInteger().value(), id);
    answers.erase(0, frame.header_bytes + frame.content_bytes);
  }
  EXPECT_TRUE(answers.empty());
}

TEST_F(ServerTest, ClosesConnectionsBeyondItsLimitAndServesTheOthers) {
  Start(0, [](LdapServerConfig config) {
    config.connections_max = 2;
    return config;
  });
  auto first = Connect();
  const auto second = Connect();
  EXPECT_ANY_THROW(Connect());
  first.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < deadline) {
    try {
      Connect();
      served = true;
    } catch (const boost::system::system_error&) {  // It has not yet seen the first one go.
    }
  }
  EXPECT_TRUE(served);
}

struct BadInput {
  const char* name;
  std::string bytes;
};
class BadInputTest : public ServerTest, public ::testing::WithParamInterface<BadInput> {};

TEST_P(BadInputTest, IsAnsweredWithANoticeAndAClosedConnection) {
  const auto stream = Connect();
  asio::write(*stream, asio::buffer(GetParam().bytes));
  EXPECT_THAT(ReadAll(*stream), HasSubstr("1.3.6.1.4.1.1466.20036"));
}

INSTANTIATE_TEST_SUITE_P(
    , BadInputTest,
    ::testing::Values(BadInput{"Http", "GET / HTTP/1.1\r\n\r\n"},
                      BadInput{"ClaimOfFourGigabytes", "\x30\x84\xff\xff\xff\xff"},
                      BadInput{"OverTheUnboundLimit", "\x30\x82\x40\x01"},
                      BadInput{"EmptyMessage", std::string("\x30\x00", 2)},
                      BadInput{"UnknownOperation", std::string("\x30\x05\x02\x01\x01\x7f\x00", 7)}),
    [](const auto& tested) { return std::string(tested.param.name); });

// A server that accepts, shakes hands and then sends half an answer: libldap would wait
// for the rest for ever.
TEST_F(ServerTest, ClientLeavesHalfAnAnswerAtTheDeadline) {
  asio::ip::tcp::acceptor acceptor(io_, {asio::ip::make_address("127.0.0.1"), 0});
  std::thread half([&] {
    auto context = pki::TlsContext::ForServer({pki_->Server("dc2", {})});
    Stream stream(acceptor.accept(), context->NewSession().release());
    stream.handshake(Stream::server);
    std::array<char, 512> request;
    stream.read_some(asio::buffer(request));
    asio::write(stream, asio::buffer(std::string("\x30\x0c\x02\x01", 4)));
    boost::system::error_code error;
    stream.read_some(asio::buffer(request), error);  // Until the client gives up.
  });
  directory::Config config = ClientConfig();
  config.url = "ldaps://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  config.timeout = std::chrono::milliseconds{300};
  const auto client = LdapDirectory::Create(std::move(config)).value();
  const auto begin = std::chrono::steady_clock::now();
  DT_EXPECT_CODE(client->CheckPassword("ada@corp.test", "Pw-ada"), kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{3});
  half.join();
}

}  // namespace
}  // namespace devicetrust::simulator
