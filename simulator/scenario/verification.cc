#include "simulator/scenario/verification.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "simulator/report/failures.h"
#include "simulator/report/format.h"

namespace devicetrust::simulator {
namespace {

using Device = ExpectSpec::Device;
using Outcome = ExpectSpec::Outcome;
using Moment = VisitRecord::Moment;

// After a fault has ended, clients are still between two attempts.
constexpr std::chrono::seconds kSettles{3};

// Whether what took from `began` to `ended` can be judged by what was before or after `at`.
enum class Side { kBefore, kBetween, kAfter };
Side SideOf(Moment began, Moment ended, Moment at) {
  if (ended < at) return Side::kBefore;
  return began > at + kBound ? Side::kAfter : Side::kBetween;
}

bool IsState(FaultSpec::Kind kind) {
  return kind != FaultSpec::Kind::kRevoke && kind != FaultSpec::Kind::kDeactivate;
}

class VisitJudge {
 public:
  explicit VisitJudge(const Evidence& evidence) : evidence_(evidence) {
    for (const Revocation& revocation : evidence.faults->revocations()) {
      revoked_at_.emplace(revocation.device, revocation.at);
    }
    for (const FaultRunner::Absence& absence : evidence.faults->absences()) {
      absences_.emplace(absence.user, absence);
    }
  }

  Seen Count() {
    for (const VisitRecord& visit : evidence_.sign_in->records()) CountVisit(visit);
    for (const EnrollRecord& record : evidence_.enroll->records()) {
      if (!record.good) ++seen_.errors;
      JudgeEnrollment(record);
    }
    seen_.issued = evidence_.enroll->issued();
    for (std::size_t device = 0; device < evidence_.enroll->computers(); ++device) {
      if (evidence_.enroll->IdentityOf(device).has_value()) ++seen_.holders;
    }
    seen_.revoked = evidence_.faults->revocations().size();
    seen_.passwords = evidence_.sign_in->totals().passwords;
    seen_.factors = evidence_.sign_in->totals().factors;
    return seen_;
  }
  const Failures& wrong() const { return wrong_; }

 private:
  // Nothing: it can't be told, or nobody may expect anything.
  std::optional<Device> KindOf(std::size_t user, Moment began, Moment ended, bool refused) const {
    if (const auto absence = absences_.find(user); absence != absences_.end()) {
      const Side from = SideOf(began, ended, absence->second.from);
      const Side until = absence->second.until.has_value()
                             ? SideOf(began, ended, *absence->second.until)
                             : Side::kBefore;
      if (from == Side::kBetween || until == Side::kBetween) return std::nullopt;
      if (from == Side::kAfter && until == Side::kBefore) return Device::kDeactivated;
    }
    if (const auto revoked = revoked_at_.find(user); revoked != revoked_at_.end()) {
      const Side side = refused ? Side::kAfter : SideOf(began, ended, revoked->second);
      if (side == Side::kBetween) return std::nullopt;
      if (side == Side::kAfter) return Device::kRevoked;
    }
    switch (evidence_.fleet->devices[user].kind) {
      case DeviceKind::kDomainWindows:
        return Device::kDomainJoined;
      case DeviceKind::kUnmanagedWindows:
        return Device::kUnmanaged;
      default:
        return Device::kOther;
    }
  }

  // The fault that went on all the while; nothing: none, and nobody can tell when `overlaps`.
  std::optional<std::size_t> FaultDuring(Moment began, Moment ended, bool& overlaps) const {
    std::optional<std::size_t> within;
    for (const FaultBand& band : evidence_.faults->bands()) {
      if (!IsState(evidence_.spec->faults[band.fault].kind)) continue;
      const Moment end = band.end.value_or(Moment::max() - kSettles);
      if (ended < band.begin || began > end + kSettles) continue;
      overlaps = true;
      if (began > band.begin + kBound && ended < end) within = band.fault;
    }
    return within;
  }

  // What is expected; nothing: it can't be judged, or nobody said.
  std::optional<Outcome> Expected(std::size_t user, std::uint16_t phase, Moment began, Moment ended,
                                  bool refused) const {
    const std::optional<Device> kind = KindOf(user, began, ended, refused);
    if (!kind.has_value()) return std::nullopt;
    bool overlaps = false;
    const std::optional<std::size_t> fault = FaultDuring(began, ended, overlaps);
    for (const ExpectSpec& expect : evidence_.spec->expect) {
      if (expect.device != Device::kAny && expect.device != *kind) continue;
      if (expect.phase.has_value() && *expect.phase != phase) continue;
      if (expect.fault.has_value() ? expect.fault != fault : overlaps) continue;
      return expect.outcome;
    }
    return std::nullopt;
  }

