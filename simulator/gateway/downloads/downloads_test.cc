#include "simulator/gateway/downloads/downloads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace devicetrust::gateway {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class DownloadsTest : public ::testing::Test {
 protected:
  DownloadsTest() {
    std::string name = (fs::temp_directory_path() / "downloads-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    fs::create_directories(folder_ / "agents/iwa");
    fs::create_directories(folder_ / "devicetrust");
    Write("devicetrust/dt-agent-1.4.1.msi", "0123456789");
    Write("devicetrust/dt-agent-1.10.0.msi", "newer");
    Write("agents/iwa/dt-iwa-1.12.2.exe", "iwa");
  }
  ~DownloadsTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& octets) {
    std::ofstream(folder_ / name, std::ios::binary) << octets;
  }
  http::Response Get(const std::string& path, const std::string& range = "",
                     const std::string& if_range = "", const std::string& if_none_match = "") {
    http::Request request;
    request.method = "GET";
    request.path = path;
    if (!range.empty()) request.fields.Set("range", range);
    if (!if_range.empty()) request.fields.Set("if-range", if_range);
    if (!if_none_match.empty()) request.fields.Set("if-none-match", if_none_match);
    return ServePackage(*packages_, request).value_or(http::Text(404, ""));
  }
  static std::string Octets(const http::Response& response) {
    return std::string(response.shared_body.octets);
  }
  void Open() { packages_ = std::make_unique<PackageFolder>(folder_.string(), 1 << 20); }
  std::vector<std::string> Listed() {
    std::vector<std::string> paths;
    for (const auto& package : ListedPackages(*packages_)) paths.push_back(package->path);
    return paths;
  }

  fs::path folder_;
  std::unique_ptr<PackageFolder> packages_;
};

TEST_F(DownloadsTest, PackagesAreListedNewestFirstAndServedByNameAndVersion) {
  Open();
  EXPECT_THAT(Listed(), ::testing::ElementsAre("/static/devicetrust/dt-agent-1.10.0.msi",
                                               "/static/devicetrust/dt-agent-1.4.1.msi",
                                               "/static/agents/iwa/dt-iwa-1.12.2.exe"));
  const http::Response whole = Get("/static/devicetrust/dt-agent-1.4.1.msi");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(Octets(whole), "0123456789");
  EXPECT_EQ(whole.fields.Find("content-type"), "application/octet-stream");
  EXPECT_EQ(whole.fields.Find("content-disposition"), "attachment");
  const std::string json = ListPackagesJson(*packages_).body;
  EXPECT_THAT(json, HasSubstr("\"version\":\"1.4.1\",\"extension\":\"msi\",\"size\":10,\"sha256\":"
                              "\"84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
                              "\""));
}

TEST_F(DownloadsTest, EarlyAccessIsForWhoHasTheAddress) {
  Write("devicetrust/dt-agent-1.10.0.msi.early", "");
  Open();
  EXPECT_THAT(ListPackagesJson(*packages_).body, Not(HasSubstr("1.10.0")));
  EXPECT_EQ(Octets(Get("/static/devicetrust/dt-agent-1.10.0.msi")), "newer");
  fs::remove(folder_ / "devicetrust/dt-agent-1.10.0.msi.early");
  packages_->Scan();
  EXPECT_EQ(Listed().front(), "/static/devicetrust/dt-agent-1.10.0.msi");
}

TEST_F(DownloadsTest, APartIsServedAlone) {
  Open();
  const std::string path = "/static/devicetrust/dt-agent-1.4.1.msi";
  const std::string etag(Get(path).fields.Find("etag").value_or(""));
  const auto part = [&](const std::string& range) {
    const http::Response response = Get(path, range);
    return std::to_string(response.status) + " " + Octets(response) + " " +
           std::string(response.fields.Find("content-range").value_or(""));
  };
  EXPECT_EQ(part("bytes=2-4"), "206 234 bytes 2-4/10");
  EXPECT_EQ(part("bytes=7-"), "206 789 bytes 7-9/10");
  EXPECT_EQ(part("bytes=7-99"), "206 789 bytes 7-9/10");
  EXPECT_EQ(part("bytes=-3"), "206 789 bytes 7-9/10");
  EXPECT_EQ(part("bytes=-99"), "206 0123456789 bytes 0-9/10");
  EXPECT_EQ(part("bytes=10-"), "416  bytes */10");
  EXPECT_EQ(part("bytes=-0"), "416  bytes */10");
  for (const char* range : {"bytes=4-2", "bytes=0-1,3-4", "bytes=a-", "octets=0-1", "bytes=-",
                            "bytes=99999999999999999999-"}) {
    EXPECT_EQ(part(range), "200 0123456789 ") << range;
  }
  // What has changed since is sent whole.
  EXPECT_EQ(Get(path, "bytes=0-1", etag).status, 206);
  EXPECT_EQ(Get(path, "bytes=0-1", "\"older\"").status, 200);
  EXPECT_EQ(Get(path, "", "", etag).status, 304);
}

