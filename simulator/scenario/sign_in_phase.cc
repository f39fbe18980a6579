#include "simulator/scenario/sign_in_phase.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <condition_variable>
#include <random>
#include <thread>

#include "libs/base/check.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::chrono::milliseconds kPoll{2};
constexpr std::chrono::seconds kRevocationMax{10};  // Promised is one second.
constexpr std::size_t kErrorsKept = 20;

microseconds Since(Monotonic::time_point begin) {
  return std::chrono::duration_cast<microseconds>(Monotonic::now() - begin);
}

Task<void> Pause() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, kPoll);
  co_await timer.async_wait(kAsTuple);
}

}  // namespace

// One thread with what its browsers share. Nothing in it is seen by another thread.
struct SignInPhase::Worker {
  boost::asio::io_context io{1};
  std::optional<pki::TlsContext> tls;
  StepTimes times{};
  SignInTotals totals;
};

SignInPhase::SignInPhase(SignInConfig config, Meter& signin, Meter& challenge)
    : config_(std::move(config)),
      signin_(signin),
      challenge_(challenge),
      records_(config_.fleet->users.size() * config_.apps.size()),
      ran_(config_.fleet->users.size()) {}

SignInPhase::~SignInPhase() = default;

std::unique_ptr<SignInPhase::Worker> SignInPhase::NewWorker() const {
  auto worker = std::make_unique<Worker>();
  pki::TlsClientConfig tls;
  tls.trusted = config_.web_trust;
  tls.clock = config_.clock;
  absl::StatusOr<pki::TlsContext> context = pki::TlsContext::ForClient(std::move(tls));
  DT_CHECK(context.ok());  // Of certificates that this process made.
  worker->tls.emplace(*std::move(context));
  return worker;
}

Browser SignInPhase::NewBrowser(Worker& worker, std::size_t user,
                                const pki::Identity* identity) const {
  return Browser({&*worker.tls, config_.fleet->devices[user].user_agent, identity});
}

void SignInPhase::RunOne(std::size_t user, const Watch& watch) {
  ran_[user] = true;
  const std::unique_ptr<Worker> worker = NewWorker();
  co_spawn(worker->io, RunUser(*worker, user, &watch), boost::asio::detached);
  worker->io.run();
  Merge(*worker);
}

absl::Status SignInPhase::Run() {
  std::vector<bool> apart = ran_;
  for (const std::size_t user : config_.to_revoke) apart[user] = true;
  for (std::size_t user = 0; user < apart.size(); ++user) {
    if (!apart[user]) order_.push_back(user);
  }
  std::shuffle(order_.begin(), order_.end(), std::mt19937_64(order_.size()));

  signin_.Start();
  challenge_.Start();
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < config_.threads; ++i) {
    workers.push_back(NewWorker());
    Worker& worker = *workers.back();
    const std::size_t browsers =
        std::max<std::size_t>(1, config_.browsers_in_flight / config_.threads);
    for (std::size_t n = 0; n < browsers; ++n) {
      co_spawn(worker.io, RunQueue(worker), boost::asio::detached);
    }
  }
  for (std::size_t i = 0; i < config_.to_revoke.size(); ++i) {
    Worker& worker = *workers[i % workers.size()];
    co_spawn(worker.io, RunRevoked(worker, config_.to_revoke[i]), boost::asio::detached);
  }

  std::atomic<std::size_t> running = workers.size();
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<std::thread> threads;
  for (const std::unique_ptr<Worker>& worker : workers) {
    threads.emplace_back([&worker = *worker, &running, &mutex, &ended] {
      worker.io.run();
      const std::lock_guard lock(mutex);
      --running;
      ended.notify_one();
    });
  }

  absl::Status status;
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, std::chrono::milliseconds(5), [&running] { return running == 0; })) {
    if (!status.ok()) continue;
    if (config_.watch) status = config_.watch();
    if (status.ok() && !revoked_ && HalfDone()) {
      if (config_.revoke) status = config_.revoke();
      revoked_at_ = Monotonic::now();
      revoked_ = true;
    }
    if (!status.ok()) stop_ = true;
  }
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  signin_.Stop();
  challenge_.Stop();
  for (const std::unique_ptr<Worker>& worker : workers) Merge(*worker);
  return status;
}

bool SignInPhase::HalfDone() const {
  return visits_done_ >= order_.size() * config_.apps.size() / 2 &&
         waiting_to_revoke_ == config_.to_revoke.size();
}

Task<void> SignInPhase::RunQueue(Worker& worker) {
  while (!stop_) {
    const std::size_t place = next_++;
    if (place >= order_.size()) co_return;
    co_await RunUser(worker, order_[place], nullptr);
    visits_done_ += config_.apps.size();
  }
}

