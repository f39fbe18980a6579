#include "policy-engine/method_access.h"

#include <fmt/format.h>

#include <string_view>

namespace devicetrust::policy {
namespace {

constexpr std::string_view kAdmin = "admin";
constexpr std::string_view kGateway = "gateway";
constexpr std::string_view kIwa = "iwa";
constexpr std::string_view kCa = "ca";

struct ServiceMethods {
  std::string_view service;
  std::vector<std::string_view> methods;
  std::vector<std::string_view> roles;
};

std::vector<ServiceMethods> AccessTable() {
  return {
      {"Settings", {"GetSettings"}, {rpc::kAnyComponent, kAdmin}},
      {"Settings",
       {"SetDeviceTrust", "SetCapability", "SetReadOnly", "SetAdIntegration"},
       {kAdmin}},
      {"IwaRegistry", {"Register", "Heartbeat"}, {kIwa}},
      {"IwaRegistry", {"ListIwas"}, {rpc::kAnyComponent, kAdmin}},
      {"IwaRegistry", {"SetIwaEnabled"}, {kAdmin}},
      {"EnrollmentAuthority", {"AuthorizeEnrollments"}, {kCa}},
      {"Policy", {"PutApp", "SetRules", "SetZones", "ExplainDecision"}, {kAdmin}},
      {"Policy", {"ListApps", "Evaluate", "CompleteFactor"}, {kGateway, kAdmin}},
      {"SignIn", {"VerifyPassword", "EndSession", "WatchSessions", "GetGatewayKeys"}, {kGateway}},
      {"People", {"GetUser"}, {rpc::kAnyComponent, kAdmin}},
      {"People", {"ImportPeople", "ListUsers", "SetUserStatus", "EnrollFactor"}, {kAdmin}},
      {"SystemLog", {"Append"}, {rpc::kAnyComponent}},
      {"SystemLog", {"Search", "Tail", "Count"}, {kAdmin}},
  };
}

}  // namespace

std::vector<rpc::MethodAccess> InternalAccess() {
  std::vector<rpc::MethodAccess> access;
  for (const ServiceMethods& row : AccessTable()) {
    for (const std::string_view method : row.methods) {
      access.push_back({fmt::format("devicetrust.org.v1.{}.{}", row.service, method), row.roles});
    }
  }
  return access;
}

}  // namespace devicetrust::policy
