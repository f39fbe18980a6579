#include "libs/http/tunnel.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/testing/status.h"

namespace devicetrust::http {
namespace {

absl::Status AfterStatusLine(const std::string& line) {
  return CheckTunnelAnswer(line + "\r\nVia: proxy\r\n\r\n");
}

TEST(TunnelAnswerTest, OpensWithEvery2xx) {
  DT_EXPECT_OK(AfterStatusLine("HTTP/1.1 200 Connection established"));
  DT_EXPECT_OK(AfterStatusLine("HTTP/1.0 200"));
  DT_EXPECT_OK(AfterStatusLine("HTTP/1.1 299 "));
}

TEST(TunnelAnswerTest, IsRefusedForGoodByWhatTheProxyForbids) {
  for (const char* line : {"HTTP/1.1 403 Forbidden", "HTTP/1.1 400 Bad Request",
                           "HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 404"}) {
    const absl::Status refused = AfterStatusLine(line);
    DT_EXPECT_CODE(refused, kPermissionDenied);
    EXPECT_EQ(refused.message(), std::string(line).substr(9));
  }
}

TEST(TunnelAnswerTest, SaysWhereTheProxysPasswordBelongs) {
  const absl::Status refused = AfterStatusLine("HTTP/1.1 407 Proxy Authentication Required");
  DT_EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_NE(refused.message().find("HttpProxy=http://USER:PASSWORD@HOST:PORT"), std::string::npos);
}

TEST(TunnelAnswerTest, IsAskedForAgainWhereTheProxyOrItsNetworkAils) {
  for (const char* line :
       {"HTTP/1.1 500 Internal Server Error", "HTTP/1.1 502 Bad Gateway", "HTTP/1.1 503",
        "HTTP/1.1 504 Gateway Timeout", "HTTP/1.1 511 Network Authentication Required",
        "HTTP/1.1 408 Request Timeout", "HTTP/1.1 429 Too Many Requests", "HTTP/1.1 302 Found",
        "HTTP/1.1 100 Continue", "HTTP/1.1 999 ?", "HTTP/1.1 000 ?"}) {
    DT_EXPECT_CODE(AfterStatusLine(line), kUnavailable);
  }
  for (const char* no_http : {"", "SSH-2.0-OpenSSH_9.2", "HTTP/2 200 OK", "HTTP/1.1 2000 OK",
                              "HTTP/1.1 20", "HTTP/1.1  200 OK", "HTTP/1.x 200 OK", "<html>"}) {
    DT_EXPECT_CODE(AfterStatusLine(no_http), kUnavailable);
  }
}

TEST(TunnelAnswerTest, HasAnEnd) {
  DT_EXPECT_CODE(CheckTunnelAnswer("HTTP/1.1 200 OK\r\nVia: proxy\r\n"), kUnavailable);
  DT_EXPECT_CODE(CheckTunnelAnswer("HTTP/1.1 200 OK" + std::string(kTunnelAnswerMax, 'a')),
                 kUnavailable);
}

TEST(TunnelAnswerTest, TellsTerminalsNothing) {
  const absl::Status refused =
      AfterStatusLine("HTTP/1.1 403 \x1b[2J\xc2\x9b\n" + std::string(500, 'a'));
  EXPECT_EQ(refused.message().substr(0, 12), "403 ?[2J???a");
  EXPECT_EQ(refused.message().size(), 80u);
}

}  // namespace
}  // namespace devicetrust::http
