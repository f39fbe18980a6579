#include "libs/http/form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/http/message.h"
#include "libs/testing/status.h"

namespace devicetrust::http {
namespace {

TEST(FormTest, DecodesStrictly) {
  EXPECT_EQ(PercentDecode("a%20b+c%C3%A9", true).value(), "a b c\xc3\xa9");
  EXPECT_EQ(PercentDecode("a+b", false).value(), "a+b");
  for (const char* bad : {"%", "%4", "%4g", "%g4", "%00", "a%"}) {
    DT_EXPECT_CODE(PercentDecode(bad, true), kInvalidArgument);
  }
}

TEST(FormTest, EncodesWhatDecodesAgain) {
  std::string all;
  for (int i = 1; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(PercentDecode(PercentEncode(all), true).value(), all);
}

TEST(FormTest, KeepsRawOctetsAndRefusesDoubles) {
  const Parameters parameters = ParseParameters("a=1%2B&b=&c&a=2&d%65=x").value();
  EXPECT_EQ(parameters.all().front().raw_value, "1%2B");
  EXPECT_EQ(parameters.all().front().value, "1+");
  DT_EXPECT_CODE(parameters.Single("a"), kInvalidArgument);
  DT_EXPECT_CODE(parameters.Optional("a"), kInvalidArgument);
  DT_EXPECT_CODE(parameters.Single("none"), kInvalidArgument);
  EXPECT_EQ(parameters.Single("b").value(), "");
  EXPECT_EQ(parameters.Single("c").value(), "");
  EXPECT_EQ(parameters.Single("de").value(), "x");
  EXPECT_EQ(parameters.SingleOr("none", "x").value(), "x");
}

TEST(FormTest, RefusesWhatIsNoForm) {
  std::string many;
  for (std::size_t i = 0; i <= kParametersMax; ++i) many += "a=1&";
  for (const std::string& bad : {many, std::string("a b"), std::string("a=\xc3\xa9"),
                                 std::string("a=%"), std::string("a\0b", 3)}) {
    DT_EXPECT_CODE(ParseParameters(bad), kInvalidArgument);
  }
}

TEST(FormTest, FormNeedsItsContentType) {
  Request request;
  request.body = "a=1";
  DT_EXPECT_CODE(request.FormParameters(), kInvalidArgument);
  request.fields.Add("Content-Type", "Application/X-WWW-Form-URLencoded; charset=utf-8");
  EXPECT_EQ(request.FormParameters()->Single("a").value(), "1");
}

TEST(FormTest, ReadsCookiesAndTrustsNoDouble) {
  Request request;
  request.fields.Add("cookie", "a=1; b=\"q\"; c=3=4; =x; d; e=5; e=6");
  EXPECT_EQ(request.Cookie("a"), "1");
  EXPECT_EQ(request.Cookie("c"), "3=4");
  EXPECT_EQ(request.Cookie("b"), std::nullopt);
  EXPECT_EQ(request.Cookie("e"), std::nullopt);
  EXPECT_EQ(request.Cookie("d"), std::nullopt);
}

TEST(FormTest, FormatsCookies) {
  EXPECT_EQ(FormatCookie({.name = "__Host-s", .value = "v", .max_age_seconds = 0}),
            "__Host-s=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
}

TEST(FormTest, EscapesHtml) {
  EXPECT_EQ(EscapeHtml("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
}

}  // namespace
}  // namespace devicetrust::http
