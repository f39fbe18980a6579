// What a stranger's SAML request costs at most: documents at the limits of XmlLimits, with a
// signature that is wrong only at the end, when every key has been tried. The bar is 10 ms.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/pki/digest.h"
#include "libs/saml/request.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust {
namespace {

constexpr WallTime kRequestTime{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
constexpr std::string_view kSso = "https://org.example/sso/saml";
constexpr std::string_view kEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

// As many keys as are tried, of the slowest kind.
org::v1::SamlServiceProvider NewProvider() {
  org::v1::SamlServiceProvider provider;
  provider.set_entity_id("https://sp.example");
  provider.add_acs()->set_url("https://sp.example/acs");
  for (std::size_t i = 0; i < saml::kSigningKeysMax; ++i) {
    const pki::PrivateKey key = pki::PrivateKey::Generate(pki::KeyType::kP384).value();
    provider.add_signing_certificates_der(
        ToString(pki::SignSelf({.common_name = "sp",
                                .serial_hex = "01",
                                .usage = pki::Usage::kCa,
                                .not_before = kRequestTime,
                                .not_after = kRequestTime + std::chrono::hours{1}},
                               key)
                     .value()
                     .der()));
  }
  return provider;
}

std::string Request(std::string_view attributes, std::string_view content) {
  return fmt::format(
      "<p:AuthnRequest xmlns:p=\"{}\" xmlns:a=\"{}\" ID=\"_r1\" IssueInstant=\"{}\" Version=\"2.0\""
      " Destination=\"{}\"{}><a:Issuer>https://sp.example</a:Issuer>{}</p:AuthnRequest>",
      saml::kSamlpNs, saml::kSamlNs, FormatUtc(kRequestTime), kSso, attributes, content);
}

// All the namespaces, elements and attributes that are allowed beside an envelope and a signature,
// with names and namespaces that differ late.
std::string LargeRequest() {
  constexpr saml::XmlLimits kLimits;
  constexpr std::size_t kNamespaces = kLimits.namespaces_max - 3;
  constexpr std::size_t kElements = kLimits.elements_max - 20;
  const std::string common(60, 'n');
  const std::string urn = "urn:" + std::string(kLimits.namespace_bytes_max - 6, 'u');
  std::string declarations;
  for (std::size_t i = 0; i < kNamespaces; ++i) {
    declarations += fmt::format(" xmlns:{0}{1:02}=\"{2}{1:02}\"", common, i, urn);
  }
  std::string content = "<p:Extensions>";
  for (std::size_t i = 0; i < kElements; ++i) {
    content += fmt::format("<{0}{1:02} {0}{1:02}:a=\"\" {0}{2:02}:b=\"\"/>", common,
                           i % kNamespaces, (i + 1) % kNamespaces);
  }
  return Request(declarations, content + "</p:Extensions>");
}

std::string Signed(const std::string& xml, saml::CanonicalForm::Kind kind,
                   std::string_view method) {
  const saml::XmlDocument document = saml::XmlDocument::Parse(xml).value();
  const std::string digest = Base64Encode(
      pki::Sha256(saml::Canonicalize(document, document.root(), std::nullopt, {kind, {}}).value()));
  const std::string signature = fmt::format(
      "<ds:Signature xmlns:ds=\"{}\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{}\"/>"
      "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"/>"
      "<ds:Reference URI=\"#_r1\"><ds:Transforms><ds:Transform Algorithm=\"{}\"/>"
      "<ds:Transform Algorithm=\"{}\"/></ds:Transforms>"
      "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>"
      "<ds:DigestValue>{}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
      "<ds:SignatureValue>{}</ds:SignatureValue></ds:Signature>",
      saml::kDsigNs, method, kEnveloped, method, digest, Base64Encode(Bytes(96, 1)));
  std::string text = xml;
  return text.insert(text.find("</a:Issuer>") + 11, signature);
}

void Check(benchmark::State& state, const std::string& xml, std::string_view refusal) {
  const org::v1::SamlServiceProvider provider = NewProvider();
  for (auto _ : state) {
    saml::Message message;
    message.xml = xml;
    const auto received = saml::ReceivedMessage::Parse(std::move(message));
    const absl::Status status =
        received.ok()
            ? saml::CheckSignOnRequest(*received, provider, {kSso, kSso}, kRequestTime).status()
            : received.status();
    if (std::string(status.message()).find(refusal) == std::string::npos) {
      return state.SkipWithError(status.ToString().c_str());
    }
  }
  state.counters["bytes"] = static_cast<double>(xml.size());
}

void BM_SamlPlainRequest(benchmark::State& state) { Check(state, Request("", ""), ""); }
BENCHMARK(BM_SamlPlainRequest)->Unit(benchmark::kMicrosecond);

void BM_SamlLargestExclusive(benchmark::State& state) {
  Check(state, Signed(LargeRequest(), saml::CanonicalForm::Kind::kExclusive, saml::kExcC14n),
        "by another key");
}
BENCHMARK(BM_SamlLargestExclusive)->Unit(benchmark::kMicrosecond);

void BM_SamlLargestInclusive(benchmark::State& state) {
  Check(state,
        Signed(LargeRequest(), saml::CanonicalForm::Kind::kInclusive,
               "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        "by another key");
}
BENCHMARK(BM_SamlLargestInclusive)->Unit(benchmark::kMicrosecond);

// More prefixes than are looked at.
void BM_SamlRefusedPrefixList(benchmark::State& state) {
  std::string prefixes;
  for (int i = 0; i < 12'000; ++i) prefixes += fmt::format("{:x} ", i);
  std::string xml = Signed(Request("", ""), saml::CanonicalForm::Kind::kExclusive, saml::kExcC14n);
  const std::string method =
      fmt::format("<ds:CanonicalizationMethod Algorithm=\"{}\"/>", saml::kExcC14n);
  xml.replace(xml.find(method), method.size(),
              fmt::format("<ds:CanonicalizationMethod Algorithm=\"{0}\"><i:InclusiveNamespaces"
                          " xmlns:i=\"{0}\" PrefixList=\"{1}\"/></ds:CanonicalizationMethod>",
                          saml::kExcC14n, prefixes));
  Check(state, xml, "more than 16 prefixes");
}
BENCHMARK(BM_SamlRefusedPrefixList)->Unit(benchmark::kMicrosecond);

// As many attributes in one tag as the parser ever sees, and one thing wrong before them.
void BM_SamlRefusedAttributes(benchmark::State& state) {
  std::string attributes;
  for (int i = 0; i < 590; ++i) attributes += fmt::format(" a{}=\"\"", i);
  Check(state, Request(attributes, ""), "more than 200 attributes");
}
BENCHMARK(BM_SamlRefusedAttributes)->Unit(benchmark::kMicrosecond);

void BM_SamlRefusedNonsense(benchmark::State& state) {
  std::string content = "<&>";
  for (int i = 0; i < 290; ++i) content += fmt::format("<b{} x{}=\"\">", i, i);
  Check(state, Request("", content), "not well-formed");
}
BENCHMARK(BM_SamlRefusedNonsense)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace devicetrust
