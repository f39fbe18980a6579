#include "libs/http/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include "libs/base/process.h"
#include "libs/base/run_task.h"
#include "libs/base/trace.h"
#include "libs/http/client.h"
#include "libs/http/metrics.h"
#include "libs/testing/no_descriptors.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

Task<Response> Echo(const Request& request) {
  if (request.path == "/split") {
    Response response = Text(200, "");
    response.fields.Set("x-bad", "a\r\nb: c");
    co_return response;
  }
  if (request.path == "/trace") {
    const std::string before = CurrentTrace();
    asio::steady_timer others_go_on(co_await asio::this_coro::executor, milliseconds(5));
    co_await others_go_on.async_wait(kAsTuple);
    co_return Text(200, before == CurrentTrace() ? before : "another one");
  }
  if (request.path == "/shared") {
    static const auto kLong = std::make_shared<const std::string>(std::size_t{8} << 20, 's');
    Response response;
    response.shared_body = {kLong, *kLong};
    co_return response;
  }
  if (request.path == "/peer") {
    co_return Text(200, request.connection.peer_address.to_string());
  }
  if (request.path == "/throw") throw std::runtime_error("a fault of the handler");
  if (request.path == "/csp") {
    Response response = Html(200, "");
    response.fields.Set("content-security-policy", "default-src 'self'");
    co_return response;
  }
  const Connection& connection = request.connection;
  co_return Text(200, request.method + " " + request.path + " " + request.body + " " +
                          connection.server_name + " " +
                          std::string(pki::Name(connection.peer_verdict)));
}

// A server on loopback and blocking clients.
class ServerTest : public ::testing::Test {
 protected:
  void Start(bool with_tls) {
    ListenerConfig listener;
    listener.address = "127.0.0.1:0";
    listener.flag = "--test-listen";
    listener.handler = [](const Request& request) { return Echo(request); };
    listener.refusal_page = refusal_page_;
    listener.limits = limits_;
    listener.close_always = close_always_;
    listener.header_proxies = header_proxies_;
    listener.client_address_field = "X-Forwarded-For";
    if (with_tls) listener.tls = NewTls();
    server_ = Server::Start({.listeners = {listener}, .threads = 2, .clock = &clock_}).value();
  }

  std::shared_ptr<const pki::TlsContext> NewTls() {
    return std::make_shared<const pki::TlsContext>(
        pki::TlsContext::ForServer(
            {.identity = Named("gateway.localhost"), .client_validator = validator_})
            .value());
  }

  pki::Identity Named(const std::string& name) {
    const pki::PrivateKey key = pki::PrivateKey::Generate().value();
    return {pki::SignCertificate({.common_name = name,
                                  .serial_hex = "02",
                                  .usage = pki::Usage::kServerAuth,
                                  .not_before = kStart,
                                  .not_after = kStart + std::chrono::days{365},
                                  .dns_names = {name}},
                                 key.public_key(), ca_)
                .value(),
            key};
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_->endpoint(0).port()); }

  // Sends octets over plain TCP; returns all that came back before the end.
  std::string Talk(std::string_view octets) {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(server_->endpoint(0));
    boost::system::error_code error;
    asio::write(socket, asio::buffer(octets.data(), octets.size()), error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }

  absl::StatusOr<ParsedResponse> Get(std::string target, const pki::Identity* identity = nullptr,
                                     std::string host = "gateway.localhost") {
    return RunTask(Fetch(
        {.address = address(), .host = std::move(host), .tls = &client_tls_, .identity = identity},
        {.target = std::move(target), .fields = {}, .body = {}}));
  }

  testing::SettableClock clock_{kStart};
  pki::Identity ca_ = throwaway::NewCa("CA", kStart);
  pki::Identity device_ = throwaway::NewIdentity("pc-1", pki::Usage::kClientAuth, ca_, kStart);
  std::shared_ptr<const pki::CertificateValidator> validator_ =
      pki::CertificateValidator::Create({ca_.certificate}, clock_).value();
  pki::TlsContext client_tls_ =
      pki::TlsContext::ForClient({.trusted = {ca_.certificate}, .clock = &clock_}).value();
  net::Networks header_proxies_;
  Limits limits_;
  RefusalPage refusal_page_;
  bool close_always_ = false;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, WorksOnEachRequestUnderATraceIdOfItsOwn) {
  Start(true);
  std::vector<std::string> seen(8);
  std::vector<std::thread> clients;
  for (std::string& trace : seen) {
    clients.emplace_back([&] { trace = Get("/trace")->body; });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& trace : seen) EXPECT_EQ(trace.size(), 32U) << trace;
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
}

