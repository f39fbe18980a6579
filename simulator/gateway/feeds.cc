#include "simulator/gateway/feeds.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/base/log.h"
#include "libs/rpc/channel.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::milliseconds;
using Monotonic = std::chrono::steady_clock;

constexpr milliseconds kRetryMin{50};
constexpr milliseconds kRetryMax{1000};
constexpr milliseconds kSilenceMax{10'000};  // The heartbeat is due each second.

}  // namespace

struct Feeds::State {
  State(FeedsConfig c, OrgView& v, LiveState& l, const Clock& k)
      : config(std::move(c)), view(v), live(l), clock(k) {}

  const FeedsConfig config;
  OrgView& view;
  LiveState& live;
  const Clock& clock;

  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;  // Guarded by mutex, as contexts is.
  // Open streams and when each last spoke, to cancel them.
  std::map<grpc::ClientContext*, Monotonic::time_point> contexts;
  std::vector<std::thread> threads;

  // False when stopping meanwhile.
  bool Pause(milliseconds duration) {
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, duration, [this] { return stopping; });
  }

  // Both false when stopping.
  bool Register(grpc::ClientContext& context) {
    const std::lock_guard lock(mutex);
    if (!stopping) contexts[&context] = Monotonic::now();
    return !stopping;
  }

  bool Unregister(grpc::ClientContext& context) {
    const std::lock_guard lock(mutex);
    contexts.erase(&context);
    return !stopping;
  }

  void Heard(grpc::ClientContext& context) {
    const std::lock_guard lock(mutex);
    contexts[&context] = Monotonic::now();
  }

  // A stream whose heartbeat stopped, though its connection did not, is opened anew.
  void CancelSilentStreams() {
    const std::lock_guard lock(mutex);
    for (const auto& [context, heard_at] : contexts) {
      if (Monotonic::now() - heard_at > kSilenceMax) context->TryCancel();
    }
  }

  // Opens the stream again and again; `open(context)` returns the reader. `begin_anew` is called
  // when the sender has less than we took: its store was restored from a backup.
  template <typename Message, typename Open, typename Take, typename BeginAnew>
  void Follow(std::string_view name, Open open, Take take, BeginAnew begin_anew) {
    milliseconds pause = kRetryMin;
    bool down = false;
    std::string reason;
    do {
      grpc::ClientContext context;
      if (!Register(context)) return;
      const auto reader = open(context);
      Message message;
      while (reader->Read(&message)) {
        take(message);
        Heard(context);
        pause = kRetryMin;
        if (std::exchange(down, false)) Log(LogLevel::kInfo, "feed.up", {{"feed", name}});
      }
      const grpc::Status status = reader->Finish();
      if (!Unregister(context)) return;
      if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE) begin_anew();
      if (!std::exchange(down, true) || reason != status.error_message()) {
        reason = status.error_message();
        Log(LogLevel::kWarning, "feed.down", {{"feed", name}, {"reason", reason}});
      }
      pause = std::min(pause * 2, kRetryMax);
    } while (Pause(pause));
  }

  void FollowRevocations() {
    const auto stub = ca::v1::RevocationFeedService::NewStub(config.ca_channel);
    Follow<ca::v1::WatchRevocationsResponse>(
        "revocations",
        [&](grpc::ClientContext& context) {
          ca::v1::WatchRevocationsRequest request;
          request.set_after_sequence(live.revocation_sequence());
          return stub->WatchRevocations(&context, request);
        },
        [&](const ca::v1::WatchRevocationsResponse& message) { live.Apply(message); },
        [&] { live.BeginRevocationsAnew(); });
  }

  void FollowSessions() {
    const auto stub = org::v1::SessionFeedService::NewStub(config.org_channel);
    Follow<org::v1::WatchSessionsResponse>(
        "sessions",
        [&](grpc::ClientContext& context) {
          org::v1::WatchSessionsRequest request;
          request.set_after_sequence(live.session_sequence());
          return stub->WatchSessions(&context, request);
        },
        [&](const org::v1::WatchSessionsResponse& message) { live.Apply(message, clock.Now()); },
        [&] { live.BeginSessionsAnew(); });
  }

  bool FetchKeys(org::v1::GatewayKeyService::Stub& stub) {
    const auto keys = rpc::Call(stub, &org::v1::GatewayKeyService::Stub::GetGatewayKeys,
                                org::v1::GetGatewayKeysRequest());
    if (!keys.ok()) return Complain("keys", keys.status());
    absl::StatusOr<Keyring> keyring = ToKeyring(config.org, *keys);
    if (!keyring.ok()) return Complain("keys", keyring.status());
    view.keys.Set(std::make_shared<const Keyring>(*std::move(keyring)));
    return true;
  }

  bool FetchApps(org::v1::AppService::Stub& stub) {
    org::v1::ListAppsRequest request;
    const auto known = view.apps.Get();
    if (known != nullptr) request.set_known_version(known->version());
    const auto apps = rpc::Call(stub, &org::v1::AppService::Stub::ListApps, request);
    if (!apps.ok()) return Complain("apps", apps.status());
    if (!apps->unchanged() || known == nullptr) {
      view.apps.Set(std::make_shared<const AppDirectory>(*apps));
    }
    return true;
  }

  bool FetchDiscovery(org::v1::IwaRegistryService::Stub& registry,
                      ca::v1::IssuerService::Stub& ca) {
    const auto iwas = rpc::Call(registry, &org::v1::IwaRegistryService::Stub::ListIwas,
                                org::v1::ListIwasRequest());
    if (!iwas.ok()) return Complain("iwas", iwas.status());
    const auto issuers =
        rpc::Call(ca, &ca::v1::IssuerService::Stub::GetIssuers, ca::v1::GetIssuersRequest());
    if (!issuers.ok()) return Complain("issuers", issuers.status());
    view.discovery.Set(std::make_shared<const std::string>(
        DiscoveryJson(config.org, *iwas, *issuers, config.ca_bundle)));
    return true;
  }

  bool Complain(std::string_view what, const absl::Status& status) {
    // Once for each outage.
    if (failing.insert(std::string(what)).second) {
      Log(LogLevel::kWarning, "feed.down",
          {{"feed", what}, {"reason", std::string(status.message())}});
    }
    return false;
  }

  void Refresh() {
    const auto keys = org::v1::GatewayKeyService::NewStub(config.org_channel);
    const auto apps = org::v1::AppService::NewStub(config.org_channel);
    const auto registry = org::v1::IwaRegistryService::NewStub(config.org_channel);
    const auto ca = ca::v1::IssuerService::NewStub(config.ca_channel);
    Monotonic::time_point keys_at = Monotonic::now();
    Monotonic::time_point discovery_at = keys_at;
    milliseconds pause{0};
    do {
      CancelSilentStreams();
      const Monotonic::time_point now = Monotonic::now();
      bool ok = true;
      if (now >= keys_at) {
        const bool fetched = FetchKeys(*keys);
        if (fetched) keys_at = now + config.keys_every;
        if (fetched) failing.erase("keys");
        ok = ok && fetched;
      }
      if (FetchApps(*apps)) {
        failing.erase("apps");
      } else {
        ok = false;
      }
      if (now >= discovery_at) {
        const bool fetched = FetchDiscovery(*registry, *ca);
        // Until the first IWA has registered, ask often: agents wait for it.
        if (fetched) discovery_at = now + (HasIwa() ? config.discovery_every : config.apps_every);
        if (fetched) failing.clear();
        ok = ok && fetched;
      }
      // At the start the org may come up a moment after us.
      pause = ok ? config.apps_every : std::clamp(pause * 2, kRetryMin, kRetryMax);
    } while (Pause(pause));
  }

  bool HasIwa() const { return view.discovery.Get()->find("\"spn\"") != std::string::npos; }

  std::set<std::string> failing;  // Of the refreshing thread.
};

Feeds::Feeds(FeedsConfig config, OrgView& view, LiveState& live, const Clock& clock)
    : state_(std::make_unique<State>(std::move(config), view, live, clock)) {
  State* state = state_.get();
  state->threads.emplace_back([state] { state->FollowRevocations(); });
  state->threads.emplace_back([state] { state->FollowSessions(); });
  state->threads.emplace_back([state] { state->Refresh(); });
}

Feeds::~Feeds() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    for (const auto& [context, heard_at] : state_->contexts) context->TryCancel();
  }
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

bool Feeds::WaitUntilReady(milliseconds timeout) const {
  const auto ready = [this] {
    return state_->view.keys.Get() != nullptr && state_->view.apps.Get() != nullptr &&
           state_->view.discovery.Get() != nullptr && state_->live.IsFresh();
  };
  const Monotonic::time_point end = Monotonic::now() + timeout;
  std::unique_lock lock(state_->mutex);
  while (!ready() && !state_->stopping && Monotonic::now() < end) {
    state_->wake.wait_for(lock, milliseconds{5});
  }
  return ready();
}

}  // namespace devicetrust::gateway
