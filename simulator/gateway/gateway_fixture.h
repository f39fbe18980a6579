// The whole front without sockets: requests in, answers out, a browser's cookies between.
// Tests only.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "libs/base/run_task.h"
#include "libs/base/utc_time.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/throwaway/seeded_random.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/gateway/fake_account.h"
#include "simulator/gateway/fake_admin_backend.h"
#include "simulator/gateway/fake_org.h"
#include "simulator/gateway/mtls_host.h"
#include "simulator/gateway/org_host.h"

namespace devicetrust::gateway {

using std::chrono::minutes;
using std::chrono::seconds;

inline constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
inline constexpr std::string_view kOrigin = "https://org.localhost:8443";

inline std::string Location(const http::Response& response) {
  return std::string(response.fields.Find("location").value_or(""));
}

inline std::string Between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string_view::npos) return "";
  const std::string_view rest = text.substr(from + begin.size());
  return std::string(rest.substr(0, rest.find(end)));
}

inline org::v1::GetGatewayKeysResponse NewKeys() {
  throwaway::SeededRandom random(1);
  org::v1::GetGatewayKeysResponse keys;
  org::v1::SymmetricKey* cookie = keys.add_cookie_keys();
  cookie->set_kid("c1");
  cookie->set_key(std::string(32, 'k'));
  org::v1::SigningKey* proof = keys.add_proof_keys();
  proof->set_kid("p1");
  proof->set_private_key_pem(pki::PrivateKey::Generate().value().Pem());
  const pki::PrivateKey rsa = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  org::v1::SigningKey* saml = keys.add_saml_keys();
  saml->set_kid("s1");
  saml->set_private_key_pem(rsa.Pem());
  saml->set_certificate_pem(pki::SignSelf({.common_name = "org",
                                           .serial_hex = "01",
                                           .usage = pki::Usage::kCa,
                                           .not_before = kStart,
                                           .not_after = kStart + std::chrono::hours{9999}},
                                          rsa)
                                .value()
                                .Pem());
  return keys;
}

// Made once: an RSA key takes its time.
inline const org::v1::GetGatewayKeysResponse& SharedKeys() {
  static const org::v1::GetGatewayKeysResponse keys = NewKeys();
  return keys;
}

inline org::v1::ListAppsResponse NewApps() {
  org::v1::ListAppsResponse apps;
  apps.set_version(1);
  org::v1::App* app = apps.add_apps();
  app->set_id("mail");
  app->set_label("Mail & <more>");
  app->mutable_saml()->set_entity_id("https://sp.example/mail");
  org::v1::AssertionConsumerService* acs = app->mutable_saml()->add_acs();
  acs->set_url("https://sp.example/acs?a=1&b=2");
  app->set_needs_device_challenge(true);
  return apps;
}

// One gateway with snapshots and streams of its own.
struct Gateway {
  // `age_max` 0: one that is cut off from both streams.
  Gateway(OrgClient& org, const Clock& clock, Random& random,
          std::chrono::milliseconds age_max = minutes{10}, const TicketSignIn* tickets = nullptr)
      : revocations(age_max),
        site{"acme", "org.localhost", std::string(kOrigin), "mtls.localhost", 8444, true},
        org_host(site, snapshots, revocations, org, account, packages, admins, clock, random,
                 tickets),
        mtls_host(site, snapshots, revocations, clock, random) {
    snapshots.keys.Set(std::make_shared<const Keyring>(ToKeyring("acme", SharedKeys()).value()));
    snapshots.apps.Set(std::make_shared<const AppDirectory>(NewApps()));
    snapshots.issuers.Set(std::make_shared<const DeviceIssuers>());
    revocations.Apply(ca::v1::WatchRevocationsResponse());
    revocations.Apply(org::v1::WatchSessionsResponse());
  }

  void Revoke(const std::string& serial) {
    ca::v1::WatchRevocationsResponse message;
    message.set_sequence(revocations.revocation_sequence() + 1);
    message.add_revocations()->set_serial(serial);
    message.mutable_revocations(0)->mutable_not_after()->set_seconds(
        UnixSeconds(kStart + std::chrono::hours{9999}));
    revocations.Apply(message);
  }

  FakeAccount account;
  PackageFolder packages{"", 1 << 20};
  OrgSnapshots snapshots;
  RevocationState revocations;
  FakeAdminBackend admins;
  Site site;
  OrgHost org_host;
  MtlsHost mtls_host;
};

// Keeps cookies and shows a certificate, like a browser. Which gateway answers is up to the
// load balancer: the test.
class Browser {
 public:
  http::Response Get(Gateway& gateway, const std::string& url) {
    return Send(gateway, NewRequest("GET", url));
  }

  http::Response Post(Gateway& gateway, const std::string& url, const std::string& body,
                      bool cross_site = false) {
    http::Request request = NewRequest("POST", url);
    request.fields.Set("content-type", "application/x-www-form-urlencoded");
    request.fields.Set("origin", cross_site ? "https://sp.example" : kOrigin);
    if (cross_site) request.fields.Remove("cookie");
    request.body = body;
    return Send(gateway, request);
  }

