#include "agent/linux/linux_computer.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "agent/enrollment_fixture.h"
#include "agent/linux/device_task.h"
#include "libs/base/files.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::agent {
namespace {

TEST(InstallStateTest, IsWhatAnInstallationIsDetectedBy) {
  testing::TempFolder folder;
  const Paths paths{folder.path(), folder.path()};
  DT_EXPECT_CODE(InstallState::Read(paths), kNotFound);
  InstallOptions options;
  options.org_url = "https://acme.test";
  options.http_proxy = "http://proxy:3128";
  options.skip_browser_setup = true;
  options.keytab = "/etc/pc1.keytab";
  DT_ASSERT_OK(InstallState::Write(paths, options, AtUnixSeconds(0)));
  const auto state = InstallState::Read(paths);
  DT_ASSERT_OK(state);
  EXPECT_EQ(state->options(), options);
  EXPECT_EQ(state->Value("Version"), kThisVersion.Text());
  EXPECT_EQ(state->Value("InstalledAt"), "1970-01-01T00:00:00Z");
  DT_ASSERT_OK(WriteFileAtomically(paths.config(), "OrgURL=https://a\nnonsense\n"));
  const auto broken = InstallState::Read(paths);
  EXPECT_NE(std::string(broken.status().message()).find(":2:"), std::string::npos);
  DT_ASSERT_OK(InstallState::Remove(paths));
  DT_EXPECT_CODE(InstallState::Read(paths), kNotFound);
}

TEST(InstallStateTest, KeepsTheProxysPasswordWhereRootAloneReadsIt) {
  testing::TempFolder folder;
  const Paths paths{folder.path(), folder.path()};
  InstallOptions options;
  options.org_url = "https://acme.test";
  options.http_proxy = "http://ada:p@ss%40@proxy:3128";
  DT_ASSERT_OK(InstallState::Write(paths, options, AtUnixSeconds(0)));
  const std::string file = paths.proxy_password();
  EXPECT_EQ(ReadFile(paths.config())->find("p@ss"), std::string::npos);
  EXPECT_EQ(ReadFile(file).value(), "ada:p@ss%40\n");
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  const InstallState state = InstallState::Read(paths).value();
  EXPECT_EQ(state.options().http_proxy, "http://proxy:3128");
  EXPECT_EQ(ProxyWithPassword(state.options().http_proxy, file).value(), options.http_proxy);

  std::filesystem::permissions(file, std::filesystem::perms(0640));
  DT_EXPECT_CODE(ProxyWithPassword("http://proxy:3128", file), kFailedPrecondition);
  for (const char* bad : {"", "\n", "ada:p%4\n", "ada:p\r\n"}) {
    DT_ASSERT_OK(WriteFileAtomically(file, bad));
    const auto wrong = ProxyWithPassword("http://proxy:3128", file);
    DT_EXPECT_CODE(wrong, kInvalidArgument);
    EXPECT_EQ(wrong.status().message().find("ada"), std::string::npos);
  }
  options.http_proxy = "http://proxy:3128";
  DT_ASSERT_OK(InstallState::Write(paths, options, AtUnixSeconds(0)));
  DT_EXPECT_CODE(ProxyWithPassword("http://proxy:3128", file), kNotFound);
  options.http_proxy = "http://ada:pass@proxy:3128";
  DT_ASSERT_OK(InstallState::Write(paths, options, AtUnixSeconds(0)));
  DT_ASSERT_OK(InstallState::Remove(paths));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(EventLogTest, WritesALineToTheFileAndADatagramToTheJournal) {
  testing::TempFolder folder;
  const std::string journal = folder / "journal";
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  journal.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);

  const testing::SettableClock clock(AtUnixSeconds(0));
  const EventLog log(folder / "log/events.log", clock, journal);
  log.Write({kEventRefused, EventLevel::kError, "no\nway", "COMPUTER_DISABLED", "Enable it."});
  char buffer[1024];
  const ssize_t got = ::recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
  ::close(fd);
  ASSERT_GT(got, 0);
  const std::string datagram(buffer, static_cast<std::size_t>(got));
  EXPECT_EQ(datagram,
            "MESSAGE=no way\nPRIORITY=3\nSYSLOG_IDENTIFIER=dt-agent\nDEVICE_TRUST_EVENT_ID=3000\n"
            "DEVICE_TRUST_REASON=COMPUTER_DISABLED\nDEVICE_TRUST_REMEDY=Enable it.\n");
  EXPECT_EQ(ReadFile(folder / "log/events.log").value(),
            "{\"time\":\"1970-01-01T00:00:00Z\",\"id\":3000,\"level\":\"error\",\"message\":"
            "\"no\\nway\",\"reason\":\"COMPUTER_DISABLED\",\"remedy\":\"Enable it.\"}\n");
}

// Lets a test do something while a proof is under way.
class ComputerWithPause final : public FakeComputer {
 public:
  absl::StatusOr<std::unique_ptr<Negotiation>> Negotiate(
      Account account, std::string_view service, const kerberos::Bindings& bindings) override {
    if (const auto meanwhile = std::exchange(negotiating, nullptr)) meanwhile();
    return FakeComputer::Negotiate(account, service, bindings);
  }
  std::function<void()> negotiating;
};

class DeviceTaskTest : public ::testing::Test {
 protected:
  // What the device task answers to `line`.
  std::string Serve(const std::string& line) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_EQ(::send(ends[0], line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
    ::shutdown(ends[0], SHUT_WR);
    ServeDeviceToken(ends[1], paths_, computer_, services_).IgnoreError();
    ::close(ends[1]);
    char buffer[4096];
    const ssize_t got = ::recv(ends[0], buffer, sizeof(buffer), MSG_DONTWAIT);
    ::close(ends[0]);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : "";
  }
  std::string Request(const std::string& user, const std::string& iwa = "iwa-1") {
    return fmt::format("{{\"iwa\":\"{}\",\"key\":\"{}\",\"user\":\"{}\"}}\n", iwa, kThumbprint,
                       user);
  }

  static constexpr const char* kThumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
  testing::TempFolder folder_;
  const Paths paths_{folder_.path(), folder_.path()};
  SystemClock clock_;
  ComputerWithPause computer_;
  FakeServices services_{clock_};
};

TEST_F(DeviceTaskTest, GetsATokenForTheFirstUserAndNoneForAnother) {
  EXPECT_NE(Serve(Request("ada@CORP.TEST")).find("\"token\":\"d."), std::string::npos);
  EXPECT_NE(Serve(Request("Ada@corp.test")).find("\"token\""), std::string::npos);
  const std::string refused = Serve(Request("bob@CORP.TEST"));
  EXPECT_EQ(refused.find("\"token\""), std::string::npos);
  EXPECT_NE(refused.find("was enrolled for ada@CORP.TEST"), std::string::npos);
  EXPECT_EQ(computer_.events.back().reason, "SHARED_TERMINAL");
}

TEST_F(DeviceTaskTest, TheComputerBelongsToNobodyWhoseProofFailed) {
  services_.errors["device"] = {absl::UnavailableError("the IWA is away")};
  EXPECT_EQ(Serve(Request("bob@CORP.TEST")).find("\"token\""), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(paths_.enrolled_user()));
  computer_.kerberos_status = absl::UnauthenticatedError("no keytab");
  EXPECT_EQ(Serve(Request("bob@CORP.TEST")).find("\"token\""), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(paths_.enrolled_user()));
  computer_.kerberos_status = absl::OkStatus();
  EXPECT_NE(Serve(Request("ada@CORP.TEST")).find("\"token\""), std::string::npos);
  EXPECT_EQ(ReadFile(paths_.enrolled_user()).value(), "ada@CORP.TEST\n");
}

TEST_F(DeviceTaskTest, OfTwoAtOnceOneGetsAToken) {
  computer_.negotiating = [&] {
    const std::string second = Serve(Request("bob@CORP.TEST"));
    EXPECT_EQ(second.find("\"token\""), std::string::npos);
    EXPECT_NE(second.find("in use by"), std::string::npos) << second;
  };
  EXPECT_NE(Serve(Request("ada@CORP.TEST")).find("\"token\""), std::string::npos);
  EXPECT_EQ(ReadFile(paths_.enrolled_user()).value(), "ada@CORP.TEST\n");
  EXPECT_NE(Serve(Request("bob@CORP.TEST")).find("was enrolled for ada"), std::string::npos);
}

TEST_F(DeviceTaskTest, TakesNoNameThatTheAccountHasNot) {
  DT_EXPECT_OK(CheckUserIs("ada@CORP.TEST", "corp.test", ::geteuid()));
  for (const uid_t uid : {uid_t{1}, uid_t{65'534}, uid_t{3'000'000'001}}) {
    const absl::Status refused = CheckUserIs("ada@CORP.TEST", "corp.test", uid);
    DT_EXPECT_CODE(refused, kPermissionDenied);
    EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_NOT_A_USER);
  }
}

TEST_F(DeviceTaskTest, AUserThatCannotBeReadIsNobodysPlace) {
  std::filesystem::create_directories(paths_.enrolled_user());
  EXPECT_EQ(Serve(Request("ada@CORP.TEST")).find("\"token\""), std::string::npos);
}

TEST_F(DeviceTaskTest, ProvesTheComputerToNobodyButTheOrgsIwas) {
  EXPECT_EQ(Serve(Request("ada@CORP.TEST", "evil")).find("\"token\""), std::string::npos);
  for (const std::string bad :
       {"", "\n", "[]\n", "{}\n", "{\"iwa\":1,\"key\":2,\"user\":3}\n",
        "{\"iwa\":\"iwa-1\",\"key\":\"short\",\"user\":\"ada@CORP.TEST\"}\n",
        "{\"iwa\":\"iwa-1\",\"key\":\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\",\"user\":"
        "\"ada\"}\n"}) {
    EXPECT_EQ(Serve(bad).find("\"token\""), std::string::npos) << bad;
  }
  EXPECT_TRUE(std::none_of(services_.calls.begin(), services_.calls.end(),
                           [](const std::string& call) { return call.starts_with("device"); }));
}

TEST_F(DeviceTaskTest, TheUserTaskAsksOverASocket) {
  const std::string path = folder_ / "device.sock";
  DT_EXPECT_CODE(AskDeviceTask(path, {"iwa-1", kThumbprint, "ada@CORP.TEST"}), kUnavailable);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listener, 4), 0);
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) {
      const int fd = ::accept(listener, nullptr, nullptr);
      ServeDeviceToken(fd, paths_, computer_, services_).IgnoreError();
      ::close(fd);
    }
  });
  const auto token = AskDeviceTask(path, {"iwa-1", kThumbprint, "ada@CORP.TEST"});
  const auto refused = AskDeviceTask(path, {"iwa-1", kThumbprint, "bob@CORP.TEST"});
  server.join();
  ::close(listener);
  DT_ASSERT_OK(token);
  EXPECT_TRUE(token->starts_with("d."));
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_SHARED_TERMINAL);
  EXPECT_FALSE(rpc::DetailOf(refused.status())->remedy().empty());
}

}  // namespace
}  // namespace devicetrust::agent
