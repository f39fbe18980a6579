// Loads `openssl s_server`, which serves one connection after the other.
#include "simulator/handshake/load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "libs/base/files.h"
#include "libs/base/wait_until.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "simulator/handshake/client_certificates.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::StartsWith;

// Its port is free until it prints "ACCEPT 127.0.0.1:PORT".
class OpensslServer {
 public:
  explicit OpensslServer(const std::string& folder, std::vector<std::string> options) {
    std::vector<std::string> words = {"openssl",
                                      "s_server",
                                      "-accept",
                                      "127.0.0.1:0",
                                      "-cert",
                                      folder + "/server.pem",
                                      "-key",
                                      folder + "/server.key",
                                      "-CAfile",
                                      folder + "/ca.pem",
                                      "-Verify",
                                      "2",
                                      "-verify_return_error",
                                      "-www"};
    words.insert(words.end(), options.begin(), options.end());
    int out[2];
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::dup2(out[1], STDOUT_FILENO);
      ::close(STDERR_FILENO);  // It tells of each certificate.
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(out[1]);
    output_ = ::fdopen(out[0], "r");
    char line[256];
    while (port_ == 0 && std::fgets(line, sizeof line, output_) != nullptr) {
      int port = 0;
      if (std::sscanf(line, "ACCEPT 127.0.0.1:%d", &port) == 1) {
        port_ = static_cast<std::uint16_t>(port);
      }
    }
  }
  ~OpensslServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::fclose(output_);
  }

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }

  // How many wait to be accepted, as the kernel tells it of listeners: tcp's rx_queue.
  std::size_t Waiting() const {
    std::ifstream file("/proc/net/tcp");
    const std::string own = fmt::format("0100007F:{:04X}", port_);
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      std::string number, local, remote, state, queues;
      fields >> number >> local >> remote >> state >> queues;
      if (local == own && state == "0A") return std::stoul(queues.substr(9), nullptr, 16);
    }
    return 0;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* output_ = nullptr;
  std::uint16_t port_ = 0;
};

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    const FolderPlan plan{.certificates = 12, .revoked = 4, .revoked_in_all = 30};
    DT_EXPECT_OK(MakeFolder(plan, folder_.path(), SystemClock().Now()));
  }

  void Start(std::vector<std::string> options) {
    options.insert(options.end(), {"-crl_check", "-CRL", folder_ / "crl.pem"});
    server_ = std::make_unique<OpensslServer>(folder_.path(), std::move(options));
    ASSERT_NE(server_->port(), 0);
  }

  LoadPlan Plan() const {
    LoadPlan plan;
    plan.address = "127.0.0.1";
    plan.port = server_->port();
    plan.tls.server_name = "localhost";
    plan.tls.trusted =
        pki::CertificatesFromPem(ReadFile(folder_ / "server-ca.pem").value()).value();
    plan.certificates = ReadClientCertificatesAndRevoked(folder_.path()).value();
    plan.request = "GET / HTTP/1.0\r\n\r\n";
    plan.concurrency = 2;
    plan.connections_max = 24;
    plan.duration = seconds(60);
    plan.timeout = seconds(30);
    return plan;
  }

  static LoadResult Run(const LoadPlan& plan) {
    absl::StatusOr<LoadResult> result = RunLoad(plan);
    DT_EXPECT_OK(result);
    return result.ok() ? *std::move(result) : LoadResult();
  }

  const testing::TempFolder folder_;
  std::unique_ptr<OpensslServer> server_;
};

TEST_F(LoadTest, EachConnectionShowsACertificateAndGetsItsAnswer) {
  Start({});
  const LoadResult result = Run(Plan());
  EXPECT_THAT(result.failures.Lines(), ElementsAre());
  EXPECT_EQ(result.done, 24u);
  EXPECT_EQ(result.latency.count(), 24u);
  EXPECT_EQ(result.resumed, 0u);
  EXPECT_THAT(result.outcomes, ElementsAre(std::pair("200", 24)));
  EXPECT_THAT(result.agreed, ElementsAre(Key(StartsWith("TLSv1.3 TLS_AES_128_GCM_SHA256 "))));
  EXPECT_GE(result.latency.Percentile(50), result.handshake.Percentile(0));
}

TEST_F(LoadTest, ManyThreadsShareTheLoad) {
  Start({});
  LoadPlan plan = Plan();
  plan.threads = 3;
  plan.concurrency = 6;
  const LoadResult result = Run(plan);
  EXPECT_THAT(result.failures.Lines(), ElementsAre());
  EXPECT_EQ(result.done, 24u);
}

TEST_F(LoadTest, SpeaksTls12WhenAsked) {
  Start({});
  LoadPlan plan = Plan();
  plan.tls.version = TlsVersion::k12;
  const LoadResult result = Run(plan);
  EXPECT_EQ(result.done, 24u);
  EXPECT_THAT(result.agreed, ElementsAre(Key(StartsWith("TLSv1.2 "))));
}

TEST_F(LoadTest, ResumesTheShareThatIsAskedForInBothVersions) {
  for (const TlsVersion version : {TlsVersion::k12, TlsVersion::k13}) {
    Start({"-id_prefix", "x"});
    LoadPlan plan = Plan();
    plan.tls.version = version;
    plan.certificates.current.resize(1, plan.certificates.current.front());
    plan.resume_percent = 50;
    const LoadResult result = Run(plan);
    EXPECT_THAT(result.failures.Lines(), ElementsAre());
    EXPECT_EQ(result.done, 24u);
    EXPECT_GE(result.resumed, 10u);
    EXPECT_LE(result.resumed, 12u);
  }
}

