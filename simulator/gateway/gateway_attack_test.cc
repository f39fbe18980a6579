// What must not get through, and what ends a session or its trust.
#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(GatewayTest, TwoGatewaysShareSessionsAndNeitherTakesAProofTwice) {
  http::Response step =
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  step = browser_.Get(other_, Location(step));  // The other's mTLS host.
  const std::string proof_url = Location(step);
  EXPECT_THAT(proof_url, StartsWith(std::string(kOrigin) + "/proof?t="));
  const std::map<std::string, std::string> cookies = browser_.cookies;
  ExpectSignedResponse(browser_.Get(gateway_, proof_url), "_r1");
  // The same proof with the cookies kept back, at the other gateway: no trust, so refused.
  browser_.cookies = cookies;
  EXPECT_EQ(browser_.Follow(other_, browser_.Get(other_, proof_url)).status, 403);
  // With the cookies as they were left there is no such sign-on any more.
  browser_.cookies.erase(browser_.cookies.begin(), browser_.cookies.end());
  EXPECT_EQ(browser_.Get(other_, proof_url).status, 400);
}

TEST_F(GatewayTest, AProofOfAnotherTransactionOrSessionIsWorthNothing) {
  http::Response one =
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  http::Response two = browser_.Get(gateway_, SsoUrl());
  one = browser_.Get(gateway_, Location(one));
  two = browser_.Get(gateway_, Location(two));
  const std::string id_of_two = Between(Location(two), "?t=", "&");
  const std::string proof_of_one = Between(Location(one), "&p=", "&");
  const std::string crossed = "/proof?t=" + id_of_two + "&p=" + proof_of_one;
  EXPECT_EQ(browser_.Follow(gateway_, browser_.Get(gateway_, crossed)).status, 403);
  // 31 s later it is too old. (30 s, and 30 s of skew.)
  clock_.Set(kStart + seconds{61});
  EXPECT_EQ(browser_.Follow(gateway_, browser_.Get(gateway_, Location(one))).status, 403);
}

TEST_F(GatewayTest, FieldsThatAreNoUtf8AreAWrongPasswordAndNoProof) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
  // A surrogate, an overlong form, a value above U+10FFFF, half a sequence.
  for (const char* bad : {"%ed%a0%80", "%e0%80%af", "%f4%90%80%80", "%c3"}) {
    for (const std::string& fields : {fmt::format("&username={}&password=right", bad),
                                      fmt::format("&username=ada&password={}", bad)}) {
      const http::Response page = browser_.Post(gateway_, "/signin", "t=" + id + fields);
      EXPECT_EQ(page.status, 422) << fields;
      EXPECT_THAT(page.body, HasSubstr("User name or password is wrong."));
    }
  }
  browser_.SignIn(gateway_, form);
  const http::Response page =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/proof?t=" + id + "&p=%ff"));
  EXPECT_EQ(page.status, 403);
  EXPECT_THAT(page.body, HasSubstr("<code>CODE-1</code>"));
}

TEST_F(GatewayTest, TamperedCookiesAreNoCookies) {
  browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  const std::string good = browser_.cookies.at(std::string(kSessionCookie));
  EXPECT_THAT(browser_.Get(gateway_, "/").body, HasSubstr("ada@corp.test"));
  for (std::size_t i = 0; i < good.size(); i += 3) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    browser_.cookies[std::string(kSessionCookie)] = bad;
    EXPECT_EQ(browser_.Get(gateway_, "/").status, 303) << i;
  }
  for (const std::string& bad : {good.substr(0, good.size() - 1), good + "A", std::string("x")}) {
    browser_.cookies[std::string(kSessionCookie)] = bad;
    EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  }
  // A transaction's cookie is no session, nor another transaction.
  browser_.cookies.clear();
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  const auto [name, sealed] = *browser_.cookies.begin();
  browser_.cookies[std::string(kSessionCookie)] = sealed;
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  browser_.cookies[TransactionCookie("AAAAAAAAAAAAAAAAAAAAAA")] = sealed;
  EXPECT_EQ(browser_.Get(gateway_, "/signin?t=AAAAAAAAAAAAAAAAAAAAAA").status, 400);
}

TEST_F(GatewayTest, ASessionEndsAfterTwelveHours) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  clock_.Set(kStart + kSessionLifetime - seconds{1});
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 200);
  clock_.Set(kStart + kSessionLifetime);
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
}

