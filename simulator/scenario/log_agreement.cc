// Devices and System Log against one another, and what must hold in every run.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "libs/base/files.h"
#include "libs/base/wait_until.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/timestamps.h"
#include "simulator/report/format.h"
#include "simulator/scenario/verification.h"

namespace devicetrust::simulator {
namespace {

using Counts = std::map<std::string, std::uint64_t>;
using LogResult = org::v1::EventOutcome;

constexpr const char* kDefaultRule = "Default sign-on rule";
constexpr std::size_t kKeysLookedFor = 8;
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{256} << 20;

std::uint64_t Get(const Counts& counts, const std::string& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

// What the log must have, by event type.
Counts Expected(const Seen& seen) {
  return {{"user.credential.enroll", seen.issued},
          {"pki.cert.issue", seen.issued},
          {"pki.cert.revoke", seen.revoked},
          {"user.session.start", seen.passwords},
          {"user.authentication.verify", seen.factors},
          {"user.authentication.authenticate", seen.shown},
          {"policy.evaluate_sign_on", seen.visits()}};
}

bool HasAll(const Counts& log, const Counts& expected) {
  for (const auto& [type, count] : expected) {
    if (Get(log, type) < count) return false;
  }
  return true;
}

// Of what failed the log may know a part.
void Compare(const std::string& what, std::uint64_t log, std::uint64_t devices,
             std::uint64_t failed, RunResult& result) {
  if (log >= devices && log <= devices + failed) return;
  result.violations.push_back(fmt::format(
      "{}: the System Log has {}, the devices saw {}{}", what, Thousands(log), Thousands(devices),
      failed == 0 ? "" : fmt::format(", and {} attempts that failed", Thousands(failed))));
}

org::v1::EventFilter FilterSince(WallTime since, const std::string& type = {}) {
  org::v1::EventFilter filter;
  *filter.mutable_since() = rpc::ToTimestamp(since);
  if (!type.empty()) filter.add_types(type);
  return filter;
}

// Events by type.
absl::StatusOr<Counts> CountEvents(admin::AdminClient& admin, WallTime since) {
  DT_ASSIGN_OR_RETURN(const org::v1::CountEventsResponse response,
                      admin.CountEvents(FilterSince(since)));
  Counts counts;
  for (const auto& [type, count] : response.by_type()) {
    counts[type] = static_cast<std::uint64_t>(count);
  }
  return counts;
}

// No device authentication succeeds by a certificate that was revoked longer ago than the bound.
absl::Status CheckRevoked(admin::AdminClient& admin, WallTime since,
                          const std::vector<Revocation>& revocations, RunResult& result) {
  if (revocations.empty()) return absl::OkStatus();
  std::unordered_map<std::string, WallTime> revoked;
  for (const Revocation& one : revocations) revoked.emplace(one.serial, one.wall);
  return admin.ForEachEvent(
      FilterSince(since, "user.authentication.authenticate"), [&](const org::v1::Event& event) {
        const auto serial = event.debug_data().find("serial");
        if (event.outcome().result() != LogResult::RESULT_SUCCESS ||
            serial == event.debug_data().end()) {
          return;
        }
        const auto found = revoked.find(serial->second);
        if (found == revoked.end()) return;
        const auto late = rpc::FromTimestamp(event.at()) - found->second;
        if (late <= kBound) return;
        result.violations.push_back(
            fmt::format("certificate {} was trusted {:.1f} s after its revocation", serial->second,
                        std::chrono::duration<double>(late).count()));
      });
}

// Each event is there once, and each issuance is of another certificate.
absl::Status CheckOnce(admin::AdminClient& admin, WallTime since, RunResult& result) {
  std::unordered_set<std::string> ids;
  std::unordered_set<std::string> serials;
  std::uint64_t twice = 0;
  for (const char* const type : {"pki.cert.issue", "user.credential.enroll"}) {
    const bool issues = std::string_view(type) == "pki.cert.issue";
    DT_RETURN_IF_ERROR(
        admin.ForEachEvent(FilterSince(since, type), [&](const org::v1::Event& event) {
          if (!event.id().empty() && !ids.insert(event.id()).second) ++twice;
          const auto serial = event.debug_data().find("serial");
          if (!issues || serial == event.debug_data().end()) return;
          if (!serials.insert(serial->second).second) ++twice;
        }));
  }
  if (twice > 0) {
    result.violations.push_back(
        fmt::format("{} that the System Log has twice", Plural(twice, "event")));
  }
  return absl::OkStatus();
}

// The rules of all apps in their order, and of faults; equal names are one.
std::vector<RuleCount> RulesOf(const ScenarioSpec& spec) {
  std::vector<RuleCount> rules;
  const auto add = [&rules](const org::v1::Rule& rule) {
    const bool known = std::ranges::any_of(
        rules, [&rule](const RuleCount& one) { return one.rule == rule.name(); });
    if (known) return;
    const bool allows = rule.action().access() == org::v1::Action::ACCESS_ALLOWED;
    const bool factor = allows && rule.action().prompt_for_factor();
    rules.push_back({rule.name(),
                     !allows  ? "denied"
                     : factor ? "allowed + TOTP"
                              : "allowed",
                     0, ""});
  };
  for (const org::v1::App& app : spec.apps) {
    for (const org::v1::Rule& rule : app.rules()) add(rule);
  }
  for (const FaultSpec& fault : spec.faults) {
    for (const org::v1::Rule& rule : fault.rules) add(rule);
  }
  rules.push_back({kDefaultRule, "allowed", 0, ""});
  return rules;
}

struct DecisionCounts {
  Counts by_rule;
  std::uint64_t allowed = 0;
  std::uint64_t denied = 0;
};

absl::StatusOr<DecisionCounts> CountDecisions(admin::AdminClient& admin, WallTime since,
                                              const Decided& told) {
  DecisionCounts decided;
  DT_RETURN_IF_ERROR(admin.ForEachEvent(
      FilterSince(since, "policy.evaluate_sign_on"), [&](const org::v1::Event& event) {
        std::string rule;
        for (const org::v1::Target& target : event.targets()) {
          if (target.type() == "Rule") rule = target.display_name();
        }
        ++decided.by_rule[rule];
        const bool denied = event.outcome().result() == LogResult::RESULT_DENY;
        ++(denied ? decided.denied : decided.allowed);
        if (told) told(rule, !denied, rpc::FromTimestamp(event.at()));
      }));
  return decided;
}

void FillDecisions(const ScenarioSpec& spec, const Seen& seen, DecisionCounts decided,
                   RunResult& result) {
  result.decisions = RulesOf(spec);
  const auto denies = std::ranges::count_if(result.decisions, [&](const RuleCount& rule) {
    return rule.outcome == "denied" && Get(decided.by_rule, rule.rule) > 0;
  });
  for (RuleCount& rule : result.decisions) {
    rule.count = Get(decided.by_rule, rule.rule);
    decided.by_rule.erase(rule.rule);
    if (rule.count == 0) {
      rule.remark = rule.rule == kDefaultRule ? "never reached" : "not exercised";
    } else if (rule.outcome == "denied" && denies == 1) {
      rule.remark = fmt::format("{} no certificate, {} revoked", Thousands(seen.denied_without),
                                Thousands(seen.denied_revoked));
    }
  }
  for (const auto& [rule, count] : decided.by_rule) {
    result.violations.push_back(
        fmt::format("decisions of \"{}\", a rule that nobody wrote: the System Log has {}", rule,
                    Thousands(count)));
  }
}

// The 32 octets of a P-256 private key, as PKCS#8 and SEC 1 write them: an OCTET STRING.
std::string ScalarOf(const Bytes& pkcs8) {
  for (std::size_t i = 0; i + 34 <= pkcs8.size(); ++i) {
    if (pkcs8[i] == 0x04 && pkcs8[i + 1] == 0x20) {
      return std::string(pkcs8.begin() + static_cast<std::ptrdiff_t>(i + 2),
                         pkcs8.begin() + static_cast<std::ptrdiff_t>(i + 34));
    }
  }
  return "";
}

}  // namespace

absl::Status CompareWithLog(admin::AdminClient& admin, WallTime since, const Seen& seen,
                            const ScenarioSpec& spec, const std::vector<Revocation>& revocations,
                            RunResult& result, const Decided& told,
                            std::chrono::milliseconds delivery) {
  const Counts expected = Expected(seen);
  const auto delivered = [&]() -> absl::StatusOr<bool> {
    DT_ASSIGN_OR_RETURN(result.system_log, CountEvents(admin, since));
    return HasAll(result.system_log, expected);
  };
  const absl::Status waited = WaitUntil(delivered, std::chrono::milliseconds(20), delivery);
  if (!absl::IsDeadlineExceeded(waited)) DT_RETURN_IF_ERROR(waited);  // What lacks is told below.
  for (const auto& [type, count] : expected) {
    Compare(type, Get(result.system_log, type), count, seen.errors, result);
  }
  DT_RETURN_IF_ERROR(CheckOnce(admin, since, result));
  DT_RETURN_IF_ERROR(CheckRevoked(admin, since, revocations, result));

  DT_ASSIGN_OR_RETURN(DecisionCounts decided, CountDecisions(admin, since, told));
  Compare("decisions that let in", decided.allowed, seen.allowed, seen.errors, result);
  Compare("decisions that refuse", decided.denied, seen.denied(), seen.errors, result);
  FillDecisions(spec, seen, std::move(decided), result);
  return absl::OkStatus();
}

absl::Status CheckCertificates(admin::AdminClient& admin, const EnrollPhase& enroll,
                               RunResult& result) {
  DT_ASSIGN_OR_RETURN(const std::vector<ca::v1::CertificateRecord> known,
                      admin.ListCertificates({}));
  std::unordered_set<std::string> serials;
  for (const ca::v1::CertificateRecord& record : known) serials.insert(record.serial());
  std::uint64_t unknown = 0;
  for (std::size_t device = 0; device < enroll.computers(); ++device) {
    const std::optional<pki::ExportableIdentity> identity = enroll.IdentityOf(device);
    if (identity.has_value() && !serials.contains(identity->certificate.serial_hex())) ++unknown;
  }
  if (unknown > 0) {
    result.violations.push_back(fmt::format("{} that devices hold and the CA does not know",
                                            Plural(unknown, "certificate")));
  }
  return absl::OkStatus();
}

std::size_t OpenSockets() {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), error);
    if (!error && target.string().starts_with("socket:")) ++count;
  }
  return count;
}

void CheckKeys(const std::string& folder, const EnrollPhase& enroll, RunResult& result) {
  std::vector<std::string> scalars;
  for (std::size_t device = 0; device < enroll.computers() && scalars.size() < kKeysLookedFor;
       ++device) {
    const std::optional<pki::ExportableIdentity> identity = enroll.IdentityOf(device);
    if (!identity.has_value()) continue;
    if (std::string scalar = ScalarOf(identity->key.Pkcs8()); !scalar.empty()) {
      scalars.push_back(std::move(scalar));
    }
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (!entry.is_regular_file(error) || entry.file_size(error) > kFileBytesMax) continue;
    const absl::StatusOr<std::string> text = ReadFile(entry.path().string());
    if (!text.ok()) continue;
    for (const std::string& scalar : scalars) {
      if (text->find(scalar) == std::string::npos) continue;
      result.violations.push_back(
          fmt::format("a device's private key lies in {}", entry.path().string()));
      break;
    }
  }
}

}  // namespace devicetrust::simulator
