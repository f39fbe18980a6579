// A computer and servers in memory, for the tests of the task.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>

#include "agent/enrollment.h"
#include "libs/base/encoding.h"
#include "libs/kerberos/failure.h"
#include "libs/pki/csr.h"
#include "libs/rpc/error.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/throwaway/seeded_random.h"
#include "libs/throwaway/throwaway_pki.h"
#include "libs/token/bound_request.h"

namespace devicetrust::agent {

using Kind = Outcome::Kind;

// Its token names account, service and bindings; the right reply is "reply to" that.
class FakeNegotiation final : public Negotiation {
 public:
  explicit FakeNegotiation(std::string token) : token_(token.begin(), token.end()) {}
  const Bytes& token() const override { return token_; }
  absl::Status Finish(std::span<const std::uint8_t> reply) override {
    return ToString(reply) == "reply to " + ToString(token_) ? absl::OkStatus()
                                                             : absl::UnauthenticatedError("no");
  }
  std::string Describe() const override { return "fake tickets"; }

 private:
  Bytes token_;
};

class FakeComputer : public Computer {
 public:
  std::string name() const override { return "PC1"; }
  std::string domain() const override { return domain_name; }
  NetworkPlace network_place() const override { return place; }
  std::optional<std::string> logged_on_user() const override { return user; }
  std::optional<std::string> RegistryValue(std::string_view value) const override {
    return value == kOrgUrlValue ? org_url : std::nullopt;
  }
  absl::StatusOr<std::vector<PersonalCertificate>> PersonalCertificates() const override {
    DT_RETURN_IF_ERROR(store_status);
    std::vector<PersonalCertificate> certificates;
    for (const Installed& installed : store) {
      certificates.push_back(
          {installed.chain.front(), keys.contains(installed.key_id), installed.renew_at});
    }
    return certificates;
  }
  // In the order of a store on disk: what is durable first, and where the power may go between.
  absl::Status InstallPersonal(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                               WallTime renew_at) override {
    Reached("install");
    store.push_back({chain, key.id, renew_at});
    Reached("install: certificate written");
    pending.reset();
    Reached("installed");
    return absl::OkStatus();
  }
  absl::Status RemovePersonal(const pki::Certificate& certificate) override {
    Reached("remove");
    DT_RETURN_IF_ERROR(remove_status);
    for (auto one = store.begin(); one != store.end(); ++one) {
      if (one->chain.front().Fingerprint() != certificate.Fingerprint()) continue;
      const std::string key_id = one->key_id;
      store.erase(one);
      Reached("remove: certificate gone");
      keys.erase(key_id);
      break;
    }
    Reached("removed");
    return absl::OkStatus();
  }
  absl::StatusOr<int> RemoveOrphanKeys() override {
    Reached("orphans");
    for (const Installed& one : store) {
      if (pending && pending->id == one.key_id) pending.reset();
    }
    const auto orphan = [&](const std::string& id) {
      return (!pending || pending->id != id) &&
             std::none_of(store.begin(), store.end(),
                          [&](const Installed& one) { return one.key_id == id; });
    };
    return static_cast<int>(std::erase_if(keys, orphan));
  }
  absl::StatusOr<DeviceKey> CreateKey() override {
    DT_RETURN_IF_ERROR(key_status);
    Reached("create key");
    const std::string id = fmt::format("key-{}", ++keys_made);
    keys.insert(id);
    Reached("create key: made");  // And not yet known as the pending one.
    pending = DeviceKey{id, pki::PrivateKey::Generate().value()};
    Reached("key created");
    return *pending;
  }
  std::optional<DeviceKey> OpenPendingKey() const override { return pending; }
  void DeletePendingKey() override {
    if (pending) keys.erase(pending->id);
    pending.reset();
  }
  absl::StatusOr<std::unique_ptr<Negotiation>> Negotiate(
      Account account, std::string_view service, const kerberos::Bindings& bindings) override {
    if (!kerberos_status.ok()) return kerberos_status;
    return std::make_unique<FakeNegotiation>(fmt::format(
        "{}|{}|{}", account == Account::kComputer ? "PC1$" : "ada", service, HexEncode(bindings)));
  }
  std::optional<absl::StatusOr<std::string>> DeviceTokenFor(
      const std::string& iwa_name, const std::string& thumbprint) override {
    if (!device_task) return std::nullopt;
    return device_task(iwa_name, thumbprint);
  }
  std::optional<std::string> other_user() const override { return other; }
  void WriteEvent(const Event& event) override { events.push_back(event); }
  void Reached(const char* where) const {
    if (reached) reached(where);
  }