TEST_F(ServerTest, MeasuresItsListener) {
  metrics::Counter& answered = kResponses.With({"test", "200"});
  const std::uint64_t before = answered.Value();
  Start(true);
  DT_ASSERT_OK(Get("/a"));
  EXPECT_THAT(Talk("GET / HTTP/9.9\r\n\r\n"), ::testing::Not(HasSubstr("200")));
  EXPECT_EQ(answered.Value(), before + 1);
  const std::string text = metrics::Exposition();
  for (const char* line : {"dt_http_connections_total{listener=\"test\"} 2\n",
                           "dt_http_handshakes_failed_total{listener=\"test\"} 1\n",
                           "dt_http_requests_refused_total{listener=\"test\"} 0\n",
                           "dt_http_connections_refused_total{listener=\"test\"} 0\n",
                           "dt_http_connections_evicted_total{listener=\"test\"} 0\n",
                           "dt_http_accept_failures_total{listener=\"test\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("dt_http_handshake_seconds_count{listener=\"test\"}"));
}

TEST_F(ServerTest, AnswersOverTlsWithTheVerdictOnTheCertificate) {
  Start(true);
  const auto trusted = Get("/a", &device_);
  DT_ASSERT_OK(trusted);
  EXPECT_EQ(trusted->body, "GET /a  gateway.localhost valid");
  const auto bare = Get("/a");
  DT_ASSERT_OK(bare);
  EXPECT_EQ(bare->body, "GET /a  gateway.localhost no_certificate");
  // The device CA's name and a broken signature: a page with the reason, not a cut
  // connection.
  Bytes der = device_.certificate.der();
  der.back() ^= 1;
  const pki::Identity forged{pki::Certificate::FromDer(der).value(), device_.key};
  const auto refused = Get("/a", &forged);
  DT_ASSERT_OK(refused);
  EXPECT_THAT(refused->body, ::testing::EndsWith(" bad_signature"));
}

TEST_F(ServerTest, NewConnectionsUseTheTlsSettingsOfTheMoment) {
  Start(true);
  const pki::Identity other = throwaway::NewCa("Other CA", kStart);
  const pki::Identity of_other =
      throwaway::NewIdentity("pc-2", pki::Usage::kClientAuth, other, kStart);
  // The hint names the first CA alone, so the client shows no certificate of the other.
  EXPECT_EQ(Get("/a", &of_other)->body, "GET /a  gateway.localhost no_certificate");
  validator_ = pki::CertificateValidator::Create({other.certificate}, clock_).value();
  server_->ReplaceTls(0, NewTls());
  EXPECT_EQ(Get("/a", &of_other)->body, "GET /a  gateway.localhost valid");
  EXPECT_EQ(Get("/a", &device_)->body, "GET /a  gateway.localhost no_certificate");
}

TEST_F(ServerTest, ServerNamesComeInLowerCase) {
  Start(true);
  const auto response = Get("/a", nullptr, "Gateway.LOCALHOST");
  DT_ASSERT_OK(response);
  EXPECT_THAT(response->body, HasSubstr(" gateway.localhost "));
}

TEST_F(ServerTest, ClientRefusesAServerOfAnotherName) {
  Start(true);
  DT_EXPECT_CODE(Get("/a", nullptr, "other.localhost"), kUnauthenticated);
}

TEST_F(ServerTest, SendsHygieneFieldsWithEveryAnswer) {
  Start(true);
  for (const char* target : {"/a", "/split", "/throw"}) {
    const auto response = Get(target);
    DT_ASSERT_OK(response);
    for (const char* name :
         {"content-security-policy", "strict-transport-security", "x-content-type-options",
          "referrer-policy", "cache-control", "date", "cross-origin-opener-policy"}) {
      EXPECT_EQ(response->fields.Count(name), 1U) << target << " " << name;
    }
    EXPECT_EQ(response->status, std::string_view(target) == "/a" ? 200 : 500);
    EXPECT_FALSE(response->fields.Find("b"));
  }
  EXPECT_EQ(Get("/csp")->fields.Find("content-security-policy"), "default-src 'self'");
}

TEST_F(ServerTest, PlainAnswersCarryNoHsts) {
  Start(false);
  const std::string answer = Talk("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"));
  EXPECT_THAT(answer, ::testing::Not(HasSubstr("strict-transport-security")));
}

