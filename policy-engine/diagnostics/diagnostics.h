#pragma once

#include <functional>
#include <string>

#include "devicetrust/org/v1/diagnostics.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "policy-engine/decisions/decision_history.h"
#include "policy-engine/diagnostics/certificate_lister.h"
#include "policy-engine/diagnostics/checks.h"
#include "policy-engine/enrollment/iwa_registry.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Why somebody is not let in (ADM-2): gathers what the org knows of a person, a device or one
// sign-in, and judges it. Changes nothing. Thread-safe.
class Diagnostics {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    const OrgStore& store;
    SystemLog& log;
    IwaRegistry& iwas;
    const DecisionHistory& history;
    CertificateLister& ca;
    const Clock& clock;
    std::function<org::v1::GetPeopleSyncResponse()> people;
  };
  explicit Diagnostics(Parts parts) : parts_(std::move(parts)) {}

  // The contract (devicetrust.org.v1.DiagnosticsService) says what it does and refuses.
  absl::StatusOr<org::v1::DiagnoseResponse> Diagnose(const org::v1::DiagnoseRequest& request);

 private:
  absl::Status FindSubject(const org::v1::DiagnoseRequest& request, Evidence& evidence);
  absl::Status FindUser(Evidence& evidence);
  absl::Status FindCertificates(Evidence& evidence);
  absl::StatusOr<std::vector<org::v1::Event>> FindEvents(const Evidence& evidence);
  void FindApps(Evidence& evidence) const;

  const Parts parts_;
};

}  // namespace devicetrust::policy
