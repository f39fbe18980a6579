// Attack 14 of the threat model: a method or a value that nobody thought of must not get past the
// authorizer. Every method that a service has, asked of the service itself, is called as every
// kind of caller; and every enum of every request is given a value that it does not have.
#include <absl/strings/ascii.h>
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/grant.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "tests/test_deployment.h"

namespace devicetrust::tests {
namespace {

namespace pb = ::google::protobuf;

constexpr std::chrono::milliseconds kCallMax{3000};
constexpr int kNoValue = 987'654;

// Who may call what on the internal listeners. A method that is missing here, or a caller that may
// call more, fails the test: whoever adds one says so here, too.
const std::map<std::string, std::set<std::string>>& CaAccess() {
  static const std::map<std::string, std::set<std::string>> kTable = {
      {"CertificateAdminService.BlockDevice", {"admin"}},
      {"CertificateAdminService.ListBlockedDevices", {"admin"}},
      {"CertificateAdminService.ListBlockedKeys", {"admin"}},
      {"CertificateAdminService.ListCertificates", {"admin", "policy"}},
      {"CertificateAdminService.ReleaseHold", {"admin"}},
      {"CertificateAdminService.RevokeCertificate", {"admin"}},
      {"CertificateAdminService.RevokeForDevice", {"admin"}},
      {"CertificateAdminService.RevokeForUser", {"admin", "policy"}},
      {"CertificateAdminService.UnblockDevice", {"admin"}},
      {"IssuerAdminService.ActivateIssuer", {"admin"}},
      {"IssuerAdminService.AddIssuer", {"admin"}},
      {"IssuerAdminService.InstallIssuer", {"admin"}},
      {"IssuerAdminService.InstallRootCrl", {"admin"}},
      {"IssuerAdminService.ListIssuers", {"admin"}},
      {"IssuerAdminService.RequestIssuer", {"admin"}},
      {"IssuerAdminService.RetireIssuer", {"admin"}},
      {"IssuerService.GetIssuers", {"admin", "ca", "gateway-1", "iwa-1", "policy"}},
      {"RevocationFeedService.WatchRevocations", {"gateway-1"}},
  };
  return kTable;
}

const std::map<std::string, std::set<std::string>>& OrgAccess() {
  static const std::set<std::string> kComponents = {"ca", "gateway-1", "iwa-1", "policy"};
  static const std::set<std::string> kAll = {"admin", "ca", "gateway-1", "iwa-1", "policy"};
  static const std::map<std::string, std::set<std::string>> kTable = {
      {"AdminRoleService.GrantRole", {"admin"}},
      {"AdminRoleService.ListAdmins", {"admin"}},
      {"AdminRoleService.RevokeRole", {"admin"}},
      {"AppService.GetApp", {"admin"}},
      {"AppService.ListApps", {"admin", "gateway-1"}},
      {"AppService.PreviewApp", {"admin"}},
      {"AppService.PutApp", {"admin"}},
      {"AppService.RemoveApp", {"admin"}},
      {"AppService.SetAppLogo", {"admin"}},
      {"AppService.SetRules", {"admin"}},
      {"AuthenticationService.EndSession", {"gateway-1"}},
      {"AuthenticationService.StartSession", {"gateway-1"}},
      {"AuthenticationService.StartTicketSession", {"gateway-1"}},
      {"ConsoleService.AuthorizeCall", {"gateway-1"}},
      {"ConsoleService.CloseConsole", {"gateway-1"}},
      {"ConsoleService.GetConsole", {"gateway-1"}},
      {"ConsoleService.OpenConsole", {"gateway-1"}},
      {"DashboardService.GetAppLogo", {"gateway-1"}},
      {"DashboardService.GetDashboard", {"gateway-1"}},
      {"DashboardService.NoteAppOpened", {"gateway-1"}},
      {"DecisionService.CompleteFactor", {"admin", "gateway-1"}},
      {"DecisionService.Evaluate", {"admin", "gateway-1"}},
      {"DecisionService.ExplainDecision", {"admin"}},
      {"DiagnosticsService.Diagnose", {"admin"}},
      {"EnrollmentService.AuthorizeEnrollments", {"ca"}},
      {"EventHookService.AddHook", {"admin"}},
      {"EventHookService.ListDeadLetters", {"admin"}},
      {"EventHookService.ListHooks", {"admin"}},
      {"EventHookService.RemoveHook", {"admin"}},
      {"EventHookService.ResendDeadLetters", {"admin"}},
      {"EventHookService.RotateHookKey", {"admin"}},
      {"EventHookService.SetHookEnabled", {"admin"}},
      {"EventHookService.TestHook", {"admin"}},
      {"FactorService.BeginTotpEnrollment", {"gateway-1"}},
      {"FactorService.ConfirmTotpEnrollment", {"gateway-1"}},
      {"FactorService.GetFactorStatus", {"admin"}},
      {"FactorService.MakeRecoveryCodes", {"admin", "gateway-1"}},
      {"FactorService.ShowFactor", {"gateway-1"}},
      {"GatewayKeyService.GetGatewayKeys", {"gateway-1"}},
      {"SamlKeyService.ListSamlKeys", {"admin"}},
      {"SamlKeyService.RotateSamlKey", {"admin"}},
      {"SamlKeyService.ActivateSamlKey", {"admin"}},
      {"SamlKeyService.RetireSamlKey", {"admin"}},
      {"HistoryService.GetVersion", {"admin"}},
      {"HistoryService.ListVersions", {"admin"}},
      {"HistoryService.Rollback", {"admin"}},
      {"IwaRegistryService.Heartbeat", {"iwa-1"}},
      {"IwaRegistryService.ListIwas", kAll},
      {"IwaRegistryService.RegisterIwa", {"iwa-1"}},
      {"IwaRegistryService.SetIwaDomains", {"admin"}},
      {"IwaRegistryService.SetIwaEnabled", {"admin"}},
      {"PeopleSyncService.ApprovePeopleSync", {"admin"}},
      {"PeopleSyncService.GetPeopleSync", {"admin"}},
      {"PeopleSyncService.RunPeopleSync", {"admin"}},
      {"PolicyAnalysisService.AnalyzePolicy", {"admin"}},
      {"PolicyAnalysisService.ComparePolicies", {"admin"}},
      {"PolicyAnalysisService.ReplaySignIns", {"admin"}},
      {"PolicyAnalysisService.WhatIf", {"admin"}},
      {"PolicyDocumentService.ApplyPolicy", {"admin"}},
      {"PolicyDocumentService.ExportPolicy", {"admin"}},
      {"SessionFeedService.WatchSessions", {"gateway-1"}},
      {"SessionService.EndSessions", {"admin", "gateway-1"}},
      {"SessionService.ListSessions", {"admin", "gateway-1"}},
      {"SettingsService.GetSettings", kAll},
      {"SettingsService.SetAdIntegration", {"admin"}},
      {"SettingsService.SetCapability", {"admin"}},
      {"SettingsService.SetDeviceTrust", {"admin"}},
      {"SettingsService.SetDisplayName", {"admin"}},
      {"SettingsService.SetFactorSelfEnrollment", {"admin"}},
      {"SettingsService.SetIwaFailover", {"admin"}},
      {"SettingsService.SetDefaultNameIdFormat", {"admin"}},
      {"SettingsService.SetReadOnly", {"admin"}},
      {"SettingsService.SetSessionLimits", {"admin"}},
      {"SystemLogService.AppendEvents", kComponents},
      {"SystemLogService.CountEvents", {"admin"}},
      {"SystemLogService.GetLogChain", {"admin"}},
      {"SystemLogService.ListLogHeads", {"admin"}},
      {"SystemLogService.SearchEvents", {"admin"}},
      {"SystemLogService.TailEvents", {"admin"}},
      {"UserService.EnrollFactor", {"admin"}},
      {"UserService.GetUser", kAll},
      {"UserService.ImportUsers", {"admin"}},
      {"UserService.ListUsers", {"admin"}},
      {"UserService.ResetFactors", {"admin"}},
      {"UserService.SetUserStatus", {"admin"}},
      {"ZoneService.GetZones", {"admin"}},
      {"ZoneService.SetZones", {"admin"}},
  };
  return kTable;
}

// One message there, one back: also of a method that would stream more.
absl::StatusOr<std::string> Exchange(const std::shared_ptr<grpc::Channel>& channel,
                                     const std::string& method, const std::string& request,
                                     const std::string& grant = {}) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  rpc::PrepareCall(context, kCallMax);
  if (!grant.empty()) context.AddMetadata(rpc::kGrantHeader, grant);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool good = false;
    queue.Next(&tag, &good);
    return good;
  };
  call->StartCall(nullptr);
  wait();
  const grpc::Slice slice(request);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
  wait();
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  const bool answered = wait();
  if (answered) context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  if (!answered && !status.ok()) return rpc::FromGrpc(status);
  grpc::Slice whole;
  if (answered && answer.DumpToSingleSlice(&whole).ok()) {
    return std::string(reinterpret_cast<const char*>(whole.begin()), whole.size());
  }
  return std::string();
}

