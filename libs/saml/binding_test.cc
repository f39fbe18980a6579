#include "libs/saml/binding.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/key.h"
#include "libs/rpc/error.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::saml {
namespace {

using ::testing::HasSubstr;

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
  DT_EXPECT_CODE(Inflate(Deflate(text), 9'999), kOutOfRange);
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
        std::string("SAMLRequest=PGEvPg=="), good + "&RelayState=" + std::string(4097, 'x')}) {
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

TEST(SamlBindingTest, CarriesLongRelayStates) {
  const std::string state(4096, 'x');
  const std::string post = http::EncodeParameters(
      {{"SAMLRequest", Base64Encode(AsBytes("<a/>"))}, {"RelayState", state}});
  EXPECT_EQ(DecodePost(http::ParseParameters(post).value(), "SAMLRequest")->relay_state, state);
  EXPECT_EQ(Redirect("SAMLRequest=" + Encoded("<a/>") + "&RelayState=" + state)->relay_state,
            state);
  const auto longer = Redirect("SAMLRequest=" + Encoded("<a/>") + "&RelayState=" + state + "x");
  EXPECT_EQ(longer.status().message(), "RelayState has 4097 bytes, and 4096 at most are carried");
}

// Each binding has its own form (SAML bindings, sections 3.4.4.1 and 3.5.4).
TEST(SamlBindingTest, SaysWhenAMessageHasTheFormOfTheOtherBinding) {
  const std::string plain = http::PercentEncode(Base64Encode(AsBytes(" <a/>")));
  const auto post = [](const std::string& message) {
    return DecodePost(http::ParseParameters("SAMLRequest=" + message).value(), "SAMLRequest");
  };
  DT_EXPECT_OK(post(plain));
  EXPECT_THAT(std::string(post(Encoded("<a/>")).status().message()), HasSubstr("is deflated"));
  EXPECT_THAT(std::string(Redirect("SAMLRequest=" + plain).status().message()),
              HasSubstr("is not deflated, as a message in a query must be"));
  EXPECT_THAT(
      std::string(Redirect("SAMLRequest=" + Encoded(std::string(70'000, ' '))).status().message()),
      HasSubstr("longer than 65536 bytes"));
}

// Of a refused signature its algorithm is told, or that the key is another.
TEST(SamlBindingTest, SaysWhatIsWrongWithASignature) {
  const pki::ExportableIdentity signer = NewSigner();
  const auto verify = [&](std::string_view algorithm, const std::vector<pki::Certificate>& keys) {
    Message message;
    message.query_signed = true;
    message.signed_octets = "SAMLRequest=x";
    message.signature_algorithm = algorithm;
    message.signature = ToString(signer.key.Sign(AsBytes(message.signed_octets)).value());
    return VerifyQuerySignature(message, keys);
  };
  DT_EXPECT_OK(verify(kRsaSha256, {signer.certificate}));
  const absl::Status weak =
      verify("http://www.w3.org/2000/09/xmldsig#rsa-sha1", {signer.certificate});
  EXPECT_THAT(std::string(weak.message()), HasSubstr("algorithm is not RSA or ECDSA with SHA-256"));
  EXPECT_EQ(rpc::DetailOf(weak)->subject(), "http://www.w3.org/2000/09/xmldsig#rsa-sha1");
  EXPECT_THAT(std::string(verify(kEcdsaSha256, {signer.certificate}).message()),
              HasSubstr("by an EC key, and the service provider's metadata has none"));
  EXPECT_THAT(std::string(verify(kRsaSha256, {NewSigner().certificate}).message()),
              HasSubstr("by another key than those of the service provider's metadata"));
  // The last key that is tried, and one too many.
  std::vector<pki::Certificate> keys(kSigningKeysMax - 1, NewSigner().certificate);
  keys.push_back(signer.certificate);
  DT_EXPECT_OK(verify(kRsaSha256, keys));
  keys.insert(keys.begin(), keys.front());
  DT_EXPECT_CODE(verify(kRsaSha256, keys), kPermissionDenied);
}

}  // namespace
}  // namespace devicetrust::saml
