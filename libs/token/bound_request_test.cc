#include "libs/token/bound_request.h"

#include <gtest/gtest.h>

#include "libs/base/encoding.h"

namespace devicetrust::token {
namespace {

// From: python3 -c 'import hashlib,struct; p=lambda b: struct.pack(">I",len(b))+b;
//   print(hashlib.sha256(p(b"IssueUserToken")+p(b"iwa-1")+p(b"k"*43)+
//   p(hashlib.sha256(b"a.b.c").digest())).hexdigest())'
TEST(BoundRequestTest, AgreesWithPython) {
  const std::string key(43, 'k');
  EXPECT_EQ(HexEncode(BindingsOf({"IssueUserToken", "iwa-1", key, "a.b.c"})),
            "2fb5960d9fcada0ce033462649484509e442db02b89245516542987b5dd630d4");
  EXPECT_EQ(HexEncode(BindingsOf({"IssueDeviceToken", "iwa-1", key, ""})),
            "c1c610d31adaddfff8a1bc39dd114ce23ec4cc760b8a0b542ec0cf22463e3fb5");
}

TEST(BoundRequestTest, EveryPartCounts) {
  const Bytes base = BindingsOf({"m", "i", "k", "t"});
  EXPECT_NE(base, BindingsOf({"mi", "", "k", "t"}));
  EXPECT_NE(base, BindingsOf({"m", "i", "kt", ""}));
  EXPECT_NE(base, BindingsOf({"m", "i", "k", ""}));
  EXPECT_NE(base, BindingsOf({"m", "i", "k", "T"}));
}

}  // namespace
}  // namespace devicetrust::token