// "ca.v1.IssuerService" and so on, as the service itself lists them.
std::set<std::string> ServicesOf(const std::shared_ptr<grpc::Channel>& channel) {
  const auto listed =
      Exchange(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
               std::string("\x3a\0", 2));
  DT_EXPECT_OK(listed);
  std::set<std::string> services;
  if (!listed.ok()) return services;
  constexpr std::string_view kPrefix = "devicetrust.";
  for (std::size_t at = 0; (at = listed->find(kPrefix, at)) != std::string::npos; ++at) {
    std::size_t end = at;
    while (end < listed->size() && (absl::ascii_isalnum((*listed)[end]) || (*listed)[end] == '.')) {
      ++end;
    }
    services.insert(listed->substr(at, end - at));
  }
  return services;
}

class AccessTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto created = TestDeployment::CreateRunning();
    DT_ASSERT_OK(created);
    deployment_ = std::move(*created);
  }
  static void TearDownTestSuite() { deployment_.reset(); }

  using Channels = std::map<std::string, std::shared_ptr<grpc::Channel>>;
  template <typename Connect>
  static Channels Callers(Connect connect) {
    Channels channels;
    channels["admin"] = connect(deployment_->admin());
    for (const char* name : {"ca", "gateway-1", "iwa-1", "policy"}) {
      channels[name] = connect(deployment_->component(name));
    }
    return channels;
  }
  static Channels CaCallers() {
    return Callers([](const auto& who) { return deployment_->CaAs(who); });
  }
  static Channels OrgCallers() {
    return Callers([](const auto& who) { return deployment_->OrgAs(who); });
  }

  static void CheckTable(const Channels& callers,
                         const std::map<std::string, std::set<std::string>>& table) {
    std::set<std::string> there;
    for (const std::string& service : ServicesOf(callers.at("admin"))) {
      const auto* descriptor = pb::DescriptorPool::generated_pool()->FindServiceByName(service);
      ASSERT_NE(descriptor, nullptr) << service << " is not linked into this test";
      for (int i = 0; i < descriptor->method_count(); ++i) {
        const std::string name = descriptor->name() + "." + descriptor->method(i)->name();
        there.insert(name);
        const auto row = table.find(name);
        EXPECT_NE(row, table.end()) << "who may call " << name << "?";
        if (row == table.end()) continue;
        for (const auto& [caller, channel] : callers) {
          const auto answer =
              Exchange(channel, "/" + service + "/" + descriptor->method(i)->name(), "");
          // Before the method, which may have reasons of its own.
          const bool refused =
              rpc::ReasonOf(answer.status()) == reason::v1::REASON_CALLER_NOT_ALLOWED &&
              answer.status().message().find("may not call") != std::string::npos;
          EXPECT_EQ(refused, !row->second.contains(caller))
              << caller << " calls " << name << ": " << answer.status();
        }
      }
    }
    for (const auto& [name, roles] : table) EXPECT_TRUE(there.contains(name)) << name;
  }

  // Requests that are good but for one enum, of a value that the contract does not know.
  static void CheckEnums(const Channels& callers,
                         const std::map<std::string, std::set<std::string>>& table) {
    pb::DynamicMessageFactory factory;
    for (const std::string& service : ServicesOf(callers.at("admin"))) {
      const auto* descriptor = pb::DescriptorPool::generated_pool()->FindServiceByName(service);
      ASSERT_NE(descriptor, nullptr);
      for (int i = 0; i < descriptor->method_count(); ++i) {
        const auto* method = descriptor->method(i);
        const auto& roles = table.at(descriptor->name() + "." + method->name());
        const auto* input = method->input_type();
        for (int f = 0; f < input->field_count(); ++f) {
          const auto* field = input->field(f);
          if (field->type() != pb::FieldDescriptor::TYPE_ENUM) continue;
          const std::unique_ptr<pb::Message> request(factory.GetPrototype(input)->New());
          if (field->is_repeated()) {
            request->GetReflection()->AddEnumValue(request.get(), field, kNoValue);
          } else {
            request->GetReflection()->SetEnumValue(request.get(), field, kNoValue);
          }
          const auto answer =
              Exchange(callers.at(*roles.begin()), "/" + service + "/" + method->name(),
                       request->SerializeAsString());
          EXPECT_FALSE(answer.ok()) << method->full_name() << " takes " << field->name();
        }
      }
    }
  }

  static inline std::unique_ptr<TestDeployment> deployment_;
};

