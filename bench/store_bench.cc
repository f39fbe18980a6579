// What the stores of the CA and of the org cost in one enrollment: the CA's look-up and the
// transaction that records the certificate, and the two System Log events of it. On disk, and
// durable before the call returns. Arguments: callers at once, which share commits.
#include <benchmark/benchmark.h>

#include <atomic>

#include "ca-service/certificate_store.h"
#include "ca-service/events.h"
#include "ca-service/migrations.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/random_id.h"
#include "libs/db/outbox.h"
#include "libs/pki/certificate.h"
#include "libs/testing/temp_folder.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/migrations.h"

namespace devicetrust {
namespace {

constexpr WallTime kEnrolledAt{std::chrono::seconds{1'800'000'000}};

SystemRandom random;

std::string NewId() { return NewRandomHex(16, random).value(); }

ca::StoredCertificate NewCertificate() {
  ca::StoredCertificate certificate;
  certificate.serial = pki::NewSerial(SystemClock().Now(), random).value();
  certificate.enrollment_id = NewId();
  certificate.device_id = NewId();
  certificate.user_id = NewId();
  certificate.user_sid = "S-1-5-21-1-2-3-" + NewId().substr(0, 12);
  certificate.principal = NewId().substr(0, 8) + "@corp.test";
  certificate.key_thumbprint = NewId() + NewId().substr(0, 11);
  certificate.issued_at = UnixSeconds(kEnrolledAt);
  certificate.not_after = UnixSeconds(kEnrolledAt + std::chrono::days(365));
  certificate.der = Bytes(700, 7);
  return certificate;
}

struct CaStore {
  testing::TempFolder folder;
  std::unique_ptr<db::Database> database =
      db::Database::Open("sqlite:" + folder / "ca.db", ca::Migrations()).value();
  db::Outbox outbox{*database, {}, [](auto) { return absl::OkStatus(); }};
};

absl::Status Enroll(CaStore& store) {
  const ca::StoredCertificate certificate = NewCertificate();
  const std::string computer_sid = certificate.user_sid + "1";
  const ca::SpentEvidence spent{NewId(), certificate.key_thumbprint,
                                UnixSeconds(kEnrolledAt) + 600};
  absl::Status looked_up = store.database->Read([&](db::Transaction& txn) -> absl::Status {
    ca::CertificateStore tables(txn);
    return tables
        .FindEnrollmentState({spent.id, computer_sid, {}, certificate.key_thumbprint})
        .status();
  });
  if (!looked_up.ok()) return looked_up;
  const Bytes events = ca::EnrolledEvents(certificate, "192.0.2.7", kEnrolledAt);
  return store.database->Write([&](db::Transaction& txn) -> absl::Status {
    ca::CertificateStore tables(txn);
    DT_RETURN_IF_ERROR(tables
                           .FindEnrollmentState({spent.id, computer_sid, certificate.user_id,
                                                 certificate.key_thumbprint})
                           .status());
    DT_RETURN_IF_ERROR(tables.IsSerialKeyTaken(certificate.serial).status());
    DT_RETURN_IF_ERROR(store.outbox.RefuseWhenFull(txn));
    DT_RETURN_IF_ERROR(tables.AddDevice(computer_sid, certificate.device_id));
    DT_RETURN_IF_ERROR(tables.Insert(certificate));
    DT_RETURN_IF_ERROR(tables.SpendEvidence(spent, certificate.serial));
    return store.outbox.Append(txn, "enroll-" + certificate.serial, events);
  });
}

void BM_CaStoreEnrollment(benchmark::State& state) {
  static CaStore* store = nullptr;
  if (state.thread_index() == 0) store = new CaStore;
  for (auto _ : state) {
    if (const absl::Status status = Enroll(*store); !status.ok()) {
      return state.SkipWithError(status.ToString().c_str());
    }
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    state.counters["per_commit"] = static_cast<double>(store->database->writes()) /
                                   static_cast<double>(store->database->commits());
    delete store;
  }
}
BENCHMARK(BM_CaStoreEnrollment)->MeasureProcessCPUTime()->UseRealTime()->Threads(1)->Threads(16);

// Time and items: of one enrollment. They come as the CA's outbox delivers them.
void BM_SystemLogEnrollment(benchmark::State& state) {
  const testing::TempFolder folder;
  const auto database =
      db::Database::Open("sqlite:" + folder / "log.db", policy::LogMigrations()).value();
  const SystemClock clock;
  policy::SystemLog log(*database, clock);
  const rpc::Caller kCa{rpc::Caller::Kind::kComponent, "ca", "ca", "bench"};
  for (auto _ : state) {
    state.PauseTiming();
    std::string joined;
    for (int i = 0; i < state.range(0); ++i) {
      joined += ToString(ca::EnrolledEvents(NewCertificate(), "192.0.2.7", kEnrolledAt));
    }
    org::v1::AppendEventsRequest request;
    request.ParseFromString(joined);
    const std::vector<org::v1::Event> events(request.events().begin(), request.events().end());
    state.ResumeTiming();
    const auto appended = log.Append(kCa, events);
    if (!appended.ok()) return state.SkipWithError(appended.status().ToString().c_str());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SystemLogEnrollment)->MeasureProcessCPUTime()->UseRealTime()->Arg(1)->Arg(16);

}  // namespace
}  // namespace devicetrust
