#include "simulator/apps/service_provider.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/testing/settable_clock.h"
#include "libs/throwaway/seeded_random.h"
#include "simulator/apps/idp_fixture.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {
namespace {

std::string Inflate(const Bytes& data) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, -MAX_WBITS), Z_OK);
  std::string out(8192, '\0');
  stream.next_in = const_cast<Bytef*>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

class ServiceProviderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    idp_ = std::make_unique<TestIdp>();
    sp_.SetIdp({"https://org.localhost/saml",
                "https://org.localhost:1/app/mail/sso/saml",
                "https://org.localhost:1/app/mail/sso/saml",
                {idp_->key().public_key()}});
  }

  std::string Answer(const std::string& request_id) const {
    ResponseParts parts;
    parts.request_id = request_id;
    parts.issued = clock_.Now();
    return Base64Encode(AsBytes(idp_->Respond(parts)));
  }

  testing::SettableClock clock_{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
  throwaway::SeededRandom random_{7};
  std::unique_ptr<TestIdp> idp_;
  ServiceProvider sp_{
      {"mail", "Mail", "urn:example:mail", "https://mail.localhost/acs"}, clock_, random_};
};

TEST_F(ServiceProviderTest, TheRedirectCarriesADeflatedRequest) {
  const auto sign_on = sp_.StartSignOn(ServiceProvider::Binding::kRedirect, "state-1").value();
  const std::size_t query = sign_on.url.find('?');
  ASSERT_NE(query, std::string::npos);
  const auto parameters = http::ParseParameters(sign_on.url.substr(query + 1)).value();
  EXPECT_EQ(parameters.Single("RelayState").value(), "state-1");
  const std::string xml = Inflate(Base64Decode(parameters.Single("SAMLRequest").value()).value());
  const Document request = Document::Parse(xml).value();
  EXPECT_TRUE(request.root().Is(kSamlpNs, "AuthnRequest"));
  EXPECT_EQ(request.root().Attribute("ID"), sign_on.request_id);
  EXPECT_EQ(request.root().Attribute("Destination"), sign_on.url.substr(0, query));
}

TEST_F(ServiceProviderTest, ThePostFormCarriesThePlainRequest) {
  const auto sign_on = sp_.StartSignOn(ServiceProvider::Binding::kPost, "state-1").value();
  const auto parameters = http::ParseParameters(sign_on.form_body).value();
  const Bytes xml = Base64Decode(parameters.Single("SAMLRequest").value()).value();
  EXPECT_TRUE(Document::Parse(ToString(xml)).ok());
}

TEST_F(ServiceProviderTest, OneAnswerARequest) {
  const auto sign_on = sp_.StartSignOn(ServiceProvider::Binding::kPost, "state-1").value();
  const std::string response = Answer(sign_on.request_id);
  EXPECT_EQ(sp_.FinishSignOn(response, "state-1").value().name_id, "user9@corp.test");
  EXPECT_EQ(sp_.FinishSignOn(response, "state-1").status().code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(sp_.FinishSignOn(response, "state-2").status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(ServiceProviderTest, ARequestIsForgottenAfterTenMinutes) {
  const auto sign_on = sp_.StartSignOn(ServiceProvider::Binding::kPost, "state-1").value();
  clock_.Advance(std::chrono::minutes(11));
  EXPECT_NE(
      sp_.FinishSignOn(Answer(sign_on.request_id), "state-1").status().ToString().find("too long"),
      std::string::npos);
}

TEST_F(ServiceProviderTest, ItsMetadataIsXmlWithItsAddress) {
  const Document metadata = Document::Parse(sp_.Metadata()).value();
  EXPECT_EQ(metadata.root().Attribute("entityID"), "urn:example:mail");
  const auto acs = metadata.Find(kMetadataNs, "AssertionConsumerService");
  ASSERT_EQ(acs.size(), 1u);
  EXPECT_EQ(acs.front().Attribute("Location"), "https://mail.localhost/acs");
}

TEST(IdpMetadataTest, RefusesWhatIsNoIdentityProvider) {
  EXPECT_FALSE(ParseIdpMetadata("<a/>").ok());
  EXPECT_FALSE(ParseIdpMetadata(R"(<EntityDescriptor entityID="x")"
                                R"( xmlns="urn:oasis:names:tc:SAML:2.0:metadata"/>)")
                   .ok());
}

}  // namespace
}  // namespace devicetrust::simulator
