#include "libs/qr/qr_code.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libs/testing/status.h"

namespace devicetrust::qr {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kUri =
    "otpauth://totp/Example%20Inc.:ada%40corp.test?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    "&issuer=Example%20Inc.&algorithm=SHA1&digits=6&period=30";

// What zbar reads in the code, drawn as a bitmap of four dots a module; empty without zbar.
std::string ReadByZbar(const QrCode& code) {
  constexpr int kDots = 4;
  constexpr int kQuiet = 4;
  const int side = (code.size + 2 * kQuiet) * kDots;
  const std::string path =
      std::filesystem::temp_directory_path() / ("qr-" + std::to_string(getpid()) + ".pbm");
  std::ofstream image(path);
  image << "P1\n" << side << " " << side << "\n";
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      image << (code.IsDark(x / kDots - kQuiet, y / kDots - kQuiet) ? "1 " : "0 ");
    }
    image << "\n";
  }
  image.close();
  std::string text;
  FILE* const reader = popen(("zbarimg -q --raw " + path + " 2>/dev/null").c_str(), "r");
  std::array<char, 256> block{};
  while (std::fgets(block.data(), block.size(), reader) != nullptr) text += block.data();
  pclose(reader);
  std::filesystem::remove(path);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

TEST(QrCodeTest, AForeignReaderReadsIt) {
  if (std::system("command -v zbarimg > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "zbarimg is not installed";
  }
  for (const std::string& text : {std::string(kUri), std::string(kTextBytesMax, 'x')}) {
    const auto code = MakeQrCode(text);
    DT_ASSERT_OK(code);
    EXPECT_EQ(ReadByZbar(*code), text);
  }
}

TEST(QrCodeTest, HoldsAtMostAThousandBytes) {
  DT_EXPECT_CODE(MakeQrCode(""), kInvalidArgument);
  DT_EXPECT_CODE(MakeQrCode(std::string(kTextBytesMax + 1, 'x')), kInvalidArgument);
}

// Both drawings have each dark module, and a quiet zone.
TEST(QrCodeTest, IsDrawnForPagesAndTerminals) {
  const QrCode code = MakeQrCode(kUri).value();
  int dark = 0;
  for (const bool one : code.dark) dark += one ? 1 : 0;
  const std::string svg = ToSvg(code);
  EXPECT_THAT(svg, StartsWith("<svg "));
  EXPECT_THAT(svg, HasSubstr("M4 4h7v1h-7z"));  // The first line of the finder at the corner.
  int drawn = 0;
  for (std::size_t at = svg.find('h', svg.find(" d=\"")); at != svg.npos;
       at = svg.find('h', at + 1)) {
    drawn += std::max(0, std::atoi(svg.c_str() + at + 1));
  }
  EXPECT_EQ(drawn, dark);

  const std::string text = ToTerminal(code);
  int halves = 0;
  for (std::size_t at = text.find('\xe2'); at != text.npos; at = text.find('\xe2', at + 1)) {
    halves += text[at + 2] == '\x88' ? 2 : 1;
  }
  EXPECT_EQ(halves, dark);
}

}  // namespace
}  // namespace devicetrust::qr