// The org's word that a super admin asks, as `signer` would give it.
std::string GrantFor(const pki::ExportableIdentity& signer, const std::string& method,
                     access::v1::Role role = access::v1::ROLE_SUPER_ADMIN,
                     std::chrono::seconds lifetime = rpc::kGrantLifetime) {
  access::v1::Grant grant;
  grant.set_org("acme");
  grant.set_method(method);
  grant.set_role(role);
  grant.set_user_id("u1");
  grant.set_principal("ada@corp.test");
  *grant.mutable_expires_at() = rpc::ToTimestamp(SystemClock().Now() + lifetime);
  return rpc::GrantSigner::Create({signer.certificate.Pem(), signer.key.Pem()})
      ->Sign(grant)
      .value();
}

// Whether a listener refused the call before its method.
bool IsRefused(const absl::StatusOr<std::string>& answer) {
  const std::string_view message(answer.status().message().data(),
                                 answer.status().message().size());
  for (const std::string_view words : {"grant", "with that role"}) {
    if (message.find(words) != std::string_view::npos) return true;
  }
  return false;
}

// A gateway that is not what it should be: without the org's word for this very call it can do
// nothing that an administrator can.
TEST_F(AccessTest, AGatewayDoesWhatAnAdministratorMayByTheOrgsGrantAlone) {
  const pki::ExportableIdentity& org = deployment_->component("policy");
  const pki::ExportableIdentity& gateway = deployment_->component("gateway-1");
  const std::string elsewhere = "/devicetrust.org.v1.ConsoleService/GetConsole";
  int exposed = 0;
  for (const bool ca : {true, false}) {
    const auto connect = [ca](const pki::ExportableIdentity& who) {
      return ca ? deployment_->CaAs(who) : deployment_->OrgAs(who);
    };
    const auto as_gateway = connect(gateway);
    for (const auto& [name, callers] : ca ? CaAccess() : OrgAccess()) {
      std::string path = fmt::format("/devicetrust.{}.v1.{}", ca ? "ca" : "org", name);
      path[path.rfind('.')] = '/';
      const auto* method = rpc::FindMethod(path);
      ASSERT_NE(method, nullptr) << path;
      const access::v1::Access* access = rpc::ConsoleAccess(*method);
      const std::string genuine = GrantFor(org, path);
      const bool opens = !IsRefused(Exchange(as_gateway, path, "", genuine));
      EXPECT_EQ(opens, access != nullptr) << path;
      if (access == nullptr) continue;
      ++exposed;
      EXPECT_TRUE(callers.contains("admin")) << path;
      for (const std::string& grant :
           {std::string("nonsense"), GrantFor(gateway, path), GrantFor(org, elsewhere),
            GrantFor(org, path, access::v1::ROLE_SUPER_ADMIN, -std::chrono::seconds{60}),
            GrantFor(org, path, access::v1::ROLE_UNSPECIFIED)}) {
        EXPECT_TRUE(IsRefused(Exchange(as_gateway, path, "", grant))) << path;
      }
      const bool read = rpc::MayCall(*access, access::v1::ROLE_READ_ONLY);
      const std::string reader = GrantFor(org, path, access::v1::ROLE_READ_ONLY);
      EXPECT_EQ(IsRefused(Exchange(as_gateway, path, "", reader)), !read) << path;
      // Nobody else brings one.
      EXPECT_TRUE(IsRefused(Exchange(connect(deployment_->component("iwa-1")), path, "", genuine)));
      EXPECT_TRUE(IsRefused(Exchange(connect(deployment_->admin()), path, "", genuine)));
    }
  }
  EXPECT_GT(exposed, 30);
}