// Attacks 8 and 9: an address in a field is a stranger's word, and may be none.
TEST_F(ServerTest, TakesAClientsAddressFromTheFieldOfAProxyAlone) {
  const auto ask = [this](std::string_view fields) {
    return Talk(
        fmt::format("GET /peer HTTP/1.1\r\nhost: a\r\n{}connection: close\r\n\r\n", fields));
  };
  Start(false);
  EXPECT_THAT(ask("x-forwarded-for: 192.0.2.7\r\n"), HasSubstr("\r\n\r\n127.0.0.1"));
  EXPECT_THAT(ask(""), HasSubstr("\r\n\r\n127.0.0.1"));
  server_.reset();

  header_proxies_ = net::Networks::Parse({"127.0.0.1"}, "--from").value();
  Start(false);
  EXPECT_THAT(ask("X-Forwarded-For: 192.0.2.7\r\n"), HasSubstr("\r\n\r\n192.0.2.7"));
  // The proxy adds its own word behind what the client wrote.
  EXPECT_THAT(ask("x-forwarded-for: 10.0.0.1, 2001:db8::7\r\n"), HasSubstr("\r\n\r\n2001:db8::7"));
  EXPECT_THAT(ask("x-forwarded-for: ::ffff:192.0.2.7\r\n"), HasSubstr("\r\n\r\n192.0.2.7"));
  for (const char* fields :
       {"", "x-forwarded-for:\r\n", "x-forwarded-for: 192.0.2.7,\r\n", "x-forwarded-for: a\r\n",
        "x-forwarded-for: 192.0.2.7:80\r\n", "x-forwarded-for: fe80::1%lo\r\n",
        "x-forwarded-for: 192.0.2.7\r\nx-forwarded-for: 192.0.2.8\r\n",
        "forwarded: for=192.0.2.7\r\n", "client-ip: 192.0.2.7\r\n"}) {
    EXPECT_THAT(ask(fields), StartsWith("HTTP/1.1 400")) << fields;
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  Start(false);
  const std::string answer = Talk(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\n"
      "Content-Length: 3\r\nConnection: close\r\n\r\nabcGET /3 HTTP/1.1\r\n");
  EXPECT_THAT(answer, HasSubstr("GET /1 "));
  EXPECT_THAT(answer, HasSubstr("POST /2 abc"));
  EXPECT_THAT(answer, ::testing::Not(HasSubstr("/3")));
}

// Whatever follows a refused request is never read as another one.
TEST_F(ServerTest, ClosesAfterEveryRefusal) {
  Start(false);
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::pair<std::string, std::string> table[] = {
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\nHost: h\n\n", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", "HTTP/1.1 413 "},
      {"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 501 "},
  };
  for (const auto& [request, status] : table) {
    const std::string answer = Talk(request + smuggled);
    EXPECT_THAT(answer, StartsWith(status));
    EXPECT_THAT(answer, HasSubstr("\r\nconnection: close\r\n"));
    EXPECT_THAT(answer, HasSubstr("content-security-policy: "));
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << answer;
  }
  EXPECT_EQ(server_->counters().requests, 0U);
  EXPECT_EQ(server_->counters().requests_refused, std::size(table));
}

