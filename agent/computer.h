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
inline constexpr int kEventNotNow = 2000;       // No network, no user: at the next run.
inline constexpr int kEventTryAgain = 2001;     // Something did not answer.
inline constexpr int kEventRefused = 3000;      // Somebody has to act.

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

// All calls from one thread at a time.
class Computer {
 public:
  virtual ~Computer() = default;

  virtual std::string name() const = 0;    // "PC0042".
  virtual std::string domain() const = 0;  // "corp.test"; empty: not joined to one.
  virtual NetworkPlace network_place() const = 0;
  virtual std::optional<std::string> logged_on_user() const = 0;  // "ada@CORP.TEST".
  virtual std::optional<std::string> RegistryValue(std::string_view name) const = 0;

  // The logged-on user's personal certificate store.
  virtual std::vector<pki::Certificate> PersonalCertificates() const = 0;
  // `identity.intermediates` are the issuers. The key does not leave the computer again.
  virtual absl::Status InstallPersonal(const pki::ExportableIdentity& identity) = 0;

  // A key made for a certificate that has not arrived yet: kept over a restart, so that the
  // CA, asked again, answers with the certificate it may have issued already.
  virtual std::optional<pki::PrivateKey> PendingKey() const = 0;
  virtual absl::Status KeepPendingKey(const pki::PrivateKey& key) = 0;
  virtual void ForgetPendingKey() = 0;

  // As `account`, with `service` ("HTTP/iwa.corp.test"). Errors as in libs/kerberos.
  virtual absl::StatusOr<std::unique_ptr<Negotiation>> Negotiate(
      Account account, std::string_view service, const kerberos::Bindings& bindings) = 0;

  virtual void WriteEvent(const Event& event) = 0;
};

}  // namespace devicetrust::agent
