#include "simulator/scenario/sign_in_phase.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/mutex.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::chrono::milliseconds kPoll{2};
constexpr std::chrono::milliseconds kLookUp{50};  // Whether to stop, while the next is far off.
constexpr std::chrono::milliseconds kWatchEvery{5};
constexpr std::chrono::seconds kRevocationMax{10};  // Promised is one second.

microseconds Since(Monotonic::time_point begin) {
  return std::chrono::duration_cast<microseconds>(Monotonic::now() - begin);
}

// What a step answered, without what is secret in an address.
std::string Address(const Page* page) {
  if (page == nullptr) return {};
  return fmt::format("{} {}", page->response.status, page->url.substr(0, page->url.find('?')));
}

Task<void> PauseUntil(Monotonic::time_point end) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, end);
  co_await timer.async_wait(kAsTuple);
}

Task<void> Pause() { co_await PauseUntil(Monotonic::now() + kPoll); }

}  // namespace

// One thread with what its browsers share. Nothing in it is seen by another thread.
struct SignInPhase::Worker {
  boost::asio::io_context io{1};
  std::optional<pki::TlsContext> tls;
  StepTimes times{};
  SignInTotals totals;
  std::vector<VisitRecord> records;
};

SignInPhase::SignInPhase(SignInConfig config, Meter& signin, Meter& next)
    : config_(std::move(config)),
      signin_(signin),
      next_meter_(next),
      cookies_(config_.fleet->users.size()),
      signed_in_(config_.fleet->users.size()) {}

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

Browser SignInPhase::NewBrowser(Worker& worker, std::size_t user, const pki::Identity* identity) {
  return Browser({&*worker.tls, config_.fleet->devices[user].user_agent, identity},
                 std::exchange(cookies_[user], {}));
}

void SignInPhase::RunOne(std::size_t user, const Watch& watch) {
  VisitPass pass;
  pass.phase = kStoryPhase;
  pass.users = {user};
  for (std::size_t app = 0; app < apps(); ++app) pass.apps.push_back(app);
  pass_ = &pass;
  const std::unique_ptr<Worker> worker = NewWorker();
  co_spawn(worker->io, RunUser(*worker, user, std::nullopt, &watch), boost::asio::detached);
  worker->io.run();
  Merge(*worker);
  pass_ = nullptr;
}

absl::Status SignInPhase::Run(const VisitPass& pass) {
  pass_ = &pass;
  begun_ = Monotonic::now();
  next_ = 0;
  users_done_ = 0;
  held_left_ = pass.held.size();
  released_ = false;
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < config_.threads; ++i) {
    Worker& worker = *workers.emplace_back(NewWorker());
    if (!pass.schedule.empty()) {
      co_spawn(worker.io, RunSchedule(worker, i, config_.threads), boost::asio::detached);
      continue;
    }
    // The first ones get what the division leaves.
    const std::size_t browsers =
        pass.at_once / config_.threads + (i < pass.at_once % config_.threads ? 1 : 0);
    for (std::size_t n = 0; n < browsers; ++n) {
      co_spawn(worker.io, RunQueue(worker), boost::asio::detached);
    }
  }
  for (std::size_t i = 0; i < pass.held.size(); ++i) {
    Worker& worker = *workers[i % workers.size()];
    co_spawn(worker.io, RunHeld(worker, pass.held[i], i < kProbesMax), boost::asio::detached);
  }
  const absl::Status status = WatchOver(workers);
  for (const std::unique_ptr<Worker>& worker : workers) Merge(*worker);
  pass_ = nullptr;
  return status;
}

// Runs the workers' threads, and watches meanwhile.
absl::Status SignInPhase::WatchOver(std::vector<std::unique_ptr<Worker>>& workers) {
  std::size_t running = workers.size();
  Mutex mutex;
  CondVar ended;
  std::vector<std::thread> threads;
  for (const std::unique_ptr<Worker>& worker : workers) {
    threads.emplace_back([&worker = *worker, &running, &mutex, &ended] {
      worker.io.run();
      const MutexLock lock(mutex);
      --running;
      ended.NotifyOne();
    });
  }

  absl::Status status;
  MutexLock lock(mutex);
  Monotonic::time_point look = Monotonic::now() + kWatchEvery;
  while (running > 0) {
    if (ended.WaitUntil(mutex, look)) continue;
    look = Monotonic::now() + kWatchEvery;
    if (!status.ok()) continue;
    lock.Unlock();
    if (config_.watch) status = config_.watch();
    lock.Lock();
    if (!status.ok()) stop_ = true;
  }
  lock.Unlock();
  for (std::thread& thread : threads) thread.join();
  return status;
}

