#include "policy-engine/people_sync/people_sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/log.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/metrics.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::milliseconds;

absl::Status NoSuchDomain(const std::string& domain) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                        "the people of that domain are not kept by a directory", domain,
                        "Name a domain that `dtctl people sync` lists, or add a [[people]].");
}

// What was read, as far as it decides whom.
std::string ScopeText(const PeopleScope& scope) {
  return fmt::format("{}\n{}\n{}\n{}", scope.domain_sid, scope.prefix, scope.base, scope.group);
}

}  // namespace

struct PeopleSync::Running {
  explicit Running(Domain given)
      : scope(std::move(given.scope)),
        listing(std::move(given.listing)),
        limits(given.limits),
        retry(limits.retry_min, limits.every) {
    shared.status.set_domain(scope.domain);
    shared.status.set_state(v1::PeopleSyncStatus::STATE_WAITING);
  }

  // What calls and the loop share.
  struct Shared {
    v1::PeopleSyncStatus status;
    WallTime due{};
    bool asked = false;  // While a pass was under way: another one at once.
    bool everybody_wanted = false;
    std::int64_t approved = 0;  // Deactivations, of the next pass.
  };
  // Returns what `use(shared)` does.
  template <typename Use>
  auto With(const Use& use) {
    const MutexLock lock(mutex);
    return use(shared);
  }

  const PeopleScope scope;
  const std::unique_ptr<directory::Listing> listing;
  const PeopleSyncLimits limits;

  // Of the pass under way. No picture: it is read from the store.
  std::optional<Picture> picture;
  std::optional<SyncPosition> position;
  Backoff retry;
  bool stopped = false;  // It would have deactivated too many people.

  Mutex mutex;
  Shared shared ABSL_GUARDED_BY(mutex);
};

PeopleSync::PeopleSync(Parts parts, std::vector<Domain> domains) : parts_(std::move(parts)) {
  for (Domain& domain : domains) {
    domains_.push_back(std::make_unique<Running>(std::move(domain)));
  }
}

PeopleSync::~PeopleSync() { Stop(); }

absl::Status PeopleSync::ReleaseOthers() {
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> synced, parts_.database.Read(SyncedDomains));
  for (const std::string& domain : synced) {
    if (Find(domain) != nullptr) continue;
    DT_RETURN_IF_ERROR(parts_.database.Write(
        [&domain](db::Transaction& txn) { return ReleaseDomain(txn, domain); }));
    Log(LogLevel::kInfo, "people.sync.released", {{"domain", domain}});
  }
  return absl::OkStatus();
}

void PeopleSync::Start() {
  if (domains_.empty()) return;
  loop_ = std::make_unique<BackgroundLoop>(milliseconds(0), [this] { return Step(); });
}

void PeopleSync::Stop() {
  stopping_ = true;
  if (loop_ != nullptr) loop_->Stop();
}

PeopleSync::Running* PeopleSync::Find(const std::string& domain) const {
  const auto found = std::ranges::find_if(
      domains_, [&domain](const auto& one) { return one->scope.domain == domain; });
  return found == domains_.end() ? nullptr : found->get();
}

BackgroundLoop::Pause PeopleSync::Step() {
  WallTime next = WallTime::max();
  for (const auto& domain : domains_) {
    const auto due = [&domain] { return domain->With([](const auto& one) { return one.due; }); };
    if (due() <= parts_.clock.Now() && !stopping_)
      static_cast<void>(RunPass(*domain, /*everybody=*/false));
    next = std::min(next, due());
  }
  const auto pause = std::chrono::duration_cast<milliseconds>(next - parts_.clock.Now());
  return BackgroundLoop::AtMost(
      std::clamp(pause, milliseconds(10), milliseconds(std::chrono::hours(1))));
}

absl::Status PeopleSync::RunPass(const std::string& domain, bool everybody) {
  Running* const found = Find(domain);
  if (found == nullptr) return NoSuchDomain(domain);
  return RunPass(*found, everybody);
}

