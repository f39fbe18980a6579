#include "libs/saml/logout.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/saml/message_writer.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/status.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::saml {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr WallTime kAskedAt{std::chrono::sys_days{std::chrono::year{2026} / 3 / 1}};
constexpr std::string_view kSloUrl = "https://org.localhost/signout/saml";
constexpr std::string_view kSp = "https://sp.example/a?b&c";

pki::Identity NewIdentity() {
  const pki::PrivateKey key = pki::PrivateKey::Generate(pki::KeyType::kP256).value();
  return {pki::SignSelf({.common_name = "x",
                         .serial_hex = "01",
                         .usage = pki::Usage::kCa,
                         .not_before = WallTime{},
                         .not_after = WallTime{} + std::chrono::hours{1}},
                        key)
              .value(),
          key};
}

class SamlLogoutTest : public ::testing::Test {
 protected:
  SamlLogoutTest() {
    provider_.set_entity_id(std::string(kSp));
    provider_.add_signing_certificates_der(ToString(sp_.certificate.der()));
    SetService(org::v1::SAML_BINDING_REDIRECT);
  }

  void SetService(org::v1::SamlBinding binding) {
    provider_.clear_single_logout();
    org::v1::SingleLogoutService& service = *provider_.add_single_logout();
    service.set_binding(binding);
    service.set_url("https://sp.example/slo?x=1");
    service.set_response_url("https://sp.example/slo/done");
  }

  static std::string RequestContent() {
    return "<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" Format=\"urn:f\">zoe"
           "</saml:NameID><samlp:SessionIndex>s-1</samlp:SessionIndex>";
  }

  // As an app sends it, by POST.
  Message Sent(std::string_view name, const std::string& content, std::string_view more = "",
               bool is_signed = true) {
    const MessageHead head{name, "_r1", kSp, kSloUrl, "", kAskedAt, more};
    Message message;
    message.xml = ProtocolMessage(head, content, is_signed ? &sp_ : nullptr).value();
    return message;
  }

  absl::StatusOr<LogoutRequest> CheckRequest(Message message) {
    const auto received = ReceivedMessage::Parse(std::move(message));
    if (!received.ok()) return received.status();
    return CheckLogoutRequest(*received, provider_, kSloUrl, kAskedAt);
  }
  absl::StatusOr<LogoutAnswer> CheckResponse(Message message) {
    const auto received = ReceivedMessage::Parse(std::move(message));
    if (!received.ok()) return received.status();
    return CheckLogoutResponse(*received, provider_, kSloUrl, kAskedAt);
  }

  LogoutSender Sender() const { return {"urn:idp", org_, kAskedAt}; }

  // The XML of what we send, whose signature holds.
  std::string Verified(const OutgoingMessage& message, std::string_view field) {
    if (message.form.empty()) {
      const auto query = http::ParseParameters(message.url.substr(message.url.find('?') + 1));
      const Message decoded = DecodeRedirect(query.value(), field).value();
      DT_EXPECT_OK(VerifyQuerySignature(decoded, {org_.certificate}));
      EXPECT_THAT(decoded.xml, Not(HasSubstr("Signature")));
      return decoded.xml;
    }
    EXPECT_EQ(message.form.front().first, field);
    std::string xml = ToString(Base64Decode(message.form.front().second).value());
    DT_EXPECT_OK(VerifyRootSignature(XmlDocument::Parse(xml).value(), {org_.certificate}));
    return xml;
  }

  const pki::Identity org_ = NewIdentity();
  const pki::Identity sp_ = NewIdentity();
  org::v1::SamlServiceProvider provider_;
  throwaway::SeededRandom random_{2};
};

TEST_F(SamlLogoutTest, ReadsARequest) {
  const LogoutRequest request = CheckRequest(Sent("samlp:LogoutRequest", RequestContent())).value();
  EXPECT_EQ(request.id, "_r1");
  EXPECT_EQ(request.name_id, (NameId{"urn:f", "zoe"}));
  EXPECT_EQ(request.session_indexes, std::vector<std::string>{"s-1"});
  EXPECT_FALSE(request.asynchronous);
  EXPECT_TRUE(CheckRequest(Sent("samlp:LogoutRequest",
                                "<samlp:Extensions><a:Asynchronous xmlns:a=\"urn:oasis:names:tc:"
                                "SAML:2.0:protocol:ext:async-slo\"></a:Asynchronous>"
                                "</samlp:Extensions>" +
                                    RequestContent()))
                  ->asynchronous);
}

TEST_F(SamlLogoutTest, ReadsARequestInASignedQuery) {
  const std::string xml = Sent("samlp:LogoutRequest", RequestContent(), "", false).xml;
  const std::string url = EncodeRedirect(kSloUrl, "SAMLRequest", xml, "state & more", sp_).value();
  const auto decode = [](std::string_view address) {
    return DecodeRedirect(http::ParseParameters(address.substr(address.find('?') + 1)).value(),
                          "SAMLRequest")
        .value();
  };
  EXPECT_EQ(decode(url).relay_state, "state & more");
  DT_EXPECT_OK(CheckRequest(decode(url)));
  std::string changed = url;
  changed.replace(changed.find("more"), 4, "less");
  EXPECT_EQ(rpc::ReasonOf(CheckRequest(decode(changed)).status()),
            reason::v1::REASON_SAML_SIGNATURE_INVALID);
}