TEST_F(AccessTest, EachMethodOfTheCaHasItsCallers) { CheckTable(CaCallers(), CaAccess()); }
TEST_F(AccessTest, EachMethodOfTheOrgHasItsCallers) { CheckTable(OrgCallers(), OrgAccess()); }
TEST_F(AccessTest, TheCaTakesNoUnknownValueOfAnEnum) { CheckEnums(CaCallers(), CaAccess()); }
TEST_F(AccessTest, TheOrgTakesNoUnknownValueOfAnEnum) { CheckEnums(OrgCallers(), OrgAccess()); }

// Whoever is nobody enrolls, and does nothing else.
TEST_F(AccessTest, StrangersEnrollAndNothingElse) {
  const auto edge = deployment_->CaEdge();
  for (const auto& [name, roles] : CaAccess()) {
    std::string method = name;
    method[method.find('.')] = '/';
    const auto answer = Exchange(edge, "/devicetrust.ca.v1." + method, "");
    EXPECT_FALSE(answer.ok()) << name;
  }
  const auto enroll = Exchange(edge, "/devicetrust.ca.v1.EnrollmentService/Enroll", "");
  EXPECT_EQ(rpc::ReasonOf(enroll.status()), reason::v1::REASON_TOKEN_MALFORMED);
}

}  // namespace
}  // namespace devicetrust::tests