  std::string domain_name = "corp.test";
  NetworkPlace place = NetworkPlace::kCorporate;
  std::optional<std::string> user = "ada@CORP.TEST";
  std::optional<std::string> org_url = "https://acme.test";
  struct Installed {
    std::vector<pki::Certificate> chain;
    std::string key_id;
    std::optional<WallTime> renew_at = {};
  };
  std::function<void(const std::string& where)> reached;  // Called where the power may go.
  std::vector<Installed> store;
  std::set<std::string> keys;  // Ids of all that the keeper has.
  std::optional<DeviceKey> pending;
  std::function<absl::StatusOr<std::string>(const std::string& iwa, const std::string& thumbprint)>
      device_task;
  std::optional<std::string> other;
  int keys_made = 0;
  absl::Status key_status;  // Of CreateKey().
  absl::Status store_status;
  absl::Status remove_status;
  absl::Status kerberos_status;
  std::vector<Event> events;
};

// Certifies like the CA: a key once. Errors queued by a test come first.
class FakeServices final : public Services {
 public:
  explicit FakeServices(const Clock& at) : clock(at) {}
  absl::StatusOr<std::shared_ptr<const Discovery>> Discover(const std::string&) override {
    calls.push_back("discover");
    if (auto error = Next("discover")) return *error;
    return std::make_shared<const Discovery>(Discovery{"acme", iwas, "ca:1", "bundle"});
  }
  absl::StatusOr<TokenAnswer> IssueDeviceToken(const Discovery&, const IwaEntry& iwa,
                                               const Bytes& spnego,
                                               const std::string& thumbprint) override {
    calls.push_back("device@" + iwa.name);
    if (auto error = Next("device")) return *error;
    EXPECT_EQ(
        ToString(spnego),
        fmt::format("PC1$|{}|{}", iwa.spn,
                    HexEncode(token::BindingsOf({"IssueDeviceToken", iwa.name, thumbprint, {}}))));
    return Answer(spnego, fmt::format("d.{}.{}", thumbprint, ++tokens));
  }
  absl::StatusOr<TokenAnswer> IssueUserToken(const Discovery&, const IwaEntry& iwa,
                                             const Bytes& spnego, const std::string& thumbprint,
                                             const std::string& device_token) override {
    calls.push_back("user@" + iwa.name);
    if (auto error = Next("user")) return *error;
    EXPECT_EQ(
        ToString(spnego),
        fmt::format(
            "ada|{}|{}", iwa.spn,
            HexEncode(token::BindingsOf({"IssueUserToken", iwa.name, thumbprint, device_token}))));
    return Answer(spnego, fmt::format("u.{}.{}", thumbprint, ++tokens));
  }
  absl::StatusOr<CertificateAnswer> Enroll(const Discovery&, const std::string& user_token,
                                           const Bytes& csr_der, const Renewed& renews) override {
    calls.push_back("enroll");
    renewed.push_back(renews);
    user_tokens.push_back(user_token);
    const auto csr = pki::ParseCsr(csr_der);
    EXPECT_TRUE(csr.ok());
    if (!issued.contains(csr->public_key.Thumbprint()) && !refuse_before_issuing) {
      issued.emplace(csr->public_key.Thumbprint(),
                     pki::SignCertificate({.common_name = "x",
                                           .serial_hex = fmt::format("{:02x}", ++serial),
                                           .not_before = clock.Now(),
                                           .not_after = clock.Now() + std::chrono::days(365)},
                                          substitute ? other_key.public_key() : csr->public_key, ca)
                         .value());
    }
    if (auto error = Next("enroll")) return *error;
    if (reached) reached("enroll: issued");
    return CertificateAnswer{
        issued.at(csr->public_key.Thumbprint()).der(), {ca.certificate}, renewal};
  }

  TokenAnswer Answer(const Bytes& spnego, std::string token) {
    const std::string reply = (impostor ? "forged " : "reply to ") + ToString(spnego);
    return {std::move(token), Bytes(reply.begin(), reply.end())};
  }
  std::optional<absl::Status> Next(const std::string& call) {
    auto& queue = errors[call];
    if (queue.empty()) return std::nullopt;
    const absl::Status error = queue.front();
    queue.pop_front();
    if (error.ok()) return std::nullopt;
    return error;
  }

  std::vector<IwaEntry> iwas = {{"iwa-1", "iwa:1", "HTTP/iwa.corp.test", {"corp.test"}, true},
                                {"iwa-2", "iwa:2", "HTTP/iwa2.corp.test", {}, false}};
  const Clock& clock;
  std::optional<RenewalWindow> renewal;  // The CA's hint.
  std::function<void(const std::string& where)> reached;
  const pki::Identity ca = throwaway::NewCa(std::string(kIssuerCommonName), clock.Now());
  const pki::PrivateKey other_key = pki::PrivateKey::Generate().value();
  bool impostor = false;
  bool substitute = false;
  bool refuse_before_issuing = false;
  int tokens = 0;
  int serial = 0;
  std::map<std::string, std::deque<absl::Status>> errors;
  std::vector<std::string> calls;
  std::vector<std::string> user_tokens;
  std::vector<Renewed> renewed;
  std::map<std::string, pki::Certificate> issued;
};

class EnrollmentTest : public ::testing::Test {
 protected:
  Enrollment New(EnrollmentOptions options = {}) {
    return Enrollment(computer_, services_, clock_, random_, options);
  }
  // Attempts until it need not come back; how often.
  Outcome RunToEnd(Enrollment& enrollment, int* attempts = nullptr) {
    for (int i = 1;; ++i) {
      Outcome outcome = enrollment.Attempt();
      if (attempts != nullptr) *attempts = i;
      if (outcome.kind != Kind::kTryAgain) return outcome;
      EXPECT_GT(outcome.pause.count(), 0);
      clock_.Advance(outcome.pause);
    }
  }

  testing::SettableClock clock_{SystemClock().Now()};
  FakeComputer computer_;
  FakeServices services_{clock_};
  throwaway::SeededRandom random_{1};
};

}  // namespace devicetrust::agent
