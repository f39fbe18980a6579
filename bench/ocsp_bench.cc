// What an OCSP answer costs: from memory in process and over HTTP, and signed on the spot.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <vector>

#include "ca-service/migrations.h"
#include "ca-service/ocsp_endpoint.h"
#include "ca-service/ocsp_fixture.h"
#include "libs/http/server.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::ca {
namespace {

namespace asio = boost::asio;

constexpr int kCertificates = 10'000;
constexpr std::size_t kMemoryBytes = std::size_t{64} << 20;
constexpr std::size_t kUnlimited = 1'000'000;  // Signatures a second.

// A CA with kCertificates in its store, each of which was asked about once.
class Responder {
 public:
  Responder() {
    const Bytes der = issuer().certificate().der();
    const auto stored = database_->Write([&](db::Transaction& txn) -> absl::Status {
      for (int i = 0; i < kCertificates; ++i) {
        StoredCertificate certificate;
        certificate.serial = Serial(i);
        certificate.issuer_id = issuer().id();
        certificate.enrollment_id = certificate.serial;
        certificate.not_after = UnixSeconds(clock_.Now()) + 86'400;
        certificate.der = der;
        DT_RETURN_IF_ERROR(CertificateStore(txn).Insert(certificate));
      }
      return absl::OkStatus();
    });
    DT_CHECK(stored.ok());
    for (int i = 0; i < kCertificates; ++i) {
      requests_.push_back(OcspRequestAbout({CertIdOf(issuer().certificate(), Serial(i))}));
      DT_CHECK(Signed(requests_.back())->kind == OcspReply::Kind::kGood);
    }
  }

  OcspResponder& responder() { return *responder_; }
  const Clock& clock() const { return clock_; }
  const Bytes& request(std::size_t n) const { return requests_[n % requests_.size()]; }
  OcspResponder::Reply Signed(const Bytes& request) {
    std::promise<OcspResponder::Reply> made;
    responder_->Answer(pki::OcspRequest::Parse(request).value(),
                       [&](OcspResponder::Reply reply) { made.set_value(std::move(reply)); });
    return made.get_future().get();
  }
  Bytes WithNonce(std::uint8_t first) {
    return OcspRequestAbout({CertIdOf(issuer().certificate(), Serial(0))}, Bytes(32, first));
  }

 private:
  static std::string Serial(int number) { return fmt::format("4a{:036x}", number); }
  const Issuer& issuer() { return issuers_->Current()->active(); }

  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  pki::AeadKey kek_ = pki::AeadKey::Generate("kek", random_).value();
  std::unique_ptr<db::Database> database_ =
      db::Database::Open("sqlite:" + folder_ / "ca.db", Migrations()).value();
  std::unique_ptr<Issuers> issuers_ =
      Issuers::Open({"acme", kek_}, *database_, clock_, random_).value();
  std::unique_ptr<OcspDelegates> delegates_ =
      OcspDelegates::Start({"acme", kek_}, *database_, *issuers_, clock_, random_).value();
  std::unique_ptr<OcspResponder> responder_ =
      OcspResponder::Start(*database_, *delegates_, clock_,
                           {.memory_bytes_max = kMemoryBytes, .signatures_per_second = kUnlimited})
          .value();
  std::vector<Bytes> requests_;
};

// Request octets to answer octets.
void BM_OcspKept(benchmark::State& state) {
  Responder ca;
  std::size_t n = 0;
  for (auto _ : state) {
    const auto request = pki::OcspRequest::Parse(ca.request(n += 7919)).value();
    const auto reply = ca.responder().Kept(request);
    if (reply == nullptr) return state.SkipWithError("an answer was not kept");
    benchmark::DoNotOptimize(reply->der.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_OcspKept);

// A nonce in each: one after the other, through the responder's thread.
void BM_OcspSigned(benchmark::State& state) {
  Responder ca;
  const Bytes request = ca.WithNonce(7);
  for (auto _ : state) {
    const auto reply = ca.Signed(request);
    if (!reply->etag.empty()) return state.SkipWithError("an answer was not signed for it");
    benchmark::DoNotOptimize(reply->der.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_OcspSigned)->UseRealTime();

double CpuSeconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// By POST over so many connections that stay open, each with one request under way. The rate has
// the client's cost in it; answers_per_core is by the server's CPU time alone.
void BM_OcspOverHttp(benchmark::State& state) {
  Responder ca;
  http::ServerConfig config;
  config.clock = &ca.clock();
  http::ListenerConfig listener;
  listener.address = "127.0.0.1:0";
  listener.flag = "--http-listen";
  listener.handler = [&](const http::Request& request) {
    return AnswerOcsp(ca.responder(), ca.clock(), request);
  };
  listener.limits.requests_per_connection_max = std::size_t{1} << 40;
  config.listeners.push_back(std::move(listener));
  const auto server = http::Server::Start(std::move(config)).value();

  asio::io_context io;
  std::vector<asio::ip::tcp::socket> connections;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    connections.emplace_back(io).connect(server->endpoint(0));
    connections.back().set_option(asio::ip::tcp::no_delay(true));
  }
  std::size_t n = 0;
  std::string answer;
  const double all_before = CpuSeconds(RUSAGE_SELF);
  const double own_before = CpuSeconds(RUSAGE_THREAD);
  for (auto _ : state) {
    for (auto& connection : connections) {
      const Bytes& body = ca.request(n += 7919);
      asio::write(connection,
                  asio::buffer(fmt::format("POST /ocsp HTTP/1.1\r\nHost: pki.example.com\r\n"
                                           "Content-Type: application/ocsp-request\r\n"
                                           "Content-Length: {}\r\n\r\n{}",
                                           body.size(), ToString(body))));
    }
    for (auto& connection : connections) {
      answer.clear();
      const std::size_t head =
          asio::read_until(connection, asio::dynamic_buffer(answer), "\r\n\r\n");
      if (!answer.starts_with("HTTP/1.1 200")) return state.SkipWithError("not 200");
      const std::size_t size = std::stoul(answer.substr(answer.find("content-length: ") + 16));
      if (answer.size() < head + size) {
        asio::read(connection, asio::dynamic_buffer(answer),
                   asio::transfer_exactly(head + size - answer.size()));
      }
    }
  }
  const auto answers = static_cast<double>(state.iterations() * state.range(0));
  const double server_cpu =
      CpuSeconds(RUSAGE_SELF) - all_before - (CpuSeconds(RUSAGE_THREAD) - own_before);
  state.counters["answers_per_core"] = answers / server_cpu;
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_OcspOverHttp)->Arg(1)->Arg(16)->UseRealTime();

}  // namespace
}  // namespace devicetrust::ca
