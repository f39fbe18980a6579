#include "libs/saml/request.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/error.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::saml {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
constexpr std::string_view kIdp = "https://org.localhost:8443/saml/metadata";
constexpr std::string_view kSso = "https://org.localhost:8443/sso/saml";
constexpr std::string_view kDestination = " Destination=\"https://org.localhost:8443/sso/saml\"";

pki::ExportableIdentity NewSigner(pki::KeyType type) {
  const pki::PrivateKey key = pki::PrivateKey::Generate(type).value();
  return {pki::SignSelf({.common_name = "sp",
                         .serial_hex = "01",
                         .usage = pki::Usage::kCa,
                         .not_before = kNow,
                         .not_after = kNow + std::chrono::hours{1}},
                        key)
              .value(),
          key};
}

org::v1::SamlServiceProvider NewProvider() {
  org::v1::SamlServiceProvider provider;
  provider.set_entity_id("https://sp.example/a?b&c");
  for (const int index : {0, 1, 2}) {
    org::v1::AssertionConsumerService* acs = provider.add_acs();
    acs->set_index(index * 10);
    acs->set_url(fmt::format("https://sp.example/acs/{}", index));
    acs->set_is_default(index == 1);
  }
  return provider;
}

// An AuthnRequest; `attributes` and `content` are added, `instead` replaces parts.
std::string RequestXml(std::string_view attributes = "", std::string_view content = "",
                       WallTime issued = kNow) {
  return fmt::format(
      "<samlp:AuthnRequest xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"_r1\" IssueInstant=\"{}\""
      " Version=\"2.0\"{}><saml:Issuer>https://sp.example/a?b&amp;c</saml:Issuer>{}"
      "</samlp:AuthnRequest>",
      kSamlpNs, kSamlNs, FormatUtc(issued), attributes, content);
}

absl::StatusOr<SignOnRequest> Check(Message message, const org::v1::SamlServiceProvider& provider) {
  DT_ASSIGN_OR_RETURN(const ReceivedMessage received, ReceivedMessage::Parse(std::move(message)));
  return CheckSignOnRequest(received, provider, {kIdp, kSso}, kNow);
}

absl::StatusOr<SignOnRequest> Check(std::string xml,
                                    const org::v1::SamlServiceProvider& provider = NewProvider()) {
  Message message;
  message.xml = std::move(xml);
  return Check(std::move(message), provider);
}

constexpr reason::v1::Reason kMalformed = reason::v1::REASON_SAML_REQUEST_MALFORMED;
constexpr reason::v1::Reason kUnknownProvider = reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER;
constexpr reason::v1::Reason kAcsNotRegistered = reason::v1::REASON_SAML_ACS_NOT_REGISTERED;
constexpr reason::v1::Reason kSignatureInvalid = reason::v1::REASON_SAML_SIGNATURE_INVALID;
constexpr reason::v1::Reason kExpired = reason::v1::REASON_SAML_REQUEST_EXPIRED;

void ExpectRefused(const absl::StatusOr<SignOnRequest>& checked, reason::v1::Reason reason) {
  EXPECT_EQ(rpc::ReasonOf(checked.status()), reason) << checked.status();
}

TEST(SamlRequestTest, TakesAPlainRequestAndAnswersAtTheDefault) {
  const SignOnRequest request = Check(RequestXml()).value();
  EXPECT_EQ(request.id, "_r1");
  EXPECT_EQ(request.acs_url, "https://sp.example/acs/1");
  EXPECT_FALSE(request.force_authn);
  EXPECT_FALSE(request.is_passive);
  EXPECT_FALSE(request.failure);
}

TEST(SamlRequestTest, AnswersOnlyWhereTheMetadataAllows) {
  EXPECT_EQ(Check(RequestXml(" AssertionConsumerServiceURL=\"https://sp.example/acs/2\""))->acs_url,
            "https://sp.example/acs/2");
  EXPECT_EQ(Check(RequestXml(" AssertionConsumerServiceIndex=\"20\""))->acs_url,
            "https://sp.example/acs/2");
  for (const char* foreign : {" AssertionConsumerServiceURL=\"https://evil.example/acs\"",
                              " AssertionConsumerServiceURL=\"https://sp.example/acs/2/\"",
                              " AssertionConsumerServiceURL=\"https://sp.example/acs/1#\"",
                              " AssertionConsumerServiceIndex=\"3\""}) {
    ExpectRefused(Check(RequestXml(foreign)), kAcsNotRegistered);
  }
}

