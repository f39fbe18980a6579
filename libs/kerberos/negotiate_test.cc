#include "libs/kerberos/negotiate.h"

#include <gtest/gtest.h>

#include "libs/base/encoding.h"

// With a real KDC, and GSSAPI on the other side: simulator/forest/forests_test.cc.
namespace devicetrust::kerberos {
namespace {

// From: python3 -c 'import hashlib,struct; b=bytes(range(32));
//   print((struct.pack("<I",16)+hashlib.md5(bytes(16)+struct.pack("<I",32)+b).digest()+
//   struct.pack("<I",34)).hex())'
TEST(GssChecksumTest, AgreesWithPython) {
  Bindings bindings(32);
  for (std::size_t i = 0; i < bindings.size(); ++i) bindings[i] = static_cast<std::uint8_t>(i);
  const auto checksum = GssChecksum(bindings);
  ASSERT_TRUE(checksum);
  EXPECT_EQ(HexEncode(*checksum), "10000000d305c94e0c51cc38683bb85725b6f8f222000000");
}

// Encoded by another DER encoder, of five lines of Python.
TEST(NegTokenInitTest, CarriesTheApReqForKerberosAlone) {
  EXPECT_EQ(HexEncode(NegTokenInit(Bytes{0xaa, 0xbb})),
            "603006062b0601050502a0263024a00d300b06092a864886f712010202"
            "a2130411600f06092a864886f7120102020100aabb");
}

std::string ApRep(const std::string& hex) {
  const Bytes token = HexDecode(hex).value();
  const auto found = ApRepOf(token);
  return found ? HexEncode(*found) : "none";
}

const std::string kReply =
    "a1293027a0030a0100a10b06092a864886f712010202a2130411600f06092a864886f7120102020200ccdd";

TEST(ApRepOfTest, TakesTheCompletedAnswerOfKerberos) {
  EXPECT_EQ(ApRep(kReply), "ccdd");
  // With a MIC over the list of mechanisms.
  EXPECT_EQ(ApRep("a12e302ca0030a0100a10b06092a864886f712010202"
                  "a2130411600f06092a864886f7120102020200ccdda303040101"),
            "ccdd");
}

TEST(ApRepOfTest, TakesNothingElse) {
  const auto changed = [](std::size_t byte, const char* hex) {
    return std::string(kReply).replace(byte * 2, 2, hex);
  };
  EXPECT_EQ(ApRep(""), "none");
  EXPECT_EQ(ApRep(kReply + "00"), "none");
  EXPECT_EQ(ApRep(changed(8, "01")), "none");   // accept-incomplete.
  EXPECT_EQ(ApRep(changed(8, "02")), "none");   // reject.
  EXPECT_EQ(ApRep(changed(21, "03")), "none");  // User-to-user Kerberos.
  EXPECT_EQ(ApRep(changed(39, "03")), "none");  // KRB-ERROR instead of AP-REP.
  EXPECT_EQ(ApRep("a1073005a0030a0100"), "none");
  for (std::size_t size = 0; size < kReply.size(); size += 2) {
    EXPECT_EQ(ApRep(kReply.substr(0, size)), "none") << size;
  }
}

}  // namespace
}  // namespace devicetrust::kerberos
