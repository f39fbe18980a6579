#include "policy-engine/apps/png.h"

#include <gmock/gmock.h>

#include "libs/base/encoding.h"
#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

using ::testing::HasSubstr;

// 1 x 1, with a text chunk "Comment: hello"; written with Python's zlib.
constexpr std::string_view kWithText =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADXRFWHRDb21tZW50AGhlbGxv5v+uJAAAAAxJREFU"
    "eJxjEFAwAAAApABhNGZ9cgAAAABJRU5ErkJggg==";
// The same pixels without it.
constexpr std::string_view kPlain =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGMQUDAAAACkAGE0Zn1yAAAAAElFTkSu"
    "QmCC";
// 600 x 1.
constexpr std::string_view kWide =
    "iVBORw0KGgoAAAANSUhEUgAAAlgAAAABCAIAAACNGkedAAAAGElEQVR4nGMQUDAYRaNoFI2iUTSKRiwCAF7i4QH1"
    "/Zr0AAAAAElFTkSuQmCC";

Bytes Decode(std::string_view text) { return Base64Decode(text).value(); }

std::string WhyNot(const Bytes& image) { return std::string(CleanPng(image).status().message()); }

TEST(PngTest, KeepsPixelsAndNothingElse) {
  EXPECT_EQ(CleanPng(Decode(kPlain)).value(), Decode(kPlain));
  EXPECT_EQ(CleanPng(Decode(kWithText)).value(), Decode(kPlain));
  Bytes longer = Decode(kPlain);
  for (const char c : std::string_view("<script>alert(1)</script>")) {
    longer.push_back(static_cast<std::uint8_t>(c));
  }
  EXPECT_EQ(CleanPng(longer).value(), Decode(kPlain));
}

TEST(PngTest, RefusesWhatIsNone) {
  EXPECT_THAT(WhyNot({}), HasSubstr("does not begin as one"));
  const std::string_view svg = "<svg xmlns='http://www.w3.org/2000/svg'/>";
  EXPECT_THAT(WhyNot(Bytes(svg.begin(), svg.end())), HasSubstr("does not begin as one"));
  EXPECT_THAT(WhyNot(Decode(kWide)), HasSubstr("600 x 1 pixels"));
  EXPECT_THAT(WhyNot(Bytes(kLogoBytesMax + 1)), HasSubstr("at most 65536 are taken"));
  const Bytes whole = Decode(kPlain);
  for (std::size_t size = 8; size < whole.size(); ++size) {
    EXPECT_FALSE(CleanPng(std::span(whole).first(size)).ok()) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= 1;
    EXPECT_FALSE(CleanPng(damaged).ok()) << at;
  }
}

}  // namespace
}  // namespace devicetrust::policy