TEST_F(DownloadsTest, NothingElseOfTheFolderOrOfTheMachineIsServed) {
  Write("secret-1.0.0.msi", "above");
  Write("devicetrust/notes.txt", "notes");
  Write("devicetrust/dt-agent-1.4.msi", "two numbers");
  Write("devicetrust/dt-agent-1.4.01.msi", "a zero");
  Write("devicetrust/.hidden-1.0.0.msi", "hidden");
  Write("devicetrust/empty-1.0.0.msi", "");
  Write("outside.txt", "outside");
  fs::create_symlink(folder_ / "outside.txt", folder_ / "devicetrust/link-1.0.0.msi");
  fs::create_directory(folder_ / "devicetrust/folder-1.0.0.msi");
  ASSERT_EQ(mkfifo((folder_ / "devicetrust/pipe-1.0.0.msi").c_str(), 0600), 0);
  Open();
  EXPECT_EQ(packages_->packages()->size(), 3U);
  for (const char* path :
       {"/static/devicetrust/notes.txt", "/static/devicetrust/link-1.0.0.msi",
        "/static/devicetrust/folder-1.0.0.msi", "/static/devicetrust/pipe-1.0.0.msi",
        "/static/devicetrust/../secret-1.0.0.msi", "/static/secret-1.0.0.msi", "/static/",
        "/static/devicetrust/dt-agent-1.10.0.msi.early", "/static/devicetrust/empty-1.0.0.msi"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
  // A folder that is a link leads nowhere.
  fs::rename(folder_ / "devicetrust", folder_ / "moved");
  fs::create_directory_symlink(folder_ / "moved", folder_ / "devicetrust");
  packages_->Scan();
  EXPECT_EQ(packages_->packages()->size(), 1U);
}

TEST_F(DownloadsTest, WhatChangesIsReadAgainAndWhatIsTooLargeIsLeftOut) {
  Open();
  const std::string path = "/static/devicetrust/dt-agent-1.4.1.msi";
  const http::Response before = Get(path);
  fs::remove(folder_ / "devicetrust/dt-agent-1.4.1.msi");
  Write("devicetrust/dt-agent-1.4.1.msi", "another");
  Write("devicetrust/huge-1.0.0.msi", std::string((1 << 20) + 1, 'x'));
  packages_->Scan();
  EXPECT_EQ(Octets(Get(path)), "another");
  EXPECT_NE(Get(path).fields.Find("etag"), before.fields.Find("etag"));
  EXPECT_EQ(Octets(before), "0123456789");  // Who is getting it gets it whole.
  EXPECT_EQ(Get("/static/devicetrust/huge-1.0.0.msi").status, 404);
  fs::remove(folder_ / "devicetrust/dt-agent-1.4.1.msi");
  packages_->Scan();
  EXPECT_EQ(Get(path).status, 404);
}

TEST(PackageNameTest, HasANameThreeNumbersAndAKind) {
  const auto name = ParsePackageName("dt-agent-1.4.10.deb");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->product, "dt-agent");
  EXPECT_EQ(name->version, (PackageVersion{1, 4, 10}));
  for (const char* bad : {"", "dt-agent", "dt-agent.msi", "-1.0.0.msi", "a-1.0.0", "a-1.0.0.zip",
                          "a-1.0.0.0.msi", "a-1.0.msi", "a-1.0.x.msi", "a-99999999999.0.0.msi",
                          "a/b-1.0.0.msi", "a b-1.0.0.msi", "a-1.0.0.MSI", "a-+1.0.0.msi"}) {
    EXPECT_FALSE(ParsePackageName(bad)) << bad;
  }
}

}  // namespace
}  // namespace devicetrust::gateway
