// Messages about signing out: whatever is in them, signed in the query by a key of the app, so that
// what comes after the signature is reached.
#include "libs/saml/logout.h"
#include "libs/saml/xml_signature.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

namespace {

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};
constexpr std::string_view kSlo = "https://org.localhost/signout/saml";

struct App {
  org::v1::SamlServiceProvider provider;
  std::string signature;
};

const App& TheApp() {
  static const App* const app = [] {
    auto* const made = new App;
    made->provider.set_entity_id("urn:example:mail");
    const Bytes der = fuzz::Issuer().certificate.der();
    made->provider.add_signing_certificates_der(der.data(), der.size());
    made->signature = ToString(saml::SignRaw("signed", fuzz::Issuer()).value());
    return made;
  }();
  return *app;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const App& app = TheApp();
  saml::Message message;
  message.xml = fuzz::Input(data, size).Text();
  message.redirect = true;
  message.query_signed = true;
  message.signed_octets = "signed";
  message.signature_algorithm = *saml::SignatureMethodOf(fuzz::Issuer());
  message.signature = app.signature;
  const auto received = saml::ReceivedMessage::Parse(std::move(message));
  if (!received.ok()) return 0;
  const auto request = saml::CheckLogoutRequest(*received, app.provider, kSlo, kNow);
  if (request.ok()) {
    DT_CHECK(!request->id.empty());
    DT_CHECK(request->session_indexes.size() <= saml::kSessionIndexesMax);
    DT_CHECK(request->Means(request->name_id, request->session_indexes.empty()
                                                  ? "any"
                                                  : request->session_indexes.front()));
  }
  const auto answer = saml::CheckLogoutResponse(*received, app.provider, kSlo, kNow);
  DT_CHECK(!request.ok() || !answer.ok());  // It is one of them at most.
  return 0;
}