TEST(SamlRequestTest, ReadsWhatIsAskedFor) {
  const SignOnRequest request =
      Check(RequestXml(" ForceAuthn=\"true\" IsPassive=\"1\"",
                       fmt::format("<samlp:NameIDPolicy Format=\"{}\"/>", kNameIdEmail)))
          .value();
  EXPECT_TRUE(request.force_authn);
  EXPECT_TRUE(request.is_passive);
  EXPECT_EQ(request.name_id_format, kNameIdEmail);
  EXPECT_FALSE(request.failure);
}

TEST(SamlRequestTest, ReadsTheNameIdPolicy) {
  const std::pair<std::string, bool> table[] = {
      {"", true},
      {"Format=\"urn:x\"", false},
      {"SPNameQualifier=\"\"", true},
      {"SPNameQualifier=\"https://sp.example/a?b&amp;c\"", true},
      {"SPNameQualifier=\"https://affiliation.example\"", false},
  };
  for (const auto& [attribute, possible] : table) {
    const std::string xml = fmt::format("<samlp:NameIDPolicy {}/>", attribute);
    EXPECT_EQ(Check(RequestXml("", xml))->failure,
              possible ? std::nullopt : std::optional(Failure::kInvalidNameIdPolicy))
        << xml;
  }
}

TEST(SamlRequestTest, ReadsTheSubject) {
  const auto check = [](std::string_view subject, std::string_view policy = "") {
    return Check(RequestXml("", fmt::format("<saml:Subject>{}</saml:Subject>{}", subject, policy)))
        .value();
  };
  const std::string name = "<saml:NameID> ada@corp.test </saml:NameID>";
  SignOnRequest request = check(name);
  EXPECT_EQ(request.subject, "ada@corp.test");
  EXPECT_EQ(request.name_id_format, "");
  EXPECT_FALSE(request.failure);
  request = check(fmt::format("<saml:NameID Format=\"{}\">x</saml:NameID>", kNameIdPersistent));
  EXPECT_EQ(request.name_id_format, kNameIdPersistent);
  EXPECT_FALSE(request.failure);

  const std::string policy = fmt::format("<samlp:NameIDPolicy Format=\"{}\"/>", kNameIdEmail);
  EXPECT_FALSE(check(name, policy).failure);
  EXPECT_FALSE(
      check(fmt::format("<saml:NameID Format=\"{}\">x</saml:NameID>", kNameIdEmail), policy)
          .failure);
  EXPECT_EQ(
      check(fmt::format("<saml:NameID Format=\"{}\">x</saml:NameID>", kNameIdPersistent), policy)
          .failure,
      Failure::kUnknownPrincipal);
  for (const char* foreign : {"<saml:NameID Format=\"urn:x\">x</saml:NameID>",
                              "<saml:NameID SPNameQualifier=\"urn:other\">x</saml:NameID>"}) {
    EXPECT_EQ(check(foreign).failure, Failure::kUnknownPrincipal) << foreign;
  }
  const std::string confirmation =
      "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"/>";
  for (const std::string& other :
       {confirmation, name + confirmation, std::string(), std::string("<saml:EncryptedID/>"),
        std::string("<saml:BaseID/>")}) {
    EXPECT_EQ(check(other).failure, Failure::kRequestUnsupported) << other;
  }
}

// A RequestedAuthnContext with these classes.
std::string ContextXml(std::string_view comparison, const std::vector<std::string>& classes) {
  std::string content;
  for (const std::string& name : classes) {
    content += fmt::format(
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:{}"
        "</saml:AuthnContextClassRef>",
        name);
  }
  return fmt::format("<samlp:RequestedAuthnContext{}>{}</samlp:RequestedAuthnContext>", comparison,
                     content);
}