double SignInPhase::DoneShare() const {
  if (pass_ == nullptr || pass_->users.empty()) return 1;
  return static_cast<double>(users_done_) / static_cast<double>(pass_->users.size());
}

void SignInPhase::Release(Monotonic::time_point at) {
  released_at_ = at;
  released_ = true;
}

Task<void> SignInPhase::RunQueue(Worker& worker) {
  while (!stop_) {
    const std::size_t place = next_++;
    if (place >= pass_->users.size()) co_return;
    co_await RunUser(worker, pass_->users[place], std::nullopt, nullptr);
    ++users_done_;
  }
}

// Each begins at its moment, whatever became of those before.
Task<void> SignInPhase::RunSchedule(Worker& worker, std::size_t first, std::size_t step) {
  const VisitPass& pass = *pass_;
  for (std::size_t place = first; place < pass.users.size() && !stop_; place += step) {
    const Monotonic::time_point due = begun_ + pass.schedule[place];
    while (Monotonic::now() < due && !stop_) {
      co_await PauseUntil(std::min(due, Monotonic::now() + kLookUp));
    }
    while (in_flight_ >= kInFlightMax && !stop_) co_await Pause();
    ++in_flight_;
    co_spawn(worker.io, RunScheduled(worker, pass.users[place], due), boost::asio::detached);
  }
}

Task<void> SignInPhase::RunScheduled(Worker& worker, std::size_t user, Monotonic::time_point due) {
  worker.totals.late.Record(Since(due));
  co_await RunUser(worker, user, due, nullptr);
  ++users_done_;
  --in_flight_;
}

Task<void> SignInPhase::RunUser(Worker& worker, std::size_t user,
                                std::optional<Monotonic::time_point> due, const Watch* watch) {
  const std::optional<pki::Identity> identity = config_.identity_of(user);
  const pki::Identity* const shown = identity ? &*identity : nullptr;
  Browser browser = NewBrowser(worker, user, shown);
  const std::vector<std::size_t>& list = pass_->apps;
  std::size_t place = 0;
  if (pass_->together && !signed_in(user)) {
    co_await RunVisit(worker, browser, user, list[place++], std::exchange(due, {}), watch);
  }
  if (pass_->together) {
    co_await RunTogether(worker, browser, user, place, shown);
  } else {
    for (; place < list.size() && !stop_; ++place) {
      co_await RunVisit(worker, browser, user, list[place], std::exchange(due, {}),
                        std::exchange(watch, nullptr));
    }
  }
  cookies_[user] = browser.TakeCookies();
}

// Each app in a tab of its own; what the tabs add to the cookies is lost with them.
Task<void> SignInPhase::RunTogether(Worker& worker, Browser& browser, std::size_t user,
                                    std::size_t from, const pki::Identity* identity) {
  Browser::Cookies cookies = browser.TakeCookies();
  std::size_t open = 0;
  for (std::size_t place = from; place < pass_->apps.size(); ++place) {
    ++open;
    Browser tab({&*worker.tls, config_.fleet->devices[user].user_agent, identity}, cookies);
    co_spawn(worker.io, RunTab(worker, std::move(tab), user, pass_->apps[place], open),
             boost::asio::detached);
  }
  while (open > 0) co_await Pause();
  browser = Browser({&*worker.tls, config_.fleet->devices[user].user_agent, identity},
                    std::move(cookies));
}

Task<void> SignInPhase::RunTab(Worker& worker, Browser browser, std::size_t user, std::size_t app,
                               std::size_t& open) {
  co_await RunVisit(worker, browser, user, app, std::nullopt, nullptr);
  --open;
}

// One more app with a good certificate, the rest after its revocation.
Task<void> SignInPhase::RunHeld(Worker& worker, std::size_t user, bool probe) {
  const std::optional<pki::Identity> identity = config_.identity_of(user);
  Browser browser = NewBrowser(worker, user, identity ? &*identity : nullptr);
  const std::vector<std::size_t>& list = pass_->apps;
  co_await RunVisit(worker, browser, user, list[0], std::nullopt, nullptr);
  --held_left_;
  while (!released_ && !stop_) co_await Pause();
  bool refused = false;
  if (probe && identity.has_value() && !stop_) {
    const absl::Status seen = co_await WaitUntilRefused(worker, *identity);
    refused = seen.ok();
    if (!seen.ok()) {
      worker.totals.errors.Add("revocation", config_.fleet->users[user].principal,
                               std::string(seen.message()));
    }
  }
  for (std::size_t place = 1; place < list.size() && !stop_; ++place) {
    co_await RunVisit(worker, browser, user, list[place], std::nullopt, nullptr, refused);
  }
  cookies_[user] = browser.TakeCookies();
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
    if (Since(released_at_) > kRevocationMax) {
      co_return absl::DeadlineExceededError(
          "a revoked certificate is still trusted by the mTLS host after 10 s");
    }
    co_await Pause();
  }
  worker.totals.revocation_seen.Record(Since(released_at_));
  co_return absl::OkStatus();
}

