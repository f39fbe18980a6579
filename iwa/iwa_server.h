#pragma once

#include <memory>

#include "iwa/config.h"
#include "libs/base/clock.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust::iwa {

// The whole IWA: store, domain, both listeners, registration with the org.
class IwaServer {
 public:
  // Bound and serving once it returns, also while org or directory are down. `clock` and
  // `random` outlive it. Errors: those of CheckConfig, the store, the keytab, the
  // listeners; each names the flag or file.
  static absl::StatusOr<std::unique_ptr<IwaServer>> Create(const Config& config, const Clock& clock,
                                                           Random& random);
  ~IwaServer();

  Addresses addresses() const;  // edge, internal.
  bool registered() const;      // The org knows this IWA.

  // Refuses new calls, lets those in flight end. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit IwaServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Reads every file that `config` names and checks it, without listening or writing. The message has
// a line for each option that is wrong, which it begins with, and what to do.
absl::Status CheckConfig(const Config& config);

}  // namespace devicetrust::iwa
