#include "libs/service/component.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/pki/sealed_file.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Config : ComponentConfig, EdgeListenerConfig, InternalListenerConfig, StoreConfig {};

class ComponentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SystemRandom random;
    pki_.Component("ca");
    DT_ASSERT_OK(pki_.WriteTo(folder_.path()));
    DT_ASSERT_OK(pki::WriteKeyEncryptionKey(folder_ / "kek", random));
    config_.internal_cert = config_.edge_cert = folder_ / "ca.pem";
    config_.internal_key = config_.edge_key = folder_ / "ca.key";
    config_.deployment_ca = folder_ / "deployment-ca.pem";
    config_.internal_listen = config_.edge_listen = "127.0.0.1:0";
    config_.kek_file = folder_ / "kek";
  }
  // What all files say together.
  absl::Status Load() {
    DT_RETURN_IF_ERROR(Component::Load(config_, "ca").status());
    DT_RETURN_IF_ERROR(EdgeListener(config_.org, config_).status());
    return LoadKek(config_).status();
  }
  std::string Message() { return std::string(Load().message()); }

  testing::TempFolder folder_;
  throwaway::ThrowawayPki pki_{"acme", SystemClock().Now()};
  Config config_;
};

// What was read at the start would end with that certificate.
TEST_F(ComponentTest, GrantsAreSignedWithTheCertificateOfTheMoment) {
  SystemClock clock;
  const auto source = GrantSource::Create(config_);
  DT_ASSERT_OK(source);
  const auto signer = [&] {
    access::v1::SignedGrant grant;
    EXPECT_TRUE(grant.ParseFromString((*source)->Sign(access::v1::Grant()).value()));
    return pki::Certificate::FromDer(AsBytes(grant.chain_der(0))).value().serial_hex();
  };
  const std::string first = signer();
  throwaway::ThrowawayPki next("acme", clock.Now());
  const pki::ExportableIdentity& replaced = next.Component("ca");
  DT_ASSERT_OK(WriteFileAtomically(config_.internal_cert, replaced.certificate.Pem()));
  EXPECT_EQ(signer(), first);  // Its key is not there yet.
  const std::string key = folder_ / "next.key";
  DT_ASSERT_OK(WriteFileAtomically(key, replaced.key.Pem()));
  ASSERT_EQ(::chmod(key.c_str(), 0600), 0);
  ASSERT_EQ(::rename(key.c_str(), config_.internal_key.c_str()), 0);
  EXPECT_EQ(signer(), replaced.certificate.serial_hex());
}

TEST_F(ComponentTest, ItsListenersStartAndItsPeersAreKnown) {
  const auto component = Component::Load(config_, "ca");
  DT_ASSERT_OK(component);
  DT_EXPECT_OK(rpc::Server::Start(component->InternalListener(config_), {}, {}));
  const rpc::ChannelConfig peer = component->Peer("127.0.0.1:1", "policy.devicetrust.internal");
  EXPECT_EQ(peer.address, "127.0.0.1:1");
  EXPECT_EQ(peer.server_name, "policy.devicetrust.internal");
  EXPECT_EQ(peer.trust_pem, ReadFile(config_.deployment_ca).value());
  EXPECT_TRUE(peer.identity);

  const auto edge = EdgeListener("acme", config_);
  DT_ASSERT_OK(edge);
  EXPECT_EQ(edge->client_ca_pem, "");  // Agents have no certificate yet.
  EXPECT_EQ(edge->message_bytes_max, rpc::kEdgeMessageBytesMax);
  DT_EXPECT_OK(rpc::Server::Start(*edge, {}, {}));
  DT_EXPECT_OK(LoadKek(config_));
}

TEST_F(ComponentTest, AMissingOptionIsNamed) {
  const Config good = config_;
  for (const auto& [option, field] :
       std::initializer_list<std::pair<const char*, std::string Config::*>>{
           {"--internal-cert", &Config::internal_cert},
           {"--internal-key", &Config::internal_key},
           {"--deployment-ca", &Config::deployment_ca},
           {"--edge-cert", &Config::edge_cert},
           {"--edge-key", &Config::edge_key},
           {"--kek-file", &Config::kek_file}}) {
    config_ = good;
    (config_.*field).clear();
    EXPECT_THAT(Message(), HasSubstr(std::string(option) + " is missing"));
    (config_.*field) = folder_ / "none";
    EXPECT_THAT(Message(), AllOf(HasSubstr(option), HasSubstr(folder_ / "none")));
    DT_EXPECT_CODE(Load(), kNotFound);
  }
}

