// The way from a domain-joined computer to a certificate in its user's personal store
// (docs/behaviour.md, AGT-2): find the servers, make the key, prove computer and user, have it
// certified.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/backoff.h"
#include "agent/computer.h"
#include "agent/services.h"
#include "agent/version.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"

namespace devicetrust::agent {

enum class Step { kDiscover, kMakeKey, kDeviceToken, kUserToken, kCertificate, kInstall };
inline constexpr std::size_t kStepCount = 6;
std::string_view StepName(Step step);  // "discover", "make key", …

struct EnrollmentOptions {
  // Somebody wants a new certificate now, whatever is in the store: one that was revoked by
  // mistake, that is damaged, or whose key is lost (AGT-4).
  bool force_renewal = false;
  AgentVersion version = kThisVersion;
  int attempts_max = 6;  // In one run of the task; the next run is a day or a logon away.
  std::chrono::milliseconds first_pause{500};
  std::chrono::milliseconds longest_pause{60'000};
  bool trace_details = true;  // Off: `detail` stays empty, and costs nothing.
};

struct Outcome {
  enum class Kind {
    kEnrolled,     // The certificate is installed, the first or one that follows another.
    kNothingToDo,  // A Device Trust certificate is there, revoked or not, not yet to be renewed.
    kTryAgain,     // Call Attempt() again after `pause`; keys and tokens so far are kept.
    kNotNow,       // At the next run of the task.
    kRefused,      // At the next run too, yet somebody should act on `status` first.
  };
  Kind kind = Kind::kNotNow;
  absl::Status status;                 // Not OK from kTryAgain on.
  std::chrono::milliseconds pause{0};  // kTryAgain only.
  std::optional<Step> failed_step;
  std::string serial;    // Of the certificate, lower-case hex, when enrolled.
  bool renewed = false;  // It followed another one.
};

// What --debug prints, and what a simulator measures: each step that went well. Details are
// lines of text: tickets, claims of tokens, serial.
using Trace =
    std::function<void(Step step, std::chrono::nanoseconds took, const std::string& detail)>;

// One run of the Device Registration Task for one user. Never sleeps: it tells its caller
// when to come back, so a thousand of them share a few threads.
//
// A certificate that is to be renewed stays until its successor is there and usable: whenever the
// power goes, one of the two is in the store, and the next run ends with the successor alone.
//
// Every end is an entry in the computer's event log, with reason and remedy.
class Enrollment {
 public:
  // All must outlive it. `trace` may be empty.
  Enrollment(Computer& computer, Services& services, const Clock& clock, Random& random,
             const EnrollmentOptions& options = {}, Trace trace = {});

  // Blocks for the network round trips of one attempt. One thread at a time.
  Outcome Attempt();

 private:
  absl::Status Enroll();
  absl::Status Discover();
  absl::Status MakeKey();
  absl::Status GetDeviceToken();
  absl::Status GetUserToken();
  absl::Status GetCertificate();
  absl::Status Install();
  absl::Status CheckInstalled(const pki::Certificate& certificate);
  absl::Status Run(Step step, absl::Status (Enrollment::*body)());
  absl::StatusOr<const IwaEntry*> ChosenIwa() const;
  absl::StatusOr<TokenAnswer> ProveTo(const IwaEntry& iwa, Account account);
  std::optional<Outcome> CheckPreconditions();
  absl::StatusOr<std::optional<Outcome>> CheckStore();
  absl::StatusOr<std::vector<PersonalCertificate>> OurCertificates() const;
  absl::Status RemoveAllBut(const pki::Certificate& kept);
  Outcome SharedTerminal(const std::string& other);
  Outcome NothingToDo(const PersonalCertificate& present);
  Outcome Conclude(const absl::Status& status);
  Outcome Enrolled();
  void DropKey();
  void DropTokens();
  bool tokens_fresh() const;
  bool detailed() const { return trace_ && options_.trace_details; }

  Computer& computer_;
  Services& services_;
  const Clock& clock_;
  const EnrollmentOptions options_;
  const Trace trace_;
  SpreadBackoff backoff_;
  int attempts_ = 0;
  Renewed renewed_;       // What the CA is told.
  bool follows_ = false;  // A certificate of ours is in the store.

  // What attempts so far have brought.
  std::shared_ptr<const Discovery> discovery_;
  std::size_t iwa_choice_ = 0;  // Grows when an IWA does not answer.
  std::optional<DeviceKey> key_;
  std::string thumbprint_;
  std::string device_token_;
  std::string user_token_;
  WallTime tokens_since_;
  Bytes csr_;  // Kept: the same request again is what makes a retry harmless.
  CertificateAnswer answer_;
  std::string serial_;
  absl::Status left_behind_;  // Why a former certificate is still there.
  Step step_ = Step::kDiscover;
  std::string detail_;
};

}  // namespace devicetrust::agent
