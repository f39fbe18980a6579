#include "iwa/web_config.h"

#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"

namespace devicetrust::iwa {
namespace {

// As the reference has administrators write it, with both bindings.
constexpr const char* kGood = R"(<?xml version="1.0"?>
<configuration>
<system.serviceModel>
<bindings><webHttpBinding>
<binding name="SecureBindingForDeviceTrust">
<security mode="Transport">
<transport clientCredentialType = "Windows" proxyCredentialType="Windows"/>
</security></binding>
<binding name="HttpBindingForDeviceTrust">
<security mode="TransportCredentialOnly">
<transport clientCredentialType = "Windows" proxyCredentialType="Windows"/>
</security></binding>
</webHttpBinding></bindings>
<services>
<service name="SSO.DeviceTrust" behaviorConfiguration="SSO.DeviceTrustBehavior">
<endpoint binding="webHttpBinding" bindingConfiguration="SecureBindingForDeviceTrust"/>
</service>
</services>
<behaviors><serviceBehaviors>
<behavior name="SSO.DeviceTrustBehavior">
<serviceMetadata httpGetEnabled="false"/>
<serviceDebug includeExceptionDetailInFaults="false"/>
<serviceCredentials>
<windowsAuthentication allowAnonymousLogons="False" includeWindowsGroups="True"/>
</serviceCredentials></behavior>
</serviceBehaviors></behaviors>
</system.serviceModel>
<system.webServer><security>
<access sslFlags="Ssl, SslNegotiateCert"/>
<authentication><anonymousAuthentication enabled="false"/></authentication>
</security></system.webServer>
</configuration>
)";

std::string With(const std::string& what, const std::string& instead) {
  std::string text = kGood;
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), instead);
  return text;
}

// "LINE: what", of the one fault that there is.
std::string Fault(const std::string& text, const std::string& site = "https") {
  const WebConfigReport report = CheckWebConfig(text, site);
  EXPECT_EQ(report.faults.size(), 1u) << text;
  if (report.faults.empty()) return {};
  EXPECT_FALSE(report.faults[0].remedy.empty());
  return std::to_string(report.faults[0].line) + ": " + report.faults[0].what;
}

TEST(WebConfigTest, TellsWhichBindingItEnables) {
  const WebConfigReport https = CheckWebConfig(kGood, "https");
  EXPECT_EQ(https.binding, "https");
  EXPECT_TRUE(https.faults.empty());
  const std::string http = With("Configuration=\"SecureBinding", "Configuration=\"HttpBinding");
  EXPECT_EQ(CheckWebConfig(http, "http").binding, "http");
  EXPECT_TRUE(CheckWebConfig(http, "http").faults.empty());
}

TEST(WebConfigTest, TheBindingFitsTheSite) {
  EXPECT_EQ(Fault(kGood, "http"),
            "16: binding \"SecureBindingForDeviceTrust\" is for https, and the site is reached by "
            "http");
  const std::string http = With("Configuration=\"SecureBinding", "Configuration=\"HttpBinding");
  EXPECT_EQ(Fault(http),
            "16: binding \"HttpBindingForDeviceTrust\" is for http, and the site is reached by "
            "https");
  EXPECT_EQ(Fault(With("Configuration=\"SecureBinding", "Configuration=\"NoBinding")),
            "16: no binding is named \"NoBindingForDeviceTrust\"");
  EXPECT_EQ(Fault(With(" bindingConfiguration=\"SecureBindingForDeviceTrust\"", "")),
            "16: the endpoint names no bindingConfiguration");
}

TEST(WebConfigTest, NamesTheLineThatIsNotWellFormed) {
  EXPECT_EQ(Fault(With("</services>", "</service>")).substr(0, 20), "18: not well-formed:");
  EXPECT_EQ(Fault("").substr(0, 2), "1:");
  EXPECT_EQ(Fault("<web/>"), "1: the root element is <web>");
  EXPECT_EQ(Fault("<!DOCTYPE a [<!ENTITY b \"c\">]><configuration/>"),
            "1: the file declares a document type");
  EXPECT_EQ(Fault(std::string(kWebConfigBytesMax + 1, ' ')), "1: the file is longer than 256 KiB");
  EXPECT_EQ(Fault("<configuration/>"), "1: <system.serviceModel> is missing");
}

TEST(WebConfigTest, MetadataExceptionsAndAnonymousAreOffAndGroupsOn) {
  EXPECT_EQ(Fault(With("httpGetEnabled=\"false\"", "httpGetEnabled=\"true\"")).substr(0, 40),
            "21: httpGetEnabled=\"true\" of <serviceMet");
  EXPECT_EQ(Fault(With("InFaults=\"false\"", "InFaults=\"True\"")).substr(0, 3), "22:");
  EXPECT_EQ(Fault(With("Logons=\"False\"", "Logons=\"maybe\"")).substr(0, 3), "24:");
  EXPECT_EQ(Fault(With("Groups=\"True\"", "Groups=\"False\"")).substr(0, 3), "24:");
  EXPECT_EQ(Fault(With("Authentication enabled=\"false\"", "Authentication enabled=\"true\"")),
            "30: enabled=\"true\" of <anonymousAuthentication>: nobody must be let in without a "
            "name");
  EXPECT_EQ(Fault(With("Ssl, Ssl", "Ssl")),
            "29: sslFlags=\"SslNegotiateCert\" does not require SSL");
}

TEST(WebConfigTest, TheMetadataEndpointGoesWithHttpAlone) {
  const std::string mex = R"(<endpoint address="mex" binding="mexHttpBinding"/></service>)";
  EXPECT_EQ(Fault(With("</service>", mex)),
            "17: the metadata endpoint (mex) goes with the HTTP binding alone");
  const std::string http = absl::StrReplaceAll(
      With("</service>", mex), {{"Configuration=\"SecureBinding", "Configuration=\"HttpBinding"}});
  EXPECT_TRUE(CheckWebConfig(http, "http").faults.empty());
}

TEST(WebConfigTest, EachCallerSaysWhoItIs) {
  EXPECT_EQ(Fault(With("mode=\"Transport\"", "mode=\"None\"")),
            "6: security mode \"None\" asks nobody who they are");
  EXPECT_EQ(Fault(With("Type = \"Windows\"", "Type = \"Basic\"")),
            "7: clientCredentialType=\"Basic\" is not Windows authentication");
  EXPECT_EQ(Fault(With("name=\"SSO.DeviceTrust\"", "name=\"SSO\"")),
            "3: no <service> is Device Trust's");
  EXPECT_EQ(Fault(With("behavior name=\"SSO", "behavior name=\"Other")),
            "15: no service behavior is named \"SSO.DeviceTrustBehavior\"");
}

}  // namespace
}  // namespace devicetrust::iwa