absl::Status PeopleSync::RunPass(Running& domain, bool everybody) {
  const MutexLock one_at_a_time(passes_);
  domain.With([&](Running::Shared& shared) {
    shared.status.set_state(v1::PeopleSyncStatus::STATE_RUNNING);
    everybody = std::exchange(shared.everybody_wanted, false) || everybody;
    shared.asked = false;
  });
  const metrics::Stopwatch watch(kPeopleSyncSeconds.With());
  domain.stopped = false;
  absl::Status status = Pass(domain, everybody);
  // What is in memory may be ahead of the store: read it again.
  if (!status.ok()) domain.picture.reset();
  const bool stopped = domain.stopped;
  milliseconds pause = domain.limits.every;
  if (status.ok() || stopped) {
    domain.retry.Reset();
  } else {
    pause = domain.retry.Next();
    Log(LogLevel::kWarning, "people.sync.failed",
        {{"domain", domain.scope.domain}, {"error", status.ToString()}});
  }
  kPeopleSyncPasses.With({domain.scope.domain, status.ok() ? "ok"
                                               : stopped   ? "stopped"
                                                           : "failed"})
      .Add();
  domain.With([&](Running::Shared& shared) {
    v1::PeopleSyncStatus& shown = shared.status;
    using Status = v1::PeopleSyncStatus;
    shown.set_passes(shown.passes() + 1);
    shown.set_state(status.ok() ? Status::STATE_WAITING
                    : stopped   ? Status::STATE_STOPPED
                                : Status::STATE_FAILED);
    shown.set_error(std::string(status.message()));
    if (!stopped) {
      shown.clear_deactivations();
      shown.clear_deactivated_examples();
    }
    kPeopleSyncWaiting.With({domain.scope.domain}).Set(static_cast<double>(shown.deactivations()));
    shared.due = shared.asked ? WallTime{} : parts_.clock.Now() + pause;
  });
  return status;
}

absl::Status PeopleSync::Read(const Running& domain, directory::ListingPass& pass, bool& everybody,
                              PeopleReading& reading) const {
  const directory::Replica& replica = pass.replica();
  const PeopleSyncLimits& limits = domain.limits;
  const auto every =
      replica.shows_deleted ? limits.everybody_every : limits.everybody_every_unshown;
  const auto& position = domain.position;
  everybody = everybody || !position || position->scope != ScopeText(domain.scope) ||
              position->invocation_id != replica.invocation_id ||
              position->usn > replica.highest_usn ||  // Put back without saying so.
              parts_.clock.Now() >= AtUnixSeconds(position->everybody_at) + every ||
              parts_.clock.Now() < AtUnixSeconds(position->everybody_at);
  if (!everybody) {
    const absl::Status changes = ReadChanges(pass, domain.scope, position->usn + 1, reading);
    if (!absl::IsOutOfRange(changes)) return changes;
    everybody = true;
  }
  return ReadEverybody(pass, domain.scope, reading);
}

absl::StatusOr<PeoplePlan> PeopleSync::Plan(const Running& domain, directory::ListingPass& pass,
                                            bool everybody, const Picture& groups_before,
                                            PeopleReading& reading) const {
  const WallTime now = parts_.clock.Now();
  DT_ASSIGN_OR_RETURN(const PicturedGroup* const group,
                      GroupOfScope(domain.scope, reading.picture));
  PeoplePlan plan = PlanPeople(groups_before, reading, domain.scope, group, everybody, now);
  if (plan.without_profile.empty()) return plan;
  DT_RETURN_IF_ERROR(ReadProfiles(pass, domain.scope, plan.without_profile, reading));
  return PlanPeople(groups_before, reading, domain.scope, group, everybody, now);
}

absl::Status PeopleSync::TellStopped(const Running& domain, std::size_t deactivations) {
  v1::Event event = EventBuilder("people.sync.stop", "People of a directory wait for an approval",
                                 parts_.clock.Now())
                        .Actor(PeopleSyncCaller())
                        .Target("Domain", domain.scope.domain, domain.scope.domain)
                        .Outcome(v1::EventOutcome::RESULT_FAILURE)
                        .Debug("deactivations", std::to_string(deactivations))
                        .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  return parts_.database.Write(
      [&](db::Transaction& txn) { return parts_.events.Append(txn, event); });
}

