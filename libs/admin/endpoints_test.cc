#include "libs/admin/endpoints.h"

#include <gtest/gtest.h>

#include "libs/base/files.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::admin {
namespace {

class FolderTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ / name;
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return path;
  }

  testing::TempFolder folder_;
};
class ReadEndpointsFileTest : public FolderTest {};
class LoadEndpointsTest : public FolderTest {};

constexpr std::string_view kListener =
    R"("internal":{"address":"127.0.0.1:1","server_name":"x","ca_pem":"-----BEGIN CA",)"
    R"("cert_pem":"admin.pem","key_pem":"-----BEGIN KEY"})";

std::string Document(std::string_view ca_listener) {
  return std::string(R"({"grpc":{"policy":{)") + std::string(kListener) + R"(},"ca":{)" +
         std::string(ca_listener) + "}}}";
}

TEST_F(ReadEndpointsFileTest, TakesPemInlineOrFromTheFileBeside) {
  Write("admin.pem", "-----BEGIN ADMIN");
  const auto endpoints = ReadEndpointsFile(Write("endpoints.json", Document(kListener)));
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  EXPECT_EQ(endpoints->org.address, "127.0.0.1:1");
  EXPECT_EQ(endpoints->ca.trust_pem, "-----BEGIN CA");
  EXPECT_EQ(endpoints->ca.certificate_pem, "-----BEGIN ADMIN");
}

TEST_F(ReadEndpointsFileTest, NamesWhatIsMissing) {
  Write("admin.pem", "-----BEGIN ADMIN");
  const auto none = ReadEndpointsFile(folder_ / "no-such.json");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  const auto no_json = ReadEndpointsFile(Write("text.json", "hello"));
  EXPECT_EQ(no_json.status().code(), absl::StatusCode::kInvalidArgument);
  const auto no_grpc = ReadEndpointsFile(Write("empty.json", "{}"));
  EXPECT_NE(no_grpc.status().message().find("\"grpc\""), absl::string_view::npos);
  const auto no_address =
      ReadEndpointsFile(Write("partial.json", Document(R"("internal":{"server_name":"x"})")));
  EXPECT_NE(no_address.status().message().find("grpc.ca.internal has no text member \"address\""),
            absl::string_view::npos)
      << no_address.status();
}

TEST_F(LoadEndpointsTest, NamesTheMissingFlag) {
  const auto endpoints = LoadEndpoints({.deployment_ca = "ca.pem"});
  EXPECT_NE(endpoints.status().message().find("--cert is missing"), absl::string_view::npos);
}

TEST_F(LoadEndpointsTest, RefusesAKeyThatOthersCanRead) {
  const std::string pem = Write("public.pem", "-----BEGIN");
  const std::string key = folder_ / "shared.key";
  ASSERT_TRUE(WriteFileAtomically(key, "-----BEGIN", 0644).ok());
  const auto endpoints = LoadEndpoints({.deployment_ca = pem, .certificate = pem, .key = key});
  EXPECT_EQ(endpoints.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(AdminName, IsThatOfTheCertificate) {
  throwaway::ThrowawayPki pki("acme", SystemClock().Now());
  EXPECT_EQ(AdminName(pki.Admin("ada").certificate.Pem()), "admin:ada");
  EXPECT_EQ(AdminName(pki.Component("ca").certificate.Pem()), "admin");
  EXPECT_EQ(AdminName("nonsense"), "admin");
}

}  // namespace
}  // namespace devicetrust::admin