TEST_F(GatewayTest, RevocationEndsTheSessionAndRefusesTheDevice) {
  const http::Response first = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  ExpectSignedResponse(first, "_r1");
  // While the browser is on its way back with a good proof.
  const http::Response step = browser_.Get(gateway_, Location(browser_.Get(gateway_, SsoUrl())));
  gateway_.Revoke(device_.certificate.serial_hex());
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, Location(step)));
  EXPECT_THAT(form.body, HasSubstr("current-password"));
  EXPECT_EQ(browser_.Follow(gateway_, browser_.SignIn(gateway_, form)).status, 403);
  EXPECT_THAT(browser_.Get(gateway_, "https://mtls.localhost/check").body,
              HasSubstr("\"trusted\":false,\"reason\":\"CERTIFICATE_REVOKED\""));
}

TEST_F(GatewayTest, AProofIsWorthWhatItsCertificateIsWorthByNow) {
  const auto proof_url = [&] {
    const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
    return Location(browser_.Get(gateway_, Location(browser_.SignIn(gateway_, form))));
  };
  Gateway cut_off(org_, clock_, random_, std::chrono::milliseconds{0});
  EXPECT_EQ(browser_.Follow(cut_off, browser_.Get(cut_off, proof_url())).status, 403);
  browser_.cookies.clear();
  const std::string before = proof_url();
  gateway_.Revoke(device_.certificate.serial_hex());
  EXPECT_EQ(browser_.Follow(gateway_, browser_.Get(gateway_, before)).status, 403);
}

TEST_F(GatewayTest, AFactorIsNotTakenForATrustThatMayBeGone) {
  org_.ask_factor = true;
  const http::Response page = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  const std::string id = Between(page.body, "name=\"t\" value=\"", "\"");
  Gateway cut_off(org_, clock_, random_, std::chrono::milliseconds{0});
  http::Response step = browser_.Post(cut_off, "/factor", "t=" + id + "&code=123456");
  EXPECT_THAT(Location(step), HasSubstr(".mtls.localhost:8444/challenge?c="));
  EXPECT_EQ(browser_.Follow(cut_off, std::move(step)).status, 403);
}

TEST_F(GatewayTest, EndedSessionsAndDeactivatedPeopleAreOut) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 200);
  org::v1::WatchSessionsResponse message;
  message.add_changes()->set_deactivated_user_id("u-ada@corp.test");
  message.mutable_changes(0)->mutable_at()->set_seconds(UnixSeconds(kStart));
  gateway_.revocations.Apply(message);
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  EXPECT_EQ(browser_.Get(other_, "/").status, 200);  // Has not heard of it yet.
  message.mutable_changes(0)->set_ended_session_id("session-1");
  other_.revocations.Apply(message);
  EXPECT_EQ(browser_.Get(other_, "/").status, 303);
}

TEST_F(GatewayTest, CheckSaysWhatItSaw) {
  const auto check = [&] { return browser_.Get(gateway_, "https://mtls.localhost/check").body; };
  EXPECT_EQ(check(), fmt::format("{{\"trusted\":true,\"reason\":\"\",\"serial\":\"{}\","
                                 "\"device_id\":\"d-1\"}}\n",
                                 device_.certificate.serial_hex()));
  for (const auto& [verdict, reason] : std::map<pki::CertificateVerdict, const char*>{
           {pki::CertificateVerdict::kUnknownIssuer, "CERTIFICATE_OF_ANOTHER_CA"},
           {pki::CertificateVerdict::kBadSignature, "CERTIFICATE_SIGNATURE_INVALID"},
           {pki::CertificateVerdict::kExpired, "CERTIFICATE_EXPIRED"},
           {pki::CertificateVerdict::kNotYetValid, "CERTIFICATE_NOT_YET_VALID"},
           {pki::CertificateVerdict::kWrongUsage, "CERTIFICATE_WRONG_USAGE"},
           {pki::CertificateVerdict::kMalformed, "CERTIFICATE_MALFORMED"}}) {
    browser_.verdict = verdict;
    EXPECT_THAT(check(), HasSubstr(fmt::format("{{\"trusted\":false,\"reason\":\"{}\"", reason)));
    EXPECT_THAT(check(), HasSubstr("\"device_id\":\"\""));
  }
  browser_.verdict = pki::CertificateVerdict::kNone;
  browser_.certificate.reset();
  EXPECT_EQ(check(),
            "{\"trusted\":false,\"reason\":\"CERTIFICATE_NOT_PRESENTED\","
            "\"serial\":\"\",\"device_id\":\"\"}\n");
  browser_.verdict = pki::CertificateVerdict::kValid;
  browser_.certificate = throwaway::NewDevice("other-org", "d-1", "e-1", ca_, kStart).certificate;
  EXPECT_THAT(check(), HasSubstr("CERTIFICATE_UNKNOWN"));
}

