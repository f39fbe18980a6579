#include "libs/wsfed/trust.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/saml/xml.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/wsfed/names.h"

namespace devicetrust::wsfed {
namespace {

using ::testing::HasSubstr;

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

// As Exchange Online sends it for a client with basic authentication.
std::string Envelope(std::string_view trust_ns = kTrust2005Ns) {
  return fmt::format(
      R"(<s:Envelope xmlns:s="{0}" xmlns:wsse="{1}" xmlns:wsu="{2}" xmlns:wsa="{3}")"
      R"( xmlns:wst="{4}">)"
      R"(<s:Header><wsa:Action s:mustUnderstand="1">{4}/RST/Issue</wsa:Action>)"
      R"(<wsa:To s:mustUnderstand="1">https://org.localhost/sso/wsfed/active</wsa:To>)"
      R"(<wsa:MessageID>urn:uuid:1</wsa:MessageID>)"
      R"(<wsse:Security s:mustUnderstand="1"><wsu:Timestamp wsu:Id="t">)"
      R"(<wsu:Created>2026-01-01T00:00:00.123Z</wsu:Created>)"
      R"(<wsu:Expires>2026-01-01T00:05:00.123Z</wsu:Expires></wsu:Timestamp>)"
      R"(<wsse:UsernameToken wsu:Id="u"><wsse:Username>ada@corp.test</wsse:Username>)"
      R"(<wsse:Password> right &amp; wrong </wsse:Password></wsse:UsernameToken></wsse:Security>)"
      R"(</s:Header><s:Body><wst:RequestSecurityToken>)"
      R"(<wst:RequestType>{4}/Issue</wst:RequestType>)"
      R"(<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">)"
      R"(<wsa:EndpointReference><wsa:Address>urn:federation:MicrosoftOnline</wsa:Address>)"
      R"(</wsa:EndpointReference></wsp:AppliesTo><wst:KeyType>{5}</wst:KeyType>)"
      R"(</wst:RequestSecurityToken></s:Body></s:Envelope>)",
      kSoap12Ns, kSecurityNs, kUtilityNs, kAddressingNs, trust_ns,
      trust_ns == kTrust13Ns ? fmt::format("{}/Bearer", trust_ns)
                             : "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey");
}

std::string Changed(std::string_view from, std::string_view to) {
  std::string text = Envelope();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(WsTrustTest, ReadsNamePasswordAndRealmInBothVersions) {
  for (const std::string_view ns : {kTrust2005Ns, kTrust13Ns}) {
    const auto request = ParseTokenRequest(Envelope(ns), kNow);
    DT_ASSERT_OK(request);
    EXPECT_EQ(request->trust_ns, ns);
    EXPECT_EQ(request->user_name, "ada@corp.test");
    EXPECT_EQ(request->password, " right & wrong ");  // In passwords everything counts.
    EXPECT_EQ(request->realm, "urn:federation:MicrosoftOnline");
    EXPECT_EQ(request->message_id, "urn:uuid:1");
    EXPECT_FALSE(request->token_type);
  }
}

TEST(WsTrustTest, SaysWhatIsWrongWithAnEnvelope) {
  const std::string token = R"(<wst:RequestSecurityToken/></s:Body>)";
  const std::pair<std::string, const char*> table[] = {
      {"", "XML"},
      {"<x/>", "SOAP 1.2"},
      {Changed(kSoap12Ns, "http://schemas.xmlsoap.org/soap/envelope/"), "SOAP 1.2"},
      {Changed("<s:Envelope", "<!DOCTYPE x><s:Envelope"), "document type"},
      {Changed("</s:Body>", token), "twice"},
      {Changed("ada@corp.test", ""), "Username"},
      {Changed(" right &amp; wrong ", ""), "Password"},
      {Changed(" right &amp; wrong ", std::string(2000, 'x')), "Password"},
      {Changed("<wsse:Password>", "<wsse:Password Type=\"x#PasswordDigest\">"), "as text"},
      {Changed("<wsse:UsernameToken wsu:Id=\"u\">", "<wsse:UsernameToken/><wsse:UsernameToken>"),
       "UsernameToken"},
      {Changed("2026-01-01T00:05:00.123Z", "2025-12-31T23:54:59Z"), "over"},
      {Changed("2026-01-01T00:00:00.123Z", "2026-01-01T00:05:02Z"), "future"},
      {Changed("2026-01-01T00:00:00.123Z", "today"), "time stamp"},
      {Changed("/Issue</wst:RequestType>", "/Renew</wst:RequestType>"), "Issue"},
      {Changed("identity/NoProofKey", "identity/SymmetricKey"), "KeyType"},
      {Changed("</s:Header>", "<x:y xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/></s:Header>"),
       "understood"},
      {Changed("</s:Header>", "<wsse:Security/></s:Header>"), "more than one Security"},
      {Changed("<wsa:Address>urn:federation:MicrosoftOnline</wsa:Address>", ""), "Address"},
  };
  for (const auto& [text, why] : table) {
    const auto request = ParseTokenRequest(text, kNow);
    ASSERT_FALSE(request.ok()) << text;
    EXPECT_EQ(rpc::ReasonOf(request.status()), reason::v1::REASON_WSFED_REQUEST_MALFORMED) << text;
    EXPECT_THAT(std::string(request.status().message()), HasSubstr(why)) << text;
  }
}

TEST(WsTrustTest, AnswersAreEnvelopes) {
  for (const std::string_view ns : {kTrust2005Ns, kTrust13Ns}) {
    const auto request = ParseTokenRequest(Envelope(ns), kNow).value();
    const std::string text = BuildTokenEnvelope(request, "<token></token>");
    const auto document = saml::XmlDocument::Parse(text);
    DT_ASSERT_OK(document);
    EXPECT_TRUE(document->root().Is(kSoap12Ns, "Envelope"));
    EXPECT_THAT(text, HasSubstr("RelatesTo>urn:uuid:1<"));
    EXPECT_THAT(text, HasSubstr("<token></token>"));
  }
  const std::string fault = BuildFault(Fault::kFailedAuthentication, "a <b> & c");
  DT_ASSERT_OK(saml::XmlDocument::Parse(fault));
  EXPECT_THAT(fault, HasSubstr("c:FailedAuthentication"));
  EXPECT_THAT(fault, HasSubstr("a &lt;b&gt; &amp; c"));
  EXPECT_THAT(BuildFault(Fault::kUnavailable, ""), HasSubstr("s:Receiver"));
}

// Whatever comes is refused or has what a token request needs, and does not break the answer.
TEST(WsTrustTest, TakesAnyBytes) {
  const std::string good = Envelope();
  const Bytes octets(good.begin(), good.end());
  testing::ForEachMutation(octets, 5'000, 3, [](const Bytes& bad) {
    const auto request = ParseTokenRequest(ToString(bad), kNow);
    if (!request.ok()) {
      ASSERT_EQ(rpc::ReasonOf(request.status()), reason::v1::REASON_WSFED_REQUEST_MALFORMED);
      return;
    }
    ASSERT_FALSE(request->user_name.empty() || request->password.empty());
    DT_ASSERT_OK(saml::XmlDocument::Parse(BuildTokenEnvelope(*request, "<t></t>")));
  });
}

}  // namespace
}  // namespace devicetrust::wsfed
