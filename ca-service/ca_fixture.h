// An org in memory, and a whole CA without sockets around it. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ca-service/crl_publisher.h"
#include "ca-service/enroller.h"
#include "ca-service/migrations.h"
#include "ca-service/revocations.h"
#include "libs/pki/csr.h"
#include "libs/rpc/error.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/token/names.h"

namespace devicetrust::ca {

// An org with one IWA, "iwa-1", whose tokens `iwa_key` signs.
class FakeOrg : public OrgClient {
 public:
  explicit FakeOrg(const token::SigningKey& iwa_key) {
    org::v1::Iwa& iwa = *iwas.add_iwas();
    iwa.set_name("iwa-1");
    org::v1::IwaKey& key = *iwa.add_keys();
    key.set_kid(iwa_key.kid);
    key.set_jwk(token::ToJwk(iwa_key.key.public_key(), iwa_key.kid).value());
  }

  absl::StatusOr<org::v1::AuthorizedEnrollment> AuthorizeEnrollment(
      org::v1::EnrollmentRequest request) override {
    if (const auto hook = during_authorize) hook();
    const std::lock_guard lock(mutex_);
    requests.push_back(request);
    DT_RETURN_IF_ERROR(refusal_);
    org::v1::AuthorizedEnrollment response;
    response.set_user_id("user-of-" + request.user_sid());
    response.set_principal("alice@CORP.TEST");
    return response;
  }
  absl::StatusOr<org::v1::ListIwasResponse> ListIwas() override {
    const std::lock_guard lock(mutex_);
    ++lists;
    DT_RETURN_IF_ERROR(refusal_);
    return iwas;
  }
  absl::Status Append(const org::v1::AppendEventsRequest& request) override {
    const std::lock_guard lock(mutex_);
    if (log_down_) return absl::UnavailableError("log is down");
    for (const auto& event : request.events()) {  // As the System Log has it.
      if (event.id().empty() || event.id().size() > 64) {
        return absl::InvalidArgumentError("an event's id must be 1 to 64 bytes");
      }
    }
    for (const auto& event : request.events()) {  // As the real log: doubles are dropped.
      if (++events_[event.id()] == 1) log_.push_back(event);
    }
    return absl::OkStatus();
  }

  void set_refusal(absl::Status refusal) {  // Of every call but Append.
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(refusal);
  }
  void set_log_down(bool down) {
    const std::lock_guard lock(mutex_);
    log_down_ = down;
  }
  std::vector<org::v1::Event> log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  // Not while a server calls.
  std::function<void()> during_authorize;
  std::vector<org::v1::EnrollmentRequest> requests;
  org::v1::ListIwasResponse iwas;
  int lists = 0;

 private:
  std::mutex mutex_;
  absl::Status refusal_;
  bool log_down_ = false;
  std::map<std::string, int> events_;
  std::vector<org::v1::Event> log_;
};

// A token of alice on PC0042$ for `key`, by iwa-1.
inline token::UserToken AliceToken(const pki::PrivateKey& key, WallTime now, Random& random) {
  return {{token::IwaUrn("acme", "iwa-1"), token::CaUrn("acme"),
           token::NewTokenId(now, random).value(), now, now + token::kUserTokenLifetime},
          "S-1-5-21-1-2-3-1104",
          "alice@CORP.TEST",
          "S-1-5-21-1-2-3-2001",
          "PC0042$",
          "CORP.TEST",
          key.public_key().Thumbprint()};
}

// Real crypto, real SQL, chosen time.
class CaTest : public ::testing::Test {
 protected:
  static constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

  void SetUp() override { Open(); }

