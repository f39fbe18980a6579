#include "simulator/gateway/upstream/org_snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void AddKey(org::v1::GetGatewayKeysResponse& keys, const std::string& kid, pki::KeyType type,
            bool signs) {
  const pki::PrivateKey key = pki::PrivateKey::Generate(type).value();
  org::v1::SigningKey& saml = *keys.add_saml_keys();
  saml.set_kid(kid);
  saml.set_signs(signs);
  saml.set_private_key_pem(key.Pem());
  saml.set_certificate_pem(pki::SignSelf({.common_name = kid,
                                          .serial_hex = "01",
                                          .usage = pki::Usage::kCa,
                                          .not_before = kStart,
                                          .not_after = kStart + std::chrono::hours{1}},
                                         key)
                               .value()
                               .Pem());
}

TEST(OrgSnapshotsTest, TheKeysThatSignAreTheOrgsChoice) {
  org::v1::GetGatewayKeysResponse keys = SharedKeys();
  keys.clear_saml_keys();
  AddKey(keys, "rsa", pki::KeyType::kRsa2048, true);
  AddKey(keys, "curve", pki::KeyType::kP256, true);
  AddKey(keys, "next", pki::KeyType::kRsa2048, false);
  const Keyring keyring = ToKeyring("acme", keys).value();
  EXPECT_EQ(keyring.saml_certificates.size(), 3U);
  EXPECT_EQ(keyring.saml_signers.size(), 2U);
  const auto signer = [&](org::v1::SamlKeyKind kind) {
    return keyring.SamlSigner(kind).certificate.common_name();
  };
  EXPECT_EQ(signer(org::v1::SAML_KEY_KIND_UNSPECIFIED), "rsa");
  EXPECT_EQ(signer(org::v1::SAML_KEY_KIND_RSA), "rsa");
  EXPECT_EQ(signer(org::v1::SAML_KEY_KIND_ECDSA), "curve");
}

TEST(OrgSnapshotsTest, OfAnOlderOrgTheFirstKeySigns) {
  org::v1::GetGatewayKeysResponse keys = SharedKeys();
  AddKey(keys, "other", pki::KeyType::kRsa2048, false);
  const Keyring keyring = ToKeyring("acme", keys).value();
  ASSERT_EQ(keyring.saml_signers.size(), 1U);
  EXPECT_EQ(keyring.saml_signers[0].certificate.common_name(), "org");
  // Whoever wants the other kind gets this one.
  EXPECT_EQ(keyring.SamlSigner(org::v1::SAML_KEY_KIND_ECDSA).certificate.common_name(), "org");
}

using GatewayMetadataTest = GatewayTest;

TEST_F(GatewayMetadataTest, HasCurvesOnlyWhereAnAppIsSetUpForThem) {
  org::v1::GetGatewayKeysResponse keys = SharedKeys();
  keys.mutable_saml_keys(0)->set_signs(true);
  AddKey(keys, "curve", pki::KeyType::kP256, true);
  gateway_.snapshots.keys.Set(std::make_shared<const Keyring>(ToKeyring("acme", keys).value()));
  const std::string curve =
      Base64Encode(pki::Certificate::FromPem(keys.saml_keys(1).certificate_pem()).value().der());
  EXPECT_THAT(browser_.Get(gateway_, "/saml/metadata").body, Not(HasSubstr(curve)));
  org::v1::ListAppsResponse apps = NewApps();
  apps.mutable_apps(0)->mutable_saml()->mutable_settings()->set_signing_key(
      org::v1::SAML_KEY_KIND_ECDSA);
  gateway_.snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
  EXPECT_THAT(browser_.Get(gateway_, "/saml/metadata").body, HasSubstr(curve));
}

}  // namespace
}  // namespace devicetrust::gateway
