#include "libs/saml/binding.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/key.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::saml {
namespace {

std::string Encoded(std::string_view xml) {
  return http::PercentEncode(Base64Encode(AsBytes(Deflate(xml))));
}

pki::ExportableIdentity NewSigner() {
  const pki::PrivateKey key = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  return {pki::SignSelf({.common_name = "sp",
                         .serial_hex = "01",
                         .usage = pki::Usage::kCa,
                         .not_before = WallTime{},
                         .not_after = WallTime{} + std::chrono::hours{1}},
                        key)
              .value(),
          key};
}

absl::StatusOr<Message> Redirect(const std::string& query) {
  return DecodeRedirect(http::ParseParameters(query).value(), "SAMLRequest");
}

TEST(SamlBindingTest, InflatesWhatWasDeflated) {
  const std::string text(10'000, 'x');
  EXPECT_EQ(Inflate(Deflate(text), 10'000).value(), text);
  DT_EXPECT_CODE(Inflate(Deflate(text), 9'999), kInvalidArgument);
  DT_EXPECT_CODE(Inflate(Deflate(text) + "x", 10'000), kInvalidArgument);
  DT_EXPECT_CODE(Inflate("", 10), kInvalidArgument);
  DT_EXPECT_CODE(Inflate("\xff\xff", 10), kInvalidArgument);
  const std::string whole = Deflate("hello");
  DT_EXPECT_CODE(Inflate(whole.substr(0, whole.size() - 1), 10), kInvalidArgument);
}

// 100 MB of zeros deflate to 100 KB: the bound holds on what comes out, early.
TEST(SamlBindingTest, RefusesABomb) {
  DT_EXPECT_CODE(Redirect("SAMLRequest=" + Encoded(std::string(1 << 20, '\0'))), kInvalidArgument);
}

TEST(SamlBindingTest, DecodesARedirect) {
  const Message message = Redirect("RelayState=a%2Bb&SAMLRequest=" + Encoded("<a/>")).value();
  EXPECT_EQ(message.xml, "<a/>");
  EXPECT_EQ(message.relay_state, "a+b");
  EXPECT_FALSE(message.query_signed);
  DT_EXPECT_CODE(VerifyQuerySignature(message, {}), kPermissionDenied);
}

TEST(SamlBindingTest, RefusesAmbiguousOrMalformedQueries) {
  const std::string good = "SAMLRequest=" + Encoded("<a/>");
  for (const std::string& query :
       {std::string(), good + "&" + good, good + "&RelayState=a&RelayState=b", good + "&SigAlg=x",
        good + "&Signature=eA==", good + "&SAMLEncoding=none", std::string("SAMLRequest=%25"),
        std::string("SAMLRequest=PGEvPg=="), good + "&RelayState=" + std::string(1025, 'x')}) {
    DT_EXPECT_CODE(Redirect(query), kInvalidArgument);
  }
}

// The octets under the signature are those sent, in the order of the binding, whatever
// order and escapes the query had.
TEST(SamlBindingTest, VerifiesTheRawQuery) {
  const pki::ExportableIdentity signer = NewSigner();
  const std::string request = Encoded("<a/>");
  const std::string algorithm = http::PercentEncode(kRsaSha256);
  const std::string octets = "SAMLRequest=" + request + "&RelayState=x%2f&SigAlg=" + algorithm;
  const std::string signature =
      http::PercentEncode(Base64Encode(signer.key.Sign(AsBytes(octets)).value()));
  const auto verify = [&](const std::string& query) {
    return VerifyQuerySignature(Redirect(query).value(), {signer.certificate});
  };
  DT_EXPECT_OK(verify("Signature=" + signature + "&SigAlg=" + algorithm +
                      "&RelayState=x%2f&SAMLRequest=" + request));
  // The same meaning in other octets, another value, a parameter less.
  DT_EXPECT_CODE(verify("SAMLRequest=" + request + "&RelayState=x%2F&SigAlg=" + algorithm +
                        "&Signature=" + signature),
                 kPermissionDenied);
  DT_EXPECT_CODE(verify("SAMLRequest=" + request + "&RelayState=y&SigAlg=" + algorithm +
                        "&Signature=" + signature),
                 kPermissionDenied);
  DT_EXPECT_CODE(
      verify("SAMLRequest=" + request + "&SigAlg=" + algorithm + "&Signature=" + signature),
      kPermissionDenied);
  // SHA-1 is not good enough, whoever signed.
  const std::string weak = http::PercentEncode("http://www.w3.org/2000/09/xmldsig#rsa-sha1");
  DT_EXPECT_CODE(verify("SAMLRequest=" + request + "&RelayState=x%2f&SigAlg=" + weak +
                        "&Signature=" + signature),
                 kPermissionDenied);
}

TEST(SamlBindingTest, VerifiesALongerHashByOpenssl) {
  const pki::ExportableIdentity signer = NewSigner();
  const std::string octets =
      "SAMLRequest=" + Encoded("<a/>") +
      "&SigAlg=" + http::PercentEncode("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512");
  const testing::TempFolder folder;
  DT_EXPECT_OK(WriteFileAtomically(folder / "sp.key", signer.key.Pem()));
  DT_EXPECT_OK(WriteFileAtomically(folder / "octets", octets));
  const auto verify = [&](std::string_view hash) {
    const std::string command = fmt::format(
        "openssl dgst -{1} -sign {0}/sp.key -out {0}/signature {0}/octets", folder.path(), hash);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    const std::string signature = ReadFile(folder / "signature").value();
    return VerifyQuerySignature(
        Redirect(octets + "&Signature=" + http::PercentEncode(Base64Encode(AsBytes(signature))))
            .value(),
        {signer.certificate});
  };
  DT_EXPECT_OK(verify("sha512"));
  DT_EXPECT_CODE(verify("sha256"), kPermissionDenied);  // Not what SigAlg says.
}

TEST(SamlBindingTest, DecodesAPostWithFoldedBase64) {
  std::string text = Base64Encode(AsBytes("<aaaa/>"));
  text.insert(4, "\r\n");
  const Message message =
      DecodePost(http::ParseParameters("SAMLRequest=" + http::PercentEncode(text)).value(),
                 "SAMLRequest")
          .value();
  EXPECT_EQ(message.xml, "<aaaa/>");
  EXPECT_FALSE(message.redirect);
}

}  // namespace
}  // namespace devicetrust::saml