// Whoever could send one unsigned could sign people out of everything.
TEST_F(SamlLogoutTest, TakesNothingUnsigned) {
  const auto is_refused = [](const absl::Status& status) {
    return rpc::ReasonOf(status) == reason::v1::REASON_SAML_SIGNATURE_INVALID;
  };
  EXPECT_TRUE(
      is_refused(CheckRequest(Sent("samlp:LogoutRequest", RequestContent(), "", false)).status()));
  const std::string status = StatusElement("Success", "");
  EXPECT_TRUE(is_refused(CheckResponse(Sent("samlp:LogoutResponse", status, "", false)).status()));
  provider_.clear_signing_certificates_der();
  EXPECT_TRUE(is_refused(CheckRequest(Sent("samlp:LogoutRequest", RequestContent())).status()));
}

TEST_F(SamlLogoutTest, RefusesWhatIsMalformed) {
  const std::string name_id = RequestContent().substr(0, RequestContent().find("<samlp:"));
  std::string many = name_id;
  for (std::size_t i = 0; i <= kSessionIndexesMax; ++i)
    many += TextElement("samlp:SessionIndex", "x");
  for (const std::string& content :
       {std::string(), name_id + name_id, many,
        std::string("<saml:EncryptedID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">"
                    "</saml:EncryptedID>")}) {
    EXPECT_EQ(rpc::ReasonOf(CheckRequest(Sent("samlp:LogoutRequest", content)).status()),
              reason::v1::REASON_SAML_REQUEST_MALFORMED)
        << content;
  }
  EXPECT_EQ(rpc::ReasonOf(CheckRequest(Sent("samlp:AuthnRequest", RequestContent())).status()),
            reason::v1::REASON_SAML_REQUEST_MALFORMED);
  EXPECT_EQ(rpc::ReasonOf(CheckResponse(Sent("samlp:LogoutResponse", "")).status()),
            reason::v1::REASON_SAML_REQUEST_MALFORMED);
  const std::string over = XmlAttribute("NotOnOrAfter", FormatUtc(kAskedAt - kRequestAgeMax));
  EXPECT_EQ(
      rpc::ReasonOf(CheckRequest(Sent("samlp:LogoutRequest", RequestContent(), over)).status()),
      reason::v1::REASON_SAML_REQUEST_EXPIRED);
}

TEST_F(SamlLogoutTest, MeansOneSessionOrAll) {
  LogoutRequest request{"_r1", {"urn:f", "zoe"}, {"s-1", "s-2"}};
  EXPECT_TRUE(request.Means({"urn:f", "zoe"}, "s-2"));
  EXPECT_FALSE(request.Means({"urn:f", "zoe"}, "s-3"));
  EXPECT_FALSE(request.Means({"urn:f", "eve"}, "s-1"));
  EXPECT_FALSE(request.Means({"urn:g", "zoe"}, "s-1"));
  request.name_id.format.clear();
  EXPECT_TRUE(request.Means({"urn:g", "zoe"}, "s-1"));
  request.session_indexes.clear();
  EXPECT_TRUE(request.Means({"urn:g", "zoe"}, "s-3"));
}

TEST_F(SamlLogoutTest, ReadsAnAnswer) {
  const auto answer = [&](const std::string& status) {
    const MessageHead head{"samlp:LogoutResponse", "_r2", kSp, kSloUrl, "_asked", kAskedAt};
    Message message;
    message.xml = ProtocolMessage(head, status, &sp_).value();
    return CheckResponse(std::move(message)).value();
  };
  EXPECT_EQ(answer(StatusElement("Success", "")).in_response_to, "_asked");
  EXPECT_TRUE(answer(StatusElement("Success", "")).success);
  EXPECT_FALSE(answer(StatusElement("Success", "PartialLogout")).success);
  EXPECT_FALSE(answer(StatusElement("Responder", "")).success);
}

TEST_F(SamlLogoutTest, AsksAndAnswersSignedByBothBindings) {
  for (const auto binding : {org::v1::SAML_BINDING_REDIRECT, org::v1::SAML_BINDING_POST}) {
    SetService(binding);
    const OutgoingMessage request =
        BuildLogoutRequest(Sender(), "_q", {"urn:f", "z<oe"}, "s-1", "state", provider_).value();
    EXPECT_EQ(request.form.empty(), binding == org::v1::SAML_BINDING_REDIRECT);
    EXPECT_THAT(request.url, ::testing::StartsWith("https://sp.example/slo?x=1"));
    const std::string xml = Verified(request, "SAMLRequest");
    EXPECT_THAT(xml, HasSubstr("z&lt;oe"));
    EXPECT_THAT(xml, HasSubstr("<samlp:SessionIndex>s-1<"));
    EXPECT_THAT(xml, HasSubstr("Destination=\"https://sp.example/slo?x=1\""));
    const XmlDocument document = XmlDocument::Parse(xml).value();
    EXPECT_EQ(Canonicalize(document, document.root(), std::nullopt).value(), xml);

    const OutgoingMessage response =
        BuildLogoutResponse(Sender(), "_r1", LogoutOutcome::kPartial, "", random_, provider_)
            .value();
    EXPECT_THAT(response.url, ::testing::StartsWith("https://sp.example/slo/done"));
    EXPECT_THAT(Verified(response, "SAMLResponse"), HasSubstr("status:PartialLogout"));
  }
  provider_.clear_single_logout();
  EXPECT_EQ(LogoutServiceOf(provider_), nullptr);
  DT_EXPECT_CODE(BuildLogoutRequest(Sender(), "_q", {}, "", "", provider_), kFailedPrecondition);
}

}  // namespace
}  // namespace devicetrust::saml
