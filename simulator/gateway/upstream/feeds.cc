#include "simulator/gateway/upstream/feeds.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/base/background_loop.h"
#include "libs/base/backoff.h"
#include "libs/base/log.h"
#include "libs/base/mutex.h"
#include "libs/base/wait_until.h"
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
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  // Open streams and when each last spoke, to cancel them.
  std::map<grpc::ClientContext*, Monotonic::time_point> contexts ABSL_GUARDED_BY(mutex);

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

  // Ends the streams that are open; none is opened any more.
  void Stop() {
    const MutexLock lock(mutex);
    stopping = true;
    for (const auto& [context, heard_at] : contexts) context->TryCancel();
  }

  // One stream that is opened again whenever it has ended. Of its loop's thread.
  struct Stream {
    std::string_view name;
    Backoff retry{kRetryMin, kRetryMax};
    bool down = false;
    std::string reason = {};
  };

  // Opens the stream and reads it to its end; returns how long to pause before the next time.
  // `open(context)` returns the reader; `take(message)` is false where the stream makes no sense.
  // `begin_anew` is called when the sender has less than we
  // took: its store was restored from a backup.
  template <typename Message, typename Open, typename Take, typename BeginAnew>
  milliseconds Follow(Stream& stream, Open open, Take take, BeginAnew begin_anew) {
    grpc::ClientContext context;
    if (!Register(context)) return BackgroundLoop::kUntilWoken;
    const auto reader = open(context);
    Message message;
    while (reader->Read(&message)) {
      if (!take(message)) {
        context.TryCancel();
        break;
      }
      Heard(context);
      stream.retry.Reset();
      if (std::exchange(stream.down, false)) {
        Log(LogLevel::kInfo, "feed.up", {{"feed", stream.name}});
      }
    }
    const grpc::Status status = reader->Finish();
    if (!Unregister(context)) return BackgroundLoop::kUntilWoken;
    if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE) begin_anew();
    kFeedFailures.With({stream.name}).Add();
    if (!std::exchange(stream.down, true) || stream.reason != status.error_message()) {
      stream.reason = status.error_message();
      Log(LogLevel::kWarning, "feed.down", {{"feed", stream.name}, {"reason", stream.reason}});
    }
    return stream.retry.Next();
  }

  milliseconds FollowRevocations() {
    return Follow<ca::v1::WatchRevocationsResponse>(
        revocation_stream,
        [&](grpc::ClientContext& context) {
          ca::v1::WatchRevocationsRequest request;
          request.set_after_sequence(revocations.revocation_sequence());
          request.set_takes_set(true);
          revocations.BeginRevocationStream();
          return revocation_feed->WatchRevocations(&context, request);
        },
        [&](const ca::v1::WatchRevocationsResponse& message) { return revocations.Apply(message); },
        [&] { revocations.BeginRevocationsAnew(); });
  }

  milliseconds FollowSessions() {
    return Follow<org::v1::WatchSessionsResponse>(
        session_stream,
        [&](grpc::ClientContext& context) {
          org::v1::WatchSessionsRequest request;
          request.set_after_sequence(revocations.session_sequence());
          return session_feed->WatchSessions(&context, request);
        },
        [&](const org::v1::WatchSessionsResponse& message) {
          revocations.Apply(message);
          return true;
        },
        [&] { revocations.BeginSessionsAnew(); });
  }

  absl::Status FetchKeys() {
    DT_ASSIGN_OR_RETURN(const org::v1::GetGatewayKeysResponse keys,
                        rpc::Call(*key_service, &org::v1::GatewayKeyService::Stub::GetGatewayKeys,
                                  org::v1::GetGatewayKeysRequest()));
    DT_ASSIGN_OR_RETURN(Keyring keyring, ToKeyring(config.org, keys));
    snapshots.keys.Set(std::make_shared<const Keyring>(std::move(keyring)));
    return absl::OkStatus();
  }

  absl::Status FetchApps() {
    org::v1::ListAppsRequest request;
    const auto known = snapshots.apps.Get();
    if (known != nullptr) request.set_known_version(known->version());
    DT_ASSIGN_OR_RETURN(const org::v1::ListAppsResponse apps,
                        rpc::Call(*app_service, &org::v1::AppService::Stub::ListApps, request));
    if (!apps.unchanged() || known == nullptr) {
      snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
    }
    return absl::OkStatus();
  }

  absl::Status FetchIwas() {
    DT_ASSIGN_OR_RETURN(iwas, rpc::Call(*iwa_registry, &org::v1::IwaRegistryService::Stub::ListIwas,
                                        org::v1::ListIwasRequest()));
    PublishDiscovery();
    return absl::OkStatus();
  }

  absl::Status FetchIssuers() {
    DT_ASSIGN_OR_RETURN(const ca::v1::GetIssuersResponse response,
                        rpc::Call(*issuer_service, &ca::v1::IssuerService::Stub::GetIssuers,
                                  ca::v1::GetIssuersRequest()));
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
    published_bundle = config.ca_bundle();
    snapshots.discovery.Set(std::make_shared<const std::string>(DiscoveryJson(
        config.org, *iwas, issuers->edge_address, published_bundle, config.mtls_host)));
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

  milliseconds Refresh() {
    CancelSilentStreams();
    if (config.ca_bundle() != published_bundle) PublishDiscovery();
    bool ok = true;
    for (Poll& poll : polls) {
      if (Monotonic::now() >= poll.due) ok = poll.Run() && ok;
    }
    if (!ok) return refresh_retry.Next();  // At the start the org may come up a moment after us.
    refresh_retry.Reset();
    return config.apps_every;
  }

  const std::unique_ptr<ca::v1::RevocationFeedService::Stub> revocation_feed =
      ca::v1::RevocationFeedService::NewStub(config.ca_channel);
  const std::unique_ptr<org::v1::SessionFeedService::Stub> session_feed =
      org::v1::SessionFeedService::NewStub(config.org_channel);
  const std::unique_ptr<org::v1::GatewayKeyService::Stub> key_service =
      org::v1::GatewayKeyService::NewStub(config.org_channel);
  const std::unique_ptr<org::v1::AppService::Stub> app_service =
      org::v1::AppService::NewStub(config.org_channel);
  const std::unique_ptr<org::v1::IwaRegistryService::Stub> iwa_registry =
      org::v1::IwaRegistryService::NewStub(config.org_channel);
  const std::unique_ptr<ca::v1::IssuerService::Stub> issuer_service =
      ca::v1::IssuerService::NewStub(config.ca_channel);

  // Each of one loop's thread.
  Stream revocation_stream{"revocations"};
  Stream session_stream{"sessions"};
  std::vector<Poll> polls{
      {"keys", [this] { return FetchKeys(); }, [this] { return config.keys_every; }},
      {"apps", [this] { return FetchApps(); }, [this] { return config.apps_every; }},
      {"issuers", [this] { return FetchIssuers(); }, [this] { return config.issuers_every; }},
      {"iwas", [this] { return FetchIwas(); }, [this] { return IwasEvery(); }},
  };
  Backoff refresh_retry{kRetryMin, kRetryMax};
  std::optional<org::v1::ListIwasResponse> iwas;
  std::string published_bundle;
  std::string issuers_bytes;  // Of the answer that the issuers in the snapshots came from.

  std::list<BackgroundLoop> loops;  // Last: they use all the others.
};

Feeds::Feeds(FeedsConfig config, OrgSnapshots& snapshots, RevocationState& revocations)
    : state_(std::make_unique<State>(std::move(config), snapshots, revocations)) {
  State* const state = state_.get();
  constexpr milliseconds kAtOnce{0};
  state->loops.emplace_back(kAtOnce, [state] { return state->FollowRevocations(); });
  state->loops.emplace_back(kAtOnce, [state] { return state->FollowSessions(); });
  state->loops.emplace_back(kAtOnce, [state] { return state->Refresh(); });
}

Feeds::~Feeds() { state_->Stop(); }  // And then the loops end.

bool Feeds::WaitUntilReady(milliseconds timeout) const {
  const auto ready = [this] {
    return state_->snapshots.keys.Get() != nullptr && state_->snapshots.apps.Get() != nullptr &&
           state_->snapshots.discovery.Get() != nullptr && state_->revocations.IsFresh();
  };
  return WaitUntil(ready, milliseconds{5}, timeout).ok();
}

}  // namespace devicetrust::gateway