TEST(SamlRequestTest, ComparesContexts) {
  const std::string exact;
  const std::string minimum = " Comparison=\"minimum\"";
  const std::string maximum = " Comparison=\"maximum\"";
  const std::string better = " Comparison=\"better\"";
  const std::string declaration =
      "<samlp:RequestedAuthnContext{}><saml:AuthnContextDeclRef>urn:x</saml:AuthnContextDeclRef>"
      "</samlp:RequestedAuthnContext>";
  const std::pair<std::string, bool> table[] = {
      {ContextXml(exact, {"PasswordProtectedTransport"}), true},
      {ContextXml(exact, {"Kerberos", "PasswordProtectedTransport"}), true},
      {ContextXml(" Comparison=\"exact\"", {"Password"}), false},
      {ContextXml(exact, {"Kerberos"}), false},
      {ContextXml(minimum, {"Password"}), true},
      {ContextXml(minimum, {"X509", "PasswordProtectedTransport"}), true},
      {ContextXml(minimum, {"X509"}), false},
      {ContextXml(maximum, {"X509"}), true},
      {ContextXml(maximum, {"Password", "PasswordProtectedTransport"}), true},
      {ContextXml(maximum, {"Password"}), false},
      {ContextXml(better, {"Password", "unspecified"}), true},
      {ContextXml(better, {"Password", "X509"}), false},
      {ContextXml(better, {"PasswordProtectedTransport"}), false},
      {ContextXml(better, {"Password", "Unheard"}), false},
      {ContextXml(minimum, {"Unheard"}), false},
      {ContextXml(exact, {}), false},
      {ContextXml(better, {}), false},
      {fmt::format(fmt::runtime(declaration), exact), false},
      {fmt::format(fmt::runtime(declaration), better), false},
  };
  for (const auto& [xml, satisfied] : table) {
    EXPECT_EQ(Check(RequestXml("", xml))->failure,
              satisfied ? std::nullopt : std::optional(Failure::kNoAuthnContext))
        << xml;
  }
  ExpectRefused(Check(RequestXml("", ContextXml(" Comparison=\"bogus\"", {"Password"}))),
                kMalformed);
}

// The standard wants the app to be told (SAML core, sections 3.2.2.2, 3.4.1.2 and 4.1.3.2).
TEST(SamlRequestTest, TellsTheAppWhatCantBeDone) {
  const auto check = [](std::string_view attributes, std::string_view idp) {
    std::string xml = "<samlp:Scoping ProxyCount=\"0\"/>";
    if (!idp.empty()) {
      xml = fmt::format(
          "<samlp:Scoping><samlp:IDPList><samlp:IDPEntry ProviderID=\"{}\"/>"
          "</samlp:IDPList></samlp:Scoping>",
          idp);
    }
    return Check(RequestXml(std::string(attributes), xml))->failure;
  };
  constexpr std::string_view kBinding =
      " ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-";
  EXPECT_EQ(check("", ""), std::nullopt);
  EXPECT_EQ(check("", kIdp), std::nullopt);
  EXPECT_EQ(check("", "urn:another"), Failure::kNoSupportedIdp);
  EXPECT_EQ(check(fmt::format("{}POST\"", kBinding), ""), std::nullopt);
  EXPECT_EQ(check(fmt::format("{}Artifact\"", kBinding), ""), Failure::kUnsupportedBinding);
  std::string old = RequestXml();
  old.replace(old.find("Version=\"2.0\""), 13, "Version=\"1.1\"");
  EXPECT_EQ(Check(old)->failure, Failure::kVersionMismatch);
}

TEST(SamlRequestTest, RefusesMalformedRequests) {
  const std::string bad[] = {
      "<a/>",
      fmt::format("<samlp:LogoutRequest xmlns:samlp=\"{}\" ID=\"_1\"/>", kSamlpNs),
      RequestXml(" Destination=\"https://other.example/sso\""),
      RequestXml(" ForceAuthn=\"yes\""),
      RequestXml(" AssertionConsumerServiceIndex=\"x\""),
      RequestXml(" AssertionConsumerServiceIndex=\"0\""
                 " AssertionConsumerServiceURL=\"https://sp.example/acs/0\""),
      RequestXml("", "<saml:Issuer>https://sp.example/other</saml:Issuer>"),
  };
  for (const std::string& xml : bad) {
    ExpectRefused(Check(xml), kMalformed);
  }
  std::string xml = RequestXml();
  xml.replace(xml.find(" Version=\"2.0\""), 14, "");
  ExpectRefused(Check(xml), kMalformed);
  xml = RequestXml();
  xml.replace(xml.find("_r1"), 3, "1&#10;x");
  ExpectRefused(Check(xml), kMalformed);
  ExpectRefused(Check(RequestXml("", "", kNow - std::chrono::minutes{11})), kExpired);
  ExpectRefused(Check(RequestXml("", "", kNow + std::chrono::minutes{11})), kExpired);
  org::v1::SamlServiceProvider other = NewProvider();
  other.set_entity_id("https://other.example");
  ExpectRefused(Check(RequestXml(), other), kUnknownProvider);
}

