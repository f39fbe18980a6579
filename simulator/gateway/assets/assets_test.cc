#include "simulator/gateway/assets/assets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulator/gateway/assets/asset_table.h"
#include "simulator/gateway/gateway_fixture.h"
#include "simulator/gateway/sso/app_page.h"

namespace devicetrust::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

http::Request Ask(std::string path, std::string_view encodings = "") {
  http::Request request;
  request.method = "GET";
  request.path = std::move(path);
  if (!encodings.empty()) request.fields.Set("accept-encoding", encodings);
  return request;
}

TEST(AssetsTest, AFileHasAnAddressThatIsKeptForGood) {
  const std::string url = AssetUrl("base.css");
  const http::Response response = ServeAsset(Ask(url));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.fields.Find("content-type"), "text/css; charset=utf-8");
  EXPECT_THAT(std::string(*response.fields.Find("cache-control")), HasSubstr("immutable"));
  EXPECT_EQ(response.shared_body.octets, AssetText("base.css"));
}

TEST(AssetsTest, ABrowserThatTakesGzipGetsIt) {
  const std::string url = AssetUrl("base.css");
  for (const std::string_view takes : {"gzip", "br, gzip", "gzip;q=0.5", "deflate,gzip ;q=1"}) {
    const http::Response response = ServeAsset(Ask(url, takes));
    EXPECT_EQ(response.fields.Find("content-encoding"), "gzip") << takes;
    EXPECT_TRUE(response.shared_body.octets.starts_with("\x1f\x8b")) << takes;
    EXPECT_LT(response.shared_body.octets.size(), AssetText("base.css").size() / 2);
    EXPECT_EQ(response.fields.Find("vary"), "accept-encoding");
  }
  for (const std::string_view not_it : {"br", "gzip;q=0", "gzip; q=0.0", "gzipped", "x-gzip"}) {
    EXPECT_FALSE(ServeAsset(Ask(url, not_it)).fields.Find("content-encoding")) << not_it;
  }
}

TEST(AssetsTest, AnotherReleasesAddressIsServedAndNotKept) {
  const http::Response response = ServeAsset(Ask("/assets/0123456789abcdef/base.css"));
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(response.fields.Find("cache-control"));
}

TEST(AssetsTest, WhatIsNotThereIsNotFound) {
  for (const char* path : {"/assets/", "/assets/base.css", "/assets//base.css/", "/assets/x/",
                           "/assets/x/../base.css", "/assets/x/base.cs"}) {
    EXPECT_EQ(ServeAsset(Ask(path)).status, 404) << path;
  }
}

TEST(AssetsTest, TheTableIsSortedAndWhole) {
  EXPECT_TRUE(std::ranges::is_sorted(AssetTable(), {}, &Asset::name));
  for (const Asset& asset : AssetTable()) EXPECT_FALSE(asset.plain.empty()) << asset.name;
}

class AssetsOfHostTest : public GatewayTest {};

TEST_F(AssetsOfHostTest, TheOrgHostServesFilesToGetAlone) {
  EXPECT_EQ(browser_.Get(gateway_, AssetUrl("tokens.css")).status, 200);
  EXPECT_EQ(browser_.Post(gateway_, AssetUrl("tokens.css"), "").status, 405);
}

TEST_F(AssetsOfHostTest, APageWithAScriptAllowsNothingButFilesOfTheOrgHost) {
  const http::Response page = RenderAppPage(
      gateway_.site, {.title = "<Console>", .script = "dom.js", .content = "<main></main>"});
  EXPECT_THAT(page.body, HasSubstr("<title>&lt;Console&gt; \xc2\xb7 acme</title>"));
  const std::string policy(*page.fields.Find("content-security-policy"));
  EXPECT_THAT(policy, HasSubstr("script-src https://org.localhost:8443/assets/;"));
  EXPECT_THAT(policy, HasSubstr("require-trusted-types-for 'script'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

}  // namespace
}  // namespace devicetrust::gateway