// More than all connections may hold together: none holds it.
TEST_F(ServerTest, SendsASharedBodyFromWhereItIs) {
  limits_.memory_bytes_max = std::size_t{1} << 20;
  for (const bool with_tls : {false, true}) {
    Start(with_tls);
    const auto response = RunTask(Fetch({.address = address(),
                                         .host = "gateway.localhost",
                                         .tls = with_tls ? &client_tls_ : nullptr,
                                         .parser = {.body_bytes_max = std::size_t{16} << 20}},
                                        {.target = "/shared", .fields = {}, .body = {}}));
    DT_ASSERT_OK(response);
    EXPECT_EQ(response->body, std::string(std::size_t{8} << 20, 's'));
  }
  Start(false);
  const std::string head = Talk("HEAD /shared HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("content-length: 8388608\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST_F(ServerTest, HeadGetsTheLengthWithoutTheBody) {
  Start(false);
  const std::string answer = Talk("HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("content-length: 24\r\n"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, ClosesConnectionsThatStayBehind) {
  limits_.idle = limits_.request = limits_.handshake = milliseconds{50};
  Start(false);
  EXPECT_EQ(Talk(""), "");              // Idle.
  EXPECT_EQ(Talk("GET / HTTP/1"), "");  // Never finished.
  server_.reset();
  Start(true);
  EXPECT_EQ(Talk(""), "");  // No handshake.
  server_->Stop(milliseconds{1000});
  EXPECT_EQ(server_->counters().handshakes_failed, 1U);
}

TEST_F(ServerTest, MakesRoomForWhoSpeaksByClosingTheIdle) {
  limits_.connections_max = 2;  // One per thread.
  Start(false);
  asio::io_context io;
  std::vector<asio::ip::tcp::socket> open;
  for (int i = 0; i < 8; ++i) {
    open.emplace_back(io).connect(server_->endpoint(0));
    const std::string_view request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    asio::write(open.back(), asio::buffer(request.data(), request.size()));
    std::array<char, 12> answer{};
    asio::read(open.back(), asio::buffer(answer));
    EXPECT_EQ(std::string_view(answer.data(), answer.size()), "HTTP/1.1 200");
  }
  EXPECT_GE(server_->counters().connections_evicted, 6U);
  EXPECT_EQ(server_->counters().connections_refused, 0U);
}

TEST_F(ServerTest, ServesOnOnceThereAreDescriptorsAgain) {
  if (!testing::NoDescriptors::kPossible) GTEST_SKIP() << "the sanitizer needs descriptors";
  Start(true);
  asio::io_context io;
  asio::ip::tcp::socket waiting(io);
  waiting.open(asio::ip::tcp::v4());
  {
    const testing::NoDescriptors none;
    waiting.connect(server_->endpoint(0));
    while (server_->counters().accept_failures == 0) std::this_thread::yield();
  }
  DT_EXPECT_OK(Get("/a"));
}

TEST_F(ServerTest, SaysWhyItRefusesInWordsOrByThePageOfItsOwner) {
  Start(false);
  const std::string_view two_hosts = "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n";
  EXPECT_THAT(Talk(two_hosts), HasSubstr("400 Bad Request: exactly one Host is needed\n"));
  refusal_page_ = [](const Refusal& refusal) {
    return Html(200, "<p>" + std::string(refusal.reason) + "</p>");
  };
  Start(false);
  const std::string answer = Talk(two_hosts);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, HasSubstr("\r\nconnection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("<p>exactly one Host is needed</p>"));
}

TEST_F(ServerTest, AnswersHttp10WithoutAHostWhereOneSuffices) {
  const std::string_view request = "GET /a HTTP/1.0\r\n\r\n";
  Start(false);
  EXPECT_THAT(Talk(request), HasSubstr("400 Bad Request: exactly one Host is needed"));
  limits_.parser.host_optional = true;
  Start(false);
  EXPECT_THAT(Talk(request), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Talk("GET /a HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(ServerTest, ClosesAfterOneAnswerWhereAsked) {
  close_always_ = true;
  Start(false);
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string answer = Talk(get + get);
  EXPECT_THAT(answer, HasSubstr("connection: close"));
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
}

// What was sent behind the request stays unread, and must not cost the answer.
TEST_F(ServerTest, AnAnswerArrivesWhateverWasSentBehindItsRequest) {
  close_always_ = true;
  Start(false);
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect(server_->endpoint(0));
  const std::string sent = "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(100'000, 'x');
  asio::write(socket, asio::buffer(sent));
  socket.shutdown(asio::ip::tcp::socket::shutdown_send);
  std::string answer;
  boost::system::error_code end;
  asio::read(socket, asio::dynamic_buffer(answer), end);
  EXPECT_EQ(end, asio::error::eof) << end.message();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
}

TEST_F(ServerTest, NamesWhoHoldsThePort) {
  Start(false);
  ListenerConfig second;
  second.address = address();
  second.flag = "--org-listen";
  second.handler = [](const Request& request) { return Echo(request); };
  const auto taken = Server::Start({.listeners = {second}, .clock = &clock_});
  DT_EXPECT_CODE(taken, kFailedPrecondition);
  EXPECT_EQ(taken.status().message(),
            fmt::format("{} is in use by {} (pid {}); free it or choose another with --org-listen",
                        address(), ProcessName(::getpid()), ::getpid()));
  second.address = "8443";
  DT_EXPECT_CODE(Server::Start({.listeners = {second}, .clock = &clock_}), kInvalidArgument);
}

Task<int> TwoOnOneConnection(ClientOptions options) {
  const auto client = co_await Client::Connect(std::move(options));
  if (!client.ok()) co_return 0;
  int answered = 0;
  for (int i = 0; i < 2; ++i) {
    ClientRequest request;
    request.method = "POST";
    request.body = "abc";
    const auto response = co_await (*client)->Send(std::move(request));
    answered += response.ok() && response->body.starts_with("POST / abc") ? 1 : 0;
  }
  co_return answered;
}

TEST_F(ServerTest, ClientReusesItsConnection) {
  Start(true);
  EXPECT_EQ(RunTask(TwoOnOneConnection(
                {.address = address(), .host = "gateway.localhost", .tls = &client_tls_})),
            2);
  EXPECT_EQ(server_->counters().connections, 1U);
}

TEST_F(ServerTest, ClientSaysWhenNobodyAnswers) {
  Start(false);
  const std::string gone = address();
  server_.reset();
  DT_EXPECT_CODE(RunTask(Fetch({.address = gone, .host = "h"}, {})), kUnavailable);
}

TEST_F(ServerTest, DrainsWhatIsInHand) {
  Start(true);
  std::atomic<bool> go_on = true;
  std::atomic<int> broken = 0;
  std::vector<std::jthread> clients;
  std::atomic<int> answered = 0;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&] {
      while (go_on) {
        const auto response = Get("/a", &device_);
        if (response.ok()) ++answered;
        // After the drain: refused at the door; never half an answer.
        if (response.status().code() == absl::StatusCode::kDataLoss) ++broken;
      }
    });
  }
  while (answered < 40) std::this_thread::yield();
  server_->Stop(milliseconds{2000});
  go_on = false;
  clients.clear();
  EXPECT_EQ(broken, 0);
  EXPECT_EQ(server_->counters().handshakes_failed, 0U);
}

}  // namespace
}  // namespace devicetrust::http