// A request signed as service providers do over POST: the signature inside.
std::string SignXml(const std::string& xml, const pki::Identity& signer) {
  const XmlDocument document = XmlDocument::Parse(xml).value();
  const std::string canonical = Canonicalize(document, document.root(), std::nullopt).value();
  const std::string signature = SignatureOf(canonical, "_r1", signer).value();
  std::string text = xml;
  return text.insert(text.find("</saml:Issuer>") + 14, signature);
}

TEST(SamlRequestTest, VerifiesSignedPosts) {
  const pki::ExportableIdentity signer = NewSigner(pki::KeyType::kRsa2048);
  org::v1::SamlServiceProvider provider = NewProvider();
  provider.set_requests_signed(true);
  provider.add_signing_certificates_der(ToString(signer.certificate.der()));
  const std::string xml =
      RequestXml(fmt::format("{} AssertionConsumerServiceIndex=\"0\"", kDestination));
  const std::string good = SignXml(xml, signer);
  DT_EXPECT_OK(Check(good, provider));
  ExpectRefused(Check(xml, provider), kSignatureInvalid);  // Unsigned.
  ExpectRefused(Check(SignXml(xml, NewSigner(pki::KeyType::kRsa2048)), provider),
                kSignatureInvalid);

  // Changed after signing; the signature moved away; two signatures; wrapped around.
  std::string changed = good;
  changed.replace(changed.find("Index=\"0\""), 9, "Index=\"10\"");
  ExpectRefused(Check(changed, provider), kSignatureInvalid);
  const std::size_t begin = good.find("<ds:Signature ");
  const std::size_t end = good.find("</ds:Signature>") + 15;
  const std::string signature = good.substr(begin, end - begin);
  std::string moved = xml;
  moved.insert(moved.find("</samlp:AuthnRequest>"),
               "<samlp:Extensions>" + signature + "</samlp:Extensions>");
  ExpectRefused(Check(moved, provider), kSignatureInvalid);
  std::string doubled = good;
  doubled.insert(end, signature);
  ExpectRefused(Check(doubled, provider), kSignatureInvalid);
  std::string wrapped =
      RequestXml(fmt::format("{} AssertionConsumerServiceIndex=\"10\"", kDestination),
                 signature + "<samlp:Extensions>" + xml + "</samlp:Extensions>");
  wrapped.replace(wrapped.find("_r1"), 3, "_r0");
  ExpectRefused(Check(wrapped, provider), kSignatureInvalid);
  // Two elements of one ID never get so far.
  ExpectRefused(
      Check(RequestXml("", "<samlp:Extensions>" + good + "</samlp:Extensions>"), provider),
      kMalformed);
}

std::string Method(std::string_view element, std::string_view algorithm,
                   std::string_view content = "") {
  return fmt::format("<ds:{0} Algorithm=\"{1}\">{2}</ds:{0}>", element, algorithm, content);
}

constexpr std::string_view kEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
constexpr std::string_view kSha256 = "http://www.w3.org/2001/04/xmlenc#sha256";

// What a signature is made with.
struct Recipe {
  std::string method = "rsa-sha256";  // Of the namespace xmldsig-more.
  std::string digest_uri = std::string(kSha256);
  std::string canonical = Method("CanonicalizationMethod", kExcC14n);
  std::string transforms = Method("Transform", kEnveloped) + Method("Transform", kExcC14n);
};

// `xml` signed by xmlsec1.
std::string SignWithXmlSec(const std::string& xml, const pki::ExportableIdentity& signer,
                           const Recipe& recipe) {
  const std::string signature = fmt::format(
      "<ds:Signature xmlns:ds=\"{}\"><ds:SignedInfo>{}{}<ds:Reference URI=\"#_r1\"><ds:Transforms>"
      "{}</ds:Transforms>{}<ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>"
      "</ds:Signature>",
      kDsigNs, recipe.canonical,
      Method("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#" + recipe.method),
      recipe.transforms, Method("DigestMethod", recipe.digest_uri));
  std::string unsigned_form = xml;
  unsigned_form.insert(xml.find("</saml:Issuer>") + 14, signature);
  const testing::TempFolder folder;
  DT_EXPECT_OK(WriteFileAtomically(folder / "sp.key", signer.key.Pem()));
  DT_EXPECT_OK(WriteFileAtomically(folder / "request.xml", unsigned_form));
  const std::string command = fmt::format(
      "xmlsec1 --sign --privkey-pem {0}/sp.key --id-attr:ID {1}:AuthnRequest"
      " --output {0}/signed.xml {0}/request.xml >{0}/xmlsec.log 2>&1",
      folder.path(), kSamlpNs);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return ReadFile(folder / "signed.xml").value();
}

