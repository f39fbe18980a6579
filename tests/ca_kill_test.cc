// dt-ca is killed in the middle of enrollments, again and again: every certificate that was
// acknowledged is there afterwards, every lost answer ended with the same one certificate,
// and every event arrived exactly once (CA-5, LOG-2).
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "ca-service/migrations.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "libs/db/database.h"
#include "libs/pki/certificate.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/testing/status.h"
#include "tests/test_deployment.h"

namespace devicetrust::tests {
namespace {

constexpr int kThreads = 4;
constexpr int kPerThread = 60;
constexpr int kTotal = kThreads * kPerThread;
constexpr std::chrono::seconds kPatience{60};

class Enrollments {
 public:
  explicit Enrollments(TestDeployment& deployment) : deployment_(deployment) {}

  void Start() {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this, i] { EnrollAll(i); });
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
  }

  // Returns when that many answers came, or nothing more will.
  bool WaitFor(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return static_cast<int>(serials_.size()) >= count || failed_;
    }) && !failed_;
  }

  // Key's thumbprint to the serial that was acknowledged.
  std::map<std::string, std::string> serials() {
    const std::lock_guard lock(mutex_);
    return serials_;
  }
  int retries() const { return retries_; }
  absl::Status failure() const { return failure_; }

 private:
  void EnrollAll(int thread) {
    const auto channel = deployment_.CaEdge();
    const auto stub = ca::v1::EnrollmentService::NewStub(channel);
    for (int i = 0; i < kPerThread; ++i) {
      const auto key = pki::PrivateKey::Generate();
      const absl::Status status =
          EnrollOne(*channel, *stub, (thread + i) % TestDeployment::kPeople, *key);
      if (status.ok()) continue;
      const std::lock_guard lock(mutex_);
      failed_ = true;
      failure_ = status;
      changed_.notify_all();
      return;
    }
  }

  absl::Status EnrollOne(grpc::Channel& channel, ca::v1::EnrollmentService::Stub& stub, int person,
                         const pki::PrivateKey& key) {
    ca::v1::EnrollRequest request;
    DT_ASSIGN_OR_RETURN(*request.mutable_user_token(),
                        deployment_.UserToken(person, key.public_key()));
    DT_ASSIGN_OR_RETURN(const Bytes csr, pki::BuildCsr("pc", key));
    request.set_csr_der(std::string(csr.begin(), csr.end()));
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (true) {
      const auto answer = rpc::Call(stub, &ca::v1::EnrollmentService::Stub::Enroll, request);
      if (answer.ok()) return Note(key, answer->certificate_der());
      const bool passing = answer.status().code() == absl::StatusCode::kUnavailable ||
                           answer.status().code() == absl::StatusCode::kDeadlineExceeded;
      if (!passing || std::chrono::steady_clock::now() > end) return answer.status();
      ++retries_;
      channel.WaitForConnected(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(5, GPR_TIMESPAN)));
    }
  }

  absl::Status Note(const pki::PrivateKey& key, const std::string& der) {
    DT_ASSIGN_OR_RETURN(const auto certificate, pki::Certificate::FromDer(AsBytes(der)));
    const std::lock_guard lock(mutex_);
    serials_[key.public_key().Thumbprint()] = certificate.serial_hex();
    changed_.notify_all();
    return absl::OkStatus();
  }

  TestDeployment& deployment_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> serials_;
  bool failed_ = false;
  absl::Status failure_;
  std::atomic<int> retries_{0};
};

