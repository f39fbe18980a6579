#include "simulator/scenario/enroll_phase.h"

#include <fmt/format.h>

#include <thread>

#include "libs/admin/text.h"
#include "libs/rpc/error.h"

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kChannelsPerServer = 2;
constexpr std::chrono::seconds kDiscoveryKept{60};
constexpr std::chrono::milliseconds kWatchEvery{50};

std::chrono::microseconds Micros(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time);
}

agent::NetworkConfig Network(const EnrollConfig& config) {
  agent::NetworkConfig network;
  network.org_trust_pem = config.org_trust_pem;
  network.discovery_kept = kDiscoveryKept;
  network.channels_per_server = kChannelsPerServer;
  return network;
}

}  // namespace

struct EnrollPhase::Job {
  std::size_t device = 0;
  Monotonic::time_point begun;
  Monotonic::time_point due;  // Of the next attempt.
  std::optional<agent::Enrollment> enrollment;
  std::array<std::chrono::nanoseconds, agent::kStepCount> took{};  // Zero: not done.
};

bool EnrollPhase::Later::operator()(const std::unique_ptr<Job>& a,
                                    const std::unique_ptr<Job>& b) const {
  return a->due > b->due;
}

EnrollPhase::EnrollPhase(EnrollConfig config, Meter& meter)
    : config_(std::move(config)),
      meter_(meter),
      world_(config_.forests->view(), config_.org_url, *config_.clock),
      services_(Network(config_), *config_.clock),
      begun_(config_.fleet->domain_joined) {
  const AccountView& accounts = config_.forests->view();
  const Fleet& fleet = *config_.fleet;
  computers_.reserve(fleet.domain_joined);
  for (std::size_t i = 0; i < fleet.domain_joined; ++i) {
    const FleetDevice& device = fleet.devices[i];
    computers_.emplace_back(world_, accounts.FindPrincipal(fleet.PrincipalOf(device)),
                            accounts.FindPrincipal(fleet.PrincipalOf(fleet.users[device.user])));
  }
}

EnrollPhase::~EnrollPhase() = default;

std::optional<pki::ExportableIdentity> EnrollPhase::IdentityOf(std::size_t device) const {
  if (device >= computers_.size()) return std::nullopt;
  return computers_[device].DeviceIdentity();
}

std::unique_ptr<EnrollPhase::Job> EnrollPhase::NewJob(std::size_t device,
                                                      const agent::Trace& more) {
  auto job = std::make_unique<Job>();
  job->device = device;
  job->begun = Monotonic::now();
  agent::Trace trace = [job = job.get(), more](agent::Step step, std::chrono::nanoseconds took,
                                               const std::string& detail) {
    job->took[static_cast<std::size_t>(step)] = took;
    if (more) more(step, took, detail);
  };
  job->enrollment.emplace(computers_[device], services_, *config_.clock, *config_.random,
                          agent::EnrollmentOptions{.version = computers_[device].agent_version(),
                                                   .trace_details = static_cast<bool>(more)},
                          std::move(trace));
  return job;
}

absl::Status EnrollPhase::RunOne(std::size_t device, const agent::Trace& trace) {
  {
    const MutexLock lock(mutex_);
    begun_[device] = true;
  }
  const std::unique_ptr<Job> job = NewJob(device, trace);
  while (true) {
    const agent::Outcome outcome = job->enrollment->Attempt();
    if (outcome.kind != agent::Outcome::Kind::kTryAgain) {
      const MutexLock lock(mutex_);
      End(*job, outcome);
      return outcome.status;
    }
    const Monotonic::time_point due = Monotonic::now() + outcome.pause;
    const MutexLock lock(mutex_);
    wake_.WaitUntil(mutex_, due);
  }
}

