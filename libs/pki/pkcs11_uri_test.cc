#include "libs/pki/pkcs11_uri.h"

#include <gtest/gtest.h>

#include <random>

#include "libs/base/encoding.h"
#include "libs/testing/status.h"

namespace devicetrust::pki {
namespace {

TEST(Pkcs11UriTest, ReadsTheExamplesOfTheStandard) {
  // RFC 7512, section 3, but for what names a library's version or holds a PIN.
  const auto first = ParsePkcs11Uri("pkcs11:object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD");
  DT_ASSERT_OK(first);
  EXPECT_EQ(first->object, "my-certificate");
  EXPECT_EQ(first->type, "cert");
  EXPECT_EQ(first->id, (Bytes{0x69, 0x95, 0x3e, 0x5c, 0xf4, 0xbd}));
  const auto token = ParsePkcs11Uri(
      "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;"
      "model=1.0;object=my-certificate;type=cert;serial=?pin-source=file:/etc/token_pin");
  DT_EXPECT_CODE(token, kInvalidArgument);  // "serial" is empty.
  const auto whole = ParsePkcs11Uri(
      "PKCS11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;"
      "model=1.0;serial=4242;slot-id=7;id=%01?pin-source=file:/etc/token_pin&"
      "module-path=/usr/lib/softhsm/libsofthsm2.so");
  DT_ASSERT_OK(whole);
  EXPECT_EQ(whole->token, "The Software PKCS#11 Softtoken");
  EXPECT_EQ(whole->manufacturer, "Snake Oil, Inc.");
  EXPECT_EQ(whole->model, "1.0");
  EXPECT_EQ(whole->serial, "4242");
  EXPECT_EQ(whole->slot_id, 7U);
  EXPECT_EQ(whole->pin_source, "/etc/token_pin");
  EXPECT_EQ(whole->module_path, "/usr/lib/softhsm/libsofthsm2.so");
  EXPECT_TRUE(whole->module_name.empty());
  DT_EXPECT_OK(ParsePkcs11Uri("pkcs11:"));
  EXPECT_EQ(ParsePkcs11Uri("pkcs11:id=%01?module-name=softhsm2")->module_name, "softhsm2");
}

struct BadUri {
  const char* name;
  const char* text;
  const char* named;  // What the message must say.
};
class BadPkcs11UriTest : public ::testing::TestWithParam<BadUri> {};

TEST_P(BadPkcs11UriTest, IsRefusedByName) {
  const auto uri = ParsePkcs11Uri(GetParam().text);
  DT_EXPECT_CODE(uri, kInvalidArgument);
  EXPECT_NE(uri.status().message().find(GetParam().named), std::string::npos) << uri.status();
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPkcs11UriTest,
    ::testing::Values(
        BadUri{"Scheme", "pkcs12:id=%01", "pkcs11:"}, BadUri{"Twice", "pkcs11:id=%01;id=%02", "id"},
        BadUri{"TwiceOverParts", "pkcs11:id=%01?id=%01", "id"},
        BadUri{"Unknown", "pkcs11:label=ca", "label"},
        BadUri{"UnknownQuery", "pkcs11:id=%01?pin=1", "pin"},
        BadUri{"Vendor", "pkcs11:id=%01;x-vendor=1", "x-vendor"},
        BadUri{"Pin", "pkcs11:id=%01?pin-value=1234", "pin-source=file:"},
        BadUri{"Command", "pkcs11:id=%01?pin-source=|cat", "pin-source"},
        BadUri{"RelativePin", "pkcs11:id=%01?pin-source=file:pin", "pin-source"},
        BadUri{"HostOfPin", "pkcs11:id=%01?pin-source=file://host/pin", "pin-source"},
        BadUri{"RelativeModule", "pkcs11:id=%01?module-path=m.so", "module-path"},
        BadUri{"PathAsName", "pkcs11:id=%01?module-name=../m", "module-name"},
        BadUri{"Blank", "pkcs11:token=my ca;id=%01", "token"},
        BadUri{"Percent", "pkcs11:id=%1", "id"}, BadUri{"Hex", "pkcs11:id=%0g", "id"},
        BadUri{"Nul", "pkcs11:token=a%00b", "token"}, BadUri{"Latin1", "pkcs11:token=%E4", "token"},
        BadUri{"Slot", "pkcs11:slot-id=-1", "slot-id"},
        BadUri{"LongSlot", "pkcs11:slot-id=99999999999999999999", "slot-id"},
        BadUri{"Type", "pkcs11:type=key", "type"}, BadUri{"Bare", "pkcs11:token", "token"},
        BadUri{"Empty", "pkcs11:token=", "token"}, BadUri{"End", "pkcs11:id=%01;", "missing"},
        BadUri{"EmptyQuery", "pkcs11:id=%01?", "missing"},
        BadUri{"QueryMarkInPath", "pkcs11:token=a/b", "token"}),
    [](const auto& bad) { return bad.param.name; });

TEST(Pkcs11UriTest, IsTheSameAfterItWasWritten) {
  std::mt19937 random(7);  // NOLINT: the same ones in each run.
  const auto text = [&random](bool path) {
    static constexpr std::string_view kLetters = "aZ9-._~ :[]@!$'()*+,=&;/?|%#\\\"\xc3\xa4";
    std::string made(path ? "/" : "x");
    for (auto i = random() % 8; i > 0; --i) {
      const auto at = random() % (kLetters.size() - 1);
      made += kLetters.substr(at, at + 2 == kLetters.size() ? 2 : 1);
    }
    return made;
  };
  for (int i = 0; i < 2000; ++i) {
    Pkcs11Uri uri;
    if (random() % 2 == 0) uri.token = text(false);
    if (random() % 2 == 0) uri.serial = text(false);
    if (random() % 2 == 0) uri.object = text(false);
    if (random() % 2 == 0) uri.slot_id = random();
    if (random() % 2 == 0) uri.type = "private";
    for (auto n = random() % 5; n > 0; --n) uri.id.push_back(static_cast<std::uint8_t>(random()));
    if (random() % 2 == 0) uri.module_path = text(true);
    if (random() % 2 == 0) uri.pin_source = text(true);
    const auto again = ParsePkcs11Uri(uri.ToString());
    if (!IsUtf8(uri.token + uri.serial + uri.object + uri.module_path + uri.pin_source)) continue;
    DT_ASSERT_OK(again);
    EXPECT_EQ(*again, uri) << uri.ToString();
    EXPECT_EQ(again->ToString(), uri.ToString());
  }
}

}  // namespace
}  // namespace devicetrust::pki