// Key's thumbprint to serial, of every certificate in the store.
std::map<std::string, std::string> StoredCertificates(TestDeployment& deployment) {
  const auto stub = ca::v1::CertificateAdminService::NewStub(deployment.CaAs(deployment.admin()));
  std::map<std::string, std::string> stored;
  ca::v1::ListCertificatesRequest request;
  request.set_page_size(100);
  do {
    const auto page =
        rpc::Call(*stub, &ca::v1::CertificateAdminService::Stub::ListCertificates, request);
    DT_EXPECT_OK(page);
    if (!page.ok()) break;
    for (const auto& record : page->certificates()) {
      const auto certificate = pki::Certificate::FromDer(AsBytes(record.certificate_der()));
      const std::string thumbprint = certificate->public_key()->Thumbprint();
      EXPECT_TRUE(stored.emplace(thumbprint, record.serial()).second)
          << "two certificates for one key: " << record.serial();
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return stored;
}

// Waits until the log has that many events of the type; returns their ids.
std::multiset<std::string> EventIds(TestDeployment& deployment, const std::string& type,
                                    int count) {
  const auto stub = org::v1::SystemLogService::NewStub(deployment.OrgAs(deployment.admin()));
  grpc::ClientContext context;
  rpc::PrepareCall(context, kPatience);
  org::v1::TailEventsRequest request;
  request.mutable_filter()->add_types(type);
  const auto reader = stub->TailEvents(&context, request);
  std::multiset<std::string> ids;
  org::v1::TailEventsResponse part;
  int heartbeats_after = 0;
  // Two heartbeats more, so that a double would have been seen.
  while (heartbeats_after < 2 && reader->Read(&part)) {
    for (const auto& event : part.events()) ids.insert(event.id());
    if (part.events().empty() && static_cast<int>(ids.size()) >= count) ++heartbeats_after;
  }
  context.TryCancel();
  return ids;
}

// While dt-ca is down: each token that was spent paid for one certificate, planned or recorded,
// and none is both.
void CheckAccounts(TestDeployment& deployment) {
  const auto store = db::Database::Open(deployment.CaConfig().database, ca::Migrations());
  DT_ASSERT_OK(store);
  const auto count = [&](const char* sql) {
    return (*store)
        ->Read([&](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
          DT_ASSIGN_OR_RETURN(const auto rows, txn.Run(sql));
          return db::Int(rows.at(0)[0]);
        })
        .value();
  };
  EXPECT_EQ(count("SELECT count(*) FROM spent_evidence"),
            count("SELECT count(*) FROM certificates") +
                count("SELECT count(*) FROM planned_certificates"));
  EXPECT_EQ(count("SELECT count(*) FROM spent_evidence WHERE serial NOT IN"
                  " (SELECT serial FROM certificates UNION"
                  " SELECT serial FROM planned_certificates)"),
            0);
}

TEST(CaKill, NothingAcknowledgedIsLostAndEveryEventArrivesOnce) {
  auto created = TestDeployment::Create();
  DT_ASSERT_OK(created);
  TestDeployment& deployment = **created;
  DT_ASSERT_OK(deployment.StartPolicy());
  DT_ASSERT_OK(deployment.StartCa());
  DT_ASSERT_OK(deployment.SetUpOrg());

  Enrollments enrollments(deployment);
  enrollments.Start();
  for (const int after : {15, 45, 75, 105, 135, 165, 195}) {
    if (!enrollments.WaitFor(after)) break;
    deployment.Kill("dt-ca");
    CheckAccounts(deployment);
    DT_EXPECT_OK(deployment.StartCa());
  }
  enrollments.WaitFor(kTotal);
  enrollments.Join();
  DT_ASSERT_OK(enrollments.failure());
  EXPECT_GT(enrollments.retries(), 0) << "no enrollment was interrupted: the test showed nothing";

  const auto acknowledged = enrollments.serials();
  EXPECT_EQ(acknowledged.size(), static_cast<std::size_t>(kTotal));
  EXPECT_EQ(StoredCertificates(deployment), acknowledged);
  deployment.Kill("dt-ca");
  CheckAccounts(deployment);
  DT_ASSERT_OK(deployment.StartCa());
  for (const char* type : {"pki.cert.issue", "user.credential.enroll"}) {
    const auto ids = EventIds(deployment, type, kTotal);
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(kTotal)) << type;
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size()) << type;
  }
}

TEST(CaKill, RevocationSurvivesAndTheLogCatchesUp) {
  auto created = TestDeployment::Create();
  DT_ASSERT_OK(created);
  TestDeployment& deployment = **created;
  DT_ASSERT_OK(deployment.StartPolicy());
  DT_ASSERT_OK(deployment.StartCa());
  DT_ASSERT_OK(deployment.SetUpOrg());
  const auto edge = ca::v1::EnrollmentService::NewStub(deployment.CaEdge());
  const auto key = pki::PrivateKey::Generate();
  ca::v1::EnrollRequest request;
  request.set_user_token(deployment.UserToken(0, key->public_key()).value());
  const Bytes csr = pki::BuildCsr("pc", *key).value();
  request.set_csr_der(std::string(csr.begin(), csr.end()));
  const auto enrolled = rpc::Call(*edge, &ca::v1::EnrollmentService::Stub::Enroll, request);
  DT_ASSERT_OK(enrolled);
  const std::string serial =
      pki::Certificate::FromDer(AsBytes(enrolled->certificate_der()))->serial_hex();

  // The log is away while the certificate is revoked, and the CA dies before it returns.
  deployment.Kill("dt-policy");
  const auto admin = ca::v1::CertificateAdminService::NewStub(deployment.CaAs(deployment.admin()));
  ca::v1::RevokeCertificateRequest revoke;
  revoke.set_serial(serial);
  revoke.set_requested_by("admin:test");
  DT_ASSERT_OK(
      rpc::Call(*admin, &ca::v1::CertificateAdminService::Stub::RevokeCertificate, revoke));

  // And enrollment says why it can't go on, in time.
  const auto other = pki::PrivateKey::Generate();
  request.set_user_token(deployment.UserToken(1, other->public_key()).value());
  const Bytes other_csr = pki::BuildCsr("pc", *other).value();
  request.set_csr_der(std::string(other_csr.begin(), other_csr.end()));
  const auto refused =
      rpc::Call(*edge, &ca::v1::EnrollmentService::Stub::Enroll, request, std::chrono::seconds(10));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable) << refused.status();
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);

  deployment.Kill("dt-ca");
  DT_ASSERT_OK(deployment.StartCa());
  DT_ASSERT_OK(deployment.StartPolicy());
  EXPECT_EQ(EventIds(deployment, "pki.cert.revoke", 1).size(), 1U);
  const auto again = ca::v1::CertificateAdminService::NewStub(deployment.CaAs(deployment.admin()));
  const auto answer =
      rpc::Call(*again, &ca::v1::CertificateAdminService::Stub::RevokeCertificate, revoke);
  DT_ASSERT_OK(answer);
  EXPECT_TRUE(answer->was_already_revoked());

  // The org is back: the refused enrollment goes through with the same token.
  const auto edge_again = ca::v1::EnrollmentService::NewStub(deployment.CaEdge());
  DT_EXPECT_OK(rpc::Call(*edge_again, &ca::v1::EnrollmentService::Stub::Enroll, request,
                         std::chrono::seconds(10)));
}

}  // namespace
}  // namespace devicetrust::tests
