// Whoever comes with MIT's GSSAPI and the ticket that kinit got.
#include <fmt/format.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/kerberos/bindings.h"
#include "simulator/forest/forests_fixture.h"

namespace devicetrust::simulator {
namespace {

using kerberos::Failure;
using kerberos::FailureOf;

class StrangersExchange {
 public:
  // Null bindings: none.
  Bytes Start(gss_channel_bindings_t bindings) {
    std::string name = "HTTP/iwa.corp.test@CORP.TEST";
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
    EXPECT_EQ(gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &context_, target_, &spnego,
                                   GSS_C_MUTUAL_FLAG, 0, bindings, &input, nullptr, &token, nullptr,
                                   nullptr),
              expected);
    const auto* bytes = static_cast<const std::uint8_t*>(token.value);
    Bytes result(bytes, bytes + token.length);
    gss_release_buffer(&minor, &token);
    return result;
  }

  gss_name_t target_ = GSS_C_NO_NAME;
  gss_ctx_id_t context_ = GSS_C_NO_CONTEXT;
};

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
