#pragma once

#include <memory>

#include "ca-service/config.h"
#include "ca-service/issuers.h"
#include "libs/base/clock.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust::ca {

// The whole certificate authority: store, keys, three listeners, outbox.
class CaServer {
 public:
  // Serving once it returns; the org need not be there yet. `clock` and `random` must
  // outlive it. Errors name the file, flag or address at fault.
  static absl::StatusOr<std::unique_ptr<CaServer>> Create(const Config& config, const Clock& clock,
                                                          Random& random);
  ~CaServer();
  CaServer(const CaServer&) = delete;
  CaServer& operator=(const CaServer&) = delete;

  Addresses addresses() const;  // edge, internal, http: as bound.

  // Refuses new calls, lets those in flight end (2 s). Undelivered events stay in the
  // store. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit CaServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

// How `config` wants the issuers' keys kept.
Issuers::Config IssuersConfig(const Config& config, pki::AeadKey kek);

// Reads every file that `config` names and checks it, without listening or writing.
absl::Status CheckConfig(const Config& config);

}  // namespace devicetrust::ca