TEST_F(LoadTest, ExpectsThatRevokedCertificatesAreRefused) {
  Start({});
  LoadPlan plan = Plan();
  plan.revoked_percent = 25;
  const LoadResult result = Run(plan);
  EXPECT_THAT(result.failures.Lines(), ElementsAre());
  EXPECT_EQ(result.done, 24u);
  EXPECT_EQ(result.revoked, 6u);
  EXPECT_EQ(result.outcomes.at("200"), 18u);
}

TEST_F(LoadTest, ARevokedCertificateThatIsLetInIsAFailure) {
  Start({});
  LoadPlan plan = Plan();
  plan.certificates.revoked = plan.certificates.current;  // They are in no list.
  plan.revoked_percent = 25;
  const LoadResult result = Run(plan);
  EXPECT_EQ(result.done, 18u);
  EXPECT_THAT(result.failures.Lines(), ElementsAre(HasSubstr("a revoked certificate: 200")));
}

TEST_F(LoadTest, AnAnswerThatHoldsAnotherTextIsAFailure) {
  Start({});
  LoadPlan plan = Plan();
  plan.expect = "what it never says";
  const LoadResult result = Run(plan);
  EXPECT_EQ(result.done, 0u);
  EXPECT_EQ(result.failures.count(), 24u);
}

TEST_F(LoadTest, TheHandshakeAloneIsEnough) {
  Start({});
  LoadPlan plan = Plan();
  plan.request.clear();
  plan.revoked_percent = 25;
  const LoadResult result = Run(plan);
  EXPECT_THAT(result.failures.Lines(), ElementsAre());
  EXPECT_EQ(result.done, 24u);
  EXPECT_EQ(result.outcomes.at("handshake"), 18u);
}

TEST_F(LoadTest, AServerThatNobodyVouchesForIsRefusedWhenThatIsChecked) {
  Start({});
  LoadPlan plan = Plan();
  plan.tls.trusted = pki::CertificatesFromPem(ReadFile(folder_ / "ca.pem").value()).value();
  EXPECT_THAT(Run(plan).failures.Lines(), ElementsAre(HasSubstr("the server's certificate: ")));
  plan = Plan();
  plan.tls.server_name = "another.name";
  EXPECT_THAT(Run(plan).failures.Lines(), ElementsAre(HasSubstr("hostname mismatch")));
}

TEST_F(LoadTest, AStallIsInTheLatencyOfEverybodyWhoCameMeanwhile) {
  Start({});
  LoadPlan plan = Plan();
  plan.per_second = 100;
  plan.connections_max = 40;
  // A client that says nothing holds up a server that serves one after the other.
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(plan.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(silent, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  LoadResult result;
  std::thread load([&] { result = Run(plan); });
  DT_EXPECT_OK(WaitUntil([&] { return server_->Waiting() >= 20; }, milliseconds(1), seconds(30)));
  ::close(silent);
  load.join();
  EXPECT_THAT(result.failures.Lines(), ElementsAre());
  EXPECT_EQ(result.done, 40u);
  // The first of the twenty came 190 ms before the stall was over, the tenth 100 ms.
  EXPECT_GE(result.latency.max(), milliseconds(150));
  EXPECT_GE(result.latency.Percentile(75), milliseconds(80));
}

TEST_F(LoadTest, ArrivalsThatFindNoPlaceWaitAndSayThatTheServerIsSlow) {
  Start({});
  LoadPlan plan = Plan();
  plan.per_second = 1'000'000;
  plan.in_flight_max = 1;
  const LoadResult result = Run(plan);
  EXPECT_EQ(result.done, 24u);
  EXPECT_GT(result.waited, 0u);
  EXPECT_THAT(Limits(plan, result, 1'000), ::testing::Contains(HasSubstr("had to wait")));
}

TEST_F(LoadTest, FindsTheServerOfThisMachineAndItsCpuTime) {
  Start({});
  const LoadResult result = Run(Plan());
  ASSERT_TRUE(result.server.has_value());
  EXPECT_EQ(result.server->name, "openssl");
  EXPECT_THAT(result.server->pids, ElementsAre(server_->pid()));
  EXPECT_GT(result.server_cpu_seconds, 0);
  EXPECT_GT(result.client_cpu_seconds, 0);
}

TEST_F(LoadTest, AServerThatIsNotThereIsOneSentence) {
  Start({});
  LoadPlan plan = Plan();
  server_.reset();
  const auto result = RunLoad(plan);
  DT_EXPECT_CODE(result, kUnavailable);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("does not answer"));
}

TEST(LoadLimitsTest, SaysWhenTheGeneratorOrTheMachineWasTheLimit) {
  LoadPlan plan;
  LoadResult result;
  result.seconds = 10;
  result.done = 1000;
  result.busiest_thread = 0.5;
  EXPECT_THAT(Limits(plan, result, 2), ElementsAre());
  result.busiest_thread = 0.97;
  EXPECT_THAT(Limits(plan, result, 2), ElementsAre(HasSubstr("the generator was the limit")));
  result.busiest_thread = 0.5;
  result.server = Listener{"nginx", {1}};
  result.client_cpu_seconds = 9;
  result.server_cpu_seconds = 10.5;
  EXPECT_THAT(Limits(plan, result, 2), ElementsAre(HasSubstr("the machine was the limit")));
  plan.resume_percent = 10;
  EXPECT_THAT(Limits(plan, result, 4), ElementsAre(HasSubstr("nothing was resumed")));
}

}  // namespace
}  // namespace devicetrust::simulator
