// Whoever comes with MIT's GSSAPI and the ticket that kinit got.
#include <fmt/format.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/files.h"
#include "libs/kerberos/bindings.h"
#include "libs/kerberos/keytab.h"
#include "simulator/forest/forests_fixture.h"

namespace devicetrust::simulator {
namespace {

using kerberos::Failure;
using kerberos::FailureOf;

class StrangersExchange {
 public:
  // Null bindings: none.
  Bytes Start(gss_channel_bindings_t bindings, std::string name = "HTTP/iwa.corp.test@CORP.TEST",
              OM_uint32 flags = GSS_C_MUTUAL_FLAG) {
    flags_ = flags;
    gss_buffer_desc text = {name.size(), name.data()};
    OM_uint32 minor = 0;
    EXPECT_EQ(
        gss_import_name(&minor, &text, const_cast<gss_OID>(GSS_KRB5_NT_PRINCIPAL_NAME), &target_),
        GSS_S_COMPLETE);
    return Step(bindings, {}, GSS_S_CONTINUE_NEEDED);
  }
  void Finish(gss_channel_bindings_t bindings, const Bytes& reply) {
    EXPECT_EQ(Step(bindings, reply, GSS_S_COMPLETE), Bytes{});
  }
  ~StrangersExchange() {
    OM_uint32 minor = 0;
    gss_release_name(&minor, &target_);
    gss_delete_sec_context(&minor, &context_, GSS_C_NO_BUFFER);
  }

 private:
  Bytes Step(gss_channel_bindings_t bindings, Bytes received, OM_uint32 expected) {
    gss_OID_desc spnego = {6, const_cast<char*>("\x2b\x06\x01\x05\x05\x02")};
    gss_buffer_desc input = {received.size(), received.data()};
    gss_buffer_desc token{};
    OM_uint32 minor = 0;
    EXPECT_EQ(gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &context_, target_, &spnego, flags_,
                                   0, bindings, &input, nullptr, &token, nullptr, nullptr),
              expected);
    const auto* bytes = static_cast<const std::uint8_t*>(token.value);
    Bytes result(bytes, bytes + token.length);
    gss_release_buffer(&minor, &token);
    return result;
  }

  OM_uint32 flags_ = 0;
  gss_name_t target_ = GSS_C_NO_NAME;
  gss_ctx_id_t context_ = GSS_C_NO_CONTEXT;
};

// What a service does to which a person has delegated: the tickets are now in `cache`, too.
void TakeDelegated(const Bytes& token, const std::string& keytab, const std::string& cache) {
  gss_OID_desc spnego = {6, const_cast<char*>("\x2b\x06\x01\x05\x05\x02")};
  gss_OID_set_desc mechanisms = {1, &spnego};
  gss_key_value_element_desc keys = {"keytab", keytab.c_str()};
  const gss_key_value_set_desc from = {1, &keys};
  gss_key_value_element_desc place = {"ccache", cache.c_str()};
  const gss_key_value_set_desc into = {1, &place};
  gss_cred_id_t own = GSS_C_NO_CREDENTIAL;
  gss_cred_id_t delegated = GSS_C_NO_CREDENTIAL;
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  gss_buffer_desc input = {token.size(), const_cast<std::uint8_t*>(token.data())};
  gss_buffer_desc reply{};
  OM_uint32 minor = 0;
  ASSERT_EQ(gss_acquire_cred_from(&minor, GSS_C_NO_NAME, 0, &mechanisms, GSS_C_ACCEPT, &from, &own,
                                  nullptr, nullptr),
            GSS_S_COMPLETE);
  ASSERT_EQ(gss_accept_sec_context(&minor, &context, own, &input, GSS_C_NO_CHANNEL_BINDINGS,
                                   nullptr, nullptr, &reply, nullptr, nullptr, &delegated),
            GSS_S_COMPLETE);
  ASSERT_NE(delegated, GSS_C_NO_CREDENTIAL);
  EXPECT_EQ(gss_store_cred_into(&minor, delegated, GSS_C_INITIATE, GSS_C_NO_OID, 1, 1, &into,
                                nullptr, nullptr),
            GSS_S_COMPLETE);
  gss_release_buffer(&minor, &reply);
  gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
  gss_release_cred(&minor, &delegated);
  gss_release_cred(&minor, &own);
}

class BrowsersTicketTest : public ForestsTest {
 protected:
  void SetUp() override {
    ForestsTest::SetUp();
    DT_ASSERT_OK(forests_->AddService(Principal("HTTP/other.corp.test")));
    const std::vector<std::string> names = {Principal(kService), Principal("HTTP/other.corp.test")};
    DT_ASSERT_OK(forests_->WriteKeytab(run_ / "both.keytab", names));
    ::setenv("KRB5CCNAME", ("FILE:" + run_ / "cc").c_str(), 1);
    ASSERT_EQ(Kinit("-f ada", "Kq7-u2m").ending, "exit code 0");
    acceptor_ = kerberos::Acceptor::Create(Config(kService)).value();
  }
  kerberos::AcceptorConfig Config(const std::string& service) const {
    kerberos::AcceptorConfig config;
    config.keytab = run_ / "both.keytab";
    config.replay_cache = run_ / "browsers.rcache";
    config.service = service;
    config.binding = kerberos::AcceptorConfig::Binding::kWhenGiven;
    config.refuse_delegated = true;
    return config;
  }
  absl::Status Accept(const Bytes& token, const kerberos::Bindings& bindings = {1, 2, 3}) {
    return acceptor_->Accept(token, bindings).status();
  }

