#include "libs/service/self_check.h"

#include <gmock/gmock.h>

#include <thread>

#include "libs/metrics/metrics.h"
#include "libs/pki/tls_context.h"
#include "libs/rpc/server_fixture.h"

namespace devicetrust::service {
namespace {

using ::testing::HasSubstr;

class SelfCheckTest : public rpc::ServerTest {
 protected:
  // Plain listener "web" and TLS listener "safe".
  std::unique_ptr<http::Server> StartHttp() {
    http::ServerConfig config;
    config.clock = &clock_;
    const auto tls = std::make_shared<const pki::TlsContext>(
        pki::TlsContext::ForServer({.identity = pki_.Server("safe", {"safe.test"})}).value());
    for (const bool safe : {false, true}) {
      http::ListenerConfig listener;
      listener.address = "127.0.0.1:0";
      listener.flag = safe ? "--safe-listen" : "--web-listen";
      if (safe) listener.tls = tls;
      listener.handler = [](const http::Request& /*request*/) -> Task<http::Response> {
        co_return http::Text(404, "nothing here\n");
      };
      config.listeners.push_back(std::move(listener));
    }
    return http::Server::Start(std::move(config)).value();
  }
  static std::string Answers(const std::string& listener, bool well) {
    return "dt_listener_answers{listener=\"" + listener + "\"} " + (well ? "1" : "0");
  }
  static void WaitFor(const std::string& reading) {
    while (metrics::Exposition().find(reading) == std::string::npos) std::this_thread::yield();
  }
  // Of the internal listener.
  std::string Health(const std::string& name) {
    if (channel_ == nullptr) channel_ = Channel(rpc::Pem(pki_.Component("policy")));
    rpc::RawCall call(channel_, "/grpc.health.v1.Health/Check");
    // 1: the service's name.
    return call.Exchange("\x0a" + std::string(1, static_cast<char>(name.size())) + name)
        .value_or("none");
  }

  static constexpr std::chrono::milliseconds kPause{10};
  static constexpr std::chrono::milliseconds kAnswer{2000};
  const std::string serving_ = "\x08\x01";
  const std::string not_serving_ = "\x08\x02";
  SystemClock clock_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(SelfCheckTest, AListenerThatNobodyReachesIsSeenAtTheOther) {
  Start(Edge());
  const std::unique_ptr<rpc::Server> edge = std::move(server_);
  Start(Internal());
  const SelfCheck check({edge.get(), server_.get()}, {}, kPause, kAnswer);
  while (Health("edge") != serving_) std::this_thread::yield();
  EXPECT_EQ(Health(""), serving_);
  edge->Stop();
  while (Health("edge") != not_serving_) std::this_thread::yield();
  while (Health("") != not_serving_) std::this_thread::yield();
  EXPECT_EQ(Health("internal"), serving_);
}

TEST_F(SelfCheckTest, SeesHttpListenersWithTlsAndWithout) {
  Start(Internal());
  const std::unique_ptr<http::Server> http = StartHttp();
  const SelfCheck check({server_.get()}, {http.get()}, kPause, kAnswer);
  WaitFor(Answers("web", true));
  WaitFor(Answers("safe", true));
  while (Health("safe") != serving_) std::this_thread::yield();
  http->Stop(std::chrono::milliseconds(0));
  WaitFor(Answers("web", false));
  WaitFor(Answers("safe", false));
  for (const char* name : {"web", "safe", ""}) {
    while (Health(name) != not_serving_) std::this_thread::yield();
  }
  EXPECT_EQ(Health("internal"), serving_);
}

TEST_F(SelfCheckTest, NeedsNoGrpc) {
  const std::unique_ptr<http::Server> http = StartHttp();
  const SelfCheck check({}, {http.get()}, kPause, kAnswer);
  WaitFor(Answers("safe", true));
}

}  // namespace
}  // namespace devicetrust::service
