// One revocation, from the call to the last gateway's refusal, beside how many there are already:
// SQLite store, lists and stream as dt-ca has them, and gateways over gRPC in one process.
#include <benchmark/benchmark.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ca-service/crl_publisher.h"
#include "ca-service/migrations.h"
#include "ca-service/revocation_feed_service.h"
#include "ca-service/revocations.h"
#include "libs/testing/temp_folder.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::steady_clock;

constexpr int kGateways = 4;
constexpr std::int64_t kRevokedNow = 400;  // Of the benchmark, one after the other.

double MillisecondsSince(steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
}

// A gateway's reading of the stream, without the rest of it.
class Reader {
 public:
  explicit Reader(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(ca::v1::RevocationFeedService::NewStub(channel)), thread_([this] { Read(); }) {}
  ~Reader() {
    context_.TryCancel();
    thread_.join();
  }
  const RevocationState& state() const { return state_; }

 private:
  void Read() {
    ca::v1::WatchRevocationsRequest request;
    request.set_takes_set(true);
    const auto reader = stub_->WatchRevocations(&context_, request);
    state_.Apply(org::v1::WatchSessionsResponse());  // The other stream has nothing to tell.
    ca::v1::WatchRevocationsResponse message;
    while (reader->Read(&message)) state_.Apply(message);
    static_cast<void>(reader->Finish());
  }

  std::unique_ptr<ca::v1::RevocationFeedService::Stub> stub_;
  grpc::ClientContext context_;
  RevocationState state_{std::chrono::minutes(10)};
  std::thread thread_;
};

struct Authority {
  explicit Authority(std::int64_t revoked) {
    Fill(revoked);
    const auto begin = steady_clock::now();
    publisher = ca::CrlPublisher::Start(*database, *issuers, clock).value();
    ca_start_ms = MillisecondsSince(begin);
    grpc::ServerBuilder builder;
    builder.RegisterService(&feed);
    server = builder.BuildAndStart();
    StartGateways();  // The CA reads its set for the first.
    gateways.clear();
    gateways_start_ms = StartGateways();
  }
  ~Authority() {
    gateways.clear();
    revocations.committed().Stop();
    server->Shutdown();
    publisher->Stop();
  }

  // Rows as issuance and revocation leave them, but for the certificates themselves.
  void Fill(std::int64_t revoked) {
    const std::string issuer = issuers->Current()->active().id();
    const absl::Status filled = database->Write([&](db::Transaction& txn) -> absl::Status {
      return txn
          .Run(
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)"
              " INSERT INTO certificates (serial, issuer_id, enrollment_id, device_id, user_id,"
              " user_sid, principal, key_thumbprint, issued_at, not_after, der, revoked_at,"
              " reason, revocation_sequence)"
              " SELECT printf('%012x', 1780000000000 + i * 30) || lower(hex(randomblob(14))), $2,"
              " 'e' || i, 'd' || i / 2, 'u' || i / 3, 's' || i / 3, 'p', 'k' || i,"
              " 1780000000, 4000000000, zeroblob(64), CASE WHEN i <= $3 THEN 1780000000 END,"
              " CASE WHEN i <= $3 THEN 4 END, CASE WHEN i <= $3 THEN i END FROM n",
              {revoked + kRevokedNow, issuer, revoked})
          .status();
    });
    if (!filled.ok()) return;
    good = database
               ->Read([](db::Transaction& txn) -> absl::StatusOr<std::vector<std::string>> {
                 DT_ASSIGN_OR_RETURN(const auto rows,
                                     txn.Run("SELECT serial FROM certificates WHERE revoked_at IS"
                                             " NULL"));
                 std::vector<std::string> serials;
                 for (const db::Row& row : rows) serials.push_back(db::Text(row[0]));
                 return serials;
               })
               .value();
    static_cast<void>(database->Write([&](db::Transaction& txn) -> absl::Status {
      return txn.Run("INSERT INTO sequences (name, value) VALUES ('revocations', $1)", {revoked})
          .status();
    }));
  }

  double StartGateways() {
    const auto begin = steady_clock::now();
    for (int i = 0; i < kGateways; ++i) gateways.emplace_back(server->InProcessChannel({}));
    while (
        !std::ranges::all_of(gateways, [](const Reader& one) { return one.state().IsFresh(); })) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return MillisecondsSince(begin);
  }

  testing::TempFolder folder;
  SystemClock clock;
  SystemRandom random;
  pki::AeadKey kek = pki::AeadKey::Generate("kek", random).value();
  std::unique_ptr<db::Database> database =
      db::Database::Open("sqlite:" + folder / "ca.db", ca::Migrations()).value();
  std::unique_ptr<ca::Issuers> issuers =
      ca::Issuers::Open({"acme", kek}, *database, clock, random).value();
  db::Outbox outbox{*database, {}, [](auto) { return absl::OkStatus(); }};
  ca::Revocations revocations{*database, outbox, clock};
  ca::RevokedSet everything{*database, clock};
  ca::RevocationFeedService feed{revocations, everything, clock};
  std::unique_ptr<ca::CrlPublisher> publisher;
  std::unique_ptr<grpc::Server> server;
  std::list<Reader> gateways;
  std::vector<std::string> good;
  double ca_start_ms = 0;
  double gateways_start_ms = 0;
};

void BM_RevocationReach(benchmark::State& state) {
  Authority authority(state.range(0));
  std::vector<double> reached;
  std::size_t at = 0;
  for (auto _ : state) {
    if (at == authority.good.size()) return state.SkipWithError("the store was not filled");
    const std::string& serial = authority.good[at++];
    const auto begin = steady_clock::now();
    const auto revoked = authority.revocations.RevokeCertificate(
        serial, ca::v1::REVOCATION_REASON_SUPERSEDED, "admin:bench");
    if (!revoked.ok()) return state.SkipWithError(revoked.status().ToString().c_str());
    for (const Reader& gateway : authority.gateways) {
      while (!gateway.state().IsRevoked(serial)) std::this_thread::yield();
    }
    reached.push_back(MillisecondsSince(begin));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // Lists are made meanwhile.
  }
  std::ranges::sort(reached);
  state.counters["p50_ms"] = reached[reached.size() / 2];
  state.counters["p99_ms"] = reached[reached.size() * 99 / 100];
  state.counters["ca_start_ms"] = authority.ca_start_ms;
  state.counters["gateways_start_ms"] = authority.gateways_start_ms;
}
BENCHMARK(BM_RevocationReach)
    ->Arg(1)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(kRevokedNow)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace devicetrust::gateway
