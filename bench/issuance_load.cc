// How fast dt-ca issues: real dt-ca and dt-policy as processes, certificates through gRPC, each
// durable in SQLite before its answer; or, with --cfssl, cfssl with the same requests.
// Keys, tokens and requests are made before the clock runs, so that this program costs little.
// Used by issuance_vs_cfssl.
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/deadline.h"
#include "libs/base/encoding.h"
#include "libs/base/task.h"
#include "libs/http/client.h"
#include "libs/pki/certificate.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/service/command_line.h"
#include "libs/throwaway/throwaway_pki.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "tests/test_deployment.h"

namespace devicetrust::bench {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kCallMax{30'000};
constexpr int kCryptoRounds = 2000;
constexpr int kPeople = 1000;

struct Options {
  int certificates = 10'000;
  int callers = 32;
  int channels = 8;
  std::string cfssl;  // host:port; empty: dt-ca.
  int cfssl_pid = 0;
};

struct Result {
  double seconds = 0;
  double server_cpu_us = 0;  // Of the CA's process, for each certificate.
  double org_cpu_us = 0;
  int failed = 0;
  std::string first_error;
};

double CpuSeconds(int pid) {
  double total = 0;
  std::error_code ignored;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), ignored)) {
    std::ifstream file(task.path() / "schedstat");
    double nanoseconds = 0;
    if (file >> nanoseconds) total += nanoseconds / 1e9;
  }
  return total;
}

double SecondsSince(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

struct Work {
  std::vector<ca::v1::EnrollRequest> requests;
  std::atomic<std::size_t> next{0};
  std::atomic<int> failed{0};
  std::mutex mutex;
  std::string first_error;

  void Fail(const std::string& why) {
    if (failed++ == 0) {
      const std::lock_guard lock(mutex);
      first_error = why;
    }
  }
};

void MakeRequests(Work& work, tests::TestDeployment& deployment, int count) {
  for (int i = 0; i < count; ++i) {
    const auto key = pki::PrivateKey::Generate().value();
    ca::v1::EnrollRequest& request = work.requests.emplace_back();
    request.set_user_token(deployment.UserToken(i % kPeople, key.public_key()).value());
    const Bytes csr = pki::BuildCsr("pc", key).value();
    request.set_csr_der(std::string(csr.begin(), csr.end()));
  }
}

Result RunCa(const Options& options) {
  auto created = tests::TestDeployment::Create(kPeople).value();
  tests::TestDeployment& deployment = *created;
  ca::Config config = deployment.CaConfig();
  config.account_calls_per_minute = 1'000'000;
  const auto must = [](const absl::Status& status) {
    if (status.ok()) return;
    std::cerr << "dt_issuance_load: " << status << '\n';
    std::exit(1);
  };
  must(deployment.StartPolicy());
  must(deployment.StartCa(config));
  must(deployment.SetUpOrg());
  Work work;
  MakeRequests(work, deployment, options.certificates + options.callers);
  std::vector<std::unique_ptr<ca::v1::EnrollmentService::Stub>> stubs;
  for (int i = 0; i < options.channels; ++i) {
    stubs.push_back(ca::v1::EnrollmentService::NewStub(deployment.CaEdge()));
  }
  const auto run = [&](int number, std::size_t end) {
    auto& stub = *stubs[static_cast<std::size_t>(number) % stubs.size()];
    for (std::size_t i; (i = work.next++) < end;) {
      const auto answer =
          rpc::Call(stub, &ca::v1::EnrollmentService::Stub::Enroll, work.requests[i], kCallMax);
      if (!answer.ok()) work.Fail(answer.status().ToString());
    }
  };
  const auto run_all = [&](std::size_t end) {
    std::vector<std::thread> threads;
    for (int i = 0; i < options.callers; ++i) threads.emplace_back(run, i, end);
    for (auto& thread : threads) thread.join();
    work.next = end;
  };
  run_all(static_cast<std::size_t>(options.callers));  // Connects, fetches keys.
  const double ca_before = CpuSeconds(deployment.ca().child().pid());
  const double org_before = CpuSeconds(deployment.policy().child().pid());
  const auto start = Steady::now();
  run_all(work.requests.size());
  Result result;
  result.seconds = SecondsSince(start);
  result.server_cpu_us =
      (CpuSeconds(deployment.ca().child().pid()) - ca_before) * 1e6 / options.certificates;
  result.org_cpu_us =
      (CpuSeconds(deployment.policy().child().pid()) - org_before) * 1e6 / options.certificates;
  result.failed = work.failed;
  result.first_error = work.first_error;
  return result;
}

Task<void> AskCfssl(const Options& options, const std::vector<std::string>& bodies, Work& work) {
  http::ClientOptions to;
  to.address = options.cfssl;
  to.host = "localhost";
  std::unique_ptr<http::Client> client;
  for (std::size_t i; (i = work.next++) < bodies.size();) {
    if (client == nullptr || !client->reusable()) {
      auto connected = co_await http::Client::Connect(to);
      if (!connected.ok()) {
        work.Fail(connected.status().ToString());
        continue;
      }
      client = *std::move(connected);
    }
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/api/v1/cfssl/sign";
    request.body = bodies[i];
    const auto answer = co_await client->Send(std::move(request));
    if (!answer.ok()) {
      work.Fail(answer.status().ToString());
      client = nullptr;
    } else if (answer->status != 200) {
      work.Fail(answer->body);
    }
  }
}

Result RunCfssl(const Options& options) {
  std::vector<std::string> bodies;
  for (int i = 0; i < options.certificates; ++i) {
    const auto key = pki::PrivateKey::Generate().value();
    const Bytes csr = pki::BuildCsr("pc", key).value();
    const std::string encoded = Base64Encode(csr);
    std::string pem = "-----BEGIN CERTIFICATE REQUEST-----\n";
    for (std::size_t at = 0; at < encoded.size(); at += 64) pem += encoded.substr(at, 64) + "\n";
    pem += "-----END CERTIFICATE REQUEST-----\n";
    bodies.push_back(nlohmann::json{{"certificate_request", pem}, {"hosts", {"pc"}}}.dump());
  }
  Work work;
  boost::asio::io_context io;
  const double before = CpuSeconds(options.cfssl_pid);
  const auto start = Steady::now();
  for (int i = 0; i < options.callers; ++i) {
    boost::asio::co_spawn(io, AskCfssl(options, bodies, work), boost::asio::detached);
  }
  io.run();
  Result result;
  result.seconds = SecondsSince(start);
  result.server_cpu_us = (CpuSeconds(options.cfssl_pid) - before) * 1e6 / options.certificates;
  result.failed = work.failed;
  result.first_error = work.first_error;
  return result;
}

// CPU time, as the services' is.
double MicrosecondsOfOne(const auto& what) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  };
  const double start = now();
  for (int i = 0; i < kCryptoRounds; ++i) what();
  return (now() - start) / kCryptoRounds;
}

