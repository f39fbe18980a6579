#pragma once

#include <memory>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "policy-engine/config.h"

namespace devicetrust::policy {

// The whole org: two stores, keys, directory, services, one listener.
class PolicyServer {
 public:
  // Serving once it returns; CA and directory need not be there yet. `clock` and `random`
  // must outlive it. Errors name the file, flag or address at fault.
  static absl::StatusOr<std::unique_ptr<PolicyServer>> Create(const Config& config,
                                                              const Clock& clock, Random& random);
  ~PolicyServer();
  PolicyServer(const PolicyServer&) = delete;
  PolicyServer& operator=(const PolicyServer&) = delete;

  Addresses addresses() const;  // internal: as bound.

  // Refuses new calls, lets those in flight end (2 s), hands the last events to the System
  // Log. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit PolicyServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

// Reads every file that `config` names and checks it, without listening or writing.
absl::Status CheckConfig(const Config& config);

}  // namespace devicetrust::policy
