#include "simulator/scenario/enroll_phase.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "libs/admin/text.h"
#include "libs/rpc/error.h"
#include "simulator/report/failures.h"

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kChannelsPerServer = 2;
constexpr std::chrono::seconds kDiscoveryKept{60};
constexpr std::chrono::milliseconds kWatchEvery{10};

std::chrono::microseconds Micros(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time);
}

agent::NetworkConfig Network(const EnrollConfig& config) {
  agent::NetworkConfig network;
  network.org_trust_pem = config.org_trust_pem;
  network.discovery_kept = kDiscoveryKept;
  network.channels_per_server = kChannelsPerServer;
  network.http_proxy = config.http_proxy;
  return network;
}

}  // namespace

struct EnrollPhase::Job {
  std::size_t device = 0;
  std::uint16_t phase = 0;
  Monotonic::time_point due;          // Of the next attempt; at first as scheduled.
  Monotonic::time_point counts_from;  // As scheduled.
  Monotonic::time_point begun;
  std::optional<agent::Enrollment> enrollment;
  std::array<std::chrono::nanoseconds, agent::kStepCount> took{};  // Zero: not done.
};

bool EnrollPhase::Later::operator()(const std::unique_ptr<Job>& a,
                                    const std::unique_ptr<Job>& b) const {
  return a->due > b->due;
}

EnrollPhase::EnrollPhase(EnrollConfig config, Meter& meter)
    : config_(std::move(config)),
      meter_(&meter),
      world_(config_.forests->view(), config_.org_url, *config_.clock),
      services_(Network(config_), *config_.clock) {
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

std::unique_ptr<EnrollPhase::Job> EnrollPhase::NewJob(std::size_t device, const EnrollPass& pass,
                                                      const agent::Trace& more) {
  auto job = std::make_unique<Job>();
  job->device = device;
  job->phase = pass.phase;
  job->begun = job->counts_from = job->due = Monotonic::now();
  agent::Trace trace = [job = job.get(), more](agent::Step step, std::chrono::nanoseconds took,
                                               const std::string& detail) {
    job->took[static_cast<std::size_t>(step)] = took;
    if (more) more(step, took, detail);
  };
  job->enrollment.emplace(computers_[device], services_, *config_.clock, *config_.random,
                          agent::EnrollmentOptions{.force_renewal = pass.renew,
                                                   .version = computers_[device].agent_version(),
                                                   .trace_details = static_cast<bool>(more)},
                          std::move(trace));
  return job;
}

absl::Status EnrollPhase::RunOne(std::size_t device, const agent::Trace& trace) {
  EnrollPass pass;
  pass.phase = kStoryEnrollment;
  const std::unique_ptr<Job> job = NewJob(device, pass, trace);
  while (true) {
    const agent::Outcome outcome = job->enrollment->Attempt();
    const MutexLock lock(mutex_);
    if (outcome.kind != agent::Outcome::Kind::kTryAgain) {
      End(*job, outcome);
      return outcome.status;
    }
    wake_.WaitUntil(mutex_, Monotonic::now() + outcome.pause);
  }
}

EnrollPass EnrollPhase::AllOf() const {
  EnrollPass pass;
  for (std::size_t device = 0; device < computers_.size(); ++device) pass.devices.push_back(device);
  return pass;
}

absl::Status EnrollPhase::Run(const EnrollPass& pass, Meter& meter) {
  const std::size_t thread_count =
      pass.schedule.empty() ? std::min(pass.at_once, config_.threads) : config_.threads;
  meter_ = &meter;
  pass_ = &pass;
  begun_ = Monotonic::now();
  ended_ = 0;
  {
    const MutexLock lock(mutex_);
    next_ = 0;
    stop_ = false;
  }
  meter.Start();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < thread_count; ++i) threads.emplace_back(&EnrollPhase::Work, this);

  absl::Status status;
  {
    MutexLock lock(mutex_);
    Monotonic::time_point look = Monotonic::now() + kWatchEvery;
    while (status.ok() && (next_ < pass.devices.size() || under_way_ > 0)) {
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
  meter.Stop();
  pass_ = nullptr;
  return status;
}

std::vector<std::string> EnrollPhase::Problems() const {
  Failures failures;
  for (const EnrollRecord& record : records_) {
    if (record.good) continue;
    failures.Add(record.reason,
                 "enrollment of " + config_.fleet->devices[record.device].computer_name,
                 record.why);
  }
  return failures.Lines();
}

double EnrollPhase::DoneShare() const {
  if (pass_ == nullptr || pass_->devices.empty()) return 1;
  return static_cast<double>(ended_) / static_cast<double>(pass_->devices.size());
}

void EnrollPhase::Work() {
  while (std::unique_ptr<Job> job = NextJob()) {
    const agent::Outcome outcome = job->enrollment->Attempt();
    Return(std::move(job), outcome);
  }
}

// Waits for a job that is due; null when there is nothing left to do.
std::unique_ptr<EnrollPhase::Job> EnrollPhase::NextJob() {
  const EnrollPass& pass = *pass_;
  MutexLock lock(mutex_);
  while (!stop_) {
    const Monotonic::time_point now = Monotonic::now();
    if (!waiting_.empty() && waiting_.top()->due <= now) {
      // Moved out of the heap by its only owner, who pops it at once.
      auto job = std::move(const_cast<std::unique_ptr<Job>&>(waiting_.top()));
      waiting_.pop();
      return job;
    }
    Monotonic::time_point due = Monotonic::time_point::max();  // Of whoever is the next to begin.
    if (next_ < pass.devices.size()) {
      due = pass.schedule.empty() ? now : begun_ + pass.schedule[next_];
    }
    if (due <= now) {
      const std::size_t device = pass.devices[next_++];
      if (!pass.schedule.empty()) late_.Record(Micros(now - due));
      ++under_way_;
      lock.Unlock();
      std::unique_ptr<Job> job = NewJob(device, pass, {});
      job->counts_from = due;
      return job;
    }
    if (under_way_ == 0 && next_ >= pass.devices.size()) {
      wake_.NotifyAll();
      return nullptr;
    }
    if (!waiting_.empty()) due = std::min(due, waiting_.top()->due);
    if (due == Monotonic::time_point::max()) {
      wake_.Wait(mutex_);
    } else {
      wake_.WaitUntil(mutex_, due);
    }
  }
  return nullptr;
}

void EnrollPhase::Return(std::unique_ptr<Job> job, const agent::Outcome& outcome) {
  const MutexLock lock(mutex_);
  if (outcome.kind == agent::Outcome::Kind::kTryAgain && !stop_) {
    job->due = Monotonic::now() + outcome.pause;
    waiting_.push(std::move(job));
  } else {
    End(*job, outcome);
    --under_way_;
    ++ended_;
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
  EnrollRecord& record = records_.emplace_back();
  record.device = static_cast<std::uint32_t>(job.device);
  record.phase = job.phase;
  record.began = job.begun;
  record.ended = Monotonic::now();
  record.good = outcome.kind == agent::Outcome::Kind::kEnrolled;
  if (record.good) {
    ++issued_;
    if (config_.recorder != nullptr) {
      config_.recorder->Gauge("certificates issued", static_cast<double>(issued_));
      TellSlowest(job);
    }
    meter_->Done(Micros(record.ended - job.counts_from), Micros(record.ended - job.begun));
    return;
  }
  meter_->Failed();
  record.reason = rpc::ReasonName(outcome.status);
  record.why = admin::OneLine(outcome.status);
}

}  // namespace devicetrust::simulator
