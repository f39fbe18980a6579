#include "simulator/deployment/endpoints.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/base/files.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

Endpoints Sample() {
  Endpoints endpoints;
  endpoints.org_url = "https://org.localhost:8443";
  endpoints.browser_policy = R"({"AutoSelectCertificateForUrls":["{}"]})";
  endpoints.users = {{"Zoë <Q&A> Müller", "user1@corp.test", "Kq7-u2m", "ABCD", {"Staff"}}};
  endpoints.devices = {{"Zoë <Q&A> Müller", "enrolled", "c.pem", "c.key", "c.p12", "device",
                        "user1@corp.test", "PC0001$", "domain-joined Windows"},
                       {"Ada Lovelace", "none", "", "", "", ""}};
  endpoints.grpc["policy.internal"] = {"127.0.0.1:1", "policy.internal", "ca.pem", "a.pem",
                                       "a.key"};
  endpoints.keytabs["HTTP/iwa.corp.test@CORP.TEST"] = "iwa.keytab";
  endpoints.ldap_url = "ldaps://127.0.0.1:636";
  return endpoints;
}

TEST(EndpointsTest, TheFileHasItsFields) {
  const auto json = nlohmann::json::parse(ToJson(Sample()));
  EXPECT_EQ(json["users"][0]["name"], "Zoë <Q&A> Müller");
  EXPECT_EQ(json["devices"][0]["p12"], "c.p12");
  EXPECT_EQ(json["devices"][0]["principal"], "user1@corp.test");
  EXPECT_EQ(json["devices"][0]["computer"], "PC0001$");
  EXPECT_EQ(json["devices"][1]["state"], "none");
  EXPECT_FALSE(json["devices"][1].contains("computer"));
  EXPECT_FALSE(json["devices"][1].contains("cert_pem"));
  EXPECT_EQ(json["grpc"]["policy"]["internal"]["address"], "127.0.0.1:1");
  EXPECT_EQ(json["kerberos"]["keytabs"]["HTTP/iwa.corp.test@CORP.TEST"], "iwa.keytab");
  EXPECT_EQ(json["ldap"]["url"], "ldaps://127.0.0.1:636");
  EXPECT_TRUE(json["browser_policy"].is_object());
}

}  // namespace
}  // namespace devicetrust::simulator
