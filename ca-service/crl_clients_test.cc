// Lists of parts, complete and delta lists as others than OpenSSL judge them: nginx, OpenJDK, NSS,
// GnuTLS; each also with a clock that is four minutes off, less than the lists are dated back.
#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "ca-service/crl_fixture.h"
#include "libs/testing/vectors.h"

namespace devicetrust::ca {
namespace {

using std::chrono::seconds;

class CrlClientsTest : public CrlJudgedTest {
 protected:
  void SetUp() override {
    clock_.Set(SystemClock().Now());  // Theirs.
    CrlJudgedTest::SetUp();
    const std::vector<std::string> states = {"before",           // Revoked before there were parts,
                                             "good", "revoked",  // of the first part,
                                             "held", "released"};  // of the second.
    for (std::size_t i = 0; i < states.size(); ++i) {
      const StoredCertificate& certificate = issued_[i + 1];
      const std::string pem = pki::Certificate::FromDer(certificate.der)->Pem();
      Write(states[i] + ".pem", pem);
      Write(states[i] + "-chain.pem", pem + ReadFile(folder_ / "issuer.pem").value());
      Write(states[i] + ".key", keys_.at(certificate.serial));
    }
    Revoke(issued_[3].serial);
    Revoke(issued_[4].serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
    Revoke(issued_[5].serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
    DT_ASSERT_OK(revocations_->ReleaseHold(issued_[5].serial, "admin:ada"));
    const std::string root = Pem(issuers_->Current()->active().root_id());
    const std::string delta = Pem(DeltaListId(IssuerId()));  // To base_.
    const std::string part1 = Part(1);
    const std::string part2 = Part(2);
    Open();  // The complete list of now, which large ones have somewhat later.
    const std::string complete = Pem(IssuerId());
    // By its name in the tests below. nginx and Java want a list of every CA of the chain.
    const std::map<std::string, std::string> lists = {
        {"complete", root + complete},    {"parts", root + part1 + part2},
        {"turned", part2 + part1 + root}, {"all", part1 + complete + part2 + root},
        {"base", root + base_},           {"delta", root + base_ + delta},
        {"delta-alone", root + delta},    {"part2", root + part2}};
    for (const auto& [name, text] : lists) Write(name + ".crl", text);
    Write("complete.der", ToString(PublishedDer(IssuerId())));
    Write("part1.der", ToString(PublishedDer(ShardListId(IssuerId(), 1))));
    Write("delta.der", ToString(PublishedDer(DeltaListId(IssuerId()))));
  }
  static bool IsInstalled(const std::string& program) {
    return std::system(("command -v " + program + " > /dev/null").c_str()) == 0;
  }
  // What to put before a command so that its clock is ahead by that. Empty for no offset; nothing
  // when it can't be done here.
  std::optional<std::string> OffBy(int offset_seconds) {
    if (offset_seconds == 0) return "";
    const auto [status, library] = Shell("ls /usr/lib/*/faketime/libfaketime.so.1");
    if (status != 0) return std::nullopt;
    return "LD_PRELOAD=" + library.substr(0, library.find('\n')) +
           " FAKETIME=" + fmt::format("{:+d}s ", offset_seconds);
  }
  // At the end of a test: it passed where it could be made, which was not everywhere.
  void SayWhatWasLeftOut() {
    if (!OffBy(1)) GTEST_SKIP() << "only with right clocks: libfaketime is not installed";
  }
};

constexpr int kOffsets[] = {0, -240, 240};

TEST_F(CrlClientsTest, Nginx) {
  if (!IsInstalled("nginx") || !IsInstalled("curl")) GTEST_SKIP() << "nginx or curl is missing";
  ASSERT_EQ(Shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
                  " -subj /CN=localhost -keyout server.key -out server.pem")
                .first,
            0);
  for (const int offset : kOffsets) {
    const auto clock = OffBy(offset);
    if (!clock) continue;
    const std::string name = "nginx" + std::to_string(offset);
    std::filesystem::create_directories(folder_ / name + "/logs");
    std::string settings = "master_process off;\npid " + name + ".pid;\nerror_log " + name +
                           "/error.log info;\nevents {}\nhttp {\n  access_log off;\n";
    for (const char* const kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      settings += std::string("  ") + kind + "_temp_path " + name + "/" + kind + ";\n";
    }
    for (const std::string lists : {"complete", "parts", "turned", "all", "part2"}) {
      settings += "  server {\n    listen unix:" + (folder_ / name) + "-" + lists +
                  " ssl;\n    ssl_certificate server.pem;\n    ssl_certificate_key server.key;\n"
                  "    ssl_client_certificate root.pem;\n    ssl_verify_client on;\n"
                  "    ssl_verify_depth 2;\n    ssl_crl " +
                  lists +
                  ".crl;\n    error_page 495 =200 /;\n"
                  "    location / { return 200 $ssl_client_verify; }\n  }\n";
    }
    Write(name + ".conf", settings + "}\n");
    const std::string at = " -p " + folder_.path() + " -c " + (folder_ / name) + ".conf";
    const auto [status, output] = Shell(*clock + "nginx" + at);
    ASSERT_EQ(status, 0) << output;
    const auto said = [&](const std::string& state, const std::string& lists) {
      return Shell("curl -sS -k --cert " + state + "-chain.pem --key " + state +
                   ".key --unix-socket " + name + "-" + lists + " https://localhost/")
          .second;
    };
    for (const std::string lists : {"complete", "parts", "turned", "all"}) {
      SCOPED_TRACE(name + " " + lists);
      EXPECT_EQ(said("good", lists), "SUCCESS");
      EXPECT_EQ(said("released", lists), "SUCCESS");
      EXPECT_EQ(said("revoked", lists), "FAILED:certificate revoked");
      EXPECT_EQ(said("held", lists), "FAILED:certificate revoked");
      // It names the complete list, and no part says anything of it.
      EXPECT_EQ(said("before", lists), lists == "complete" || lists == "all"
                                           ? "FAILED:certificate revoked"
                                           : "FAILED:unable to get certificate CRL");
    }
    EXPECT_EQ(said("good", "part2"), "FAILED:unable to get certificate CRL");
    EXPECT_EQ(said("held", "part2"), "FAILED:certificate revoked");
    EXPECT_EQ(Shell("kill $(cat " + name + ".pid)").first, 0);
  }
  SayWhatWasLeftOut();
}

TEST_F(CrlClientsTest, OpenJdk) {
  if (!IsInstalled("javac")) GTEST_SKIP() << "there is no Java with a compiler";
  Write("CrlCheck.java", testing::ReadVector("../support/CrlCheck.java"));
  std::string asked;
  std::vector<std::string> expected;
  const auto ask = [&](const std::string& state, const std::string& lists,
                       const std::string& answer) {
    for (const int offset : kOffsets) {
      asked += state + ".pem " + lists + ".crl " + std::to_string(offset) + "\n";
      expected.push_back(state + " by " + lists + " at " + std::to_string(offset) + ": " + answer);
    }
  };
  const char* const unknown = "Could not determine revocation status";
  for (const std::string lists : {"complete", "parts", "turned", "all"}) {
    ask("good", lists, "good");
    ask("released", lists, "good");
    ask("revoked", lists, "revoked SUPERSEDED");
    ask("held", lists, "revoked CERTIFICATE_HOLD");
    // It names the complete list, and no part says anything of it.
    ask("before", lists, lists == "complete" || lists == "all" ? "revoked SUPERSEDED" : unknown);
  }
  ask("good", "part2", unknown);
  // It does not read delta lists: what stands on the complete one counts, and without it nothing.
  for (const std::string lists : {"base", "delta"}) {
    ask("good", lists, "good");
    ask("revoked", lists, "good");
    ask("before", lists, "revoked SUPERSEDED");
  }
  for (const char* const state : {"good", "revoked", "before"}) ask(state, "delta-alone", unknown);
  Write("asked", asked);
  const auto [status, output] = Shell("java CrlCheck.java root.pem issuer.pem < asked");
  ASSERT_EQ(status, 0) << output;
  std::istringstream lines(output);
  std::istringstream questions(asked);
  for (const std::string& line : expected) {
    std::string answer;
    std::getline(lines, answer);
    EXPECT_EQ(line.substr(0, line.find(": ") + 2) + answer, line);
  }
  SayWhatWasLeftOut();
}

// It refuses lists of parts and delta lists; the complete one suffices.
TEST_F(CrlClientsTest, Nss) {
  if (!IsInstalled("vfychain") || !IsInstalled("crlutil") || !IsInstalled("certutil")) {
    GTEST_SKIP() << "NSS is not installed";
  }
  const auto expect = [&](const std::string& command, const std::string& said) {
    const auto [status, output] = Shell(command);
    EXPECT_EQ(status == 0, said.empty()) << command << "\n" << output;
    EXPECT_NE(output.find(said), std::string::npos) << command << "\n" << output;
  };
  expect("mkdir nss && certutil -N -d sql:nss --empty-password", "");
  expect("certutil -A -d sql:nss -n root -t CT,, -i root.pem", "");
  expect("certutil -A -d sql:nss -n issuer -t ,, -i issuer.pem", "");
  const std::string unknown = "SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION";
  expect("crlutil -I -d sql:nss -i part1.der", unknown);
  expect("crlutil -I -d sql:nss -i delta.der", unknown);
  const std::string verify =
      "vfychain -d sql:nss -pp -u 0 -g leaf -h requireFreshInfo -m crl"
      " -s requireInfo,failIfNoInfo -a ";
  // As it says where there is no list that it can use.
  expect(verify + "good.pem", "Peer's Certificate has been revoked");
  expect("crlutil -I -d sql:nss -i complete.der", "");
  for (const int offset : kOffsets) {
    const auto clock = OffBy(offset);
    if (!clock) continue;
    for (const char* const state : {"good", "released"})
      expect(*clock + verify + state + ".pem", "");
    for (const char* const state : {"revoked", "held", "before"}) {
      expect(*clock + verify + state + ".pem", "Peer's Certificate has been revoked");
    }
  }
  SayWhatWasLeftOut();
}

// It looks at no issuingDistributionPoint, and keeps one list of each issuer: it is given the
// complete one alone.
TEST_F(CrlClientsTest, GnuTls) {
  if (!IsInstalled("certtool")) GTEST_SKIP() << "certtool is not installed";
  for (const int offset : kOffsets) {
    const auto clock = OffBy(offset);
    if (!clock) continue;
    for (const std::string state : {"good", "released", "revoked", "held", "before"}) {
      const auto [status, output] =
          Shell(*clock +
                "certtool --verify --load-ca-certificate root.pem --load-crl complete.crl"
                " --infile " +
                state + "-chain.pem");
      const bool good = state == "good" || state == "released";
      EXPECT_EQ(status == 0, good) << output;
      EXPECT_NE(
          output.find(good ? "The certificate is trusted" : "The certificate chain is revoked"),
          std::string::npos)
          << state << " " << offset << "\n"
          << output;
    }
  }
  SayWhatWasLeftOut();
}

}  // namespace
}  // namespace devicetrust::ca