  void Close() {
    enroller_.reset();
    crl_.reset();
    revocations_.reset();
    outbox_.reset();
    issuers_.reset();
    database_.reset();
  }
  // Again: as after a restart.
  void Open(db::DatabaseOptions options = {}, std::int64_t backlog_max = 1000) {
    Close();
    database_ = db::Database::Open("sqlite:" + folder_ / store_, Migrations(), options).value();
    issuers_ = Issuers::Open(issuers_config_, *database_, clock_, random_).value();
    outbox_ =
        std::make_unique<db::Outbox>(*database_,
                                     db::OutboxOptions{.backlog_max = backlog_max,
                                                       .linger = std::chrono::milliseconds(1),
                                                       .retry_min = std::chrono::milliseconds(1)},
                                     [this](std::span<const db::OutboxEvent> events) {
                                       std::string joined;
                                       for (const auto& event : events)
                                         joined += ToString(event.payload);
                                       org::v1::AppendEventsRequest request;
                                       request.ParseFromString(joined);
                                       return org_.Append(request);
                                     });
    revocations_ = std::make_unique<Revocations>(*database_, *outbox_, clock_);
    crl_ = CrlPublisher::Start(
               *database_, *issuers_, clock_,
               {.pace = crl_pace_, .public_url = "http://ca.test", .large = crl_large_})
               .value();
    iwa_keys_ = std::make_unique<IwaKeys>("acme", org_);
    enroller_ = std::make_unique<Enroller>(
        EnrollerConfig{{.org = "acme",
                        .profile = {},
                        .public_url = "http://ca.test",
                        .device_daily_max = device_daily_max_,
                        .user_daily_max = user_daily_max_,
                        .crl_shards = crl_shards_},
                       calls_per_minute_,
                       known_keys_},
        *iwa_keys_, Context{*database_, *outbox_, *issuers_, org_, clock_, random_});
  }

  token::UserToken Token(const pki::PrivateKey& key) {
    return AliceToken(key, clock_.Now(), random_);
  }
  std::string Signed(const token::UserToken& token) { return token::Sign(token, iwa_key_).value(); }
  static Bytes Csr(const pki::PrivateKey& key) { return pki::BuildCsr("any name", key).value(); }
  absl::StatusOr<StoredCertificate> Enroll(const token::UserToken& token,
                                           const pki::PrivateKey& key) {
    return enroller_->Enroll(Signed(token), ToString(Csr(key)), "192.0.2.7");
  }
  pki::Certificate ActiveCertificate() { return issuers_->Current()->active().certificate(); }
  // The list of an issuer, or of a root, with all that was revoked before the call.
  Bytes PublishedDer(const std::string& id) {
    std::promise<Bytes> der;
    crl_->WhenUpToDate([&](const auto& lists) {
      const auto list = lists->find(id);
      der.set_value(list == lists->end() ? Bytes() : list->second->der);
    });
    return der.get_future().get();
  }
  pki::Crl PublishedCrl(const Issuer& issuer) {
    return pki::ParseCrl(PublishedDer(issuer.id()), issuer.certificate()).value();
  }
  pki::Crl PublishedRootCrl(const Issuer& issuer) {
    return pki::ParseCrl(PublishedDer(issuer.root_id()), issuer.root()).value();
  }
  std::int64_t CountCertificates() {
    return database_
        ->Read([](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
          DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT count(*) FROM certificates"));
          return db::Int(rows[0][0]);
        })
        .value();
  }
  std::map<std::string, int> EventCounts() {
    EXPECT_TRUE(outbox_->WaitUntilEmpty(std::chrono::seconds(10)));
    std::map<std::string, int> counts;
    for (const auto& event : org_.log()) ++counts[event.type()];
    return counts;
  }

  testing::TempFolder folder_;
  std::string store_ = "ca.db";
  testing::SettableClock clock_{kStart};
  SystemRandom random_;
  pki::AeadKey kek_ = pki::AeadKey::Generate("kek-test", random_).value();
  Issuers::Config issuers_config_{"acme", kek_};
  token::SigningKey iwa_key_{"k1", pki::PrivateKey::Generate().value()};
  const pki::PrivateKey key_ = pki::PrivateKey::Generate().value();  // A device's.
  FakeOrg org_{iwa_key_};
  std::size_t calls_per_minute_ = 100'000;  // Tests enroll one computer many times.
  KnownKeys known_keys_;
  std::int64_t device_daily_max_ = 100'000;
  std::int64_t user_daily_max_ = 100'000;
  std::chrono::milliseconds crl_pace_{0};
  std::size_t crl_large_ = kLargeCrl;
  CrlShards::Options crl_shards_;
  std::unique_ptr<db::Database> database_;
  std::unique_ptr<Issuers> issuers_;
  std::unique_ptr<db::Outbox> outbox_;
  std::unique_ptr<Revocations> revocations_;
  std::unique_ptr<CrlPublisher> crl_;
  std::unique_ptr<IwaKeys> iwa_keys_;
  std::unique_ptr<Enroller> enroller_;
};

}  // namespace devicetrust::ca