TEST(SamlRequestTest, VerifiesWhatXmlsec1Signs) {
  constexpr std::string_view kSha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384";
  constexpr std::string_view kSha512 = "http://www.w3.org/2001/04/xmlenc#sha512";
  for (const pki::KeyType type :
       {pki::KeyType::kRsa2048, pki::KeyType::kP256, pki::KeyType::kP384}) {
    const pki::ExportableIdentity signer = NewSigner(type);
    org::v1::SamlServiceProvider provider = NewProvider();
    provider.add_signing_certificates_der(ToString(signer.certificate.der()));
    const std::string kind = type == pki::KeyType::kRsa2048 ? "rsa" : "ecdsa";
    const auto sign = [&](std::string_view hash, std::string_view digest_uri) {
      return SignWithXmlSec(
          RequestXml(kDestination), signer,
          {.method = fmt::format("{}-{}", kind, hash), .digest_uri = std::string(digest_uri)});
    };
    for (const auto& [hash, digest_uri] :
         {std::pair{"sha256", kSha384}, {"sha384", kSha512}, {"sha512", kSha256}}) {
      std::string xml = sign(hash, digest_uri);
      DT_EXPECT_OK(Check(xml, provider)) << kind << hash;
      xml.replace(xml.find("Version=\"2.0\""), 13, "Version=\"2.0\" IsPassive=\"1\"");
      ExpectRefused(Check(xml, provider), kSignatureInvalid);
    }
    // SHA-1 is not good enough, whoever signed.
    ExpectRefused(Check(sign("sha256", "http://www.w3.org/2000/09/xmldsig#sha1"), provider),
                  kSignatureInvalid);
  }
}

// SAML core, sections 5.4.3 and 5.4.4: what service providers other than ours sign with. The
// request declares namespaces that it does not use, by which the canonical forms differ.
TEST(SamlRequestTest, VerifiesEveryCanonicalFormThatXmlsec1Signs) {
  const std::string prefixes = fmt::format(
      "<ec:InclusiveNamespaces xmlns:ec=\"{}\" PrefixList=\"xs  unknown\t#default xs\"/>",
      kExcC14n);
  const std::string with_comments = fmt::format("{}WithComments", kExcC14n);
  const std::string c14n = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
  const std::string c14n11 = "http://www.w3.org/2006/12/xml-c14n11";
  const std::string enveloped = Method("Transform", kEnveloped);
  const auto canonical = [](std::string_view uri, std::string_view content = "") {
    return Method("CanonicalizationMethod", uri, content);
  };
  const auto transform = [&](std::string_view uri, std::string_view content = "") {
    return enveloped + Method("Transform", uri, content);
  };
  const std::pair<std::string, std::string> table[] = {
      {canonical(kExcC14n), transform(kExcC14n, prefixes)},
      {canonical(kExcC14n, prefixes), transform(kExcC14n)},
      {canonical(with_comments), transform(with_comments)},
      {canonical(with_comments, prefixes), transform(with_comments, prefixes)},
      {canonical(c14n), transform(kExcC14n)},
      {canonical(c14n + "#WithComments"), transform(kExcC14n)},
      {canonical(kExcC14n), enveloped},
      {canonical(c14n), enveloped},
      {canonical(c14n), transform(c14n)},
      {canonical(c14n11), transform(c14n11 + "#WithComments")},
  };
  const pki::ExportableIdentity signer = NewSigner(pki::KeyType::kRsa2048);
  org::v1::SamlServiceProvider provider = NewProvider();
  provider.add_signing_certificates_der(ToString(signer.certificate.der()));
  const std::string request = RequestXml(
      fmt::format("{} xmlns:xs=\"urn:xs\" xmlns=\"urn:default\" xml:lang=\"en\"", kDestination));
  for (const auto& [method, transforms] : table) {
    std::string xml =
        SignWithXmlSec(request, signer, {.canonical = method, .transforms = transforms});
    DT_EXPECT_OK(Check(xml, provider)) << method << transforms;
    xml.replace(xml.find("urn:xs"), 6, "urn:ys");  // Covered, or of no meaning to anybody.
    xml.replace(xml.find("Version=\"2.0\""), 13, "Version=\"2.0\" IsPassive=\"1\"");
    ExpectRefused(Check(xml, provider), kSignatureInvalid);
  }
}