Task<void> SignInPhase::RunVisit(Worker& worker, Browser& browser, std::size_t user,
                                 std::size_t app, std::optional<Monotonic::time_point> due,
                                 const Watch* watch, bool after_refusal) {
  Visit visit;
  visit.browser = &browser;
  visit.app = config_.apps[app];
  visit.user = &config_.fleet->users[user];
  visit.binding =
      app % 2 == 0 ? ServiceProvider::Binding::kRedirect : ServiceProvider::Binding::kPost;
  visit.relay_state = fmt::format("{}-{}-{}", user, app, pass_->phase);
  visit.clock = config_.clock;
  visit.times = &worker.times;
  SignInTotals& totals = worker.totals;
  bool password_given = false;
  StoryRecord story;
  const auto begin = Monotonic::now();
  visit.watch = [&](Step step, microseconds took, const Page* page) {
    password_given = password_given || step == Step::kPassword;
    story.steps.push_back({std::string(StepName(step)), Since(begin) - took, took, Address(page)});
    if (watch != nullptr && *watch) (*watch)(step, took, page);
  };

  Meter& meter = signed_in(user) ? next_meter_ : signin_;
  VisitRecord record;
  record.user = static_cast<std::uint32_t>(user);
  record.app = static_cast<std::uint16_t>(app);
  record.phase = pass_->phase;
  record.with_certificate = browser.has_identity();
  record.after_refusal = after_refusal;
  record.began = begin;
  const absl::StatusOr<VisitEnd> end = co_await OpenApp(std::move(visit));
  record.ended = Monotonic::now();
  story.took = Since(begin);
  TellVisit(std::move(story), user, app, end);
  if (!end.ok()) {
    meter.Failed();
    record.error = std::string(end.status().message());
    worker.records.push_back(std::move(record));
    co_return;
  }
  signed_in_[user] = 1;
  if (password_given) ++totals.passwords;
  meter.Done(Since(due.value_or(record.began)), Since(record.began));
  record.end = end->allowed ? VisitRecord::End::kAllowed : VisitRecord::End::kDenied;
  record.challenged = end->challenged;
  record.code = end->code;
  worker.records.push_back(std::move(record));
  if (end->factor_asked) ++totals.factors;
  if (end->allowed && end->assertion.name_id.empty()) {
    totals.errors.Add("NameID", config_.fleet->users[user].principal,
                      "the app was told of nobody: its assertion has an empty NameID");
  }
}

void SignInPhase::TellVisit(StoryRecord story, std::size_t user, std::size_t app,
                            const absl::StatusOr<VisitEnd>& end) const {
  if (config_.recorder == nullptr) return;
  story.title = !end.ok()      ? "A sign-in that failed"
                : end->allowed ? "The slowest sign-in"
                               : "A refused sign-in";
  if (!config_.recorder->WantsStory(story.title, story.took)) return;
  story.subject = fmt::format("{} opening {}", config_.fleet->users[user].principal,
                              config_.apps[app]->config().id);
  story.outcome = !end.ok()      ? std::string(end.status().message())
                  : end->allowed ? "allowed"
                                 : "denied";
  if (end.ok()) story.code = end->code;
  config_.recorder->Tell(std::move(story));
}

void SignInPhase::Merge(Worker& worker) {
  for (std::size_t i = 0; i < kSteps; ++i) times_[i].Merge(worker.times[i]);
  totals_.passwords += worker.totals.passwords;
  totals_.factors += worker.totals.factors;
  totals_.revocation_seen.Merge(worker.totals.revocation_seen);
  totals_.late.Merge(worker.totals.late);
  totals_.errors.Merge(worker.totals.errors);
  records_.insert(records_.end(), std::make_move_iterator(worker.records.begin()),
                  std::make_move_iterator(worker.records.end()));
}

}  // namespace devicetrust::simulator
