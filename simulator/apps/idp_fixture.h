// An identity provider for tests whose signatures come from xmlsec1, so that nothing of ours
// judges itself.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/utc_time.h"
#include "libs/pki/key.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {

inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

struct ResponseParts {
  std::string request_id = "_request";
  std::string audience = "urn:example:mail";
  std::string acs = "https://mail.localhost/acs";
  std::string issuer = "https://org.localhost/saml";
  std::string name = "user9@corp.test";
  std::string extra_condition;
  WallTime issued;
};

class TestIdp {
 public:
  TestIdp() { EXPECT_TRUE(WriteFileAtomically(folder_ / "idp.key", key_.Pem()).ok()); }

  const pki::PrivateKey& key() const { return key_; }

  // A Response whose assertion is signed.
  std::string Respond(const ResponseParts& parts) const {
    return Sign(Unsigned(parts), "urn:oasis:names:tc:SAML:2.0:assertion:Assertion");
  }

  static std::string Unsigned(const ResponseParts& parts) {
    const auto at = [&parts](int seconds) {
      return FormatUtc(parts.issued + std::chrono::seconds(seconds));
    };
    return fmt::format(
        R"(<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response")"
        R"( Version="2.0" IssueInstant="{0}" Destination="{1}" InResponseTo="{2}">)"
        R"(<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>)"
        R"(</samlp:Status>)"
        R"(<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_assertion")"
        R"( Version="2.0" IssueInstant="{0}"><saml:Issuer>{3}</saml:Issuer>{4})"
        R"(<saml:Subject><saml:NameID>{5}</saml:NameID><saml:SubjectConfirmation)"
        R"( Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData)"
        R"( InResponseTo="{2}" Recipient="{1}" NotOnOrAfter="{6}"/></saml:SubjectConfirmation>)"
        R"(</saml:Subject><saml:Conditions NotBefore="{0}" NotOnOrAfter="{6}">)"
        R"(<saml:AudienceRestriction><saml:Audience>{7}</saml:Audience>)"
        R"(</saml:AudienceRestriction>{8}</saml:Conditions><saml:AuthnStatement)"
        R"( AuthnInstant="{0}" SessionIndex="_session"><saml:AuthnContext>)"
        R"(<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:)"
        R"(PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext>)"
        R"(</saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="displayName">)"
        R"(<saml:AttributeValue>Zoë &lt;Q&amp;A&gt; Müller</saml:AttributeValue>)"
        R"(</saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>)",
        at(0), parts.acs, parts.request_id, parts.issuer, SignatureTemplate("_assertion"),
        parts.name, at(300), parts.audience, parts.extra_condition);
  }

  static std::string SignatureTemplate(const std::string& id) {
    return fmt::format(
        R"(<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>)"
        R"(<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>)"
        R"(<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>)"
        R"(<ds:Reference URI="#{}"><ds:Transforms><ds:Transform)"
        R"( Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform)"
        R"( Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>)"
        R"(<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>)"
        R"(<ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>)",
        id);
  }

  // Fills the first signature template of `xml`; `id_element` is what its reference names, by
  // `id_attribute`.
  std::string Sign(const std::string& xml, const std::string& id_element,
                   const std::string& id_attribute = "ID") const {
    const std::string in = folder_ / "template.xml";
    const std::string out = folder_ / "signed.xml";
    EXPECT_TRUE(WriteFileAtomically(in, xml).ok());
    const std::string command =
        fmt::format("xmlsec1 --sign --privkey-pem '{}/idp.key' --id-attr:{} {} --output '{}' '{}'",
                    folder_.path(), id_attribute, id_element, out, in);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    // xmlsec1 writes an XML declaration, which is as good.
    return ReadFile(out).value();
  }

 private:
  testing::TempFolder folder_;
  const pki::PrivateKey key_ = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
};

}  // namespace devicetrust::simulator
