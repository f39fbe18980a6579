#include "simulator/scenario/verification.h"

#include <fmt/format.h>

#include <map>

#include "libs/base/wait_until.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/timestamps.h"
#include "simulator/deployment/org_setup.h"
#include "simulator/report/format.h"

namespace devicetrust::simulator {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

std::uint64_t Get(const Counts& counts, const std::string& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

// What the log must have, by event type.
Counts Expected(const Seen& seen) {
  return {{"user.credential.enroll", seen.enrolled},
          {"pki.cert.issue", seen.enrolled},
          {"pki.cert.revoke", seen.revoked},
          {"user.session.start", seen.passwords},
          {"user.authentication.verify", seen.factors},
          {"user.authentication.authenticate", seen.allowed_trusted + seen.denied_revoked},
          {"policy.evaluate_sign_on", seen.visits()}};
}

bool HasAll(const Counts& log, const Counts& expected) {
  for (const auto& [type, count] : expected) {
    if (Get(log, type) < count) return false;
  }
  return true;
}

void Compare(const std::string& what, std::uint64_t log, std::uint64_t devices, RunResult& result) {
  if (log == devices) return;
  result.violations.push_back(fmt::format("{}: the System Log has {}, the devices saw {}", what,
                                          Thousands(log), Thousands(devices)));
}

// Which of the example's rules must have let somebody in, or not.
bool ShouldBeAllowed(const FleetDevice& device, const VisitRecord& visit) {
  if (device.kind == DeviceKind::kUnmanagedWindows) return false;
  return device.kind != DeviceKind::kDomainWindows || !visit.after_revocation;
}

void CountVisit(const FleetDevice& device, const VisitRecord& visit, Seen& seen) {
  const bool domain = device.kind == DeviceKind::kDomainWindows;
  if (visit.end == VisitRecord::End::kAllowed) {
    ++(domain ? seen.allowed_trusted : seen.allowed_elsewhere);
  } else if (visit.end == VisitRecord::End::kDenied) {
    ++(domain ? seen.denied_revoked : seen.denied_without);
  }
}

std::vector<RuleCount> RuleTable(const Seen& seen) {
  const std::vector<org::v1::Rule> rules = FiveRuleExample();
  return {{rules[0].name(), "allowed", 0, "not exercised: no browser reaches it"},
          {rules[1].name(), "allowed + TOTP", seen.allowed_trusted, ""},
          {rules[2].name(), "allowed + TOTP", seen.allowed_elsewhere, ""},
          {rules[3].name(), "denied", seen.denied_without + seen.denied_revoked,
           fmt::format("{} no certificate, {} revoked", Thousands(seen.denied_without),
                       Thousands(seen.denied_revoked))},
          {"Default sign-on rule", "allowed", 0, "never reached"}};
}

org::v1::EventFilter Since(WallTime since, const std::string& type = {}) {
  org::v1::EventFilter filter;
  *filter.mutable_since() = rpc::ToTimestamp(since);
  if (!type.empty()) filter.add_types(type);
  return filter;
}

// Events by type.
absl::StatusOr<Counts> CountEvents(admin::AdminClient& admin, WallTime since) {
  DT_ASSIGN_OR_RETURN(const org::v1::CountEventsResponse response, admin.CountEvents(Since(since)));
  Counts counts;
  for (const auto& [type, count] : response.by_type()) {
    counts[type] = static_cast<std::uint64_t>(count);
  }
  return counts;
}

// Device authentications by outcome and reason: "FAILURE CERTIFICATE_REVOKED".
absl::StatusOr<Counts> CountOutcomes(admin::AdminClient& admin, WallTime since) {
  Counts counts;
  DT_RETURN_IF_ERROR(admin.ForEachEvent(Since(since, "user.authentication.authenticate"),
                                        [&counts](const org::v1::Event& event) {
                                          std::string key = rpc::EnumName(event.outcome().result());
                                          if (!event.outcome().reason().empty())
                                            key += " " + event.outcome().reason();
                                          ++counts[key];
                                        }));
  return counts;
}

// Decisions by the name of the rule that decided.
absl::StatusOr<Counts> CountDecisions(admin::AdminClient& admin, WallTime since) {
  Counts counts;
  DT_RETURN_IF_ERROR(admin.ForEachEvent(Since(since, "policy.evaluate_sign_on"),
                                        [&counts](const org::v1::Event& event) {
                                          std::string rule;
                                          for (const org::v1::Target& target : event.targets()) {
                                            if (target.type() == "Rule")
                                              rule = target.display_name();
                                          }
                                          ++counts[rule];
                                        }));
  return counts;
}

}  // namespace

Seen CountVisits(const Fleet& fleet, const EnrollPhase& enroll, const SignInPhase& sign_in,
                 std::uint64_t revoked, RunResult& result) {
  Seen seen;
  seen.enrolled = enroll.enrolled();
  seen.revoked = revoked;
  seen.passwords = sign_in.totals().passwords;
  seen.factors = sign_in.totals().factors;
  Failures wrong;
  for (std::size_t i = 0; i < fleet.devices.size(); ++i) {
    const FleetDevice& device = fleet.devices[i];
    for (std::size_t app = 0; app < sign_in.apps(); ++app) {
      const VisitRecord& visit = sign_in.record(i, app);
      CountVisit(device, visit, seen);
      if (visit.end == VisitRecord::End::kError || visit.end == VisitRecord::End::kNone) continue;
      const bool allowed = visit.end == VisitRecord::End::kAllowed;
      if (allowed == ShouldBeAllowed(device, visit) && visit.challenged) continue;
      const std::string what =
          fmt::format("{}: {}{}", DeviceKindName(device.kind), allowed ? "let in" : "refused",
                      visit.challenged ? "" : " without a device challenge");
      wrong.Add(what,
                fmt::format("{} {}", fleet.users[device.user].principal, device.computer_name),
                what + (visit.code.empty() ? "" : fmt::format(", code {}", visit.code)));
    }
  }
  for (const Failures* const failures :
       std::initializer_list<const Failures*>{&wrong, &enroll.errors(), &sign_in.totals().errors}) {
    for (std::string& line : failures->Lines()) result.violations.push_back(std::move(line));
  }
  if (enroll.enrolled() != fleet.domain_joined) {
    result.violations.push_back(fmt::format("{} of {} domain-joined computers hold a certificate",
                                            Thousands(enroll.enrolled()),
                                            Thousands(fleet.domain_joined)));
  }
  return seen;
}

std::pair<std::string, std::string> RuleOf(const FleetDevice& device, const VisitRecord& visit) {
  static const std::vector<org::v1::Rule> rules = FiveRuleExample();
  if (visit.end != VisitRecord::End::kAllowed) return {rules[3].name(), "denied"};
  const bool domain = device.kind == DeviceKind::kDomainWindows;
  return {rules[domain ? 1 : 2].name(), "allowed"};
}

absl::Status CompareWithLog(admin::AdminClient& admin, WallTime since, const Seen& seen,
                            RunResult& result, std::chrono::milliseconds delivery) {
  const Counts expected = Expected(seen);
  const auto delivered = [&]() -> absl::StatusOr<bool> {
    DT_ASSIGN_OR_RETURN(result.system_log, CountEvents(admin, since));
    return HasAll(result.system_log, expected);
  };
  const absl::Status waited = WaitUntil(delivered, std::chrono::milliseconds(20), delivery);
  if (!absl::IsDeadlineExceeded(waited)) DT_RETURN_IF_ERROR(waited);  // What lacks is told below.
  for (const auto& [type, count] : expected) {
    Compare(type, Get(result.system_log, type), count, result);
  }

  DT_ASSIGN_OR_RETURN(const Counts challenges, CountOutcomes(admin, since));
  Compare("trusted device authentications", Get(challenges, "SUCCESS"), seen.allowed_trusted,
          result);
  Compare("device authentications refused as revoked",
          Get(challenges, "FAILURE CERTIFICATE_REVOKED"), seen.denied_revoked, result);

  DT_ASSIGN_OR_RETURN(Counts by_rule, CountDecisions(admin, since));
  result.decisions = RuleTable(seen);
  for (const RuleCount& rule : result.decisions) {
    Compare("decisions of rule \"" + rule.rule + "\"", Get(by_rule, rule.rule), rule.count, result);
    by_rule.erase(rule.rule);
  }
  for (const auto& [rule, count] : by_rule)
    Compare("decisions of \"" + rule + "\"", count, 0, result);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
