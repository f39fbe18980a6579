#include <gtest/gtest.h>

#include "libs/directory/escape.h"
#include "libs/directory/sid.h"
#include "libs/directory/verdict.h"

namespace devicetrust::directory {
namespace {

TEST(EscapeTest, KeepsPlainNamesAndDisarmsTheRest) {
  EXPECT_EQ(EscapeFilterValue("ann.lee@corp.test"), "ann.lee@corp.test");
  EXPECT_EQ(EscapeFilterValue("PC-7$"), "PC-7$");
  EXPECT_EQ(EscapeFilterValue("*)(uid=*"), "\\2a\\29\\28uid=\\2a");
  EXPECT_EQ(EscapeFilterValue(std::string_view("a\0\\b", 4)), "a\\00\\5cb");
  EXPECT_EQ(EscapeFilterValue("Zo\xc3\xab"), "Zo\\c3\\ab");
  EXPECT_EQ(EscapeFilterBytes(Bytes{0x00, 0x61, 0xff}), "\\00\\61\\ff");
}

TEST(EscapeTest, NamesTheBaseOfADomain) {
  EXPECT_EQ(BaseNameOfDomain("corp.test"), "DC=corp,DC=test");
  EXPECT_EQ(BaseNameOfDomain("a,b"), "DC=a\\2cb");
}

// Bytes of a domain SID as samba's ldbsearch shows them.
TEST(SidTest, ConvertsBothWays) {
  const Bytes binary = {1, 5, 0, 0, 0, 0, 0,   5,   21,  0,   0,    0,    1, 0,
                        0, 0, 2, 1, 0, 0, 255, 255, 255, 255, 0x51, 0x04, 0, 0};
  EXPECT_EQ(SidToText(binary).value(), "S-1-5-21-1-258-4294967295-1105");
  EXPECT_EQ(SidFromText("S-1-5-21-1-258-4294967295-1105").value(), binary);
}

TEST(SidTest, RefusesWhatIsNotASid) {
  for (const std::string_view text :
       {"", "S-1-5", "S-1-", "S-2-5-21", "s-1-5-21", "S-1-5-21-", "S-1-5--21", "S-1-5-021",
        "S-1-5-21-4294967296", "S-1-281474976710656-1", "S-1-5-21 ", "S-1-5-21)(cn=*",
        "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"}) {
    EXPECT_EQ(SidFromText(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  for (const Bytes& binary :
       {Bytes{}, Bytes{1, 1, 0, 0, 0, 0, 0, 5}, Bytes{2, 1, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0},
        Bytes{1, 1, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 9}, Bytes{1, 0, 0, 0, 0, 0, 0, 5}}) {
    EXPECT_FALSE(SidToText(binary).ok());
  }
}

TEST(VerdictTest, ReadsActiveDirectorysSubCodes) {
  const auto verdict = [](std::string_view data) {
    const std::string text =
        "80090308: LdapErr: DSID-0C09050F, comment: AcceptSecurityContext error, data " +
        std::string(data) + ", v4563";
    return VerdictOfBind(49, text).value();
  };
  EXPECT_EQ(verdict("52e"), PasswordVerdict::kWrong);
  EXPECT_EQ(verdict("525"), PasswordVerdict::kWrong);
  EXPECT_EQ(verdict("533"), PasswordVerdict::kDisabled);
  EXPECT_EQ(verdict("775"), PasswordVerdict::kLocked);
  EXPECT_EQ(verdict("773"), PasswordVerdict::kMustChange);
  EXPECT_EQ(verdict("532"), PasswordVerdict::kMustChange);
  EXPECT_EQ(verdict("701"), PasswordVerdict::kExpired);
  EXPECT_EQ(verdict("530"), PasswordVerdict::kNotPermittedNow);
  EXPECT_EQ(verdict("5330"), PasswordVerdict::kWrong);  // Whole code, not a prefix.
}

TEST(VerdictTest, TellsOtherAnswersApart) {
  EXPECT_EQ(VerdictOfBind(0, "").value(), PasswordVerdict::kAccepted);
  EXPECT_EQ(VerdictOfBind(49, "").value(), PasswordVerdict::kWrong);
  EXPECT_EQ(VerdictOfBind(34, "invalid DN").value(), PasswordVerdict::kWrong);
  EXPECT_EQ(VerdictOfBind(8, "").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(VerdictOfBind(51, "").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(VerdictOfBind(2, "").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace devicetrust::directory
