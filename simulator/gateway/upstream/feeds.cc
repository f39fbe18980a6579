#include "simulator/gateway/upstream/feeds.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/base/log.h"
#include "libs/base/mutex.h"
#include "libs/rpc/channel.h"
#include "simulator/gateway/metrics.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::milliseconds;
using Monotonic = std::chrono::steady_clock;

constexpr milliseconds kRetryMin{50};
constexpr milliseconds kRetryMax{1000};
constexpr milliseconds kSilenceMax{10'000};  // The heartbeat is due each second.

}  // namespace

struct Feeds::State {
  State(FeedsConfig c, OrgSnapshots& s, RevocationState& r)
      : config(std::move(c)), snapshots(s), revocations(r) {}

  const FeedsConfig config;
  OrgSnapshots& snapshots;
  RevocationState& revocations;

  Mutex mutex;
  CondVar wake;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  // Open streams and when each last spoke, to cancel them.
  std::map<grpc::ClientContext*, Monotonic::time_point> contexts ABSL_GUARDED_BY(mutex);
  std::vector<std::thread> threads;

  // False when stopping meanwhile.
  bool Pause(milliseconds duration) {
    const Monotonic::time_point end = Monotonic::now() + duration;
    const MutexLock lock(mutex);
    while (!stopping && wake.WaitUntil(mutex, end)) {
    }
    return !stopping;
  }

  // Both false when stopping.
  bool Register(grpc::ClientContext& context) {
    const MutexLock lock(mutex);
    if (!stopping) contexts[&context] = Monotonic::now();
    return !stopping;
  }

  bool Unregister(grpc::ClientContext& context) {
    const MutexLock lock(mutex);
    contexts.erase(&context);
    return !stopping;
  }

  void Heard(grpc::ClientContext& context) {
    const MutexLock lock(mutex);
    contexts[&context] = Monotonic::now();
  }