// The cryptography that no CA of this kind can do without: CSR and token verified, one signature.
double BareCryptographyUs() {
  const auto key = pki::PrivateKey::Generate().value();
  const auto authority = pki::PrivateKey::Generate().value();
  const Bytes content(600, 7);
  const Bytes signature = authority.Sign(content).value();
  const pki::PublicKey verifier = authority.public_key();
  const double verify = MicrosecondsOfOne([&] {
    if (!verifier.Verify(content, signature)) std::abort();
  });
  const double sign = MicrosecondsOfOne([&] {
    if (!authority.Sign(content).ok()) std::abort();
  });
  return 2 * verify + sign;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Issues certificates by dt-ca, or by a cfssl that serves, and says what each costs");
  app.add_option("--certificates", options.certificates, "How many")
      ->check(CLI::Range(100, 200'000));
  app.add_option("--callers", options.callers, "How many ask at once")->check(CLI::Range(1, 512));
  app.add_option("--channels", options.channels, "gRPC connections")->check(CLI::Range(1, 64));
  app.add_option("--cfssl", options.cfssl, "host:port of a cfssl that serves, instead of dt-ca");
  app.add_option("--cfssl-pid", options.cfssl_pid, "Its process, for the CPU time");
  CLI11_PARSE(app, argc, argv);
  const double bare = BareCryptographyUs();
  const Result result = options.cfssl.empty() ? RunCa(options) : RunCfssl(options);
  const nlohmann::json json = {
      {"certificates", options.certificates}, {"per_second", options.certificates / result.seconds},
      {"cpu_us", result.server_cpu_us},       {"org_cpu_us", result.org_cpu_us},
      {"bare_cryptography_us", bare},         {"failed", result.failed},
      {"first_error", result.first_error}};
  std::cout << json.dump(2) << '\n';
  return result.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace devicetrust::bench

int main(int argc, char** argv) { return devicetrust::bench::Main(argc, argv); }