absl::Status PeopleSync::CheckDeactivations(Running& domain, const PeoplePlan& plan,
                                            PeopleApplier& applier) {
  std::vector<std::string> examples;
  DT_ASSIGN_OR_RETURN(const std::size_t leaving, applier.CountDeactivations(examples));
  const auto count = static_cast<std::int64_t>(leaving);
  const std::int64_t limit =
      std::max(domain.limits.deactivate_least,
               static_cast<std::int64_t>(plan.active) * domain.limits.deactivate_percent / 100);
  bool told = false;
  bool approved = false;
  domain.With([&](Running::Shared& shared) {
    v1::PeopleSyncStatus& status = shared.status;
    approved = count <= shared.approved;
    told = status.deactivations() == count;
    if (count <= limit || approved) return;
    status.set_deactivations(count);
    status.mutable_deactivated_examples()->Assign(examples.begin(), examples.end());
  });
  if (count <= limit || approved) return absl::OkStatus();
  if (!told) {
    Log(LogLevel::kWarning, "people.sync.stopped",
        {{"domain", domain.scope.domain}, {"deactivations", std::to_string(count)}});
    DT_RETURN_IF_ERROR(TellStopped(domain, leaving));
  }
  domain.stopped = true;
  return absl::FailedPreconditionError(fmt::format(
      "the directory of {} has {} people less than before, or disabled: more than the {} that may"
      " be deactivated at once. Nobody was changed. If that is right:"
      " dtctl people sync --approve {}",
      domain.scope.domain, count, limit, domain.scope.domain));
}

absl::Status PeopleSync::Pass(Running& domain, bool everybody) {
  if (!domain.picture) {
    DT_ASSIGN_OR_RETURN(domain.picture, parts_.database.Read([&](db::Transaction& txn) {
      return LoadPicture(txn, domain.scope.domain);
    }));
    DT_ASSIGN_OR_RETURN(domain.position, parts_.database.Read([&](db::Transaction& txn) {
      return FindPosition(txn, domain.scope.domain);
    }));
  }
  DT_ASSIGN_OR_RETURN(const std::unique_ptr<directory::ListingPass> pass, domain.listing->Begin());
  const Picture groups_before = domain.picture->GroupsAlone();
  PeopleReading reading{*std::exchange(domain.picture, std::nullopt)};
  DT_RETURN_IF_ERROR(Read(domain, *pass, everybody, reading));
  DT_ASSIGN_OR_RETURN(const PeoplePlan plan,
                      Plan(domain, *pass, everybody, groups_before, reading));
  PeopleApplier applier({parts_.database, parts_.events, parts_.clock, parts_.random}, domain.scope,
                        plan, reading.picture);
  DT_RETURN_IF_ERROR(CheckDeactivations(domain, plan, applier));

  SyncPosition position{ScopeText(domain.scope), pass->replica().invocation_id,
                        pass->replica().highest_usn, 0, UnixSeconds(parts_.clock.Now())};
  position.everybody_at = everybody         ? position.synced_at
                          : domain.position ? domain.position->everybody_at
                                            : 0;
  v1::Event event =
      EventBuilder("people.sync", "People synced with a directory", parts_.clock.Now())
          .Actor(PeopleSyncCaller())
          .Target("Domain", domain.scope.domain, domain.scope.domain)
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto finish = [&](db::Transaction& txn, const SyncCounts& counts) -> absl::Status {
    DT_RETURN_IF_ERROR(StoreGroups(txn, domain.scope.domain, groups_before, reading.picture));
    DT_RETURN_IF_ERROR(StorePosition(txn, domain.scope.domain, position));
    if (!counts.any()) return absl::OkStatus();
    v1::Event told = event;
    auto& debug = *told.mutable_debug_data();
    debug["reading"] = everybody ? "everybody" : "changes";
    debug["added"] = std::to_string(counts.added);
    debug["updated"] = std::to_string(counts.updated);
    debug["activated"] = std::to_string(counts.activated);
    debug["deactivated"] = std::to_string(counts.deactivated);
    debug["refused"] = std::to_string(counts.refused);
    return parts_.events.Append(txn, told);
  };
  const absl::StatusOr<SyncCounts> counts = applier.Apply(finish);
  parts_.revoker.Wake();
  if (parts_.changed) parts_.changed();  // Batches before the one that failed, too.
  DT_RETURN_IF_ERROR(counts.status());

  reading.picture.Settle();
  domain.picture = std::move(reading.picture);
  domain.position = position;
  Show(domain, pass->replica(), *counts);
  return absl::OkStatus();
}

