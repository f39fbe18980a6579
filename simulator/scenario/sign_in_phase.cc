#include "simulator/scenario/sign_in_phase.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/mutex.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::chrono::milliseconds kPoll{2};
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
      records_(config_.fleet->users.size() * apps()),
      cookies_(config_.fleet->users.size()),
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

Browser SignInPhase::NewBrowser(Worker& worker, std::size_t user, const pki::Identity* identity) {
  return Browser({&*worker.tls, config_.fleet->devices[user].user_agent, identity},
                 std::exchange(cookies_[user], {}));
}

void SignInPhase::RunOne(std::size_t user, const Watch& watch) {
  ran_[user] = true;
  const std::unique_ptr<Worker> worker = NewWorker();
  co_spawn(worker->io, RunUser(*worker, user, {0, apps()}, &watch), boost::asio::detached);
  worker->io.run();
  Merge(*worker);
}

// Users that are not left out, in an order that follows from their number.
std::vector<std::size_t> SignInPhase::Shuffled(const std::vector<bool>& left_out) const {
  std::vector<std::size_t> order;
  for (std::size_t user = 0; user < left_out.size(); ++user) {
    if (!left_out[user]) order.push_back(user);
  }
  std::shuffle(order.begin(), order.end(), std::mt19937_64(order.size()));
  return order;
}

absl::Status SignInPhase::Run() {
  signin_.Start();
  const absl::Status signed_in = RunPass(Shuffled(ran_), {0, 1}, {});
  signin_.Stop();
  DT_RETURN_IF_ERROR(signed_in);

  std::vector<bool> apart = ran_;
  for (const std::size_t user : config_.to_revoke) apart[user] = true;
  challenge_.Start();
  const absl::Status challenged = RunPass(Shuffled(apart), {1, apps()}, config_.to_revoke);
  challenge_.Stop();
  return challenged;
}

absl::Status SignInPhase::RunPass(const std::vector<std::size_t>& queue, Apps apps,
                                  const std::vector<std::size_t>& to_revoke) {
  next_ = 0;
  users_done_ = 0;
  // Without anybody to revoke there is nothing to wait for.
  users_to_wait_for_ = to_revoke.empty() ? SIZE_MAX : queue.size() / 2;
  to_revoke_left_ = to_revoke.size();
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < config_.threads; ++i) {
    Worker& worker = *workers.emplace_back(NewWorker());
    const std::size_t browsers =
        std::max<std::size_t>(1, config_.browsers_in_flight / config_.threads);
    for (std::size_t n = 0; n < browsers; ++n) {
      co_spawn(worker.io, RunQueue(worker, queue, apps), boost::asio::detached);
    }
  }
  for (std::size_t i = 0; i < to_revoke.size(); ++i) {
    Worker& worker = *workers[i % workers.size()];
    co_spawn(worker.io, RunRevoked(worker, to_revoke[i]), boost::asio::detached);
  }
  const absl::Status status = WatchOver(workers);
  for (const std::unique_ptr<Worker>& worker : workers) Merge(*worker);
  return status;
}

// Runs the workers' threads; meanwhile watches, and revokes once, when it is time.
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
    if (config_.watch) status = config_.watch();
    const bool due = users_done_ >= users_to_wait_for_ && to_revoke_left_ == 0;
    if (status.ok() && due && !revoked_) {
      if (config_.revoke) status = config_.revoke();
      revoked_at_ = Monotonic::now();
      revoked_ = true;
    }
    if (!status.ok()) stop_ = true;
  }
  lock.Unlock();
  for (std::thread& thread : threads) thread.join();
  return status;
}

Task<void> SignInPhase::RunQueue(Worker& worker, const std::vector<std::size_t>& queue, Apps apps) {
  while (!stop_) {
    const std::size_t place = next_++;
    if (place >= queue.size()) co_return;
    co_await RunUser(worker, queue[place], apps, nullptr);
    ++users_done_;
  }
}

Task<void> SignInPhase::RunUser(Worker& worker, std::size_t user, Apps apps, const Watch* watch) {
  const std::optional<pki::Identity> identity = config_.identity_of(user);
  Browser browser = NewBrowser(worker, user, identity ? &*identity : nullptr);
  for (std::size_t app = apps.first; app < apps.second && !stop_; ++app) {
    co_await RunVisit(worker, browser, user, app, app == 0 ? watch : nullptr);
  }
  cookies_[user] = browser.TakeCookies();
}

// One more app with a good certificate, the rest after its revocation.
Task<void> SignInPhase::RunRevoked(Worker& worker, std::size_t user) {
  const std::optional<pki::Identity> identity = config_.identity_of(user);
  Browser browser = NewBrowser(worker, user, identity ? &*identity : nullptr);
  co_await RunVisit(worker, browser, user, 1, nullptr);
  --to_revoke_left_;
  while (!revoked_ && !stop_) co_await Pause();
  if (identity.has_value() && !stop_) {
    const absl::Status refused = co_await WaitUntilRefused(worker, *identity);
    if (!refused.ok()) {
      worker.totals.errors.Add("revocation", config_.fleet->users[user].principal,
                               std::string(refused.message()));
    }
  }
  for (std::size_t app = 2; app < apps() && !stop_; ++app) {
    records_[user * apps() + app].after_revocation = true;
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
  StoryRecord story;
  const auto begin = Monotonic::now();
  visit.watch = [&](Step step, microseconds took, const Page* page) {
    password_given = password_given || step == Step::kPassword;
    story.steps.push_back({std::string(StepName(step)), Since(begin) - took, took, Address(page)});
    if (watch != nullptr && *watch) (*watch)(step, took, page);
  };

  Meter& meter = app == 0 ? signin_ : challenge_;
  const absl::StatusOr<VisitEnd> end = co_await OpenApp(std::move(visit));
  story.took = Since(begin);
  TellVisit(std::move(story), user, app, end);
  VisitRecord& record = records_[user * apps() + app];
  if (password_given) ++totals.passwords;
  if (!end.ok()) {
    meter.Failed();
    record.end = VisitRecord::End::kError;
    const std::string why(end.status().message());
    totals.errors.Add(why,
                      fmt::format("{} opening {}", config_.fleet->users[user].principal,
                                  config_.apps[app]->config().id),
                      why);
    co_return false;
  }
  meter.Done(Since(begin));
  record.end = end->allowed ? VisitRecord::End::kAllowed : VisitRecord::End::kDenied;
  record.challenged = end->challenged;
  record.code = end->code;
  if (config_.visited) config_.visited(user, record);
  if (end->factor_asked) ++totals.factors;
  if (end->challenged) ++totals.challenges;
  if (end->allowed && end->assertion.name_id.empty()) {
    totals.errors.Add("NameID", config_.fleet->users[user].principal,
                      "the app was told of nobody: its assertion has an empty NameID");
  }
  co_return true;
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

void SignInPhase::Merge(const Worker& worker) {
  for (std::size_t i = 0; i < kSteps; ++i) times_[i].Merge(worker.times[i]);
  totals_.passwords += worker.totals.passwords;
  totals_.factors += worker.totals.factors;
  totals_.challenges += worker.totals.challenges;
  totals_.revocation_seen.Merge(worker.totals.revocation_seen);
  totals_.errors.Merge(worker.totals.errors);
}

}  // namespace devicetrust::simulator