  http::Request NewRequest(const std::string& method, const std::string& url) {
    http::Request request;
    const std::string target = url.starts_with("https://") ? url.substr(url.find('/', 8)) : url;
    const std::string host = url.starts_with("https://")
                                 ? url.substr(8, url.find_first_of(":/", 8) - 8)
                                 : "org.localhost";
    request.method = method;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    request.query =
        target.find('?') == std::string::npos ? "" : target.substr(target.find('?') + 1);
    request.host = host;
    request.fields.Set("user-agent", "Test/1.0");
    request.connection.tls = true;
    request.connection.server_name = host;
    request.connection.peer_address = boost::asio::ip::make_address("192.0.2.7");
    if (host.ends_with("mtls.localhost")) {
      request.connection.peer_certificate = certificate;
      request.connection.peer_verdict = verdict;
    }
    std::string line;
    const auto add = [&line](const std::map<std::string, std::string>& jar) {
      for (const auto& [name, value] : jar) {
        line += fmt::format("{}{}={}", line.empty() ? "" : "; ", name, value);
      }
    };
    add(cookies);
    if (request.path.starts_with(kSignOutPath)) add(sign_out_cookies);
    if (!line.empty() && host == "org.localhost") request.fields.Set("cookie", line);
    return request;
  }

  http::Response Send(Gateway& gateway, const http::Request& request) {
    http::Response response = request.host == "org.localhost"
                                  ? RunTask(gateway.org_host.Handle(request))
                                  : RunTask(gateway.mtls_host.Handle(request));
    for (const http::Field& field : response.fields.all()) {
      if (field.name != "set-cookie") continue;
      const std::string name = field.value.substr(0, field.value.find('='));
      auto& jar = Between(field.value, "; Path=", ";") == "/" ? cookies : sign_out_cookies;
      if (field.value.find("Max-Age=0") != std::string::npos) {
        jar.erase(name);
      } else {
        jar[name] = Between(field.value, "=", ";");
      }
    }
    return response;
  }

  // Goes on by redirects until there is a page.
  http::Response Follow(Gateway& gateway, http::Response response) {
    for (int hop = 0; hop < 8 && response.status == 303; ++hop) {
      response = Get(gateway, Location(response));
    }
    return response;
  }

  http::Response SignIn(Gateway& gateway, const http::Response& form,
                        const std::string& password = "right") {
    const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
    return Post(
        gateway, "/signin",
        http::EncodeParameters({{"t", id}, {"username", "ada@corp.test"}, {"password", password}}));
  }

  std::map<std::string, std::string> cookies;
  std::map<std::string, std::string> sign_out_cookies;  // Of that path alone.
  std::optional<pki::Certificate> certificate;
  pki::CertificateVerdict verdict = pki::CertificateVerdict::kNone;
};

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() {
    browser_.certificate = device_.certificate;
    browser_.verdict = pki::CertificateVerdict::kValid;
  }

  static token::KeySet ProofKeys() {
    token::KeySet keys;
    keys.Add("p1", token::ProofIssuer("acme"),
             pki::PrivateKey::FromPem(SharedKeys().proof_keys(0).private_key_pem())
                 .value()
                 .public_key());
    return keys;
  }

  std::string RequestXml(std::string_view attributes = "", std::string_view content = "") {
    return fmt::format(
        "<samlp:AuthnRequest xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"_r{}\" IssueInstant=\"{}\""
        " Version=\"2.0\"{}><saml:Issuer>https://sp.example/mail</saml:Issuer>{}</"
        "samlp:AuthnRequest>",
        saml::kSamlpNs, saml::kSamlNs, ++requests_, FormatUtc(clock_.Now()), attributes, content);
  }

  std::string SsoUrl(std::string_view attributes = "", std::string_view content = "") {
    const std::string deflated = saml::Deflate(RequestXml(attributes, content));
    return fmt::format("/app/mail/sso/saml?SAMLRequest={}&RelayState=state%26{}",
                       http::PercentEncode(Base64Encode(AsBytes(deflated))), requests_);
  }

  // The XML of a page that posts a SAML response.
  static std::string ResponseXml(const http::Response& page) {
    const std::string encoded = Between(page.body, "name=\"SAMLResponse\" value=\"", "\"");
    return ToString(Base64Decode(encoded).value());
  }

  static void ExpectSignedResponse(const http::Response& page, const std::string& request_id) {
    ASSERT_EQ(page.status, 200) << page.body;
    const auto document = saml::XmlDocument::Parse(ResponseXml(page));
    DT_ASSERT_OK(document);
    DT_EXPECT_OK(saml::VerifyRootSignature(
        *document,
        {pki::Certificate::FromPem(SharedKeys().saml_keys(0).certificate_pem()).value()}));
    EXPECT_EQ(document->root().Attribute("InResponseTo"), request_id);
    EXPECT_EQ(document->root().Children(saml::kSamlNs, "Assertion").size(), 1U);
  }

  testing::SettableClock clock_{kStart};
  throwaway::SeededRandom random_{7};
  pki::Identity ca_ = throwaway::NewCa("MTLS Certificate Authority", kStart);
  pki::Identity device_ = throwaway::NewDevice("acme", "d-1", "e-1", ca_, kStart);
  FakeOrg org_{clock_, ProofKeys()};
  Gateway gateway_{org_, clock_, random_};
  Gateway other_{org_, clock_, random_};
  Browser browser_;
  int requests_ = 0;
};

}  // namespace devicetrust::gateway