void PeopleSync::Show(Running& domain, const directory::Replica& replica,
                      const SyncCounts& counts) {
  const auto active = std::ranges::count_if(domain.picture->people(), [](const auto& person) {
    return person.second.applied == Applied::kActive;
  });
  const SyncPosition& position = *domain.position;
  domain.With([&](Running::Shared& shared) {
    v1::PeopleSyncStatus& status = shared.status;
    shared.approved = 0;
    *status.mutable_synced_at() = rpc::ToTimestamp(AtUnixSeconds(position.synced_at));
    *status.mutable_everybody_at() = rpc::ToTimestamp(AtUnixSeconds(position.everybody_at));
    status.set_domain_controller(replica.name);
    status.set_shows_deleted(replica.shows_deleted);
    status.set_people(active);
    status.set_groups(static_cast<std::int64_t>(domain.picture->groups().size()));
    v1::PeopleSyncCounts& last = *status.mutable_last();
    last.set_added(counts.added);
    last.set_updated(counts.updated);
    last.set_activated(counts.activated);
    last.set_deactivated(counts.deactivated);
    last.set_refused(counts.refused);
    status.mutable_refused()->Assign(counts.refusals.begin(), counts.refusals.end());
  });
  kPeopleSyncPeople.With({domain.scope.domain}).Set(static_cast<double>(active));
  kPeopleSyncedAt.With({domain.scope.domain}).Set(static_cast<double>(position.synced_at));
}

v1::GetPeopleSyncResponse PeopleSync::Get() const {
  v1::GetPeopleSyncResponse response;
  for (const auto& domain : domains_) {
    *response.add_domains() = domain->With([](const auto& shared) { return shared.status; });
  }
  return response;
}

absl::StatusOr<v1::RunPeopleSyncResponse> PeopleSync::Run(const v1::RunPeopleSyncRequest& request) {
  if (!request.domain().empty() && Find(request.domain()) == nullptr) {
    return NoSuchDomain(request.domain());
  }
  v1::RunPeopleSyncResponse response;
  for (const auto& domain : domains_) {
    if (!request.domain().empty() && domain->scope.domain != request.domain()) continue;
    *response.add_domains() = domain->With([&request](Running::Shared& shared) {
      shared.due = WallTime{};
      shared.asked = true;
      shared.everybody_wanted = shared.everybody_wanted || request.everybody();
      return shared.status;
    });
  }
  if (loop_ != nullptr) loop_->Wake();
  return response;
}

absl::StatusOr<v1::ApprovePeopleSyncResponse> PeopleSync::Approve(
    const rpc::Caller& admin, const v1::ApprovePeopleSyncRequest& request) {
  Running* const domain = Find(request.domain());
  if (domain == nullptr) return NoSuchDomain(request.domain());
  v1::Event event = EventBuilder("people.sync.approve", "Deactivations by a directory approved",
                                 parts_.clock.Now())
                        .Actor(admin)
                        .Target("Domain", request.domain(), request.domain())
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Debug("deactivations", std::to_string(request.deactivations()))
                        .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const std::int64_t waiting =
      domain->With([](const auto& shared) { return shared.status.deactivations(); });
  if (waiting == 0 || waiting != request.deactivations()) {
    return rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
        waiting == 0
            ? "no deactivations wait for an approval"
            : fmt::format("{} deactivations wait, not {}", waiting, request.deactivations()),
        request.domain(), "Look at `dtctl people sync`, then approve what it says.");
  }
  DT_RETURN_IF_ERROR(parts_.database.Write(
      [&](db::Transaction& txn) { return parts_.events.Append(txn, event); }));
  v1::ApprovePeopleSyncResponse response;
  *response.mutable_domain() = domain->With([waiting](Running::Shared& shared) {
    shared.approved = waiting;
    shared.due = WallTime{};
    shared.asked = true;
    return shared.status;
  });
  if (loop_ != nullptr) loop_->Wake();
  return response;
}

}  // namespace devicetrust::policy
