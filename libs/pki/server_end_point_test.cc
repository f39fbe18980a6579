#include "libs/pki/server_end_point.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::pki {
namespace {

// RFC 5929, section 4.1, with certificates that OpenSSL makes and hashes.
TEST(ServerEndPointTest, IsTheHashThatTheSignatureUsesAndNoWeakOne) {
  const testing::TempFolder folder;
  struct Row {
    const char* key;
    const char* signed_with;
    const char* hashed_with;
  };
  for (const Row& row : {Row{"ec:P-256", "sha256", "sha256"}, Row{"ec:P-384", "sha384", "sha384"},
                         Row{"rsa:2048", "sha512", "sha512"}, Row{"rsa:2048", "sha1", "sha256"},
                         Row{"ed25519", "", "sha256"}}) {
    const std::string name = row.key;
    std::string key = " -newkey " + name;
    if (name.starts_with("ec:")) key = " -newkey ec -pkeyopt ec_paramgen_curve:" + name.substr(3);
    const std::string command =
        "cd " + folder.path() +
        " && openssl req -x509 -nodes -subj /CN=x -keyout k.pem -out c.pem" + key +
        (*row.signed_with == 0 ? "" : std::string(" -") + row.signed_with) +
        " 2>/dev/null && openssl x509 -in c.pem -outform DER | openssl dgst -r -" +
        row.hashed_with + " | cut -d' ' -f1 >hash";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const auto certificate = Certificate::FromPem(ReadFile(folder / "c.pem").value());
    DT_ASSERT_OK(certificate);
    EXPECT_EQ(HexEncode(ServerEndPoint(*certificate)) + "\n", ReadFile(folder / "hash").value())
        << row.key << " " << row.signed_with;
  }
}

}  // namespace
}  // namespace devicetrust::pki
