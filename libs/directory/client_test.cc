// The client against peers that misbehave. Against a directory that answers it is
// tested where one exists: simulator/forest/ldap.
#include "libs/directory/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "libs/testing/temp_folder.h"

namespace devicetrust::directory {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A listening socket whose connections the kernel accepts and nobody answers.
class SilentPeer {
 public:
  SilentPeer() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, any, size), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    EXPECT_EQ(getsockname(fd_, any, &size), 0);
    url_ = "ldaps://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~SilentPeer() { Close(); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  const std::string& url() const { return url_; }

 private:
  int fd_;
  std::string url_;
};

// A self-signed P-256 certificate made with `openssl req -x509`; signs nothing here.
constexpr char kSomeCa[] = R"(-----BEGIN CERTIFICATE-----
MIIBejCCAR+gAwIBAgIUT3V8LKuIwE6L5He40euVft+fb0cwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHc29tZSBDQTAeFw0yNjExMjQwODA5MTJaFw0zNjExMjEwODA5
MTJaMBIxEDAOBgNVBAMMB3NvbWUgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATkTUzZxQyKa0sl2kPQM4EVNOgYOLCcVnNp2kww5bqNYd5vsMraqBYsa0+X4Zml
7mXjKDqUrmsUJ0icuJHpzWBOo1MwUTAdBgNVHQ4EFgQUQO1TFhUr/kF1ixQ0qNS5
iE5FyrkwHwYDVR0jBBgwFoAUQO1TFhUr/kF1ixQ0qNS5iE5FyrkwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAzaSbsR0i34U6P5KwL+KbCfCroy4S
HX4iyuxJ4lRzB+UCIQDlf/jPt2cT20TMq+o0g/FZDQK9OF4Xug96m671GrBOyA==
-----END CERTIFICATE-----
)";

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    config_.url = peer_.url();
    config_.ca_file = folder_ / "ca.pem";
    std::ofstream(config_.ca_file) << kSomeCa;
    config_.domain = "corp.test";
    config_.bind_name = "svc@corp.test";
    config_.bind_password = "secret";
    config_.timeout = milliseconds{200};
  }
  std::unique_ptr<LdapDirectory> NewClient() { return LdapDirectory::Create(config_).value(); }

  testing::TempFolder folder_;
  SilentPeer peer_;
  Config config_;
};

TEST_F(ClientTest, NamesTheWrongSetting) {
  const auto refused = [this](const auto& spoil) {
    Config config = config_;
    spoil(config);
    const absl::Status status = LdapDirectory::Create(std::move(config)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_NE(refused([](Config& c) { c.url = "http://x"; }).find("http://x"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.ca_file = ""; }).find("CA file"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.domain = ""; }).find("domain"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.bind_password = ""; }).find("service account"),
            std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.timeout = milliseconds{0}; }).find("timeout"),
            std::string::npos);
}

// RFC 4513, 5.1.2: a name without a password is "success" to many directories.
TEST_F(ClientTest, RefusesImplausiblePasswordsWithoutAsking) {
  peer_.Close();
  const auto client = NewClient();
  const std::string_view with_nul("a\0b", 3);
  EXPECT_EQ(client->CheckPassword("ann@corp.test", "").value(), PasswordVerdict::kWrong);
  EXPECT_EQ(client->CheckPassword("", "secret").value(), PasswordVerdict::kWrong);
  EXPECT_EQ(client->CheckPassword("ann@corp.test", with_nul).value(), PasswordVerdict::kWrong);
  EXPECT_EQ(client->CheckPassword("ann@corp.test", std::string(1025, 'a')).value(),
            PasswordVerdict::kWrong);
}

TEST_F(ClientTest, SaysThatNobodyListens) {
  peer_.Close();
  const absl::Status status = NewClient()->CheckPassword("ann@corp.test", "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(config_.url), absl::string_view::npos);
}

// libldap's own timeouts do not end this: the handshake would hang for ever.
TEST_F(ClientTest, LeavesASilentPeerAtTheDeadline) {
  const auto client = NewClient();
  const auto begin = steady_clock::now();
  EXPECT_EQ(client->CheckPassword("ann@corp.test", "x").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client->FindUserBySid("S-1-5-21-1-2-3-4").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_LT(steady_clock::now() - begin, milliseconds{2000});
}

TEST_F(ClientTest, NamesACaFileThatCannotBeRead) {
  config_.ca_file = "/nonexistent/ca.pem";
  const absl::Status status = NewClient()->FindUserBySid("S-1-5-21-1-2-3-4").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("/nonexistent/ca.pem"), absl::string_view::npos);
}

TEST_F(ClientTest, RefusesAMalformedSid) {
  EXPECT_EQ(NewClient()->FindUserBySid("S-1-5-21)(cn=*").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::directory