  std::unique_ptr<kerberos::Acceptor> acceptor_;
};

// RFC 5929: browsers bind it to the certificate that they see, or not at all.
TEST_F(BrowsersTicketTest, IsBoundToNothingOrToWhatWeShow) {
  DT_EXPECT_OK(Accept(StrangersExchange().Start(GSS_C_NO_CHANNEL_BINDINGS)));
  kerberos::Bindings seen = {1, 2, 3};
  gss_channel_bindings_struct channel{};
  channel.application_data = {seen.size(), seen.data()};
  DT_EXPECT_OK(Accept(StrangersExchange().Start(&channel)));
  // Somebody between the two, with a certificate of their own.
  const absl::Status relayed = Accept(StrangersExchange().Start(&channel), {9, 9, 9});
  EXPECT_EQ(FailureOf(relayed), Failure::kNotBound) << relayed;
}

TEST_F(BrowsersTicketTest, IsGoodOnce) {
  const Bytes token = StrangersExchange().Start(GSS_C_NO_CHANNEL_BINDINGS);
  DT_EXPECT_OK(Accept(token));
  EXPECT_EQ(FailureOf(Accept(token)), Failure::kReplayed);
}

TEST_F(BrowsersTicketTest, IsForThisServiceAlone) {
  const Bytes other =
      StrangersExchange().Start(GSS_C_NO_CHANNEL_BINDINGS, "HTTP/other.corp.test@CORP.TEST");
  EXPECT_EQ(FailureOf(Accept(other)), Failure::kTicketInvalid);
  const auto none = kerberos::Acceptor::Create(Config("HTTP/sso.corp.test"));
  EXPECT_EQ(FailureOf(none.status()), Failure::kMisconfigured);
  EXPECT_NE(none.status().message().find("holds no key of HTTP/sso.corp.test"),
            absl::string_view::npos);
}

TEST_F(BrowsersTicketTest, IsThePersonsOwn) {
  const Bytes delegating =
      StrangersExchange().Start(GSS_C_NO_CHANNEL_BINDINGS, "HTTP/other.corp.test@CORP.TEST",
                                GSS_C_MUTUAL_FLAG | GSS_C_DELEG_FLAG);
  TakeDelegated(delegating, run_ / "both.keytab", "FILE:" + run_ / "delegated");
  ::setenv("KRB5CCNAME", ("FILE:" + run_ / "delegated").c_str(), 1);
  const absl::Status status = Accept(StrangersExchange().Start(GSS_C_NO_CHANNEL_BINDINGS));
  EXPECT_EQ(FailureOf(status), Failure::kTicketInvalid);
  EXPECT_NE(status.message().find("forwarded"), absl::string_view::npos) << status;
}

// A ticket holds the name that was typed, the PAC the account's SID: who it is the SID says.
TEST_F(ForestsTest, TheClientNameIsWhatWasTypedAndTheSidWhoItIs) {
  const auto acceptor = NewAcceptor();
  ::setenv("KRB5CCNAME", ("FILE:" + run_ / "cc").c_str(), 1);
  const auto sid_of = [&](std::string_view name) {
    const Row row = forests_->view().Read(*forests_->view().FindName(0, name));
    return fmt::format("{}-{}", domain_sid_, row.account.rid);
  };
  struct Typed {
    const char* arguments;
    const char* password;
    const char* account;
    const char* client_name;
  };
  for (const Typed& typed :
       {Typed{"-E g.hopper@mail.example", "other", "grace", "g.hopper\\@mail.example"},
        {"GRACE", "other", "grace", "GRACE"},
        {"ZOË", "Kq7-u2m", "zoë", "ZOË"},
        {"-C ZOË", "Kq7-u2m", "zoë", "zoë"}}) {
    const Ran ran = Kinit(typed.arguments, typed.password);
    ASSERT_EQ(ran.ending, "exit code 0") << typed.arguments << ": " << ran.output;
    const auto octets = AsBytes(typed.arguments);
    kerberos::Bindings bindings(octets.begin(), octets.end());
    gss_channel_bindings_struct channel{};
    channel.application_data = {bindings.size(), bindings.data()};
    const auto accepted = acceptor->Accept(StrangersExchange().Start(&channel), bindings);
    DT_ASSERT_OK(accepted);
    EXPECT_EQ(accepted->identity.name, typed.client_name);
    EXPECT_EQ(accepted->identity.account_sid, sid_of(typed.account)) << typed.arguments;
  }
}

// GSSAPI by itself accepts it.
TEST_F(ForestsTest, AnExchangeWithoutBindingsIsRefused) {
  const auto acceptor = NewAcceptor();
  ASSERT_EQ(Kinit("ada", "Kq7-u2m").ending, "exit code 0");
  ::setenv("KRB5CCNAME", ("FILE:" + run_ / "cc").c_str(), 1);
  const Bytes token = StrangersExchange().Start(GSS_C_NO_CHANNEL_BINDINGS);
  const absl::Status status = acceptor->Accept(token, {}).status();
  EXPECT_EQ(FailureOf(status), Failure::kNotBound) << status;
}

// Its realm stands there in the clear, for anybody to change.
TEST_F(ForestsTest, WhoseKeyOpensATicketNoNameInItChanges) {
  const std::string keytab = run_ / "both.keytab";
  const std::vector<std::string> names = {Principal(kService)};
  DT_ASSERT_OK(forests_->WriteKeytab(keytab, names));
  const kerberos::KeytabEntry other{"HTTP/iwa.corp.test@PTNR.TEST", {18, 1, Bytes(32, 7)}, 0};
  DT_ASSERT_OK(kerberos::WriteKeytab(run_ / "other.keytab", {&other, 1}));
  const std::string both =  // Behind the version, entries follow one another.
      ReadFile(run_ / "other.keytab").value() + ReadFile(keytab).value().substr(2);
  DT_ASSERT_OK(WriteFileAtomically(keytab, both, 0600));
  const auto acceptor = kerberos::Acceptor::Create({keytab, run_ / "both.rcache"});
  DT_ASSERT_OK(acceptor);
  ASSERT_EQ(Kinit("ada", "Kq7-u2m").ending, "exit code 0");
  ::setenv("KRB5CCNAME", ("FILE:" + run_ / "cc").c_str(), 1);
  kerberos::Bindings bindings(32, 1);
  gss_channel_bindings_struct channel{};
  channel.application_data = {bindings.size(), bindings.data()};
  for (const char* realm : {"CORP.TEST", "PTNR.TEST", "ELSE.TEST"}) {
    std::string token = ToString(StrangersExchange().Start(&channel));
    const std::size_t at = token.find("CORP.TEST");
    ASSERT_NE(at, std::string::npos);
    token.replace(at, 9, realm);
    const auto accepted = (*acceptor)->Accept(AsBytes(token), bindings);
    DT_ASSERT_OK(accepted);
    EXPECT_EQ(accepted->identity.service_realm, "CORP.TEST") << realm;
    EXPECT_EQ(accepted->identity.principal, "ada@CORP.TEST") << realm;
  }
  const Bytes genuine = StrangersExchange().Start(&channel);
  const auto accepted = (*acceptor)->Accept(genuine, bindings);
  DT_ASSERT_OK(accepted);
  EXPECT_EQ(accepted->identity.service_realm, "CORP.TEST");
}

TEST_F(ForestsTest, GssapiIsAcceptedAndAcceptsTheReply) {
  const auto acceptor = NewAcceptor();
  ASSERT_EQ(Kinit("ada", "Kq7-u2m").ending, "exit code 0");
  ::setenv("KRB5CCNAME", ("FILE:" + run_ / "cc").c_str(), 1);
  kerberos::Bindings bindings(32, 1);
  gss_channel_bindings_struct channel{};
  channel.application_data = {bindings.size(), bindings.data()};
  StrangersExchange exchange;
  const auto accepted = acceptor->Accept(exchange.Start(&channel), bindings);
  DT_ASSERT_OK(accepted);
  EXPECT_EQ(accepted->identity.principal, "ada@CORP.TEST");
  exchange.Finish(&channel, accepted->reply);
}

}  // namespace
}  // namespace devicetrust::simulator