// Attack 16, the stream is down: without news nobody is trusted; with them again everybody is who
// was not revoked.
TEST_F(GatewayTest, StaleRevocationDataTrustsNobody) {
  RevocationState live(minutes{10});
  http::Connection connection;
  connection.peer_certificate = device_.certificate;
  connection.peer_verdict = pki::CertificateVerdict::kValid;
  EXPECT_EQ(Inspect(connection, "acme", live).reason, reason::v1::REASON_REVOCATION_DATA_STALE);
  live.Apply(ca::v1::WatchRevocationsResponse());
  EXPECT_FALSE(Inspect(connection, "acme", live).trusted);  // The other stream is silent.
  live.Apply(org::v1::WatchSessionsResponse());
  EXPECT_TRUE(Inspect(connection, "acme", live).trusted);
  // A part of the list is not the list.
  RevocationState reading(minutes{10});
  ca::v1::WatchRevocationsResponse part;
  part.add_revocations()->set_serial("01");
  part.set_sequence(1);
  part.set_more(true);
  reading.Apply(part);
  reading.Apply(org::v1::WatchSessionsResponse());
  EXPECT_EQ(Inspect(connection, "acme", reading).reason, reason::v1::REASON_REVOCATION_DATA_STALE);
  part.set_more(false);
  reading.Apply(part);
  EXPECT_TRUE(Inspect(connection, "acme", reading).trusted);
  // What was revoked stays so when the list begins anew.
  EXPECT_EQ(reading.revocation_sequence(), 1);
  reading.BeginRevocationsAnew();
  EXPECT_EQ(reading.revocation_sequence(), 0);
  EXPECT_TRUE(reading.IsRevoked("01"));

  RevocationState impatient(std::chrono::milliseconds{0});
  impatient.Apply(ca::v1::WatchRevocationsResponse());
  impatient.Apply(org::v1::WatchSessionsResponse());
  EXPECT_FALSE(Inspect(connection, "acme", impatient).trusted);
}

// Attack 7: what a header says of a certificate is nobody's word.
TEST_F(GatewayTest, HeadersAreNoCertificates) {
  browser_.verdict = pki::CertificateVerdict::kNone;
  browser_.certificate.reset();
  http::Request request = browser_.NewRequest("GET", "https://mtls.localhost/check");
  for (const char* name : {"client-cert", "x-ssl-client-cert", "x-ssl-client-verify", "client_cert",
                           "x-forwarded-client-cert", "ssl-client-cert", "x-client-cert-chain"}) {
    request.fields.Add(name, "SUCCESS");
    request.fields.Add(name, device_.certificate.serial_hex());
  }
  EXPECT_THAT(
      RunTask(gateway_.mtls_host.Handle(request)).body,
      HasSubstr("\"trusted\":false,\"reason\":\"CERTIFICATE_NOT_PRESENTED\",\"serial\":\"\""));
}

// Attacks 8 and 9.
TEST_F(GatewayTest, HeadersAreNoAddresses) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  http::Request request = browser_.NewRequest("POST", "/signin");
  request.fields.Set("content-type", "application/x-www-form-urlencoded");
  for (const char* name : {"x-forwarded-for", "forwarded", "x-real-ip", "remote_addr"}) {
    request.fields.Add(name, "10.0.0.1, for=10.0.0.1");
  }
  request.body =
      "t=" + Between(form.body, "name=\"t\" value=\"", "\"") + "&username=ada&password=right";
  browser_.Send(gateway_, request);
  EXPECT_EQ(org_.last_client.address(), "192.0.2.7");
}

TEST_F(GatewayTest, HostMustBeTheHandshakes) {
  for (const auto& [host, sni] :
       std::map<std::string, std::string>{{"org.localhost", "mtls.localhost"},
                                          {"mtls.localhost", "org.localhost"},
                                          {"org.localhost", ""},
                                          {"evil.localhost", "evil.localhost"},
                                          {"a.b.mtls.localhost", "a.b.mtls.localhost"},
                                          {"xmtls.localhost", "xmtls.localhost"}}) {
    http::Request request = browser_.NewRequest("GET", "https://" + host + "/check");
    request.connection.server_name = sni;
    EXPECT_EQ(RunTask(gateway_.mtls_host.Handle(request)).status, 421) << host << " " << sni;
    if (sni != "org.localhost" || host != "org.localhost") {
      EXPECT_EQ(RunTask(gateway_.org_host.Handle(request)).status, 421) << host << " " << sni;
    }
  }
}