TEST_F(ComponentTest, AFileThatHoldsSomethingElseIsNamed) {
  config_.deployment_ca = folder_ / "kek";
  EXPECT_THAT(Message(), HasSubstr("--deployment-ca"));
  config_.deployment_ca = folder_ / "deployment-ca.pem";
  config_.edge_cert = folder_ / "ca.key";
  EXPECT_THAT(Message(), AllOf(HasSubstr("--edge-cert"), HasSubstr("no PEM certificate")));
  config_.edge_cert = folder_ / "ca.pem";
  config_.kek_file = folder_ / "ca.key";
  EXPECT_THAT(Message(), HasSubstr("--kek-file"));
}

TEST_F(ComponentTest, ACertificateOfAnotherIsRefused) {
  const auto load = [&](const char* self) {
    return std::string(Component::Load(config_, self).status().message());
  };
  EXPECT_EQ(load("ca"), "");
  EXPECT_THAT(load("policy"),
              AllOf(HasSubstr("--internal-cert is of urn:devicetrust:acme:component:ca"),
                    HasSubstr("urn:devicetrust:acme:component:policy")));
  config_.org = "umbrella";
  EXPECT_THAT(load("ca"), HasSubstr("urn:devicetrust:umbrella:component:ca"));
  config_.org = "\"acme";
  EXPECT_THAT(load("ca"), HasSubstr("--org must be"));

  config_.org = "acme";
  pki_.Component("gateway-2");
  DT_ASSERT_OK(pki_.WriteTo(folder_.path()));
  config_.internal_key = folder_ / "gateway-2.key";
  EXPECT_THAT(load("ca"), AllOf(HasSubstr("--internal-key"), HasSubstr("does not belong")));
  config_.internal_cert = folder_ / "gateway-2.pem";
  EXPECT_EQ(load("gateway"), "");
  EXPECT_EQ(load("gateway-2"), "");
  EXPECT_NE(load("gateway-1"), "");
}

TEST_F(ComponentTest, ACertificateOfAnotherDeploymentCaIsRefused) {
  throwaway::ThrowawayPki other("acme", SystemClock().Now());
  other.Component("policy");
  const testing::TempFolder elsewhere;
  DT_ASSERT_OK(other.WriteTo(elsewhere.path()));
  config_.deployment_ca = elsewhere / "deployment-ca.pem";
  DT_EXPECT_CODE(Load(), kInvalidArgument);
  EXPECT_THAT(Message(), AllOf(HasSubstr("--internal-cert " + config_.internal_cert),
                               HasSubstr("not signed by a CA of --deployment-ca")));
  // A bundle of both, as during a rollover.
  DT_ASSERT_OK(WriteFileAtomically(
      folder_ / "both.pem",
      ReadFile(config_.deployment_ca).value() + ReadFile(folder_ / "deployment-ca.pem").value()));
  config_.deployment_ca = folder_ / "both.pem";
  DT_EXPECT_OK(Load());
}

TEST_F(ComponentTest, SaysWhereAFileCanNotBeWritten) {
  DT_EXPECT_OK(CheckCanWrite("--log-file", ""));
  DT_EXPECT_OK(CheckCanWrite("--log-file", folder_ / "new"));
  DT_EXPECT_OK(CheckCanWrite("--log-file", folder_ / "kek"));
  DT_EXPECT_OK(CheckCanWrite("--log-file", "beside-us"));
  EXPECT_THAT(CheckCanWrite("--log-file", folder_ / "none/log").ToString(),
              AllOf(HasSubstr("--log-file"), HasSubstr("no folder " + (folder_ / "none"))));
  EXPECT_THAT(CheckCanWrite("--log-file", folder_.path()).ToString(), HasSubstr("is a folder"));
  EXPECT_THAT(CheckCanWrite("--log-file", folder_ / "kek/log").ToString(), HasSubstr("no folder"));
  DT_EXPECT_OK(CheckStore("--database", "sqlite::memory:"));
  DT_EXPECT_OK(CheckStore("--database", "sqlite:" + (folder_ / "ca.db")));
  for (const std::string& bad :
       {std::string("sqlite:"), folder_ / "ca.db", "sqlite:" + (folder_ / "none/ca.db")}) {
    EXPECT_THAT(CheckStore("--database", bad).ToString(), HasSubstr("--database")) << bad;
  }
}

TEST_F(ComponentTest, AKeyThatOthersMayReadIsRefused) {
  ASSERT_EQ(chmod((folder_ / "ca.key").c_str(), 0644), 0);
  DT_EXPECT_CODE(Load(), kFailedPrecondition);
  EXPECT_THAT(Message(), AllOf(HasSubstr("--internal-key"), HasSubstr("chmod")));
}

}  // namespace
}  // namespace devicetrust::service