  static bool Fits(Outcome expected, VisitRecord::End end) {
    switch (expected) {
      case Outcome::kAllowed:
        return end == VisitRecord::End::kAllowed;
      case Outcome::kDenied:
        return end == VisitRecord::End::kDenied;
      case Outcome::kFailed:
        return end != VisitRecord::End::kAllowed;
      case Outcome::kAny:
        return true;
    }
    return false;
  }

  void CountVisit(const VisitRecord& visit) {
    const FleetDevice& device = evidence_.fleet->devices[visit.user];
    if (visit.end == VisitRecord::End::kError) ++seen_.errors;
    if (visit.end != VisitRecord::End::kError && visit.challenged && visit.with_certificate) {
      ++seen_.shown;
    }
    if (visit.end == VisitRecord::End::kAllowed) ++seen_.allowed;
    if (visit.end == VisitRecord::End::kDenied) {
      const bool revoked = visit.after_refusal || revoked_at_.contains(visit.user);
      ++(!visit.with_certificate ? seen_.denied_without
         : revoked               ? seen_.denied_revoked
                                 : seen_.denied_otherwise);
    }
    JudgeVisit(visit, device);
  }

  void JudgeVisit(const VisitRecord& visit, const FleetDevice& device) {
    const FleetUser& user = evidence_.fleet->users[device.user];
    const std::optional<Outcome> expected =
        Expected(visit.user, visit.phase, visit.began, visit.ended, visit.after_refusal);
    if (visit.end == VisitRecord::End::kError) {
      bool overlaps = false;
      FaultDuring(visit.began, visit.ended, overlaps);
      const bool may = expected.has_value() ? Fits(*expected, visit.end) : overlaps;
      if (may) return;
      wrong_.Add(visit.error,
                 fmt::format("{} opening {}", user.principal, evidence_.spec->apps[visit.app].id()),
                 visit.error);
      return;
    }
    if (!expected.has_value() || Fits(*expected, visit.end)) return;
    const std::string what =
        fmt::format("{}: {}", DeviceKindName(device.kind),
                    visit.end == VisitRecord::End::kAllowed ? "let in" : "refused");
    wrong_.Add(what, fmt::format("{} {}", user.principal, device.computer_name),
               what + (visit.code.empty() ? "" : fmt::format(", code {}", visit.code)));
  }

  void JudgeEnrollment(const EnrollRecord& record) {
    const std::optional<Outcome> expected =
        Expected(record.device, record.phase, record.began, record.ended, false);
    bool overlaps = false;
    FaultDuring(record.began, record.ended, overlaps);
    const auto end = record.good ? VisitRecord::End::kAllowed : VisitRecord::End::kError;
    // An expectation that names no phase is about visits; computers enroll.
    const bool named = expected.has_value() && NamesPhase(record.phase);
    if (named ? Fits(*expected, end) : record.good || overlaps) return;
    const std::string& name = evidence_.fleet->devices[record.device].computer_name;
    if (record.good) {
      wrong_.Add("enrolled", name, "enrolled, which was not expected");
    } else {
      wrong_.Add(record.reason, "enrollment of " + name, record.why);
    }
  }

  bool NamesPhase(std::uint16_t phase) const {
    return std::ranges::any_of(evidence_.spec->expect, [phase](const ExpectSpec& expect) {
      return expect.phase.has_value() && *expect.phase == phase;
    });
  }

  const Evidence& evidence_;
  std::map<std::size_t, Moment> revoked_at_;  // By device, whose user has the same number.
  std::map<std::size_t, FaultRunner::Absence> absences_;
  Seen seen_;
  Failures wrong_;
};

}  // namespace

Seen JudgeVisits(const Evidence& evidence, RunResult& result) {
  VisitJudge judge(evidence);
  const Seen seen = judge.Count();
  for (const Failures* const failures :
       std::initializer_list<const Failures*>{&judge.wrong(), &evidence.sign_in->totals().errors}) {
    for (std::string& line : failures->Lines()) result.violations.push_back(std::move(line));
  }
  for (const std::string& missed : evidence.faults->missed()) result.violations.push_back(missed);
  return seen;
}

}  // namespace devicetrust::simulator