TEST(SamlRequestTest, BoundsThePrefixesOfACanonicalForm) {
  const pki::ExportableIdentity signer = NewSigner(pki::KeyType::kP256);
  org::v1::SamlServiceProvider provider = NewProvider();
  provider.add_signing_certificates_der(ToString(signer.certificate.der()));
  const auto check = [&](std::size_t prefixes) {
    std::string list = "p0";
    for (std::size_t i = 0; i < prefixes; ++i) list += fmt::format(" p{}", i);
    const std::string parameter =
        fmt::format("<ec:InclusiveNamespaces xmlns:ec=\"{}\" PrefixList=\"{}\"/>", kExcC14n, list);
    return Check(
        SignWithXmlSec(RequestXml(kDestination), signer,
                       {.method = "ecdsa-sha256",
                        .canonical = Method("CanonicalizationMethod", kExcC14n, parameter)}),
        provider);
  };
  DT_EXPECT_OK(check(kPrefixesMax));
  const auto refused = check(kPrefixesMax + 1);
  ExpectRefused(refused, kSignatureInvalid);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("more than 16 prefixes"));
}

TEST(SamlRequestTest, RefusesTransformsThatCouldHideSomething) {
  const pki::ExportableIdentity signer = NewSigner(pki::KeyType::kRsa2048);
  org::v1::SamlServiceProvider provider = NewProvider();
  provider.add_signing_certificates_der(ToString(signer.certificate.der()));
  const std::string enveloped = Method("Transform", kEnveloped);
  const std::string exclusive = Method("Transform", kExcC14n);
  const std::string good = SignWithXmlSec(RequestXml(kDestination), signer, {});
  DT_EXPECT_OK(Check(good, provider));
  const std::string xpath = Method("Transform", "http://www.w3.org/TR/1999/REC-xpath-19991116",
                                   "<ds:XPath>false()</ds:XPath>");
  for (const std::string& transforms :
       {std::string(), exclusive, exclusive + enveloped, enveloped + xpath,
        enveloped + exclusive + exclusive, enveloped + enveloped,
        enveloped + Method("Transform", kExcC14n, "<ds:Other/>")}) {
    std::string other = good;
    const std::size_t begin = other.find("<ds:Transforms>") + 15;
    other.replace(begin, other.find("</ds:Transforms>") - begin, transforms);
    const auto checked = Check(other, provider);
    ExpectRefused(checked, kSignatureInvalid);
    EXPECT_THAT(std::string(checked.status().message()),
                AnyOf(HasSubstr("transform"), HasSubstr("a parameter that is not known")));
  }
}

TEST(SamlRequestTest, ASignatureThatNobodyAskedForMustStillBeRight) {
  const pki::ExportableIdentity signer = NewSigner(pki::KeyType::kRsa2048);
  org::v1::SamlServiceProvider provider = NewProvider();
  provider.add_signing_certificates_der(ToString(signer.certificate.der()));
  DT_EXPECT_OK(Check(RequestXml(), provider));
  std::string changed = SignXml(RequestXml(kDestination), signer);
  changed.replace(changed.find("_r1"), 3, "_r2");
  ExpectRefused(Check(changed, provider), kSignatureInvalid);
}

TEST(SamlRequestTest, ASignedRequestSaysWhereItGoes) {
  for (const char* attributes : {"", " Destination=\"\""}) {
    DT_EXPECT_OK(Check(RequestXml(attributes)));
    ExpectRefused(Check(SignXml(RequestXml(attributes), NewSigner(pki::KeyType::kRsa2048))),
                  kMalformed);
    Message redirect;
    redirect.xml = RequestXml(attributes);
    redirect.redirect = true;
    redirect.query_signed = true;
    ExpectRefused(Check(redirect, NewProvider()), kMalformed);
  }
  DT_EXPECT_OK(Check(SignXml(RequestXml(kDestination), NewSigner(pki::KeyType::kRsa2048))));
}

}  // namespace
}  // namespace devicetrust::saml