absl::Status EnrollPhase::Run() {
  meter_.Start();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < config_.threads; ++i) threads.emplace_back(&EnrollPhase::Work, this);

  absl::Status status;
  {
    MutexLock lock(mutex_);
    Monotonic::time_point look = Monotonic::now() + kWatchEvery;
    while (status.ok() && (next_ < computers_.size() || under_way_ > 0)) {
      if (wake_.WaitUntil(mutex_, look)) continue;
      lock.Unlock();
      if (config_.watch) status = config_.watch();
      lock.Lock();
      look = Monotonic::now() + kWatchEvery;
    }
    stop_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads) thread.join();
  meter_.Stop();
  return status;
}

void EnrollPhase::Work() {
  while (std::unique_ptr<Job> job = NextJob()) {
    const agent::Outcome outcome = job->enrollment->Attempt();
    Return(std::move(job), outcome);
  }
}

// Waits for a job that is due; null when there is nothing left to do.
std::unique_ptr<EnrollPhase::Job> EnrollPhase::NextJob() {
  MutexLock lock(mutex_);
  while (!stop_) {
    if (!waiting_.empty() && waiting_.top()->due <= Monotonic::now()) {
      // Moved out of the heap by its only owner, who pops it at once.
      auto job = std::move(const_cast<std::unique_ptr<Job>&>(waiting_.top()));
      waiting_.pop();
      return job;
    }
    while (next_ < computers_.size() && begun_[next_]) ++next_;
    if (next_ < computers_.size()) {
      const std::size_t device = next_++;
      begun_[device] = true;
      ++under_way_;
      lock.Unlock();
      return NewJob(device, {});
    }
    if (under_way_ == 0) {
      wake_.NotifyAll();
      return nullptr;
    }
    if (waiting_.empty()) {
      wake_.Wait(mutex_);
    } else {
      wake_.WaitUntil(mutex_, waiting_.top()->due);
    }
  }
  return nullptr;
}

void EnrollPhase::Return(std::unique_ptr<Job> job, const agent::Outcome& outcome) {
  const MutexLock lock(mutex_);
  if (outcome.kind == agent::Outcome::Kind::kTryAgain) {
    job->due = Monotonic::now() + outcome.pause;
    waiting_.push(std::move(job));
  } else {
    End(*job, outcome);
    --under_way_;
  }
  if (under_way_ == 0 || !waiting_.empty()) wake_.NotifyAll();
}

void EnrollPhase::TellSlowest(const Job& job) const {
  StoryRecord story;
  story.title = "The slowest enrollment";
  story.took = Micros(Monotonic::now() - job.begun);
  if (!config_.recorder->WantsStory(story.title, story.took)) return;
  story.subject = config_.fleet->devices[job.device].computer_name;
  story.outcome = "enrolled";
  std::chrono::microseconds at{0};
  for (std::size_t i = 0; i < agent::kStepCount; ++i) {
    const std::chrono::microseconds took = Micros(job.took[i]);
    if (took.count() == 0) continue;
    story.steps.push_back(
        {std::string(agent::StepName(static_cast<agent::Step>(i))), at, took, ""});
    at += took;
  }
  config_.recorder->Tell(std::move(story));
}

void EnrollPhase::End(const Job& job, const agent::Outcome& outcome) {
  for (std::size_t i = 0; i < agent::kStepCount; ++i) {
    if (job.took[i].count() > 0) times_[i].Record(Micros(job.took[i]));
  }
  if (outcome.kind == agent::Outcome::Kind::kEnrolled) {
    ++enrolled_;
    if (config_.recorder != nullptr) {
      config_.recorder->Gauge("computers with a certificate", static_cast<double>(enrolled_));
      TellSlowest(job);
    }
    meter_.Done(Micros(Monotonic::now() - job.begun));
    return;
  }
  meter_.Failed();
  errors_.Add(rpc::ReasonName(outcome.status),
              fmt::format("enrollment of {}", config_.fleet->devices[job.device].computer_name),
              admin::OneLine(outcome.status));
}

}  // namespace devicetrust::simulator