TEST_F(GatewayTest, FormsOfOtherSitesAreRefused) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
  const std::string body = "t=" + id + "&username=ada&password=right";
  // Without our cookie, with another origin, with another's transaction.
  EXPECT_EQ(browser_.Post(gateway_, "/signin", body, /*cross_site=*/true).status, 400);
  http::Request request = browser_.NewRequest("POST", "/signin");
  request.fields.Set("content-type", "application/x-www-form-urlencoded");
  request.body = body;
  request.fields.Set("origin", "null");
  EXPECT_EQ(RunTask(gateway_.org_host.Handle(request)).status, 400);
  request.fields.Remove("origin");
  request.fields.Set("sec-fetch-site", "cross-site");
  EXPECT_EQ(RunTask(gateway_.org_host.Handle(request)).status, 400);
  request.fields.Set("sec-fetch-site", "same-origin");
  EXPECT_EQ(RunTask(gateway_.org_host.Handle(request)).status, 303);
  EXPECT_EQ(browser_.Post(gateway_, "/signin", body + "&t=" + id).status, 400);
}

TEST_F(GatewayTest, OtherSitesSignNobodyOut) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  const std::map<std::string, std::string> cookies = browser_.cookies;
  for (const char* method : {"GET", "HEAD"}) {
    http::Request link = browser_.NewRequest(method, "/signout");
    link.fields.Set("sec-fetch-site", "cross-site");
    EXPECT_EQ(browser_.Send(gateway_, link).status, 200);
  }
  http::Request form = browser_.NewRequest("POST", "/signout");
  form.fields.Set("sec-fetch-site", "cross-site");
  EXPECT_EQ(browser_.Send(gateway_, form).status, 400);
  form.fields.Remove("sec-fetch-site");
  form.fields.Set("origin", "https://sp.example");
  EXPECT_EQ(browser_.Send(gateway_, form).status, 400);
  EXPECT_TRUE(org_.ended.empty());
  EXPECT_EQ(browser_.cookies, cookies);
}

TEST_F(GatewayTest, RequestsThatCantBeAnsweredGetAPageAndNoRedirect) {
  const auto deflated = [](const std::string& xml) {
    return "SAMLRequest=" + http::PercentEncode(Base64Encode(AsBytes(saml::Deflate(xml))));
  };
  std::string foreign = RequestXml();
  foreign.replace(foreign.find("/mail</"), 5, "/evil");
  const std::pair<std::string, const char*> table[] = {
      {"SAMLRequest=%41", "SAML_REQUEST_MALFORMED"},
      {deflated("<a"), "SAML_REQUEST_MALFORMED"},
      {deflated("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" + RequestXml()),
       "SAML_REQUEST_MALFORMED"},
      {deflated(std::string(100'000, ' ') + RequestXml()), "SAML_REQUEST_MALFORMED"},
      {deflated(foreign), "SAML_UNKNOWN_SERVICE_PROVIDER"},
      {deflated(RequestXml(" AssertionConsumerServiceURL=\"https://evil.example/\"")),
       "SAML_ACS_NOT_REGISTERED"},
      {deflated(RequestXml()) + "&SAMLRequest=x", "SAML_REQUEST_MALFORMED"},
  };
  for (const auto& [query, code] : table) {
    for (const char* path : {"/app/mail/sso/saml?", "/sso/saml?"}) {
      const http::Response page = browser_.Get(gateway_, path + query);
      EXPECT_EQ(page.status, 400) << query;
      EXPECT_THAT(page.body, HasSubstr(code));
      EXPECT_EQ(Location(page), "");
    }
  }
  EXPECT_EQ(browser_.Get(gateway_, "/app/none/sso/saml").status, 404);
  EXPECT_EQ(browser_.Get(gateway_, "/nothing").status, 404);
}

TEST_F(GatewayTest, ADoctoredOrOldChallengeIsRefused) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  const std::string url = Location(browser_.Get(gateway_, SsoUrl()));
  std::string doctored = url;
  doctored.back() = doctored.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(browser_.Get(gateway_, doctored).status, 400);
  EXPECT_EQ(browser_.Get(gateway_, url.substr(0, url.find('?'))).status, 400);
  clock_.Set(kStart + kChallengeLifetime);
  EXPECT_EQ(browser_.Get(gateway_, url).status, 400);
}

}  // namespace
}  // namespace devicetrust::gateway
