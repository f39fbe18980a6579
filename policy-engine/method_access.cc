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
      {"SettingsService", {"GetSettings"}, {rpc::kAnyComponent, kAdmin}},
      {"SettingsService",
       {"SetDeviceTrust", "SetCapability", "SetReadOnly", "SetAdIntegration", "SetDisplayName",
        "SetSessionLimits", "SetFactorSelfEnrollment", "SetDefaultNameIdFormat", "SetIwaFailover"},
       {kAdmin}},
      {"IwaRegistryService", {"RegisterIwa", "Heartbeat"}, {kIwa}},
      {"IwaRegistryService", {"ListIwas"}, {rpc::kAnyComponent, kAdmin}},
      {"IwaRegistryService", {"SetIwaEnabled", "SetIwaDomains"}, {kAdmin}},
      {"EnrollmentService", {"AuthorizeEnrollments"}, {kCa}},
      {"AppService",
       {"PutApp", "PreviewApp", "GetApp", "RemoveApp", "SetRules", "SetAppLogo"},
       {kAdmin}},
      {"AppService", {"ListApps"}, {kGateway, kAdmin}},
      {"ZoneService", {"GetZones", "SetZones"}, {kAdmin}},
      {"HistoryService", {"ListVersions", "GetVersion", "Rollback"}, {kAdmin}},
      {"PolicyDocumentService", {"ExportPolicy", "ApplyPolicy"}, {kAdmin}},
      {"DecisionService", {"Evaluate", "CompleteFactor"}, {kGateway, kAdmin}},
      {"DecisionService", {"ExplainDecision"}, {kAdmin}},
      {"DiagnosticsService", {"Diagnose"}, {kAdmin}},
      {"FactorService", {"BeginTotpEnrollment", "ConfirmTotpEnrollment", "ShowFactor"}, {kGateway}},
      {"FactorService", {"MakeRecoveryCodes"}, {kGateway, kAdmin}},
      {"FactorService", {"GetFactorStatus"}, {kAdmin}},
      {"PolicyAnalysisService",
       {"WhatIf", "AnalyzePolicy", "ComparePolicies", "ReplaySignIns"},
       {kAdmin}},
      {"AuthenticationService", {"StartSession", "StartTicketSession", "EndSession"}, {kGateway}},
      {"DashboardService", {"GetDashboard", "NoteAppOpened", "GetAppLogo"}, {kGateway}},
      {"SessionService", {"ListSessions", "EndSessions"}, {kGateway, kAdmin}},
      {"SessionFeedService", {"WatchSessions"}, {kGateway}},
      {"GatewayKeyService", {"GetGatewayKeys"}, {kGateway}},
      {"SamlKeyService",
       {"ListSamlKeys", "RotateSamlKey", "ActivateSamlKey", "RetireSamlKey"},
       {kAdmin}},
      {"UserService", {"GetUser"}, {rpc::kAnyComponent, kAdmin}},
      {"UserService",
       {"ImportUsers", "ListUsers", "SetUserStatus", "EnrollFactor", "ResetFactors"},
       {kAdmin}},
      {"PeopleSyncService", {"GetPeopleSync", "RunPeopleSync", "ApprovePeopleSync"}, {kAdmin}},
      {"EventHookService",
       {"AddHook", "ListHooks", "SetHookEnabled", "RemoveHook", "RotateHookKey", "TestHook",
        "ListDeadLetters", "ResendDeadLetters"},
       {kAdmin}},
      {"AdminRoleService", {"GrantRole", "RevokeRole", "ListAdmins"}, {kAdmin}},
      {"ConsoleService",
       {"GetConsole", "OpenConsole", "CloseConsole", "AuthorizeCall"},
       {kGateway}},
      {"SystemLogService", {"AppendEvents"}, {rpc::kAnyComponent}},
      {"SystemLogService",
       {"SearchEvents", "TailEvents", "CountEvents", "GetLogChain", "ListLogHeads"},
       {kAdmin}},
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