Task<void> SignInPhase::RunUser(Worker& worker, std::size_t user, const Watch* watch) {
  const std::optional<pki::Identity> identity = config_.identity_of(user);
  Browser browser = NewBrowser(worker, user, identity ? &*identity : nullptr);
  for (std::size_t app = 0; app < config_.apps.size() && !stop_; ++app) {
    co_await RunVisit(worker, browser, user, app, app == 0 ? watch : nullptr);
  }
}

// The first half of the apps with a good certificate, the rest after its revocation.
Task<void> SignInPhase::RunRevoked(Worker& worker, std::size_t user) {
  const std::optional<pki::Identity> identity = config_.identity_of(user);
  Browser browser = NewBrowser(worker, user, identity ? &*identity : nullptr);
  const std::size_t half = config_.apps.size() / 2;
  for (std::size_t app = 0; app < half && !stop_; ++app) {
    co_await RunVisit(worker, browser, user, app, nullptr);
  }
  ++waiting_to_revoke_;
  while (!revoked_ && !stop_) co_await Pause();
  if (identity.has_value()) {
    const absl::Status refused = co_await WaitUntilRefused(worker, *identity);
    if (!refused.ok()) worker.totals.errors.emplace_back(refused.message());
  }
  for (std::size_t app = half; app < config_.apps.size() && !stop_; ++app) {
    records_[user * config_.apps.size() + app].after_revocation = true;
    co_await RunVisit(worker, browser, user, app, nullptr);
  }
}

Task<absl::Status> SignInPhase::WaitUntilRefused(Worker& worker, const pki::Identity& identity) {
  const absl::StatusOr<http::Url> url = http::ParseUrl(config_.check_url);
  if (!url.ok()) co_return url.status();
  while (!stop_) {
    http::ClientOptions options;
    options.address = url->Address();
    options.host = url->host;
    options.port = url->port;
    options.tls = &*worker.tls;
    options.identity = &identity;
    http::ClientRequest request;
    request.target = url->target;
    const absl::StatusOr<http::ParsedResponse> response =
        co_await http::Fetch(std::move(options), std::move(request));
    if (!response.ok()) co_return response.status();
    if (response->body.find("CERTIFICATE_REVOKED") != std::string::npos) break;
    if (Since(revoked_at_) > kRevocationMax) {
      co_return absl::DeadlineExceededError(
          "a revoked certificate is still trusted by the mTLS host after 10 s");
    }
    co_await Pause();
  }
  worker.totals.revocation_seen.Record(Since(revoked_at_));
  co_return absl::OkStatus();
}

// False when it failed.
Task<bool> SignInPhase::RunVisit(Worker& worker, Browser& browser, std::size_t user,
                                 std::size_t app, const Watch* watch) {
  Visit visit;
  visit.browser = &browser;
  visit.app = config_.apps[app];
  visit.user = &config_.fleet->users[user];
  visit.binding =
      app % 2 == 0 ? ServiceProvider::Binding::kRedirect : ServiceProvider::Binding::kPost;
  visit.relay_state = fmt::format("{}-{}", user, app);
  visit.clock = config_.clock;
  visit.times = &worker.times;
  SignInTotals& totals = worker.totals;
  bool password_given = false;
  visit.watch = [&password_given, watch](Step step, microseconds took, const Page* page) {
    password_given = password_given || step == Step::kPassword;
    if (watch != nullptr && *watch) (*watch)(step, took, page);
  };

  Meter& meter = app == 0 ? signin_ : challenge_;
  const auto begin = Monotonic::now();
  const absl::StatusOr<VisitEnd> end = co_await OpenApp(std::move(visit));
  VisitRecord& record = records_[user * config_.apps.size() + app];
  if (password_given) ++totals.passwords;
  if (!end.ok()) {
    meter.Failed();
    record.end = VisitRecord::End::kError;
    if (totals.errors.size() < kErrorsKept) {
      totals.errors.push_back(fmt::format("{} opening {}: {}", config_.fleet->users[user].principal,
                                          config_.apps[app]->config().id, end.status().ToString()));
    }
    co_return false;
  }
  meter.Done(Since(begin));
  record.end = end->allowed ? VisitRecord::End::kAllowed : VisitRecord::End::kDenied;
  record.challenged = end->challenged;
  record.code = end->code;
  if (end->factor_asked) ++totals.factors;
  if (end->challenged) ++totals.challenges;
  if (end->allowed && end->assertion.name_id.empty()) totals.errors.push_back("empty NameID");
  co_return true;
}

void SignInPhase::Merge(const Worker& worker) {
  for (std::size_t i = 0; i < kSteps; ++i) times_[i].Merge(worker.times[i]);
  totals_.passwords += worker.totals.passwords;
  totals_.factors += worker.totals.factors;
  totals_.challenges += worker.totals.challenges;
  totals_.revocation_seen.Merge(worker.totals.revocation_seen);
  for (const std::string& error : worker.totals.errors) {
    if (totals_.errors.size() < kErrorsKept) totals_.errors.push_back(error);
  }
}

}  // namespace devicetrust::simulator
