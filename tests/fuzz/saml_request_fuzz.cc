// AuthnRequests: XML, canonical form, signature and rules.
#include "libs/base/encoding.h"
#include "libs/saml/request.h"
#include "libs/saml/xml.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

namespace {

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

org::v1::SamlServiceProvider Provider() {
  org::v1::SamlServiceProvider provider;
  provider.set_entity_id("urn:example:mail");
  auto& acs = *provider.add_acs();
  acs.set_url("https://mail.localhost/acs");
  acs.set_is_default(true);
  const Bytes der = fuzz::Issuer().certificate.der();
  provider.add_signing_certificates_der(der.data(), der.size());
  return provider;
}

// What is canonical is XML, and its own canonical form. It may have more of everything: '=' that
// was a character reference, a namespace declared wherever it is used.
void CheckCanonicalForm(std::string_view xml) {
  const auto document = saml::XmlDocument::Parse(xml);
  if (!document.ok()) return;
  const auto canonical = saml::Canonicalize(*document, document->root(), std::nullopt);
  if (!canonical.ok()) return;
  const auto again = saml::XmlDocument::Parse(*canonical, {.bytes_max = canonical->size(),
                                                           .elements_max = canonical->size(),
                                                           .attributes_max = canonical->size(),
                                                           .namespaces_max = canonical->size()});
  DT_CHECK(again.ok());
  const auto twice = saml::Canonicalize(*again, again->root(), std::nullopt);
  DT_CHECK(twice.ok() && *twice == *canonical);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const provider = new org::v1::SamlServiceProvider(Provider());
  const fuzz::Input input(data, size);
  CheckCanonicalForm(input.Text());
  saml::Message message;
  message.xml = input.Text();
  const auto received = saml::ReceivedMessage::Parse(std::move(message));
  if (!received.ok()) return 0;
  const auto request = saml::CheckSignOnRequest(
      *received, *provider,
      {"https://org.localhost/saml/metadata", "https://org.localhost/app/mail/sso/saml"}, kNow);
  if (request.ok()) DT_CHECK(saml::IsRegisteredAcs(*provider, request->acs_url));
  return 0;
}
