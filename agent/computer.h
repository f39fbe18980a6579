// What the agent needs of the computer it runs on. Written against this interface, the same
// flow runs on a real machine and on any number of virtual ones in one process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/kerberos/bindings.h"
#include "libs/pki/certificate.h"
#include "libs/pki/key.h"

namespace devicetrust::agent {

// Values of the registry (on Windows: below HKEY_LOCAL_MACHINE\SOFTWARE\Device Trust).
inline constexpr std::string_view kOrgUrlValue = "OrgUrl";  // "https://acme.example.com"

// What certificates of the product are told by: their issuer's common name.
inline constexpr std::string_view kIssuerCommonName = "MTLS Certificate Authority";

enum class NetworkPlace { kOffline, kInternet, kCorporate };

// Whom the computer can authenticate as.
enum class Account { kComputer, kUser };

enum class EventLevel { kInformation, kWarning, kError };

// Ids of the agent's own event log. 1000 is what administrators are told to look for.
inline constexpr int kEventEnrolled = 1000;
inline constexpr int kEventNothingToDo = 1001;  // A certificate is there already.
inline constexpr int kEventRenewed = 1002;      // It took the place of another.
inline constexpr int kEventPrepared = 1003;     // What was missing on the computer was installed.
inline constexpr int kEventNotNow = 2000;       // No network, no user: at the next run.
inline constexpr int kEventTryAgain = 2001;     // Something did not answer.
inline constexpr int kEventRefused = 3000;      // Somebody has to act.
inline constexpr int kEventSharedTerminal = 3001;  // Several people log on to the computer.
inline constexpr int kEventUnsupported = 3002;     // By its operating system, or what it lacks.

struct Event {
  int id = 0;
  EventLevel level = EventLevel::kInformation;
  std::string message = {};
  std::string reason = {};  // Name of a devicetrust.reason.v1.Reason; empty for success.
  std::string remedy = {};  // The next step for a person.
};

// One Negotiate exchange as the client (SSPI on Windows, GSSAPI elsewhere).
class Negotiation {
 public:
  virtual ~Negotiation() = default;
  virtual const Bytes& token() const = 0;
  // Checks the server's reply; not OK: somebody else answered.
  virtual absl::Status Finish(std::span<const std::uint8_t> reply) = 0;
  virtual std::string Describe() const = 0;  // Tickets used, for the trace.
};

// A private key that the computer made and keeps. The agent has it sign and never holds its
// octets: on a machine with a TPM they are in no process at all.
struct DeviceKey {
  std::string id;      // By which the computer finds it again; no meaning for the agent.
  pki::Signer signer;  // P-256.
};

// One certificate of the user's personal store.
struct PersonalCertificate {
  pki::Certificate certificate;
  bool has_key = true;  // False: its private key is lost, and no browser can use it.
  std::optional<WallTime> renew_at = {};  // As it was installed; unknown when that got lost.
};

// All calls from one thread at a time. What changes keys or store is durable when it returns, and a
// power cut in the middle leaves what was before or what was wanted, or a key that
// RemoveOrphanKeys() finds. Errors of these: kUnavailable when the store is busy or its keeper does
// not answer; another code when somebody has to act, with the remedy.
class Computer {
 public:
  virtual ~Computer() = default;

  // What the task needs of the computer before it can run: the operating system, and what it may
  // install by itself. kFailedPrecondition: it cannot run there.
  virtual absl::Status Prepare() { return absl::OkStatus(); }

  virtual std::string name() const = 0;    // "PC0042".
  virtual std::string domain() const = 0;  // "corp.test"; empty: not joined to one.
  virtual NetworkPlace network_place() const = 0;
  virtual std::optional<std::string> logged_on_user() const = 0;  // "ada@CORP.TEST".
  virtual std::optional<std::string> RegistryValue(std::string_view name) const = 0;

  // The logged-on user's personal certificate store. An error is not an empty store.
  virtual absl::StatusOr<std::vector<PersonalCertificate>> PersonalCertificates() const = 0;
  // Puts `chain` there, the certificate of `key` first, then its issuers, beside what is there;
  // `key` is no longer pending and is the certificate's as long as that is in the store.
  virtual absl::Status InstallPersonal(const std::vector<pki::Certificate>& chain,
                                       const DeviceKey& key, WallTime renew_at) = 0;
  // Takes that very certificate (by issuer and serial, never by a name that others may share) out
  // of the store, with its key unless another certificate has the same. OK when it is not there.
  virtual absl::Status RemovePersonal(const pki::Certificate& certificate) = 0;
  // Ends what a power cut may leave: deletes the keys that CreateKey() made, that no certificate of
  // the store has, and that are not pending; the pending one, when a certificate has it, is pending
  // no longer. How many were deleted.
  virtual absl::StatusOr<int> RemoveOrphanKeys() = 0;

  // Makes a key for the logged-on user, which is pending until its certificate is installed.
  // There is one pending key at most: an older one is deleted. A TPM makes it below its storage
  // key, for that user alone. Errors: kUnavailable when the keeper of keys does not answer.
  virtual absl::StatusOr<DeviceKey> CreateKey() = 0;
  // The pending key, also of before a restart: the CA, asked again with the same key, answers with
  // the certificate that it may have issued already. Nothing: there is none, or the keeper no
  // longer has it (a TPM that was cleared).
  virtual std::optional<DeviceKey> OpenPendingKey() const = 0;
  virtual void DeletePendingKey() = 0;
  // What the computer's hardware states of `key`, over `nonce` of the one who asks: that it was
  // made there and cannot leave (TPM2_Certify). kUnimplemented: the keys are software's.
  virtual absl::StatusOr<Bytes> AttestKey(const DeviceKey& key,
                                          std::span<const std::uint8_t> nonce) const {
    static_cast<void>(key), static_cast<void>(nonce);
    return absl::UnimplementedError("this computer keeps its keys in software");
  }

  // As `account`, with `service` ("HTTP/iwa.corp.test"). Errors as in libs/kerberos.
  virtual absl::StatusOr<std::unique_ptr<Negotiation>> Negotiate(
      Account account, std::string_view service, const kerberos::Bindings& bindings) = 0;

  // Where another program keeps the computer's account, which the user may not use: the device
  // token of that IWA for that key, from the device task. Nothing: Negotiate(Account::kComputer)
  // does.
  virtual std::optional<absl::StatusOr<std::string>> DeviceTokenFor(
      const std::string& iwa_name, const std::string& key_thumbprint) {
    static_cast<void>(iwa_name), static_cast<void>(key_thumbprint);
    return std::nullopt;
  }
  // The user that this computer was enrolled for, when it is not the one who is logged on: several
  // people share it, which is not supported.
  virtual std::optional<std::string> other_user() const { return std::nullopt; }

  virtual void WriteEvent(const Event& event) = 0;
};

}  // namespace devicetrust::agent