  // A stream whose heartbeat stopped, though its connection did not, is opened anew.
  void CancelSilentStreams() {
    const MutexLock lock(mutex);
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
      kFeedFailures.With({name}).Add();
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
          request.set_after_sequence(revocations.revocation_sequence());
          return stub->WatchRevocations(&context, request);
        },
        [&](const ca::v1::WatchRevocationsResponse& message) { revocations.Apply(message); },
        [&] { revocations.BeginRevocationsAnew(); });
  }

  void FollowSessions() {
    const auto stub = org::v1::SessionFeedService::NewStub(config.org_channel);
    Follow<org::v1::WatchSessionsResponse>(
        "sessions",
        [&](grpc::ClientContext& context) {
          org::v1::WatchSessionsRequest request;
          request.set_after_sequence(revocations.session_sequence());
          return stub->WatchSessions(&context, request);
        },
        [&](const org::v1::WatchSessionsResponse& message) { revocations.Apply(message); },
        [&] { revocations.BeginSessionsAnew(); });
  }

  absl::Status FetchKeys(org::v1::GatewayKeyService::Stub& stub) {
    DT_ASSIGN_OR_RETURN(const org::v1::GetGatewayKeysResponse keys,
                        rpc::Call(stub, &org::v1::GatewayKeyService::Stub::GetGatewayKeys,
                                  org::v1::GetGatewayKeysRequest()));
    DT_ASSIGN_OR_RETURN(Keyring keyring, ToKeyring(config.org, keys));
    snapshots.keys.Set(std::make_shared<const Keyring>(std::move(keyring)));
    return absl::OkStatus();
  }

  absl::Status FetchApps(org::v1::AppService::Stub& stub) {
    org::v1::ListAppsRequest request;
    const auto known = snapshots.apps.Get();
    if (known != nullptr) request.set_known_version(known->version());
    DT_ASSIGN_OR_RETURN(const org::v1::ListAppsResponse apps,
                        rpc::Call(stub, &org::v1::AppService::Stub::ListApps, request));
    if (!apps.unchanged() || known == nullptr) {
      snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
    }
    return absl::OkStatus();
  }

  absl::Status FetchIwas(org::v1::IwaRegistryService::Stub& stub) {
    DT_ASSIGN_OR_RETURN(iwas, rpc::Call(stub, &org::v1::IwaRegistryService::Stub::ListIwas,
                                        org::v1::ListIwasRequest()));
    PublishDiscovery();
    return absl::OkStatus();
  }

  absl::Status FetchIssuers(ca::v1::IssuerService::Stub& stub) {
    DT_ASSIGN_OR_RETURN(
        const ca::v1::GetIssuersResponse response,
        rpc::Call(stub, &ca::v1::IssuerService::Stub::GetIssuers, ca::v1::GetIssuersRequest()));
    const std::string bytes = response.SerializeAsString();
    if (bytes == issuers_bytes) return absl::OkStatus();
    DT_ASSIGN_OR_RETURN(DeviceIssuers issuers, ToDeviceIssuers(response));
    DT_RETURN_IF_ERROR(config.use_issuers(issuers));
    issuers_bytes = bytes;
    snapshots.issuers.Set(std::make_shared<const DeviceIssuers>(std::move(issuers)));
    PublishDiscovery();
    return absl::OkStatus();
  }

  // Agents need both an IWA and the CA.
  void PublishDiscovery() {
    const auto issuers = snapshots.issuers.Get();
    if (!iwas || issuers == nullptr) return;
    snapshots.discovery.Set(std::make_shared<const std::string>(
        DiscoveryJson(config.org, *iwas, issuers->edge_address, config.ca_bundle)));
  }

  // Until the first IWA has registered, ask often: agents wait for it.
  milliseconds IwasEvery() const {
    const bool any = iwas && std::any_of(iwas->iwas().begin(), iwas->iwas().end(), IsUsable);
    return any ? config.iwas_every : config.apps_every;
  }

  // One thing that is asked for again and again.
  struct Poll {
    std::string_view name;
    std::function<absl::Status()> fetch;
    std::function<milliseconds()> every;
    Monotonic::time_point due{};
    bool down = false;

    // False when it failed. Logs the begin and the end of each outage once.
    bool Run() {
      const absl::Status status = fetch();
      const bool was_down = std::exchange(down, !status.ok());
      if (down) kFeedFailures.With({name}).Add();
      if (down != was_down) LogChange(status);
      if (status.ok()) due = Monotonic::now() + every();
      return status.ok();
    }

    void LogChange(const absl::Status& status) const {
      if (status.ok()) return Log(LogLevel::kInfo, "feed.up", {{"feed", name}});
      Log(LogLevel::kWarning, "feed.down",
          {{"feed", name}, {"reason", std::string(status.message())}});
    }
  };

  void Refresh() {
    const auto keys = org::v1::GatewayKeyService::NewStub(config.org_channel);
    const auto apps = org::v1::AppService::NewStub(config.org_channel);
    const auto registry = org::v1::IwaRegistryService::NewStub(config.org_channel);
    const auto issuers = ca::v1::IssuerService::NewStub(config.ca_channel);
    Poll polls[] = {
        {"keys", [&] { return FetchKeys(*keys); }, [&] { return config.keys_every; }},
        {"apps", [&] { return FetchApps(*apps); }, [&] { return config.apps_every; }},
        {"issuers", [&] { return FetchIssuers(*issuers); }, [&] { return config.issuers_every; }},
        {"iwas", [&] { return FetchIwas(*registry); }, [&] { return IwasEvery(); }},
    };
    milliseconds pause{0};
    do {
      CancelSilentStreams();
      bool ok = true;
      for (Poll& poll : polls) {
        if (Monotonic::now() >= poll.due) ok = poll.Run() && ok;
      }
      // At the start the org may come up a moment after us.
      pause = ok ? config.apps_every : std::clamp(pause * 2, kRetryMin, kRetryMax);
    } while (Pause(pause));
  }

  // Of the refreshing thread.
  std::optional<org::v1::ListIwasResponse> iwas;
  std::string issuers_bytes;  // Of the answer that the issuers in the snapshots came from.
};

Feeds::Feeds(FeedsConfig config, OrgSnapshots& snapshots, RevocationState& revocations)
    : state_(std::make_unique<State>(std::move(config), snapshots, revocations)) {
  State* state = state_.get();
  state->threads.emplace_back([state] { state->FollowRevocations(); });
  state->threads.emplace_back([state] { state->FollowSessions(); });
  state->threads.emplace_back([state] { state->Refresh(); });
}

Feeds::~Feeds() {
  {
    const MutexLock lock(state_->mutex);
    state_->stopping = true;
    for (const auto& [context, heard_at] : state_->contexts) context->TryCancel();
  }
  state_->wake.NotifyAll();
  for (std::thread& thread : state_->threads) thread.join();
}

bool Feeds::WaitUntilReady(milliseconds timeout) const {
  const auto ready = [this] {
    return state_->snapshots.keys.Get() != nullptr && state_->snapshots.apps.Get() != nullptr &&
           state_->snapshots.discovery.Get() != nullptr && state_->revocations.IsFresh();
  };
  const Monotonic::time_point end = Monotonic::now() + timeout;
  const MutexLock lock(state_->mutex);
  while (!ready() && !state_->stopping && Monotonic::now() < end) {
    state_->wake.WaitUntil(state_->mutex, Monotonic::now() + milliseconds{5});
  }
  return ready();
}

}  // namespace devicetrust::gateway
